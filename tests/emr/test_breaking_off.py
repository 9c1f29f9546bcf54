"""What a command leaves behind is told, whatever breaks it off; nothing is silently dropped."""

from __future__ import annotations

import json

import boto3
import pytest

from tests.emr.driver import last, write_job, write_spec
from tests.emr.endpoint import Fault
from tests.emr.small_cluster import small_cluster, until, until_step

pytestmark = pytest.mark.usefixtures("quick")


class TestUp:
    def test_a_quiet_one_that_waits_no_longer_names_its_cluster(
        self, emr, emr_endpoint, bucket, tmp_path
    ):
        emr_endpoint()
        up = ("up", "--spec", write_spec(tmp_path, bucket), "--quiet", "--timeout", "0s")
        status, _, err = emr(*up)
        (cluster,) = boto3.client("emr").list_clusters()["Clusters"]
        assert 29 == status
        assert f"cluster {cluster['Id']} (run id up-" in err

    def test_a_run_id_of_another_spec_or_of_no_characters_is_refused(
        self, emr, emr_endpoint, bucket, tmp_path
    ):
        emr_endpoint()
        up = ("up", "--spec", write_spec(tmp_path, bucket), "--run-id", "monday", "--no-wait")
        assert 0 == emr(*up)[0]
        status, _, err = emr(*up, "--cluster-set", "core.on_demand=2")
        assert (2, True) == (status, "has a cluster of another spec: j-" in last(err))
        assert 2 == emr(*up[:3], "--run-id", "")[0]

    def test_a_cluster_of_another_region_is_told_with_its_option(
        self, emr, emr_endpoint, bucket, tmp_path
    ):
        emr_endpoint()
        spec = write_spec(tmp_path, bucket, region="eu-west-1")
        status, out, err = emr("up", "--spec", spec)
        assert (0, True) == (status, "other commands need --region eu-west-1" in err), err
        assert 23 == emr("describe", out.strip())[0]
        assert 0 == emr("describe", out.strip(), "--region", "eu-west-1")[0]


class TestSubmit:
    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (("--image", "x"), "--image means nothing with --cluster"),
            (("--apply",), "it goes with --k8s"),
            (("--keep",), "--keep means nothing with --cluster"),
            (("--cluster-set", "core.on_demand=2"), "no spec to change"),
        ],
    )
    def test_an_option_that_would_be_dropped_is_refused(self, emr, options, said):
        status, _, err = emr("submit", "score", "-c", "x.yaml", "--cluster", "j-1", *options)
        assert (2, True) == (status, said in last(err)), err

    def test_two_regions_are_refused(self, emr, bucket, tmp_path):
        job, spec = write_job(tmp_path, bucket), write_spec(tmp_path, bucket)
        submit = ("submit", *job, "--transient", "--spec", spec, "--region", "eu-west-1")
        status, _, err = emr(*submit)
        assert (2, True) == (status, "and the spec us-east-1" in last(err))

    def test_a_failed_run_is_json_too(self, emr, emr_endpoint, driver, bucket, tmp_path):
        emr_endpoint(runner=driver.runner())
        driver.does(status=1)
        spec, job = write_spec(tmp_path, bucket), write_job(tmp_path, bucket)
        submit = ("submit", *job, "--transient", "--spec", spec, "--json")
        status, out, _ = emr(*submit, "--cache", tmp_path / "cache")
        told = json.loads(out)
        assert (26, "EMR_STEP_FAILED") == (status, told["error"]["code"])
        assert told["cluster"] in told["error"]["where"]

    def test_a_refusal_while_it_waits_names_the_step_that_runs_on(
        self, emr, emr_endpoint, driver, bucket, tmp_path
    ):
        emr_endpoint(
            runner=driver.runner(), faults=[Fault(kind="access-denied", operation="DescribeStep")]
        )
        driver.does(seconds=60)
        spec, job = write_spec(tmp_path, bucket), write_job(tmp_path, bucket)
        submit = ("submit", *job, "--transient", "--spec", spec, "--quiet", "--again")
        status, _, err = emr(*submit, "--cache", tmp_path / "cache")
        (cluster,) = boto3.client("emr").list_clusters()["Clusters"]
        assert 23 == status
        assert f"`emr down {cluster['Id']}` ends it and its cluster" in err
        assert "the same command without --again waits on" in err

    def test_a_run_that_was_done_before_says_that_nothing_ran(
        self, emr, emr_endpoint, driver, bucket, tmp_path
    ):
        emr_endpoint(runner=driver.runner())
        spec, job = write_spec(tmp_path, bucket), write_job(tmp_path, bucket)
        submit = ("submit", *job, "--transient", "--spec", spec, "--quiet")
        submit = (*submit, "--cache", tmp_path / "cache")
        assert "nothing ran anew" not in emr(*submit)[2]
        status, _, err = emr(*submit)
        assert (0, True) == (status, "nothing ran anew" in err and "--again" in err)


