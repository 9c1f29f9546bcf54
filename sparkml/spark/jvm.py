"""The JVM of a session, started with its settings in a file that nobody else can read.

PySpark passes them as arguments, which every user of the machine reads in the process table.
"""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark import SparkConf, SparkContext

from sparkml.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ARGUMENTS = "PYSPARK_SUBMIT_ARGS"
_OPTION = "--properties-file"
_LOAD_DEFAULTS = "--load-spark-defaults"


def is_running() -> bool:
    """Whether there is a JVM already: this process's own, or that of the spark-submit around it."""
    return SparkContext._gateway is not None or "PYSPARK_GATEWAY_PORT" in os.environ  # noqa: SLF001


def launch(settings: Mapping[str, str]) -> SparkConf:
    """What spark-submit and spark-defaults.conf say; the JVM reads them, so it is started here.

    `settings` go along, since some (the driver's memory) are the JVM's own: in a properties file
    of mode 0600 that is gone when the JVM runs. Those of spark-defaults.conf count below them, and
    those of a properties file in `PYSPARK_SUBMIT_ARGS`, as spark-submit would have it, instead.

    Raises:
        SetupError: the properties file that `PYSPARK_SUBMIT_ARGS` names cannot be read.
    """
    if is_running():
        SparkContext._ensure_initialized()  # noqa: SLF001 - the only way before a context
        return SparkConf()
    with _properties_file(settings):
        SparkContext._ensure_initialized()  # noqa: SLF001
    return SparkConf()


@contextmanager
def _properties_file(settings: Mapping[str, str]) -> Iterator[None]:
    """Let spark-submit read these settings from a file, inside the block."""
    before = os.environ.get(_ARGUMENTS)
    rest, own = _taken_out(shlex.split(before or "pyspark-shell"))
    lines = [f"{_escaped(k)}={_escaped(v)}\n" for k, v in settings.items()]
    with tempfile.TemporaryDirectory(prefix="sparkml-") as folder:  # of mode 0700
        file = Path(folder, "spark.properties")
        file.touch(0o600)
        file.write_text("".join([own or "", *lines]), encoding="utf-8")
        defaults = [_LOAD_DEFAULTS] if own is None else []
        os.environ[_ARGUMENTS] = shlex.join([_OPTION, str(file), *defaults, *rest])
        try:
            yield
        finally:
            os.environ.pop(_ARGUMENTS)
            if before is not None:
                os.environ[_ARGUMENTS] = before


def _taken_out(arguments: list[str]) -> tuple[list[str], str | None]:
    """The arguments without a properties file of the user's own, and what that holds."""
    rest, own = [], None
    wanted = iter(arguments)
    for argument in wanted:
        option, equals, file = argument.partition("=")
        if option == _OPTION:
            own = _read(file if equals else next(wanted, ""))
        else:
            rest.append(argument)
    return rest, own


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8") + "\n"
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(
            f"the properties file '{file}' cannot be read: {error}",
            where=_ARGUMENTS,
            fix=f"correct its {_OPTION}",
        ) from error


def _escaped(text: str) -> str:
    r"""A key or a value as Java's properties have it: all but letters, digits and dots `\uXXXX`."""
    units = memoryview(text.encode("utf-16", "surrogatepass")[2:]).cast("H")  # Java's characters
    plain = re.compile(r"[\w.]", re.ASCII)
    return "".join(c if plain.match(c) else f"\\u{ord(c):04x}" for c in map(chr, units))
