"""One hostile or benign case, tried as a user would: which error it ends with, or that it is right.

A case is a line in the table `CASES` of a file here, by topic. To add one, write

    Case("what it is", maker, "MODEL_UNREADABLE")

where `maker(folder)` writes files into an empty folder and gives the model's address (or a `Given`:
options of `read_spec`, rows to score and what they must give). The last is what may come of it: the
codes of errors, and `right` for a model that is accepted and scores as it must. Whatever comes, it
is a defect if it is no `SparkMLError`, has no fix, is no single safe line, takes over 20 s, swells
this process by over 300 MB, or if code of the model reached something: `CANARY` says how a payload
tells.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import unicodedata
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkml import load_config, load_scorer, read_spec
from sparkml.errors import SparkMLError
from sparkml.models.archive import unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pyarrow as pa

RIGHT = "right"
CANARY = "the canary sings"
"""What a payload raises or writes down (in `canary` beside its folder) once it did what it must
not: the sandbox forbids writes, so one that only ran tells by the error's text."""

SLOWEST_S, LARGEST_MB, LONGEST = 20, 300, 1_000
"""An endless model takes 6 s, an import, and on a crowded machine the wait for a processor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a maker made: an address, what else is told, and rows with their right scores."""

    uri: str
    options: Mapping[str, Any] = field(default_factory=dict)
    rows: pa.RecordBatch | None = None
    right: Any = None


@dataclass(frozen=True, slots=True)
class Case:
    """A line in a table; see above. `door` is how it is tried: as a model, unless told."""

    id: str
    make: Callable[[Path], Given | Path | str]
    outcomes: str
    trust: str = "never"
    door: Callable[[Given, str], None] | None = None


def tried(case: Case, folder: Path) -> str:
    """How the case ends: `right`, or the error's code. Any defect is an `AssertionError`."""
    folder.mkdir()
    made = case.make(folder)
    given = made if isinstance(made, Given) else Given(uri=str(made))
    before = _memory_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    signal.signal(signal.SIGALRM, _hangs)
    signal.alarm(3 * SLOWEST_S)
    began = time.monotonic()
    try:
        (case.door or as_model)(given, case.trust)
        outcome = RIGHT
    except SparkMLError as error:
        outcome = error.code
        _check_text(error)
        said = error.line() + str(error.__cause__)
        assert CANARY not in said, f"code of the model ran: {said}"
    finally:
        signal.alarm(0)
    took, grew = time.monotonic() - began, _memory_mb("VmHWM") - before
    assert not (folder.parent / "canary").exists(), "code of the model wrote a file"
    assert took < SLOWEST_S, f"it took {took:.1f} s"
    assert grew < LARGEST_MB, f"the driver grew by {grew} MB"
    return outcome


def as_model(given: Given, trust: str) -> None:
    """Read, opened and asked for scores, which must be those that the maker told."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other versions of libraries
        spec = read_spec(given.uri, **{"trust": trust, **given.options})
        if given.rows is None:
            return
        scores = load_scorer(spec)(given.rows)
    for row in scores["error"].to_pylist():
        if row:  # a row without a score: told, in the table
            raise _told(row["code"], row["message"], fix="see the row")
    found = scores["prediction"].to_pylist()
    if isinstance(found[0], str):
        assert found == list(given.right)
    else:
        np.testing.assert_allclose(found, np.asarray(given.right), rtol=1e-5)


def as_archive(given: Given, _trust: str) -> None:
    """Unpacked into the host's cache, as a worker does; the options tell the digest."""
    before, size = _written(), Path(given.uri).stat().st_size
    try:
        unpack(given.uri, given.options["digest"])
    finally:
        grown = _written() - before
        assert grown < 2 * size + 100_000, f"{size} bytes became {grown}"


def as_job(given: Given, _trust: str) -> None:
    """Read as a job's configuration, without a session."""
    load_config(given.uri, **given.options)


def as_command(given: Given, _trust: str) -> None:
    """`sparkml plan`, in a process of its own: its last line, as the error that it tells of."""
    told = subprocess.run(
        [sys.executable, "-m", "sparkml", "plan", "--config", given.uri],
        capture_output=True,
        timeout=3 * SLOWEST_S,
        check=False,
    )
    text = told.stderr.decode("utf-8", "surrogateescape")
    assert "Traceback" not in text, text
    assert told.returncode > 1, f"status {told.returncode}: {text}"
    last = text.rstrip("\n").rpartition("\n")[2]
    assert last.startswith("ERROR "), text
    _check_characters(text.replace("\n", ""))
    raise _error_of(last)


def _error_of(line: str) -> SparkMLError:
    code, _, rest = line.removeprefix("ERROR ").partition(": ")
    what, _, fix = rest.rpartition(" | fix: ")
    return _told(code, what, fix)


def _told(code: str, what: str, fix: str) -> SparkMLError:
    kind = type("Told", (SparkMLError,), {"code": code})
    told: SparkMLError = kind(what, fix=fix)
    return told


def _check_text(error: SparkMLError) -> None:
    line = error.line()
    assert error.code != SparkMLError.code, f"an error without a code of its own: {line}"
    assert error.fix, f"an error without a fix: {line}"
    for told in (str(error), *getattr(error, "problems", ())):
        assert len(told) <= LONGEST, f"a text of {len(told)} characters"
        _check_characters(told)


def _check_characters(line: str) -> None:
    """Refuse what moves a terminal's cursor, ends a line, or turns the text around."""
    strange = [c for c in line if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert not strange, f"characters {strange} in {line!r}"


def _hangs(_number: int, _frame: object) -> None:
    raise AssertionError("it does not end")


def _memory_mb(name: str) -> int:
    return next(_numbers(name)) // 1024


def _written() -> int:
    """The bytes that this process wrote, wherever."""
    told = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(told["wchar"])


def _numbers(name: str) -> Iterator[int]:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            yield int(line.split()[1])
