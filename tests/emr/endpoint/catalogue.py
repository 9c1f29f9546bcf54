"""What EMR offers: releases, their applications, and the instance types that moto's data lists."""

from __future__ import annotations

import gzip
import json
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from .paging import page
from .protocol import invalid_request
from .state import now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .world import World

_LABELLED = re.compile(r"instance-types-(emr-(?:spark-)?(\d+\.\d+\.\d+))\.json\.gz")
_APPLICATIONS: Mapping[str, Mapping[str, str]] = {
    "emr-spark-8.": {
        "AmazonCloudWatchAgent": "1.300059.0",
        "Delta": "4.2.0",
        "Hudi": "1.0.2",
        "Iceberg": "1.11.0",
        "JupyterEnterpriseGateway": "2.6.0",
        "Livy": "0.9.0",
        "Spark": "4.1.1",
    },
}
"""Applications of a family of releases; of the others any name is accepted."""


@cache
def release_labels() -> tuple[str, ...]:
    """Every release label, newest first."""
    folder = files("moto.emr") / "resources"
    found = (_LABELLED.fullmatch(file.name) for file in folder.iterdir())
    versions = {m[1]: tuple(map(int, m[2].split("."))) for m in found if m}
    return tuple(sorted(versions, key=lambda label: versions[label], reverse=True))


@cache
def instance_types_of(label: str) -> Mapping[str, Mapping[str, Any]]:
    """The release's instance types, each as ListSupportedInstanceTypes tells it."""
    details = _resource("instance_types.json.gz")
    return {name: details[name] for name in _resource(f"instance-types-{label}.json.gz")}


def _resource(name: str) -> Any:
    return json.loads(gzip.decompress((files("moto.emr") / "resources" / name).read_bytes()))


def applications_of(label: str) -> Mapping[str, str]:
    """The release's applications and versions; empty where they are not known here."""
    for prefix, applications in _APPLICATIONS.items():
        if label.startswith(prefix):
            return applications
    return {}


def list_release_labels(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """ListReleaseLabels."""
    wanted = request.get("Filters", {})
    found = [
        label
        for label in release_labels()
        if label.startswith(wanted.get("Prefix", ""))
        and (wanted.get("Application") is None or _has(label, wanted["Application"]))
    ]
    labels, marker = page(found, request.get("NextToken"), request.get("MaxResults", 100))
    return {"ReleaseLabels": labels} | ({"NextToken": marker} if marker else {})


def _has(label: str, application: str) -> bool:
    names = {name.lower() for name in applications_of(label)}
    return application.partition("@")[0].lower() in names


def describe_release_label(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """DescribeReleaseLabel."""
    label = request.get("ReleaseLabel", "")
    _check_label(label)
    listed = [{"Name": n, "Version": v} for n, v in applications_of(label).items()]
    return {
        "ReleaseLabel": label,
        "Applications": listed,
        "AvailableOSReleases": [{"Label": "2023.9.20251105.0"}],
    }


def list_supported_instance_types(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """ListSupportedInstanceTypes, a hundred a page."""
    _check_label(request["ReleaseLabel"])
    listed = list(instance_types_of(request["ReleaseLabel"]).values())
    types, marker = page(listed, request.get("Marker"), 100)
    return {"SupportedInstanceTypes": types} | ({"Marker": marker} if marker else {})


def get_block_public_access(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """GetBlockPublicAccessConfiguration: on, but for port 22, as accounts begin."""
    return {
        "BlockPublicAccessConfiguration": {
            "BlockPublicSecurityGroupRules": True,
            "PermittedPublicSecurityGroupRuleRanges": [{"MinRange": 22, "MaxRange": 22}],
        },
        "BlockPublicAccessConfigurationMetadata": {
            "CreationDateTime": now(),
            "CreatedByArn": "arn:aws:iam::123456789012:root",
        },
    }


def _check_label(label: str) -> None:
    if label not in release_labels():
        raise invalid_request(f"The release label '{label}' is invalid.")
