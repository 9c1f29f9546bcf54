"""`emr iam`: the least-privilege policies that a spec needs, to read or to store."""

# ruff: noqa: TC001, TC003  # typer reads a command's annotations when it runs

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from emr.commands.options import ClusterSets, Debug, SpecFile
from sparkml.last_line import last_line


def iam(
    spec: SpecFile,
    *,
    cluster_sets: ClusterSets = None,
    account: Annotated[
        str | None, typer.Option("--account", metavar="ID", help="Your account's 12 digits.")
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option("--data", metavar="S3", help="What jobs read and write; may be repeated."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="A file for each, there.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Print the policies of the service role, the nodes, the steps and whoever submits."""
    with last_line(debug=debug):
        import json

        from emr.commands.options import spec_from
        from emr.commands.output import print_json
        from emr.request.iam import policies

        made = policies(spec_from(spec, cluster_sets), data=data or (), account=account)
        if out is None:
            print_json(made)
            return
        out.mkdir(parents=True, exist_ok=True)
        for name, policy in made.items():
            file = out / f"{name}.json"
            file.write_text(f"{json.dumps(policy, indent=2)}\n", encoding="utf-8")
            print(file)
        print(f"{len(made)} policies written to {out}", file=sys.stderr)
