"""The same run through EMR Serverless, EMR on EKS and Kubernetes: what is sent, and how it ends."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from emr.aws.client import connect
from emr.aws.pace import Pace
from emr.doors.eks import Eks
from emr.doors.kubernetes import Kubernetes, apply
from emr.doors.run import send, wait
from emr.doors.serverless import Serverless
from emr.errors import RequestRefused, SecretInRequest, StepCancelled, StepFailed, WaitTimeout
from emr.job_run import JobRun
from emr.package import plan_package
from emr.request.steps import run_key
from emr.spec import ClusterSpec
from sparkml.config.layers import load_as
from sparkml.errors import ConfigError, SetupError
from tests.emr.door_endpoint import DoorEndpoint

if TYPE_CHECKING:
    from pathlib import Path

ROLE = "arn:aws:iam::123456789012:role/job"
SPEC = load_as(ClusterSpec, "conf/clusters/cpu-small.yaml", env={}).config
SERVERLESS = Serverless(application="00app", role=ROLE)
EKS = Eks(virtual_cluster="vc00", role=ROLE)
DOORS = pytest.mark.parametrize("door", [SERVERLESS, EKS], ids=["serverless", "eks"])
QUICK = Pace(poll_s=0.02, patience_s=1)


def a_run(**changes) -> JobRun:
    """The wine table's run."""
    values = {"job": "score", "config": "conf/score.wine.yaml", "spark_conf": {"spark.x": "a b"}}
    return JobRun.model_validate({**values, **changes})


def silent(_text: str) -> None:
    """Report nothing."""


@pytest.fixture
def package():
    """The run's package, as it would be stored."""
    return plan_package(a_run(), SPEC)


def test_serverless_takes_the_run_with_its_settings_as_a_mapping(package) -> None:
    """A setting with a space in it stays one; code and environment are the package's."""
    request = SERVERLESS.request(a_run(), SPEC, package)
    (defaults,) = request["configurationOverrides"]["applicationConfiguration"]
    conf = defaults["properties"]
    assert "a b" == conf["spark.x"]
    assert f"{package.archive}#environment" == conf["spark.archives"]
    assert package.wheel == conf["spark.submit.pyFiles"]
    assert "./environment" == conf["spark.emr-serverless.driverEnv.PYTHONPATH"]
    assert "./environment" == conf["spark.executorEnv.PYTHONPATH"]
    driver = request["jobDriver"]["sparkSubmit"]
    assert package.script == driver["entryPoint"]
    assert ["--config", package.config] == driver["entryPointArguments"]
    assert run_key(a_run(), SPEC, package) == request["clientToken"]
    assert 360 == request["executionTimeoutMinutes"]


def test_eks_takes_the_run_with_the_image_of_its_release(package) -> None:
    """A name of 64 plain characters ends in the key; RAPIDS has images of its own."""
    request = EKS.request(a_run(name="Été " * 30), SPEC, package)
    assert "emr-spark-8.1.0-latest" == request["releaseLabel"]
    assert 64 == len(request["name"])
    assert request["name"].endswith(f"-{request['clientToken']}")
    rapids = SPEC.model_copy(update={"gpu": "rapids"})
    assert "emr-spark-8.1.0-rapids-latest" == EKS.request(a_run(), rapids, package)["releaseLabel"]
    conf = request["configurationOverrides"]["applicationConfiguration"][0]["properties"]
    assert "./environment" == conf["spark.kubernetes.driverEnv.PYTHONPATH"]


@DOORS
def test_what_aws_would_refuse_is_refused_here(door, package) -> None:
    """A role that is no role, and a setting that holds a key."""
    wrong = type(door)(**{name: getattr(door, name) for name in door.__slots__} | {"role": "admin"})
    with pytest.raises(RequestRefused, match="executionRoleArn"):
        wrong.request(a_run(), SPEC, package)
    secret = a_run(spark_conf={"spark.hadoop.fs.s3a.secret.key": "abcdef"})
    with pytest.raises(SecretInRequest):
        door.request(secret, SPEC, package)


@pytest.fixture
def service(request, aws_environment, monkeypatch):
    """An endpoint whose runs go through the states that the test names."""
    states, reason = getattr(request, "param", (("SUCCESS",), "done"))
    with DoorEndpoint(*states, reason=reason) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_EMR_SERVERLESS", endpoint.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_EMR_CONTAINERS", endpoint.url)
        yield endpoint


def sent(door, bucket, tmp_path, **options):
    """Send a script's run through a door; its id, and whether it was there."""
    script = tmp_path / "job.py"
    script.write_text("print('scored')\n")
    config = tmp_path / "job.yaml"
    config.write_text("x: 1\n")
    spec = SPEC.model_copy(update={"artifacts": f"s3://{bucket}/code"})
    aws = connect("us-east-1")
    aws.s3.put_object(Bucket=bucket, Key="site.tar.gz", Body=b"packed before")
    archive = {"archive": f"s3://{bucket}/site.tar.gz"}
    run = a_run(job=str(script), config=str(config), environment=archive)
    return send(door, aws, run, spec, cache=tmp_path / "cache", report=silent, **options)


