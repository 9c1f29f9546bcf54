"""What can be made to go wrong on the local EMR, each fault as AWS's clients see it."""

from __future__ import annotations

import time

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from tests.emr.endpoint import Fault, Settings
from tests.emr.small_cluster import shell, small_cluster, until, until_step, until_true

QUICK = Settings(pace=0.05, log_delay_s=0.05, grace_s=0.5)
ONCE = Config(retries={"total_max_attempts": 1})
STANDARD = Config(retries={"mode": "standard", "total_max_attempts": 3})


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("throttling", "ThrottlingException", 400),
        ("internal-error", "InternalServerException", 500),
        ("access-denied", "AccessDeniedException", 400),
        ("expired-token", "ExpiredTokenException", 400),
    ],
)
def test_a_request_can_be_refused(emr_endpoint, kind, code, status):
    """Once, and then no more."""
    emr_endpoint(settings=QUICK, faults=[Fault(kind=kind)])
    client = boto3.client("emr", config=ONCE)
    with pytest.raises(ClientError) as caught:
        client.list_clusters()
    assert code == caught.value.response["Error"]["Code"]
    assert status == caught.value.response["ResponseMetadata"]["HTTPStatusCode"]
    assert [] == client.list_clusters()["Clusters"]


def test_a_refusal_may_be_for_one_operation_only(emr_endpoint):
    """Others are answered, and leave the fault unspent."""
    emr = emr_endpoint(faults=[Fault(kind="access-denied", operation="RunJobFlow")])
    client = boto3.client("emr", config=ONCE)
    client.list_clusters()
    with pytest.raises(ClientError, match="perform: elasticmapreduce:RunJobFlow"):
        client.run_job_flow(**small_cluster())
    assert ["ListClusters", "RunJobFlow"] == emr.requests


@pytest.mark.parametrize("kind", ["throttling", "internal-error"])
def test_what_may_be_retried_is_retried_by_boto3(emr_endpoint, kind):
    """Twice refused, the third time answered: botocore knows these errors."""
    emr = emr_endpoint(faults=[Fault(kind=kind, times=2)])
    boto3.client("emr", config=STANDARD).list_clusters()
    assert ["ListClusters"] * 3 == emr.requests


def test_what_may_not_be_retried_is_not(emr_endpoint):
    """A denied request stays denied."""
    emr = emr_endpoint(faults=[Fault(kind="access-denied", times=5)])
    with pytest.raises(ClientError):
        boto3.client("emr", config=STANDARD).list_clusters()
    assert ["ListClusters"] == emr.requests


def test_a_lost_reply_leaves_a_cluster_behind(emr_endpoint):
    """It was made; only its id never came back. It can be found by its tags."""
    emr_endpoint(faults=[Fault(kind="lost-reply", operation="RunJobFlow")])
    client = boto3.client("emr", config=ONCE)
    with pytest.raises(ConnectionClosedError):
        client.run_job_flow(**small_cluster(Tags=[{"Key": "run", "Value": "7"}]))
    [made] = client.list_clusters()["Clusters"]
    tags = client.describe_cluster(ClusterId=made["Id"])["Cluster"]["Tags"]
    assert [{"Key": "run", "Value": "7"}] == tags


def test_a_blind_retry_makes_a_second_cluster(emr_endpoint):
    """boto3's retries are on by default, and RunJobFlow has no token: hence this fault."""
    emr_endpoint(faults=[Fault(kind="lost-reply", operation="RunJobFlow")])
    client = boto3.client("emr", config=STANDARD)
    client.run_job_flow(**small_cluster())
    assert 2 == len(client.list_clusters()["Clusters"])


