"""A secret, however it is spelt, is shown by no plan and no error, and sent by no request."""

import base64
import json
import subprocess
import sys

import pytest
import yaml

from emr.errors import SecretInRequest
from emr.request.secrets import refuse_secrets
from sparkml.config import load_config
from sparkml.errors import ConfigError, SparkMLError
from sparkml.redaction import MASK, masked, shown_setting

# Put together here, so that nobody's scanner takes them for real ones.
ACCESS_KEY = "AKIA" + "IOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG" + "/bPxRfiCYEXAMPLEKEY"
AZURE_KEY = base64.b64encode(bytes((n * 37 + 11) % 256 for n in range(64))).decode()
BYTES_KEY = base64.b64encode(bytes((n * 91 + 7) % 256 for n in range(32))).decode()
JWT = "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiJ4In0abc.c2lnbmF0dXJl"
BASIC = base64.b64encode(b"me:hunter2").decode()
ENCODED_KEY = base64.b64encode(SECRET_KEY.encode()).decode()
ENCODED_JSON = base64.b64encode(b'{"password": "hunter2"}').decode()
ENCODED_ID = base64.b64encode(ACCESS_KEY.encode()).decode()

NAMED = [
    ("spark.hadoop.fs.s3a.secret.key", "hunter2"),
    ("spark.hadoop.fs.s3a.session.token", "hunter2"),
    ("spark.hadoop.fs.s3a.encryption.key", "hunter2"),
    ("spark.hadoop.fs.s3a.bucket.wine.secret.key", "hunter2"),
    ("spark.hadoop.fs.azure.account.key.mine.dfs.core.windows.net", "hunter2"),
    ("spark.hadoop.fs.azure.account.oauth2.client.secret", "hunter2"),
    ("spark.hadoop.fs.azure.sas.fixed.token.mine.dfs.core.windows.net", "hunter2"),
    ("spark.hadoop.fs.gs.auth.service.account.private.key", "hunter2"),
    ("spark.hadoop.javax.jdo.option.ConnectionPassword", "hunter2"),
    ("spark.ssl.keyPasswd", "hunter2"),
    ("spark.ssl.keyStorePassword", "hunter2"),
    ("spark.ssl.ui.trustStorePassword", "hunter2"),
    ("spark.authenticate.secret", "hunter2"),
    ("spark.executorEnv.API_KEY", "hunter2"),
    ("spark.executorEnv.PGPASSWORD", "hunter2"),
    ("spark.executorEnv.PGPASS", "hunter2"),
    ("spark.executorEnv.MYSQL_PWD", "hunter2"),
    ("spark.executorEnv.OPENAI_KEY_TOKEN", "hunter2"),
    ("spark.yarn.appMasterEnv.DB_PASSWORD", "hunter2"),
    ("spark.yarn.appMasterEnv.SECRET_KEY_BASE", "hunter2"),
    ("spark.kubernetes.driverEnv.GITHUB_TOKEN", "hunter2"),
    ("spark.sql.catalog.prod.credential", "hunter2"),
    ("spark.sql.catalog.prod.token", "hunter2"),
    ("spark.my.db_pass_prod", "hunter2"),
    ("spark.my.db_password_2", "hunter2"),
    ("spark.my.userpass", "hunter2"),
    ("spark.my.passphrase", "hunter2"),
    ("spark.my.clientSecretValue", "hunter2"),
    ("spark.my.AWSSecretKey", "hunter2"),
    ("spark.my.ssh-key", "hunter2"),
    ("spark.my.signing.key", "hunter2"),
    ("spark.my.authToken", "hunter2"),
    ("spark.my.refresh_token", "hunter2"),
    ("spark.my.bearer", "hunter2"),
    ("spark.my.sas", "hunter2"),
    ("spark.my.password", "string-hunter2"),
    ("spark.my.password", "array<hunter2>"),
    ("spark.my.password", "true-hunter2"),
    ("spark.my.password", "/etc/hunter2"),
    ("spark.my.password", "${env:PASSWORD}hunter2"),
    ("spark.my.password", "12345"),
    ("spark.my.token", "integer_hunter2"),
]