@DOORS
@pytest.mark.parametrize("service", [(("RUNNING",), "it runs")], indirect=True)
def test_the_same_run_is_started_once(door, service, bucket, tmp_path) -> None:
    """Sent again it is found by its key; `again` starts another."""
    first, there = sent(door, bucket, tmp_path)
    assert not there
    assert (first, True) == sent(door, bucket, tmp_path)
    assert 1 == len(service.requests)
    other, there = sent(door, bucket, tmp_path, again=True)
    assert (True, False) == (other != first, there)


@DOORS
@pytest.mark.parametrize("service", [(("FAILED",), "it failed")], indirect=True)
def test_a_run_that_failed_is_started_anew(door, service, bucket, tmp_path) -> None:
    """Its token is spent: AWS would answer with the failed run, so the new one has another."""
    first, _ = sent(door, bucket, tmp_path)
    second, there = sent(door, bucket, tmp_path)
    assert (True, False) == (first != second, there)


ENDS = [
    (SERVERLESS, ("SCHEDULED", "RUNNING", "SUCCESS"), None, "SPARK_DRIVER"),
    (SERVERLESS, ("RUNNING", "FAILED"), StepFailed, "SPARK_DRIVER"),
    (SERVERLESS, ("CANCELLED",), StepCancelled, "SPARK_DRIVER"),
    (SERVERLESS, ("QUEUED",), WaitTimeout, "SPARK_DRIVER"),
    (EKS, ("SUBMITTED", "RUNNING", "COMPLETED"), None, "containers"),
    (EKS, ("FAILED",), StepFailed, "containers"),
    (EKS, ("CANCEL_PENDING", "CANCELLED"), StepCancelled, "containers"),
]


@pytest.mark.parametrize(("door", "states", "error", "place"), ENDS)
def test_every_end_is_told_apart(
    door, states, error, place, aws_environment, monkeypatch, package
) -> None:
    """Success returns; failure, cancellation and a wait too long have errors of their own."""
    with DoorEndpoint(*states, reason="exit code 4") as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_EMR_SERVERLESS", endpoint.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_EMR_CONTAINERS", endpoint.url)
        aws = connect("us-east-1")
        run_id = door.start(aws, door.request(a_run(), SPEC, package))
        options = {"timeout_s": 0.2, "pace": QUICK, "report": silent}
        if error is None:
            seen = wait(door, aws, run_id, **options)
            assert ("done", states[-1]) == (seen.end, seen.state)
            assert place in seen.logs
            return
        with pytest.raises(error) as raised:
            wait(door, aws, run_id, **options)
        assert place in raised.value.where
        if error is not WaitTimeout:
            assert "exit code 4" in raised.value.what


@DOORS
@pytest.mark.parametrize("service", [(("RUNNING",), "it runs")], indirect=True)
def test_a_run_can_be_cancelled(door, service, package) -> None:
    """AWS is asked to stop it, and then tells that it is cancelled."""
    aws = connect("us-east-1")
    run_id = door.start(aws, door.request(a_run(), SPEC, package))
    door.cancel(aws, run_id)
    assert "cancelled" == door.look(aws, run_id).end


def test_kubernetes_takes_the_run_as_a_spark_submit(package) -> None:
    """Cluster mode, the image, the package; nothing is quoted, since no shell reads it."""
    door = Kubernetes(master="k8s://https://host:6443", image="registry/spark:4.1.1")
    argv = door.argv(a_run(), SPEC, package)
    assert ["spark-submit", "--master", "k8s://https://host:6443"] == argv[:3]
    assert [package.script, "--config", package.config] == argv[-3:]
    assert "spark.x=a b" in argv
    assert "spark.kubernetes.container.image=registry/spark:4.1.1" in argv
    assert f"spark.archives={package.archive}#environment" in argv


def test_a_master_that_is_no_kubernetes_is_refused(package) -> None:
    """The fix says what one looks like."""
    door = Kubernetes(master="https://host", image="i")
    with pytest.raises(ConfigError, match=r"k8s://https://HOST:PORT"):
        door.argv(a_run(), SPEC, package)


def test_applying_tells_how_the_command_ended(monkeypatch, tmp_path: Path) -> None:
    """A real process: its status is the outcome; none on PATH is told with a fix."""
    program = tmp_path / "spark-submit"
    program.write_text(f"#!{sys.executable}\nimport sys; sys.exit(int(sys.argv[1]))\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    apply(["spark-submit", "0"])
    with pytest.raises(StepFailed, match="status 3"):
        apply(["spark-submit", "3"])
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    with pytest.raises(SetupError, match="not on PATH"):
        apply(["spark-submit", "0"])
