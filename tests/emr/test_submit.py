"""A run has one step on its cluster, whatever happens to the client, the network or the cluster."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta

import pytest

from emr.aws.clusters import end
from emr.aws.steps_sent import steps_of
from emr.aws.waiting import describe, wait_for_cluster
from emr.errors import (
    NotFound,
    StepFailed,
    StepInterrupted,
    WaitTimeout,
)
from tests.emr.driver import Driver
from tests.emr.endpoint import Fault
from tests.emr.small_cluster import until, until_step
from tests.emr.submitting import QUICK, Here


@pytest.fixture
def here(emr_endpoint, tmp_path, bucket):
    def make(*faults):
        driver = Driver(tmp_path / "driver")
        return Here(emr_endpoint(runner=driver.runner(), faults=faults), driver, tmp_path, bucket)

    return make


class TestOnACluster:
    def test_a_run_is_packaged_run_and_told(self, here):
        world = here()
        cluster = world.launch().cluster_id
        sent = world.send(cluster)
        outcome = world.finish(sent)
        assert "attempt 1\nscored 3 rows\n" == outcome.to_json()["driver_output"]
        assert ("COMPLETED", False) == (outcome.step.state, sent.attached)
        assert outcome.step.name.endswith(f"[{sent.key}]")

    def test_the_same_run_again_attaches_and_uploads_nothing(self, here):
        world = here()
        cluster = world.launch().cluster_id
        first = world.send(cluster)
        world.finish(first)
        second = world.send(cluster)
        assert (first.step_id, True, 0) == (second.step_id, second.attached, second.uploaded)
        assert "scored" in world.finish(second).said.stdout
        assert 1 == len(world.driver.runs)

    def test_again_runs_it_once_more(self, here):
        world = here()
        cluster = world.launch().cluster_id
        first = world.send(cluster)
        world.finish(first)
        second = world.send(cluster, again=True)
        world.finish(second)
        assert first.step_id != second.step_id
        assert first.key == second.key
        assert 2 == len(world.driver.runs)

    def test_a_run_that_was_done_long_ago_runs_anew(self, here):
        """The next run of a schedule has the same command line: it must not count as done."""
        world = here()
        cluster = world.launch().cluster_id
        first = world.send(cluster)
        world.finish(first)
        assert None is not world.send(cluster).done
        world.endpoint.world.store.clusters[cluster].steps[0].ended -= timedelta(hours=2)
        second = world.send(cluster)
        assert (False, None) == (second.attached, second.done)
        world.finish(second)
        assert 2 == len(world.driver.runs)

    def test_another_configuration_is_another_run(self, here):
        world = here()
        cluster = world.launch().cluster_id
        first = world.send(cluster)
        (world.folder / "count.yaml").write_text("rows: 4\n")
        assert first.key != world.send(cluster).key

    def test_a_run_that_failed_is_run_anew(self, here):
        world = here()
        cluster = world.launch().cluster_id
        world.driver.does(status=1, stderr="ERROR SINK_INVALID: no | there | fix: do\n")
        first = world.send(cluster)
        with pytest.raises(StepFailed, match="ERROR SINK_INVALID: no") as raised:
            world.finish(first)
        assert f"/steps/{first.step_id}/" in raised.value.where
        world.driver.does()
        second = world.send(cluster)
        assert not second.attached
        assert "COMPLETED" == world.finish(second).step.state
        assert [cluster] == world.alive()

    @pytest.mark.parametrize("kind", ["lost-reply", "internal-error", "throttling"])
    @pytest.mark.parametrize("again", [False, True])
    def test_a_lost_answer_adds_one_step(self, here, kind, again):
        world = here()
        cluster = world.launch().cluster_id
        if again:
            world.finish(world.send(cluster))
        world.endpoint.faults.add(Fault(kind=kind, operation="AddJobFlowSteps"))
        sent = world.send(cluster, again=again)
        world.finish(sent)
        assert 1 + again == len(list(steps_of(world.aws, cluster))) == len(world.driver.runs)

    def test_a_cluster_that_has_ended_takes_no_run(self, here):
        world = here()
        cluster = world.launch().cluster_id
        end(world.aws, [describe(world.aws, cluster)])
        until(world.aws.emr, cluster, "TERMINATED")
        with pytest.raises(NotFound, match=r"takes no steps: it is TERMINATED.*emr up"):
            world.send(cluster)

    def test_a_timeout_leaves_the_step_running(self, here):
        world = here()
        cluster = world.launch().cluster_id
        world.driver.does(seconds=30)
        sent = world.send(cluster)
        until_step(world.aws.emr, cluster, sent.step_id, "RUNNING")
        with pytest.raises(WaitTimeout):
            world.finish(sent, timeout_s=0)
        world.driver.go()
        assert "COMPLETED" == world.finish(sent).step.state

    def test_a_cluster_that_dies_interrupts_the_run(self, here):
        world = here(Fault(kind="instance-failure", after_s=0.3))
        cluster = world.launch().cluster_id
        world.driver.does(seconds=30)
        with pytest.raises(StepInterrupted, match="was terminated"):
            world.finish(world.send(cluster))
        until(world.aws.emr, cluster, "TERMINATED_WITH_ERRORS")
        assert [] == world.alive()


class TestKilled:
    def test_a_client_killed_while_it_waits_finds_its_step_again(self, here):
        """kill -9 of the client, then the same command: one run, and its output."""
        world = here()
        cluster = world.launch().cluster_id
        wait_for_cluster(world.aws, cluster, timeout_s=20, pace=QUICK, report=world.said.append)
        world.driver.does(seconds=60)
        command = [
            sys.executable, "-m", "emr", "submit", *world.job, "--cluster", cluster, "--json",
            "--cache", str(world.folder / "cache"),
        ]  # fmt: skip
        environment = {**os.environ, "SPARKML_EMR_POLL_S": "0.1"}
        quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, env=environment, **quiet) as first:
            deadline = time.monotonic() + 60
            while not world.driver.runs and time.monotonic() < deadline:
                time.sleep(0.05)
            first.send_signal(signal.SIGKILL)
        assert -signal.SIGKILL == first.returncode
        world.driver.go()
        second = subprocess.run(
            command, env=environment, timeout=90, check=False, capture_output=True, text=True
        )
        assert 0 == second.returncode, second.stderr
        told = json.loads(second.stdout)
        assert ("COMPLETED", True) == (told["state"], told["attached"])
        assert "attempt 1\nscored 3 rows\n" == told["driver_output"]
        assert 1 == len(world.driver.runs) == len(list(steps_of(world.aws, cluster)))
