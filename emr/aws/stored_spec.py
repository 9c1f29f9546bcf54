"""The spec that a cluster was made of: stored where its tag says, under the hash of its text."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import yaml

from emr.aws.store import fetch
from emr.aws.waiting import describe
from emr.errors import NotFound, PackageDamaged
from emr.request.tags import SPEC_TAG
from emr.spec import ClusterSpec
from sparkml.config.layers import load_as

if TYPE_CHECKING:
    from emr.aws.client import Aws


def spec_text(spec: ClusterSpec) -> str:
    """The resolved spec as YAML: what the tag `sparkml:spec` points at."""
    values = spec.model_dump(mode="json", exclude_defaults=True)
    return str(yaml.safe_dump(values, sort_keys=False, allow_unicode=True))


def spec_uri(text: str, spec: ClusterSpec) -> str:
    """Where that text is stored."""
    return f"{spec.artifacts.rstrip('/')}/specs/{_digest(text.encode())}.yaml"


def spec_of(aws: Aws, cluster_id: str) -> ClusterSpec:
    """The spec that a cluster was made of, by its tag. DescribeCluster, GetObject.

    Raises:
        NotFound: there is no such cluster, or it has no such tag: it is not one of ours.
        PackageDamaged: what is stored there is not what the name says, which holds its hash.
        ConfigError: it is no spec that this version reads.
    """
    uri = describe(aws, cluster_id).tags.get(SPEC_TAG)
    if uri is None:
        raise NotFound(
            f"cluster {cluster_id} has no tag {SPEC_TAG}: `emr up` did not make it",
            fix="pass the spec that describes it: --spec FILE",
        )
    text = fetch(aws, uri)
    if PurePosixPath(uri).stem != _digest(text):
        raise PackageDamaged(
            "this is not the spec that the cluster was made of",
            where=uri,
            fix="find out who wrote it; pass the spec that describes the cluster: --spec FILE",
        )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "cluster.yaml")
        file.write_bytes(text)
        return load_as(ClusterSpec, file, env={}).config


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:32]
