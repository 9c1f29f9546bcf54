"""However a command ends, one last line says so, and the exit status agrees."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from typing import TYPE_CHECKING, Any, NoReturn

from sparkml.errors import ConfigError, SparkMLError
from sparkml.redaction import masked, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

INTERRUPTED, TERMINATED = 130, 143


class Terminated(BaseException):
    """SIGTERM arrived; like KeyboardInterrupt, it passes every `except Exception`."""


@contextlib.contextmanager
def last_line(*, debug: bool) -> Iterator[None]:
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
        what = f"{type(error).__name__}: {said[0]}" if said else type(error).__name__
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
        lines = traceback.format_exc().splitlines()
        print("\n".join(printable(masked(line)) for line in lines), file=sys.stderr)
    for problem in above:
        print(problem, file=sys.stderr)
    print(line, file=sys.stderr, flush=True)
    raise SystemExit(status) from None


def exit_status(command: Callable[..., Any], *arguments: Any, **options: Any) -> int:
    """The exit status of a Typer command; a wrong command line ends with one last line, too."""
    import typer

    usage: type[Exception] = typer.BadParameter.__mro__[1]  # the base of its public exceptions
    try:
        return command(*arguments, **options, standalone_mode=False) or 0
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except usage as error:
        said = str(error.format_message())  # type: ignore[attr-defined]
        if said.startswith("Usage:"):  # no arguments at all: the help itself
            error.show()  # type: ignore[attr-defined]
        else:
            wrong = ConfigError(said, where="the command line", fix="--help lists the options")
            print(wrong.line(), file=sys.stderr, flush=True)
        return ConfigError.exit_status
