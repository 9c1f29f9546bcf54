"""`reap`: clusters of ours that have outlived their time, found by their tags, and ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from emr.aws.clusters import alive, end
from emr.aws.steps_sent import steps_of
from emr.errors import CredentialsMissing, EmrError
from emr.request.tags import RUN_TAG, UNTIL_TAG

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from emr.aws.client import Aws
    from emr.aws.observed import Cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaped:
    """A cluster of ours that should have gone, and whether it was ended."""

    cluster: Cluster
    why: str
    ended: bool
    refused: str = ""
    """Why AWS did not let us end it."""


def reap(
    aws: Aws,
    *,
    older_than: timedelta | None = None,
    idle_for: timedelta | None = None,
    tags: Mapping[str, str] | None = None,
    dry_run: bool = False,
    unprotect: bool = False,
    now: datetime | None = None,
) -> list[Reaped]:
    """End our clusters that are past their `sparkml:until`, too old, or idle for too long.

    Only clusters that bear our tags are looked at, and protected ones are spared unless told. Costs
    ListClusters, a DescribeCluster each, a ListSteps for every waiting one if `idle_for`, and a
    TerminateJobFlows for each that is ended, so that a refused one keeps none of the others.

    Args:
        aws: the account and region.
        older_than: end whatever was created so long ago, working or not.
        idle_for: end whatever waits, and has had no step for so long.
        tags: only clusters with all of these, such as `sparkml:owner`.
        dry_run: say which, and end none.
        unprotect: end protected ones, too.
        now: the present.

    Raises:
        AwsRefused: we may not list clusters.
    """
    now = now or datetime.now(UTC)
    found: list[Reaped] = []
    for cluster in alive(aws):
        if RUN_TAG not in cluster.tags or not (tags or {}).items() <= cluster.tags.items():
            continue
        why = _overdue(cluster, now) or _old(cluster, older_than, now)
        if not why and idle_for is not None and cluster.state == "WAITING":
            why = _idle(aws, cluster, idle_for, now)
        if why:
            ends = not dry_run and (unprotect or not cluster.protected)
            refused = _refused(aws, cluster, unprotect=unprotect) if ends else ""
            ended = ends and not refused
            found.append(Reaped(cluster=cluster, why=why, ended=ended, refused=refused))
    return found


def _refused(aws: Aws, cluster: Cluster, *, unprotect: bool) -> str:
    """End one; empty, or why it could not be ended."""
    try:
        end(aws, [cluster], unprotect=unprotect)
    except CredentialsMissing:
        raise
    except EmrError as error:
        return error.what
    return ""


def _overdue(cluster: Cluster, now: datetime) -> str:
    try:
        until = datetime.fromisoformat(cluster.tags.get(UNTIL_TAG, ""))
    except ValueError:
        return ""
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return f"its time ended at {until.isoformat()}" if until <= now else ""


def _old(cluster: Cluster, older_than: timedelta | None, now: datetime) -> str:
    if older_than is None or cluster.created is None or now - cluster.created < older_than:
        return ""
    return f"it was created at {cluster.created.isoformat()}"


def _idle(aws: Aws, cluster: Cluster, idle_for: timedelta, now: datetime) -> str:
    steps = list(steps_of(aws, cluster.id))
    if not all(step.done for step in steps):
        return ""  # it came after the cluster was described as waiting
    last = max((s.ended for s in steps if s.ended), default=cluster.ready)
    if last is None or now - last < idle_for:
        return ""
    return f"it has been idle since {last.isoformat()}"
