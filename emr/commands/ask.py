"""`emr list` and `emr describe`: what is there, and how it stands."""

# ruff: noqa: TC001  # typer reads a command's annotations when it runs

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from emr.commands.options import ClusterId, Debug, Json, Profile, Region
from sparkml.last_line import last_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emr.aws.client import Aws
    from emr.aws.observed import Cluster, Step

STATES = "STARTING BOOTSTRAPPING RUNNING WAITING TERMINATING TERMINATED TERMINATED_WITH_ERRORS"


def list_(
    *,
    state: Annotated[
        list[str] | None, typer.Option("--state", help=f"Only these: {STATES}; may be repeated.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Ended ones, and those that are not ours, too.")
    ] = False,
    region: Region = None,
    profile: Profile = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """List our clusters that live, newest first."""
    with last_line(debug=debug):
        from emr.commands.options import aws_of
        from emr.commands.output import print_columns, print_json
        from emr.request.tags import OWNER_TAG, RUN_TAG

        states = _states(state)
        found = list(_clusters(aws_of(region, profile), states, everything=everything))
        if json:
            print_json([cluster.to_json() for cluster in found])
            return
        head = ("CLUSTER", "STATE", "AGE", "OWNER", "RUN", "NAME")
        print_columns(
            head,
            [
                (c.id, c.state, _age(c), c.tags.get(OWNER_TAG), c.tags.get(RUN_TAG), c.name)
                for c in found
            ],
        )


def describe(
    cluster: ClusterId,
    step: Annotated[str | None, typer.Argument(metavar="STEP", help="A step's id: s-….")] = None,
    *,
    region: Region = None,
    profile: Profile = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Tell all of a cluster and its steps, or of one step; says where the logs are."""
    with last_line(debug=debug):
        from emr.aws import waiting
        from emr.aws.steps_sent import steps_of
        from emr.commands.options import aws_of
        from emr.commands.output import print_json, print_values

        aws = aws_of(region, profile)
        if step is None:
            found = waiting.describe(aws, cluster)
            steps = list(steps_of(aws, cluster))
            if json:
                print_json({**found.to_json(), "steps": [_plain(s, found) for s in steps]})
            else:
                print_values(found.to_json().items())
                print()
                _print_steps(steps)
            return
        one, found = waiting.look(aws, cluster, step)
        if json:
            print_json({**_plain(one, found), "cluster": found.id, "cluster_state": found.state})
        else:
            print_values({**_plain(one, found), "cluster": f"{found.id} {found.state}"}.items())


def _clusters(aws: Aws, states: tuple[str, ...], *, everything: bool) -> Iterator[Cluster]:
    from emr.aws.clusters import described, summaries
    from emr.aws.observed import ALIVE
    from emr.request.tags import RUN_TAG

    wanted = states or (() if everything else (*ALIVE, "TERMINATING"))
    for cluster in described(aws, summaries(aws, states=wanted)):
        if everything or RUN_TAG in cluster.tags:
            yield cluster


def _states(asked: list[str] | None) -> tuple[str, ...]:
    from sparkml.errors import ConfigError, did_you_mean

    known = STATES.split()
    states = tuple(state.upper() for state in asked or ())
    for state in states:
        if state not in known:
            raise ConfigError(
                f"no cluster has the state {state}", where="--state", fix=did_you_mean(state, known)
            )
    return states


def _plain(step: Step, cluster: Cluster) -> dict[str, Any]:
    logs = step.logs(cluster)
    root = f"{step.log_uri}/{cluster.id}" if step.log_uri else cluster.logs
    drivers = [f"{root}/containers/{a}" for a in step.applications] if root else []
    return {**step.to_json(), "logs": logs, "driver_logs": drivers}


def _print_steps(steps: list[Step]) -> None:
    from emr.commands.output import ago, print_columns

    rows = [(s.id, s.state, ago(s.seconds), " ".join(s.applications), s.name) for s in steps]
    print_columns(("STEP", "STATE", "TOOK", "APPLICATION", "NAME"), rows)


def _age(cluster: Cluster) -> str:
    from datetime import UTC, datetime

    from emr.commands.output import ago

    if cluster.created is None:
        return ""
    return ago(((cluster.ended or datetime.now(UTC)) - cluster.created).total_seconds())
