"""Clusters: find ours by their tags, list them, make one exactly once, end them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from emr.aws.client import translated
from emr.aws.observed import ALIVE, RUN, cluster_of
from emr.aws.waiting import describe
from emr.errors import AwsRefused, AwsUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from emr.aws.client import Aws
    from emr.aws.observed import Cluster
    from emr.aws.pace import Pace
    from emr.aws.waiting import Report

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
    for summary in summaries(aws):
        yield describe(aws, summary.id)


def find(
    aws: Aws,
    *,
    name: str,
    run_id: str,
    states: Sequence[str] = ALIVE,
    created_after: datetime | None = None,
) -> Cluster | None:
    """The newest cluster with this name and the tag `sparkml:run`, if there is one.

    Costs ListClusters and a DescribeCluster per cluster of that name: summaries have no tags.
    """
    for summary in summaries(aws, states=states, created_after=created_after):
        if summary.name == name:
            cluster = describe(aws, summary.id)
            if cluster.tags.get(RUN) == run_id:
                return cluster
    return None


def run_job_flow(
    aws: Aws, request: Mapping[str, Any], *, run_id: str, pace: Pace, report: Report
) -> str:
    """The id of the one cluster that this request makes, however often an answer is lost.

    RunJobFlow has no client token: botocore's own retry of a lost answer would make a second
    cluster. So it is sent without retries, and before it is sent again, the cluster is looked for
    by its tag.

    Args:
        aws: the account and region.
        request: RunJobFlow's keyword arguments; its tags hold `sparkml:run`.
        run_id: that tag's value.
        pace: how long to wait before a look.
        report: told of every lost answer.

    Raises:
        AwsRefused: AWS refuses the request.
        AwsUnreachable: it did not answer, six times over, and no such cluster is there.
    """
    for attempt in range(CREATES):
        try:
            with translated():
                return str(aws.emr_once.run_job_flow(**request)["JobFlowId"])
        except AwsUnreachable as error:
            lost = error
        report(f"RunJobFlow has no answer ({lost.what}); looking for the cluster by its tag")
        found = _look_twice(aws, request["Name"], run_id, pause_s=min(pace.poll_s, 2.0**attempt))
        if found is not None:
            return found.id
    raise lost


def _look_twice(aws: Aws, name: str, run_id: str, *, pause_s: float) -> Cluster | None:
    """A look, a pause and a look again: a new cluster may come late into the list."""
    for _ in range(2):
        time.sleep(pause_s)
        found = find(aws, name=name, run_id=run_id)
        if found is not None:
            return found
    return None


def end(aws: Aws, clusters: Sequence[Cluster], *, unprotect: bool = False) -> None:
    """End clusters; those that have ended are left alone. TerminateJobFlows, ten ids a call.

    Args:
        aws: the account and region.
        clusters: which.
        unprotect: take the termination protection away first.

    Raises:
        AwsRefused: one is protected, and nothing was ended; or we may not end clusters.
    """
    protected = [cluster.id for cluster in clusters if cluster.protected]
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
