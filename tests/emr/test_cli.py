"""The `emr` command as a person runs it: its streams, its last line, its exit status."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest

from tests.emr.driver import last, write_job, write_spec
from tests.emr.endpoint import Fault, Settings
from tests.emr.small_cluster import small_cluster, until, until_step, until_true

pytestmark = pytest.mark.usefixtures("quick")

RAPIDS = "conf/clusters/gpu-rapids.yaml"


def process(*arguments, **options):
    """The command in a process of its own."""
    return subprocess.Popen([sys.executable, "-m", "emr", *map(str, arguments)], **options)


class TestUpSubmitLogsDown:
    def test_the_story_of_five_commands(self, emr, emr_endpoint, driver, bucket, tmp_path):
        """up, submit, describe, logs, down: each says what the next one needs."""
        emr_endpoint(runner=driver.runner())
        spec, job = write_spec(tmp_path, bucket), write_job(tmp_path, bucket)

        status, out, err = emr("up", "--spec", spec)
        assert 0 == status, err
        cluster = out.strip()

        status, out, err = emr("submit", *job, "--cluster", cluster, "--cache", tmp_path / "cache")
        assert 0 == status, err
        assert "attempt 1\nscored 3 rows\n" == out
        assert "completed" in last(err)

        told = json.loads(emr("describe", cluster, "--json")[1])
        assert ["COMPLETED"] == [step["state"] for step in told["steps"]]
        step = told["steps"][0]["id"]
        assert step in emr("describe", cluster)[1]

        _, out, _ = emr("logs", cluster, step)
        assert "scored 3 rows" in out
        assert "an executor" not in out
        assert "scored" not in emr("logs", cluster, step, "--only", "controller")[1]

        assert cluster in emr("list", "--state", "WAITING")[1]
        status, out, _ = emr("down", cluster, "--json")
        assert (0, "TERMINATED") == (status, json.loads(out)[0]["state"])
        assert cluster not in emr("list")[1]
        assert cluster in emr("list", "--all")[1]

    def test_describe_says_what_the_aws_command_says(
        self, emr, emr_endpoint, driver, bucket, tmp_path
    ):
        emr_endpoint(runner=driver.runner())
        cluster = emr("up", "--spec", write_spec(tmp_path, bucket))[1].strip()
        job = write_job(tmp_path, bucket)
        emr("submit", *job, "--cluster", cluster, "--cache", tmp_path / "cache")
        ours = json.loads(emr("describe", cluster, "--json")[1])["steps"][0]
        ours = json.loads(emr("describe", cluster, ours["id"], "--json")[1])
        aws = Path(sys.executable).with_name("aws")
        said = subprocess.run(
            [aws, "emr", "describe-step", "--cluster-id", cluster, "--step-id", ours["id"]],
            capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        theirs = json.loads(said.stdout)["Step"]
        assert (theirs["Id"], theirs["Name"]) == (ours["id"], ours["name"])
        assert theirs["Status"]["State"] == ours["state"]
        assert theirs["Config"]["Args"] == ours["args"]
        assert theirs["ActionOnFailure"] == ours["action_on_failure"]
        # Not every awscli's model knows AdditionalInfo, which tells the application.
        known = theirs.get("AdditionalInfo", {}).get("ResourceManagerApplicationIds")
        assert known in (None, ours["applications"])
        assert ours["applications"] == [p.rpartition("/")[2] for p in ours["driver_logs"]]

    def test_a_failed_run_ends_with_its_cause_and_its_own_status(
        self, emr, emr_endpoint, driver, bucket, tmp_path
    ):
        emr_endpoint(runner=driver.runner())
        driver.does(status=1, stderr="ERROR SINK_INVALID: no such table | s3://t | fix: make it\n")
        spec, job = write_spec(tmp_path, bucket), write_job(tmp_path, bucket)
        cache = tmp_path / "cache"
        status, out, err = emr("submit", *job, "--transient", "--spec", spec, "--cache", cache)
        assert (26, "") == (status, out)
        assert last(err).startswith("ERROR EMR_STEP_FAILED: step s-")
        assert "ERROR SINK_INVALID: no such table" in last(err)
        assert "/stderr.gz | fix: emr logs j-" in last(err)

    def test_up_tells_why_a_cluster_failed(self, emr, emr_endpoint, bucket, tmp_path):
        emr_endpoint(faults=[Fault(kind="bootstrap-failure")])
        status, out, err = emr("up", "--spec", write_spec(tmp_path, bucket))
        assert (25, "") == (status, out)
        assert last(err).startswith("ERROR EMR_BOOTSTRAP: j-")
        assert "bootstrap-actions/1" in last(err)

    def test_up_with_the_same_run_id_gives_the_same_cluster(
        self, emr, emr_endpoint, bucket, tmp_path
    ):
        emr_endpoint()
        up = ("up", "--spec", write_spec(tmp_path, bucket), "--run-id", "monday", "--json")
        first, second = json.loads(emr(*up)[1]), json.loads(emr(*up)[1])
        assert first["cluster"] == second["cluster"]
        assert (False, True) == (first["found"], second["found"])

    def test_a_submitted_step_need_not_be_waited_for_and_can_be_cancelled(
        self, emr, emr_endpoint, driver, bucket, tmp_path
    ):
        emr_endpoint(runner=driver.runner())
        driver.does(seconds=60)
        cluster = emr("up", "--spec", write_spec(tmp_path, bucket))[1].strip()
        job = write_job(tmp_path, bucket)
        out = emr("submit", *job, "--cluster", cluster, "--no-wait", "--cache", tmp_path / "cache")[
            1
        ]
        _, step = out.split()
        client = boto3.client("emr")
        driver_of = lambda: json.loads(emr("describe", cluster, step, "--json")[1])["applications"]  # noqa: E731
        (application,) = until_true(driver_of)
        status, out, err = emr("cancel", cluster, step, "--force")
        assert (0, True) == (status, "asked to stop" in out)
        assert f"step {step}: its driver may run on: `yarn application -kill {application}`" in err
        until_step(client, cluster, step, "CANCELLED")
        assert "cause: step" in emr("logs", cluster, step)[2]
        status, _, err = emr("cancel", cluster, step)
        assert (23, "ERROR AWS_REFUSED") == (status, last(err)[:17])


class TestInterrupted:
    def waiting(self, emr, emr_endpoint, driver, bucket, tmp_path, **options):
        """A client in a process of its own that waits for a step, and the step's ids."""
        emr_endpoint(runner=driver.runner())
        driver.does(seconds=60)
        cluster = emr("up", "--spec", write_spec(tmp_path, bucket))[1].strip()
        job = write_job(tmp_path, bucket)
        cache = tmp_path / "cache"
        client = process("submit", *job, "--cluster", cluster, "--cache", cache, **options)
        until_true(lambda: driver.runs or client.poll() is not None)
        step = boto3.client("emr").list_steps(ClusterId=cluster)["Steps"][0]["Id"]
        time.sleep(0.5)  # so that it waits by now
        return client, cluster, step

    @pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_without_a_terminal_the_step_runs_on_and_the_way_to_cancel_it_is_told(
        self, emr, emr_endpoint, driver, bucket, tmp_path, sent, status
    ):
        streams = {"stdin": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        client, cluster, step = self.waiting(emr, emr_endpoint, driver, bucket, tmp_path, **streams)
        client.send_signal(sent)
        _, err = client.communicate(timeout=30)
        assert status == client.returncode, err
        assert f"`emr cancel {cluster} {step}` cancels it" in err
        until_step(boto3.client("emr"), cluster, step, "RUNNING")

    def test_at_a_terminal_it_is_asked_and_yes_cancels(
        self, emr, emr_endpoint, driver, bucket, tmp_path
    ):
        ours, theirs = pty.openpty()
        streams = {"stdin": theirs, "stderr": theirs, "stdout": subprocess.DEVNULL}
        client, cluster, step = self.waiting(emr, emr_endpoint, driver, bucket, tmp_path, **streams)
        client.send_signal(signal.SIGINT)
        os.write(ours, b"y\n")
        assert 130 == client.wait(30)
        assert b"its driver may run on: `yarn application -kill" in os.read(ours, 4096)
        os.close(ours)
        os.close(theirs)
        until_step(boto3.client("emr"), cluster, step, "CANCELLED")

    def test_while_the_logs_of_an_ended_step_are_fetched_its_end_is_told(
        self, emr, emr_endpoint, driver, bucket, tmp_path
    ):
        emr_endpoint(runner=driver.runner(), settings=Settings(log_delay_s=60))
        cluster = emr("up", "--spec", write_spec(tmp_path, bucket))[1].strip()
        job = write_job(tmp_path, bucket)
        streams = {"stdin": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        cache = tmp_path / "cache"
        client = process("submit", *job, "--cluster", cluster, "--cache", cache, **streams)
        assert any("waiting for its logs" in line for line in client.stderr)
        client.send_signal(signal.SIGINT)
        _, err = client.communicate(timeout=30)
        step = boto3.client("emr").list_steps(ClusterId=cluster)["Steps"][0]["Id"]
        assert 130 == client.returncode
        assert f"step {step} had ended: completed; `emr logs {cluster} {step}` shows" in err
        assert "runs on" not in err


class TestTerminal:
    def test_what_a_driver_wrote_cannot_steer_it(self, emr, emr_endpoint, driver, bucket, tmp_path):
        """A pipe gets every byte, a terminal no title, colour or cursor movement."""
        emr_endpoint(runner=driver.runner())
        driver.does(stdout="\x1b]0;title\x07\x1b[31mred\x1b[0m rows\n")
        cluster = emr("up", "--spec", write_spec(tmp_path, bucket))[1].strip()
        submit = ("submit", *write_job(tmp_path, bucket), "--cluster", cluster, "--quiet")
        submit = (*submit, "--cache", tmp_path / "cache")
        ours, theirs = pty.openpty()
        client = process(*submit, stdin=subprocess.DEVNULL, stdout=theirs)
        assert 0 == client.wait(60)
        shown = os.read(ours, 4096)
        os.close(ours)
        os.close(theirs)
        assert b"attempt 1\r\nred rows\r\n" == shown
        assert "attempt 1\n\x1b]0;title\x07\x1b[31mred\x1b[0m rows\n" == emr(*submit)[1]


class TestReap:
    def test_only_ours_that_are_past_their_time_go(self, emr, emr_endpoint, bucket, tmp_path):
        emr_endpoint()
        client = boto3.client("emr")
        theirs = client.run_job_flow(**small_cluster())["JobFlowId"]
        spec = write_spec(tmp_path, bucket)
        late = emr("up", "--spec", spec, "--no-wait", "--ttl", "0s")[1].strip()
        early = emr("up", "--spec", spec, "--no-wait", "--ttl", "8h")[1].strip()
        left = json.loads(emr("reap", "--dry-run", "--json")[1])
        assert [(late, False)] == [(one["id"], one["ended"]) for one in left]
        reaped = json.loads(emr("reap", "--json")[1])
        assert [(late, True)] == [(one["id"], one["ended"]) for one in reaped]
        until(client, late, "TERMINATED")
        for alive in (theirs, early):
            until(client, alive, "WAITING")
        old = json.loads(emr("reap", "--older-than", "0s", "--json")[1])
        assert [early] == [one["id"] for one in old]

    def test_protected_ones_are_spared_unless_told(self, emr, emr_endpoint, bucket, tmp_path):
        emr_endpoint()
        spec = write_spec(tmp_path, bucket, termination_protected=True)
        cluster = emr("up", "--spec", spec)[1].strip()
        assert "left" in emr("reap", "--idle-for", "0s")[1]
        status, _, err = emr("down", cluster)
        assert (23, True) == (status, "--unprotect" in last(err))
        assert "asked to end" in emr("reap", "--idle-for", "0s", "--unprotect")[1]
        until(boto3.client("emr"), cluster, "TERMINATED")
