"""`emr submit --serverless | --eks | --k8s`: the same run through another door."""

from __future__ import annotations

import contextlib
import shlex
import sys
from typing import TYPE_CHECKING

from sparkml.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from emr.aws.client import Aws
    from emr.doors.kubernetes import Kubernetes
    from emr.doors.run import Door
    from emr.job_run import JobRun
    from emr.progress import Progress
    from emr.spec import ClusterSpec


def door_of(run: JobRun, spec: ClusterSpec, *, serverless: str | None, eks: str | None) -> Door:
    """The application or virtual cluster that the command line names.

    Raises:
        ConfigError: no role is named, without which neither runs anything.
    """
    from emr.doors.eks import Eks
    from emr.doors.serverless import Serverless

    role = run.runtime_role or spec.roles.runtime
    if role is None:
        raise ConfigError(
            "EMR Serverless and EMR on EKS run a job as a role",
            where="runtime_role",
            fix="--run-set runtime_role=arn:aws:iam::…:role/…, or roles.runtime in the spec",
        )
    if serverless:
        return Serverless(application=serverless, role=role)
    return Eks(virtual_cluster=str(eks), role=role)


def kubernetes_of(master: str, image: str | None, namespace: str) -> Kubernetes:
    """The Kubernetes cluster that the command line names.

    Raises:
        ConfigError: no image is named.
    """
    from emr.doors.kubernetes import Kubernetes

    if image is None:
        raise ConfigError(
            "a pod needs an image",
            where="--k8s",
            fix="--image REPOSITORY:TAG with Spark, Delta, S3A and the spec's Python",
        )
    return Kubernetes(master=master, image=image, namespace=namespace)


def through(
    door: Door,
    aws: Aws,
    run: JobRun,
    spec: ClusterSpec,
    *,
    cache: Path,
    again: bool,
    allow_local: bool,
    wait: bool,
    quiet: bool,
    json: bool,
) -> None:
    """Send a run through a door, wait for its end, and say how it ended."""
    from emr.aws.pace import pace
    from emr.commands.output import print_json
    from emr.doors.run import send
    from emr.doors.run import wait as wait_for
    from emr.progress import Progress

    with Progress(quiet=quiet) as report:
        sent = send(
            door, aws, run, spec, cache=cache, again=again, allow_local=allow_local, report=report
        )
        if sent.done:
            report.close()
            note = f"run {sent.id} was done within the last hour: nothing ran anew; --again runs it"
            print(note, file=sys.stderr)
        if not wait:
            said = {"run": sent.id, "attached": sent.attached}
            print_json(said) if json else print(sent.id)
            return
        with _interruptible(door, aws, sent.id, report):
            seen = wait_for(door, aws, sent.id, timeout_s=run.timeout_s, pace=pace(), report=report)
    if json:
        print_json({**seen.to_json(), "attached": sent.attached})
    else:
        print(f"run {seen.id} {seen.state.lower()}; logs: {seen.logs or 'not kept'}")


@contextlib.contextmanager
def _interruptible(door: Door, aws: Aws, run_id: str, report: Progress) -> Iterator[None]:
    """However the waiting is broken off, the run goes on, and whoever did it learns how to end it.

    At a terminal, Ctrl-C is asked what is to become of the run.
    """
    from emr.errors import AwsUnreachable, CredentialsMissing, WaitTimeout
    from sparkml.last_line import Terminated

    try:
        yield
    except (KeyboardInterrupt, Terminated, AwsUnreachable, CredentialsMissing, WaitTimeout) as stop:
        report.close()
        if isinstance(stop, KeyboardInterrupt) and _wants_it_cancelled(run_id):
            door.cancel(aws, run_id)
            print(f"run {run_id}: asked to stop", file=sys.stderr)
        else:
            way = f"`{door.cancelling(run_id)}` cancels it; the same command again waits on"
            print(f"run {run_id} runs on: {way}", file=sys.stderr)
        raise


def _wants_it_cancelled(run_id: str) -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print(f"\nCancel run {run_id}? It runs on otherwise. [y/N] ", end="", file=sys.stderr)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def on_kubernetes(
    door: Kubernetes,
    aws: Aws,
    run: JobRun,
    spec: ClusterSpec,
    *,
    cache: Path,
    apply: bool,
    allow_local: bool,
    quiet: bool,
) -> None:
    """Print the `spark-submit` of a run; with `apply`, store its package and run it."""
    from emr.aws.submit import packaged
    from emr.doors import kubernetes
    from emr.package import plan_package
    from emr.progress import Progress

    if not apply:
        print(shlex.join(door.argv(run, spec, plan_package(run, spec))))
        print("nothing was packed or sent; --apply does both", file=sys.stderr)
        return
    with Progress(quiet=quiet) as report:
        package, _ = packaged(aws, run, spec, cache=cache, allow_local=allow_local, report=report)
        argv = door.argv(run, spec, package)
    kubernetes.apply(argv)
