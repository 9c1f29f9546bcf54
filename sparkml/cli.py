"""The `sparkml` command: reads a job's configuration, runs it, and ends with one line and a status.

Help and configuration errors need no JVM: whatever needs one is imported when a job is run.
"""

from __future__ import annotations

import contextlib
import json as jsonlib
import os
import signal
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from sparkml.errors import ConfigError, SparkMLError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

INTERRUPTED, TERMINATED = 130, 143
USAGE: type[Exception] = typer.BadParameter.__mro__[1]
"""What Typer raises for a wrong command line: the base of its public exceptions."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """How the command was entered: only our own command owns the terminal."""

    owns_terminal: bool = True


class Terminated(BaseException):
    """SIGTERM arrived; like KeyboardInterrupt, it passes every `except Exception`."""


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
    plan: Annotated[bool, typer.Option("--plan", help="Say what would happen, and stop.")] = False,
    json: Json = False,
    debug: Debug = False,
    verbose: Verbose = False,
) -> None:
    """Score a table with a model, as a configuration says.

    Values: defaults, then FILE, then the environment (SPARKML__SINK__PATH=out), then --set.
    """
    door = context.obj or Door()
    with _last_line(debug=debug):
        _score(config, sets or [], plan=plan, json=json, quiet=door.owns_terminal and not verbose)


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
    score(context, config, sets=sets, plan=True, json=json, debug=debug, verbose=verbose)


def _score(config: str, sets: list[str], *, plan: bool, json: bool, quiet: bool) -> None:
    from sparkml.config import load_config
    from sparkml.terminal import Terminal, print_summary

    loaded = load_config(config, sets=sets)
    with _spark_log(quiet=quiet):
        from sparkml.spark import run
        from sparkml.spark.interruptible import interruptible

        if plan:
            planned = interruptible(lambda: run.plan(loaded))
            print(_as_json(planned.to_json()) if json else planned.text())
            return
        with Terminal() as terminal:
            outcome = interruptible(lambda: run.run(loaded, report=terminal))
        if json:
            print(_as_json(outcome.to_json()))
        else:
            print_summary(outcome.summary_rows(), outcome.sample)


def _as_json(values: dict[str, Any]) -> str:
    return jsonlib.dumps(values, indent=2, ensure_ascii=False, default=str)


@contextlib.contextmanager
def _spark_log(*, quiet: bool) -> Iterator[None]:
    """Spark's own output in a file that is gone after a success and named after a failure."""
    if not quiet:
        yield
        return
    from sparkml.terminal import quiet_children

    # MLflow's records then reach the root logger, and with it the log, not a handler on stderr.
    os.environ.setdefault("MLFLOW_CONFIGURE_LOGGING", "false")
    handle, name = tempfile.mkstemp(prefix="sparkml-", suffix=".log")
    os.close(handle)
    log = Path(name)
    try:
        with quiet_children(log):
            yield
    except BaseException:
        if log.stat().st_size:
            print(f"Spark's log: {log}", file=sys.stderr)
        else:
            log.unlink()
        raise
    log.unlink()


@contextlib.contextmanager
def _last_line(*, debug: bool) -> Iterator[None]:
    """Any error of the block as one last line on stderr, and the process's exit status."""
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except SparkMLError as error:
        _fail(error.line(), error.exit_status, debug=debug, above=_problems(error))
    except BrokenPipeError:
        # Whoever read what we print has gone (`| head`); the run had ended before it was printed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        line = "ERROR INTERRUPTED: stopped by Ctrl-C before the run had ended"
        _fail(line, INTERRUPTED, debug=debug)
    except Terminated:
        line = "ERROR TERMINATED: stopped by SIGTERM before the run had ended"
        _fail(line, TERMINATED, debug=debug)
    except Exception as error:  # noqa: BLE001  # the one place where everything ends
        said = str(error).strip().splitlines()
        what = f"{type(error).__name__}: {said[0][:500]}" if said else type(error).__name__
        unexpected = SparkMLError(what, fix="run it again with --debug to see the traceback")
        _fail(unexpected.line(), unexpected.exit_status, debug=debug)
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(_number: int, _frame: object) -> None:
    raise Terminated


def _problems(error: SparkMLError) -> tuple[str, ...]:
    several = isinstance(error, ConfigError) and len(error.problems) > 1
    return error.problems if several and isinstance(error, ConfigError) else ()


def _fail(line: str, status: int, *, debug: bool, above: Sequence[str] = ()) -> NoReturn:
    sys.stdout.flush()  # under spark-submit both streams are one
    if debug:
        traceback.print_exc()
    for problem in above:
        print(problem, file=sys.stderr)
    print(line, file=sys.stderr, flush=True)
    raise SystemExit(status) from None


def driver(argv: Sequence[str]) -> int:
    """The exit status of `score` with these arguments: the whole of `jobs/score.py`.

    For a driver that spark-submit started: nothing is redirected, because the JVM is older than
    Python there and owns the streams.
    """
    group = typer.main.get_command(app)
    command = group.commands["score"]  # type: ignore[attr-defined]  # it is a group: two commands
    return _status(command.main, list(argv), prog_name="score.py", obj=Door(owns_terminal=False))


def main() -> None:
    """The `sparkml` command."""
    sys.exit(_status(app, prog_name="sparkml"))


def _status(command: Callable[..., Any], *arguments: Any, **options: Any) -> int:
    """The exit status of a command; a wrong command line ends with one last line, too."""
    try:
        return command(*arguments, **options, standalone_mode=False) or 0
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except USAGE as error:
        said = str(error.format_message())  # type: ignore[attr-defined]
        if said.startswith("Usage:"):  # no arguments at all: the help itself
            error.show()  # type: ignore[attr-defined]
        else:
            wrong = ConfigError(said, where="the command line", fix="--help lists the options")
            print(wrong.line(), file=sys.stderr, flush=True)
        return ConfigError.exit_status
