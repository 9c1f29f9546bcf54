"""What a run tells when it has ended: `Outcome` and the plan that came before it, as values."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pyarrow import fs

from sparkml.errors import SinkNotWritable, SparkMLError
from sparkml.files import open_address
from sparkml.models.sites import libraries
from sparkml.redaction import as_json, masked, safe_line
from sparkml.spark import jvm_files
from sparkml.spark.failures import FROM_SPARK, brief

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

    from sparkml.binding import Binding
    from sparkml.config import Loaded
    from sparkml.spark.progress import Reporter
    from sparkml.spec import ModelSpec

SAMPLE_ROWS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A run that ended well; `to_json` is what the result file holds."""

    models: list[dict[str, str]]
    table: str
    rows: int = 0
    scored: int = 0
    quarantined: int = 0
    seconds: float = 0.0
    table_version: int | None = None
    files: int | None = None
    already_done: bool = False
    sample: list[dict[str, Any]] = field(default_factory=list)
    sql: str = ""
    types: dict[str, dict[str, str]] = field(default_factory=dict)
    """Model → column → the type that was taken from the table, where the model tells none."""
    warnings: list[str] = field(default_factory=list)
    """What a caller should know although the run ended well, such as a weaker promise."""

    @property
    def rows_per_s(self) -> int:
        """Rows read, scored and stored per second of the job itself, without Spark's start."""
        return round(self.rows / self.seconds) if self.seconds else 0

    def to_json(self) -> dict[str, Any]:
        """The outcome as plain values, `status` first."""
        return {"status": "ok", **asdict(self), "rows_per_s": self.rows_per_s}

    def summary_rows(self) -> list[tuple[str, str]]:
        """What a person wants to know, as label and value."""
        rows = [
            ("model", f"{m['column']}: {m['uri']}  sha256 {m['digest'][:12]}") for m in self.models
        ]
        if self.already_done:
            rows.append(("done before", "this run key is committed; nothing was scored"))
        else:
            rows += [
                ("rows", f"{self.rows:,}"),
                ("scored", f"{self.scored:,}"),
                ("quarantined", f"{self.quarantined:,}"),
                ("speed", f"{self.rows_per_s:,} rows/s ({self.seconds:.1f} s)"),
            ]
        version = "" if self.table_version is None else f"  version {self.table_version}"
        files = "" if self.files is None else f"  {self.files} file{'s' * (self.files != 1)}"
        rows.append(("table", f"{self.table}{version}{files}"))
        rows.append(("query", self.sql))
        return rows + [("warning", text) for text in self.warnings]


