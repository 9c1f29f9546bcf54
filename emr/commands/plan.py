"""`emr plan`: what would be sent, what it would cost, what to mind; nothing is sent."""

# ruff: noqa: TC001  # typer reads a command's annotations when it runs

from __future__ import annotations

from typing import Annotated

import typer

from emr.commands.options import ClusterSets, Debug, Json, RunSets, Sets, SpecFile
from sparkml.last_line import last_line


def plan(
    job: Annotated[
        str | None, typer.Argument(metavar="[JOB]", help="A job of jobs/, or a script.")
    ] = None,
    *,
    spec: SpecFile,
    config: Annotated[
        str | None,
        typer.Option("--config", "-c", metavar="FILE", help="The job's configuration, in YAML."),
    ] = None,
    sets: Sets = None,
    cluster_sets: ClusterSets = None,
    run_sets: RunSets = None,
    transient: Annotated[
        bool, typer.Option("--transient", help="As `submit --transient` would do it.")
    ] = False,
    stale: Annotated[
        bool, typer.Option("--allow-stale-prices", help="Take prices that are too old.")
    ] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Print the requests, the equal aws commands, the cost and advice; send nothing.

    Without a JOB it is the cluster's plan alone.
    """
    with last_line(debug=debug):
        from emr.commands.options import run_from, spec_from
        from emr.commands.output import print_json
        from emr.plan import plan_of
        from sparkml.errors import ConfigError

        if (job is None) != (config is None):
            raise ConfigError(
                "a job and its configuration come together",
                where="the command line",
                fix="emr plan JOB --spec FILE --config FILE",
            )
        run = run_from(job, config, sets, run_sets) if job and config else None
        cluster = spec_from(spec, cluster_sets)
        planned = plan_of(cluster, run, transient=transient, allow_stale=stale)
        if json:
            print_json(planned.to_json())
        else:
            print(planned.text())
