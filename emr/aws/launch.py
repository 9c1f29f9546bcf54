"""`launch`: from a spec to a cluster, exactly one per run id; what it needs is stored first."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emr.aws.claims import claim_uri, once
from emr.aws.client import translated
from emr.aws.clusters import find, run_job_flow
from emr.aws.store import store
from emr.aws.stored_spec import spec_text, spec_uri
from emr.aws.waiting import describe
from emr.cost.hourly import hourly_cost
from emr.cost.prices import snapshot
from emr.errors import AwsRefused, NotFound
from emr.request.checks import check_price
from emr.request.cluster import bootstrap_files, cluster_request
from emr.request.security import security_configuration
from emr.request.tags import KEY_TAG, OWNER_TAG, RUN_TAG, SPEC_TAG, UNTIL_TAG
from sparkml.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from emr.aws.client import Aws
    from emr.aws.observed import Cluster
    from emr.aws.pace import Pace
    from emr.aws.waiting import Report
    from emr.spec import ClusterSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Launched:
    """A cluster that this run id has, and whether it was there before."""

    cluster_id: str
    found: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A cluster that is to be made: its spec, and the request, which was checked."""

    spec: ClusterSpec
    stored_spec: str
    run_id: str
    request: Mapping[str, Any]


def launch(
    aws: Aws,
    spec: ClusterSpec,
    *,
    run_id: str,
    owner: str = "",
    until: datetime | None = None,
    on_made: Callable[[str], None] = lambda _: None,
    pace: Pace,
    report: Report,
) -> Launched:
    """The one cluster of this run id: the one that is there, or a new one.

    Of several clients that ask for it at once, one makes it (`claims.once`). It waits for nothing.

    Args:
        aws: the account and region.
        spec: the cluster.
        run_id: the tag by which it is found again: the same id never makes a second cluster.
        owner: who made it, for the tag `sparkml:owner`.
        until: when `emr reap` may end it, for the tag `sparkml:until`.
        on_made: told the id of a new cluster, as soon as it has one.
        pace: how long to wait before a lost answer's cluster is looked for.
        report: told of what happens.

    Raises:
        ConfigError, RequestRefused, SecretInRequest: the request is wrong, or the cluster too dear
            for its `limits.hourly_usd`; nothing was sent. Or the run id has a cluster of another
            spec.
        PricesMissing: it has such a limit, and there are no prices to hold against it.
        AwsRefused: AWS refuses the request, or the storing of what it needs.
        AwsUnreachable: it does not answer, and there is no such cluster.
    """
    wanted = wanted_of(spec, run_id=run_id, owner=owner, until=until)

    def look(made: str) -> Launched | None:
        try:
            there = describe(aws, made) if made else find(aws, tag=RUN_TAG, value=run_id)
        except NotFound:
            return None  # made so long ago that AWS has forgotten it
        if there is None or not there.alive:
            return None
        _refuse_another_spec(there, wanted)
        report(f"cluster {there.id} has this run id already ({there.state.lower()})")
        return Launched(cluster_id=there.id, found=True)

    def make(renew: Callable[[], None]) -> Launched:
        made = create(aws, wanted, renew=renew, on_made=on_made, pace=pace, report=report)
        return Launched(cluster_id=made, found=False)

    return once(
        aws,
        claim_uri(spec.artifacts, aws.region, run_id),
        look=look,
        make=make,
        name_of=lambda made: made.cluster_id,
        kms_key=spec.security.at_rest_kms_key,
        pace=pace,
        report=report,
    )


