"""`emr cancel`, `emr down` and `emr reap`: steps and clusters are ended."""

# ruff: noqa: TC001  # typer reads a command's annotations when it runs

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from emr.commands.options import ClusterId, Debug, Json, Profile, Quiet, Region
from sparkml.last_line import last_line

if TYPE_CHECKING:
    from emr.aws.observed import Cluster
    from emr.aws.reap import Reaped

Unprotect = Annotated[
    bool, typer.Option("--unprotect", help="Take termination protection away first.")
]


def cancel(
    cluster: ClusterId,
    steps: Annotated[list[str], typer.Argument(metavar="STEP…", help="Steps' ids: s-….")],
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Kill the process, rather than ask it to stop.")
    ] = False,
    region: Region = None,
    profile: Profile = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Cancel steps that wait or run; their cluster stays."""
    with last_line(debug=debug):
        from dataclasses import asdict

        from emr.aws.steps_sent import cancel as cancel_steps
        from emr.commands.breaking_off import drivers_told
        from emr.commands.options import aws_of
        from emr.commands.output import print_columns, print_json
        from emr.errors import AwsRefused

        aws = aws_of(region, profile)
        answers = cancel_steps(aws, cluster, steps, force=force)
        if json:
            print_json([asdict(answer) for answer in answers])
        else:
            said = {True: "asked to stop", False: "refused"}
            rows = [(answer.step_id, said[answer.accepted], answer.reason) for answer in answers]
            print_columns(("STEP", "ANSWER", "REASON"), rows)
        drivers_told(aws, cluster, [answer.step_id for answer in answers if answer.accepted])
        refused = [
            f"{answer.step_id}: {answer.reason}" for answer in answers if not answer.accepted
        ]
        if refused:
            raise AwsRefused("; ".join(refused), where=f"CancelSteps on {cluster}")


def down(
    clusters: Annotated[list[str], typer.Argument(metavar="CLUSTER…", help="Clusters' ids.")],
    *,
    foreign: Annotated[
        bool, typer.Option("--foreign", help="End those, too, that `emr` did not make.")
    ] = False,
    unprotect: Unprotect = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end.")] = True,
    timeout: Annotated[str, typer.Option("--timeout", help="How long to wait.")] = "20m",
    region: Region = None,
    profile: Profile = None,
    quiet: Quiet = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """End clusters; steps that run there are interrupted."""
    with last_line(debug=debug):
        from emr.aws import waiting
        from emr.aws.clusters import end
        from emr.aws.pace import pace
        from emr.commands.options import aws_of, duration
        from emr.commands.output import print_columns, print_json
        from emr.progress import Progress

        limit = duration(timeout, option="--timeout")
        aws = aws_of(region, profile)
        found = [waiting.describe(aws, one) for one in clusters]
        _refuse_foreign([] if foreign else found)
        end(aws, found, unprotect=unprotect)
        if wait and limit is not None:
            with Progress(quiet=quiet) as report:
                found = [
                    waiting.wait_until_ended(
                        aws, c.id, timeout_s=limit.total_seconds(), pace=pace(), report=report
                    )
                    for c in found
                ]
        else:
            found = [waiting.describe(aws, one) for one in clusters]
        if json:
            print_json([c.to_json() for c in found])
        else:
            print_columns(
                ("CLUSTER", "STATE", "REASON"), [(c.id, c.state, c.reason) for c in found]
            )


def _refuse_foreign(found: list[Cluster]) -> None:
    """Refuse to end clusters without our tag: somebody else may need them."""
    from emr.errors import RequestRefused
    from emr.request.tags import RUN_TAG

    foreign = [cluster.id for cluster in found if RUN_TAG not in cluster.tags]
    if foreign:
        raise RequestRefused(
            f"{', '.join(foreign)}: not made by emr, without the tag {RUN_TAG}; nothing was ended",
            fix="pass --foreign, if it is yours to end",
        )


def reap(
    *,
    older_than: Annotated[
        str | None, typer.Option("--older-than", help="Whatever was made so long ago: 8h, 2d.")
    ] = None,
    idle_for: Annotated[
        str | None, typer.Option("--idle-for", help="Whatever has had no step for so long: 1h.")
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="K=V", help="Only those with this tag; may be repeated."),
    ] = None,
    owner: Annotated[
        str | None,
        typer.Option("--owner", help="Whose; those of whoever is signed in if not said."),
    ] = None,
    all_owners: Annotated[bool, typer.Option("--all-owners", help="Everybody's.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say which, end none.")] = False,
    unprotect: Unprotect = False,
    region: Region = None,
    profile: Profile = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """End clusters of ours that are past their time; others are never touched."""
    with last_line(debug=debug):
        from emr.aws.reap import reap as reap_clusters
        from emr.commands.options import aws_of, duration, user_name
        from emr.commands.output import print_json
        from emr.errors import AwsRefused

        tags = _tags(tag, owner if owner is not None else user_name(), all_owners=all_owners)
        old, idle = (
            duration(older_than, option="--older-than"),
            duration(idle_for, option="--idle-for"),
        )
        found = reap_clusters(
            aws_of(region, profile),
            older_than=old,
            idle_for=idle,
            tags=tags,
            dry_run=dry_run,
            unprotect=unprotect,
        )
        if json:
            about = [{"why": r.why, "ended": r.ended, "refused": r.refused} for r in found]
            print_json([{**r.cluster.to_json(), **a} for r, a in zip(found, about, strict=True)])
        else:
            _print_reaped(found)
        refused = [f"{r.cluster.id}: {r.refused}" for r in found if r.refused]
        if refused:
            raise AwsRefused("; ".join(refused), where="TerminateJobFlows")


def _tags(said: list[str] | None, owner: str, *, all_owners: bool) -> dict[str, str]:
    """The tags that a cluster must have to be reaped."""
    from emr.aws.launch import owner_tag
    from emr.request.tags import OWNER_TAG
    from sparkml.errors import ConfigError

    tags = {} if all_owners else {OWNER_TAG: owner_tag(owner)}
    for one in said or ():
        name, equals, value = one.partition("=")
        if not name or not equals:
            raise ConfigError(f"'{one}' is no tag", where="--tag", fix="write --tag KEY=VALUE")
        tags[name] = value
    return tags


def _print_reaped(found: list[Reaped]) -> None:
    from emr.commands.output import print_columns

    rows = []
    for one in found:
        now = "asked to end" if one.ended else "refused" if one.refused else "left"
        rows.append((one.cluster.id, now, "protected" * one.cluster.protected, one.why))
    print_columns(("CLUSTER", "NOW", "", "WHY"), rows)
    if not found:
        print("nothing to reap", file=sys.stderr)
