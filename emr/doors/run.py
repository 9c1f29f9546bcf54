"""A run behind EMR Serverless or EMR on EKS: sent once, waited for, its end told apart."""

from __future__ import annotations

import secrets
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from emr.aws.submit import packaged
from emr.aws.waiting import looks
from emr.errors import StepCancelled, StepFailed, WaitTimeout
from emr.request.steps import run_key

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from emr.aws.client import Aws
    from emr.aws.pace import Pace
    from emr.aws.waiting import Report
    from emr.job_run import JobRun
    from emr.package.manifest import Package
    from emr.spec import ClusterSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A run as a door shows it; `end` is `done`, `failed` or `cancelled`, and empty before."""

    id: str
    name: str
    state: str
    end: str
    reason: str = ""
    logs: str = ""

    def to_json(self) -> dict[str, str]:
        """The run as plain values."""
        return asdict(self)


class Door(Protocol):
    """What EMR Serverless and EMR on EKS have in common."""

    def request(
        self, run: JobRun, spec: ClusterSpec, package: Package, *, attempt: str = ""
    ) -> dict[str, Any]:
        """The keyword arguments that start the run."""

    def start(self, aws: Aws, request: dict[str, Any]) -> str:
        """Start it; its id."""

    def runs(self, aws: Aws) -> Iterable[Seen]:
        """The runs that are or were there, newest first."""

    def look(self, aws: Aws, run_id: str) -> Seen:
        """One of them, as it is now."""

    def cancel(self, aws: Aws, run_id: str) -> None:
        """Ask one to stop."""


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
) -> tuple[str, bool]:
    """Package a run and see to it that it is started once; its id, and whether it was there.

    One that goes on or is done is found by its key and not started again, unless `again`; one that
    failed or was cancelled is.

    Raises:
        ConfigError, PackageError, RequestRefused: the run is wrong; nothing was started.
        AwsRefused, AwsUnreachable: AWS says no, or does not answer.
    """
    package, _ = packaged(aws, run, spec, cache=cache, allow_local=allow_local, report=report)
    door.request(run, spec, package)  # what is wrong with it is told before AWS is asked
    key = run_key(run, spec, package)
    before = [seen for seen in door.runs(aws) if key in seen.name]
    found = next((seen for seen in before if seen.end in {"", "done"}), None)
    if found and not again:
        report(f"run {found.id} is there: {found.state.lower()}")
        return found.id, True
    attempt = f"-{secrets.token_hex(4)}" if before else ""
    run_id = door.start(aws, door.request(run, spec, package, attempt=attempt))
    report(f"run {run_id} started")
    return run_id, False


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
            said = seen.reason or "no reason was given"
            raise kind(f"run {run_id} {seen.state.lower()}: {said}", where=seen.logs)
    state = seen.state if seen else "not seen"
    raise WaitTimeout(
        f"run {run_id} is {state} after {time.monotonic() - began:.0f} s",
        where=seen.logs if seen else "",
        fix="it goes on: submit the same again to wait on",
    )
