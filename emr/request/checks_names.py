"""What is wrong with the names in a spec: roles, keys, addresses, the region, subnets, tags.

AWS would read a wrong one as something else: a name for an ARN, a key for an address.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING

from emr.request.forms import KMS_KEY, form_problems
from emr.request.tags import MAX_TAGS, OUR_PREFIX, OUR_TAGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emr.spec import ClusterSpec
    from sparkml.config.file import Problem

_TAG_TEXT = re.compile(r"[\w\s.:/=+@-]*")


def name_problems(spec: ClusterSpec) -> Iterator[Problem]:
    """Each problem as what, where and the fix."""
    yield from _region_problems(spec)
    watch, security = spec.logs.cloudwatch, spec.security
    named = [
        ("role", spec.roles.service, "roles.service"),
        ("profile", spec.roles.instance_profile, "roles.instance_profile"),
        ("role ARN", spec.roles.runtime, "roles.runtime"),
        ("KMS key", security.at_rest_kms_key, "security.at_rest_kms_key"),
        ("zip file on S3", security.in_transit_certificates, "security.in_transit_certificates"),
        ("folder on S3", spec.artifacts, "artifacts"),
        ("folder on S3", spec.logs.s3, "logs.s3"),
        ("KMS key", spec.logs.kms_key, "logs.kms_key"),
        ("log group", watch.group if watch else None, "logs.cloudwatch.group"),
        ("KMS key", watch.kms_key if watch else None, "logs.cloudwatch.kms_key"),
        ("security group", spec.network.primary_group, "network.primary_group"),
        ("security group", spec.network.core_group, "network.core_group"),
        ("security group", spec.network.service_group, "network.service_group"),
        *(("subnet", one, "network.subnets") for one in spec.network.subnets),
        *(("security group", one, "network.further_groups") for one in spec.network.further_groups),
    ]
    for kind, value, where in named:
        if value is not None:
            yield from form_problems(kind, value, where)
    for key, where in (
        (security.at_rest_kms_key, "security.at_rest_kms_key"),
        (watch.kms_key if watch else None, "logs.cloudwatch.kms_key"),
    ):
        if key and re.fullmatch(KMS_KEY, key) and key.split(":")[3] != spec.region:
            what = f"the key is of {key.split(':')[3]}, and the cluster of {spec.region}"
            yield what, where, "name a key of the cluster's region"
    yield from _network_problems(spec)
    yield from _tag_problems(spec)


@cache
def _regions() -> tuple[str, ...]:
    """The regions of every partition, as the installed botocore lists them; no network."""
    from botocore.loaders import create_loader

    partitions = create_loader().load_data("partitions")["partitions"]
    names = {name for partition in partitions for name in partition["regions"]}
    return tuple(sorted(name for name in names if not name.endswith("-global")))


def _region_problems(spec: ClusterSpec) -> Iterator[Problem]:
    if spec.region not in _regions():
        near = get_close_matches(spec.region.lower(), _regions(), n=3)  # many are equally near
        fix = f"did you mean {' or '.join(near)}?" if near else "write it as us-east-1"
        yield f"AWS has no region '{spec.region}'", "region", fix


def _network_problems(spec: ClusterSpec) -> Iterator[Problem]:
    network = spec.network
    if spec.layout == "groups" and len(network.subnets) > 1:
        what = f"instance groups stand in one subnet, {len(network.subnets)} are given"
        yield what, "network.subnets", "give one, or take layout: fleets, which chooses among zones"
    if (network.primary_group is None) != (network.core_group is None):
        fix = "give both, or neither: AWS then makes them"
        yield "one of the two EMR-managed security groups is given", "network.primary_group", fix
    if network.service_group and not network.primary_group:
        fix = "give primary_group and core_group too"
        yield "service_group needs the other two security groups", "network.service_group", fix


def _tag_problems(spec: ClusterSpec) -> Iterator[Problem]:
    most = MAX_TAGS - len(OUR_TAGS)
    if len(spec.tags) > most:
        yield f"{len(spec.tags)} tags, {most} are allowed beside ours", "tags", "drop some"
    for key, value in spec.tags.items():
        if key.startswith(("aws:", OUR_PREFIX)) or key in OUR_TAGS:
            yield f"the tag '{key}' is not yours to set", "tags", "choose another name"
        elif len(key) > 128 or not _TAG_TEXT.fullmatch(key) or not _TAG_TEXT.fullmatch(value):
            fix = "use at most 128 letters, digits, spaces and _ . : / = + - @"
            yield f"AWS does not take the tag '{key}'", "tags", fix
