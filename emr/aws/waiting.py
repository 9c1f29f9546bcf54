"""Waiting for a cluster or a step: every way it can end has an error of its own.

botocore's waiters give up after 30 minutes, never see INTERRUPTED, and cannot tell a timeout from
a failure; a dying cluster leaves its steps pending, so the cluster is asked as well.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol, TypeVar

from emr.aws.client import translated
from emr.aws.observed import ENDED, cluster_of, step_of
from emr.aws.outcome import failed_cluster, failed_step
from emr.errors import AwsUnreachable, WaitTimeout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from emr.aws.client import Aws
    from emr.aws.observed import Cluster, Step
    from emr.aws.pace import Pace

Seen = TypeVar("Seen")


class Report(Protocol):
    """Who is told how far it is; every call is one short text."""

    def __call__(self, text: str, /) -> None:
        """Take the text; the same text again means that nothing changed."""


def wait_for_cluster(
    aws: Aws, cluster_id: str, *, timeout_s: float, pace: Pace, report: Report
) -> Cluster:
    """The cluster once it takes work (RUNNING or WAITING). One DescribeCluster a poll.

    Raises:
        BootstrapFailed, CapacityMissing, ValidationFailed, ClusterFailed: it ended instead.
        WaitTimeout: it still starts; nothing was ended.
        AwsUnreachable: no answer for `pace.patience_s`.
    """
    ask = lambda: describe(aws, cluster_id)  # noqa: E731  # one question, asked again and again
    where = ""
    for cluster in looks(ask, timeout_s=timeout_s, pace=pace, report=report):
        where = cluster.logs or ""
        report(f"cluster {cluster_id} {cluster.state.lower()}")
        if cluster.state in {"RUNNING", "WAITING"}:
            return cluster
        # A cluster that is TERMINATING has its reason already, but not yet every detail of it.
        if cluster.state in ENDED:
            raise failed_cluster(cluster)
    raise WaitTimeout(
        f"cluster {cluster_id} still starts after {timeout_s:.0f} s",
        where=where,
        fix=f"it goes on: `emr describe {cluster_id}` tells more, `emr down {cluster_id}` ends it",
    )


def wait_for_step(
    aws: Aws, cluster_id: str, step_id: str, *, timeout_s: float, pace: Pace, report: Report
) -> tuple[Step, Cluster]:
    """The step once it has COMPLETED, and its cluster. DescribeStep and DescribeCluster a poll.

    Raises:
        StepFailed, StepCancelled, StepInterrupted: how else it ended.
        BootstrapFailed, CapacityMissing, ValidationFailed, ClusterFailed: the cluster failed
            before the step ran.
        WaitTimeout: it still runs; nothing was cancelled.
        AwsUnreachable: no answer for `pace.patience_s`.
    """
    ask = lambda: look(aws, cluster_id, step_id)  # noqa: E731
    where, state = "", "not seen yet"
    for step, cluster in looks(ask, timeout_s=timeout_s, pace=pace, report=report):
        where, state = step.logs(cluster) or "", step.state
        report(_progress(step, cluster))
        if state == "COMPLETED":
            return step, cluster
        error = failed_step(step, cluster)
        if error is not None:
            raise error
    raise WaitTimeout(
        f"step {step_id} is {state} after {timeout_s:.0f} s",
        where=where,
        fix=f"it goes on: submit the same again to wait on, or `emr cancel {cluster_id} {step_id}`",
    )


def wait_until_ended(
    aws: Aws, cluster_id: str, *, timeout_s: float, pace: Pace, report: Report
) -> Cluster:
    """The cluster once it has ended, well or not. One DescribeCluster a poll.

    Raises:
        WaitTimeout: it still runs.
        AwsUnreachable: no answer for `pace.patience_s`.
    """
    ask = lambda: describe(aws, cluster_id)  # noqa: E731
    for cluster in looks(ask, timeout_s=timeout_s, pace=pace, report=report):
        report(f"cluster {cluster_id} {cluster.state.lower()}")
        if cluster.state in ENDED:
            return cluster
    what = f"cluster {cluster_id} has not ended after {timeout_s:.0f} s"
    raise WaitTimeout(what, fix=f"emr describe {cluster_id}")


def describe(aws: Aws, cluster_id: str) -> Cluster:
    """The cluster as it is now. One DescribeCluster.

    Raises:
        NotFound: there is no such cluster in this region and account.
    """
    with translated():
        return cluster_of(aws.emr.describe_cluster(ClusterId=cluster_id)["Cluster"])


def look(aws: Aws, cluster_id: str, step_id: str) -> tuple[Step, Cluster]:
    """A step and its cluster as they are now. DescribeStep, DescribeCluster.

    The step may end, and its cluster with it, between the two: of a cluster that has ended, a step
    that had not is asked for once more.

    Raises:
        NotFound: there is no such step or cluster.
    """
    step, cluster = _describe_step(aws, cluster_id, step_id), describe(aws, cluster_id)
    if cluster.state in ENDED and not step.done:
        step = _describe_step(aws, cluster_id, step_id)
    return step, cluster


def _describe_step(aws: Aws, cluster_id: str, step_id: str) -> Step:
    with translated():
        return step_of(aws.emr.describe_step(ClusterId=cluster_id, StepId=step_id)["Step"])


def _progress(step: Step, cluster: Cluster) -> str:
    application = f" {step.applications[-1]}" if step.applications else ""
    text = f"step {step.id} {step.state.lower()}{application}"
    return text if cluster.state == "RUNNING" else f"{text}, cluster {cluster.state.lower()}"


def looks(
    ask: Callable[[], Seen], *, timeout_s: float, pace: Pace, report: Report
) -> Iterator[Seen]:
    """What is seen, poll by poll, until the time is up; at least one look is taken.

    That AWS is out of reach for a while is borne: the step runs on without us.
    """
    began = answered = time.monotonic()
    while True:
        try:
            seen = ask()
        except AwsUnreachable as error:
            if time.monotonic() - answered >= pace.patience_s:
                raise
            report(f"AWS is out of reach, trying on: {error.what}")
        else:
            answered = time.monotonic()
            yield seen
        left_s = timeout_s - (time.monotonic() - began)
        if left_s <= 0:
            return
        pace.sleep(longest_s=left_s)
