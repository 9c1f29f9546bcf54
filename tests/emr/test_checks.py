"""A spec or a run that EMR would refuse, or that our rules forbid, is refused before any call."""

import boto3
import pytest

from emr.errors import RequestRefused
from emr.job_run import JobRun
from emr.request.capacity import most_nodes
from emr.request.checks import check_run, check_spec
from emr.request.cluster import cluster_request
from emr.request.tags import KEY_TAG, OWNER_TAG, SPEC_TAG, UNTIL_TAG
from sparkml.errors import ConfigError
from tests.emr.golden import SPECS, shipped
from tests.emr.rich_cluster import ROLE, plain, rich

FLEETS = {"layout": "fleets"}


def nodes(types="m7g.xlarge", on_demand=1, **more):
    return {"types": types, "on_demand": on_demand, **more}


def types_with(number, **more):
    """So many types of one architecture and size or larger."""
    families = ("m6g", "m7g", "r6g", "r7g", "c6g", "c7g", "m6gd", "m7gd")
    sizes = ("xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge")
    return [{"type": f"{f}.{s}", **more} for s in sizes for f in families][:number]


WRONG = [
    ({"release": "emr-7.14.0"}, "release", "needs Spark 4.0 or later"),
    ({"release": "emr-spark-8.1"}, "release", "is no release's label"),
    ({"core": nodes("m7g.xxlarge")}, "types", "'m7g.xxlarge' is not known"),
    ({"core": nodes("m7i.xlarge"), "task": [nodes()]}, "core.types", "two architectures"),
    (
        {"gpu": "python", "primary": nodes("m7i.xlarge")},
        "core.types",
        "is arm64, where EMR has no GPU software",
    ),
    ({"limits": {"nodes": 2}}, "limits.nodes", "may come to have 3 nodes, 2 are allowed"),
    # groups
    ({"core": nodes(["m7g.xlarge", "m6g.xlarge"])}, "core.types", "an instance group has one type"),
    ({"core": nodes(spot=1)}, "core", "either On-Demand or Spot"),
    ({"core": nodes([{"type": "m7g.xlarge", "weight": 2}])}, "core.types", "knows no weight"),
    ({"core": nodes(spot_strategy="diversified")}, "core.spot_strategy", "knows no spot_strategy"),
    ({"core": nodes(on_demand=0)}, "core", "it has no node"),
    ({"primary": nodes(on_demand=2)}, "primary", "2 primary nodes"),
    ({"task": [nodes()] * 49}, "task", "49 kinds of task nodes, groups allow 48"),
    ({"network": {"subnets": ["subnet-01234567"] * 2}}, "network.subnets", "in one subnet"),
    # fleets
    (
        {**FLEETS, "core": nodes(types_with(31)), "primary": nodes()},
        "core.types",
        "31 types, a fleet has at most 30",
    ),
    ({**FLEETS, "core": nodes(["m7g.xlarge"] * 2)}, "core.types", "'m7g.xlarge' stands twice"),
    ({**FLEETS, "task": [nodes(), nodes()]}, "task", "2 kinds of task nodes, fleets allow 1"),
    (
        {**FLEETS, "core": nodes([{"type": "m7g.xlarge", "bid_percent": 50.0}])},
        "core.types",
        "bid_percent without a Spot unit",
    ),
    (
        {**FLEETS, "core": nodes(on_demand_strategy="prioritized")},
        "core.types",
        "the strategy prioritized needs priorities",
    ),
    (
        {**FLEETS, "core": nodes([{"type": "m7g.xlarge", "priority": 1.0}])},
        "core.types",
        "no strategy that reads them",
    ),
    # volumes
    (
        {"core": nodes(volumes=[{"gib": 50, "type": "gp2", "iops": 3_000}])},
        "core.volumes[0].iops",
        "gp2 has no iops",
    ),
    (
        {"core": nodes(volumes=[{"gib": 50, "type": "io2"}])},
        "core.volumes[0].iops",
        "io2 needs iops",
    ),
    (
        {"core": nodes(volumes=[{"gib": 50, "type": "st1"}])},
        "core.volumes[0].gib",
        "at least 125 GiB",
    ),
    (
        {"core": nodes(volumes=[{"gib": 50, "iops": 20_000}])},
        "core.volumes[0].iops",
        "gp3 has 3,000 to 16,000",
    ),
    # scaling
    (
        {"scaling": {"unit": "fleet-units", "minimum": 1, "maximum": 9}},
        "scaling.unit",
        "groups do not scale in fleet-units",
    ),
    (
        {"scaling": {"unit": "instances", "minimum": 1, "maximum": 9, "maximum_core": 10}},
        "scaling.maximum_core",
        "10 is above the maximum of 9",
    ),
    (
        {"scaling": {"unit": "instances", "minimum": 1, "maximum": 9, "maximum_core": 1}},
        "scaling.maximum_core",
        "the core has 2 units",
    ),
    (
        {"scaling": {"unit": "vcpu", "minimum": 1, "maximum": 400}},
        "limits.nodes",
        "may come to have 101 nodes, 50 are allowed",
    ),
    # names
    ({"region": "us-esat-1"}, "region", "did you mean us-west-1 or us-east-1"),
    ({"region": "us east 1"}, "region", "AWS has no region 'us east 1'"),
    ({"applications": ["Livyy"]}, "applications", "no application 'Livyy'"),
    (
        {"applications": ["JupyterEnterpriseGateway"], "roles": {"runtime": ROLE}},
        "applications",
        "steps have roles of their own",
    ),
    ({"roles": {"runtime": "score"}}, "roles.runtime", "'score' is no role ARN"),
    ({"security": {"at_rest_kms_key": "alias/mine"}}, "security.at_rest_kms_key", "no KMS key"),
    (
        {"security": {"at_rest_kms_key": "arn:aws:kms:us-east-1:123456789012:alias/mine"}},
        "security.at_rest_kms_key",
        "describe-key",
    ),
    (
        {"security": {"at_rest_kms_key": "arn:aws:kms:eu-west-1:123456789012:key/0123"}},
        "security.at_rest_kms_key",
        "the key is of eu-west-1",
    ),
    ({"security": {"in_transit_certificates": "s3://bkt/x.pem"}}, "security", "no zip file on S3"),
    ({"artifacts": "s3://Bucket_1/x"}, "artifacts", "no folder on S3"),
    ({"network": {"subnets": ["vpc-1"]}}, "network.subnets", "'vpc-1' is no subnet"),
    (
        {"network": {"primary_group": "sg-01234567"}},
        "network.primary_group",
        "one of the two EMR-managed",
    ),
    (
        {"network": {"service_group": "sg-01234567"}},
        "network.service_group",
        "needs the other two",
    ),
    # the rest
    (
        {"bootstrap": [{"name": "n", "script": "no/such.sh"}]},
        "bootstrap[0].script",
        "there is no script",
    ),
    ({"tags": {"sparkml:run": "mine"}}, "tags", "not yours to set"),
    ({"tags": {"team": "a, b"}}, "tags", "AWS does not take the tag 'team'"),
    ({"tags": {f"t{i}": "x" for i in range(45)}}, "tags", "45 tags, 44 are allowed beside ours"),
    ({"spark_conf": {"spark.master": "yarn"}}, "spark_conf.spark.master", "set by the step itself"),
    (
        {"configurations": [{"Classification": "emrfs-site"}]},
        "configurations[0]",
        "has no classification 'emrfs-site'",
    ),
    (
        {
            "configurations": [
                {"Classification": "spark-defaults", "Properties": {"spark.yarn.dist.files": "x"}}
            ]
        },
        "configurations[0].Properties.spark.yarn.dist.files",
        "set by the step itself",
    ),
    (
        {"configurations": [{"classification": "core-site"}]},
        "configurations[0]",
        "there is no key 'classification'",
    ),
    ({"spark_conf": {"spark.files": "x"}}, "spark_conf.spark.files", "set by the step itself"),
    (
        {"spark_conf": {"spark.pyspark.python": "python3"}},
        "spark_conf.spark.pyspark.python",
        "set by the step itself",
    ),
    (
        {"scaling": {"unit": "vcpu", "minimum": 1, "maximum": 4}},
        "scaling.maximum",
        "start with 8 vCPUs, above 4",
    ),
    ({"artifacts": "s3://bucket/a,b"}, "artifacts", "no folder on S3"),
    ({"artifacts": "s3://bucket/a b"}, "artifacts", "no folder on S3"),
    ({"artifacts": "s3://bucket/a#b"}, "artifacts", "no folder on S3"),
]


