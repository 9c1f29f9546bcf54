"""Steps on a cluster: find a run's own by its key, add it exactly once, cancel it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from emr.aws.client import translated
from emr.aws.clusters import sought
from emr.aws.observed import step_of
from emr.errors import AwsRefused, AwsUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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
SENDS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """What AWS says to the cancelling of one step."""

    step_id: str
    accepted: bool
    reason: str


def steps_of(aws: Aws, cluster_id: str, *, states: Sequence[str] = ()) -> list[Step]:
    """A cluster's steps, newest first. ListSteps, 50 a page.

    Raises:
        NotFound: there is no such cluster.
    """
    asked: dict[str, Any] = {"StepStates": list(states)} if states else {}
    pages = aws.emr.get_paginator("list_steps")
    with translated():
        listed = pages.paginate(ClusterId=cluster_id, **asked)
        return [step_of(step) for page in listed for step in page["Steps"]]


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

    AddJobFlowSteps has no client token: it is sent without retries, and before it is sent again
    (unless it was throttled), a step with this key that was not there before is looked for.

    Args:
        aws: the account and region.
        request: AddJobFlowSteps' keyword arguments, with one step.
        key: the run's key, which the step's name ends in.
        renew: called before every sending; what it raises stops us.
        pace: how long to wait before a look.
        report: told of every lost answer.

    Raises:
        AwsRefused: AWS refuses it: the cluster has ended, or has 256 active steps.
        AwsUnreachable: it did not answer, six times over, and no such step is there.
    """
    cluster_id = request["JobFlowId"]
    before = {step.id for step in steps_of(aws, cluster_id) if step.key == key}
    new = lambda: next(  # noqa: E731  # one question, asked again and again
        (s.id for s in steps_of(aws, cluster_id) if s.key == key and s.id not in before), None
    )
    for attempt in range(SENDS):
        renew()
        try:
            with translated():
                return str(aws.emr_once.add_job_flow_steps(**request)["StepIds"][0])
        except AwsUnreachable as error:
            lost = error
        found = sought(new, lost, what="AddJobFlowSteps", attempt=attempt, pace=pace, report=report)
        if found is not None:
            return found
    raise lost


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
