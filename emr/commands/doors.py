"""`emr submit --serverless | --eks | --k8s`: the same run through another door."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

from sparkml.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from emr.aws.client import Aws
    from emr.doors.kubernetes import Kubernetes
    from emr.doors.run import Door
    from emr.job_run import JobRun
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
        run_id, there = send(
            door, aws, run, spec, cache=cache, again=again, allow_local=allow_local, report=report
        )
        if not wait:
            print_json({"run": run_id, "attached": there}) if json else print(run_id)
            return
        try:
            seen = wait_for(door, aws, run_id, timeout_s=run.timeout_s, pace=pace(), report=report)
        except KeyboardInterrupt:
            report.close()
            print(f"run {run_id} runs on; the same command again waits on", file=sys.stderr)
            raise
    if json:
        print_json({**seen.to_json(), "attached": there})
    else:
        print(f"run {seen.id} {seen.state.lower()}; logs: {seen.logs or 'not kept'}")


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
