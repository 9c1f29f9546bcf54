"""`emr submit --serverless` and `--eks` as processes: what is said when waiting is broken off."""

import json
import os
import pty
import signal
import subprocess
import sys

import pytest

from tests.emr.door_endpoint import DoorEndpoint
from tests.emr.driver import write_job, write_spec
from tests.emr.small_cluster import until_true

ROLE = "arn:aws:iam::123456789012:role/job"


@pytest.fixture
def world(request, aws_environment, monkeypatch, bucket, tmp_path):
    """An endpoint of both services, and the command line of a job for either."""
    with DoorEndpoint(request.param) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_EMR_SERVERLESS", endpoint.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_EMR_CONTAINERS", endpoint.url)
        monkeypatch.setenv("SPARKML_EMR_POLL_S", "0.1")
        spec, job = write_spec(tmp_path, bucket), write_job(tmp_path, bucket)
        command = [sys.executable, "-m", "emr", "submit", *map(str, job), "--spec", str(spec)]
        command += ["--cache", str(tmp_path / "cache"), "--run-set", f"runtime_role={ROLE}"]
        yield endpoint, command


DOORS = pytest.mark.parametrize(
    ("door", "way"),
    [
        (
            ("--serverless", "00app"),
            "`aws emr-serverless cancel-job-run --application-id 00app --job-run-id 00run0`",
        ),
        (
            ("--eks", "vc00"),
            "`aws emr-containers cancel-job-run --virtual-cluster-id vc00 --id 00run0`",
        ),
    ],
    ids=["serverless", "eks"],
)


@DOORS
@pytest.mark.parametrize("world", ["RUNNING"], indirect=True)
def test_without_a_terminal_the_run_goes_on_and_the_way_to_cancel_it_is_told(world, door, way):
    """AWS's own command does it."""
    endpoint, command = world
    streams = {"stdin": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([*command, *door], **streams) as client:
        until_true(lambda: any(run["looks"] > 1 for run in endpoint.runs.values()))
        client.send_signal(signal.SIGINT)
        err = client.communicate(timeout=30)[1]
    assert 130 == client.returncode, err
    assert way in err
    assert [] == endpoint.cancelled


@DOORS
@pytest.mark.parametrize("world", ["RUNNING"], indirect=True)
def test_at_a_terminal_it_is_asked_and_yes_cancels(world, door, way):
    """Anything else leaves it running."""
    endpoint, command = world
    ours, theirs = pty.openpty()
    streams = {"stdin": theirs, "stderr": theirs, "stdout": subprocess.DEVNULL}
    with subprocess.Popen([*command, *door], **streams) as client:
        until_true(lambda: any(run["looks"] > 1 for run in endpoint.runs.values()))
        client.send_signal(signal.SIGINT)
        os.write(ours, b"y\n")
        assert 130 == client.wait(30)
    os.close(ours)
    os.close(theirs)
    assert ["00run0"] == endpoint.cancelled


@pytest.mark.parametrize("world", ["SUCCESS"], indirect=True)
def test_that_nothing_ran_anew_is_said_even_when_quiet(world):
    """The second submission of a run that was done just now."""
    endpoint, command = world
    for note in ("", "run 00run0 was done within the last hour: nothing ran anew; --again runs it"):
        done = subprocess.run(
            [*command, "--serverless", "00app", "--json", "--quiet"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert note == done.stderr.strip()
        told = json.loads(done.stdout)
        assert ("00run0", bool(note)) == (told["id"], told["attached"])
    assert 1 == len(endpoint.requests)
