"""The `emr` command: its commands by name, and how it ends; help needs neither boto3 nor Spark."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from emr.commands import ask, cost, doctor, end, iam, logs, plan, submit, up
from emr.commands.options import EXIT_STATUSES
from sparkml.last_line import exit_status

if TYPE_CHECKING:
    from collections.abc import Callable

COMMANDS: dict[str, Callable[..., None]] = {
    "plan": plan.plan,
    "up": up.up,
    "list": ask.list_,
    "describe": ask.describe,
    "submit": submit.submit,
    "logs": logs.logs,
    "cancel": end.cancel,
    "down": end.down,
    "reap": end.reap,
    "cost": cost.cost,
    "iam": iam.iam,
    "doctor": doctor.doctor,
}


def make_app() -> typer.Typer:
    """The command with all of its commands."""
    app = typer.Typer(
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # plain help: the same everywhere, and 0.1 s sooner
        epilog="Run 'emr COMMAND --help' for a command's options and the exit statuses.",
    )
    app.callback()(_root)
    for name, function in COMMANDS.items():
        app.command(name=name, epilog=EXIT_STATUSES)(function)
    return app


def _root() -> None:
    """Run sparkml's jobs on Amazon EMR: plan, up, submit, logs, down."""


def main() -> None:
    """The `emr` command."""
    sys.exit(status())


def status() -> int:
    """The exit status of the process's arguments; a wrong command line ends with a last line."""
    return exit_status(make_app(), prog_name="emr")