def wanted_of(
    spec: ClusterSpec,
    *,
    run_id: str,
    key: str | None = None,
    transient: bool = False,
    steps: Sequence[Mapping[str, Any]] = (),
    execution_role: str | None = None,
    owner: str = "",
    until: datetime | None = None,
) -> Wanted:
    """The cluster that a spec describes, checked; nothing is sent.

    Args:
        spec: the cluster.
        run_id: the tag `sparkml:run`.
        key: the tag `sparkml:key` of a cluster made for one run.
        transient: whether it ends with its last step.
        steps: StepConfigs that it starts with.
        execution_role: the role that these run as.
        owner: who makes it, for the tag `sparkml:owner`.
        until: when `emr reap` may end it, for the tag `sparkml:until`.

    Raises:
        ConfigError, RequestRefused, SecretInRequest: the request is wrong, or the cluster too dear
            for its `limits.hourly_usd`.
        PricesMissing: it has such a limit, and there are no prices to hold against it.
    """
    stored_spec = spec_text(spec)
    tags = _tags(stored_spec, spec, owner=owner, until=until)
    request = cluster_request(
        spec,
        run_id=run_id,
        transient=transient,
        steps=steps,
        execution_role=execution_role,
        extra_tags=tags | ({KEY_TAG: key} if key else {}),
    )
    _refuse_too_dear(spec)
    return Wanted(spec=spec, stored_spec=stored_spec, run_id=run_id, request=request)


def create(
    aws: Aws,
    wanted: Wanted,
    *,
    renew: Callable[[], None] = lambda: None,
    on_made: Callable[[str], None] = lambda _: None,
    pace: Pace,
    report: Report,
) -> str:
    """The id of a new cluster.

    Before it is made, its bootstrap scripts and the resolved spec are stored on S3, and its
    security configuration is made unless it exists. Costs a few calls.

    Args:
        aws: the account and region.
        wanted: which.
        renew: called before each RunJobFlow.
        on_made: told its id at once.
        pace: how long to wait before a lost answer's cluster is looked for.
        report: told of what happens.

    Raises:
        AwsRefused: AWS refuses the request, or the storing of what it needs.
        AwsUnreachable: it does not answer, and there is no such cluster.
    """
    spec, text = wanted.spec, wanted.stored_spec
    store(aws, spec_uri(text, spec), text.encode(), kms_key=spec.security.at_rest_kms_key)
    _upload_scripts(aws, spec, report)
    _secure(aws, spec, report)
    cluster_id = run_job_flow(
        aws, wanted.request, run_id=wanted.run_id, renew=renew, pace=pace, report=report
    )
    on_made(cluster_id)
    report(f"cluster {cluster_id} asked for")
    return cluster_id


def _refuse_another_spec(there: Cluster, wanted: Wanted) -> None:
    """Refuse a run id whose cluster was made of another spec, by its tag."""
    made_of, asked = there.tags.get(SPEC_TAG), spec_uri(wanted.stored_spec, wanted.spec)
    if made_of not in (None, asked):
        raise ConfigError(
            f"run id {wanted.run_id} has a cluster of another spec: {there.id}",
            where=f"{made_of}, and this one would be {asked}",
            fix=f"take another --run-id, or end that one: emr down {there.id}",
        )


def _refuse_too_dear(spec: ClusterSpec) -> None:
    """Hold the spec's price against `limits.hourly_usd`, where it sets one."""
    if spec.limits.hourly_usd is not None:
        check_price(spec, hourly_cost(spec, snapshot(region=spec.region)))


def _tags(text: str, spec: ClusterSpec, *, owner: str, until: datetime | None) -> dict[str, str]:
    tags = {SPEC_TAG: spec_uri(text, spec)}
    if owner:
        tags[OWNER_TAG] = owner_tag(owner)
    if until is not None:
        tags[UNTIL_TAG] = until.isoformat(timespec="seconds")
    return tags


def owner_tag(owner: str) -> str:
    """A name as the tag `sparkml:owner` has it: letters, digits, spaces and a few signs."""
    return re.sub(r"[^\w\s+\-=.:/@]", "-", owner)[:256]


def _upload_scripts(aws: Aws, spec: ClusterSpec, report: Report) -> None:
    for uri, file in bootstrap_files(spec).values():
        if store(aws, uri, file.read_bytes(), kms_key=spec.security.at_rest_kms_key):
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
