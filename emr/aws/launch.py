"""`launch`: from a spec to a cluster, exactly one per run id; what it needs is stored first."""

from __future__ import annotations

import hashlib
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from emr.aws.client import translated
from emr.aws.clusters import find, run_job_flow
from emr.aws.observed import OWNER, SPEC, UNTIL
from emr.aws.store import fetch, store
from emr.aws.waiting import describe
from emr.cost.hourly import hourly_cost
from emr.cost.prices import snapshot
from emr.errors import AwsRefused, NotFound
from emr.request.checks import check_price
from emr.request.cluster import bootstrap_files, cluster_request
from emr.request.security import security_configuration
from emr.spec import ClusterSpec
from sparkml.config.layers import load_as

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from emr.aws.client import Aws
    from emr.aws.pace import Pace
    from emr.aws.waiting import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Launched:
    """A cluster that this run id has, and whether it was there before."""

    cluster_id: str
    found: bool


def launch(
    aws: Aws,
    spec: ClusterSpec,
    *,
    run_id: str,
    transient: bool = False,
    steps: Sequence[Mapping[str, Any]] = (),
    execution_role: str | None = None,
    owner: str = "",
    until: datetime | None = None,
    pace: Pace,
    report: Report,
) -> Launched:
    """The one cluster of this run id: the one that is there, or a new one.

    Before it is made, its bootstrap scripts and the resolved spec are stored on S3, and its
    security configuration is made unless it exists. Costs a few calls; it waits for nothing.

    Args:
        aws: the account and region.
        spec: the cluster.
        run_id: the tag by which it is found again: the same id never makes a second cluster.
        transient: whether it ends with its last step.
        steps: StepConfigs that it starts with.
        execution_role: the role that these run as.
        owner: who made it, for the tag `sparkml:owner`.
        until: when `emr reap` may end it, for the tag `sparkml:until`.
        pace: how long to wait before a lost answer's cluster is looked for.
        report: told of what happens.

    Raises:
        ConfigError, RequestRefused, SecretInRequest: the request is wrong, or the cluster too dear
            for its `limits.hourly_usd`; nothing was sent.
        PricesMissing: it has such a limit, and there are no prices to hold against it.
        AwsRefused: AWS refuses the request, or the storing of what it needs.
        AwsUnreachable: it does not answer, and there is no such cluster.
    """
    stored_spec = spec_text(spec)
    request = cluster_request(
        spec,
        run_id=run_id,
        transient=transient,
        steps=steps,
        execution_role=execution_role,
        extra_tags=_tags(stored_spec, spec, owner=owner, until=until),
    )
    _refuse_too_dear(spec)
    there = find(aws, name=request["Name"], run_id=run_id)
    if there is not None:
        report(f"cluster {there.id} has this run id already ({there.state.lower()})")
        return Launched(cluster_id=there.id, found=True)
    store(aws, _spec_uri(stored_spec, spec), stored_spec.encode())
    _upload_scripts(aws, spec, report)
    _secure(aws, spec, report)
    cluster_id = run_job_flow(aws, request, run_id=run_id, pace=pace, report=report)
    report(f"cluster {cluster_id} asked for")
    return Launched(cluster_id=cluster_id, found=False)


def spec_text(spec: ClusterSpec) -> str:
    """The resolved spec as YAML: what the tag `sparkml:spec` points at."""
    values = spec.model_dump(mode="json", exclude_defaults=True)
    return str(yaml.safe_dump(values, sort_keys=False, allow_unicode=True))


def spec_of(aws: Aws, cluster_id: str) -> ClusterSpec:
    """The spec that a cluster was made of, by its tag. DescribeCluster, GetObject.

    Raises:
        NotFound: there is no such cluster, or it has no such tag: it is not one of ours.
        ConfigError: what is stored there is no spec that this version reads.
    """
    uri = describe(aws, cluster_id).tags.get(SPEC)
    if uri is None:
        raise NotFound(
            f"cluster {cluster_id} has no tag {SPEC}: `emr up` did not make it",
            fix="pass the spec that describes it: --spec FILE",
        )
    text = fetch(aws, uri)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "cluster.yaml")
        file.write_bytes(text)
        return load_as(ClusterSpec, file, env={}).config


def _refuse_too_dear(spec: ClusterSpec) -> None:
    """Hold the spec's price against `limits.hourly_usd`, where it sets one."""
    if spec.limits.hourly_usd is not None:
        check_price(spec, hourly_cost(spec, snapshot(region=spec.region)))


def _spec_uri(text: str, spec: ClusterSpec) -> str:
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{spec.artifacts.rstrip('/')}/specs/{digest}.yaml"


def _tags(text: str, spec: ClusterSpec, *, owner: str, until: datetime | None) -> dict[str, str]:
    tags = {SPEC: _spec_uri(text, spec)}
    if owner:
        # EC2 takes letters, digits, spaces and a few signs in a tag.
        tags[OWNER] = re.sub(r"[^\w\s+\-=.:/@]", "-", owner)[:256]
    if until is not None:
        tags[UNTIL] = until.isoformat(timespec="seconds")
    return tags


def _upload_scripts(aws: Aws, spec: ClusterSpec, report: Report) -> None:
    for uri, file in bootstrap_files(spec).values():
        if store(aws, uri, file.read_bytes()):
            report(f"stored {file.name} as {uri}")


def _secure(aws: Aws, spec: ClusterSpec, report: Report) -> None:
    """Make the security configuration, unless one of that content is there."""
    wanted = security_configuration(spec)
    if wanted is None:
        return
    name, request = wanted
    try:
        with translated():
            aws.emr.create_security_configuration(**request)
        report(f"made the security configuration {name}")
    except AwsRefused as error:
        if "already exists" not in error.what:
            raise
