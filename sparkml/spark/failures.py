"""From what Spark, the JVM and the workers raise to our own errors, in one line."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException, PythonException

from sparkml import errors
from sparkml.errors import JobFailed, SourceError, SparkMLError
from sparkml.spark.source_errors import source_fix

if TYPE_CHECKING:
    from collections.abc import Iterator

FROM_SPARK = (PySparkException, Py4JError)
"""What a call into Spark may raise: PySpark turns some of the JVM's exceptions into its own."""

UNREADABLE = (
    "MALFORMED_RECORD",
    "FAILED_READ_FILE",
    "CANNOT_READ_FILE",
    "FileNotFoundException",
    "is not a Parquet file",
    "CSV header does not conform",
)
"""Marks in a failed job's error by which its source is known to be the cause."""

_RAISED = re.compile(r"^([A-Za-z_][\w.]*): (.*)$")
_DEPTH = 20


def java_failure(error: BaseException, *, depth: int = 0) -> tuple[str, str]:
    """The Java class of what went wrong, without its package, and one line of its message.

    `depth`: how many causes to follow at most. For an exception that has none of Java behind it,
    its own class and first line.
    """
    java = getattr(error, "java_exception", None) or getattr(error, "_origin", None)
    if java is None:
        lines = str(error).strip().splitlines()
        return type(error).__name__, lines[0] if lines else type(error).__name__
    for _ in range(depth):
        cause = java.getCause()
        if cause is None or cause.equals(java):
            break
        java = cause
    name = str(java.getClass().getName()).rpartition(".")[2]
    lines = str(java.getMessage() or name).strip().splitlines()
    return name, lines[0].strip() if lines else name


def brief(error: BaseException) -> str:
    """One line of an error: its last cause, without the plan and the traces that follow it."""
    name, line = java_failure(error, depth=_DEPTH)
    said = line if isinstance(error, PySparkException) else f"{name}: {line}"
    return " ".join(said.split())


def source_error(error: BaseException, *, where: str, fix: str | None = None) -> SourceError:
    """Spark's failure to read a source as one of our errors, with what helps against it."""
    said = brief(error)
    return SourceError(said, where=where, fix=fix or source_fix(error, f"{error} {said}"))


@contextmanager
def explained() -> Iterator[None]:
    """Turn the failure of a Spark job inside the block into one of our errors."""
    try:
        yield
    except SparkMLError:
        raise
    except PythonException as error:
        raise from_worker(str(error)) from error
    except FROM_SPARK as error:
        text = f"{error} {brief(error)}"
        # What a Python worker raised, or an expression in our words (`raise_error`).
        if "Traceback (most recent call last)" in text or f"\n{errors.__name__}." in text:
            raise from_worker(text) from error
        if any(mark in text for mark in UNREADABLE):
            raise source_error(error, where="source") from error
        raise JobFailed(brief(error), where="Spark job", fix="look into Spark's log") from error


def from_worker(text: str) -> SparkMLError:
    """The error that a Python worker raised, out of the traceback that Spark makes of it."""
    raised = [found for line in text.splitlines() if (found := _RAISED.match(line))]
    for found in reversed(raised):
        room, _, kind = found[1].rpartition(".")
        if room == errors.__name__ and hasattr(errors, kind):
            return _parsed(getattr(errors, kind), found[2])
    last = raised[-1][0] if raised else text.strip().splitlines()[0]
    return JobFailed(last, where="a Python worker", fix="look into Spark's log")


def _parsed(kind: type[SparkMLError], line: str) -> SparkMLError:
    what, *rest = line.split(errors.SEPARATOR)
    fix = next((r.removeprefix("fix: ") for r in rest if r.startswith("fix: ")), "")
    where = next((r for r in rest if not r.startswith("fix: ")), "worker")
    return kind(what, where=where, fix=fix)
