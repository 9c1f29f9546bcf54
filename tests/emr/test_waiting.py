"""Every way a cluster or a step can end has its own error, AWS's reason and the logs' place."""

from __future__ import annotations

import pytest

from emr.aws.client import connect
from emr.aws.pace import POLL, Pace, pace
from emr.aws.waiting import wait_for_cluster, wait_for_step, wait_until_ended
from emr.errors import (
    AwsUnreachable,
    BootstrapFailed,
    CapacityMissing,
    ClusterFailed,
    StepCancelled,
    StepFailed,
    StepInterrupted,
    ValidationFailed,
    WaitTimeout,
)
from sparkml.errors import ConfigError
from tests.emr.endpoint import Fault
from tests.emr.small_cluster import shell, small_cluster, until, until_step

QUICK = Pace(poll_s=0.05, patience_s=1.0)


class World:
    """An account, its endpoint, and what the waiting reported."""

    def __init__(self, endpoint, bucket):
        self.endpoint, self.bucket = endpoint, bucket
        self.aws = connect("us-east-1")
        self.said = []

    def up(self, *steps, **changes):
        request = small_cluster(steps=steps, log_uri=f"s3://{self.bucket}/logs/", **changes)
        return self.aws.emr.run_job_flow(**request)["JobFlowId"]

    def add(self, cluster, *steps):
        added = self.aws.emr.add_job_flow_steps(JobFlowId=cluster, Steps=list(steps))
        return added["StepIds"]

    def wait_step(self, cluster, step, timeout_s=20):
        return wait_for_step(
            self.aws, cluster, step, timeout_s=timeout_s, pace=QUICK, report=self.said.append
        )

    def wait_cluster(self, cluster, timeout_s=20):
        return wait_for_cluster(
            self.aws, cluster, timeout_s=timeout_s, pace=QUICK, report=self.said.append
        )


@pytest.fixture
def world(emr_endpoint, bucket):
    def make(*faults):
        return World(emr_endpoint(faults=faults), bucket)

    return make


class TestClusters:
    def test_one_that_takes_steps_is_ready(self, world):
        here = world()
        cluster = here.up()
        assert cluster == here.wait_cluster(cluster).id
        assert f"cluster {cluster} starting" in here.said

    @pytest.mark.parametrize(
        ("fault", "error", "reason", "place"),
        [
            ("validation-error", ValidationFailed, "was invalid", "/node"),
            ("fleet-timeout", CapacityMissing, "timed out while waiting for Spot", "/node"),
            ("no-capacity", CapacityMissing, "insufficient capacity", "/node"),
            ("bootstrap-failure", BootstrapFailed, "bootstrap action 1", "/bootstrap-actions/1"),
        ],
    )
    def test_one_that_fails_tells_which_way(self, world, fault, error, reason, place):
        here = world(Fault(kind=fault))
        cluster = here.up()
        with pytest.raises(error, match=reason) as raised:
            here.wait_cluster(cluster)
        assert error is type(raised.value)
        assert raised.value.where.startswith(f"s3://{here.bucket}/logs/{cluster}/node")
        assert raised.value.where.endswith(place)
        assert raised.value.fix

    def test_one_that_somebody_ended_says_so(self, world):
        here = world()
        cluster = here.up()
        here.aws.emr.terminate_job_flows(JobFlowIds=[cluster])
        with pytest.raises(ClusterFailed, match="somebody ended the cluster"):
            here.wait_cluster(cluster)

    def test_one_that_still_starts_is_a_timeout_and_goes_on(self, world):
        here = world()
        cluster = here.up()
        with pytest.raises(WaitTimeout, match="emr down"):
            here.wait_cluster(cluster, timeout_s=0)
        assert cluster == here.wait_cluster(cluster).id

    def test_its_end_can_be_waited_for(self, world):
        here = world()
        cluster = here.up()
        here.aws.emr.terminate_job_flows(JobFlowIds=[cluster])
        ended = wait_until_ended(
            here.aws, cluster, timeout_s=20, pace=QUICK, report=here.said.append
        )
        assert "TERMINATED" == ended.state


