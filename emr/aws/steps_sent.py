"""Steps on a cluster: find a run's own by its key, add it exactly once, cancel it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from emr.aws.client import translated
from emr.aws.observed import step_of
from emr.aws.sent_once import sent_once
from emr.errors import AwsRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from emr.aws.client import Aws
    from emr.aws.observed import Step
    from emr.aws.pace import Pace
    from emr.aws.waiting import Report

UNDER_WAY = ("PENDING", "RUNNING")
"""States of a step that the same run is not submitted beside."""
REMEMBERED = timedelta(hours=1)
"""How long after its end the same run counts as done, and is not run anew.

A client that was killed, or the retry of a scheduler, comes back soon. What comes later is the next
run of a schedule, whose command line is the same: that one has to run.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """What AWS says to the cancelling of one step."""

    step_id: str
    accepted: bool
    reason: str


def steps_of(aws: Aws, cluster_id: str, *, states: Sequence[str] = ()) -> Iterator[Step]:
    """A cluster's steps, newest first. ListSteps, 50 a page, as far as they are taken.

    Raises:
        NotFound: there is no such cluster.
    """
    asked: dict[str, Any] = {"StepStates": list(states)} if states else {}
    pages = aws.emr.get_paginator("list_steps")
    with translated():
        for page in pages.paginate(ClusterId=cluster_id, **asked):
            yield from map(step_of, page["Steps"])


def find_step(aws: Aws, cluster_id: str, key: str) -> Step | None:
    """This run's step that waits or runs, or else one that was done within the last hour.

    Of several the newest; failed ones do not count.
    """
    steps = steps_of(aws, cluster_id, states=(*UNDER_WAY, "COMPLETED"))
    own = [step for step in steps if step.key == key]
    under_way = [step for step in own if step.state in UNDER_WAY]
    return next(iter(under_way), None) or next((step for step in own if counts(step)), None)


def counts(step: Step) -> bool:
    """Whether the same run is not run beside this step: it waits, runs, or was done lately."""
    if step.state != "COMPLETED":
        return step.state in UNDER_WAY
    return step.ended is None or step.ended >= datetime.now(UTC) - REMEMBERED


def add_step(
    aws: Aws,
    request: Mapping[str, Any],
    *,
    key: str,
    renew: Callable[[], None] = lambda: None,
    pace: Pace,
    report: Report,
) -> str:
    """The id of the one step that this request adds, however often an answer is lost.

    AddJobFlowSteps has no client token: what a lost answer may have added is looked for, a step
    with this key that is newer than the newest one of before.

    Args:
        aws: the account and region.
        request: AddJobFlowSteps' keyword arguments, with one step.
        key: the run's key, which the step's name ends in.
        renew: called before every sending; what it raises stops us.
        pace: how long to wait before a look.
        report: told of every lost answer.

    Raises:
        AwsRefused: AWS refuses it: the cluster has ended, or has 256 active steps.
        AwsUnreachable: it did not answer, six times over, and no such step is there; or that
            cannot be known.
    """
    cluster_id = request["JobFlowId"]
    newest = next((step.id for step in steps_of(aws, cluster_id)), None)
    send = lambda: str(aws.emr_once.add_job_flow_steps(**request)["StepIds"][0])  # noqa: E731

    def look() -> str | None:
        new = takewhile(lambda step: step.id != newest, steps_of(aws, cluster_id))
        return next((step.id for step in new if step.key == key), None)

    return sent_once(send, look, what="AddJobFlowSteps", renew=renew, pace=pace, report=report)


def cancel(
    aws: Aws, cluster_id: str, step_ids: Sequence[str], *, force: bool = False
) -> list[Cancelled]:
    """Ask for steps to be cancelled; a running one takes a while. CancelSteps, 100 ids a call.

    Args:
        aws: the account and region.
        cluster_id: their cluster.
        step_ids: which.
        force: kill the process at once, rather than ask it to stop.

    Raises:
        NotFound: there is no such cluster.
        AwsRefused: AWS refused every one of them; the reasons are told.
    """
    how = "TERMINATE_PROCESS" if force else "SEND_INTERRUPT"
    answers: list[Cancelled] = []
    for start in range(0, len(step_ids), 100):
        with translated():
            told = aws.emr.cancel_steps(
                ClusterId=cluster_id,
                StepIds=list(step_ids[start : start + 100]),
                StepCancellationOption=how,
            )
        answers += [
            Cancelled(
                step_id=one["StepId"],
                accepted=one.get("Status") == "SUBMITTED",
                reason=one.get("Reason", ""),
            )
            for one in told.get("CancelStepsInfoList", ())
        ]
    refused = [f"{one.step_id}: {one.reason}" for one in answers if not one.accepted]
    if refused and len(refused) == len(answers):
        raise AwsRefused("; ".join(refused), where=f"CancelSteps on {cluster_id}")
    return answers
