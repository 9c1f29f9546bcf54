"""The logs that the local EMR leaves in S3: where, when, and that growing files come again."""

from __future__ import annotations

import gzip

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.emr.endpoint import Fault, Runner, Settings, folder_logs
from tests.emr.small_cluster import shell, small_cluster, until, until_step, until_true

QUICK = Settings(pace=0.05, log_delay_s=0.1, log_interval_s=0.1, grace_s=0.5)


def run_step(script, **changes):
    """A cluster's id and its only step's, on the endpoint of AWS_ENDPOINT_URL_EMR."""
    client = boto3.client("emr")
    cluster_id = client.run_job_flow(**small_cluster(steps=[shell(script)], **changes))["JobFlowId"]
    return cluster_id, client.list_steps(ClusterId=cluster_id)["Steps"][0]["Id"]


def stored(bucket, key):
    """The unzipped text under the key; None where there is nothing yet."""
    try:
        body = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError:
        return None
    return gzip.decompress(body).decode()


def waiting_for(folder):
    """A shell's words that wait until there is a file `go` in the folder."""
    return f"while [ ! -e {folder}/go ]; do sleep 0.05; done"


def keys_of(bucket):
    """Every key of the bucket."""
    listed = boto3.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])
    return [entry["Key"] for entry in listed]


def test_a_steps_logs_come_to_the_log_uri(emr_endpoint, bucket):
    """Its output, and the controller's account of how it ended."""
    emr_endpoint(settings=QUICK)
    script = "echo out; echo err >&2; exit 4"
    cluster_id, step_id = run_step(script, log_uri=f"s3://{bucket}/some/logs/")
    folder = f"some/logs/{cluster_id}/steps/{step_id}"
    until_true(lambda: stored(bucket, f"{folder}/stderr.gz"))
    until_true(lambda: "exitCode 4" in (stored(bucket, f"{folder}/controller.gz") or ""))
    assert "out\n" == stored(bucket, f"{folder}/stdout.gz")
    assert "err\n" == stored(bucket, f"{folder}/stderr.gz")
    names = ("controller", "stderr", "stdout", "syslog")
    assert [f"{folder}/{name}.gz" for name in names] == keys_of(bucket)


def test_a_growing_log_is_stored_whole_again(emr_endpoint, bucket, tmp_path):
    """While the step runs, as EMR does every few minutes."""
    emr_endpoint(settings=QUICK)
    script = f"echo one; {waiting_for(tmp_path)}; echo two; sleep 60"
    cluster_id, step_id = run_step(script, log_uri=f"s3://{bucket}/logs")
    key = f"logs/{cluster_id}/steps/{step_id}/stdout.gz"
    assert "one\n" == until_true(lambda: stored(bucket, key))
    (tmp_path / "go").touch()
    until_true(lambda: stored(bucket, key) == "one\ntwo\n")
    step = boto3.client("emr").describe_step(ClusterId=cluster_id, StepId=step_id)["Step"]
    assert "RUNNING" == step["Status"]["State"]


def test_a_step_may_have_a_log_address_and_a_key_of_its_own(emr_endpoint, bucket):
    """It overrides the cluster's, and the objects are sealed with the key."""
    emr_endpoint(settings=QUICK)
    client = boto3.client("emr")
    key = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    own = {"S3MonitoringConfiguration": {"LogUri": f"s3://{bucket}/own", "EncryptionKeyArn": key}}
    step = shell("echo out") | {"StepMonitoringConfiguration": own}
    request = small_cluster(steps=[step], log_uri=f"s3://{bucket}/logs")
    cluster_id = client.run_job_flow(**request)["JobFlowId"]
    step_id = client.list_steps(ClusterId=cluster_id)["Steps"][0]["Id"]
    path = f"own/{cluster_id}/steps/{step_id}/stdout.gz"
    until_true(lambda: stored(bucket, path))
    head = boto3.client("s3").head_object(Bucket=bucket, Key=path)
    assert ("aws:kms", key) == (head["ServerSideEncryption"], head["SSEKMSKeyId"])
    told = client.describe_step(ClusterId=cluster_id, StepId=step_id)["Step"]
    assert (f"s3://{bucket}/own", key) == (told["LogUri"], told["EncryptionKeyArn"])
    assert not [key for key in keys_of(bucket) if key.startswith("logs/")]


def test_containers_logs_come_from_the_node_managers_folder(emr_endpoint, bucket, tmp_path):
    """The driver's own output is there, in cluster mode, and nowhere else."""
    container = tmp_path / "userlogs/application_170_0001/container_170_0001_01_000001"
    container.mkdir(parents=True)
    (container / "stdout").write_text("the driver's words\n")
    (container / "stderr").write_text("and its warnings\n")
    (container / "launch_container.sh").write_text("export SECRET=...\n")
    logs = folder_logs(tmp_path / "userlogs")
    emr_endpoint(settings=QUICK, runner=Runner(folder=tmp_path / "e", container_logs=logs))
    script = "echo Submitted application application_170_0001 >&2"
    cluster_id, _ = run_step(script, log_uri=f"s3://{bucket}/logs")
    folder = f"logs/{cluster_id}/containers/application_170_0001/{container.name}"
    until_true(lambda: stored(bucket, f"{folder}/stderr.gz"))
    until_true(lambda: stored(bucket, f"{folder}/stdout.gz"))
    assert "the driver's words\n" == stored(bucket, f"{folder}/stdout.gz")
    found = [key for key in keys_of(bucket) if key.startswith(folder)]
    assert [f"{folder}/stderr.gz", f"{folder}/stdout.gz"] == found


