"""`emr up`: a cluster from a spec, once per run id, ready for steps."""

# ruff: noqa: TC001  # typer reads a command's annotations when it runs

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from emr.commands.options import ClusterSets, Debug, Json, Keep, Profile, Quiet, SpecFile
from sparkml.last_line import last_line

if TYPE_CHECKING:
    from emr.aws.client import Aws
    from emr.aws.launch import Launched
    from emr.aws.pace import Pace
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
    keep: Keep = False,
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
        from emr.commands.options import aws_of, duration, spec_from, user_name
        from emr.commands.output import print_json
        from emr.progress import Progress

        cluster = spec_from(spec, cluster_sets)
        lives, limit = duration(ttl, option="--ttl"), duration(timeout, option="--timeout")
        run_id = run_id or f"up-{secrets.token_hex(6)}"
        aws, slow = aws_of(cluster.region, profile), pace()
        with Progress(quiet=quiet) as report:
            report(f"run id {run_id}")
            made = launch(
                aws,
                cluster,
                run_id=run_id,
                owner=user_name(),
                until=None if lives is None else datetime.now(UTC) + lives,
                pace=slow,
                report=report,
            )
            state = "STARTING"
            if wait and limit is not None:
                state = _ready(aws, made, limit.total_seconds(), slow, report, keep=keep)
        if json:
            print_json(
                {"cluster": made.cluster_id, "run_id": run_id, "found": made.found, "state": state}
            )
        else:
            print(made.cluster_id)


def _ready(
    aws: Aws, made: Launched, timeout_s: float, slow: Pace, report: Progress, *, keep: bool
) -> str:
    """Wait until it takes steps. One that failed and lives on is ended, unless `keep`."""
    from emr.aws.clusters import end
    from emr.aws.waiting import describe, wait_for_cluster
    from emr.errors import ClusterFailed

    try:
        found = wait_for_cluster(
            aws, made.cluster_id, timeout_s=timeout_s, pace=slow, report=report
        )
    except ClusterFailed:
        cluster = describe(aws, made.cluster_id)
        if cluster.alive and not keep:
            end(aws, [cluster], unprotect=True)
        raise
    except BaseException:
        report.close()
        report(f"cluster {made.cluster_id} goes on; `emr down {made.cluster_id}` ends it")
        raise
    return found.state
