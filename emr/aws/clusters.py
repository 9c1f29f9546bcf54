"""Clusters: find ours by their tags, list them, make one exactly once, end them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from emr.aws.client import translated
from emr.aws.observed import ALIVE, cluster_of
from emr.aws.sent_once import sent_once
from emr.aws.waiting import describe
from emr.errors import AwsRefused, CredentialsMissing
from emr.request.tags import RUN_TAG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from emr.aws.client import Aws
    from emr.aws.observed import Cluster
    from emr.aws.pace import Pace
    from emr.aws.waiting import Report

LONGEST_RUN = timedelta(days=8)
"""ListClusters filters by the time of creation only: what ended lately was made after that."""


def summaries(
    aws: Aws, *, states: Sequence[str] = ALIVE, created_after: datetime | None = None
) -> Iterator[Cluster]:
    """Clusters of these states, newest first: what ListClusters tells, so without tags.

    Raises:
        AwsRefused: we may not list clusters.
    """
    asked: dict[str, Any] = {"ClusterStates": list(states)} if states else {}
    if created_after is not None:
        asked["CreatedAfter"] = created_after
    pages = aws.emr.get_paginator("list_clusters")
    with translated():
        for page in pages.paginate(**asked):
            yield from map(cluster_of, page["Clusters"])


def alive(aws: Aws) -> Iterator[Cluster]:
    """Every cluster that takes steps, with its tags. ListClusters, and a DescribeCluster each."""
    return described(aws, summaries(aws))


def described(aws: Aws, found: Iterable[Cluster]) -> Iterator[Cluster]:
    """Clusters with their tags: a DescribeCluster each. Those we may not describe are not ours."""
    for summary in found:
        try:
            yield describe(aws, summary.id)
        except CredentialsMissing:
            raise
        except AwsRefused:
            continue


def find(
    aws: Aws,
    *,
    tag: str,
    value: str,
    states: Sequence[str] = ALIVE,
    ended_after: datetime | None = None,
) -> Cluster | None:
    """The newest cluster with this tag, if there is one.

    Costs ListClusters and a DescribeCluster per cluster in these states: summaries have no tags.

    Args:
        aws: the account and region.
        tag: its key, such as `sparkml:run`.
        value: its value.
        states: of the clusters that are looked at.
        ended_after: leave out those that had ended by then.

    Raises:
        AwsRefused: we may not list clusters.
    """
    found = summaries(aws, states=states, created_after=ended_after and ended_after - LONGEST_RUN)
    lately = (s for s in found if not (ended_after and s.ended and s.ended < ended_after))
    return next((c for c in described(aws, lately) if c.tags.get(tag) == value), None)


def run_job_flow(
    aws: Aws,
    request: Mapping[str, Any],
    *,
    run_id: str,
    renew: Callable[[], None] = lambda: None,
    pace: Pace,
    report: Report,
) -> str:
    """The id of the one cluster that this request makes, however often an answer is lost.

    RunJobFlow has no client token: what a lost answer may have made is looked for by its tag.

    Args:
        aws: the account and region.
        request: RunJobFlow's keyword arguments; its tags hold `sparkml:run`.
        run_id: that tag's value.
        renew: called before every sending; what it raises stops us.
        pace: how long to wait before a look.
        report: told of every lost answer.

    Raises:
        AwsRefused: AWS refuses the request.
        AwsUnreachable: it did not answer, six times over, and no such cluster is there; or that
            cannot be known.
    """
    send = lambda: str(aws.emr_once.run_job_flow(**request)["JobFlowId"])  # noqa: E731

    def look() -> str | None:
        found = find(aws, tag=RUN_TAG, value=run_id)
        return found.id if found else None

    return sent_once(send, look, what="RunJobFlow", renew=renew, pace=pace, report=report)


def end(aws: Aws, clusters: Sequence[Cluster], *, unprotect: bool = False) -> None:
    """End clusters; those that have ended are left alone. TerminateJobFlows, ten ids a call.

    Args:
        aws: the account and region.
        clusters: which.
        unprotect: take the termination protection away first.

    Raises:
        AwsRefused: one is protected, and nothing was ended; or we may not end clusters.
    """
    protected = [cluster.id for cluster in clusters if cluster.protected and cluster.alive]
    if protected and not unprotect:
        raise AwsRefused(
            f"{', '.join(protected)}: protected against termination; nothing was ended",
            fix="pass --unprotect, if it is yours to end",
        )
    with translated():
        if protected:
            aws.emr.set_termination_protection(JobFlowIds=protected, TerminationProtected=False)
        ids = [cluster.id for cluster in clusters if cluster.alive]
        for start in range(0, len(ids), 10):
            aws.emr.terminate_job_flows(JobFlowIds=ids[start : start + 10])
