"""`policies`: the least that a cluster of a spec needs of AWS, as IAM documents to attach.

Source: EMR Management Guide, "Service role for Amazon EMR", "Service role for cluster EC2
instances", "Runtime roles for Amazon EMR steps", "Control network traffic with VPC endpoints".
Unproven on a real account: begin with these, and read CloudTrail for what is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emr.request.cluster import RUN_TAG, log_uri
from emr.request.guard_rails import MANAGED_TAG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emr.spec import ClusterSpec

ACCOUNT = "ACCOUNT_ID"
"""Stands where the account's number goes when none is given; IAM refuses it, which is meant."""

Document = dict[str, Any]


def policies(
    spec: ClusterSpec, *, data: Sequence[str] = (), account: str | None = None
) -> dict[str, Document]:
    """The policies and trust policies of everybody who has to do with a cluster of this spec.

    Args:
        spec: the cluster.
        data: `s3://bucket/prefix` of the tables that its runs read and write.
        account: the account's number; the runtime role's, or `ACCOUNT_ID`, when None.

    Returns:
        Name → document. `service-role` goes beside AWS's AmazonEMRServicePolicy_v2; a runtime
        role has its own two only where the spec names one. Pure, no call.
    """
    runtime = spec.roles.runtime
    arns = _Arns(spec, account or (runtime.split(":")[4] if runtime else ACCOUNT))
    # Whoever runs the steps reads code and data: the runtime role if there is one.
    runs = [*_read(arns, spec.artifacts), *_read_and_write(arns, data), *_use_keys(spec)]
    found = {
        "service-role": _document(_service(arns)),
        "service-role-trust": _trust(
            {"Service": "elasticmapreduce.amazonaws.com"},
            "sts:AssumeRole",
            condition={
                "StringEquals": {"aws:SourceAccount": arns.account},
                "ArnLike": {"aws:SourceArn": arns.of("elasticmapreduce", "*")},
            },
        ),
        "instance-profile": _document(
            [*_profile(arns), *_use_keys(spec), *([_assume(runtime)] if runtime else runs)]
        ),
        "instance-profile-trust": _trust({"Service": "ec2.amazonaws.com"}, "sts:AssumeRole"),
        "submitting-user": _document(_user(arns)),
    }
    if runtime:
        found["runtime-role"] = _document(runs)
        profile = {"AWS": arns.role(spec.roles.instance_profile)}
        found["runtime-role-trust"] = _trust(profile, "sts:AssumeRole", "sts:TagSession")
    return found


class _Arns:
    """Names of a spec's things in its partition, region and account."""

    def __init__(self, spec: ClusterSpec, account: str) -> None:
        self.spec, self.account = spec, account
        special = {"cn": "aws-cn", "us-gov": "aws-us-gov"}
        region = spec.region.rpartition("-")[0].rpartition("-")[0]
        self.partition = special.get(region, "aws")

    def of(self, service: str, what: str) -> str:
        return f"arn:{self.partition}:{service}:{self.spec.region}:{self.account}:{what}"

    def role(self, name: str) -> str:
        """A role's ARN; an instance profile is taken to hold the role of its name."""
        if name.startswith("arn:"):
            return name.replace(":instance-profile/", ":role/")
        return f"arn:{self.partition}:iam::{self.account}:role/{name}"

    def bucket(self, uri: str) -> str:
        return f"arn:{self.partition}:s3:::{uri.removeprefix('s3://').partition('/')[0]}"

    def objects(self, uri: str) -> str:
        return f"{self.bucket(uri)}/{_below(uri)}"


def _below(uri: str) -> str:
    """All keys below a folder: `prefix/*`."""
    prefix = uri.removeprefix("s3://").partition("/")[2].strip("/")
    return f"{prefix}/*" if prefix else "*"


def _document(statements: Sequence[Document]) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(
    sid: str, actions: Sequence[str], resources: Sequence[str], condition: Document | None = None
) -> Document:
    statement: Document = {
        "Sid": sid,
        "Effect": "Allow",
        "Action": sorted(actions),
        "Resource": sorted(set(resources)),
    }
    return statement | ({"Condition": condition} if condition else {})


def _trust(principal: Document, *actions: str, condition: Document | None = None) -> Document:
    statement: Document = {"Effect": "Allow", "Principal": principal, "Action": sorted(actions)}
    return _document([statement | ({"Condition": condition} if condition else {})])


def _list(arns: _Arns, sid: str, uris: Sequence[str]) -> list[Document]:
    """ListBucket of a few folders, a statement each bucket: the prefixes belong to one bucket."""
    buckets: dict[str, list[str]] = {}
    for uri in uris:
        prefix = _below(uri)
        folder = [prefix, prefix.removesuffix("/*")] if prefix != "*" else ["*"]
        buckets.setdefault(arns.bucket(uri), []).extend(folder)
    return [
        _allow(
            f"{sid}{number or ''}",
            ["s3:ListBucket"],
            [bucket],
            {"StringLike": {"s3:prefix": sorted(set(prefixes))}},
        )
        for number, (bucket, prefixes) in enumerate(buckets.items())
    ]


def _read(arns: _Arns, uri: str) -> list[Document]:
    return [
        _allow("ReadCode", ["s3:GetObject"], [arns.objects(uri)]),
        *_list(arns, "ListCode", [uri]),
    ]


