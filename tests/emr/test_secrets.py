"""What looks like a key, a token or a password is refused, and never repeated."""

import pytest

from emr.errors import SecretInRequest
from emr.job_run import JobRun
from emr.package.config import resolved_config
from emr.request.checks import check_spec
from emr.request.secrets import refuse_secrets
from sparkml.redaction import secrets_in
from tests.emr.rich_cluster import plain

# Put together here, so that nobody's scanner takes them for real ones.
ACCESS_KEY = "AKIA" + "IOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG" + "/bPxRfiCYEXAMPLEKEY"
JWT = "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiJ4In0abc.c2lnbmF0dXJl"

SECRET_ARGS = [
    f"spark.hadoop.fs.s3a.access.key={ACCESS_KEY}",
    f"spark.hadoop.fs.s3a.secret.key={SECRET_KEY}",
    "spark.yarn.appMasterEnv.DB_PASSWORD=hunter2",
    "spark.ssl.keyPassword=12345",
    "--password=hunter2",
    "--api-key=abcdef",
    "jdbc:postgresql://me:hunter2@db.example.org/wine",
    "ghp_" + "a" * 36,
    "dapi" + "0" * 32,
    "xoxb-" + "1" * 12,
    "-----BEGIN RSA PRIVATE KEY-----",
    f"prefix {JWT}",
    f"anything={SECRET_KEY}",
    "anything=/" + SECRET_KEY[1:],
    "jdbc:sqlserver://db.example.org:1433;databaseName=wine;user=me;password=hunter2",
    "jdbc:mysql://db.example.org/wine?user=me&password=hunter2",
    "spark.hadoop.fs.azure.account.key.mine.dfs.core.windows.net=abcdef",
    "spark.driver.extraJavaOptions=-Xss4m -Djavax.net.ssl.trustStorePassword=hunter2",
    '{"user": "me", "password": "hunter2"}',
    "DB_PASS=hunter2",
    "spark.yarn.appMasterEnv.DB_CREDENTIAL=hunter2",
    "--pass=hunter2",
    "sk-proj-" + "a1B2" * 8,
    "DB_PASSWORD=/etc-hunter2",
    "TOKEN=${env:TOKEN}hunter2",
    "user=me TOKEN=${env:TOKEN}hunter2",
    "clientSecretValue=hunter2",
    "secret_value=hunter2",
    "password2=hunter2",
    "DB_PASSWORD_2=hunter2",
    "fs.s3a.encryption.key=hunter2",
    "postgres://me:hunter/2@db.example.org/wine",
    "https://hunter2" + "x" * 9 + "@git.example.org/wine.git",
    "https://me:hunter2@git.example.org/wine.git",
    "ldap://CORP\\me:hunter2@ldap.example.org",
    "http://me:12345@[::1]:5000/",
    "http://me:123-hunter2@example.org/",
    "http://[me:hunter2@example.org/",
    "fs.s3a.encryption.key=YWxpYXMvd2luZQ==abcdef",
    "fs.s3a.secret.key=0f8fad5b-d9cb-469f-a165-70867728950e",
    "Authorization: Bearer hunter2" + "x" * 12,
]


@pytest.mark.parametrize("arg", SECRET_ARGS)
def test_an_argument_that_looks_secret_is_refused_and_not_repeated(arg):
    request = {"Steps": [{"HadoopJarStep": {"Args": ["spark-submit", arg]}}]}
    with pytest.raises(SecretInRequest) as caught:
        refuse_secrets(request, where="AddJobFlowSteps")
    assert "Steps[0].HadoopJarStep.Args[1]" in str(caught.value)
    for secret in ("hunter2", ACCESS_KEY, SECRET_KEY, "12345", "abcdef", JWT):
        assert secret not in str(caught.value)


FINE_ARGS = [
    "spark.hadoop.fs.s3a.aws.credentials.provider=org.example.Provider",
    "spark.sql.shuffle.partitions=200",
    "spark.yarn.am.tokenConfRegex=^dfs$",
    "db.password.secret=arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf",
    "--token-file=/run/token",
    "spark.executorEnv.OPENAI_API_KEY={{resolve:secretsmanager:key}}",
    "max_tokens=512",
    "spark.authenticate.secret=EMR.secret@arn",
    "fs.s3a.encryption.key=arn:aws:kms:us-east-1:123456789012:key/abc",
    "s3://example-bucket/sparkml/environments/d3829a9ff90b5ef3695ac3fa7fa7b5f0.tar.gz#environment",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "spark.redaction.regex=(?i)secret|password",
    "s3://data/sk-learn-random-forest-with-500-trees-and-a-long-name",
    "pad_token=<pad>",
    "/home/Someone/Documents/Wine2024/Scores1",
    "pass=2",
    "spark.x={{resolve:secretsmanager:token}}",
    "DB_PASSWORD=${env:DB_PASSWORD}",
    "javax.jdo.option.ConnectionPassword=EMR.secret@wine",
    "postgres://me:${DB_PASSWORD}@db.example.org/wine",
    "https://${TOKEN}@git.example.org/wine.git",
    "Authorization: Bearer ${A_TOKEN_OF_THE_ENVIRONMENT}",
    "https://git.example.org:8443/wine.git@main",
    "k8s://https://api.example.org:6443",
    "git+https://git@git.example.org/wine.git",
    "abfss://container@account.dfs.core.windows.net/wine",
    "token_pattern=\\w+",
    "fs.s3a.encryption.key=0f8fad5b-d9cb-469f-a165-70867728950e",
    "spark.hadoop.fs.s3a.bucket.wine.encryption.key=mrk-" + "0f" * 16,
    "fs.s3a.encryption.key=alias/wine",
    '{"uri":"http://mlflow:5000","model":"models:/wine@champion"}',
    '{"uri":"http://mlflow","model":"models:/wine@champion"}',
    r"{\"uri\":\"http://mlflow:5000\",\"model\":\"models:/wine@champion\"}",
    "(http://mlflow:5000),(models:/wine@champion)",
    '["http://mlflow.example.org","wine@champion"]',
    "http://[::1]:5000/x@y",
    "https://me@dev.azure.com/me/wine/_git/wine",
]


