"""Steps on the local EMR: they really run, side by side or in turn, and can be cancelled."""

from __future__ import annotations

import json
import os
import signal

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.emr.endpoint import Runner, Settings
from tests.emr.small_cluster import shell, small_cluster, status_of, until, until_step, until_true

QUICK = Settings(pace=0.05, log_delay_s=0.05, log_interval_s=0.05)
RUNTIME_ROLE = "arn:aws:iam::123456789012:role/runtime"


@pytest.fixture
def client(emr_endpoint):
    """A client of a quick local EMR."""
    emr_endpoint(settings=QUICK)
    return boto3.client("emr")


def cluster_with(client, *steps, **changes):
    """A cluster's id and its steps', oldest first."""
    cluster_id = client.run_job_flow(**small_cluster(steps=steps, **changes))["JobFlowId"]
    listed = client.list_steps(ClusterId=cluster_id)["Steps"]
    return cluster_id, [step["Id"] for step in reversed(listed)]


def states_of(client, cluster_id):
    """The states of the cluster's steps, oldest first."""
    listed = client.list_steps(ClusterId=cluster_id)["Steps"]
    return [step["Status"]["State"] for step in reversed(listed)]


def gone(pid):
    """Whether there is no such process any more."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_step_runs_its_arguments_as_they_are(emr_endpoint, tmp_path):
    """No shell splits or expands them, and the program is found on the given PATH."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    submit = bin_folder / "spark-submit"
    submit.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" "$WHO" > {tmp_path}/args\n')
    submit.chmod(0o755)
    environment = {"PATH": f"{bin_folder}:/usr/bin:/bin", "WHO": "me"}
    emr_endpoint(settings=QUICK, runner=Runner(folder=tmp_path / "e", environment=environment))
    client = boto3.client("emr")
    args = ["spark-submit", "--conf", "a=b c", "s3://bkt/main.py", "$HOME", "it's"]
    jar = {"Jar": "command-runner.jar", "Args": args}
    step = {"Name": "args", "HadoopJarStep": jar}
    cluster_id, [step_id] = cluster_with(client, step)
    told = until_step(client, cluster_id, step_id, "COMPLETED")
    assert [*args[1:], "me"] == (tmp_path / "args").read_text().splitlines()
    assert args == told["Config"]["Args"]
    timeline = told["Status"]["Timeline"]
    assert timeline["CreationDateTime"] <= timeline["StartDateTime"] <= timeline["EndDateTime"]


def test_steps_run_in_turn_unless_the_cluster_allows_more(client):
    """With a concurrency of 1 the second waits; with 2 both run."""
    cluster_id, steps = cluster_with(client, shell("sleep 60"), shell("sleep 60"))
    until_step(client, cluster_id, steps[0], "RUNNING")
    assert ["RUNNING", "PENDING"] == states_of(client, cluster_id)
    client.modify_cluster(ClusterId=cluster_id, StepConcurrencyLevel=2)
    until_step(client, cluster_id, steps[1], "RUNNING")
    assert ["RUNNING", "RUNNING"] == states_of(client, cluster_id)


def test_the_application_id_is_known_while_the_step_runs(client):
    """It is read off the step's stderr, once for each application."""
    script = "for i in 1 1 2; do echo Submitted application_170_000$i >&2; done; sleep 60"
    cluster_id, [step_id] = cluster_with(client, shell(script))
    info = until_true(
        lambda: client.describe_step(ClusterId=cluster_id, StepId=step_id)["Step"].get(
            "AdditionalInfo"
        )
    )
    ids = info["ResourceManagerApplicationIds"]
    assert ["application_170_0001", "application_170_0002"] == ids
    assert "YARN" == info["ResourceManager"]


@pytest.mark.parametrize(
    ("on_failure", "steps", "cluster"),
    [
        ("CONTINUE", ["FAILED", "COMPLETED"], ("WAITING", None)),
        ("CANCEL_AND_WAIT", ["FAILED", "CANCELLED"], ("WAITING", None)),
        (
            "TERMINATE_CLUSTER",
            ["FAILED", "CANCELLED"],
            ("TERMINATED_WITH_ERRORS", "STEP_FAILURE"),
        ),
    ],
)
def test_a_failure_does_what_the_step_says(client, on_failure, steps, cluster):
    """To the steps after it, and to the cluster."""
    failing = shell("exit 3", on_failure=on_failure)
    cluster_id, ids = cluster_with(client, failing, shell("true"))
    until_step(client, cluster_id, ids[1], "COMPLETED", "CANCELLED")
    status = until(client, cluster_id, cluster[0])
    assert steps == states_of(client, cluster_id)
    assert cluster[1] == status["StateChangeReason"].get("Code")


