"""A step's logs: found by application id, read as they grow, and the cause found in them."""

from __future__ import annotations

import contextlib
import gzip
import re
import sys
import threading
import time
import tracemalloc
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest

from emr import cli
from emr.aws.client import connect
from emr.aws.logs.cause import cause_of
from emr.aws.logs.following import collect, follow
from emr.aws.logs.pieces import S3Logs, logs_of
from emr.aws.logs.printable import printable
from emr.aws.logs.tail import LONGEST, Tail, Unpacked
from emr.aws.observed import LogGroup
from emr.aws.pace import Pace
from emr.aws.waiting import look
from emr.errors import AwsRefused, AwsUnreachable, NotFound
from tests.emr.driver import Driver
from tests.emr.endpoint import Fault
from tests.emr.small_cluster import shell, small_cluster, until_step

QUICK = Pace(poll_s=0.1)
APPLICATION = "application_1700000000000_0001"


def quiet(_text):
    """Nobody listens."""


class TestTail:
    def test_only_what_is_new_comes_out(self):
        tail = Tail()
        assert "one\n" == tail.add([gzip.compress(b"one\n")])
        assert "" == tail.add([gzip.compress(b"one\n")])
        assert "two\n" == tail.add([gzip.compress(b"one\ntwo\n")])

    def test_a_file_that_is_cut_off_gives_what_it_has_and_the_rest_later(self):
        text = "".join(f"line {n}\n" for n in range(5_000))
        whole = gzip.compress(text.encode())
        tail = Tail()
        first = tail.add([whole[: len(whole) // 2]])
        assert first
        assert not tail.whole
        assert text == first + tail.add([whole])
        assert tail.whole

    def test_a_letter_cut_in_two_is_not_broken(self):
        tail = Tail()
        assert "na" == tail.add(["naïve".encode()[:3]])
        assert "ïve" == tail.add(["naïve".encode()])

    def test_several_members_are_one_file(self):
        assert (b"ab", True) == unpacked(gzip.compress(b"a") + gzip.compress(b"b"))

    def test_damaged_bytes_give_what_came_before_them(self):
        whole = gzip.compress(b"x" * 100_000)
        text, complete = unpacked(gzip.compress(b"fine") + whole[:20] + b"\xff" * 40)
        assert text.startswith(b"fine")
        assert not complete

    def test_chunks_of_any_size_give_the_same(self):
        text = "".join(f"line {n} ï\n" for n in range(5_000))
        whole = gzip.compress(text.encode())
        for size in (1, 7, 1_000):
            tail = Tail()
            assert text == tail.add(whole[at : at + size] for at in range(0, len(whole), size))
            assert tail.whole

    def test_of_a_giant_only_the_end_is_kept_and_never_all_of_it_in_memory(self):
        packer = zlib.compressobj(6, wbits=31)
        lines = (b"x" * 99 + b"\n") * 100_000
        body = b"".join(packer.compress(lines) for _ in range(20)) + packer.compress(b"last\n")
        body += packer.flush()
        tail = Tail()
        tracemalloc.start()
        try:
            text = tail.add([body])
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        note, _, rest = text.partition("\n")
        assert re.fullmatch(r"\[[\d,]{11} bytes before this are left out\]", note)
        assert set(rest.splitlines()) == {"x" * 99, "last"}
        assert LONGEST >= len(rest) > LONGEST - 100
        assert most < 8 * LONGEST, "200 MB were never unpacked at once"
        assert "" == tail.add([body]), "what was left out is not told later"

    def test_an_upload_whose_reading_fails_is_read_again_whole(self):
        tail = Tail()

        def broken():
            yield b"one\nna\xc3"
            raise OSError("cut off")

        with pytest.raises(OSError, match="cut off"):
            tail.add(broken())
        assert "one\nnaïve" == tail.add(["one\nnaïve".encode()])


def unpacked(body):
    """What a gzip file holds, and whether it is all there."""
    file = Unpacked([body])
    return b"".join(file), file.whole


class TestCause:
    def test_our_own_last_line_comes_before_any_traceback(self):
        stderr = (
            "Traceback (most recent call last):\n  File 'x'\nKeyError: 'a'\n"
            "ERROR SINK_NOT_WRITABLE: no such bucket | s3://b | fix: make it\n"
        )
        assert "ERROR SINK_NOT_WRITABLE: no such bucket | s3://b | fix: make it" == cause_of(stderr)

    def test_it_may_stand_in_stdout(self):
        stdout = "ERROR MODEL_NOT_FOUND: no version 9\n"
        assert "ERROR MODEL_NOT_FOUND: no version 9" == cause_of("26/11/21 INFO x: y\n", stdout)

    def test_a_loggers_line_is_not_ours(self):
        assert "" == cause_of("26/11/21 10:00:00 ERROR Executor: lost\n")

    def test_a_tracebacks_last_line(self):
        stderr = (
            "Traceback (most recent call last):\n"
            '  File "a.py", line 1, in <module>\n    f()\n'
            "ValueError: the last one counts\nmore log\n"
        )
        assert "ValueError: the last one counts" == cause_of(stderr)

    def test_nothing_that_a_terminal_obeys_comes_out(self):
        stderr = (
            "Traceback (most recent call last):\n  f()\n"
            "ValueError: \x1b]0;title\x07\x1b[2J\x1b[31mbad\x1b[0m\u202e\x9b\n"
        )
        assert "ValueError: bad\ufffd\ufffd" == cause_of(stderr)
        assert "tab\tand newline\n" == printable("tab\tand newline\r\n")

    @pytest.mark.parametrize(
        "line",
        [
            "Required executor memory (9216 MB) is above the max threshold (6144 MB)!",
            "Container killed by YARN for exceeding physical memory limits. 5 GB of 5 GB used.",
            "Container killed on request. Exit code is 137",
        ],
    )
    def test_limits_of_yarn(self, line):
        assert line == cause_of(f"INFO Client: x\njava.lang.IllegalArgumentException: {line}\n")

    def test_yarns_diagnostics_when_nothing_else_is_said(self):
        stderr = "\t diagnostics: N/A\n\t diagnostics: User application exited with status 1\n"
        assert "User application exited with status 1" == cause_of(stderr)

    def test_a_java_exception(self):
        stderr = 'Exception in thread "main" org.apache.spark.SparkException: no\n\tat x\n'
        assert "org.apache.spark.SparkException: no" == cause_of(stderr)


class Here:
    """A cluster with a driver that does what it is told, and its logs on S3."""

    def __init__(self, endpoint, driver, bucket, *, logs=True, **changes):
        self.aws, self.driver, self.faults = connect("us-east-1"), driver, endpoint.faults
        uri = {"log_uri": f"s3n://{bucket}/logs/"} if logs else {}
        request = small_cluster(**uri, **changes)
        self.cluster = self.aws.emr.run_job_flow(**request)["JobFlowId"]

    def run(self, *argv, state="COMPLETED"):
        """A step's id, once it is in a state."""
        step = shell("") | {
            "HadoopJarStep": {"Jar": "command-runner.jar", "Args": list(argv or ["spark-submit"])}
        }
        added = self.aws.emr.add_job_flow_steps(JobFlowId=self.cluster, Steps=[step])
        (step_id,) = added["StepIds"]
        until_step(self.aws.emr, self.cluster, step_id, state)
        return look(self.aws, self.cluster, step_id)

    def collect(self, step, cluster, settle_s=20.0):
        return collect(self.aws, step, cluster, settle_s=settle_s, pace=QUICK, report=quiet)


@pytest.fixture
def here(emr_endpoint, tmp_path, bucket):
    def make(*faults, **changes):
        driver = Driver(tmp_path / "driver")
        return Here(emr_endpoint(runner=driver.runner(), faults=faults), driver, bucket, **changes)

    return make


class TestS3:
    def test_the_driver_is_found_by_its_application_and_executors_are_not_shown(self, here):
        world = here()
        said = world.collect(*world.run())
        assert "attempt 1\nscored 3 rows\n" == said.stdout
        assert (APPLICATION,) == said.applications
        assert "" == said.missing

    def test_the_last_attempt_of_a_driver_counts(self, here):
        world = here()
        world.driver.does(attempts=2)
        assert "attempt 2\nscored 3 rows\n" == world.collect(*world.run()).stdout

    def test_in_client_mode_the_steps_own_output_is_the_drivers(self, here):
        world = here()
        assert "plain\n" == world.collect(*world.run("sh", "-c", "echo plain")).stdout

    def test_the_cause_is_found_in_the_drivers_log(self, here):
        world = here()
        world.driver.does(stderr="ERROR SINK_INVALID: no | there | fix: do\n", status=1)
        said = world.collect(*world.run(state="FAILED"))
        assert "ERROR SINK_INVALID: no | there | fix: do" == said.cause

    def test_an_application_that_only_stderr_names_is_found_too(self, here):
        world = here()
        step, cluster = world.run()
        logs = S3Logs(aws=world.aws, root=str(cluster.logs))
        blind = type(step)(**{n: getattr(step, n) for n in step.__slots__} | {"applications": ()})
        pieces = list(
            follow(world.aws, logs, blind, cluster, settle_s=20, pace=QUICK, report=quiet)
        )
        assert "scored 3 rows" in "".join(p.text for p in pieces if p.of_driver)

    def test_logs_that_come_late_are_waited_for(self, here):
        world = here(Fault(kind="logs-late", after_s=1.0))
        assert "scored 3 rows" in world.collect(*world.run()).stdout

    def test_logs_that_never_come_are_said_to_be_missing(self, here):
        world = here(Fault(kind="logs-missing"))
        said = world.collect(*world.run(), settle_s=0.5)
        assert "" == said.stdout
        assert "no logs" in said.missing

    def test_a_growing_log_is_followed_piece_by_piece(self, here):
        world = here()
        go = world.driver.home / "go"
        script = f"echo one; until [ -e {go} ]; do sleep 0.1; done; echo two"
        step, cluster = world.run("sh", "-c", script, state="RUNNING")
        logs = logs_of(world.aws, step, cluster)
        pieces = []
        for piece in follow(world.aws, logs, step, cluster, settle_s=20, pace=QUICK, report=quiet):
            if piece.stream == "stdout":
                pieces.append(piece.text)
                world.driver.go()
        assert ["one\n", "two\n"] == pieces

    def test_an_outage_while_following_is_borne(self, here, monkeypatch):
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        world = here()
        go = world.driver.home / "go"
        script = f"until [ -e {go} ]; do sleep 0.1; done; echo two"
        step, cluster = world.run("sh", "-c", script, state="RUNNING")
        world.faults.add(Fault(kind="internal-error", operation="DescribeStep", times=3))
        world.driver.go()
        logs, said = logs_of(world.aws, step, cluster), []
        pieces = follow(world.aws, logs, step, cluster, settle_s=20, pace=QUICK, report=said.append)
        assert "two\n" in [piece.text for piece in pieces]
        assert any("out of reach" in text for text in said)

    def test_what_was_read_before_an_outage_is_not_lost(self, here):
        world = here()
        step, cluster = world.run()
        assert world.collect(step, cluster).stdout
        there = S3Logs._list
        whole = [piece.text for piece in logs_of(world.aws, step, cluster).read(step)]

        class Breaks(S3Logs):
            """It reads the step's own logs, and then AWS is away."""

            away = True

            def _list(self, below):
                if self.away and below.startswith("containers"):
                    raise AwsUnreachable("no answer")
                return there(self, below)

        logs = Breaks(aws=world.aws, root=str(cluster.logs))
        with pytest.raises(AwsUnreachable):
            logs.read(step)
        logs.away = False
        assert whole == [piece.text for piece in logs.read(step)]

    def test_what_is_not_asked_for_is_not_fetched(self, here):
        world = here()
        step, cluster = world.run()
        world.collect(step, cluster)
        fetched = []
        world.aws.s3.meta.events.register(
            "provide-client-params.s3.GetObject", lambda params, **_: fetched.append(params["Key"])
        )
        logs = logs_of(world.aws, step, cluster)
        logs.only = "stdout"
        pieces = list(follow(world.aws, logs, step, cluster, settle_s=20, pace=QUICK, report=quiet))
        assert {"stdout"} == {piece.stream for piece in pieces}
        assert {"stdout.gz"} == {key.rpartition("/")[2] for key in fetched}

    def test_a_cluster_without_an_address_for_logs_says_so(self, here):
        world = here(logs=False)
        step, cluster = world.run()
        with pytest.raises(NotFound, match=r"no LogUri.*logs.s3"):
            logs_of(world.aws, step, cluster)
        assert "no LogUri" in world.collect(step, cluster).missing

    def test_a_key_that_we_may_not_use_is_named(self, here, monkeypatch):
        world = here()
        step, cluster = world.run()
        with sealed_s3() as address:
            monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
            sealed = connect("us-east-1")
            with pytest.raises(AwsRefused, match="fix: grant kms:Decrypt"):
                logs_of(sealed, step, cluster).read(step)


class TestCloudWatch:
    def test_streams_of_the_step_and_its_application_are_followed(self, here, aws_environment):
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

    def test_s3_can_be_asked_for_instead(self, here):
        world = here()
        step, cluster = world.run()
        assert isinstance(logs_of(world.aws, step, cluster, s3=True), S3Logs)


class TestCommand:
    """`emr logs`, in this process."""

    def asked(self, monkeypatch, capsys, *arguments):
        monkeypatch.setattr(sys, "argv", ["emr", "logs", *arguments])
        monkeypatch.setenv("SPARKML_EMR_POLL_S", "0.1")
        capsys.readouterr()
        return cli.status(), *capsys.readouterr()

    def test_the_cause_is_told_though_its_log_is_not_shown(self, here, monkeypatch, capsys):
        world = here()
        world.driver.does(stderr="ERROR SINK_INVALID: no | there | fix: do\n", status=1)
        step, cluster = world.run(state="FAILED")
        world.collect(step, cluster)
        arguments = (cluster.id, step.id, "--only", "stdout")
        status, out, err = self.asked(monkeypatch, capsys, *arguments)
        assert (0, "attempt 1\nscored 3 rows\n") == (status, out)
        assert "ERROR SINK_INVALID: no" in err

    def test_following_bears_an_outage_from_its_first_look_on(self, here, monkeypatch, capsys):
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        world = here()
        step, cluster = world.run()
        world.faults.add(Fault(kind="internal-error", operation="DescribeStep", times=3))
        arguments = (cluster.id, step.id, "--follow", "--only", "stdout")
        status, out, err = self.asked(monkeypatch, capsys, *arguments)
        assert (0, "attempt 1\nscored 3 rows\n") == (status, out), err
        assert "out of reach" in err


def put(stream, text):
    """One event of a stream in CloudWatch."""
    client = boto3.client("logs")
    with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
        client.create_log_group(logGroupName="/sparkml/emr")
    client.create_log_stream(logGroupName="/sparkml/emr", logStreamName=stream)
    event = {"timestamp": round(time.time() * 1000), "message": text}
    client.put_log_events(logGroupName="/sparkml/emr", logStreamName=stream, logEvents=[event])


class sealed_s3:  # noqa: N801  # a context manager, used as a function
    """An S3 that lists one log, and refuses it as S3 does where KMS denies the key."""

    LISTED = (
        "<ListBucketResult><Contents><Key>logs/x/stderr.gz</Key><ETag>e</ETag><Size>3</Size>"
        "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
        "<IsTruncated>false</IsTruncated></ListBucketResult>"
    )
    DENIED = (
        "<Error><Code>AccessDenied</Code><Message>User: arn:aws:iam::123456789012:user/tester is "
        "not authorized to perform: kms:Decrypt on the resource</Message></Error>"
    )

    def __enter__(self):
        listed, denied = self.LISTED, self.DENIED

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                status, body = (200, listed) if "list-type" in self.path else (403, denied)
                self.send_response(status)
                self.send_header("Content-Type", "application/xml")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
