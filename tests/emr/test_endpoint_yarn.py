"""The local EMR on a real YARN: a step's spark-submit in cluster mode, unchanged, and its logs."""

from __future__ import annotations

import gzip

import boto3
import pytest

from tests.emr import yarn as real
from tests.emr.endpoint import Runner, Settings, folder_logs
from tests.emr.small_cluster import small_cluster, until_true

pytestmark = [
    pytest.mark.yarn,
    pytest.mark.spark,
    pytest.mark.skipif(bool(real.missing()), reason=real.missing() or "here"),
    # boto3 parses a datetime the way Python 3.12 deprecates, inside moto's server threads.
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
]

JOB = """
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
print("counted", spark.range(7).count(), "rows on", spark.sparkContext.master)
spark.stop()
"""
SMALL = ["spark.executor.instances=1", "spark.executor.cores=1", "spark.executor.memory=512m",
         "spark.driver.memory=512m", "spark.ui.enabled=false"]  # fmt: skip


def test_a_step_runs_on_yarn_and_its_drivers_words_come_to_s3(
    emr_endpoint, bucket, s3_server, tmp_path
):
    """The whole way: AddJobFlowSteps, spark-submit, containers, application id, logs."""
    s3 = boto3.client("s3")
    s3.put_object(Bucket=bucket, Key="job.py", Body=JOB)
    keys = ("testing", "testing")
    with real.Yarn(tmp_path / "yarn", s3_endpoint=s3_server, s3_keys=keys) as yarn:
        emr_endpoint(
            settings=Settings(pace=0.05, log_delay_s=1.0, log_interval_s=0.5),
            runner=Runner(
                folder=tmp_path / "emr",
                environment=yarn.environment(),
                container_logs=folder_logs(yarn.logs),
            ),
        )
        client = boto3.client("emr")
        args = ["spark-submit", "--deploy-mode", "cluster"]
        args += [word for setting in SMALL for word in ("--conf", setting)]
        jar = {"Jar": "command-runner.jar", "Args": [*args, f"s3://{bucket}/job.py"]}
        step = {"Name": "count", "ActionOnFailure": "CONTINUE", "HadoopJarStep": jar}
        request = small_cluster(steps=[step], log_uri=f"s3://{bucket}/logs")
        cluster_id = client.run_job_flow(**request)["JobFlowId"]
        step_id = client.list_steps(ClusterId=cluster_id)["Steps"][0]["Id"]
        waiter = client.get_waiter("step_complete")
        slowly = {"Delay": 1, "MaxAttempts": 240}
        waiter.wait(ClusterId=cluster_id, StepId=step_id, WaiterConfig=slowly)
        told = client.describe_step(ClusterId=cluster_id, StepId=step_id)["Step"]
        [application] = told["AdditionalInfo"]["ResourceManagerApplicationIds"]
        prefix = f"logs/{cluster_id}/containers/{application}/"
        said = drivers_words(s3, bucket, prefix)
    assert "counted 7 rows on yarn\n" == said


def drivers_words(s3, bucket, prefix):
    """The stdout of the first container, as soon as it has been stored."""

    def look():
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        for entry in listed:
            if entry["Key"].endswith("_000001/stdout.gz"):
                body = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
                return gzip.decompress(body).decode()
        return None

    return until_true(look)
