"""The life of clusters on the local EMR: their states, and all the ways in which they end."""

from __future__ import annotations

import time

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.emr.endpoint import Settings
from tests.emr.small_cluster import shell, small_cluster, status_of, until, until_step

QUICK = Settings(pace=0.05, idle_minute_s=0.05, log_delay_s=0.05, log_interval_s=0.05, grace_s=0.5)


@pytest.fixture
def client(emr_endpoint):
    """A client of a quick local EMR."""
    emr_endpoint(settings=QUICK)
    return boto3.client("emr")


def states_of(client, cluster_id):
    """Every state that the cluster goes through from now on, up to its end."""
    seen = []
    while not seen or not seen[-1].startswith("TERMINATED"):
        state = status_of(client, cluster_id)["State"]
        if not seen or seen[-1] != state:
            seen.append(state)
    return seen


def test_a_transient_cluster_goes_through_every_state_and_ends(emr_endpoint):
    """It starts, runs its steps and ends by itself, without errors."""
    emr_endpoint(settings=Settings(pace=0.6))
    client = boto3.client("emr")
    request = small_cluster(keep=False, steps=[shell("sleep 0.6")])
    cluster_id = client.run_job_flow(**request)["JobFlowId"]
    order = ["STARTING", "BOOTSTRAPPING", "RUNNING", "TERMINATING", "TERMINATED"]
    assert order == states_of(client, cluster_id)
    reason = status_of(client, cluster_id)["StateChangeReason"]
    assert {"Code": "ALL_STEPS_COMPLETED", "Message": "Steps completed"} == reason


def test_a_standing_cluster_waits_between_steps(client):
    """It comes back to WAITING, and its timeline tells when it was ready."""
    cluster_id = client.run_job_flow(**small_cluster())["JobFlowId"]
    until(client, cluster_id, "WAITING")
    client.add_job_flow_steps(JobFlowId=cluster_id, Steps=[shell("sleep 1")])
    until(client, cluster_id, "RUNNING")
    timeline = until(client, cluster_id, "WAITING")["Timeline"]
    assert timeline["CreationDateTime"] < timeline["ReadyDateTime"]
    assert "EndDateTime" not in timeline


def test_boto3s_waiters_end(client):
    """Those of botocore's own, with their delay shortened."""
    cluster_id = client.run_job_flow(**small_cluster(steps=[shell("true")]))["JobFlowId"]
    quickly = {"Delay": 0.05, "MaxAttempts": 200}
    client.get_waiter("cluster_running").wait(ClusterId=cluster_id, WaiterConfig=quickly)
    step_id = client.list_steps(ClusterId=cluster_id)["Steps"][0]["Id"]
    client.get_waiter("step_complete").wait(
        ClusterId=cluster_id, StepId=step_id, WaiterConfig=quickly
    )
    client.terminate_job_flows(JobFlowIds=[cluster_id])
    client.get_waiter("cluster_terminated").wait(ClusterId=cluster_id, WaiterConfig=quickly)


def test_clusters_can_be_listed_by_state(client):
    """As `emr list` does."""
    alive = client.run_job_flow(**small_cluster())["JobFlowId"]
    ended = client.run_job_flow(**small_cluster(keep=False))["JobFlowId"]
    until(client, alive, "WAITING")
    until(client, ended, "TERMINATED")
    listed = {
        state: [c["Id"] for c in client.list_clusters(ClusterStates=[state])["Clusters"]]
        for state in ("WAITING", "TERMINATED")
    }
    assert {"WAITING": [alive], "TERMINATED": [ended]} == listed


def test_an_idle_cluster_ends_by_its_policy(client):
    """Four minutes, which are short here."""
    request = small_cluster(AutoTerminationPolicy={"IdleTimeout": 240})
    cluster_id = client.run_job_flow(**request)["JobFlowId"]
    waiting = until(client, cluster_id, "WAITING")["Timeline"]["ReadyDateTime"]
    ended = until(client, cluster_id, "TERMINATED")["Timeline"]["EndDateTime"]
    assert (ended - waiting).total_seconds() >= 4 * QUICK.idle_minute_s


def test_a_cluster_that_works_is_not_idle(client):
    """The idle time begins with the end of the last step."""
    request = small_cluster(
        AutoTerminationPolicy={"IdleTimeout": 60}, steps=[shell("sleep 0.5"), shell("true")]
    )
    cluster_id = client.run_job_flow(**request)["JobFlowId"]
    until(client, cluster_id, "TERMINATED")
    steps = client.list_steps(ClusterId=cluster_id)["Steps"]
    assert ["COMPLETED", "COMPLETED"] == [step["Status"]["State"] for step in steps]


