"""`emr iam`: the least-privilege policies that a spec needs, to read or to store."""

# ruff: noqa: TC001, TC003  # typer reads a command's annotations when it runs

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emr.commands.options import ClusterSets, Debug, SpecFile
from sparkml.last_line import last_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emr.request.iam_documents import Document


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
        from emr.commands.options import checked_spec
        from emr.commands.output import print_json
        from emr.request.iam import policies

        _check(account, data or [])
        made = policies(checked_spec(spec, cluster_sets), data=data or (), account=account)
        if out is None:
            print_json(made)
            return
        for file in _written(made, out):
            print(file)
        print(f"{len(made)} policies written to {out}", file=sys.stderr)


def _check(account: str | None, data: list[str]) -> None:
    """Refuse what a policy would be written with, and would grant nothing.

    Raises:
        ConfigError: an account or an address that is none; `problems` holds every one.
    """
    from emr.request.forms import form_problems
    from sparkml.config.file import config_error

    named = [("folder on S3", one, "--data") for one in data]
    if account is not None:
        named.append(("account", account, "--account"))
    problems = [problem for one in named for problem in form_problems(*one)]
    if problems:
        raise config_error(problems, "the command line")


def _written(made: Mapping[str, Document], out: Path) -> list[Path]:
    """The policies as files of a folder.

    Raises:
        ConfigError: they cannot be written there.
    """
    import json

    from sparkml.errors import ConfigError

    files = {out / f"{name}.json": policy for name, policy in made.items()}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for file, policy in files.items():
            file.write_text(f"{json.dumps(policy, indent=2)}\n", encoding="utf-8")
    except OSError as error:
        what, fix = f"cannot write there: {error.strerror}", "name a folder that you may write"
        raise ConfigError(what, where=str(out), fix=fix) from None
    return list(files)
