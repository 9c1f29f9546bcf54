"""What is ordinary is shown and sent as it is: no false alarm on a hundred configurations."""

import hashlib

import pytest
import yaml

from emr.request.secrets import refuse_secrets
from sparkml.config import load_config
from sparkml.errors import SparkMLError
from sparkml.redaction import masked, secrets_in, shown_setting

SHA256, SHA1 = hashlib.sha256(b"wine").hexdigest(), hashlib.sha1(b"wine").hexdigest()
UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
KMS = f"arn:aws:kms:eu-west-1:123456789012:key/{UUID}"
VAULT = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf"
CLASS = "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider"

SETTINGS = {
    "spark.app.name": "nightly-scoring-2024",
    "spark.master": "spark://master.example.org:7077",
    "spark.serializer": "org.apache.spark.serializer.KryoSerializer",
    "spark.kryo.registrator": "org.example.wine.Registrator2",
    "spark.kryoserializer.buffer.max": "512m",
    "spark.sql.shuffle.partitions": "200",
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.session.timeZone": "Europe/Berlin",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.catalog.prod.type": "glue",
    "spark.sql.catalog.prod.warehouse": "s3://lake-prod-eu1/warehouse",
    "spark.sql.warehouse.dir": "s3://bucket-2024/warehouse",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.autoBroadcastJoinThreshold": "-1",
    "spark.sql.sources.partitionOverwriteMode": "dynamic",
    "spark.executor.memory": "8g",
    "spark.executor.memoryOverhead": "2g",
    "spark.executor.cores": "4",
    "spark.executor.instances": "10",
    "spark.driver.maxResultSize": "2g",
    "spark.driver.extraJavaOptions": "-Xss4m -XX:+UseG1GC -Duser.timezone=UTC",
    "spark.executor.extraClassPath": "/opt/jars/postgresql-42.7.3.jar",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.dynamicAllocation.enabled": "true",
    "spark.dynamicAllocation.executorIdleTimeout": "60s",
    "spark.shuffle.service.enabled": "true",
    "spark.network.timeout": "800s",
    "spark.locality.wait": "3s",
    "spark.speculation.quantile": "0.9",
    "spark.task.maxFailures": "8",
    "spark.jars": "s3://bucket/jars/delta-spark_2.13-4.0.0.jar,/opt/x/y-1.2.jar",
    "spark.jars.packages": "io.delta:delta-spark_2.13:4.0.0,org.apache.hadoop:hadoop-aws:3.4.1",
    "spark.archives": "s3://example-bucket/environments/d3829a9ff90b5ef3695ac3fa7fa7b5f0.tar.gz#env",
    "spark.eventLog.dir": "hdfs:///var/log/spark/apps",
    "spark.yarn.queue": "root.ds.team2",
    "spark.yarn.maxAppAttempts": "1",
    "spark.kubernetes.namespace": "ds-prod-2",
    "spark.kubernetes.container.image": "registry.example.org/spark:4.1.1-python3.11",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.hadoop.fs.s3a.endpoint": "s3.eu-central-1.amazonaws.com",
    "spark.hadoop.fs.s3a.endpoint.region": "eu-central-1",
    "spark.hadoop.fs.s3a.path.style.access": "true",
    "spark.hadoop.fs.s3a.connection.maximum": "200",
    "spark.hadoop.fs.s3a.aws.credentials.provider": CLASS,
    "spark.hadoop.fs.s3a.assumed.role.arn": "arn:aws:iam::123456789012:role/Scoring2",
    "spark.hadoop.fs.s3a.server-side-encryption-algorithm": "SSE-KMS",
    "spark.hadoop.fs.s3a.server-side-encryption.key": KMS,
    "spark.hadoop.fs.azure.account.auth.type": "OAuth",
    "spark.hadoop.fs.azure.account.oauth2.client.id": UUID,
    "spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version": "2",
    "spark.hadoop.javax.jdo.option.ConnectionURL": "jdbc:mysql://db.example.org:3306/hive",
    "spark.hadoop.hive.metastore.uris": "thrift://metastore.example.org:9083",
    "spark.executorEnv.PYTHONHASHSEED": "0",
    "spark.executorEnv.JAVA_HOME": "/usr/lib/jvm/java-17",
    "spark.executorEnv.OMP_NUM_THREADS": "1",
    "spark.executorEnv.AWS_REGION": "eu-west-1",
    "spark.yarn.appMasterEnv.MLFLOW_TRACKING_URI": "http://mlflow.example.org:5000",
    "spark.executorEnv.DB_PASSWORD": "${env:DB_PASSWORD}",
    "spark.executorEnv.OPENAI_API_KEY": "{{resolve:secretsmanager:key}}",
    "spark.redaction.regex": "(?i)secret|password|token",
    "spark.authenticate": "true",
    "spark.emr-serverless.executor.disk": "50g",
    "sep": ";",
    "nullValue": "n/a 1",
    "header": "true",
    "dateFormat": "yyyy-MM-dd",
    "versionAsOf": "12",
    "providers": ["CUDAExecutionProvider", "CPUExecutionProvider"],
    "shapes": {"input_1": [1, 3, 224, 224]},
    "device": "cuda:0",
    "tokenizer": "distilbert-base-uncased-v2",
    "max_tokens": 512,
    "pad_token": "<pad>",
    "eos_token": "</s>",
    "token_pattern": r"(?u)\b\w\w+\b",
    "solver": "lbfgs",
    "penalty": "l2",
    "class_weight": "balanced",
    "n_estimators": 200,
    "learning_rate": "1e-3",
    "max_features": "log2",
    "loss_function": "Quantile:alpha=0.5",
    "monotone_constraints": "(1,0,-1)",
    "objective": "binary:logistic",
    "unknown_key": "fallback",
}

