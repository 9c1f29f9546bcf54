"""A run on a cluster of its own: once, and nothing is left running when it fails."""

from __future__ import annotations

from datetime import timedelta

import pytest

from emr.aws.steps_sent import steps_of
from emr.aws.submit import finish
from emr.aws.waiting import describe
from emr.errors import (
    BootstrapFailed,
    CapacityMissing,
    StepFailed,
    StepInterrupted,
    ValidationFailed,
)
from emr.request.tags import RUN_TAG, UNTIL_TAG
from tests.emr.driver import Driver
from tests.emr.endpoint import Fault
from tests.emr.small_cluster import shell, until, until_step
from tests.emr.submitting import QUICK, Here


@pytest.fixture
def here(emr_endpoint, tmp_path, bucket):
    def make(*faults):
        driver = Driver(tmp_path / "driver")
        return Here(emr_endpoint(runner=driver.runner(), faults=faults), driver, tmp_path, bucket)

    return make


class TestTransient:
    def test_it_runs_and_ends_itself(self, here):
        world = here()
        sent = world.send()
        assert "scored" in world.finish(sent).said.stdout
        until(world.aws.emr, sent.cluster_id, "TERMINATED")
        assert sent.key == describe(world.aws, sent.cluster_id).tags[RUN_TAG]

    def test_the_same_run_finds_its_cluster(self, here):
        world = here()
        world.driver.does(seconds=30)
        first, second = world.send(), world.send()
        assert (first.cluster_id, first.step_id) == (second.cluster_id, second.step_id)
        assert second.attached
        world.driver.go()
        world.finish(second)
        assert 1 == world.made() == len(world.driver.runs)

    def test_a_run_that_was_done_while_nobody_waited_is_not_done_again(self, here):
        world = here()
        sent = world.send()
        until(world.aws.emr, sent.cluster_id, "TERMINATED")
        again = world.send()
        assert (sent.step_id, True) == (again.step_id, again.attached)
        assert "scored" in world.finish(again).said.stdout
        assert 1 == world.made() == len(world.driver.runs)

    def test_a_run_that_was_done_long_ago_takes_another_cluster(self, here):
        world = here()
        sent = world.send()
        until(world.aws.emr, sent.cluster_id, "TERMINATED")
        cluster = world.endpoint.world.store.clusters[sent.cluster_id]
        cluster.ended -= timedelta(hours=2)
        cluster.steps[0].ended -= timedelta(hours=2)
        second = world.send()
        assert not second.attached
        assert sent.cluster_id != second.cluster_id
        world.finish(second)

    def test_without_again_it_waits_on_for_what_again_started(self, here):
        world = here()
        world.finish(world.send())
        world.driver.does(seconds=60)
        second = world.send(again=True)
        third = world.send()
        assert (second.cluster_id, True) == (third.cluster_id, third.attached)
        world.driver.go()
        world.finish(third)

    def test_of_several_steps_it_attaches_to_the_one_that_runs(self, here):
        world = here()
        world.driver.does(seconds=60)
        first = world.send(keep=True)
        name = next(steps_of(world.aws, first.cluster_id)).name
        until_step(world.aws.emr, first.cluster_id, first.step_id, "RUNNING")
        later = world.aws.emr.add_job_flow_steps(
            JobFlowId=first.cluster_id, Steps=[shell("true", name=name)]
        )["StepIds"]
        world.aws.emr.cancel_steps(ClusterId=first.cluster_id, StepIds=later)
        second = world.send(keep=True)
        assert (first.step_id, True) == (second.step_id, second.attached)
        world.driver.go()

    def test_a_refused_end_of_the_cluster_does_not_hide_the_runs_error(self, here):
        world = here()
        world.driver.does(status=1)
        sent = world.send(keep=True)
        world.endpoint.faults.add(Fault(kind="access-denied", operation="TerminateJobFlows"))
        with pytest.raises(StepFailed):
            world.finish(sent)
        assert any("could not be ended, and costs money" in text for text in world.said)

    def test_a_second_client_does_not_end_the_cluster_that_the_first_keeps(self, here):
        world = here()
        world.driver.does(seconds=60, status=1)
        first = world.send(keep=True)
        assert UNTIL_TAG in describe(world.aws, first.cluster_id).tags
        second = world.send()
        assert (first.step_id, False) == (second.step_id, second.made)
        world.driver.go()
        with pytest.raises(StepFailed):
            world.finish(second)
        assert [first.cluster_id] == world.alive()

    def test_again_takes_another_cluster(self, here):
        world = here()
        world.finish(world.send())
        world.finish(world.send(again=True))
        assert 2 == world.made() == len(world.driver.runs)

    def test_a_failure_leaves_nothing_running(self, here):
        world = here()
        world.driver.does(status=1)
        sent = world.send()
        with pytest.raises(StepFailed):
            world.finish(sent)
        until(world.aws.emr, sent.cluster_id, "TERMINATED", "TERMINATED_WITH_ERRORS")
        assert [] == world.alive()

    def test_keep_leaves_the_cluster_of_a_failure_and_takes_the_run_up_there(self, here):
        world = here()
        world.driver.does(status=1)
        sent = world.send(keep=True)
        with pytest.raises(StepFailed):
            world.finish(sent, keep=True)
        assert [sent.cluster_id] == world.alive()
        world.driver.does()
        again = world.send(keep=True)
        assert (sent.cluster_id, False) == (again.cluster_id, again.attached)
        assert "COMPLETED" == world.finish(again, keep=True).step.state

    @pytest.mark.parametrize(
        ("kind", "error", "reason"),
        [
            ("validation-error", ValidationFailed, "was invalid"),
            ("fleet-timeout", CapacityMissing, "Spot"),
            ("no-capacity", CapacityMissing, "insufficient capacity"),
            ("bootstrap-failure", BootstrapFailed, "bootstrap action 1"),
            ("instance-failure", StepInterrupted, "was terminated"),
            ("step-interrupted", StepInterrupted, "was running when"),
        ],
    )
    def test_every_failure_has_its_error_its_reason_and_its_logs(self, here, kind, error, reason):
        world = here(Fault(kind=kind, after_s=0.2))
        world.driver.does(seconds=30)
        sent = world.send()
        with pytest.raises(error, match=reason) as raised:
            world.finish(sent)
        assert error is type(raised.value)
        assert f"s3://{world.bucket}/sparkml/logs/{sent.cluster_id}" in raised.value.where
        until(world.aws.emr, sent.cluster_id, "TERMINATED", "TERMINATED_WITH_ERRORS")
        assert [] == world.alive()

    def test_missing_logs_do_not_hide_how_the_run_ended(self, here):
        world = here(Fault(kind="logs-missing"))
        world.driver.does(status=1)
        sent = world.send()
        with pytest.raises(StepFailed, match="Unknown Error"):
            finish(
                world.aws, sent, timeout_s=30, settle_s=0.3, pace=QUICK, report=world.said.append
            )
        assert any("no logs" in text for text in world.said), world.said