def _read_and_write(arns: _Arns, data: Sequence[str]) -> list[Document]:
    if not data:
        return []
    actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    tables = [arns.objects(uri) for uri in data]
    return [_allow("ReadAndWriteTables", actions, tables), *_list(arns, "ListTables", data)]


def _use_keys(spec: ClusterSpec) -> list[Document]:
    keys = [key for key in (spec.security.at_rest_kms_key, spec.logs.kms_key) if key]
    actions = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:DescribeKey"]
    return [_allow("UseKeys", actions, keys)] if keys else []


def _assume(runtime: str) -> Document:
    return _allow("BecomeTheRuntimeRole", ["sts:AssumeRole", "sts:TagSession"], [runtime])


def _pass(arns: _Arns, sid: str, role: str, service: str) -> Document:
    only = {"StringEquals": {"iam:PassedToService": service}}
    return _allow(sid, ["iam:PassRole"], [arns.role(role)], only)


def _service(arns: _Arns) -> list[Document]:
    """What AmazonEMRServicePolicy_v2 leaves to the account: the profile, the endpoint of 8.x."""
    profile = arns.spec.roles.instance_profile
    statements = [_pass(arns, "PassTheInstanceProfile", profile, "ec2.amazonaws.com")]
    if arns.spec.release.startswith("emr-spark-"):
        parts = ("vpc-endpoint/*", "vpc/*", "security-group/*", "route-table/*")
        subnets = [f"subnet/{one}" for one in arns.spec.network.subnets] or ["subnet/*"]
        statements.append(
            _allow(
                "ReachTheServiceFromPrivateSubnets",
                ["ec2:CreateVpcEndpoint", "ec2:ModifyVpcEndpoint"],
                [arns.of("ec2", part) for part in (*parts, *subnets)],
            )
        )
    return statements


def _profile(arns: _Arns) -> list[Document]:
    """What the nodes themselves do: fetch bootstrap scripts, and write logs."""
    spec = arns.spec
    scripts = f"{spec.artifacts.rstrip('/')}/bootstrap"
    statements = [
        _allow("WriteLogs", ["s3:PutObject"], [arns.objects(log_uri(spec))]),
        _allow("ReadBootstrapScripts", ["s3:GetObject"], [arns.objects(scripts)]),
    ]
    if certificates := spec.security.in_transit_certificates:
        file = f"{arns.bucket(certificates)}/{_below(certificates).removesuffix('/*')}"
        statements.append(_allow("ReadCertificates", ["s3:GetObject"], [file]))
    if watch := spec.logs.cloudwatch:
        actions = ["CreateLogGroup", "CreateLogStream", "DescribeLogStreams", "PutLogEvents"]
        group = arns.of("logs", f"log-group:{watch.group}:*")
        statements.append(_allow("WriteLogStreams", [f"logs:{one}" for one in actions], [group]))
    return statements


def _user(arns: _Arns) -> list[Document]:
    """Whoever runs `emr`: makes clusters with our tags, and touches no other."""
    spec = arns.spec
    clusters = [arns.of("elasticmapreduce", "cluster/*")]
    tagged = {"StringEquals": {f"elasticmapreduce:RequestTag/{MANAGED_TAG}": "true"}}
    ours = {"StringLike": {f"elasticmapreduce:ResourceTag/{RUN_TAG}": "?*"}}
    steps = {**ours}
    if spec.roles.runtime:
        steps["StringEquals"] = {"elasticmapreduce:ExecutionRoleArn": spec.roles.runtime}
    watch = spec.logs.cloudwatch
    statements = [
        _allow("MakeClustersWithOurTags", _emr("RunJobFlow", "AddTags"), clusters, tagged),
        _allow("AddSteps", _emr("AddJobFlowSteps"), clusters, steps),
        _allow("MindOurClusters", _emr(*_MINDING), clusters, ours),
        # None of these knows a resource: AWS allows only "*" for them.
        _allow("ListAndPrepare", [*_emr(*_WITHOUT_RESOURCE), *_PRICES], ["*"]),
        _pass(arns, "PassTheServiceRole", spec.roles.service, "elasticmapreduce.amazonaws.com"),
        _pass(arns, "PassTheInstanceProfile", spec.roles.instance_profile, "ec2.amazonaws.com"),
        _allow("StoreCode", ["s3:GetObject", "s3:PutObject"], [arns.objects(spec.artifacts)]),
        _allow("ReadLogs", ["s3:GetObject"], [arns.objects(log_uri(spec))]),
        *_list(arns, "ListOurs", [spec.artifacts, log_uri(spec)]),
        *_use_keys(spec),
    ]
    if watch:
        group = arns.of("logs", f"log-group:{watch.group}:*")
        statements.append(_allow("FollowLogs", ["logs:FilterLogEvents"], [group]))
    return statements


def _emr(*actions: str) -> list[str]:
    return [f"elasticmapreduce:{action}" for action in actions]


_MINDING = (
    "CancelSteps",
    "DescribeCluster",
    "DescribeStep",
    "ListInstanceFleets",
    "ListInstanceGroups",
    "ListInstances",
    "ListSteps",
    "SetTerminationProtection",
    "TerminateJobFlows",
)
_WITHOUT_RESOURCE = (
    "CreateSecurityConfiguration",
    "DescribeReleaseLabel",
    "DescribeSecurityConfiguration",
    "GetBlockPublicAccessConfiguration",
    "ListClusters",
    "ListReleaseLabels",
    "ListSupportedInstanceTypes",
)
_PRICES = ("ec2:DescribeSpotPriceHistory", "pricing:GetProducts")