REQUESTS = [
    f"spark.hadoop.fs.s3a.encryption.key={KMS}",
    f"db.password.secret={VAULT}",
    f"DB_PASSWORD_ARN={VAULT}",
    "DB_PASSWORD=${DB_PASSWORD}",
    "--token-file=/run/secrets/token",
    f"--digest={SHA256}",
    f"commit {SHA1}",
    f"run-{UUID}",
    f"sha256-{'q1W2e3R4t5Y6' * 3}q1W2e3R=",
    "s3://example-bucket/models/Wine2024/Fold07/Seed42/Part11/Shard05/Champion_v3/model.skops",
    "s3://data/sk-learn-random-forest-with-500-trees-and-a-long-name",
    "s3://my-company-data-science-prod-eu-west-1/team-a/2024-01-31/part-00001-of-00100.parquet",
    "MyCompanyDataScienceProd2024ModelScoringInstanceProfile",
    "arn:aws:iam::123456789012:instance-profile/EMR_EC2_DefaultRole",
    "arn:aws:sns:us-east-1:123456789012:a-topic-with-a-name-of-more-than-35-characters",
    "arn:aws:states:eu-west-1:123456789012:stateMachine:NightlyScoring2024AndAll",
    "application_1700000000000_0042",
    "j-2AXXXXXXGAPLF",
    "subnet-0a1b2c3d4e5f67890,sg-0a1b2c3d4e5f67890",
    "https://git.example.org:8443/wine.git@main",
    "git+https://git@git.example.org/wine.git",
    "abfss://container-2024-prod@account.dfs.core.windows.net/wine",
    "k8s://https://api.example.org:6443",
    "http://mlflow:5000/models/wine@v1.2",
    "models:/wine@champion",
    "runs:/0f8fad5bd9cb469fa16570867728950e/model",
    "registry.example.org/sparkml:1.2@sha256:" + SHA256,
    "user:me2@example.org",
    "mailto:team2@example.org",
    "org.apache.spark.sql.execution.datasources.v2.parquet.ParquetDataSourceV2",
    "spark-submit --deploy-mode cluster --conf spark.executor.memory=8g jobs/score.py",
    "com.amazonaws.auth.DefaultAWSCredentialsProviderChain",
    "hadoop.security.auth_to_local=RULE:[1:$1@$0](.*@EXAMPLE.ORG)s/@.*//",
    "hadoop.security.authentication=kerberos",
    "hive.server2.authentication=LDAP",
    "javax.jdo.option.ConnectionPassword=EMR.secret@wine",
    "APACHESPARK APACHEKAFKA2024",
    "SELECT token_count, password_age_days FROM logins WHERE secret_version > 3",
    "sum(tokens) / count(*)",
    "max_new_tokens=256 temperature=0.7",
    "pass=2",
    "bypass=always compass=north lowpass=butter",
    "PWD=/home/hadoop",
    "secretary=Ms Smith",
    "tokenizer=bert-base-uncased",
    "primary_key=customer_id",
    "key=id",
    "sort_key=created_at",
    "auth.type=kerberos",
    "ssh_key_name=my-pair",
]

