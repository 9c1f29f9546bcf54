"""A run behind EMR Serverless or EMR on EKS: sent once, waited for, its end told apart."""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from emr.aws.submit import packaged
from emr.aws.waiting import looks
from emr.errors import StepCancelled, StepFailed, WaitTimeout
from emr.request.checks import check_spec
from emr.request.steps import run_key
from sparkml.redaction import printable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from emr.aws.client import Aws
    from emr.aws.pace import Pace
    from emr.aws.waiting import Report
    from emr.job_run import JobRun
    from emr.package.manifest import Package
    from emr.spec import ClusterSpec


RECENT = timedelta(days=7)
"""Runs made before that are not looked at."""
FRESH = timedelta(hours=1)
"""A run that was done within this time is the same run; later, it is one to run anew."""
SKEW = timedelta(minutes=1)
"""How far our clock may be from AWS's: a run that was made since is one that we started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A run as a door shows it; `end` is `done`, `failed` or `cancelled`, and empty before."""

    id: str
    name: str
    state: str
    end: str
    stopping: bool
    """Whether it was asked to stop and has not yet."""
    created: datetime
    ended: datetime | None
    reason: str = ""
    logs: str = ""

    def to_json(self) -> dict[str, Any]:
        """The run as plain values."""
        ended = self.ended.isoformat() if self.ended else None
        return {**asdict(self), "created": self.created.isoformat(), "ended": ended}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The one run that a submission has."""

    id: str
    attached: bool
    """It was there before."""
    done: bool = False
    """It was there and done: nothing ran anew."""


class Door(Protocol):
    """What EMR Serverless and EMR on EKS have in common."""

    def fits(self, aws: Aws, spec: ClusterSpec) -> None:
        """Refuse a place that the spec's package would not run on."""

    def request(
        self, run: JobRun, spec: ClusterSpec, package: Package, *, attempt: str = ""
    ) -> dict[str, Any]:
        """The keyword arguments that start the run."""

    def start(self, aws: Aws, request: dict[str, Any]) -> str:
        """Start it; its id."""

    def runs(self, aws: Aws, *, since: datetime) -> Iterable[Seen]:
        """The runs that were made since then."""

    def look(self, aws: Aws, run_id: str) -> Seen:
        """One of them, as it is now."""

    def cancel(self, aws: Aws, run_id: str) -> None:
        """Ask one to stop."""

    def cancelling(self, run_id: str) -> str:
        """The command that does so."""


def send(
    door: Door,
    aws: Aws,
    run: JobRun,
    spec: ClusterSpec,
    *,
    cache: Path,
    again: bool = False,
    allow_local: bool = False,
    report: Report,
) -> Sent:
    """Package a run and see to it that it is started once.

    One that goes on, or was done within the last hour, is found by its key and not started again,
    unless `again`. One that failed, was cancelled or is being cancelled is, and one that was done
    earlier: a scheduled run of the same configuration runs every night.

    Raises:
        ConfigError, PackageError, RequestRefused: the run is wrong; nothing was started.
        AwsRefused, AwsUnreachable: AWS says no, or does not answer.
    """
    check_spec(spec, nodes=False)
    door.fits(aws, spec)
    package, _ = packaged(aws, run, spec, cache=cache, allow_local=allow_local, report=report)
    door.request(run, spec, package)  # what is wrong with it is told before AWS is asked
    ends = tuple(end.format(run_key(run, spec, package)) for end in (" [{}]", "-{}"))
    since = datetime.now(UTC) - RECENT
    before = [seen for seen in door.runs(aws, since=since) if seen.name.endswith(ends)]
    found = next((seen for seen in before if _the_same(seen)), None)
    if found and not again:
        report(f"run {found.id} is there: {found.state.lower()}")
        return Sent(id=found.id, attached=True, done=found.end == "done")
    last = max(before, key=lambda seen: seen.created, default=None)
    attempt = _after(last.id) if last else ""
    if again:
        attempt = f"-{secrets.token_hex(6)}"
    began = datetime.now(UTC) - SKEW
    while True:
        run_id = door.start(aws, door.request(run, spec, package, attempt=attempt))
        seen = door.look(aws, run_id)
        if _the_same(seen) or seen.created >= began:
            report(f"run {run_id} started")
            return Sent(id=run_id, attached=False)
        attempt = _after(run_id)  # AWS answers a token it remembers with the run of that time


def _the_same(seen: Seen) -> bool:
    """Whether a run is the one that is asked for: it goes on, or it was done just now."""
    return _lately(seen) if seen.end == "done" else not seen.end and not seen.stopping


def _lately(seen: Seen) -> bool:
    return seen.ended is not None and datetime.now(UTC) - seen.ended <= FRESH


def _after(run_id: str) -> str:
    """What makes a new token, the same for every client that sees this run as the last one."""
    return f"-{hashlib.sha256(run_id.encode()).hexdigest()[:12]}"


def wait(
    door: Door, aws: Aws, run_id: str, *, timeout_s: float, pace: Pace, report: Report
) -> Seen:
    """The run once it is done. One call a poll.

    Raises:
        StepFailed, StepCancelled: how else it ended, with AWS's reason and where its logs are.
        WaitTimeout: it still runs; nothing was cancelled.
        AwsUnreachable: no answer for `pace.patience_s`.
    """
    began = time.monotonic()
    seen = None
    ask = lambda: door.look(aws, run_id)  # noqa: E731
    for seen in looks(ask, timeout_s=timeout_s, pace=pace, report=report):
        report(f"run {run_id} {seen.state.lower()}")
        if seen.end == "done":
            return seen
        if seen.end:
            kind = StepCancelled if seen.end == "cancelled" else StepFailed
            said = printable(seen.reason) or "no reason was given"
            raise kind(f"run {run_id} {seen.state.lower()}: {said}", where=seen.logs)
    state = seen.state if seen else "not seen"
    raise WaitTimeout(
        f"run {run_id} is {state} after {time.monotonic() - began:.0f} s",
        where=seen.logs if seen else "",
        fix=f"it goes on: submit the same again to wait on, or `{door.cancelling(run_id)}`",
    )
