"""One run id has one cluster, and all that it needs is stored before."""

from __future__ import annotations

import boto3
import pytest

from emr.aws.client import connect, throttled
from emr.aws.clusters import end, find, run_job_flow
from emr.aws.launch import launch
from emr.aws.pace import Pace
from emr.aws.sent_once import SENDS
from emr.aws.steps_sent import add_step
from emr.aws.stored_spec import spec_of, spec_text
from emr.aws.waiting import describe
from emr.errors import (
    AwsRefused,
    AwsUnreachable,
    NotFound,
    PackageDamaged,
)
from emr.package.stored import split
from emr.request.tags import OWNER_TAG, RUN_TAG, SPEC_TAG
from sparkml.errors import ConfigError
from tests.emr.driver import Driver
from tests.emr.endpoint import Fault
from tests.emr.small_cluster import shell, small_cluster, until
from tests.emr.submitting import QUICK, Here


@pytest.fixture
def here(emr_endpoint, tmp_path, bucket):
    def make(*faults):
        driver = Driver(tmp_path / "driver")
        return Here(emr_endpoint(runner=driver.runner(), faults=faults), driver, tmp_path, bucket)

    return make


class TestLaunch:
    def test_it_stores_the_spec_and_makes_the_security_configuration_once(self, here):
        world = here()
        cluster = world.launch(owner="tester").cluster_id
        tags = describe(world.aws, cluster).tags
        assert ("one", "tester") == (tags[RUN_TAG], tags[OWNER_TAG])
        assert tags[SPEC_TAG].startswith(f"s3://{world.bucket}/sparkml/specs/")
        assert world.spec == spec_of(world.aws, cluster)
        world.launch(run_id="two")
        asked = world.endpoint.requests.count("CreateSecurityConfiguration")
        kept = world.aws.emr.list_security_configurations()["SecurityConfigurations"]
        assert (2, 1) == (asked, len(kept))

    def test_the_same_run_id_never_makes_a_second_cluster(self, here):
        world = here()
        first, second = world.launch(), world.launch()
        assert (False, True) == (first.found, second.found)
        assert first.cluster_id == second.cluster_id
        assert 1 == world.made()

    def test_a_run_id_whose_cluster_aws_has_forgotten_gets_another(self, here):
        world = here()
        first = world.launch().cluster_id
        end(world.aws, [describe(world.aws, first)])
        until(world.aws.emr, first, "TERMINATED")
        world.endpoint.world.store.clusters.clear()
        assert not world.launch().found
        assert first not in world.alive()

    def test_the_same_run_id_in_another_region_is_another_cluster(self, here):
        """Two regions may share their artifacts, and their claims with them."""
        world = here()
        world.launch()
        there = connect("eu-west-1")
        spec = world.spec.model_copy(update={"region": "eu-west-1"})
        made = launch(there, spec, run_id="one", pace=QUICK, report=world.said.append)
        assert not made.found
        assert [made.cluster_id] == [c["Id"] for c in there.emr.list_clusters()["Clusters"]]

    def test_a_stored_spec_that_was_replaced_is_refused(self, here):
        """A submit takes roles and scripts from it: its name holds its hash, and must."""
        world = here()
        cluster = world.launch().cluster_id
        uri = describe(world.aws, cluster).tags[SPEC_TAG]
        bucket, key = split(uri)
        boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=b"name: evil\n")
        with pytest.raises(PackageDamaged, match=r"not the spec.*--spec FILE") as raised:
            spec_of(world.aws, cluster)
        assert uri == raised.value.where

    @pytest.mark.parametrize("kind", ["lost-reply", "internal-error", "throttling"])
    def test_a_lost_answer_makes_one_cluster(self, here, kind):
        world = here(Fault(kind=kind, operation="RunJobFlow"))
        cluster = world.launch().cluster_id
        assert [cluster] == world.alive()
        assert 1 == world.made()
        assert any("no answer" in text for text in world.said)

    def test_an_answer_that_never_comes_is_out_of_reach_and_makes_none(self, here):
        """Nothing was made, so the next client need not wait for this one."""
        world = here(Fault(kind="throttling", operation="RunJobFlow", times=SENDS))
        with pytest.raises(AwsUnreachable, match="Rate exceeded"):
            world.launch()
        assert 0 == world.made()
        world.launch()
        assert not any("waiting for that" in text for text in world.said)

    def test_a_price_above_the_limit_is_refused_before_any_call(self, here):
        world = here()
        world.spec = world.spec.model_copy(
            update={"limits": world.spec.limits.model_copy(update={"hourly_usd": 0.01})}
        )
        with pytest.raises(ConfigError, match="hourly_usd"):
            world.launch()
        assert [] == world.endpoint.requests

    def test_refused_access_makes_nothing(self, here):
        world = here(Fault(kind="access-denied", operation="RunJobFlow"))
        with pytest.raises(AwsRefused, match="not authorized"):
            world.launch()
        assert 0 == world.made()

    def test_a_cluster_of_somebody_else_is_none_of_ours(self, here):
        world = here()
        theirs = world.aws.emr.run_job_flow(**small_cluster())["JobFlowId"]
        assert None is find(world.aws, tag=RUN_TAG, value="one")
        with pytest.raises(NotFound, match=r"no tag sparkml:spec.*--spec FILE"):
            spec_of(world.aws, theirs)

    def test_the_stored_spec_says_what_differs_from_the_defaults(self, here):
        text = spec_text(here().spec)
        assert "name: small" in text
        assert "release:" not in text