def test_without_a_log_uri_nothing_is_stored(emr_endpoint, bucket):
    """Whether none was asked for, or the fault took it away."""
    emr = emr_endpoint(settings=QUICK, faults=[Fault(kind="logs-missing")])
    cluster_id, step_id = run_step("echo out", log_uri=f"s3://{bucket}/logs")
    until_step(boto3.client("emr"), cluster_id, step_id, "COMPLETED")
    cluster = boto3.client("emr").describe_cluster(ClusterId=cluster_id)["Cluster"]
    assert "LogUri" not in cluster
    run_step("echo out", log_uri=f"s3://{bucket}/logs")
    until_true(lambda: keys_of(bucket))
    assert [] == [key for key in keys_of(bucket) if cluster_id in key]
    assert [] == emr.shipper.problems


def test_logs_can_be_late(emr_endpoint, bucket):
    """Later than the step's end by far; they come nevertheless."""
    emr_endpoint(settings=QUICK, faults=[Fault(kind="logs-late", after_s=4.0)])
    cluster_id, step_id = run_step("echo out", log_uri=f"s3://{bucket}/logs")
    until_step(boto3.client("emr"), cluster_id, step_id, "COMPLETED")
    assert [] == keys_of(bucket)
    key = f"logs/{cluster_id}/steps/{step_id}/stdout.gz"
    assert "out\n" == until_true(lambda: stored(bucket, key))


def test_a_bucket_that_does_not_exist_stops_no_step(emr_endpoint, aws_environment):
    """EMR says nothing of logs that it cannot store; the endpoint's own list does."""
    emr = emr_endpoint(settings=QUICK)
    cluster_id, step_id = run_step("echo out", log_uri="s3://no-such-bucket/logs")
    until_step(boto3.client("emr"), cluster_id, step_id, "COMPLETED")
    problem = until_true(lambda: emr.shipper.problems)[0]
    assert "NoSuchBucket" in problem


def test_a_failed_bootstrap_action_leaves_its_log(emr_endpoint, bucket):
    """Under the node's id, which the cluster's error names."""
    emr_endpoint(settings=QUICK, faults=[Fault(kind="bootstrap-failure")])
    client = boto3.client("emr")
    request = small_cluster(log_uri=f"s3://{bucket}/logs")
    cluster_id = client.run_job_flow(**request)["JobFlowId"]
    status = until(client, cluster_id, "TERMINATED_WITH_ERRORS")
    node = status["ErrorDetails"][0]["ErrorData"][0]["primary-instance-id"]
    key = f"logs/{cluster_id}/node/{node}/bootstrap-actions/1/stderr.gz"
    assert "bootstrap action 1 failed" in until_true(lambda: stored(bucket, key))


@pytest.mark.parametrize("scheme", ["s3", "s3n", "s3a"])
def test_every_scheme_of_s3_will_do(emr_endpoint, bucket, scheme):
    """Old clusters still say `s3n://`."""
    emr_endpoint(settings=QUICK)
    run_step("echo out", log_uri=f"{scheme}://{bucket}/logs")
    until_true(lambda: keys_of(bucket))


def test_cloudwatch_gets_each_line_as_it_is_written(emr_endpoint, bucket, tmp_path):
    """Where the cluster's MonitoringConfiguration wants it; S3 is far behind here."""
    emr_endpoint(settings=Settings(pace=0.05, log_delay_s=60, log_interval_s=0.1, grace_s=0.5))
    group = {
        "Enabled": True,
        "LogGroupName": f"/emr/{bucket}",
        "LogStreamNamePrefix": "tests",
        "LogTypes": {"STEP_LOGS": ["STDOUT"]},
    }
    monitoring = {"CloudWatchLogConfiguration": group}
    script = f"echo one; echo; {waiting_for(tmp_path)}; echo two; echo hidden >&2; sleep 60"
    cluster_id, step_id = run_step(script, MonitoringConfiguration=monitoring)
    logs = boto3.client("logs")
    stream = f"tests/{cluster_id}/steps/{step_id}/stdout"

    def said():
        try:
            page = logs.get_log_events(logGroupName=f"/emr/{bucket}", logStreamName=stream)
        except ClientError:
            return []
        return [event["message"] for event in page["events"]]

    assert ["one"] == until_true(said)
    (tmp_path / "go").touch()
    until_true(lambda: said() == ["one", "two"])
    streams = logs.describe_log_streams(logGroupName=f"/emr/{bucket}")["logStreams"]
    assert [stream] == [one["logStreamName"] for one in streams]