@pytest.mark.parametrize("arg", FINE_ARGS)
def test_what_only_names_a_secret_or_points_at_one_passes(arg):
    refuse_secrets({"Steps": [{"HadoopJarStep": {"Args": ["spark-submit", "--conf", arg]}}]})


def test_an_options_value_may_be_the_next_argument():
    found = list(secrets_in({"Args": ["--password", "hunter2", "--verbose", "yes"]}))
    assert [("Args[1] (after --password)", "a value that its name calls secret")] == found


def test_configurations_environment_and_bootstrap_arguments_are_searched():
    request = {
        "Configurations": [
            {
                "Classification": "spark-env",
                "Configurations": [
                    {"Classification": "export", "Properties": {"GITHUB_TOKEN": "abc123xyz"}}
                ],
            }
        ],
        "BootstrapActions": [{"ScriptBootstrapAction": {"Args": ["--secret=s3cr3t"]}}],
        "KerberosAttributes": {"KdcAdminPassword": "12345"},
    }
    places = [place for place, _ in secrets_in(request)]
    assert [
        "Configurations[0].Configurations[0].Properties.GITHUB_TOKEN",
        "BootstrapActions[0].ScriptBootstrapAction.Args[0] (secret=…)",
        "KerberosAttributes.KdcAdminPassword",
    ] == places


def test_a_pair_of_key_and_value_is_read_as_one():
    found = list(secrets_in({"Tags": [{"Key": "DB_PASSWORD", "Value": "hunter2"}]}))
    assert [("Tags[0].Value (of DB_PASSWORD)", "a value that its name calls secret")] == found


NESTED = [
    ({"password": ["hunter2"]}, "password[0]"),
    ({"password": {"value": "hunter2"}}, "password.value"),
    ({"password": [{"plain": ["hunter2"]}]}, "password[0].plain[0]"),
    ({"pwd": [12345]}, "pwd[0]"),
    ({"Key": "DB_PASSWORD", "Value": ["hunter2"]}, "Value (of DB_PASSWORD)[0]"),
    ({"password": "./hunter2"}, "password"),
    ({"token": "${env:TOKEN}hunter2"}, "token"),
]


@pytest.mark.parametrize(("config", "place"), NESTED, ids=[place for _, place in NESTED])
def test_what_is_nested_in_a_secret_is_one(config, place):
    assert [(place, "a value that its name calls secret")] == list(secrets_in(config))


def test_a_number_may_be_a_password_and_is_no_token():
    assert ["password"] == [place for place, _ in secrets_in({"password": 12345, "token": 7})]


FINE = [
    {"rename": {"token": "word", "password": "given"}},
    {"schema": {"token": "string", "password": "string", "secret": "array<double>"}},
    {"pad_token": "<pad>", "eos_token": "</s>"},
    {"password": {"value": "${env:DB_PASSWORD}"}, "token": {"uri": "models:/token/1"}},
    {"token": ["/run/token"], "rename": {"token": {"value": "word"}}},
]


@pytest.mark.parametrize("config", FINE)
def test_columns_and_their_types_are_no_secrets(config):
    assert [] == list(secrets_in(config))


def test_a_spec_with_a_secret_is_refused_before_it_is_stored():
    """`emr up` keeps the spec on S3 for whoever may read there."""
    with pytest.raises(SecretInRequest, match=r"spark_conf\.spark\.ssl\.keyPassword"):
        check_spec(plain(spark_conf={"spark.ssl.keyPassword": "hunter2"}))


def test_the_configuration_of_a_script_of_ones_own_is_read_line_by_line(tmp_path):
    script, config = tmp_path / "own.py", tmp_path / "own.cfg"
    script.write_text("print()\n")
    config.write_text('host = db\nDB_PASSWORD = "hunter2"\n')
    with pytest.raises(SecretInRequest, match="line 2"):
        resolved_config(JobRun(job=str(script), config=str(config)), None)
