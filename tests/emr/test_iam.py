"""The generated policies: valid, small enough, and no wider than AWS lets them be narrow."""

import json
import re
from pathlib import Path

import boto3
import pytest

import emr
from emr.request.iam import policies
from tests.emr.golden import SPECS, shipped
from tests.emr.rich_cluster import KEY, ROLE, plain, rich

DATA = ("s3://tables/wine", "s3://tables/scores/", "s3://other")
MAX_CHARACTERS = {"trust": 2_048, "policy": 6_144}
"""IAM's limits without whitespace: a role's trust policy, a managed policy."""

WITHOUT_RESOURCE = {
    "elasticmapreduce:CreateSecurityConfiguration",
    "elasticmapreduce:DescribeReleaseLabel",
    "elasticmapreduce:GetBlockPublicAccessConfiguration",
    "elasticmapreduce:ListClusters",
    "elasticmapreduce:ListSupportedInstanceTypes",
    "elasticmapreduce:RunJobFlow",
    "ec2:DescribeSpotPriceHistory",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcEndpoints",
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
    runs = spec.roles.runtime or "arn:aws:iam::123456789012:role/DOOR_ROLE"
    expected = [
        ([profile], "ec2.amazonaws.com"),  # the service role's
        ([service], "elasticmapreduce.amazonaws.com"),
        ([profile], "ec2.amazonaws.com"),
        ([runs], "emr-serverless.amazonaws.com"),
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


def test_whoever_submits_changes_clusters_of_ours_only():
    user = statements_of(policies(rich())["submitting-user"])
    tag = "for-use-with-amazon-emr-managed-policies"
    condition = {
        "StringEquals": {f"elasticmapreduce:RequestTag/{tag}": "true"},
        "StringLike": {"elasticmapreduce:RequestTag/sparkml:run": "?*"},
    }
    assert condition == user["MakeClustersWithOurTags"]["Condition"]
    assert condition == user["TagThem"]["Condition"]
    ours = {"elasticmapreduce:ResourceTag/sparkml:run": "?*"}
    for sid in ("MindOurClusters", "AddSteps"):
        assert ours == user[sid]["Condition"]["StringLike"]
    expected = [f"elasticmapreduce:{name}" for name in _CHANGING]
    assert expected == [*user["AddSteps"]["Action"], *user["MindOurClusters"]["Action"]]
    steps = user["AddSteps"]["Condition"]
    assert {"elasticmapreduce:ExecutionRoleArn": ROLE} == steps["StringEquals"]
    assert [KEY] == user["UseKeys"]["Resource"]
    assert user["FollowLogs"]["Resource"][0].endswith("log-group:/sparkml/emr:*")


_CHANGING = ("AddJobFlowSteps", "CancelSteps", "SetTerminationProtection", "TerminateJobFlows")


def test_any_cluster_may_be_looked_at():
    """To find ours, `emr list` and `emr reap` read them all: a step's or cluster's tags are told
    by what describes it."""
    see = statements_of(policies(plain())["submitting-user"])["SeeClusters"]
    expected = [f"elasticmapreduce:{name}" for name in ("DescribeCluster", "DescribeStep")]
    assert [*expected, "elasticmapreduce:ListSteps"] == see["Action"]
    assert "Condition" not in see


def test_runs_on_eks_are_started_as_one_role():
    """IAM's PassRole does not hold them: the condition on StartJobRun does."""
    for spec, role in ((rich(), ROLE), (plain(), "arn:aws:iam::123456789012:role/DOOR_ROLE")):
        doors = statements_of(policies(spec, account="123456789012")["submitting-user-doors"])
        starting = [one for one in doors.values() if "emr-containers:StartJobRun" in one["Action"]]
        assert [doors["RunOnEks"]] == starting
        assert ["emr-containers:StartJobRun"] == doors["RunOnEks"]["Action"]
        expected = {"StringEquals": {"emr-containers:ExecutionRoleArn": role}}
        assert expected == doors["RunOnEks"]["Condition"]


@pytest.mark.parametrize(("spec", "data"), ALL)
def test_no_bucket_is_listed_whole(spec, data):
    """Without a prefix in the request, none of the conditions holds."""
    for name, document in policies(spec, data=data, account="123456789012").items():
        for statement in document["Statement"]:
            if "s3:ListBucket" in statement["Action"]:
                assert {"StringLike"} == set(statement["Condition"]), name
                assert ["s3:prefix"] == list(statement["Condition"]["StringLike"]), name


PREFIXES = {"emr": "elasticmapreduce", "service-quotas": "servicequotas"}
"""Services whose actions begin otherwise than botocore calls the service."""
NAMED_OTHERWISE = {
    "s3:HeadObject": ("s3:GetObject",),
    "s3:ListObjectsV2": ("s3:ListBucket",),
    "s3:GetPublicAccessBlock": ("s3:GetBucketPublicAccessBlock",),
    "s3:CreateMultipartUpload": ("s3:PutObject",),
    "s3:UploadPart": ("s3:PutObject",),
    "s3:CompleteMultipartUpload": ("s3:PutObject",),
    "sts:GetCallerIdentity": (),  # nobody needs leave to ask who they are
}
"""Operations that need an action of another name."""
WITHOUT_CALL = {
    "elasticmapreduce:AddTags": "RunJobFlow's Tags",
    "elasticmapreduce:PutAutoTerminationPolicy": "RunJobFlow's AutoTerminationPolicy",
    "elasticmapreduce:PutManagedScalingPolicy": "RunJobFlow's ManagedScalingPolicy",
    "emr-serverless:TagResource": "StartJobRun's tags",
    "emr-containers:TagResource": "StartJobRun's tags",
    "iam:PassRole": "RunJobFlow's roles",
    "iam:CreateServiceLinkedRole": "the first cluster of an account",
    "kms:Decrypt": "S3's objects",
    "kms:DescribeKey": "S3's objects",
    "kms:Encrypt": "S3's objects",
    "kms:GenerateDataKey": "S3's objects",
}
"""Actions that AWS asks for on our behalf: why."""
ATTRIBUTES = {"emr_once": "emr", "emr_serverless": "emr-serverless"}
ATTRIBUTES |= {"emr_containers": "emr-containers", "client": "s3", "s3_client": "s3"}
_CALL = re.compile(
    r"\b(?:(emr_once|emr_serverless|emr_containers|emr|s3_client|s3|logs|ec2|pricing|client)"
    r'|client\("([\w-]+)"\))\s*\.(get_paginator\("\w+"\)|[a-z]\w+\()'
)


def called_by_emr():
    """Every AWS operation in the sources of `emr`, as `service:Operation`."""
    found = set()
    root = Path(emr.__file__).parent
    for file in root.rglob("*.py"):
        for attribute, named, called in _CALL.findall(file.read_text(encoding="utf-8")):
            service = named or ATTRIBUTES.get(attribute, attribute)
            method = called.removeprefix("get_paginator").strip('()"')
            model = boto3.client(service, region_name="us-east-1")
            operation = model.meta.method_to_api_mapping.get(method)
            if operation:
                found.add(f"{PREFIXES.get(service, service)}:{operation}")
    return found


def test_whoever_submits_may_call_what_emr_calls_and_nothing_more(aws_environment):
    """The calls are read from the sources: an operation that is new, or gone, fails here."""
    called = called_by_emr()
    assert {"elasticmapreduce:RunJobFlow", "s3:AbortMultipartUpload"} <= called
    assert {"iam:GetRole", "logs:GetLogEvents", "emr-serverless:CancelJobRun"} <= called
    needed = {action for one in called for action in NAMED_OTHERWISE.get(one, (one,))}
    found = policies(rich(), account="123456789012")
    allowed = {
        action
        for name in ("submitting-user", "submitting-user-doors")
        for statement in found[name]["Statement"]
        for action in statement["Action"]
    }
    assert set() == needed - allowed
    assert set() == allowed - needed - set(WITHOUT_CALL)


def test_the_service_role_grants_the_disks_their_key_and_makes_spots_own_role():
    service = statements_of(policies(rich())["service-role"])
    assert {"Bool": {"kms:GrantIsForAWSResource": "true"}} == service["GrantDisks"]["Condition"]
    assert [KEY] == service["GrantDisks"]["Resource"] == service["EncryptDisks"]["Resource"]
    assert "kms:GenerateDataKeyWithoutPlaintext" in service["EncryptDisks"]["Action"]
    expected = {"StringEquals": {"iam:AWSServiceName": "spot.amazonaws.com"}}
    assert expected == service["LetSpotRun"]["Condition"]
    assert not {"GrantDisks", "LetSpotRun"} & set(statements_of(policies(plain())["service-role"]))


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


@pytest.mark.parametrize(
    ("region", "emr_itself"),
    [
        ("eu-central-1", "elasticmapreduce.amazonaws.com"),
        ("cn-north-1", "elasticmapreduce.amazonaws.com.cn"),
    ],
)
def test_emr_is_called_as_its_partition_calls_it(region, emr_itself):
    """As `aws emr create-default-roles` does; EC2 is called the same everywhere."""
    found = policies(plain(region=region), account="123456789012")
    user, (trust,) = (
        statements_of(found["submitting-user"]),
        found["service-role-trust"]["Statement"],
    )
    passed = {"StringEquals": {"iam:PassedToService": emr_itself}}
    assert {"Service": emr_itself} == trust["Principal"]
    assert passed == user["PassTheServiceRole"]["Condition"]
    assert {"StringEquals": {"iam:AWSServiceName": emr_itself}} == user["LetEmrCleanUp"][
        "Condition"
    ]
    (nodes,) = found["instance-profile-trust"]["Statement"]
    assert {"Service": "ec2.amazonaws.com"} == nodes["Principal"]
