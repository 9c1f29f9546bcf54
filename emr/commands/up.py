"""`emr up`: a cluster from a spec, once per run id, ready for steps."""

# ruff: noqa: TC001  # typer reads a command's annotations when it runs

from __future__ import annotations

import contextlib
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from emr.commands.options import ClusterSets, Debug, Json, Profile, Quiet, SpecFile
from sparkml.last_line import last_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emr.progress import Progress


def up(
    spec: SpecFile,
    *,
    cluster_sets: ClusterSets = None,
    run_id: Annotated[
        str | None,
        typer.Option("--run-id", help="The same id never makes a second cluster; made up if none."),
    ] = None,
    ttl: Annotated[
        str | None, typer.Option("--ttl", help="`emr reap` may end it after that: 8h, 2d.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait until it takes steps.")
    ] = True,
    timeout: Annotated[str, typer.Option("--timeout", help="How long to wait.")] = "60m",
    profile: Profile = None,
    quiet: Quiet = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Create a cluster and wait until it takes steps; prints its id."""
    with last_line(debug=debug):
        import secrets

        from emr.aws.launch import launch
        from emr.aws.pace import pace
        from emr.aws.waiting import wait_for_cluster
        from emr.commands.options import aws_of, duration, elsewhere, spec_from, user_name
        from emr.commands.output import print_json
        from emr.progress import Progress
        from sparkml.errors import ConfigError

        if run_id == "":
            fix = "name one, or leave --run-id out"
            raise ConfigError("a run id of no characters", where="--run-id", fix=fix)
        cluster = spec_from(spec, cluster_sets)
        lives, limit = duration(ttl, option="--ttl"), duration(timeout, option="--timeout")
        name = run_id or f"up-{secrets.token_hex(6)}"
        aws, slow = aws_of(cluster.region, profile), pace()
        there = elsewhere(aws, profile)
        made: list[str] = []
        with Progress(quiet=quiet) as report, _told(made, name, there, report):
            report(f"run id {name}")
            launched = launch(
                aws,
                cluster,
                run_id=name,
                owner=user_name(),
                until=None if lives is None else datetime.now(UTC) + lives,
                on_made=made.append,
                pace=slow,
                report=report,
            )
            made[:] = [launched.cluster_id]
            state = "STARTING"
            if wait and limit is not None:
                found = wait_for_cluster(
                    aws, made[0], timeout_s=limit.total_seconds(), pace=slow, report=report
                )
                state = found.state
        if there:
            print(f"it is in {aws.region}: other commands need{there}", file=sys.stderr)
        if json:
            about = {"found": launched.found, "state": state, "region": aws.region}
            print_json({"cluster": launched.cluster_id, "run_id": name, **about})
        else:
            print(launched.cluster_id)


@contextlib.contextmanager
def _told(made: list[str], run_id: str, there: str, report: Progress) -> Iterator[None]:
    """However the waiting is broken off: which cluster lives on, and how to end it.

    It is said under --quiet, too, because the cluster costs money. One that failed has ended.
    """
    from emr.errors import ClusterFailed

    try:
        yield
    except ClusterFailed:
        raise
    except BaseException as error:
        report.close()
        for cluster in made:
            way = f"`emr down {cluster}{there}` ends it"
            print(f"cluster {cluster} (run id {run_id}) goes on; {way}", file=sys.stderr)
        if not made and not isinstance(error, Exception):
            # Stopped by a signal: what was asked for may have been made.
            way = f"--run-id {run_id} finds it, `emr list{there}` shows it"
            print(f"should a cluster have been made: {way}", file=sys.stderr)
        raise
