"""Steps are listed no further than they are needed, and an idle cluster is one without work."""

from __future__ import annotations

from datetime import timedelta

import boto3
import pytest

from emr.aws.client import connect
from emr.aws.pace import Pace
from emr.aws.reap import reap
from emr.aws.steps_sent import add_step, steps_of
from emr.request.tags import RUN_TAG
from tests.emr.endpoint import Fault, Settings
from tests.emr.small_cluster import shell, small_cluster, until, until_step

KEY = "0123456789ab"


@pytest.fixture
def endpoint(emr_endpoint):
    return emr_endpoint(settings=Settings(page_size=2))


@pytest.fixture
def cluster(endpoint):
    """A cluster of ours, ready for steps."""
    client = boto3.client("emr")
    made = client.run_job_flow(**small_cluster(Tags=[{"Key": RUN_TAG, "Value": "x"}]))["JobFlowId"]
    until(client, made, "WAITING")
    return made


def add(cluster, *steps):
    """Steps added by somebody else; their ids."""
    return boto3.client("emr").add_job_flow_steps(JobFlowId=cluster, Steps=list(steps))["StepIds"]


class TestPages:
    def test_the_latest_step_costs_one_page_of_many(self, endpoint, cluster):
        added = add(cluster, *[shell("true")] * 5)
        assert added[-1] == next(steps_of(connect("us-east-1"), cluster)).id
        assert 1 == endpoint.requests.count("ListSteps")
        assert added == [step.id for step in steps_of(connect("us-east-1"), cluster)][::-1]

    def test_a_lost_step_is_told_from_older_ones_of_its_run_on_one_page_a_look(
        self, endpoint, cluster
    ):
        ours = shell("true", name=f"x [{KEY}]")
        before = add(cluster, *[ours] * 4)
        endpoint.faults.add(Fault(kind="lost-reply", operation="AddJobFlowSteps"))
        request = {"JobFlowId": cluster, "Steps": [ours]}
        said = []
        found = add_step(
            connect("us-east-1"), request, key=KEY, pace=Pace(poll_s=0.1), report=said.append
        )
        assert found not in before
        assert 2 == endpoint.requests.count("AddJobFlowSteps")  # theirs and ours, which was lost
        assert 2 == endpoint.requests.count("ListSteps")

    def test_of_nothing_but_older_steps_none_is_taken_for_the_lost_one(self, endpoint, cluster):
        ours = shell("true", name=f"x [{KEY}]")
        before = add(cluster, ours)
        endpoint.faults.add(Fault(kind="internal-error", operation="AddJobFlowSteps"))
        request = {"JobFlowId": cluster, "Steps": [ours]}
        said = []
        found = add_step(
            connect("us-east-1"), request, key=KEY, pace=Pace(poll_s=0.02), report=said.append
        )
        assert [found, *before] == [step.id for step in steps_of(connect("us-east-1"), cluster)]


class TestIdle:
    def test_one_that_got_a_step_since_it_was_described_is_not_ended(self, endpoint, cluster):
        """DescribeCluster says WAITING, then somebody submits: that run must live."""
        aws, running = connect("us-east-1"), []

        def submit(**_):
            if not running:
                running.extend(add(cluster, shell("sleep 30")))
                until_step(boto3.client("emr"), cluster, running[0], "RUNNING")

        aws.emr.meta.events.register("after-call.emr.DescribeCluster", submit)
        assert [] == reap(aws, idle_for=timedelta(0))
        until_step(boto3.client("emr"), cluster, running[0], "RUNNING")
        assert "RUNNING" == next(steps_of(aws, cluster)).state

    def test_one_whose_steps_are_done_is_ended(self, endpoint, cluster):
        (step,) = add(cluster, shell("true"))
        until_step(boto3.client("emr"), cluster, step, "COMPLETED")
        until(boto3.client("emr"), cluster, "WAITING")
        (found,) = reap(connect("us-east-1"), idle_for=timedelta(0))
        assert (cluster, True) == (found.cluster.id, found.ended)
