"""Whose credentials the workers write to S3 with, each way that EMR has; or with none.

The Delta sink's files are written by Python in the executors, through Arrow: S3A's credentials are
the JVM's, and reach it only where they stand in the configuration. The S3 server here refuses every
key that is not on its list, and remembers who came.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.emr import yarn as real
from tests.emr.yarn import packed
from tests.emr.yarn.metadata import SESSION, InstanceMetadata

pytest_plugins = ["tests.emr.yarn.fixtures"]
pytestmark = [
    pytest.mark.yarn,
    pytest.mark.spark,
    pytest.mark.skipif(bool(real.missing()), reason=real.missing() or "here"),
]

SDK = "software.amazon.awssdk.auth.credentials"
PROVIDER = "spark.hadoop.fs.s3a.aws.credentials.provider"
NO_METADATA = {
    "spark.yarn.appMasterEnv.AWS_EC2_METADATA_DISABLED": "true",
    "spark.executorEnv.AWS_EC2_METADATA_DISABLED": "true",
}
"""This machine is no instance: without this, Arrow would ask a network that does not answer."""

ROLE_KEY, ROLE_TOKEN = "ASIARUNTIMEROLE00000", "a-session-of-the-runtime-role"
IN_THE_JVM = (
    f"-Daws.accessKeyId={ROLE_KEY} -Daws.secretAccessKey=a-temporary-secret "
    f"-Daws.sessionToken={ROLE_TOKEN}"
)
"""EMR hands the credentials of a step's runtime role to S3A in the JVM. Python has none."""


def score(yarn, wine_on_s3, tmp_path, table, conf, **changes):
    """Run the wine job, its result on S3; how it ended, and what its result file tells."""
    key = f"results/{table}.json"
    config = packed.config_of(wine_on_s3, table, result=f"s3://{packed.BUCKET}/{key}", **changes)
    wine_on_s3.s3.door.seen.clear()
    done = yarn.submit(packed.plain_argv(tmp_path, config, conf))
    assert done.status == 0, done.driver[-6000:]
    assert wine_on_s3.expected == wine_on_s3.stored(table)
    told = wine_on_s3.s3.client().get_object(Bucket=packed.BUCKET, Key=key)["Body"]
    return done, json.load(told)


def stored_model(wine_on_s3) -> str:
    """The wine model's folder on S3, where it is put."""
    folder = Path(wine_on_s3.model)
    for file in folder.rglob("*"):
        if file.is_file():
            key = f"models/wine/{file.relative_to(folder)}"
            wine_on_s3.s3.client().upload_file(str(file), packed.BUCKET, key)
    return f"s3://{packed.BUCKET}/models/wine"


def test_keys_of_the_hadoop_configuration_reach_the_workers_and_no_log(yarn, wine_on_s3, tmp_path):
    """Endpoint, path style and keys stand in `fs.s3a.*` alone: Arrow is given the same."""
    conf = {
        "spark.hadoop.fs.s3a.access.key": real.KEY,
        "spark.hadoop.fs.s3a.secret.key": real.SECRET,
        **NO_METADATA,
    }

    done, told = score(yarn, wine_on_s3, tmp_path, "by/configuration", conf)

    assert [] == told["warnings"]
    assert {real.KEY} == wine_on_s3.writers("by/configuration")
    assert real.SECRET not in done.driver + done.workers + done.stderr


def test_an_instance_profile_reaches_jvm_and_workers_alike(yarn, wine_on_s3, tmp_path):
    """Temporary keys from the instance's metadata service (IMDSv2), asked for by each process."""
    wine_on_s3.s3.door.open_to[SESSION["AccessKeyId"]] = SESSION["Token"]
    with InstanceMetadata() as service:
        kinds = ("spark.yarn.appMasterEnv", "spark.executorEnv")
        conf = {f"{kind}.AWS_EC2_METADATA_SERVICE_ENDPOINT": service.url for kind in kinds}
        conf[PROVIDER] = "org.apache.hadoop.fs.s3a.auth.IAMInstanceCredentialsProvider"

        _, told = score(yarn, wine_on_s3, tmp_path, "by/profile", conf)

    assert [] == told["warnings"]
    assert {SESSION["AccessKeyId"]} == wine_on_s3.writers("by/profile")


def test_where_a_runtime_role_is_the_jvms_alone_sparks_own_writer_writes(
    yarn, wine_on_s3, tmp_path
):
    """No Python has credentials: found before the first task, and said in the outcome."""
    wine_on_s3.s3.door.open_to[ROLE_KEY] = ROLE_TOKEN
    conf = {
        PROVIDER: f"{SDK}.SystemPropertyCredentialsProvider",
        "spark.driver.extraJavaOptions": IN_THE_JVM,
        "spark.executor.extraJavaOptions": IN_THE_JVM,
        **NO_METADATA,
    }

    models = {"wine": {"uri": stored_model(wine_on_s3)}}
    done, told = score(yarn, wine_on_s3, tmp_path, "by/role", conf, models=models)

    # The model came, and the result went, through the JVM as well.
    assert models["wine"]["uri"] == told["models"][0]["uri"]
    (warning,) = told["warnings"]
    assert "ACCESS_DENIED" in warning
    assert "max_quarantine is checked after the rows are in it" in warning
    assert "Spark's own writer" in done.driver  # and so in what a person reads
    assert set() == wine_on_s3.writers("by/role")
    assert {ROLE_KEY} == wine_on_s3.writers("by/role", arrow=False)


def test_executors_without_credentials_are_found_by_one_task_before_the_job(
    yarn, wine_on_s3, tmp_path
):
    """The driver's Python could write, the executors' could not; this run's partition is kept."""
    wine_on_s3.s3.door.open_to[ROLE_KEY] = ROLE_TOKEN
    conf = {
        PROVIDER: f"{SDK}.SystemPropertyCredentialsProvider",
        "spark.driver.extraJavaOptions": IN_THE_JVM,
        "spark.executor.extraJavaOptions": IN_THE_JVM,
        "spark.yarn.appMasterEnv.AWS_ACCESS_KEY_ID": real.KEY,
        "spark.yarn.appMasterEnv.AWS_SECRET_ACCESS_KEY": real.SECRET,
        "spark.executorEnv.AWS_EC2_METADATA_DISABLED": "true",
    }
    sink = {
        "format": "delta",
        "path": f"s3://{packed.BUCKET}/by/nobody",
        "mode": "replace",
        "partition": {"day": "2026-11-21"},
    }

    _, told = score(yarn, wine_on_s3, tmp_path, "by/nobody", conf, sink=sink)

    assert "ACCESS_DENIED" in told["warnings"][0]
    assert set() == wine_on_s3.writers("by/nobody")
    assert {"2026-11-21"} == wine_on_s3.values("by/nobody", "day")
