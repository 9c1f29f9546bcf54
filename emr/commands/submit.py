"""`emr submit`: a job as a step, waited for; its exit status is the step's."""

# ruff: noqa: TC001  # typer reads a command's annotations when it runs

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emr.commands.doors import door_of, kubernetes_of, on_kubernetes, through
from emr.commands.options import (
    ClusterSets,
    Config,
    Debug,
    Job,
    Json,
    Keep,
    MaybeSpecFile,
    Profile,
    Quiet,
    Region,
    RunSets,
    Sets,
)
from sparkml.last_line import last_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emr.aws.client import Aws
    from emr.aws.submit import Outcome, Sent
    from emr.progress import Progress
    from emr.spec import ClusterSpec

CACHE = Path(".cache/emr")


def submit(
    job: Job,
    config: Config,
    *,
    cluster: Annotated[
        str | None, typer.Option("--cluster", metavar="ID", help="A cluster that is up: j-….")
    ] = None,
    transient: Annotated[
        bool, typer.Option("--transient", help="A cluster for this run alone; needs --spec.")
    ] = False,
    serverless: Annotated[
        str | None,
        typer.Option("--serverless", metavar="APPLICATION", help="EMR Serverless; needs --spec."),
    ] = None,
    eks: Annotated[
        str | None,
        typer.Option("--eks", metavar="VIRTUAL_CLUSTER", help="EMR on EKS; needs --spec."),
    ] = None,
    k8s: Annotated[
        str | None,
        typer.Option("--k8s", metavar="MASTER", help="Print the spark-submit for k8s://…."),
    ] = None,
    image: Annotated[
        str | None, typer.Option("--image", help="With --k8s: an image with Spark and Delta.")
    ] = None,
    namespace: Annotated[str, typer.Option("--namespace", help="With --k8s.")] = "default",
    apply: Annotated[
        bool, typer.Option("--apply", help="With --k8s: upload the package and run it.")
    ] = False,
    spec: MaybeSpecFile = None,
    sets: Sets = None,
    cluster_sets: ClusterSets = None,
    run_sets: RunSets = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for its end.")] = True,
    again: Annotated[
        bool, typer.Option("--again", help="Run it, although the same run is there or is done.")
    ] = False,
    keep: Keep = False,
    log_wait: Annotated[
        str, typer.Option("--log-wait", help="How long to wait for the driver's logs.")
    ] = "10m",
    cache: Annotated[
        Path, typer.Option("--cache", help="Where packed environments are kept.")
    ] = CACHE,
    allow_local: Annotated[
        bool, typer.Option("--allow-local", help="Let the job name places of this machine.")
    ] = False,
    region: Region = None,
    profile: Profile = None,
    quiet: Quiet = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Package a job, run it as a step of a cluster, wait, and print what its driver wrote.

    The same run submitted again attaches to its step. Ctrl-C leaves the step running, and offers
    to cancel it. --serverless, --eks and --k8s take the same run elsewhere.
    """
    with last_line(debug=debug):
        from emr.aws.launch import spec_of
        from emr.aws.pace import pace
        from emr.aws.submit import finish, send, told
        from emr.commands.options import aws_of, duration, run_from, spec_from, user_name
        from emr.commands.output import print_json
        from emr.progress import Progress

        _one_place(
            spec, cluster=cluster, transient=transient, serverless=serverless, eks=eks, k8s=k8s
        )
        run = run_from(job, config, sets, run_sets)
        settle = duration(log_wait, option="--log-wait")
        given = spec_from(spec, cluster_sets) if spec else None
        aws = aws_of(region or (given.region if given else None), profile)
        if k8s and given:
            on_kubernetes(
                kubernetes_of(k8s, image, namespace),
                aws,
                run,
                given,
                cache=cache,
                apply=apply,
                allow_local=allow_local,
                quiet=quiet,
            )
            return
        if (serverless or eks) and given:
            through(
                door_of(run, given, serverless=serverless, eks=eks),
                aws,
                run,
                given,
                cache=cache,
                again=again,
                allow_local=allow_local,
                wait=wait,
                quiet=quiet,
                json=json,
            )
            return
        wanted: ClusterSpec = given or spec_of(aws, str(cluster))
        with Progress(quiet=quiet) as report:
            sent = send(
                aws,
                run,
                wanted,
                cluster_id=cluster,
                cache=cache,
                again=again,
                keep=keep,
                allow_local=allow_local,
                owner=user_name(),
                pace=pace(),
                report=report,
            )
            if not wait:
                print_json(told(sent)) if json else print(sent.cluster_id, sent.step_id)
                return
            with _interruptible(aws, sent, report):
                outcome = finish(
                    aws,
                    sent,
                    timeout_s=run.timeout_s,
                    settle_s=settle.total_seconds() if settle else 0,
                    keep=keep,
                    pace=pace(),
                    report=report,
                )
        print_json(outcome.to_json()) if json else _tell(outcome)


def _one_place(spec: str | None, **places: str | bool | None) -> None:
    """Refuse a command line that names no place to run, or two, or one without its spec."""
    from sparkml.errors import ConfigError

    named = [name for name, place in places.items() if place]
    if len(named) != 1:
        raise ConfigError(
            f"it runs in one place, and {' and '.join(named) or 'none'} is named",
            where="the command line",
            fix="pass --cluster ID, or --transient, --serverless, --eks or --k8s with --spec FILE",
        )
    if named != ["cluster"] and spec is None:
        raise ConfigError(f"--{named[0]} needs a spec", fix="pass --spec FILE")


@contextlib.contextmanager
def _interruptible(aws: Aws, sent: Sent, report: Progress) -> Iterator[None]:
    """However the waiting is broken off, the step runs on, and whoever did it learns how to end it.

    At a terminal, Ctrl-C is asked what is to become of the step.
    """
    from emr.errors import AwsUnreachable, CredentialsMissing, WaitTimeout
    from sparkml.last_line import Terminated

    try:
        yield
    except (KeyboardInterrupt, Terminated) as stop:
        report.close()
        if isinstance(stop, KeyboardInterrupt) and _wants_it_cancelled(sent):
            _cancel(aws, sent)
        else:
            _tell_how_to_end(sent)
        raise
    except (AwsUnreachable, CredentialsMissing, WaitTimeout):
        report.close()
        _tell_how_to_end(sent)
        raise


def _wants_it_cancelled(sent: Sent) -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print(f"\nCancel step {sent.step_id}? It runs on otherwise. [y/N] ", end="", file=sys.stderr)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _cancel(aws: Aws, sent: Sent) -> None:
    from emr.aws.clusters import end
    from emr.aws.steps_sent import cancel
    from emr.aws.waiting import describe

    cancel(aws, sent.cluster_id, [sent.step_id])
    print(f"step {sent.step_id}: asked to stop", file=sys.stderr)
    if sent.ours:
        end(aws, [describe(aws, sent.cluster_id)], unprotect=True)
        print(f"cluster {sent.cluster_id}: asked to end", file=sys.stderr)


def _tell_how_to_end(sent: Sent) -> None:
    ways = f"`emr cancel {sent.cluster_id} {sent.step_id}` cancels it"
    if sent.ours:
        ways = f"`emr down {sent.cluster_id}` ends it and its cluster"
    print(f"step {sent.step_id} runs on: {ways}; the same command again waits on", file=sys.stderr)


def _tell(outcome: Outcome) -> None:
    """The driver's output on stdout, and where all of it is on stderr."""
    said, step = outcome.said, outcome.step
    sys.stdout.write(said.stdout)
    if said.missing:
        print(f"no driver output: {said.missing}", file=sys.stderr)
    took = f" in {step.seconds:.0f} s" if step.seconds is not None else ""
    where = step.logs(outcome.cluster) or "not kept"
    print(f"step {step.id} completed{took}; logs: {where}", file=sys.stderr)
