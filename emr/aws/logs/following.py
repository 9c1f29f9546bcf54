"""Following a step's logs: piece by piece as they come, until they are complete."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from emr.aws.logs.place import logs_of
from emr.aws.observed import ENDED
from emr.aws.waiting import look, looks
from emr.errors import EmrError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emr.aws.client import Aws
    from emr.aws.logs.pieces import Logs, Piece
    from emr.aws.observed import Cluster, Step
    from emr.aws.pace import Pace
    from emr.aws.waiting import Report

SETTLE_S = 600.0
"""How long after a step's end its logs may take to arrive: EMR uploads them every few minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What an ended step wrote, as far as it was found."""

    stdout: str
    """The driver's stdout; the step's own when it reached no YARN (client mode)."""
    cause: str
    applications: tuple[str, ...]
    missing: str
    """Why there is nothing, when there is nothing."""


def follow(
    aws: Aws,
    logs: Logs,
    step: Step,
    cluster: Cluster,
    *,
    settle_s: float = SETTLE_S,
    pace: Pace,
    report: Report,
) -> Iterator[Piece]:
    """Pieces of the logs as they come, until the step has ended and its logs are complete.

    An outage of AWS is borne, as it is by the waiting: the step runs on. Each poll costs
    DescribeStep, DescribeCluster while it runs, and one look at the logs. When they are not
    complete `settle_s` after the end was seen, the report says so and nothing more comes.

    Raises:
        AwsRefused: we may not read them.
        AwsUnreachable: no answer for `pace.patience_s`.
    """
    over_at, asked = None, False
    step = _with_its_cluster(step, cluster)

    def ask() -> list[Piece]:
        nonlocal step, cluster, asked
        if asked and not step.done:
            step, cluster = look(aws, cluster.id, step.id)
            step = _with_its_cluster(step, cluster)
        asked = True
        return logs.read(step)

    for pieces in looks(ask, timeout_s=math.inf, pace=pace, report=report):
        yield from pieces
        if not step.done:
            report(f"step {step.id} {step.state.lower()}")
            continue
        if step.started is None or logs.settled(step):
            return
        over_at = time.monotonic() if over_at is None else over_at
        if time.monotonic() - over_at >= settle_s:
            report(f"its logs are not complete {settle_s:.0f} s after its end")
            return
        report("waiting for its logs")


def _with_its_cluster(step: Step, cluster: Cluster) -> Step:
    """The step as its logs see it: it ended with its cluster, whatever state it was left in."""
    if step.done or cluster.state not in ENDED:
        return step
    return replace(step, state="INTERRUPTED", ended=cluster.ended or step.started)


def collect(
    aws: Aws, step: Step, cluster: Cluster, *, settle_s: float, pace: Pace, report: Report
) -> Said:
    """What an ended step wrote. Logs that are missing or refused are no error here.

    The step's outcome stands already; what is wrong with its logs is told beside it.
    """
    pieces: list[Piece] = []
    cause = missing = ""
    try:
        logs = logs_of(aws, step, cluster, s3=cluster.log_uri is not None)
        found = follow(aws, logs, step, cluster, settle_s=settle_s, pace=pace, report=report)
        pieces += found
        cause = logs.cause()
    except EmrError as error:
        missing = str(error)
    driver = any(piece.of_driver for piece in pieces)
    ours = [p for p in pieces if p.stream == "stdout" and p.of_driver == driver]
    last = max((piece.place for piece in ours), default="")  # of several attempts, the last
    known = tuple(getattr(logs, "applications", ())) if not missing else ()
    if not pieces and not missing:
        missing = f"no logs came within {settle_s:.0f} s: {step.logs(cluster)}"
    return Said(
        stdout="".join(piece.text for piece in ours if piece.place == last),
        cause=cause,
        applications=known or step.applications,
        missing=missing,
    )
