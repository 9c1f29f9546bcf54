"""What crosses between the driver and the tasks of a file sink: `Layout` out, `FileReport` back."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sparkml.files import S3Options  # noqa: TC001 - a field of a value that is unpickled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionColumn:
    """A column whose value makes the folder; its values are stored in the log, not in the files.

    `in_rows` says that the rows carry it. With `fixed`, all rows of this run have `value`, spelled
    as in the log (None is null). One of the two is true, or both. `physical` is the log's name.
    """

    name: str
    physical: str
    type: pa.DataType
    in_rows: bool
    fixed: bool = False
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """All that a task needs to know about the table it writes files for; some KiB when pickled.

    `logical` and `physical` are the data columns (without the partition columns) in the table's
    order and of the same shape: as the rows call them, and as the files do, with field ids where
    the table has them. `root` is a folder of this machine (absolute) or an address that
    `pyarrow.fs.FileSystem.from_uri` takes; `s3` says how an S3 one is reached. `stats_leaves` is
    how many leading columns get statistics (nested ones count each; -1: all).
    """

    root: str
    logical: pa.Schema
    physical: pa.Schema
    partitions: tuple[PartitionColumn, ...] = ()
    not_null: tuple[str, ...] = ()
    folders: bool = True
    compression: str = "zstd"
    compression_level: int | None = 1
    stats_leaves: int = 32
    target_bytes: int = 512 * MIB
    s3: S3Options | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """A closed file that no log names yet.

    `path` is relative to the table's root and URL-encoded, `stats` the JSON text of Delta's
    statistics, `partition_values` has physical names. `nulls_in` names the NOT NULL columns in
    which the task found a null: a file with any is not to be committed.
    """

    path: str
    size: int
    modification_time_ms: int
    rows: int
    quarantined: int
    partition_values: Mapping[str, str | None]
    stats: str
    nulls_in: tuple[str, ...] = field(default=())


REPORT_SCHEMA = pa.schema([pa.field("report", pa.string(), nullable=False)])
"""How reports travel through Spark: a row each, as JSON."""


def to_batch(reports: Iterable[FileReport]) -> pa.RecordBatch:
    """The reports as rows of `REPORT_SCHEMA`; runs in the worker."""
    texts = [json.dumps(asdict(report)) for report in reports]
    return pa.RecordBatch.from_arrays([pa.array(texts, pa.string())], schema=REPORT_SCHEMA)


def from_text(text: str) -> FileReport:
    """A report out of a row of `REPORT_SCHEMA`; runs on the driver."""
    values: dict[str, Any] = json.loads(text)
    return FileReport(**{**values, "nulls_in": tuple(values["nulls_in"])})
