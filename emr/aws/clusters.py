"""Clusters: find ours by their tags, list them, make one exactly once, end them."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from emr.aws.client import throttled, translated
from emr.aws.observed import ALIVE, RUN, cluster_of
from emr.aws.waiting import describe
from emr.errors import AwsRefused, AwsUnreachable, CredentialsMissing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from emr.aws.client import Aws
    from emr.aws.observed import Cluster
    from emr.aws.pace import Pace
    from emr.aws.waiting import Report

Found = TypeVar("Found")

LONGEST_RUN = timedelta(days=8)
"""ListClusters filters by the time of creation only: what ended lately was made after that."""
CREATES = 6
"""How often a RunJobFlow without an answer is sent, with a look between two, before we give up."""


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

    RunJobFlow has no client token: botocore's own retry of a lost answer would make a second
    cluster. So it is sent without retries. What was throttled was not taken, and is sent again
    soon; what may have been taken is looked for by its tag for `pace.lost_s` first, because a new
    cluster may come late into the list.

    Args:
        aws: the account and region.
        request: RunJobFlow's keyword arguments; its tags hold `sparkml:run`.
        run_id: that tag's value.
        renew: called before every sending; what it raises stops us.
        pace: how long to wait before a look.
        report: told of every lost answer.

    Raises:
        AwsRefused: AWS refuses the request.
        AwsUnreachable: it did not answer, six times over, and no such cluster is there.
    """
    for attempt in range(CREATES):
        renew()
        try:
            with translated():
                return str(aws.emr_once.run_job_flow(**request)["JobFlowId"])
        except AwsUnreachable as error:
            lost = error
        found = sought(
            lambda: find(aws, tag=RUN, value=run_id),
            lost,
            what="RunJobFlow",
            attempt=attempt,
            pace=pace,
            report=report,
        )
        if found is not None:
            return found.id
    raise lost


def sought(
    look: Callable[[], Found | None],
    lost: AwsUnreachable,
    *,
    what: str,
    attempt: int,
    pace: Pace,
    report: Report,
) -> Found | None:
    """What a request without an answer has made; None when it may be sent again.

    Args:
        look: looks once.
        lost: how the request failed.
        what: the operation.
        attempt: which it was, from 0: the wait after throttling doubles with it.
        pace: how long to look.
        report: told what is done.
    """
    if throttled(lost):
        report(f"{what} has no answer ({lost.what}); sending it again")
        time.sleep(min(pace.poll_s, 2.0**attempt))
        return None
    report(f"{what} has no answer ({lost.what}); looking for {pace.lost_s:.0f} s for what it made")
    until = time.monotonic() + pace.lost_s
    while True:
        try:
            found = look()
        except AwsUnreachable:
            found = None  # the network that lost the answer is still down
        if found is not None or time.monotonic() >= until:
            return found
        pace.sleep(longest_s=min(5.0, max(0.0, until - time.monotonic())))


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
