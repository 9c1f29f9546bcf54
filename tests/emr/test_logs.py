"""A step's logs on S3: found by application id, read as they grow, waited for; `emr logs`."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from emr import cli
from emr.aws.client import connect
from emr.aws.logs.following import follow
from emr.aws.logs.pieces import S3Logs
from emr.aws.logs.place import logs_of
from emr.errors import AwsRefused, AwsUnreachable, NotFound
from tests.emr.endpoint import Fault
from tests.emr.logs_world import APPLICATION, QUICK, maker, quiet


@pytest.fixture
def here(emr_endpoint, tmp_path, bucket):
    return maker(emr_endpoint, tmp_path, bucket)


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

    def test_a_step_that_its_dead_cluster_left_running_is_not_waited_for_in_vain(self, here):
        """EMR may leave its state as it was: its logs are complete all the same."""
        world = here()
        step, cluster = world.run()
        stuck = replace(step, state="RUNNING", ended=None)
        dead = replace(cluster, state="TERMINATED", ended=step.ended - timedelta(minutes=1))
        logs, said = logs_of(world.aws, stuck, dead), []
        found = follow(world.aws, logs, stuck, dead, settle_s=8, pace=QUICK, report=said.append)
        assert "scored 3 rows" in "".join(piece.text for piece in found)
        assert [] == [text for text in said if "not complete" in text]

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
