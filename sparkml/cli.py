"""The `sparkml` command: reads a job's configuration, runs it, and ends with one line and a status.

Help and configuration errors need no JVM: whatever needs one is imported when a job is run.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sparkml.last_line import exit_status, last_line

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_STATUSES = """\b
Exit status:
    0  the run ended well, or was done before
    1  an unexpected error
    2  the configuration or the command line is wrong
    3  the table and the model do not fit together
    4  the model cannot be used
    5  more rows than max_quarantine allows could not be scored
    6  the output cannot be written
    7  the machine lacks something: Java, a library, an extra
    8  Spark gave up on the job
  130  interrupted (Ctrl-C)
  143  terminated (SIGTERM)

The last line on stderr of a run that failed is: ERROR <CODE>: what | where | fix."""

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: the same everywhere, and 0.1 s sooner
    epilog="Run 'sparkml COMMAND --help' for a command's options and the exit statuses.",
)

Config = Annotated[
    str, typer.Option("--config", "-c", metavar="FILE", help="The job's configuration, in YAML.")
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        metavar="KEY=VALUE",
        help="Change one value, such as sink.path=out; may be repeated. The value is YAML; a key "
        "with a dot in it is quoted: 'rename.\"mean.radius\"=x'.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")]
Debug = Annotated[bool, typer.Option("--debug", help="Print the traceback of an error.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Let Spark print its log on stderr.")]
Planned = Annotated[bool, typer.Option("--plan", help="Say what would happen, and stop.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """How the command was entered: only our own command owns the terminal."""

    owns_terminal: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a command runs: its configuration's class, and the module whose `run` is its story."""

    config: str
    module: str


SCORE = Job(config="JobConfig", module="sparkml.spark.run")
FEATURES = Job(config="FeaturesConfig", module="sparkml.spark.features_job")
TRAIN = Job(config="TrainConfig", module="sparkml.spark.training.train")
TRAIN_MANY = Job(config="TrainManyConfig", module="sparkml.spark.training.train_many_job")


def _print_version(wanted: bool) -> None:  # typer calls it with the flag's value
    if wanted:
        from sparkml import __version__

        typer.echo(f"sparkml {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="The version.")
    ] = False,
) -> None:
    """Score tables of any size on Apache Spark with the models you already have."""


@app.command(epilog=EXIT_STATUSES)
def score(
    context: typer.Context,
    config: Config,
    *,
    sets: Sets = None,
    plan: Planned = False,
    json: Json = False,
    debug: Debug = False,
    verbose: Verbose = False,
) -> None:
    """Score a table with a model, as a configuration says.

    Values: defaults, then FILE, then the environment (SPARKML__SINK__PATH=out), then --set.
    """
    _job(SCORE, context, config, sets, plan=plan, json=json, debug=debug, verbose=verbose)


@app.command(name="plan", epilog=EXIT_STATUSES)
def plan_(
    context: typer.Context,
    config: Config,
    *,
    sets: Sets = None,
    json: Json = False,
    debug: Debug = False,
    verbose: Verbose = False,
) -> None:
    """Say what `score` would do, and do none of it."""
    _job(SCORE, context, config, sets, plan=True, json=json, debug=debug, verbose=verbose)


@app.command(epilog=EXIT_STATUSES)
def features(
    context: typer.Context,
    config: Config,
    *,
    sets: Sets = None,
    plan: Planned = False,
    json: Json = False,
    debug: Debug = False,
    verbose: Verbose = False,
) -> None:
    """Compute features of a table into another, without a model."""
    _job(FEATURES, context, config, sets, plan=plan, json=json, debug=debug, verbose=verbose)


@app.command(epilog=EXIT_STATUSES)
def train(
    context: typer.Context,
    config: Config,
    *,
    sets: Sets = None,
    plan: Planned = False,
    json: Json = False,
    debug: Debug = False,
    verbose: Verbose = False,
) -> None:
    """Train a model on a table, measure it on held-out rows and register it."""
    _job(TRAIN, context, config, sets, plan=plan, json=json, debug=debug, verbose=verbose)


@app.command(epilog=EXIT_STATUSES)
def train_many(
    context: typer.Context,
    config: Config,
    *,
    sets: Sets = None,
    json: Json = False,
    debug: Debug = False,
    verbose: Verbose = False,
) -> None:
    """Train one model per key of a table, stored as one artifact."""
    _job(TRAIN_MANY, context, config, sets, json=json, debug=debug, verbose=verbose)


def _job(
    job: Job,
    context: typer.Context,
    config: str,
    sets: list[str] | None,
    *,
    plan: bool = False,
    json: bool,
    debug: bool,
    verbose: bool,
) -> None:
    """Run a job's story and tell its outcome, or tell its plan."""
    door = context.obj or Door()
    with last_line(debug=debug):
        from sparkml import config as kinds
        from sparkml.redaction import as_json
        from sparkml.terminal import Terminal, print_summary, spark_log

        loaded: Any = kinds.load_as(getattr(kinds, job.config), config, sets=sets or [])
        with spark_log(quiet=door.owns_terminal and not verbose):
            from sparkml.spark.interruptible import interruptible

            story: Any = importlib.import_module(job.module)
            if plan:
                planned = interruptible(lambda: story.plan(loaded))
                print(as_json(planned.to_json()) if json else planned.text())
                return
            with Terminal() as terminal:
                outcome = interruptible(lambda: story.run(loaded, report=terminal))
            if json:
                print(as_json(outcome.to_json()))
            else:
                print_summary(outcome.summary_rows(), getattr(outcome, "sample", ()))


def driver(argv: Sequence[str], *, command: str = "score") -> int:
    """The exit status of a command with these arguments: the whole of `jobs/score.py`.

    For a driver that spark-submit started: nothing is redirected, because the JVM is older than
    Python there and owns the streams.
    """
    group = typer.main.get_command(app)
    chosen = group.commands[command]  # type: ignore[attr-defined]  # it is a group of commands
    door = Door(owns_terminal=False)
    return exit_status(
        chosen.main, list(argv), prog_name=f"{command.replace('-', '_')}.py", obj=door
    )


def main() -> None:
    """The `sparkml` command."""
    sys.exit(exit_status(app, prog_name="sparkml"))
