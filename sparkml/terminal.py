"""The terminal's side of a run: progress and clean stderr while it runs, a summary at its end."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from sparkml.redaction import masked, one_line, printable, safe_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.progress import Progress, TaskID

EVERY_S = 30.0
"""Without a terminal, a line at most this often."""


class Terminal:
    """A run's `Reporter` for a person: one live line on a terminal, else a plain line every 30 s.

    Writes to stderr only. Use it as a context manager, or call `close`, so that the live line goes.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = self._told = clock()
        self._text = "starting"
        self._live: tuple[Progress, TaskID] | None = _live_line() if _is_terminal() else None

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def stage(self, text: str) -> None:
        """Show the new stage, without a count yet."""
        self._text = safe_line(text)
        self._show(done=0, total=None, failed=0)

    def progress(self, done: int, total: int, failed: int) -> None:
        """Show how far the stage is."""
        self._show(done=done, total=total, failed=failed)

    def close(self) -> None:
        """Take the live line away. Calling it twice is fine."""
        if self._live is not None:
            self._live[0].stop()
            self._live = None

    def _show(self, *, done: int, total: int | None, failed: int) -> None:
        trouble = f", {failed} failed and tried again" if failed else ""
        if self._live is not None:
            line, task = self._live
            count = "" if total is None else f"{done}/{total} tasks"
            line.update(
                task,
                description=self._text,
                completed=done,
                total=total,
                count=count + trouble,
            )
            return
        now = self._clock()
        if now - self._told >= EVERY_S:
            self._told = now
            count = "" if total is None else f": {done} of {total} tasks"
            print(f"{now - self._began:.0f} s  {self._text}{count}{trouble}", file=sys.stderr)


def _is_terminal() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _live_line() -> tuple[Progress, TaskID]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    line = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[count]}", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),  # rich honours NO_COLOR
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    task = line.add_task("starting", total=None, count="")
    line.start()
    return line, task


@contextlib.contextmanager
def spark_log(*, quiet: bool) -> Iterator[None]:
    """Spark's own output in a file that is gone after a success and named after a failure."""
    if not quiet:
        yield
        return
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
def quiet_children(log: Path) -> Iterator[None]:
    """Everything that child processes print goes to `log`; Python's own streams stay as they are.

    The JVM and the workers inherit file descriptors 1 and 2, which point at the log inside the
    block, while `sys.stdout` and `sys.stderr` write to copies of the real ones. Python's warnings
    and log records go to the log too. Driver only; not for use in threads.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    streams, showwarning = (sys.stdout, sys.stderr), warnings.showwarning
    # Never closed: a log handler made inside the block may write until the process ends.
    real = os.dup(1), os.dup(2)
    with log.open("a", encoding="utf-8", buffering=1) as sink:
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)
        sys.stdout, sys.stderr = _writer(real[0]), _writer(real[1])
        warnings.showwarning = _warnings_to(sink)
        handler = logging.StreamHandler(sink)
        handler.setFormatter(_Safe())
        logging.getLogger().addHandler(handler)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            logging.getLogger().removeHandler(handler)
            warnings.showwarning = showwarning
            sys.stdout, sys.stderr = streams
            os.dup2(real[0], 1)
            os.dup2(real[1], 2)


def _writer(descriptor: int) -> TextIO:
    return open(  # a descriptor has no path, and stays open
        descriptor, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False
    )


class _Safe(logging.Formatter):
    """A log record, masked, and without what a terminal would obey."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(masked(super().format(record)))


def _warnings_to(stream: TextIO) -> Callable[..., None]:
    def show(  # noqa: PLR0917  # the signature is Python's
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        text = warnings.formatwarning(str(message), category, filename, lineno, line)
        (file or stream).write(printable(masked(text)))

    return show


def print_summary(rows: Sequence[tuple[str, str]], sample: Sequence[dict[str, Any]] = ()) -> None:
    """The summary of a run on stdout: tables on a terminal, aligned plain text elsewhere."""
    if sys.stdout.isatty():
        _print_tables(rows, sample)
        return
    width = max((len(label) for label, _ in rows), default=0)
    for label, value in rows:
        print(f"{label.ljust(width)}  {safe_line(value)}".rstrip())
    if sample:
        names = list(sample[0])
        lines = [
            [one_line(name) for name in names],
            *[[_cell(row.get(name)) for name in names] for row in sample],
        ]
        widths = [max(len(line[i]) for line in lines) for i in range(len(names))]
        print()
        for line in lines:
            print("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip())


def _print_tables(rows: Sequence[tuple[str, str]], sample: Sequence[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    summary = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    summary.add_column(style="bold")
    summary.add_column(overflow="fold")
    for label, value in rows:
        summary.add_row(label, Text(safe_line(value)))
    console.print(summary)
    if sample:
        scored = Table(header_style="bold")
        for name in sample[0]:
            scored.add_column(Text(one_line(name)), overflow="fold")
        for row in sample:
            scored.add_row(*[Text(_cell(row.get(name))) for name in sample[0]])
        console.print(scored)


def _cell(value: Any) -> str:
    """A value of a sample row on one line: numbers to six digits, structs as their values."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return ", ".join(f"{one_line(name)} {_cell(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return f"[{', '.join(_cell(item) for item in value)}]"
    return "null" if value is None else one_line(str(value))
