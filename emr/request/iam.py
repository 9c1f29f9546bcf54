"""`policies`: the least that a cluster of a spec needs of AWS, as IAM documents to attach.

Source: EMR Management Guide, "Service role for Amazon EMR", "Service role for cluster EC2
instances", "Runtime roles for Amazon EMR steps", "Control network traffic with VPC endpoints".
Unproven on a real account: begin with these, and read CloudTrail for what is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emr.request.cluster import log_uri
from emr.request.iam_documents import (
    Arns,
    allow,
    below,
    document,
    linked_role,
    list_folders,
    pass_role,
    trust,
    use_keys,
)
from emr.request.iam_user import door_statements, user_statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emr.request.iam_documents import Document
    from emr.spec import ClusterSpec

ACCOUNT = "ACCOUNT_ID"
"""Stands where the account's number goes when none is given; IAM refuses it, which is meant."""


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
        role has its own two only where the spec names one; `submitting-user-doors` is for whoever
        also submits to EMR Serverless or EMR on EKS (`DOOR_ROLE` in it is to be filled in unless
        the spec names a runtime role). Pure, no call.
    """
    runtime = spec.roles.runtime
    arns = Arns(spec, account or (runtime.split(":")[4] if runtime else ACCOUNT))
    # Whoever runs the steps reads code and data: the runtime role if there is one.
    runs = [*_read(arns, spec.artifacts), *_read_and_write(arns, data), *use_keys(spec)]
    found = {
        "service-role": document(_service(arns)),
        "service-role-trust": trust(
            {"Service": arns.emr},
            "sts:AssumeRole",
            condition={
                "StringEquals": {"aws:SourceAccount": arns.account},
                "ArnLike": {"aws:SourceArn": arns.of("elasticmapreduce", "*")},
            },
        ),
        "instance-profile": document(
            [*_profile(arns), *use_keys(spec), *([_assume(runtime)] if runtime else runs)]
        ),
        "instance-profile-trust": trust({"Service": "ec2.amazonaws.com"}, "sts:AssumeRole"),
        "submitting-user": document(user_statements(arns)),
        "submitting-user-doors": document(door_statements(arns)),
    }
    if runtime:
        found["runtime-role"] = document(runs)
        profile = {"AWS": arns.role(spec.roles.instance_profile)}
        found["runtime-role-trust"] = trust(profile, "sts:AssumeRole", "sts:TagSession")
    return found


def _read(arns: Arns, uri: str) -> list[Document]:
    return [
        allow("ReadCode", ["s3:GetObject"], [arns.objects(uri)]),
        *list_folders(arns, "ListCode", [uri]),
    ]


def _read_and_write(arns: Arns, data: Sequence[str]) -> list[Document]:
    if not data:
        return []
    actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    tables = [arns.objects(uri) for uri in data]
    return [allow("ReadAndWriteTables", actions, tables), *list_folders(arns, "ListTables", data)]


def _assume(runtime: str) -> Document:
    return allow("BecomeTheRuntimeRole", ["sts:AssumeRole", "sts:TagSession"], [runtime])


def _service(arns: Arns) -> list[Document]:
    """What AmazonEMRServicePolicy_v2 leaves to the account: profile, Spot, disks, and 8.x's own."""
    profile = arns.spec.roles.instance_profile
    statements = [pass_role(arns, "PassTheInstanceProfile", profile, "ec2.amazonaws.com")]
    if any(nodes.spot for _, nodes in arns.spec.roles_of_nodes):
        spot = "spot.amazonaws.com"
        statements.append(linked_role(arns, "LetSpotRun", spot, "AWSServiceRoleForEC2Spot"))
    if key := arns.spec.security.at_rest_kms_key:
        # EC2 attaches encrypted disks by a grant that EMR makes for it.
        for_aws = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
        statements += [
            allow("EncryptDisks", [f"kms:{one}" for one in _DISKS], [key]),
            allow("GrantDisks", ["kms:CreateGrant"], [key], for_aws),
        ]
    if arns.spec.release.startswith("emr-spark-"):
        parts = ("vpc-endpoint/*", "vpc/*", "security-group/*", "route-table/*")
        subnets = [f"subnet/{one}" for one in arns.spec.network.subnets] or ["subnet/*"]
        statements.append(
            allow(
                "ReachTheServiceFromPrivateSubnets",
                ["ec2:CreateVpcEndpoint", "ec2:ModifyVpcEndpoint"],
                [arns.of("ec2", part) for part in (*parts, *subnets)],
            )
        )
    return statements


_DISKS = (
    "Decrypt",
    "DescribeKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
)


def _profile(arns: Arns) -> list[Document]:
    """What the nodes themselves do: fetch bootstrap scripts, and write logs."""
    spec = arns.spec
    scripts = f"{spec.artifacts.rstrip('/')}/bootstrap"
    statements = [
        allow("WriteLogs", ["s3:PutObject"], [arns.objects(log_uri(spec))]),
        allow("ReadBootstrapScripts", ["s3:GetObject"], [arns.objects(scripts)]),
    ]
    if certificates := spec.security.in_transit_certificates:
        file = f"{arns.bucket(certificates)}/{below(certificates).removesuffix('/*')}"
        statements.append(allow("ReadCertificates", ["s3:GetObject"], [file]))
    if watch := spec.logs.cloudwatch:
        actions = ["CreateLogGroup", "CreateLogStream", "DescribeLogStreams", "PutLogEvents"]
        group = arns.of("logs", f"log-group:{watch.group}:*")
        statements.append(allow("WriteLogStreams", [f"logs:{one}" for one in actions], [group]))
    return statements
