"""What looks like a key, a token or a password is refused, and never repeated."""

import pytest

from emr.errors import SecretInRequest
from emr.request.secrets import refuse_secrets, secrets_in

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
