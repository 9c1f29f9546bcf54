"""`emr submit`: a job as a step, waited for; its exit status is the step's."""

# ruff: noqa: TC001  # typer reads a command's annotations when it runs

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emr.commands.breaking_off import cluster_told, end_told, interruptible, nothing_new
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
    from emr.aws.submit import Outcome
    from emr.spec import ClusterSpec

CACHE = Path(".cache/emr")
LOG_WAIT = "10m"


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
        bool,
        typer.Option(
            "--again", help="Run it, although the same run waits, runs or was done within an hour."
        ),
    ] = False,
    keep: Keep = False,
    log_wait: Annotated[
        str, typer.Option("--log-wait", help="How long to wait for the driver's logs.")
    ] = LOG_WAIT,
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

    The same run submitted again attaches to its step while that waits or runs, and for an hour
    after it was done; a failed run, or one that was done before, runs anew. Ctrl-C leaves the step
    running, and offers to cancel it. --serverless, --eks and --k8s take the same run elsewhere.
    """
    with last_line(debug=debug):
        from emr.aws.pace import pace
        from emr.aws.stored_spec import spec_of
        from emr.aws.submit import finish, send, told
        from emr.commands.options import (
            aws_of,
            duration,
            elsewhere,
            region_of,
            run_from,
            spec_from,
            user_name,
        )
        from emr.commands.output import print_json
        from emr.errors import EmrError
        from emr.progress import Progress

        place = _one_place(
            spec, cluster=cluster, transient=transient, serverless=serverless, eks=eks, k8s=k8s
        )
        options = {
            "--image": image is not None,
            "--namespace": namespace != "default",
            "--apply": apply,
            "--no-wait": not wait,
            "--again": again,
            "--json": json,
            "--log-wait": log_wait != LOG_WAIT,
            "--keep": keep,
        }
        _heeded(options, spec=spec, cluster_sets=cluster_sets, place=place)
        run = run_from(job, config, sets, run_sets)
        settle = duration(log_wait, option="--log-wait")
        given = spec_from(spec, cluster_sets) if spec else None
        aws = aws_of(region_of(region, given), profile)
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
        there, made = elsewhere(aws, profile), list[str]()
        with Progress(quiet=quiet) as report:
            with cluster_told(made, there, report):
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
                    on_made=made.append,
                    pace=pace(),
                    report=report,
                )
            if sent.done:
                report.close()
                print(nothing_new(sent), file=sys.stderr)
            if not wait:
                print_json(told(sent)) if json else print(sent.cluster_id, sent.step_id)
                return
            waiting = interruptible(aws, sent, report, keep=keep, again=again, there=there)
            try:
                outcome = finish(
                    aws,
                    sent,
                    timeout_s=run.timeout_s,
                    settle_s=settle.total_seconds() if settle else 0,
                    keep=keep,
                    waiting=waiting,
                    fetching=partial(end_told, report=report, there=there),
                    pace=pace(),
                    report=report,
                )
            except EmrError as error:
                if json:
                    about = {"code": error.code, "what": error.what, "where": error.where}
                    print_json({**told(sent), "error": about})
                raise
        print_json(outcome.to_json()) if json else _tell(outcome)


PLACES = {
    "--image": ("k8s",),
    "--namespace": ("k8s",),
    "--apply": ("k8s",),
    "--no-wait": ("cluster", "transient", "serverless", "eks"),
    "--again": ("cluster", "transient", "serverless", "eks"),
    "--json": ("cluster", "transient", "serverless", "eks"),
    "--log-wait": ("cluster", "transient"),
    "--keep": ("transient",),
}
"""Where an option means something; anywhere else it is refused, rather than dropped."""


def _heeded(
    given: dict[str, bool], *, spec: str | None, cluster_sets: list[str] | None, place: str
) -> None:
    """Refuse options that the place of this run would not heed."""
    from sparkml.errors import ConfigError

    for option, is_given in given.items():
        if is_given and place not in PLACES[option]:
            raise ConfigError(
                f"{option} means nothing with --{place}",
                where=option,
                fix=f"leave it out; it goes with --{', --'.join(PLACES[option])}",
            )
    if cluster_sets and spec is None:
        raise ConfigError(
            "there is no spec to change: the cluster's own was fixed when it was made",
            where="--cluster-set",
            fix="leave it out, or pass the --spec that describes the cluster",
        )


def _one_place(spec: str | None, **places: str | bool | None) -> str:
    """The one place to run that a command line names.

    Raises:
        ConfigError: it names none, or two, or one without its spec.
    """
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
    return named[0]


def _tell(outcome: Outcome) -> None:
    """The driver's output on stdout, and where all of it is on stderr.

    A terminal gets nothing that it would obey; a file or a pipe gets every byte.
    """
    from sparkml.redaction import printable

    said, step = outcome.said, outcome.step
    sys.stdout.write(printable(said.stdout) if sys.stdout.isatty() else said.stdout)
    if said.missing:
        print(f"no driver output: {said.missing}", file=sys.stderr)
    took = f" in {step.seconds:.0f} s" if step.seconds is not None else ""
    where = step.logs(outcome.cluster) or "not kept"
    print(f"step {step.id} completed{took}; logs: {where}", file=sys.stderr)