def test_a_protected_cluster_is_not_terminated(client):
    """Until its protection is taken away."""
    request = small_cluster()
    request["Instances"]["TerminationProtected"] = True
    cluster_id = client.run_job_flow(**request)["JobFlowId"]
    with pytest.raises(ClientError, match="termination protected"):
        client.terminate_job_flows(JobFlowIds=[cluster_id])
    until(client, cluster_id, "WAITING")
    client.set_termination_protection(JobFlowIds=[cluster_id], TerminationProtected=False)
    client.terminate_job_flows(JobFlowIds=[cluster_id])
    reason = until(client, cluster_id, "TERMINATED")["StateChangeReason"]
    assert "USER_REQUEST" == reason["Code"]


def test_the_end_of_a_cluster_interrupts_and_cancels_its_steps(client):
    """The one that runs is INTERRUPTED, the one that waits CANCELLED; no process is left."""
    request = small_cluster(steps=[shell("sleep 60"), shell("true")])
    cluster_id = client.run_job_flow(**request)["JobFlowId"]
    first = client.list_steps(ClusterId=cluster_id)["Steps"][-1]["Id"]
    until_step(client, cluster_id, first, "RUNNING")
    client.terminate_job_flows(JobFlowIds=[cluster_id])
    begun = time.monotonic()
    until(client, cluster_id, "TERMINATED")
    assert time.monotonic() - begun < 10
    steps = client.list_steps(ClusterId=cluster_id)["Steps"]
    assert ["CANCELLED", "INTERRUPTED"] == [step["Status"]["State"] for step in steps]


def test_an_ended_cluster_takes_no_steps(client):
    """ValidationException, as EMR says it."""
    cluster_id = client.run_job_flow(**small_cluster(keep=False))["JobFlowId"]
    until(client, cluster_id, "TERMINATED")
    with pytest.raises(ClientError, match=r"ValidationException.*may not be modified"):
        client.add_job_flow_steps(JobFlowId=cluster_id, Steps=[shell("true")])


def test_unknown_ids_are_refused_as_emr_does(client):
    """Describing is an invalid request, changing a validation error."""
    with pytest.raises(ClientError, match=r"InvalidRequestException.*'j-X' is not valid"):
        client.describe_cluster(ClusterId="j-X")
    with pytest.raises(ClientError, match=r"ValidationException.*does not exist"):
        client.add_job_flow_steps(JobFlowId="j-X", Steps=[shell("true")])
    with pytest.raises(ClientError, match=r"ValidationException.*does not exist"):
        client.terminate_job_flows(JobFlowIds=["j-X"])
    cluster_id = client.run_job_flow(**small_cluster())["JobFlowId"]
    with pytest.raises(ClientError, match=r"Step id 's-X' is not valid"):
        client.describe_step(ClusterId=cluster_id, StepId="s-X")


def test_bootstrap_actions_run_from_s3(emr_endpoint, bucket, tmp_path):
    """Their output comes to the logs, and one that fails ends the cluster."""
    emr_endpoint(settings=Settings(pace=0.05, log_delay_s=0.0, bootstrap=True))
    client, s3 = boto3.client("emr"), boto3.client("s3")
    script = f"#!/bin/sh\necho ran with $1 > {tmp_path}/ran\nexit $2\n"
    s3.put_object(Bucket=bucket, Key="action.sh", Body=script)

    def action(*args):
        script = {"Path": f"s3://{bucket}/action.sh", "Args": list(args)}
        return {"Name": "action", "ScriptBootstrapAction": script}

    well = client.run_job_flow(**small_cluster(BootstrapActions=[action("this", "0")]))
    until(client, well["JobFlowId"], "WAITING")
    assert "ran with this\n" == (tmp_path / "ran").read_text()
    told = client.list_bootstrap_actions(ClusterId=well["JobFlowId"])["BootstrapActions"]
    assert [["this", "0"]] == [one["Args"] for one in told]
    badly = client.run_job_flow(**small_cluster(BootstrapActions=[action("that", "7")]))
    status = until(client, badly["JobFlowId"], "TERMINATED_WITH_ERRORS")
    assert "BOOTSTRAP_FAILURE" == status["StateChangeReason"]["Code"]
    code = status["ErrorDetails"][0]["ErrorCode"]
    assert "BOOTSTRAP_FAILURE_PRIMARY_WITH_NON_ZERO_CODE" == code


def test_keep_alive_can_be_switched_off_later(client):
    """The cluster then ends as soon as it has nothing to do."""
    cluster_id = client.run_job_flow(**small_cluster(steps=[shell("true")]))["JobFlowId"]
    step_id = client.list_steps(ClusterId=cluster_id)["Steps"][0]["Id"]
    until_step(client, cluster_id, step_id, "COMPLETED")
    client.set_keep_job_flow_alive_when_no_steps(
        JobFlowIds=[cluster_id], KeepJobFlowAliveWhenNoSteps=False
    )
    until(client, cluster_id, "TERMINATED")