TEXTS = [
    ("password=\xa0hunter2", "hunter2"),
    ("password\u2003=\u2003hunter2", "hunter2"),
    ("password=\x0bhunter2", "hunter2"),
    ("password =\n hunter2x9", "hunter2x9"),
    ("password=\r\n\thunter2x9", "hunter2x9"),
    ("x\nspark.my.password\xa0hunter2", "hunter2"),
    ('{"password":\n  "hunter2"}', "hunter2"),
    ("https://me:hunter2@host/x", "hunter2"),
    ("https://me:hunter/2@db.example.org/wine", "hunter/2"),
    ("https://me:hun@ter2@db.example.org/wine", "ter2"),
    ("https://me:hun:ter2@db.example.org/wine", "ter2"),
    ("https://me:12345/hunter2@db.example.org/wine", "hunter2"),
    ("https://me%3Ahunter2@db.example.org/wine", "hunter2"),
    ("redis://:hunter2@cache:6379/0", "hunter2"),
    ("https://hunter2hunter2hunter2@git.example.org/wine.git", "hunter2"),
    ("https://a8f5f167f44f@git.example.org/wine.git", "a8f5f167f44f"),
    ("mongodb+srv://me:hunter2@db.example.org", "hunter2"),
    ("jdbc:postgresql://me:hunter2@db.example.org/wine", "hunter2"),
    ("jdbc:sqlserver://db:1433;databaseName=wine;user=me;password=hunter2", "hunter2"),
    ("jdbc:mysql://db/wine?user=me&password=hunter2", "hunter2"),
    ("jdbc:oracle:thin:scott/hunter2@//db:1521/wine", "hunter2"),
    ("me:hunter2@db.example.org:5432/wine", "hunter2"),
    ("s3://bucket/x?access_key=me&secret_key=hunter2", "hunter2"),
    ("s3://bucket/x?secret%5Fkey=hunter2", "hunter2"),
    ("https://mine.blob.core.windows.net/c?sv=2022-11-02&sp=r&sig=hunter2%2Babc%3D", "hunter2"),
    ("https://bucket.s3.amazonaws.com/x?X-Amz-Signature=hunter2", "hunter2"),
    ("https://host/cb#access_token=hunter2", "hunter2"),
    (f"Authorization: Basic {BASIC}", BASIC),
    (f"Basic {BASIC}", BASIC),
    (f"x={BASIC}", BASIC),
    ("Authorization: Bearer hunter2" + "x" * 12, "hunter2"),
    ("Authorization: Digest hunter2", "hunter2"),
    (f"the key is {ACCESS_KEY}, says he", ACCESS_KEY),
    (f"aws configure set x {SECRET_KEY} --profile me", SECRET_KEY),
    (f"export A={SECRET_KEY};b", SECRET_KEY),
    (f"a {ENCODED_KEY} b", ENCODED_KEY),
    (f"a {ENCODED_ID} b", ENCODED_ID),
    (f"DefaultEndpointsProtocol=https;AccountName=me;AccountKey={AZURE_KEY}", AZURE_KEY),
    (f"a {AZURE_KEY} b", AZURE_KEY),
    (f"a {BYTES_KEY} b", BYTES_KEY),
    ("ghp_" + "a1B2" * 9, "a1B2"),
    ("github_pat_" + "a1B2" * 9, "a1B2"),
    ("glpat-" + "a1B2" * 5, "a1B2"),
    ("gldt-" + "a1B2" * 5, "a1B2"),
    ("xoxb-" + "1" * 12, "111111"),
    ("sk_live_" + "a1B2" * 6, "a1B2"),
    ("sk-proj-" + "a1B2" * 8, "a1B2"),
    ("dapi" + "0" * 32, "000000"),
    ("hf_" + "a1B2" * 8, "a1B2"),
    ("AIza" + "a1B2c" * 7, "a1B2c"),
    ("SG." + "a1B2x3Y4e5F" * 2 + "." + "a" * 43, "a1B2x3Y4e5F"),
    ("pypi-AgEIcHlwaS5vcmc" + "a1B2" * 20, "a1B2"),
    (JWT, JWT),
    ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nhunter2\n-----END", "hunter2"),
    ("-----BEGIN OPENSSH PRIVATE KEY-----", "PRIVATE KEY"),
    ("-Xss4m -Djavax.net.ssl.trustStorePassword=hunter2", "hunter2"),
    ('{"user": "me", "password": "hunter2 and more"}', "hunter2 and more"),
    (r"{\"password\": \"hunter2\"}", "hunter2"),
    ("password: hunter2", "hunter2"),
    ("password = 'hunter2'", "hunter2"),
    ("password => 'hunter2'", "hunter2"),
    ("OPTIONS (url 'jdbc:x', password 'hunter2')", "hunter2"),
    ("mysql --password hunter2 -h db", "hunter2"),
    ("curl -u me:hunter2 https://host", "hunter2"),
    ("user=me,password=hun,ter2", "hun"),
    ("curl --user me:hunter2 https://host", "hunter2"),
    ("mysql -u root -phunter2 db", "hunter2"),
    ("sshpass -p hunter2 ssh me@host", "hunter2"),
    ("machine host login me password hunter2", "hunter2"),
    ('psql --password "hunter2 and more"', "hunter2 and more"),
    ("source:\n  password: hunter2\n", "hunter2"),
    ('{"a": {"password": {"prod": "hunter2"}}}', "hunter2"),
    ('{"passwords": ["hunter2"]}', "hunter2"),
    ('[{"Name": "DB_PASSWORD", "Value": "hunter2"}]', "hunter2"),
    ('[["DB_PASSWORD", "hunter2"]]', "hunter2"),
    (f"a {ENCODED_JSON} b", ENCODED_JSON),
]

