"""A step's logs in CloudWatch: which streams are its own, and read to their end."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from emr.aws.client import connect
from emr.aws.logs.cloudwatch import QUIET_LOOKS, WHOLE_EVERY, CloudWatchLogs
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


def told(logs, step, looks=1):
    """What so many looks bring."""
    return [piece.text for _ in range(looks) for piece in logs.read(step)]


def test_of_a_shared_group_only_the_newest_streams_are_listed(group):
    """Once ours is known: to the first that was last written before the step was made."""
    endpoint, logs = group(*OTHERS, OURS, EMPTY)
    assert ["scored\n"] == told(logs, a_step())
    whole = endpoint.asked("DescribeLogStreams")
    assert [] == told(logs, a_step())
    two_a_page = (len(OTHERS) + 2) // 2
    assert (two_a_page, 1) == (whole, endpoint.asked("DescribeLogStreams") - whole)


def test_a_step_that_waits_its_turn_does_not_have_the_whole_group_listed(group):
    endpoint, logs = group(*OTHERS, EMPTY)
    told(logs, replace(a_step(), started=None))
    whole = endpoint.asked("DescribeLogStreams")
    told(logs, replace(a_step(), started=None), looks=WHOLE_EVERY - 1)
    assert whole + WHOLE_EVERY - 1 == endpoint.asked("DescribeLogStreams")


UNTOLD = {"none": None, "late": MADE_S - 3_600}
"""AWS tells the last event's time when it pleases; a running step's stream has none at first."""


@pytest.mark.parametrize("last_s", UNTOLD.values(), ids=UNTOLD)
@pytest.mark.parametrize("state", ["RUNNING", "COMPLETED"])
def test_a_stream_whose_time_is_not_told_is_found_at_the_first_look(group, state, last_s):
    """`emr logs` without --follow looks once."""
    _, logs = group(*OTHERS, replace(OURS, last_s=last_s))
    assert ["scored\n"] == told(logs, a_step(state))


@pytest.mark.parametrize("state", ["RUNNING", "COMPLETED"])
def test_a_drivers_stream_whose_time_is_not_told_is_found_after_the_steps_own(group, state):
    endpoint, logs = group(*OTHERS, OURS)
    running = replace(a_step(), applications=(APPLICATION,))
    assert ["scored\n"] == told(logs, running)
    endpoint.streams += (Stream(name=f"{APPLICATION}/stderr", pages=(("driver",),)),)
    assert ["driver\n"] == told(logs, replace(running, state=state))


def test_a_second_stream_whose_time_is_not_told_is_found_while_the_step_runs(group):
    """One look in so many lists the whole group."""
    endpoint, logs = group(*OTHERS, OURS)
    told(logs, a_step())
    endpoint.streams += (Stream(name=f"{STEP}/stderr", pages=(("warned",),)),)
    assert ["warned\n"] == told(logs, a_step(), looks=WHOLE_EVERY)


def test_a_stream_that_is_known_is_read_whatever_the_list_tells(group):
    endpoint, logs = group(*OTHERS, replace(OURS, last_s=None))
    told(logs, a_step())
    endpoint.streams = (*OTHERS, replace(OURS, last_s=None, pages=(("scored",), ("more",))))
    assert ["more\n"] == told(logs, a_step())


def test_an_ended_step_is_settled_after_so_many_looks_without_anything_new(group):
    _, logs = group(*OTHERS, OURS)
    settled = []
    for _ in range(1 + QUIET_LOOKS):
        told(logs, a_step("COMPLETED"))
        settled.append(logs.settled(a_step("COMPLETED")))
    assert [False] * QUIET_LOOKS + [True] == settled


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