class TestEnding:
    def test_a_foreign_cluster_is_ended_only_when_told(self, emr, emr_endpoint):
        emr_endpoint()
        client = boto3.client("emr")
        theirs = client.run_job_flow(**small_cluster())["JobFlowId"]
        status, _, err = emr("down", theirs)
        assert (21, True) == (status, "--foreign" in last(err))
        assert 0 == emr("down", theirs, "--foreign")[0]

    def test_one_that_has_ended_is_no_problem_although_protected(
        self, emr, emr_endpoint, bucket, tmp_path
    ):
        endpoint = emr_endpoint()
        cluster = emr("up", "--spec", write_spec(tmp_path, bucket))[1].strip()
        assert 0 == emr("down", cluster)[0]
        endpoint.world.store.clusters[cluster].protected = True
        assert 0 == emr("down", cluster)[0]

    def test_one_refused_of_two_cancelled_is_no_success(
        self, emr, emr_endpoint, driver, bucket, tmp_path
    ):
        emr_endpoint(runner=driver.runner())
        cluster = emr("up", "--spec", write_spec(tmp_path, bucket))[1].strip()
        job = (*write_job(tmp_path, bucket), "--cluster", cluster, "--cache", tmp_path / "cache")
        done = json.loads(emr("submit", *job, "--json")[1])["step"]
        driver.does(seconds=60)
        runs = emr("submit", *job, "--no-wait", "--again")[1].split()[1]
        until_step(boto3.client("emr"), cluster, runs, "RUNNING")
        status, out, err = emr("cancel", cluster, done, runs)
        assert (23, True) == (status, done in last(err))
        assert "asked to stop" in out
        assert "refused" in out

    def test_others_clusters_are_not_reaped_unless_asked(
        self, emr, emr_endpoint, bucket, tmp_path, monkeypatch
    ):
        emr_endpoint()
        up = ("up", "--spec", write_spec(tmp_path, bucket), "--no-wait", "--ttl", "0s")
        monkeypatch.setenv("LOGNAME", "somebody")
        theirs = emr(*up)[1].strip()
        monkeypatch.setenv("LOGNAME", "me")
        reaped = lambda *o: [c["id"] for c in json.loads(emr("reap", "--json", *o)[1])]  # noqa: E731
        assert [] == reaped()
        assert [] == reaped("--all-owners", "--tag", "team=x")
        assert [theirs] == reaped("--owner", "somebody", "--dry-run")
        assert [theirs] == reaped("--all-owners")

    def test_one_that_cannot_be_ended_keeps_neither_the_others_nor_the_report(
        self, emr, emr_endpoint, bucket, tmp_path
    ):
        endpoint = emr_endpoint()
        up = ("up", "--spec", write_spec(tmp_path, bucket), "--no-wait", "--ttl", "0s")
        made = {emr(*up)[1].strip() for _ in range(2)}
        endpoint.faults.add(Fault(kind="access-denied", operation="TerminateJobFlows"))
        status, out, err = emr("reap", "--json")
        told = json.loads(out)
        assert made == {one["id"] for one in told}
        assert [False, True] == sorted(one["ended"] for one in told)
        assert (23, True) == (status, "not authorized" in last(err))

    def test_a_cluster_that_may_not_be_described_is_left_out(
        self, emr, emr_endpoint, bucket, tmp_path
    ):
        endpoint = emr_endpoint()
        cluster = emr("up", "--spec", write_spec(tmp_path, bucket))[1].strip()
        until(boto3.client("emr"), cluster, "WAITING")
        boto3.client("emr").run_job_flow(**small_cluster())
        endpoint.faults.add(Fault(kind="access-denied", operation="DescribeCluster"))
        status, out, _ = emr("list", "--all", "--json")
        assert (0, [cluster]) == (status, [one["id"] for one in json.loads(out)])