class TestExactlyOnce:
    def test_a_cluster_of_another_run_is_not_taken_for_the_lost_one(self, here):
        world = here(Fault(kind="internal-error", operation="RunJobFlow"))
        tags = [{"Key": RUN_TAG, "Value": "mine"}]
        other = small_cluster(Tags=[{"Key": RUN_TAG, "Value": "other"}])
        world.endpoint.faults.add(Fault(kind="internal-error", operation="RunJobFlow"))
        options = {"pace": QUICK, "report": world.said.append}
        theirs = run_job_flow(world.aws, other, run_id="other", **options)
        mine = run_job_flow(world.aws, small_cluster(Tags=tags), run_id="mine", **options)
        assert theirs != mine

    @pytest.mark.parametrize(("refused", "sending"), [("ListClusters", 1), ("RunJobFlow", 2)])
    def test_a_refusal_after_a_lost_answer_is_no_refusal_of_the_request(
        self, here, refused, sending
    ):
        """Credentials that expire meanwhile say nothing of what the lost answer has made."""
        world = here(
            Fault(kind="lost-reply", operation="RunJobFlow"),
            Fault(kind="stale-lists", operation="ListClusters", after_s=60, times=999),
        )

        begun = []

        def expire():
            begun.append("sending")
            if len(begun) == sending:
                world.endpoint.faults.add(Fault(kind="expired-token", operation=refused))

        options = {"renew": expire, "pace": Pace(poll_s=0.02), "report": world.said.append}
        with pytest.raises(AwsUnreachable, match=r"had no answer, and then: .*expired"):
            run_job_flow(world.aws, small_cluster(), run_id="mine", **options)

    def test_a_claim_that_cannot_be_renewed_leaves_what_a_lost_answer_made_in_doubt(self, here):
        """S3 turned the renewing away, not EMR the request: the claim is not to be closed."""
        world = here(
            Fault(kind="lost-reply", operation="RunJobFlow"),
            Fault(kind="stale-lists", operation="ListClusters", after_s=60, times=999),
        )
        renewals = []

        def renew():
            renewals.append("asked")
            if len(renewals) == 2:
                raise AwsUnreachable("Please reduce your request rate. (SlowDown)")

        options = {"renew": renew, "pace": Pace(poll_s=0.02), "report": world.said.append}
        with pytest.raises(AwsUnreachable, match=r"had no answer, and then: .*SlowDown") as raised:
            run_job_flow(world.aws, small_cluster(), run_id="mine", **options)
        assert not throttled(raised.value)

    def test_a_refused_step_is_not_tried_again(self, here):
        world = here(Fault(kind="access-denied", operation="AddJobFlowSteps"))
        cluster = world.launch().cluster_id
        request = {"JobFlowId": cluster, "Steps": [shell("true", name="x [0123456789ab]")]}
        with pytest.raises(AwsRefused):
            add_step(world.aws, request, key="0123456789ab", pace=QUICK, report=world.said.append)
        assert 1 == world.endpoint.requests.count("AddJobFlowSteps")