def test_a_failure_does_not_end_a_protected_cluster(client):
    """Its nodes are kept, to look at."""
    request = small_cluster(keep=False, steps=[shell("exit 1", on_failure="TERMINATE_CLUSTER")])
    request["Instances"]["TerminationProtected"] = True
    cluster_id = client.run_job_flow(**request)["JobFlowId"]
    until(client, cluster_id, "WAITING")
    assert ["FAILED"] == states_of(client, cluster_id)


def test_a_failed_step_of_a_transient_cluster_is_told_by_the_cluster(client):
    """It ends without errors of its own, but not without a word."""
    cluster_id, _ = cluster_with(client, shell("exit 1"), keep=False)
    reason = until(client, cluster_id, "TERMINATED")["StateChangeReason"]
    assert "Steps completed with errors" == reason["Message"]


def test_a_failed_step_names_its_log(client, bucket):
    """FailureDetails holds where to look; an exit status is never told."""
    cluster_id, [step_id] = cluster_with(client, shell("exit 9"), log_uri=f"s3://{bucket}/logs/")
    told = until_step(client, cluster_id, step_id, "FAILED")["Status"]["FailureDetails"]
    expected = f"s3://{bucket}/logs/{cluster_id}/steps/{step_id}/stderr.gz"
    assert expected == told["LogFile"]