TREES = [
    {
        "schema": {
            "token": "string",
            "password": "string",
            "secret": "array<struct<a:int,b:string>>",
        }
    },
    {"properties": {"password": {"type": "string", "description": "the one chosen"}}},
    {"fields": [{"name": "password", "type": "string", "nullable": True}]},
    {"columns": ["token_count", "password_age_days", "secretary", "compass"]},
    {"nulls": {"token": "quarantine", "password": "fill"}, "rename": {"token": "word"}},
    {"models": {"token": {"uri": "models:/token/1", "nulls": "quarantine"}}},
    {"secretKeyRef": {"name": "db", "key": "password"}},
    {"credentials": {"provider": CLASS, "username": "me", "role_arn": VAULT}},
    {"tokenizer": {"name": "bert", "vocab_size": 30522}},
    {"Ec2KeyName": "my-pair", "KmsKeyId": KMS},
    {"Tags": [{"Key": "owner", "Value": "team-2"}, {"Key": "key", "Value": "id"}]},
    {"special_tokens": ["[PAD]", "[CLS]"], "mask_token": "[MASK]"},
    {"models": {"wine": {"signature": "hue: float64, ash: float64 -> label: string"}}},
    {"order_by": [["created_at", "asc"], ["token", "desc"]], "pairs": [["token", "word"]]},
    {"args": ["docker", "run", "--user", "hadoop:hadoop", "-u", "1000:1000"]},
    {"args": ["mysql", "-h", "db", "-p"], "config": '{"schema": {"token": "string"}}'},
    {"secrets": [{"name": "prod-db", "region": "eu-west-1"}]},
    {"values": "a", "value": 5, "v": "b", "text": "password:\n  from: vault"},
    {"digest": SHA256, "sha1": SHA1, "id": UUID},
    {"InstanceProfile": "EMR_EC2_DefaultRole", "LogUri": "s3://logs-2024/emr/"},
]


def test_there_are_a_hundred():
    assert len(SETTINGS) + len(REQUESTS) + len(TREES) >= 100


@pytest.mark.parametrize(("name", "value"), SETTINGS.items(), ids=list(SETTINGS))
def test_a_well_known_setting_is_shown_and_sent(name, value):
    assert value == shown_setting(name, value)
    refuse_secrets({name: value, "Args": ["--conf", f"{name}={value}"]})
    assert f"{name}={value}" == masked(f"{name}={value}")


@pytest.mark.parametrize("text", REQUESTS)
def test_an_ordinary_argument_is_sent_and_shown_in_errors(text):
    refuse_secrets({"Args": ["spark-submit", text]})
    assert f"cannot use {text} | here | fix: name another" == str(
        SparkMLError(f"cannot use {text}", where="here", fix="name another")
    )


@pytest.mark.parametrize("value", TREES)
def test_what_only_names_a_column_or_points_at_a_secret_is_sent(value):
    assert [] == list(secrets_in(value))


def test_a_plan_shows_what_the_configuration_says(tmp_path):
    """Columns named `token` and `password` among it."""
    job = {
        "models": {
            "token": {
                "uri": "s3://models-2024/token/Champion3/model.skops",
                "digest": SHA256,
                "nulls": {"password_age_days": "model", "*": "quarantine"},
                "model_config": {"device": "cuda:0"},
            }
        },
        "source": {"format": "csv", "path": "s3://in-2024/a", "options": {"sep": "|"}},
        "steps": [{"column": "token_count", "expr": "size(split(text, ' '))"}],
        "key": "password_id",
        "rename": {"token": "token_score"},
        "sink": {"format": "delta", "path": "s3://out/x", "partition": {"token": "a1b2"}},
    }
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump(job))
    loaded = load_config(file, env={})
    assert loaded.rows() == loaded.shown()