class TestSteps:
    def test_one_that_completes_is_returned_with_its_application(self, world):
        here = world()
        cluster = here.up()
        (step,) = here.add(cluster, shell("echo application_1700000000000_0007 >&2; sleep 0.2"))
        done, where = here.wait_step(cluster, step)
        assert "COMPLETED" == done.state
        assert ("application_1700000000000_0007",) == done.applications
        assert cluster == where.id

    def test_one_that_fails_names_its_log(self, world):
        here = world()
        cluster = here.up()
        (step,) = here.add(cluster, shell("exit 3"))
        with pytest.raises(StepFailed, match="Unknown Error") as raised:
            here.wait_step(cluster, step)
        assert StepFailed is type(raised.value)
        folder = f"s3://{here.bucket}/logs/{cluster}/steps/{step}"
        assert f"{folder}/stderr.gz" == raised.value.where
        assert f"emr logs {cluster} {step}" in raised.value.fix

    def test_one_that_is_cancelled_while_it_runs(self, world):
        here = world()
        cluster = here.up()
        (step,) = here.add(cluster, shell("sleep 30"))
        until_step(here.aws.emr, cluster, step, "RUNNING")
        here.aws.emr.cancel_steps(
            ClusterId=cluster, StepIds=[step], StepCancellationOption="TERMINATE_PROCESS"
        )
        with pytest.raises(StepCancelled, match="while it ran: Cancelled by user"):
            here.wait_step(cluster, step)

    def test_one_that_never_ran_because_another_failed(self, world):
        here = world()
        cluster = here.up()
        _, second = here.add(
            cluster, shell("sleep 0.3; exit 1", on_failure="CANCEL_AND_WAIT"), shell("true")
        )
        with pytest.raises(StepCancelled, match="before it ran"):
            here.wait_step(cluster, second)

    def test_one_that_waits_on_a_cluster_that_fails_has_the_clusters_error(self, world):
        here = world(Fault(kind="bootstrap-failure"))
        cluster = here.up(shell("true"))
        (step,) = [s["Id"] for s in here.aws.emr.list_steps(ClusterId=cluster)["Steps"]]
        with pytest.raises(BootstrapFailed, match=f"before step {step} ran.*bootstrap action 1"):
            here.wait_step(cluster, step)

    def test_one_that_waits_on_a_cluster_that_is_ended_is_cancelled(self, world):
        here = world()
        cluster = here.up(shell("true"))
        (step,) = [s["Id"] for s in here.aws.emr.list_steps(ClusterId=cluster)["Steps"]]
        here.aws.emr.terminate_job_flows(JobFlowIds=[cluster])
        with pytest.raises(StepCancelled, match="before it ran"):
            here.wait_step(cluster, step)

    def test_one_whose_cluster_loses_its_primary_is_interrupted(self, world):
        here = world(Fault(kind="instance-failure", after_s=0.2))
        cluster = here.up(shell("sleep 30"))
        (step,) = [s["Id"] for s in here.aws.emr.list_steps(ClusterId=cluster)["Steps"]]
        with pytest.raises(StepInterrupted, match="was running when its cluster ended") as raised:
            here.wait_step(cluster, step)
        assert "another cluster" in raised.value.fix
        until(here.aws.emr, cluster, "TERMINATED_WITH_ERRORS")

    def test_one_that_is_interrupted_alone_is_no_spin_until_the_timeout(self, world):
        here = world(Fault(kind="step-interrupted", after_s=0.2))
        cluster = here.up(shell("sleep 30"))
        (step,) = [s["Id"] for s in here.aws.emr.list_steps(ClusterId=cluster)["Steps"]]
        with pytest.raises(StepInterrupted):
            here.wait_step(cluster, step)

    def test_one_that_completes_and_ends_its_cluster_between_two_questions(self, world, tmp_path):
        """A laptop sleeps after DescribeStep: the cluster it asks for next has ended."""
        here, go = world(), tmp_path / "go"
        script = f"until [ -e {go} ]; do sleep 0.05; done"
        cluster = here.up(shell(script), keep=False)
        (step,) = [s["Id"] for s in here.aws.emr.list_steps(ClusterId=cluster)["Steps"]]
        until_step(here.aws.emr, cluster, step, "RUNNING")

        def sleep(**_):
            if not go.exists():
                go.touch()
                until(here.aws.emr, cluster, "TERMINATED")

        here.aws.emr.meta.events.register("after-call.emr.DescribeStep", sleep)
        assert "COMPLETED" == here.wait_step(cluster, step)[0].state

    def test_one_that_still_runs_is_a_timeout_and_runs_on(self, world):
        here = world()
        cluster = here.up()
        (step,) = here.add(cluster, shell("sleep 1"))
        until_step(here.aws.emr, cluster, step, "RUNNING")
        with pytest.raises(WaitTimeout, match=f"{step} is RUNNING.*emr cancel"):
            here.wait_step(cluster, step, timeout_s=0)
        assert "COMPLETED" == here.wait_step(cluster, step)[0].state


class TestOutOfReach:
    def test_a_while_without_answers_is_borne(self, world, monkeypatch):
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        here = world()
        cluster = here.up()
        here.endpoint.faults.add(Fault(kind="internal-error", times=3))
        assert cluster == here.wait_cluster(cluster).id
        assert 3 == sum("out of reach" in text for text in here.said)

    def test_too_long_without_answers_is_an_error_of_its_own(self, world, monkeypatch):
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        here = world()
        cluster = here.up()
        here.endpoint.faults.add(Fault(kind="throttling", times=10_000))
        with pytest.raises(AwsUnreachable, match="Rate exceeded"):
            here.wait_cluster(cluster)


class TestPace:
    def test_the_environment_sets_it(self, monkeypatch):
        monkeypatch.setenv(POLL, "2.5")
        assert 2.5 == pace().poll_s

    def test_it_is_slow_enough_for_a_shared_account_otherwise(self, monkeypatch):
        monkeypatch.delenv(POLL, raising=False)
        assert 15 <= pace().poll_s <= 30

    @pytest.mark.parametrize("said", ["soon", "0", "-1"])
    def test_what_is_no_time_is_refused(self, monkeypatch, said):
        monkeypatch.setenv(POLL, said)
        with pytest.raises(ConfigError, match=POLL):
            pace()
