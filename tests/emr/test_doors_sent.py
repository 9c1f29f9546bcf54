"""A run behind EMR Serverless or EMR on EKS: started once, and every end of it told apart."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from emr.aws.client import connect
from emr.doors.run import send, wait
from emr.errors import StepCancelled, StepFailed, WaitTimeout
from sparkml.errors import ConfigError
from tests.emr.door_endpoint import DoorEndpoint
from tests.emr.door_runs import DOORS, EKS, PACKAGE, QUICK, SERVERLESS, SPEC, a_run, silent


@pytest.fixture
def service(request, aws_environment, monkeypatch):
    """An endpoint whose runs go through the states that the test names."""
    states, reason = getattr(request, "param", (("SUCCESS",), "done"))
    with DoorEndpoint(*states, reason=reason) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_EMR_SERVERLESS", endpoint.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_EMR_CONTAINERS", endpoint.url)
        yield endpoint


def sent(door, bucket, tmp_path, *, script=None, changes=(), **options):
    """Send a script's run through a door, from its own cache."""
    config = (script or tmp_path) / "job.yaml"
    script = config.with_name("job.py")
    if not script.exists():
        script.write_text("print('scored')\n")
        config.write_text("x: 1\n")
    spec = SPEC.model_copy(update={"artifacts": f"s3://{bucket}/code", **dict(changes)})
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


@DOORS
@pytest.mark.parametrize("service", [(("FAILED",), "it failed")], indirect=True)
def test_a_token_that_gives_an_old_failure_is_not_taken_for_a_new_run(
    door, service, bucket, tmp_path
) -> None:
    """AWS's list lacks a run that failed ten minutes ago, and its token still answers with it."""
    first = sent(door, bucket, tmp_path)
    service.runs[first.id]["created"] -= 600
    service.unlisted.add(first.id)
    second = sent(door, bucket, tmp_path)
    assert (True, False) == (second.id != first.id, second.attached)
    assert 2 == len(service.runs)


@DOORS
@pytest.mark.parametrize(
    "changes",
    [
        {"tags": {"aws:mine": "x"}},
        {"logs": SPEC.logs.model_copy(update={"kms_key": "alias/mine"})},
    ],
    ids=["tags", "kms-key"],
)
def test_a_spec_that_breaks_a_rule_is_refused_before_anything_is_packed(
    door, service, bucket, tmp_path, changes
) -> None:
    """As `emr up` refuses it."""
    with pytest.raises(ConfigError):
        sent(door, bucket, tmp_path, changes=changes)
    assert [] == service.requests
    assert not (tmp_path / "cache").exists()


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
def test_every_end_is_told_apart(door, states, error, place, aws_environment, monkeypatch) -> None:
    """Success returns; failure, cancellation and a wait too long have errors of their own."""
    with DoorEndpoint(*states, reason="exit code 4") as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_EMR_SERVERLESS", endpoint.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_EMR_CONTAINERS", endpoint.url)
        aws = connect("us-east-1")
        run_id = door.start(aws, door.request(a_run(), SPEC, PACKAGE))
        waiting_s = 0.2 if error is WaitTimeout else 60
        options = {"timeout_s": waiting_s, "pace": QUICK, "report": silent}
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
def test_a_run_can_be_cancelled(door, service) -> None:
    """AWS is asked to stop it, and then tells that it is cancelled."""
    aws = connect("us-east-1")
    run_id = door.start(aws, door.request(a_run(), SPEC, PACKAGE))
    door.cancel(aws, run_id)
    assert "cancelled" == door.look(aws, run_id).end