NESTED = [
    {"password": {"prod": "hunter2"}},
    {"password": {"prod": {"eu": ["hunter2"]}}},
    {"credentials": [{"user": "me", "key": "hunter2"}]},
    {"db": {"secret": {"plain": {"text": "hunter2"}}}},
    {"token": {"ci": {"value": "hunter2"}}},
    {"Key": "DB_PASSWORD", "Value": {"prod": "hunter2"}},
    {"password": b"hunter2"},
    {"password": ("hunter2",)},
    {"password": {"type": "string", "value": "hunter2"}},
    {"args": ["-x", "--db-password", "hunter2"]},
    {"env": [{"name": "PGPASSWORD", "value": "hunter2"}]},
    {"env": [{"VariableName": "PGPASSWORD", "VariableValue": "hunter2"}]},
    {"env": [{"k": "PGPASSWORD", "v": "hunter2"}]},
    {"env": [["PGPASSWORD", "hunter2"], ["PGHOST", "db"]]},
    {"passwords": {"db": "hunter2"}},
    {"args": ["curl", "-u", "me:hunter2", "https://host"]},
    {"args": ["mysql", "-uroot", "-phunter2"]},
    {"args": ["--config", '{"db": {"password": {"prod": "hunter2"}}}']},
    {"args": [base64.b64encode(b"password=hunter2").decode()]},
]

JOB = {
    "models": {"wine": {"uri": "models:/wine@champion"}},
    "source": {"format": "parquet", "path": "in"},
    "key": "id",
    "sink": {"format": "delta", "path": "out"},
}


def planned(tmp_path, **changed):
    """What a plan shows of a job's configuration, as one text."""
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump(JOB | changed))
    return str([value for _, value, _ in load_config(file, env={}).shown()])


@pytest.mark.parametrize(("name", "value"), NAMED)
def test_what_a_name_calls_secret_is_neither_shown_nor_sent(name, value, tmp_path):
    assert value not in planned(tmp_path, spark={"conf": {name: value}})
    for text in (f"{name}={value}", f"cannot set {name} = {value}", f'{{"{name}": "{value}"}}'):
        assert value not in SparkMLError(text).line()
    for request in ({name: value}, {"Args": ["--conf", f"{name}={value}"]}, {"a": {name: [value]}}):
        with pytest.raises(SecretInRequest) as refused:
            refuse_secrets(request)
        assert value not in str(refused.value)


