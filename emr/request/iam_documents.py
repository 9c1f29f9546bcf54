"""What a policy document is made of: ARNs of a spec's things, statements, trust. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emr.spec import ClusterSpec

Document = dict[str, Any]


class Arns:
    """Names of a spec's things in its partition, region and account."""

    def __init__(self, spec: ClusterSpec, account: str) -> None:
        self.spec, self.account = spec, account
        special = {"cn": "aws-cn", "us-gov": "aws-us-gov"}
        region = spec.region.rpartition("-")[0].rpartition("-")[0]
        self.partition = special.get(region, "aws")

    def of(self, service: str, what: str) -> str:
        """A thing of a service, in the spec's region and account."""
        return f"arn:{self.partition}:{service}:{self.spec.region}:{self.account}:{what}"

    @property
    def emr(self) -> str:
        """EMR as a principal: in China the partition's suffix is in its name (EC2's has none)."""
        return "elasticmapreduce.amazonaws.com" + (".cn" if self.partition == "aws-cn" else "")

    def role(self, name: str) -> str:
        """A role's ARN; an instance profile is taken to hold the role of its name."""
        if name.startswith("arn:"):
            return name.replace(":instance-profile/", ":role/")
        return f"arn:{self.partition}:iam::{self.account}:role/{name}"

    def bucket(self, uri: str) -> str:
        """The bucket of an `s3://` address."""
        return f"arn:{self.partition}:s3:::{uri.removeprefix('s3://').partition('/')[0]}"

    def objects(self, uri: str) -> str:
        """All objects below an `s3://` address."""
        return f"{self.bucket(uri)}/{below(uri)}"


def below(uri: str) -> str:
    """All keys below a folder: `prefix/*`."""
    prefix = uri.removeprefix("s3://").partition("/")[2].strip("/")
    return f"{prefix}/*" if prefix else "*"


def document(statements: Sequence[Document]) -> Document:
    """A policy of these statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(
    sid: str, actions: Sequence[str], resources: Sequence[str], condition: Document | None = None
) -> Document:
    """One statement; its lists are sorted, so that the same spec gives the same text."""
    statement: Document = {
        "Sid": sid,
        "Effect": "Allow",
        "Action": sorted(actions),
        "Resource": sorted(set(resources)),
    }
    return statement | ({"Condition": condition} if condition else {})


def trust(principal: Document, *actions: str, condition: Document | None = None) -> Document:
    """A trust policy: who may become the role."""
    statement: Document = {"Effect": "Allow", "Principal": principal, "Action": sorted(actions)}
    return document([statement | ({"Condition": condition} if condition else {})])


def list_folders(arns: Arns, sid: str, uris: Sequence[str]) -> list[Document]:
    """ListBucket of a few folders, a statement each bucket: the prefixes belong to one bucket."""
    buckets: dict[str, list[str]] = {}
    for uri in uris:
        prefix = below(uri)
        folder = [prefix, prefix.removesuffix("/*")] if prefix != "*" else ["*"]
        buckets.setdefault(arns.bucket(uri), []).extend(folder)
    return [
        allow(
            f"{sid}{number or ''}",
            ["s3:ListBucket"],
            [bucket],
            {"StringLike": {"s3:prefix": sorted(set(prefixes))}},
        )
        for number, (bucket, prefixes) in enumerate(buckets.items())
    ]


def use_keys(spec: ClusterSpec) -> list[Document]:
    """Reading and writing what the spec's keys encrypt."""
    keys = [key for key in (spec.security.at_rest_kms_key, spec.logs.kms_key) if key]
    actions = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:DescribeKey"]
    return [allow("UseKeys", actions, keys)] if keys else []


def pass_role(arns: Arns, sid: str, role: str, service: str) -> Document:
    """Handing one role to one service."""
    only = {"StringEquals": {"iam:PassedToService": service}}
    return allow(sid, ["iam:PassRole"], [arns.role(role)], only)


def linked_role(arns: Arns, sid: str, service: str, role: str) -> Document:
    """Making the role that a service has of its own in each account, where there is none yet."""
    arn = f"arn:{arns.partition}:iam::{arns.account}:role/aws-service-role/{service}/{role}"
    only = {"StringEquals": {"iam:AWSServiceName": service}}
    return allow(sid, ["iam:CreateServiceLinkedRole"], [arn], only)
