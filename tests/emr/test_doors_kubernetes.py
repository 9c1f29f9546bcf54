"""The same run as a plain `spark-submit` to Kubernetes: its command, and how its driver ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from emr.doors.kubernetes import Kubernetes, apply
from emr.errors import StepFailed
from sparkml.errors import ConfigError, SetupError
from tests.emr.door_runs import KUBERNETES, PACKAGE, SPEC, a_run


def test_kubernetes_takes_the_run_as_a_spark_submit() -> None:
    """Cluster mode, the image, the package; nothing is quoted, since no shell reads it."""
    argv = KUBERNETES.argv(a_run(), SPEC, PACKAGE)
    assert ["spark-submit", "--master", "k8s://https://host:6443"] == argv[:3]
    assert [PACKAGE.script, "--config", PACKAGE.config] == argv[-3:]
    assert "spark.x=a b" in argv
    assert "spark.kubernetes.submission.waitAppCompletion=true" in argv
    assert "spark.kubernetes.container.image=registry/spark:4.1.1" in argv
    assert f"spark.archives={PACKAGE.archive}#environment" in argv


def test_a_master_that_is_no_kubernetes_is_refused() -> None:
    """The fix says what one looks like."""
    door = Kubernetes(master="https://host", image="i")
    with pytest.raises(ConfigError, match=r"k8s://https://HOST:PORT"):
        door.argv(a_run(), SPEC, PACKAGE)


def test_a_spec_that_breaks_a_rule_is_refused():
    """As `emr up` refuses it."""
    spec = SPEC.model_copy(update={"tags": {"aws:mine": "x"}})
    with pytest.raises(ConfigError, match="not yours to set"):
        KUBERNETES.argv(a_run(), spec, PACKAGE)


STATE = """26/01/01 00:00:09 INFO LoggingPodStatusWatcherImpl: State changed, new state:
\t pod name: score-driver
\t namespace: jobs
\t phase: {phase}
\t container status:
\t\t container name: spark-kubernetes-driver
\t\t container state: running
"""
FINAL = """26/01/01 00:00:10 INFO LoggingPodStatusWatcherImpl: Container final statuses:


\t container name: {name}
\t container image: i
\t container state: terminated
\t exit code: {code}
\t termination reason: {reason}
"""
SIDECAR = FINAL.format(name="istio-proxy", code=0, reason="Completed")
DONE = FINAL.format(name="spark-kubernetes-driver", code=0, reason="Completed")
BROKEN = FINAL.format(name="spark-kubernetes-driver", code=3, reason="Error")
ITS_OWN_NAME = FINAL.format(name="of-a-template", code=0, reason="Completed")


@pytest.fixture
def spark_submit(monkeypatch, tmp_path):
    """A program of that name, which writes and ends as the test says."""

    def made(said: str, status: int = 0) -> None:
        program = tmp_path / "spark-submit"
        text = f"#!{sys.executable}\nimport sys\nsys.stderr.write({said!r})\nsys.exit({status})\n"
        program.write_text(text)
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))

    return made


@pytest.mark.parametrize(
    "said",
    [
        STATE.format(phase="Running") + SIDECAR + DONE,
        STATE.format(phase="Failed") + DONE,  # a sidecar's failure is not the driver's
        STATE.format(phase="Running") + ITS_OWN_NAME,
        STATE.format(phase="Succeeded"),
        json.dumps({"msg": DONE}),  # spark.log.structuredLogging.enabled
    ],
)
def test_a_driver_that_was_seen_to_end_well_is_a_success(spark_submit, capsys, said) -> None:
    """Its words are those of Spark 4.1's LoggingPodStatusWatcherImpl; they are passed on."""
    spark_submit(said)
    apply(["spark-submit"])
    assert said == capsys.readouterr().err


@pytest.mark.parametrize(
    ("said", "what"),
    [
        (STATE.format(phase="Running") + SIDECAR + BROKEN, "exit code 3"),
        (STATE.format(phase="Failed"), "the driver's pod failed"),
        (STATE.format(phase="Running") + SIDECAR + SIDECAR.replace("istio", "log"), "Running"),
        ("", "unknown"),
    ],
)
def test_a_driver_that_was_not_seen_to_end_well_failed(spark_submit, said, what) -> None:
    """spark-submit's own status is 0 then, too; the fix names the pod."""
    spark_submit(said)
    with pytest.raises(StepFailed, match=what) as failed:
        apply(["spark-submit"])
    assert "kubectl -n" in failed.value.fix
    assert ("jobs logs score-driver" in failed.value.fix) == bool(said)


def test_what_spark_submit_itself_says_counts_as_well(spark_submit, monkeypatch) -> None:
    """Its status is the outcome, whatever it wrote; none on PATH is told with a fix."""
    spark_submit(DONE, status=3)
    with pytest.raises(StepFailed, match="status 3"):
        apply(["spark-submit"])
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SetupError, match="not on PATH"):
        apply(["spark-submit"])


def test_breaking_off_says_how_to_end_the_pod(spark_submit, tmp_path) -> None:
    """Ctrl-C ends spark-submit, not the driver."""
    spark_submit(STATE.format(phase="Running"))
    program = tmp_path / "spark-submit"
    sleeping = "sys.stderr.flush(); import time; time.sleep(60); sys.exit"
    program.write_text(program.read_text().replace("sys.exit", sleeping))
    code = "from emr.doors.kubernetes import apply; apply(['spark-submit'])"
    command = [sys.executable, "-c", code]
    group = {"stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    with subprocess.Popen(command, **group) as process:
        said = [next(process.stderr) for _ in STATE.splitlines()]
        os.killpg(process.pid, signal.SIGINT)
        said += process.stderr
    assert "`kubectl -n jobs delete pod score-driver` ends it" in "".join(said)
