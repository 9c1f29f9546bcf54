"""Arrow batches → Parquet files that no log names yet, and a report of each; runs in the worker."""

from __future__ import annotations

import contextlib
import time
import uuid
from typing import TYPE_CHECKING
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from sparkml.files import open_address
from sparkml.spark.parquet.columns import settings, stored
from sparkml.spark.parquet.layout import MIB, FileReport
from sparkml.spark.parquet.partitions import Key, folder, split
from sparkml.spark.parquet.stats import stats_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sparkml.spark.parquet.layout import Layout

ROW_GROUP_BYTES = 64 * MIB
ROW_GROUP_ROWS = 1 << 20
BUFFERED_BYTES = 256 * MIB
OPEN_FILES = 32


def write_files(
    batches: Iterable[pa.RecordBatch], layout: Layout, *, task: str, error_column: str = "error"
) -> Iterator[FileReport]:
    """A report of each file, as it is closed; no rows, no file.

    The rows go to the partition that they name, in their order. Memory is bounded: at most
    `OPEN_FILES` files are open (the one longest unused is closed for another) and at most about
    `BUFFERED_BYTES` of rows wait for their row group. `task` becomes part of the files' names.
    `quarantined` counts the rows whose `error_column` is not null. Where a batch has a null in a
    NOT NULL column the rest is not read: the report says so, and the driver refuses it.

    Files that are not reported when the caller stops, or on an error, are deleted.

    Raises:
        pyarrow.ArrowInvalid: a value does not fit the table's type.
        OSError: the files cannot be written.
    """
    writing = _Writing(layout, task=task, error_column=error_column)
    try:
        for batch in batches:
            if batch.num_rows:
                yield from writing.add(batch)
            if writing.refused:
                break
        yield from writing.finish()
    finally:
        writing.discard()


class _Writing:
    """The open files of a task, by partition, the one longest unused first."""

    def __init__(self, layout: Layout, *, task: str, error_column: str) -> None:
        self._layout, self._task, self._error = layout, task, error_column
        self._system, self._root = open_address(layout.root, layout.s3)
        self._options = settings(layout)
        self._files: dict[Key, _File] = {}
        self.refused: tuple[str, ...] = ()

    def add(self, batch: pa.RecordBatch) -> Iterator[FileReport]:
        for key, rows in split(batch, self._layout.partitions):
            columns = stored(rows, self._layout)
            self.refused += self._nulls(rows)
            file = self._files.pop(key, None)
            if file is None and len(self._files) >= OPEN_FILES:
                yield self._close(next(iter(self._files)))
            file = file or self._open(key)
            self._files[key] = file
            bad = rows.schema.get_field_index(self._error)
            file.add(columns, 0 if bad < 0 else rows.num_rows - rows.column(bad).null_count)
            if file.size >= self._layout.target_bytes:
                yield self._close(key)
        while sum(file.waiting_bytes for file in self._files.values()) > BUFFERED_BYTES:
            max(self._files.values(), key=lambda file: file.waiting_bytes).flush()

    def finish(self) -> Iterator[FileReport]:
        for key in list(self._files):
            yield self._close(key)

    def discard(self) -> None:
        for file in self._files.values():
            file.discard()
        self._files.clear()

    def _nulls(self, rows: pa.RecordBatch) -> tuple[str, ...]:
        found = (n for n in self._layout.not_null if n in rows.schema.names)
        return tuple(n for n in found if rows.column(n).null_count)

    def _open(self, key: Key) -> _File:
        names = [p.name for p in self._layout.partitions]
        name = f"part-{self._task}-{uuid.uuid4()}.{self._layout.compression}.parquet"
        path = (folder(names, key) if self._layout.folders else "") + name
        return _File(self._system, self._root, path, self._layout.physical, self._options)

    def _close(self, key: Key) -> FileReport:
        file = self._files[key]
        size, footer = file.close()
        del self._files[key]
        return FileReport(
            path=quote(file.path, safe="/="),
            size=size,
            modification_time_ms=int(time.time() * 1000),
            rows=footer.num_rows,
            quarantined=file.quarantined,
            partition_values=dict(
                zip((p.physical for p in self._layout.partitions), key, strict=True)
            ),
            stats=stats_json(footer, self._layout),
            nulls_in=tuple(dict.fromkeys(self.refused)),
        )


class _File:
    """One Parquet file being written; its rows wait until there are enough for a row group."""

    def __init__(
        self,
        system: fs.FileSystem,
        root: str,
        path: str,
        schema: pa.Schema,
        options: dict[str, object],
    ) -> None:
        self.path, self.quarantined, self.waiting_bytes = path, 0, 0
        self._system, self._full, self._schema = system, f"{root}/{path}", schema
        self._waiting: list[pa.RecordBatch] = []
        self._footers: list[pq.FileMetaData] = []
        if system.type_name in {"local", "hdfs"}:  # object stores have no folders to make
            system.create_dir(self._full.rpartition("/")[0], recursive=True)
        self._stream = system.open_output_stream(self._full)
        self._writer = pq.ParquetWriter(
            self._stream, schema, metadata_collector=self._footers, **options
        )

    @property
    def size(self) -> int:
        return int(self._stream.tell())

    def add(self, rows: pa.RecordBatch, quarantined: int) -> None:
        self.quarantined += quarantined
        self._waiting.append(rows)
        self.waiting_bytes += rows.nbytes
        if self.waiting_bytes >= ROW_GROUP_BYTES:
            self.flush()

    def flush(self) -> None:
        if self._waiting:
            table = pa.Table.from_batches(self._waiting, self._schema)
            self._writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
        self._waiting, self.waiting_bytes = [], 0

    def close(self) -> tuple[int, pq.FileMetaData]:
        self.flush()
        self._writer.close()
        size = self.size
        self._stream.close()
        return size, self._footers[-1]

    def discard(self) -> None:
        self._waiting = []
        with contextlib.suppress(Exception):
            self._writer.close()
        with contextlib.suppress(Exception):
            self._stream.close()
        with contextlib.suppress(Exception):
            self._system.delete_file(self._full)