@pytest.mark.parametrize(("text", "secret"), TEXTS)
def test_what_a_text_holds_is_neither_shown_nor_sent(text, secret, tmp_path):
    for key in ("spark.my.thing", "spark.driver.extraJavaOptions", "spark.sql.my.known.prefix"):
        assert secret not in planned(tmp_path, spark={"conf": {key: text}})
    for error in (SparkMLError(f"cannot use {text}"), SparkMLError("no", where=text, fix=text)):
        said = (error.line(), repr(error), json.dumps(error.to_json()), str(error.__reduce__()))
        assert not any(secret in one for one in said)
    assert secret not in ConfigError("no", problems=(text,)).problems[0]
    with pytest.raises(SecretInRequest) as refused:
        refuse_secrets({"Args": ["spark-submit", text]})
    assert secret not in str(refused.value)


@pytest.mark.parametrize("value", NESTED)
def test_what_is_nested_in_a_secret_is_refused(value):
    with pytest.raises(SecretInRequest) as refused:
        refuse_secrets(value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("spark.my.thing", "hunter2"),
        ("spark.executorEnv.ANYTHING", "swordfish"),
        ("spark.my.thing", {"deep": ["hunter2"]}),
        ("anything", "a sentence that is a passphrase"),
        ("spark.my.secretNumber", 12345),
        ("spark.driver.extraJavaOptions", "-Dmy.thing=hunter2"),
    ],
)
def test_a_setting_that_nobody_knows_is_not_shown(name, value):
    shown = str(shown_setting(name, value))
    assert MASK in shown
    assert not any(word in shown for word in ("hunter2", "swordfish", "sentence", "12345"))


@pytest.mark.parametrize(
    "section",
    [
        {"models": {"wine": {"uri": "https://me:hunter2@host/model"}}},
        {"models": {"wine": {"uri": "x", "origin": "https://me:hunter2@host/model"}}},
        {"source": {"format": "csv", "path": "https://host/in.csv?sig=hunter2"}},
        {
            "source": {
                "format": "sql",
                "query": "a",
                "views": {"a": {"format": "csv", "path": "a://:hunter2@b"}},
            }
        },
        {"sink": {"format": "delta", "path": "s3a://me:hunter2@bucket/out"}},
        {"result": "s3://bucket/x.json?access_key=me&secret_key=hunter2"},
    ],
)
def test_an_address_with_credentials_is_refused_and_not_repeated(section, tmp_path):
    """It would stand in rows, commits and outcomes."""
    with pytest.raises(ConfigError) as refused:
        planned(tmp_path, **section)
    told = refused.value.line()
    assert "hunter2" not in told
    assert told.startswith("ERROR CONFIG_INVALID: '")
    assert "would be written down" in told
    assert "spark.conf" in told


@pytest.mark.parametrize(
    "section",
    [
        {"batch_rows": "hunter2"},
        {"spark": "hunter2"},
        {"trust": "hunter2"},
        {"keep": {"password": "hunter2"}},
        {"spark": {"conf": {"spark.my.password": ["hunter2"]}}},
        {"source": {"format": "hunter2", "path": "x"}},
        {"workers": {"tuned": "hunter2"}},
        {"max_quarantine": "me:hunter2@host"},
    ],
)
def test_an_error_of_the_configuration_repeats_no_value_that_may_be_secret(section, tmp_path):
    with pytest.raises(ConfigError) as refused:
        planned(tmp_path, **section)
    assert "hunter2" not in f"{refused.value} {refused.value.problems}"


def test_a_setting_that_cannot_be_read_is_not_repeated(tmp_path):
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump(JOB))
    with pytest.raises(ConfigError) as refused:
        load_config(file, sets=["PGPASSWORD hunter2"], env={})
    assert "hunter2" not in str(refused.value)


def test_a_text_is_masked_where_it_is_secret_and_nowhere_else():
    text = "cannot read https://me:hunter2@host/in for models:/wine@champion, sha256 0a1b2c"
    assert masked(text) == text.replace("hunter2", MASK)
    assert masked(masked(text)) == masked(text)


def test_looking_for_tokens_leaves_the_process_s_warnings_alone():
    """In a process of its own: the library that knows them sends every warning to a log."""
    script = """
import warnings
from sparkml.redaction.tokens import _known
shown = warnings.showwarning
assert len(_known()) > 5
assert warnings.showwarning is shown
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