def test_a_command_that_does_not_exist_fails(client):
    """So does a jar that nothing here can run."""
    missing = {"Name": "m", "ActionOnFailure": "CONTINUE"}
    steps = [
        missing | {"HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["no-such-program"]}},
        missing | {"HadoopJarStep": {"Jar": "s3://somewhere/else.jar"}},
    ]
    cluster_id, ids = cluster_with(client, *steps)
    for step_id in ids:
        until_step(client, cluster_id, step_id, "FAILED")


def test_script_runner_fetches_its_script(client, bucket, tmp_path):
    """From S3, with its arguments."""
    script = f'#!/bin/sh\necho "$1" > {tmp_path}/said\n'
    boto3.client("s3").put_object(Bucket=bucket, Key="say.sh", Body=script)
    jar = "s3://us-east-1.elasticmapreduce/libs/script-runner/script-runner.jar"
    step = {"Name": "s", "HadoopJarStep": {"Jar": jar, "Args": [f"s3://{bucket}/say.sh", "hi"]}}
    cluster_id, [step_id] = cluster_with(client, step)
    until_step(client, cluster_id, step_id, "COMPLETED")
    assert "hi\n" == (tmp_path / "said").read_text()


def test_a_running_step_can_be_cancelled(client, tmp_path):
    """It gets a SIGTERM and time to clean up; a step that waits is cancelled at once."""
    script = f"trap 'echo bye > {tmp_path}/bye; exit 0' TERM; echo $$ > {tmp_path}/pid; "
    script += "while true; do sleep 0.05; done"
    cluster_id, ids = cluster_with(client, shell(script), shell("true"))
    until_true((tmp_path / "pid").exists)
    told = client.cancel_steps(ClusterId=cluster_id, StepIds=ids)["CancelStepsInfoList"]
    assert ["SUBMITTED", "SUBMITTED"] == [one["Status"] for one in told]
    until_step(client, cluster_id, ids[0], "CANCELLED")
    assert "bye\n" == (tmp_path / "bye").read_text()
    assert ["CANCELLED", "CANCELLED"] == states_of(client, cluster_id)
    again = client.cancel_steps(ClusterId=cluster_id, StepIds=ids[:1])["CancelStepsInfoList"]
    assert "FAILED" == again[0]["Status"]
    assert "WAITING" == until(client, cluster_id, "WAITING")["State"]


@pytest.mark.parametrize("option", ["SEND_INTERRUPT", "TERMINATE_PROCESS"])
def test_a_step_that_will_not_end_is_killed(emr_endpoint, tmp_path, option):
    """With all the processes it started; after the grace, or at once."""
    emr_endpoint(settings=Settings(pace=0.05, grace_s=0.3))
    client = boto3.client("emr")
    script = f"trap '' TERM; sh -c 'echo $$ > {tmp_path}/child; sleep 60' & sleep 60 & wait; wait"
    cluster_id, ids = cluster_with(client, shell(script))
    until_true(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text())
    client.cancel_steps(ClusterId=cluster_id, StepIds=ids, StepCancellationOption=option)
    assert states_of(client, cluster_id)[0] in {"CANCEL_PENDING", "CANCELLED"}
    until_step(client, cluster_id, ids[0], "CANCELLED")
    child = int((tmp_path / "child").read_text())
    until_true(lambda: gone(child) or zombie(child))


def zombie(pid):
    """Whether the process has ended, and nobody has asked how."""
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123 - a file that may vanish
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_no_process_outlives_the_endpoint(aws_environment, s3_server, tmp_path):
    """Closing it ends the clusters, and their steps with them."""
    from tests.emr.endpoint import EmrEndpoint

    with EmrEndpoint(s3_endpoint=s3_server, settings=QUICK) as emr:
        client = boto3.client("emr", endpoint_url=emr.url)
        cluster_with(client, shell(f"echo $$ > {tmp_path}/pid; exec sleep 60"))
        until_true(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    pid = int((tmp_path / "pid").read_text())
    try:
        assert gone(pid) or zombie(pid)
    finally:
        if not gone(pid):
            os.kill(pid, signal.SIGKILL)


def test_no_more_than_256_steps_may_be_active(client):
    """Those that have ended do not count."""
    cluster_id, _ = cluster_with(client, shell("sleep 60"))
    hundred = [shell("true")] * 100
    client.add_job_flow_steps(JobFlowId=cluster_id, Steps=hundred)
    client.add_job_flow_steps(JobFlowId=cluster_id, Steps=hundred)
    with pytest.raises(ClientError, match="Maximum number of active steps"):
        client.add_job_flow_steps(JobFlowId=cluster_id, Steps=hundred[:56])
    client.add_job_flow_steps(JobFlowId=cluster_id, Steps=hundred[:55])
    pages = client.get_paginator("list_steps").paginate(ClusterId=cluster_id)
    assert 256 == sum(len(page["Steps"]) for page in pages)


def test_steps_can_be_listed_by_state_or_by_id(client):
    """By up to ten ids; by both is refused."""
    cluster_id, ids = cluster_with(client, shell("exit 1"), shell("true"))
    until_step(client, cluster_id, ids[1], "COMPLETED")
    failed = client.list_steps(ClusterId=cluster_id, StepStates=["FAILED"])["Steps"]
    assert ids[:1] == [step["Id"] for step in failed]
    named = client.list_steps(ClusterId=cluster_id, StepIds=ids)["Steps"]
    assert ids == [step["Id"] for step in named]
    with pytest.raises(ClientError, match="More than 10"):
        client.list_steps(ClusterId=cluster_id, StepIds=ids * 6)


def test_a_runtime_role_needs_a_cluster_that_knows_of_them(client):
    """Then each step must name one, and shows it."""
    iam = {"AuthorizationConfiguration": {"IAMConfiguration": {}}}
    iam["AuthorizationConfiguration"]["IAMConfiguration"]["EnableApplicationScopedIAMRole"] = True
    client.create_security_configuration(Name="roles", SecurityConfiguration=json.dumps(iam))
    cluster_id, _ = cluster_with(client, SecurityConfiguration="roles")
    with pytest.raises(ClientError, match="Runtime roles are required"):
        client.add_job_flow_steps(JobFlowId=cluster_id, Steps=[shell("true")])
    [step_id] = client.add_job_flow_steps(
        JobFlowId=cluster_id, Steps=[shell("true")], ExecutionRoleArn=RUNTIME_ROLE
    )["StepIds"]
    step = until_step(client, cluster_id, step_id, "COMPLETED")
    assert RUNTIME_ROLE == step["ExecutionRoleArn"]
    assert "RUNNING" != status_of(client, until_idle(client, cluster_id))["State"]


def until_idle(client, cluster_id):
    """The cluster's id, as soon as it waits."""
    until(client, cluster_id, "WAITING")
    return cluster_id
