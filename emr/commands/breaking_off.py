"""What a command leaves behind when a run is broken off, and what it says of that on stderr."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from emr.aws.client import Aws
    from emr.aws.observed import Cluster, Step
    from emr.aws.submit import Sent
    from emr.progress import Progress


@contextlib.contextmanager
def cluster_told(made: list[str], there: str, report: Progress) -> Iterator[None]:
    """Should the sending break off when the run's cluster was made already: say so."""
    try:
        yield
    except BaseException:
        report.close()
        for cluster in made:
            ways = (
                f"`emr down {cluster}{there}` ends it, `emr describe {cluster}{there}` tells more"
            )
            print(f"cluster {cluster} was made and goes on: {ways}", file=sys.stderr)
        raise


@contextlib.contextmanager
def interruptible(
    aws: Aws, sent: Sent, report: Progress, *, keep: bool, again: bool, there: str
) -> Iterator[None]:
    """However the waiting is broken off, the step runs on, and whoever did it learns how to end it.

    At a terminal, Ctrl-C is asked what is to become of the step.
    """
    from emr.errors import ClusterFailed, EmrError, StepFailed
    from sparkml.last_line import Terminated

    try:
        yield
    except (StepFailed, ClusterFailed):
        raise
    except (KeyboardInterrupt, Terminated, EmrError) as stop:
        report.close()
        if isinstance(stop, KeyboardInterrupt) and _wants_it_cancelled(sent):
            _cancel(aws, sent, keep=keep)
        else:
            _tell_how_to_end(sent, again=again, there=there)
        raise


@contextlib.contextmanager
def end_told(step: Step, cluster: Cluster, *, report: Progress, there: str) -> Iterator[None]:
    """Should the fetching of an ended step's logs be broken off: how it ended, and where they are.

    Without that, whoever did it would take the run for one that goes on.
    """
    from sparkml.last_line import Terminated

    try:
        yield
    except (KeyboardInterrupt, Terminated):
        report.close()
        shown = f"`emr logs {cluster.id} {step.id}{there}` shows what it wrote"
        _say(f"step {step.id} had ended: {step.state.lower()}; {shown}")
        raise


def drivers_told(aws: Aws, cluster_id: str, cancelled: Sequence[str]) -> None:
    """Say which of the steps that were just cancelled may have left a driver. ListSteps."""
    from emr.aws.outcome import driver_left
    from emr.aws.steps_sent import steps_of
    from emr.errors import EmrError

    sought = set(cancelled)
    try:
        for step in steps_of(aws, cluster_id):
            if step.id in sought and step.started:
                _say(f"step {step.id}: {driver_left(step)}")
            sought.discard(step.id)
            if not sought:
                return
    except EmrError as error:
        _say(f"whether a driver runs on is not known: {error.what}")


def _wants_it_cancelled(sent: Sent) -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print(f"\nCancel step {sent.step_id}? It runs on otherwise. [y/N] ", end="", file=sys.stderr)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _cancel(aws: Aws, sent: Sent, *, keep: bool) -> None:
    """Cancel the step unless it has ended; then end a cluster that is its own, whatever happens."""
    ends = sent.ours and not keep
    from emr.aws.steps_sent import cancel
    from emr.aws.submit import end_reported, may_end
    from emr.aws.waiting import describe, look

    try:
        step, _ = look(aws, sent.cluster_id, sent.step_id)
        if step.done:
            _say(f"step {sent.step_id} has ended already: {step.state.lower()}")
        else:
            cancel(aws, sent.cluster_id, [sent.step_id])
            _say(f"step {sent.step_id}: asked to stop")
            if not ends:
                drivers_told(aws, sent.cluster_id, [sent.step_id])
    finally:
        if ends:
            cluster = describe(aws, sent.cluster_id)
            if may_end(sent, cluster):
                end_reported(aws, cluster, _say)


def _tell_how_to_end(sent: Sent, *, again: bool, there: str) -> None:
    ways = f"`emr cancel {sent.cluster_id} {sent.step_id}{there}` cancels it"
    if sent.ours:
        ways = f"`emr down {sent.cluster_id}{there}` ends it and its cluster"
    same = "the same command without --again" if again else "the same command again"
    print(f"step {sent.step_id} runs on: {ways}; {same} waits on", file=sys.stderr)


def _say(text: str, /) -> None:
    print(text, file=sys.stderr)


def nothing_new(sent: Sent) -> str:
    """What is said of a run that was done before, so that nobody takes it for a new one."""
    when = f"{sent.done:%Y-%m-%d %H:%M:%S} UTC" if sent.done else ""
    return (
        f"nothing ran anew: step {sent.step_id} on {sent.cluster_id} is this run, and was done at "
        f"{when}; --again runs it once more"
    )
