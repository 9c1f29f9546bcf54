"""The same run through EMR Serverless, EMR on EKS and Kubernetes: what is sent, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

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
    assert "executionTimeoutMinutes" not in request, "waiting ends after timeout_s, not the run"


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


def sent(door, bucket, tmp_path, *, script=None, **options):
    """Send a script's run through a door, from its own cache."""
    config = (script or tmp_path) / "job.yaml"
    script = config.with_name("job.py")
    if not script.exists():
        script.write_text("print('scored')\n")
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
    first = sent(door, bucket, tmp_path)
    assert not first.attached
    second = sent(door, bucket, tmp_path)
    assert (first.id, True, False) == (second.id, second.attached, second.done)
    assert 1 == len(service.requests)
    other = sent(door, bucket, tmp_path, again=True)
    assert (True, False) == (other.id != first.id, other.attached)


@DOORS
@pytest.mark.parametrize("service", [(("FAILED",), "it failed")], indirect=True)
def test_a_run_that_failed_is_started_anew_and_once(door, service, bucket, tmp_path) -> None:
    """Two clients that both saw it fail send one token, which is not the failed run's."""
    first = sent(door, bucket, tmp_path)
    met = threading.Barrier(2)

    class Together(type(door)):
        """Both have listed the runs before either starts one."""

        def start(self, aws, request):
            met.wait(timeout=20)
            return super().start(aws, request)

    both = Together(**{name: getattr(door, name) for name in door.__slots__})
    with ThreadPoolExecutor(2) as pool:
        folders = [tmp_path / "a", tmp_path / "b"]
        for folder in folders:
            folder.mkdir()
        asked = [pool.submit(sent, both, bucket, folder, script=tmp_path) for folder in folders]
        ids = {one.result().id for one in asked}
    assert 1 == len(ids)
    assert first.id not in ids


@pytest.mark.parametrize(
    ("door", "service"),
    [(SERVERLESS, (("CANCELLING",), "-")), (EKS, (("CANCEL_PENDING",), "-"))],
    indirect=["service"],
    ids=["serverless", "eks"],
)
def test_a_run_that_is_being_cancelled_is_not_waited_for(door, service, bucket, tmp_path) -> None:
    """It will not be done: another one is started."""
    first, second = (sent(door, bucket, tmp_path) for _ in range(2))
    assert (True, False) == (first.id != second.id, second.attached)


@pytest.mark.parametrize(
    ("door", "service"),
    [(SERVERLESS, (("SUCCESS",), "-")), (EKS, (("COMPLETED",), "-"))],
    indirect=["service"],
    ids=["serverless", "eks"],
)
@pytest.mark.parametrize("hours", [2, 24 * 30])
def test_a_nightly_run_runs_every_night(door, service, hours, bucket, tmp_path) -> None:
    """Done just now it is the same run; done hours or a month ago it is run anew, token or not."""
    nights = []
    for _ in range(3):
        one = sent(door, bucket, tmp_path)
        again = sent(door, bucket, tmp_path)
        assert not one.attached
        assert (one.id, True) == (again.id, again.done)
        nights.append(one.id)
        for run in service.runs.values():
            run["created"] -= hours * 3_600
    assert 3 == len(set(nights))


@DOORS
@pytest.mark.parametrize("service", [(("RUNNING",), "it runs")], indirect=True)
def test_a_name_that_only_mentions_the_key_is_another_run(door, service, bucket, tmp_path) -> None:
    """The key is the name's end."""
    first = sent(door, bucket, tmp_path)
    key = service.requests[0]["clientToken"]
    service.runs[first.id]["body"]["name"] = f"{key}-notes"
    service.tokens.clear()
    assert not sent(door, bucket, tmp_path).attached


@pytest.mark.parametrize(
    ("name", "value", "fix"),
    [
        ("architecture", "X86_64", "--cluster-set core.types=m7i.xlarge"),
        ("release", "emr-7.9.0", "--cluster-set release=emr-7.9.0"),
    ],
)
def test_an_application_of_another_kind_is_refused(
    service, bucket, tmp_path, name, value, fix
) -> None:
    """The packed libraries are of one processor and one release: nothing is packed or sent."""
    setattr(service, name, value)
    with pytest.raises(ConfigError) as refused:
        sent(SERVERLESS, bucket, tmp_path)
    assert fix in refused.value.fix
    assert [] == service.requests
    assert not (tmp_path / "cache").exists()


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
    assert "spark.kubernetes.submission.waitAppCompletion=true" in argv
    assert "spark.kubernetes.container.image=registry/spark:4.1.1" in argv
    assert f"spark.archives={package.archive}#environment" in argv


def test_a_master_that_is_no_kubernetes_is_refused(package) -> None:
    """The fix says what one looks like."""
    door = Kubernetes(master="https://host", image="i")
    with pytest.raises(ConfigError, match=r"k8s://https://HOST:PORT"):
        door.argv(a_run(), SPEC, package)


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