def model_rows(specs: tuple[ModelSpec, ...]) -> list[dict[str, str]]:
    """The models of a run as an outcome names them; their environments, where one has its own."""
    rows = [
        {"column": s.name, "uri": masked(s.uri), "version": s.version, "digest": s.digest}
        for s in specs
    ]
    if any(s.environment for s in specs):
        for row, s in zip(rows, specs, strict=True):
            row["environment"] = s.environment
            row["libraries"] = ", ".join(libraries(s.environment)) if s.environment else ""
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run would do: nothing of it has been done."""

    models: list[dict[str, Any]]
    source: str
    inputs: list[dict[str, str]]
    output: list[dict[str, str]]
    sink: dict[str, Any]
    config: list[tuple[str, str, str]]

    def to_json(self) -> dict[str, Any]:
        """The plan as plain values."""
        return asdict(self)

    def text(self) -> str:
        """The plan for a person to read."""
        parts = [
            _table("model", self.models),
            f"source\n  {safe_line(self.source)}",
            _table("input columns", self.inputs),
            _table("output columns", self.output),
            _table("sink", [{"what": k, "value": _shown(v)} for k, v in self.sink.items()]),
            _table("config", [{"key": k, "value": v, "from": o} for k, v, o in self.config]),
        ]
        return "\n\n".join(parts)


def _table(title: str, rows: list[dict[str, Any]]) -> str:
    if not rows:
        return f"{title}\n  (none)"
    table = [list(rows[0]), *([safe_line(str(cell)) for cell in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in table]
    return "\n".join([title, *(f"  {line}" for line in lines)])


def output_rows(schema: StructType) -> list[dict[str, str]]:
    """The columns that a run writes, as a plan names them."""
    return [{"column": f.name, "type": f.dataType.simpleString()} for f in schema.fields]


ABSENT = {
    "model": "null: the model decides",
    "propagate": "null: no row has a score",
    "quarantine": "null: every row is quarantined",
    "fail": "null: the job fails",
}
"""Null policy → what becomes of a column that the model does not require and the table lacks."""


def input_rows(model: str, bound: Iterable[Binding]) -> list[dict[str, str]]:
    """The columns that a model takes, as a plan names them."""
    rows = []
    for b in bound:
        column = b.column if b.column == b.name else f"{b.column} as {b.name}"
        rows.append(_input_row(model, column, b.source, b.target, b.rule))
    return rows


def absent_rows(spec: ModelSpec, bound: Iterable[Binding]) -> list[dict[str, str]]:
    """The columns that a model does not require and the table lacks, as a plan names them."""
    found = {b.name for b in bound}
    rows = []
    for f in spec.signature.inputs:
        if f.name not in found:
            policy = spec.null_policy(f.name)
            becomes = ABSENT.get(policy.kind, f"{policy.value!r} on every row")
            rows.append(_input_row(spec.name, f.name, "absent", f.type, becomes))
    return rows


def _input_row(model: str, name: str, source: str, target: str, rule: str) -> dict[str, str]:
    return {"model": model, "column": name, "is": source, "becomes": target, "cast": rule}


def config_rows(loaded: Loaded[Any]) -> list[tuple[str, str, str]]:
    """Every resolved value of the config and where it came from.

    Empty defaults are left out, and what may be secret (`sparkml.redaction`).
    """
    rows = [(key, _shown(value), origin) for key, value, origin in loaded.shown()]
    empty = ("null", "{}", "[]")
    return [row for row in rows if row[1] not in empty or row[2] != "default"]


def _shown(value: Any) -> str:
    if isinstance(value, dict) and value:
        return ", ".join(f"{_shown(v)} {k}" for k, v in value.items())
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class Told(Protocol):
    """What a job tells when it has ended."""

    def to_json(self) -> dict[str, Any]:
        """It as plain values."""
        ...


class Recording(Protocol):
    """A job's configuration, as far as it says where the outcome is written down."""

    @property
    def result(self) -> str | None:
        """The address of a JSON file, if any."""
        ...


Config = TypeVar("Config", bound=Recording)
Ended = TypeVar("Ended", bound=Told)


def recorded(story: Callable[[Config, Reporter], Ended], config: Config, report: Reporter) -> Ended:
    """What a job's story returns, written down where its configuration says, as is its error.

    The reporter is closed whether it ends well or not.
    """
    try:
        # Said first, so that a place that cannot be written is known before anything is committed.
        write_result(config.result, None)
        try:
            outcome = story(config, report)
        except Exception as error:
            told = error if isinstance(error, SparkMLError) else SparkMLError(brief(error))
            with suppress(SinkNotWritable):  # the error itself is what matters now
                write_result(config.result, told)
            raise
        write_result(config.result, outcome)
        return outcome
    finally:
        report.close()


def stored_sample(read: Callable[[], DataFrame]) -> list[dict[str, Any]]:
    """A few stored rows, as the table gives them.

    The run has ended by now: a table that cannot be shown is no failure of it.
    """
    with suppress(*FROM_SPARK):
        return [row.asDict(recursive=True) for row in read().limit(SAMPLE_ROWS).collect()]
    return []


def write_result(address: str | None, result: Told | SparkMLError | None) -> None:
    """Write the outcome, the error or (None) that the run goes on, as JSON where the config says.

    In cluster mode the driver's output is far away: this file is how a caller learns what happened.

    Raises:
        SinkNotWritable: the address cannot be written.
    """
    if address is None:
        return
    if result is None:
        content: dict[str, Any] = {"status": "running"}
    elif isinstance(result, SparkMLError):
        content = {"status": "error", "error": result.to_json()}
    else:
        content = result.to_json()
    data = as_json(content).encode()
    try:
        system, path = open_address(address)
        if isinstance(system, fs.LocalFileSystem):
            system.create_dir(path.rpartition("/")[0], recursive=True)
        with system.open_output_stream(path) as stream:
            stream.write(data)
    except (OSError, ValueError) as error:
        why = str(error)
        if jvm_files.reached(address):
            refused = jvm_files.unwritten(address, data)
            if not refused:
                return
            why = f"Spark is told {refused}; Python: {why}"
        raise SinkNotWritable(
            f"the result file cannot be written: {why}", where=f"result: {address}"
        ) from error
