"""`emr logs`: what a step wrote, while it writes or afterwards, and why it failed."""

# ruff: noqa: TC001  # typer reads a command's annotations when it runs

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from emr.commands.options import ClusterId, Debug, Profile, Quiet, Region
from sparkml.last_line import last_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from emr.aws.client import Aws
    from emr.aws.logs.pieces import Piece, Stream
    from emr.aws.observed import Cluster, Step


def logs(
    cluster: ClusterId,
    step: Annotated[
        str | None, typer.Argument(metavar="STEP", help="A step's id: s-…; the latest by default.")
    ] = None,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the step has ended.")
    ] = False,
    only: Annotated[
        str | None, typer.Option("--only", help="stdout, stderr or controller alone.")
    ] = None,
    s3: Annotated[bool, typer.Option("--s3", help="S3's, though CloudWatch has them.")] = False,
    log_wait: Annotated[
        str, typer.Option("--log-wait", help="With --follow: how long after the step's end.")
    ] = "10m",
    region: Region = None,
    profile: Profile = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Print a step's logs: its driver's, by application id, and its own.

    CloudWatch has them as they are written; S3 has them minutes later.
    """
    with last_line(debug=debug):
        from emr.aws.logs.following import follow as followed
        from emr.aws.logs.place import logs_of
        from emr.aws.observed import ENDED
        from emr.aws.outcome import failed_step
        from emr.aws.pace import pace
        from emr.aws.waiting import look, looks
        from emr.commands.options import aws_of, duration
        from emr.progress import Progress
        from sparkml.errors import ConfigError

        kinds: dict[str | None, Stream | None] = {
            None: None,
            "stdout": "stdout",
            "stderr": "stderr",
            "controller": "controller",
        }
        if only not in kinds:
            raise ConfigError(f"no log is called '{only}'", where="--only")
        settle = duration(log_wait, option="--log-wait")
        aws = aws_of(region, profile)
        step_id = step or _latest(aws, cluster)
        with Progress(quiet=quiet) as report:

            def seen() -> tuple[Step, Cluster]:
                def ask() -> tuple[Step, Cluster]:
                    return look(aws, cluster, step_id)

                if not follow:
                    return ask()
                return next(looks(ask, timeout_s=math.inf, pace=pace(), report=report))

            one, where = seen()
            found = logs_of(aws, one, where, s3=s3)
            found.only = kinds[only]
            if follow:
                settle_s = settle.total_seconds() if settle else 0
                pieces: Iterable[Piece] = followed(
                    aws, found, one, where, settle_s=settle_s, pace=pace(), report=report
                )
            else:
                pieces = found.read(one)
            any_ = _show(pieces, only=only, report=report)
            one, where = seen()
        if not any_ and not s3 and where.cloudwatch and where.log_uri:
            # Nothing in CloudWatch, although it is enabled: the agent may be missing there.
            found = logs_of(aws, one, where, s3=True)
            found.only = kinds[only]
            any_ = _show(found.read(one), only=only, report=report)
        over = one.done or where.state in ENDED
        if not any_:
            place = one.logs(where) or where.cloudwatch
            later = "" if over else "; it still runs: --follow waits for them"
            print(f"no logs there yet: {place}{later}", file=sys.stderr)
        if over and one.state != "COMPLETED":
            if only:
                found.only = None
                found.read(one)  # not shown: the cause may stand in a log that was left out
            error = failed_step(one, where, cause=found.cause())
            print(f"cause: {error.what if error else one.reason}", file=sys.stderr)


def _latest(aws: Aws, cluster: str) -> str:
    """The cluster's latest step."""
    from emr.aws.steps_sent import steps_of
    from emr.errors import NotFound

    for step in steps_of(aws, cluster):
        return step.id
    raise NotFound(f"cluster {cluster} has had no step", fix="emr submit JOB --cluster …")


def _show(pieces: Iterable[Piece], *, only: str | None, report: object) -> bool:
    """Print pieces on stdout, each log's name on stderr; whether there was any.

    A terminal gets nothing that it would obey; a file or a pipe gets every byte.
    """
    from sparkml.redaction import printable

    last, any_ = "", False
    for piece in pieces:
        any_ = True
        if only is not None and piece.stream != only:
            continue
        if piece.place != last:
            close = getattr(report, "close", None)
            if close:
                close()
            print(f"==> {piece.place} <==", file=sys.stderr)
            last = piece.place
        text = printable(piece.text) if sys.stdout.isatty() else piece.text
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
        sys.stdout.flush()
    return any_
