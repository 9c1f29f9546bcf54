"""A step's logs in CloudWatch: which streams are its own, and read to their end."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from emr.aws.client import connect
from emr.aws.logs.cloudwatch import QUIET_LOOKS, CloudWatchLogs
from emr.aws.logs.following import follow
from emr.aws.logs.pieces import S3Logs
from emr.aws.logs.place import logs_of
from emr.aws.observed import LogGroup, step_of
from tests.emr.logs_endpoint import LogsEndpoint, Stream
from tests.emr.logs_world import APPLICATION, QUICK, maker, quiet


@pytest.fixture
def here(emr_endpoint, tmp_path, bucket):
    return maker(emr_endpoint, tmp_path, bucket)


def test_streams_of_the_step_and_its_application_are_followed(here, aws_environment):
    world = here()
    step, cluster = world.run()
    put(f"emr/{cluster.id}/steps/{step.id}/stderr", "a step's line")
    put(f"emr/{cluster.id}/containers/{APPLICATION}/c_000001/stdout", "scored 3 rows")
    put(f"emr/{cluster.id}/steps/s-OTHER/stderr", "another's")
    put(f"emr/{cluster.id}/steps/{step.id}0/stderr", "its namesake's")
    watched = type(cluster)(
        **{n: getattr(cluster, n) for n in cluster.__slots__}
        | {"cloudwatch": LogGroup(group="/sparkml/emr", prefix="emr")}
    )
    logs = logs_of(world.aws, step, watched)
    found = list(follow(world.aws, logs, step, watched, settle_s=20, pace=QUICK, report=quiet))
    assert {("stderr", "a step's line\n"), ("stdout", "scored 3 rows\n")} == {
        (piece.stream, piece.text) for piece in found
    }


def test_s3_can_be_asked_for_instead(here):
    world = here()
    step, cluster = world.run()
    assert isinstance(logs_of(world.aws, step, cluster, s3=True), S3Logs)


MADE_S = 1_800_000_000
STEP = "s-ABC"


def a_step(state="RUNNING"):
    """A step as EMR tells it, made at a known time."""
    made = datetime.fromtimestamp(MADE_S, UTC)
    ended = {"EndDateTime": made + timedelta(hours=1)} if state == "COMPLETED" else {}
    timeline = {"CreationDateTime": made, "StartDateTime": made, **ended}
    return step_of({"Id": STEP, "Name": "s", "Status": {"State": state, "Timeline": timeline}})


@pytest.fixture
def group(aws_environment, monkeypatch):
    """A log group with the streams that a test names, and what reads the step's in it."""
    with contextlib.ExitStack() as stack:

        def make(*streams, prefix=""):
            endpoint = stack.enter_context(LogsEndpoint(*streams))
            monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", endpoint.url)
            at = LogGroup(group="g", prefix=prefix)
            return endpoint, CloudWatchLogs(aws=connect("us-east-1"), at=at)

        yield make


def test_an_empty_page_is_not_the_end(group):
    """AWS: the end is the same token again."""
    pages = (("one",), (), ("two", "three"), ())
    _, logs = group(Stream(name=f"{STEP}/stdout", pages=pages))
    assert ["one\ntwo\nthree\n"] == [piece.text for piece in logs.read(a_step())]
    assert [] == logs.read(a_step())


OTHERS = [Stream(name=f"s-{n}/stdout", last_s=MADE_S - 60 - n) for n in range(20)]
OURS = Stream(name=f"{STEP}/stdout", last_s=MADE_S + 60, pages=(("scored",),))
EMPTY = Stream(name="s-NEW/stdout", last_s=None)


def test_of_a_shared_group_only_the_newest_streams_are_listed(group):
    """Down to the first that was last written before the step was made; two streams a page."""
    endpoint, logs = group(*OTHERS, OURS, EMPTY)
    assert ["scored\n"] == [piece.text for piece in logs.read(a_step())]
    assert 2 == endpoint.asked("DescribeLogStreams")


def test_a_stream_whose_time_comes_late_is_found_before_the_end(group):
    """AWS tells the last event's time when it pleases: the last look lists the whole group."""
    late = replace(OURS, last_s=MADE_S - 3_600)
    _, logs = group(*OTHERS, late)
    step, found = a_step("COMPLETED"), []
    for _ in range(QUIET_LOOKS):
        assert not logs.settled(step)
        found += logs.read(step)
    assert ["scored\n"] == [piece.text for piece in found]
    for _ in range(QUIET_LOOKS):
        assert not logs.settled(step)
        logs.read(step)
    assert logs.settled(step)


def test_a_prefix_is_asked_for_without_an_order(group):
    """AWS refuses both together."""
    ours = replace(OURS, name=f"wine/{OURS.name}")
    endpoint, logs = group(*OTHERS, ours, replace(OURS, pages=(("not ours",),)), prefix="wine/")
    assert ["scored\n"] == [piece.text for piece in logs.read(a_step())]
    assert 1 == endpoint.asked("DescribeLogStreams")


def put(stream, text):
    """One event of a stream in CloudWatch."""
    client = boto3.client("logs")
    with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
        client.create_log_group(logGroupName="/sparkml/emr")
    client.create_log_stream(logGroupName="/sparkml/emr", logStreamName=stream)
    event = {"timestamp": round(time.time() * 1000), "message": text}
    client.put_log_events(logGroupName="/sparkml/emr", logStreamName=stream, logEvents=[event])
