"""`user_statements`: whoever runs `emr` on this machine, call by call.

What IAM cannot say: a tag that is set while a cluster is made, and one that is set later, are both
`AddTags`, and EMR has no condition that tells them apart. So whoever may make clusters could put
our tag on somebody else's, and then end it. Where that matters, deny `elasticmapreduce:AddTags` on
clusters that bear a tag of the others' (`elasticmapreduce:ResourceTag/…`).

The same holds for the policies that RunJobFlow brings along (idle time, managed scaling): EMR asks
for their Put actions, which know no condition but a cluster's tags, when it has none yet. So
whoever may make clusters may change these policies of any; the same deny closes that.

Source: Service Authorization Reference, "Amazon Elastic MapReduce", "Amazon EMR on EKS"; EMR
Management Guide, "Using an auto-termination policy", "Service-linked roles for cleanup".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emr.request.cluster import log_uri
from emr.request.iam_documents import allow, linked_role, list_folders, pass_role, use_keys
from emr.request.tags import MANAGED_TAG, RUN_TAG

if TYPE_CHECKING:
    from emr.request.iam_documents import Arns, Document

DOOR_ROLE = "DOOR_ROLE"
"""Stands where the role of serverless runs goes when the spec names none."""

_MINDING = ("CancelSteps", "SetTerminationProtection", "TerminateJobFlows")
_LOOKING = ("DescribeCluster", "DescribeStep", "ListSteps")
_WITHOUT_RESOURCE = (
    "elasticmapreduce:CreateSecurityConfiguration",
    "elasticmapreduce:DescribeReleaseLabel",
    "elasticmapreduce:GetBlockPublicAccessConfiguration",
    "elasticmapreduce:ListClusters",
    "elasticmapreduce:ListSupportedInstanceTypes",
    "ec2:DescribeSpotPriceHistory",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcEndpoints",
    "pricing:GetProducts",
)


def user_statements(arns: Arns) -> list[Document]:
    """The statements for clusters: makes those with our tags, changes no other, sees them all.

    `emr list`, `emr reap` and the look for a run that is there already read clusters before they
    know whose they are; to read one is not limited to ours.
    """
    spec = arns.spec
    return [
        *_making(arns),
        *_using(arns),
        allow("LookAround", [*_WITHOUT_RESOURCE], ["*"]),
        pass_role(arns, "PassTheServiceRole", spec.roles.service, arns.emr),
        pass_role(arns, "PassTheInstanceProfile", spec.roles.instance_profile, "ec2.amazonaws.com"),
        *_storing(arns),
        *_examining(arns),
    ]


def door_statements(arns: Arns) -> list[Document]:
    """The statements for EMR Serverless and EMR on EKS: runs of what is there, and nothing made."""
    applications = arns.of("emr-serverless", "/applications/*")
    clusters = arns.of("emr-containers", "/virtualclusters/*")
    jobs = f"{clusters}/jobruns/*"
    role = arns.spec.roles.runtime or DOOR_ROLE
    as_role = {"StringEquals": {"emr-containers:ExecutionRoleArn": arns.role(role)}}
    return [
        allow("SeeApplications", ["emr-serverless:GetApplication"], [applications]),
        allow(
            "RunServerless",
            [f"emr-serverless:{one}JobRun{s}" for one, s in _RUNS] + ["emr-serverless:TagResource"],
            [applications, f"{applications}/jobruns/*"],
        ),
        pass_role(arns, "PassTheRunsRole", role, "emr-serverless.amazonaws.com"),
        # No role is passed here: the service account that EMR makes takes it by itself.
        allow("RunOnEks", ["emr-containers:StartJobRun"], [clusters], as_role),
        allow("SeeRunsOnEks", ["emr-containers:ListJobRuns"], [clusters]),
        allow(
            "MindRunsOnEks",
            [f"emr-containers:{one}" for one in ("CancelJobRun", "DescribeJobRun", "TagResource")],
            [jobs],
        ),
    ]


_RUNS = (("Start", ""), ("Get", ""), ("List", "s"), ("Cancel", ""))


def _making(arns: Arns) -> list[Document]:
    clusters = [arns.of("elasticmapreduce", "cluster/*")]
    tagged = {
        "StringEquals": {f"elasticmapreduce:RequestTag/{MANAGED_TAG}": "true"},
        "StringLike": {f"elasticmapreduce:RequestTag/{RUN_TAG}": "?*"},
    }
    # A policy that RunJobFlow itself brings along is asked for too, before the cluster has a tag.
    policies = ["PutAutoTerminationPolicy"] * (arns.spec.idle_timeout_s is not None)
    policies += ["PutManagedScalingPolicy"] * (arns.spec.scaling is not None)
    return [
        # AWS's own policy has no resource here either: the cluster has no ARN yet.
        allow("MakeClustersWithOurTags", _emr("RunJobFlow"), ["*"], tagged),
        allow("TagThem", _emr("AddTags"), clusters, tagged),
        *([allow("SetTheirPolicies", _emr(*policies), clusters)] if policies else []),
        linked_role(arns, "LetEmrCleanUp", arns.emr, "AWSServiceRoleForEMRCleanup"),
    ]


def _using(arns: Arns) -> list[Document]:
    clusters = [arns.of("elasticmapreduce", "cluster/*")]
    ours = {"StringLike": {f"elasticmapreduce:ResourceTag/{RUN_TAG}": "?*"}}
    steps = {**ours}
    if arns.spec.roles.runtime:
        steps["StringEquals"] = {"elasticmapreduce:ExecutionRoleArn": arns.spec.roles.runtime}
    return [
        allow("AddSteps", _emr("AddJobFlowSteps"), clusters, steps),
        allow("MindOurClusters", _emr(*_MINDING), clusters, ours),
        allow("SeeClusters", _emr(*_LOOKING), clusters),
    ]


def _storing(arns: Arns) -> list[Document]:
    spec = arns.spec
    code = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"]
    statements = [
        allow("StoreCode", code, [arns.objects(spec.artifacts)]),
        allow("ReadLogs", ["s3:GetObject"], [arns.objects(log_uri(spec))]),
        *list_folders(arns, "ListOurs", [spec.artifacts, log_uri(spec)]),
        *use_keys(spec),
    ]
    if watch := spec.logs.cloudwatch:
        group = arns.of("logs", f"log-group:{watch.group}:*")
        actions = ["logs:DescribeLogStreams", "logs:GetLogEvents"]
        statements.append(allow("FollowLogs", actions, [group]))
    return statements


def _examining(arns: Arns) -> list[Document]:
    """What `emr doctor` looks at besides."""
    roles, bucket = arns.spec.roles, [arns.bucket(arns.spec.artifacts)]
    named = [roles.service, *([roles.runtime] if roles.runtime else [])]
    profile = roles.instance_profile
    if not profile.startswith("arn:"):
        profile = f"arn:{arns.partition}:iam::{arns.account}:instance-profile/{profile}"
    return [
        allow("SeeRoles", ["iam:GetRole"], [arns.role(role) for role in named]),
        allow("SeeTheProfile", ["iam:GetInstanceProfile"], [profile]),
        allow("SeeItsPublicAccess", ["s3:GetBucketPublicAccessBlock"], bucket),
        allow("SeeQuotas", ["servicequotas:GetServiceQuota"], [arns.of("servicequotas", "ec2/*")]),
    ]


def _emr(*actions: str) -> list[str]:
    return [f"elasticmapreduce:{action}" for action in actions]