@pytest.mark.parametrize(("changes", "where", "what"), WRONG)
def test_a_wrong_spec_is_refused_with_the_place(changes, where, what):
    with pytest.raises(ConfigError) as caught:
        check_spec(plain(**changes))
    (told,) = [line for line in caught.value.problems if what in line]
    assert where in told
    assert "fix: " in told


def test_every_region_where_emr_is_may_be_named():
    """As boto3 lists them, of every partition."""
    session = boto3.Session()
    for partition in session.get_available_partitions():
        for region in session.get_available_regions("emr", partition):
            check_spec(plain(region=region))


def test_all_tags_that_a_cluster_may_get_fit():
    """Ours beside as many of the spec's as it takes: AWS allows fifty."""
    spec = plain(tags={f"t{i}": "x" for i in range(44)})
    ours = {SPEC_TAG: "s", OWNER_TAG: "me", UNTIL_TAG: "tomorrow", KEY_TAG: "0123456789ab"}
    request = cluster_request(spec, run_id="r", transient=False, extra_tags=ours)
    assert 50 == len(request["Tags"])
    with pytest.raises(RequestRefused, match="51 tags, 50 are allowed"):
        cluster_request(spec, run_id="r", transient=False, extra_tags={**ours, "one": "more"})


def test_good_specs_pass():
    for spec in (plain(), rich(), *map(shipped, SPECS)):
        check_spec(spec)


