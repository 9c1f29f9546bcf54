"""The generated policies: valid, small enough, and no wider than AWS lets them be narrow."""

import json
import re

import pytest

from emr.request.iam import policies
from tests.emr.golden import SPECS, shipped
from tests.emr.rich_cluster import KEY, ROLE, plain, rich

DATA = ("s3://tables/wine", "s3://tables/scores/", "s3://other")
MAX_CHARACTERS = {"trust": 2_048, "policy": 6_144}
"""IAM's limits without whitespace: a role's trust policy, a managed policy."""

WITHOUT_RESOURCE = {
    "elasticmapreduce:CreateSecurityConfiguration",
    "elasticmapreduce:DescribeReleaseLabel",
    "elasticmapreduce:DescribeSecurityConfiguration",
    "elasticmapreduce:GetBlockPublicAccessConfiguration",
    "elasticmapreduce:ListClusters",
    "elasticmapreduce:ListReleaseLabels",
    "elasticmapreduce:ListSupportedInstanceTypes",
    "ec2:DescribeSpotPriceHistory",
    "pricing:GetProducts",
}
"""Actions for which AWS knows no resource ("Actions, resources, and condition keys for …")."""

ALL = [
    pytest.param(plain(), (), id="plain"),
    pytest.param(plain(), DATA, id="plain-data"),
    pytest.param(rich(), DATA, id="rich"),
    *(pytest.param(shipped(path), DATA, id=path.stem) for path in SPECS),
]


def statements_of(document):
    return {one.get("Sid", ""): one for one in document["Statement"]}


@pytest.mark.parametrize(("spec", "data"), ALL)
def test_every_document_is_one_that_iam_takes(spec, data):
    for name, document in policies(spec, data=data, account="123456789012").items():
        text = json.dumps(document, separators=(",", ":"))
        kind = "trust" if name.endswith("-trust") else "policy"
        assert len(text) <= MAX_CHARACTERS[kind], name
        assert "2012-10-17" == document["Version"]
        sids = [one["Sid"] for one in document["Statement"] if "Sid" in one]
        assert len(sids) == len(set(sids)), name
        assert all(re.fullmatch(r"[A-Za-z0-9]+", sid) for sid in sids), name
        for statement in document["Statement"]:
            assert "Allow" == statement["Effect"]
            assert ("Principal" in statement) == (kind == "trust")
            assert ("Resource" in statement) == (kind == "policy")


@pytest.mark.parametrize(("spec", "data"), ALL)
def test_everything_is_allowed_only_where_aws_knows_no_resource(spec, data):
    for name, document in policies(spec, data=data, account="123456789012").items():
        for statement in document["Statement"]:
            assert not [action for action in statement["Action"] if "*" in action], name
            if "*" in statement.get("Resource", ()):
                assert set(statement["Action"]) <= WITHOUT_RESOURCE, name
            for resource in statement.get("Resource", ()):
                assert resource == "*" or resource.startswith("arn:aws:"), name


@pytest.mark.parametrize(("spec", "data"), ALL)
def test_roles_are_passed_by_name_and_to_one_service(spec, data):
    found = policies(spec, data=data, account="123456789012")
    passed = [
        (statement["Resource"], statement["Condition"]["StringEquals"]["iam:PassedToService"])
        for document in found.values()
        for statement in document["Statement"]
        if "iam:PassRole" in statement["Action"]
    ]
    service = "arn:aws:iam::123456789012:role/EMR_DefaultRole_V2"
    profile = "arn:aws:iam::123456789012:role/EMR_EC2_DefaultRole"
    expected = [
        ([profile], "ec2.amazonaws.com"),  # the service role's
        ([service], "elasticmapreduce.amazonaws.com"),
        ([profile], "ec2.amazonaws.com"),
    ]
    assert expected == passed


def test_with_a_runtime_role_the_nodes_themselves_reach_no_table():
    found = policies(rich(), data=DATA)
    profile = statements_of(found["instance-profile"])
    assert [ROLE] == profile["BecomeTheRuntimeRole"]["Resource"]
    assert ["sts:AssumeRole", "sts:TagSession"] == profile["BecomeTheRuntimeRole"]["Action"]
    assert "tables" not in json.dumps(found["instance-profile"])
    runtime = statements_of(found["runtime-role"])
    expected = [
        "arn:aws:s3:::other/*",
        "arn:aws:s3:::tables/scores/*",
        "arn:aws:s3:::tables/wine/*",
    ]
    assert expected == runtime["ReadAndWriteTables"]["Resource"]
    assert ["s3:GetObject"] == runtime["ReadCode"]["Action"]
    (trust,) = found["runtime-role-trust"]["Statement"]
    expected = "arn:aws:iam::123456789012:role/EMR_EC2_DefaultRole"
    assert expected == trust["Principal"]["AWS"]


def test_without_one_the_nodes_read_and_write_the_tables_and_assume_nobody():
    found = policies(plain(), data=DATA)
    assert "runtime-role" not in found
    assert "sts:" not in json.dumps(found["instance-profile"])
    assert "ReadAndWriteTables" in statements_of(found["instance-profile"])


def test_listing_is_limited_to_the_prefixes_of_its_bucket():
    found = statements_of(policies(plain(), data=DATA)["instance-profile"])
    first, second = found["ListTables"], found["ListTables1"]
    assert ["arn:aws:s3:::tables"] == first["Resource"]
    expected = ["scores", "scores/*", "wine", "wine/*"]
    assert expected == first["Condition"]["StringLike"]["s3:prefix"]
    assert ["arn:aws:s3:::other"] == second["Resource"]


def test_whoever_submits_touches_clusters_of_ours_only():
    user = statements_of(policies(rich())["submitting-user"])
    tag = "for-use-with-amazon-emr-managed-policies"
    condition = {"StringEquals": {f"elasticmapreduce:RequestTag/{tag}": "true"}}
    assert condition == user["MakeClustersWithOurTags"]["Condition"]
    ours = {"elasticmapreduce:ResourceTag/sparkml:run": "?*"}
    assert ours == user["MindOurClusters"]["Condition"]["StringLike"]
    steps = user["AddSteps"]["Condition"]
    assert {"elasticmapreduce:ExecutionRoleArn": ROLE} == steps["StringEquals"]
    assert [KEY] == user["UseKeys"]["Resource"]
    assert user["FollowLogs"]["Resource"][0].endswith("log-group:/sparkml/emr:*")


def test_the_service_role_trusts_emr_of_this_account_only():
    (trust,) = policies(plain(), account="123456789012")["service-role-trust"]["Statement"]
    assert {"Service": "elasticmapreduce.amazonaws.com"} == trust["Principal"]
    assert {"aws:SourceAccount": "123456789012"} == trust["Condition"]["StringEquals"]


def test_the_account_is_the_runtime_roles_or_must_be_filled_in():
    assert "123456789012" in json.dumps(policies(rich()))
    assert "ACCOUNT_ID" in json.dumps(policies(plain()))


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-central-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_the_partition_is_the_regions(region, partition):
    text = json.dumps(policies(plain(region=region)))
    assert f"arn:{partition}:s3:::bucket/sparkml/*" in text
    assert {partition} == set(re.findall(r"arn:([\w-]+):", text))