@pytest.mark.parametrize(
    ("kind", "code", "detail"),
    [
        ("validation-error", "VALIDATION_ERROR", "VALIDATION_ERROR_INVALID_SSH_KEY_NAME"),
        ("fleet-timeout", "INSTANCE_FLEET_TIMEOUT", "INTERNAL_ERROR_SPOT_NO_CAPACITY_PRIMARY"),
        ("no-capacity", "INTERNAL_ERROR", "INTERNAL_ERROR_EC2_INSUFFICIENT_CAPACITY_AZ"),
        (
            "bootstrap-failure",
            "BOOTSTRAP_FAILURE",
            "BOOTSTRAP_FAILURE_PRIMARY_WITH_NON_ZERO_CODE",
        ),
    ],
)
def test_a_cluster_can_fail_to_launch(emr_endpoint, kind, code, detail):
    """Its steps never run; it tells why, twice: coarsely and finely. The next one is well."""
    emr_endpoint(settings=QUICK, faults=[Fault(kind=kind)])
    client = boto3.client("emr")
    cluster_id = client.run_job_flow(**small_cluster(steps=[shell("true")]))["JobFlowId"]
    status = until(client, cluster_id, "TERMINATED_WITH_ERRORS")
    assert code == status["StateChangeReason"]["Code"]
    assert [detail] == [error["ErrorCode"] for error in status["ErrorDetails"]]
    [step] = client.list_steps(ClusterId=cluster_id)["Steps"]
    assert "CANCELLED" == step["Status"]["State"]
    assert "ReadyDateTime" not in status["Timeline"]
    well = client.run_job_flow(**small_cluster())["JobFlowId"]
    until(client, well, "WAITING")


def test_a_cluster_can_die_under_its_steps(emr_endpoint):
    """The running one is interrupted, the waiting one cancelled, and the reason is told."""
    emr_endpoint(settings=QUICK, faults=[Fault(kind="instance-failure", after_s=0.2)])
    client = boto3.client("emr")
    steps = [shell("sleep 60"), shell("true")]
    cluster_id = client.run_job_flow(**small_cluster(steps=steps))["JobFlowId"]
    status = until(client, cluster_id, "TERMINATED_WITH_ERRORS")
    assert "INSTANCE_FAILURE" == status["StateChangeReason"]["Code"]
    listed = client.list_steps(ClusterId=cluster_id)["Steps"]
    assert ["CANCELLED", "INTERRUPTED"] == [step["Status"]["State"] for step in listed]


def test_a_step_that_ends_in_time_is_spared(emr_endpoint):
    """The fault's moment is past when the step has ended: the cluster lives."""
    emr_endpoint(settings=QUICK, faults=[Fault(kind="instance-failure", after_s=2.0)])
    client = boto3.client("emr")
    cluster_id = client.run_job_flow(**small_cluster(steps=[shell("true")]))["JobFlowId"]
    until(client, cluster_id, "WAITING")
    time.sleep(2.1)
    until(client, cluster_id, "WAITING")


def test_a_step_can_be_interrupted_on_a_cluster_that_lives(emr_endpoint):
    """botocore's own waiter would wait for it until its time is over."""
    emr_endpoint(settings=QUICK, faults=[Fault(kind="step-interrupted", after_s=0.1)])
    client = boto3.client("emr")
    request = small_cluster(steps=[shell("sleep 60"), shell("true")])
    cluster_id = client.run_job_flow(**request)["JobFlowId"]
    ids = [step["Id"] for step in client.list_steps(ClusterId=cluster_id)["Steps"]]
    until_step(client, cluster_id, ids[1], "INTERRUPTED")
    until_step(client, cluster_id, ids[0], "COMPLETED")


def test_faults_can_be_added_while_it_runs(emr_endpoint):
    """As a test's story goes on."""
    emr = emr_endpoint(settings=QUICK)
    client = boto3.client("emr", config=ONCE)
    client.list_clusters()
    emr.faults.add(Fault(kind="expired-token"))
    with pytest.raises(ClientError, match="security token included in the request is expired"):
        client.list_clusters()
    assert until_true(lambda: client.list_clusters()["Clusters"] == [])
