"""Of several clients that would make the same cluster or step, one makes it; lists may be late."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import replace

import boto3
import pytest

from emr.aws.claims import claim_uri, once
from emr.aws.pace import Pace
from emr.aws.sending import Sending
from emr.aws.steps_sent import steps_of
from emr.aws.store import MOST_BYTES
from emr.aws.waiting import describe
from emr.errors import AwsRefused, AwsUnreachable, PackageDamaged
from emr.package.stored import split
from tests.emr.driver import Driver
from tests.emr.endpoint import Fault
from tests.emr.submitting import Here

IMPATIENT = Pace(poll_s=0.05)  # a claim holds 5 s, and S3 tells its age in whole seconds
LATE = {"kind": "stale-lists", "times": 999}


@pytest.fixture
def here(emr_endpoint, tmp_path, bucket):
    def make(*faults):
        driver = Driver(tmp_path / "driver")
        return Here(emr_endpoint(runner=driver.runner(), faults=faults), driver, tmp_path, bucket)

    return make


def at_once(world, *options):
    """What two clients print that run the same command at the same time."""
    command = [
        sys.executable, "-m", "emr", "submit", *world.job, *options, "--json",
        "--cache", str(world.folder / "cache"),
    ]  # fmt: skip
    environment = {**os.environ, "SPARKML_EMR_POLL_S": "0.1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    clients = [subprocess.Popen(command, env=environment, **pipes) for _ in range(2)]
    said = [client.communicate(timeout=120) for client in clients]
    assert [0, 0] == [client.returncode for client in clients], said
    return [json.loads(out) for out, _ in said]


class TestTwoClients:
    def test_they_share_one_cluster_although_no_list_tells_of_it(self, here):
        world = here(Fault(operation="ListClusters", after_s=60, **LATE))
        one, other = at_once(world, "--transient", "--spec", world.spec_file)
        assert one["cluster"] == other["cluster"]
        assert [False, True] == sorted([one["attached"], other["attached"]])
        assert 1 == len(world.driver.runs) == len(world.endpoint.world.store.clusters)

    def test_they_share_one_step_although_no_list_tells_of_it(self, here):
        world = here()
        cluster = world.launch().cluster_id
        world.endpoint.faults.add(Fault(operation="ListSteps", after_s=60, **LATE))
        one, other = at_once(world, "--cluster", cluster)
        assert one["step"] == other["step"]
        assert 1 == len(world.driver.runs)


class TestLateLists:
    def test_a_lost_answer_and_a_late_list_make_one_cluster(self, here):
        world = here(
            Fault(kind="lost-reply", operation="RunJobFlow"),
            Fault(operation="ListClusters", after_s=1.0, **LATE),
        )
        world.launch()
        assert 1 == len(world.endpoint.world.store.clusters)

    def test_a_lost_answer_and_a_late_list_make_one_step(self, here):
        world = here(Fault(kind="lost-reply", operation="AddJobFlowSteps"))
        cluster = world.launch().cluster_id
        world.endpoint.faults.add(Fault(operation="ListSteps", after_s=1.0, **LATE))
        world.send(cluster)
        assert 1 == world.endpoint.requests.count("AddJobFlowSteps")

    def test_the_step_of_a_new_cluster_may_be_listed_late(self, here):
        world = here(Fault(operation="ListSteps", after_s=0.5, **LATE))
        sent = world.send()
        assert [sent.step_id] == [s.id for s in steps_of(world.aws, sent.cluster_id)]

    @pytest.mark.parametrize("again", [False, True])
    def test_a_while_without_answers_after_a_cluster_was_made_is_borne(
        self, here, monkeypatch, again
    ):
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        world = here(Fault(kind="throttling", operation="ListSteps", times=3))
        sent = world.send(again=again)
        assert [sent.step_id] == [s.id for s in steps_of(world.aws, sent.cluster_id)]
        assert any("out of reach" in text for text in world.said)

    def test_a_cluster_whose_step_may_not_be_asked_for_is_the_next_clients_too(self, here):
        """RunJobFlow was answered: whatever fails then, the claim names what it made."""
        world = here(
            Fault(operation="ListClusters", after_s=60, **LATE),
            Fault(kind="access-denied", operation="ListSteps"),
        )
        with pytest.raises(AwsRefused, match="not authorized"):
            world.send()
        second = world.send()
        assert [second.cluster_id] == list(world.endpoint.world.store.clusters)
        assert (True, False) == (second.attached, second.made)
        assert "COMPLETED" == world.finish(second).step.state
        assert 1 == len(world.driver.runs)

    def test_a_step_that_ended_with_its_cluster_between_two_looks_is_the_run(self, here):
        """Seen running, and its cluster seen ended: it is asked for again, and not run anew."""
        world = here()
        sent = world.send()
        ended = world.finish(sent).step
        while describe(world.aws, sent.cluster_id).alive:
            time.sleep(0.05)
        sending = Sending(
            aws=world.aws, config={}, key=ended.key, role=None, again=False, artifacts="",
            kms_key=None, on_made=world.said.append, pace=IMPATIENT, report=world.said.append,
        )  # fmt: skip

        place = sending._place(sent.cluster_id, replace(ended, state="RUNNING", ended=None))

        assert (sent.step_id, ended.ended) == (place.step_id, place.done)


class TestClaim:
    """`once` by itself, on a real S3 server."""

    def asked(self, world, made, name="x", **answers):
        return once(
            world.aws,
            claim_uri(world.spec.artifacts, "us-east-1", name),
            look=lambda hint: hint or None,
            make=lambda renew: answers["make"](renew) if "make" in answers else made,
            name_of=str,
            kms_key=answers.get("kms_key"),
            pace=IMPATIENT,
            report=world.said.append,
        )

    def write(self, world, **values):
        bucket, key = split(claim_uri(world.spec.artifacts, "us-east-1", "x"))
        boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=json.dumps(values).encode())

    def test_what_the_first_made_is_what_the_second_gets(self, here):
        world = here()
        assert ["j-1", "j-1"] == [self.asked(world, "j-1"), self.asked(world, "j-2")]

    def test_a_dead_clients_claim_is_waited_for_and_taken_over(self, here):
        world = here()
        self.write(world, host="there", pid=7, ended=False)
        began = time.monotonic()
        assert "j-2" == self.asked(world, "j-2")
        assert time.monotonic() - began > IMPATIENT.claim_s / 2
        assert any("process 7 on there" in text for text in world.said)

    def test_a_refusal_leaves_the_claim_to_the_next(self, here):
        world = here()

        def refused(renew):
            renew()
            raise AwsRefused("no")

        with pytest.raises(AwsRefused, match="no"):
            self.asked(world, "", make=refused)
        began = time.monotonic()
        assert "j-2" == self.asked(world, "j-2")
        assert time.monotonic() - began < IMPATIENT.claim_s / 2

    @pytest.mark.parametrize(
        ("sent", "said", "waits"),
        [
            (True, "no answer", True),
            (False, "no answer", False),
            (True, "Rate exceeded (ThrottlingException)", False),
        ],
        ids=["sent", "not-sent", "throttled"],
    )
    def test_without_an_answer_the_next_client_waits_if_anything_may_be_made(
        self, here, sent, said, waits
    ):
        """What was sent may show late; what AWS turned away made nothing."""
        world = here()

        def lost(renew):
            if sent:
                renew()
            raise AwsUnreachable(said)

        with pytest.raises(AwsUnreachable, match=re.escape(said)):
            self.asked(world, "", make=lost)
        began = time.monotonic()
        assert "j-2" == self.asked(world, "j-2")
        assert waits == (time.monotonic() - began > IMPATIENT.claim_s / 2)

    def test_what_is_too_large_for_a_claim_is_not_read_whole_nor_taken_over(self, here):
        world = here()
        bucket, key = split(claim_uri(world.spec.artifacts, "us-east-1", "x"))
        boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=bytes(MOST_BYTES + 1))
        with pytest.raises(PackageDamaged, match="larger than 16 MiB"):
            self.asked(world, "j-1")

    def test_the_claim_is_encrypted_with_the_specs_key(self, here):
        world, key = here(), "arn:aws:kms:us-east-1:123456789012:key/0123"
        self.asked(world, "j-1", kms_key=key)
        bucket, name = split(claim_uri(world.spec.artifacts, "us-east-1", "x"))
        told = boto3.client("s3").head_object(Bucket=bucket, Key=name)
        assert ("aws:kms", key) == (told["ServerSideEncryption"], told["SSEKMSKeyId"])

    def test_a_client_that_was_taken_over_sends_nothing_more(self, here):
        world = here()

        def slow(renew):
            self.write(world, host="there", pid=7, ended=False)
            renew()

        with pytest.raises(ConnectionError, match="taken over"):
            self.asked(world, "", make=slow)