def test_every_problem_is_told_at_once():
    changes = {
        "release": "emr-7.14.0",
        "core": nodes(on_demand=0),
        "artifacts": "s3://Bucket_1/x",
        "tags": {"aws:x": "y"},
    }
    with pytest.raises(ConfigError) as caught:
        check_spec(plain(**changes))
    assert 4 == len(caught.value.problems)
    assert "4 problems" in str(caught.value)


def test_seventeen_bootstrap_actions_are_too_many_when_ours_is_among_them():
    """The spec allows sixteen; the GPUs need one."""
    actions = [{"name": "n", "script": "s3://bkt/a.sh"}] * 16
    gpu = {"core": nodes("g5.xlarge"), "primary": nodes("m7i.xlarge"), "gpu": "python"}
    check_spec(plain(bootstrap=actions))
    with pytest.raises(ConfigError, match="17 bootstrap actions, 16 are allowed"):
        check_spec(plain(bootstrap=actions, **gpu))


SIZES = [
    ({}, 3),
    ({"scaling": {"unit": "instances", "minimum": 1, "maximum": 10}}, 11),
    ({"scaling": {"unit": "vcpu", "minimum": 4, "maximum": 42}}, 12),
    ({**FLEETS, "core": {"types": types_with(2, weight=2), "on_demand": 3, "spot": 3}}, 5),
    ({**FLEETS, "scaling": {"unit": "fleet-units", "minimum": 1, "maximum": 8}}, 9),
]


@pytest.mark.parametrize(("changes", "expected"), SIZES)
def test_the_most_nodes_count_what_scaling_may_add(changes, expected):
    assert expected == most_nodes(plain(**changes))


def run_with(**changes):
    return JobRun.model_validate({"job": "score", "config": "c.yaml", **changes})


@pytest.mark.parametrize("action", ["TERMINATE_CLUSTER", "CANCEL_AND_WAIT"])
def test_steps_at_the_same_time_must_continue(action):
    """EMR's own rule; it refuses such a step only when it is added."""
    check_run(run_with(action_on_failure=action), plain())
    check_run(run_with(), plain(step_concurrency=2))
    with pytest.raises(ConfigError, match=f"action_on_failure is {action}"):
        check_run(run_with(action_on_failure=action), plain(step_concurrency=2))


def test_a_runtime_role_needs_a_cluster_that_enables_them():
    run = run_with(runtime_role=ROLE)
    check_run(run, rich())
    check_run(run, plain(security={"configuration": "theirs"}))
    with pytest.raises(ConfigError, match=r"set roles\.runtime of the cluster"):
        check_run(run, plain())
    with pytest.raises(ConfigError, match="is no role ARN"):
        check_run(run_with(runtime_role="score"), rich())


def test_a_run_cannot_take_over_what_the_step_sets():
    with pytest.raises(ConfigError, match=r"spark\.executorEnv\.PYTHONPATH"):
        check_run(run_with(spark_conf={"spark.executorEnv.PYTHONPATH": "."}), plain())
