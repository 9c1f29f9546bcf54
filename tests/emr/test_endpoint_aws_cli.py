"""The real `aws` command against the local EMR: a client that knows nothing of our code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from tests.emr.endpoint import Runner, Settings
from tests.emr.small_cluster import until, until_step

AWS = Path(sys.executable).with_name("aws")

pytestmark = pytest.mark.skipif(not AWS.exists(), reason="awscli is not installed")


def aws(*words):
    """What `aws emr …` prints, read as JSON; None where it prints nothing."""
    done = subprocess.run([AWS, "emr", *words], capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else None


def test_a_cluster_from_creation_to_termination(emr_endpoint, bucket, tmp_path):
    """create-cluster, add-steps, describe-step, cancel-steps, terminate-clusters, and waiters."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    submit = bin_folder / "spark-submit"
    submit.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/args\n')
    submit.chmod(0o755)
    path = f"{bin_folder}:{os.environ['PATH']}"
    runner = Runner(folder=tmp_path / "emr", environment={"PATH": path})
    emr_endpoint(settings=Settings(pace=0.05, log_delay_s=0.0, grace_s=0.5), runner=runner)
    made = aws(
        "create-cluster", "--name", "by hand", "--release-label", "emr-spark-8.1.0",
        "--applications", "Name=Spark", "--log-uri", f"s3://{bucket}/logs",
        "--instance-type", "m5.xlarge", "--instance-count", "3",
        "--service-role", "service", "--ec2-attributes", "InstanceProfile=profile",
        "--tags", "team=a", "--auto-termination-policy", "IdleTimeout=3600",
        "--no-auto-terminate", "--step-concurrency-level", "2",
    )  # fmt: skip
    cluster_id = made["ClusterId"]
    client = boto3.client("emr")
    until(client, cluster_id, "WAITING")  # the waiter looks every 30 s only
    aws("wait", "cluster-running", "--cluster-id", cluster_id)
    cluster = aws("describe-cluster", "--cluster-id", cluster_id)["Cluster"]
    assert ("by hand", 2) == (cluster["Name"], cluster["StepConcurrencyLevel"])
    steps = [
        {
            "Type": "Spark",
            "Name": "score",
            "ActionOnFailure": "CONTINUE",
            "Args": ["--conf", "a=b,c", "s3://bkt/main.py"],
        },
        {
            "Type": "CUSTOM_JAR",
            "Name": "long",
            "ActionOnFailure": "CONTINUE",
            "Jar": "command-runner.jar",
            "Args": ["sleep", "60"],
        },
    ]
    ids = aws("add-steps", "--cluster-id", cluster_id, "--steps", json.dumps(steps))["StepIds"]
    until_step(client, cluster_id, ids[0], "COMPLETED")
    aws("wait", "step-complete", "--cluster-id", cluster_id, "--step-id", ids[0])
    assert "--conf a=b,c s3://bkt/main.py\n" == (tmp_path / "args").read_text()
    told = aws("describe-step", "--cluster-id", cluster_id, "--step-id", ids[0])["Step"]
    assert "COMPLETED" == told["Status"]["State"]
    assert ["spark-submit", *steps[0]["Args"]] == told["Config"]["Args"]
    cancelled = aws("cancel-steps", "--cluster-id", cluster_id, "--step-ids", ids[1])
    assert "SUBMITTED" == cancelled["CancelStepsInfoList"][0]["Status"]
    assert 2 == len(aws("list-steps", "--cluster-id", cluster_id)["Steps"])
    assert [cluster_id] == [c["Id"] for c in aws("list-clusters", "--active")["Clusters"]]
    aws("terminate-clusters", "--cluster-ids", cluster_id)
    until(client, cluster_id, "TERMINATED")
    assert [] == aws("list-clusters", "--active")["Clusters"]


def test_fleets_and_their_scaling_policy(emr_endpoint):
    """describe-cluster then asks for fleets, not for groups."""
    emr = emr_endpoint(settings=Settings(pace=0.05))
    fleets = [
        {
            "InstanceFleetType": role,
            "TargetOnDemandCapacity": 1,
            "InstanceTypeConfigs": [{"InstanceType": "m5.xlarge"}],
        }
        for role in ("MASTER", "CORE")
    ]
    limits = "UnitType=InstanceFleetUnits,MinimumCapacityUnits=1,MaximumCapacityUnits=4"
    made = aws(
        "create-cluster", "--name", "fleets", "--release-label", "emr-spark-8.1.0",
        "--instance-fleets", json.dumps(fleets), "--service-role", "service",
        "--ec2-attributes", "InstanceProfile=profile,SubnetIds=[subnet-1,subnet-2]",
        "--managed-scaling-policy", f"ComputeLimits={{{limits}}}",
    )  # fmt: skip
    cluster = aws("describe-cluster", "--cluster-id", made["ClusterId"])["Cluster"]
    assert ["MASTER", "CORE"] == [f["InstanceFleetType"] for f in cluster["InstanceFleets"]]
    policy = aws("get-managed-scaling-policy", "--cluster-id", made["ClusterId"])
    assert 4 == policy["ManagedScalingPolicy"]["ComputeLimits"]["MaximumCapacityUnits"]
    assert "ListInstanceFleets" in emr.requests


def test_the_endpoint_runs_as_a_process(aws_environment, s3_server, tmp_path):
    """Its first line is what a shell needs to use it."""
    command = [sys.executable, "-m", "tests.emr.endpoint", "--port", "0", "--s3", s3_server]
    command += ["--folder", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        told = dict(word.split("=", 1) for word in process.stdout.readline().split()[1:])
        assert s3_server == told["AWS_ENDPOINT_URL_S3"]
        listed = aws("list-clusters", "--endpoint-url", told["AWS_ENDPOINT_URL_EMR"])
        assert {"Clusters": []} == listed
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
        process.stdout.close()
    assert 0 == process.returncode
