"""Partition values as a Delta log spells them: from rows, from a config, and as folder names."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sparkml.errors import SinkSchemaError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparkml.spark.parquet.layout import PartitionColumn

Key = tuple[str | None, ...]

NULL_FOLDER = "__HIVE_DEFAULT_PARTITION__"
ESCAPED = frozenset("\"#%'*/:=?\\{[]^\x7f") | {chr(c) for c in range(1, 32)}
LONGEST_FOLDER_BYTES = 200


def spelled(value: Any) -> str | None:
    """The text of a Python value; None for null, and for '', which the protocol reads as null."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return value.isoformat(sep=" ", timespec="microseconds")
        utc = value.astimezone(UTC).replace(tzinfo=None)
        return utc.isoformat(timespec="microseconds") + "Z"
    return value.isoformat() if isinstance(value, date) else str(value)


def declared(name: str, value: Any, dtype: pa.DataType) -> str | None:
    """The text of a value that a config declares for the partition column `name`.

    Raises:
        SinkSchemaError: it is no value of the column's type, or it is the empty string.
    """
    if value is None:
        return None
    if value == "":
        raise SinkSchemaError(
            f"partition column '{name}' cannot be '': Delta stores an empty string there as null",
            where="sink.partition",
            fix="give a value, or null",
        )
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    try:
        return spelled(pa.array([text]).cast(dtype)[0].as_py())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError, OverflowError):
        zone = pa.types.is_timestamp(dtype) and dtype.tz is not None
        raise SinkSchemaError(
            f"{text!r} is no {dtype}, the type of partition column '{name}'",
            where="sink.partition",
            fix="write it with its zone, e.g. 2026-01-31T00:00:00Z" if zone else "mend the value",
        ) from None


def folder(names: list[str], key: Key) -> str:
    """`a=1/b=x%2Fy/` for the names and their values; '' for none, or where a name is too long."""
    parts = [
        f"{_escaped(name)}={NULL_FOLDER if value is None else _escaped(value)}"
        for name, value in zip(names, key, strict=True)
    ]
    if any(len(part.encode()) > LONGEST_FOLDER_BYTES for part in parts):
        return ""  # a file system's names are short; Delta takes the values from the log anyway
    return "".join(f"{part}/" for part in parts)


def _escaped(text: str) -> str:
    return "".join(f"%{ord(c):02X}" if c in ESCAPED else c for c in text)


def split(
    batch: pa.RecordBatch, partitions: tuple[PartitionColumn, ...]
) -> Iterator[tuple[Key, pa.RecordBatch]]:
    """The rows of each partition, in their order; no copy where all are in one."""
    codes = np.zeros(batch.num_rows, dtype=np.int64)
    values: list[list[str | None]] = []
    for column in partitions:
        texts, of_row = _encoded(batch, column)
        values.append(texts)
        if len(texts) > 1:
            codes = codes * len(texts) + of_row
            _, codes = np.unique(codes, return_inverse=True)
            codes = codes.astype(np.int64)
    if not codes.any():
        yield _key(batch, partitions, 0), batch
        return
    order = np.argsort(codes, kind="stable")
    ends = np.flatnonzero(np.diff(codes[order], append=-1)) + 1
    start = 0
    for end in ends.tolist():
        rows = batch.take(pa.array(order[start:end]))
        yield _key(rows, partitions, 0), rows
        start = end


def _encoded(
    batch: pa.RecordBatch, column: PartitionColumn
) -> tuple[list[str | None], np.ndarray[Any, np.dtype[np.int64]]]:
    """The column's distinct texts, and which of them each row has."""
    if not column.in_rows:
        return [column.value], np.zeros(batch.num_rows, dtype=np.int64)
    encoded = pc.dictionary_encode(_values(batch, column), null_encoding="encode")
    texts = [spelled(v) for v in encoded.dictionary.to_pylist()]
    number = {text: i for i, text in enumerate(dict.fromkeys(texts))}
    to_text = np.array([number[text] for text in texts], dtype=np.int64)
    return list(number), to_text[encoded.indices.to_numpy(zero_copy_only=False)]


def _values(batch: pa.RecordBatch, column: PartitionColumn) -> pa.Array:
    values = batch.column(column.name)
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    return values if values.type == column.type else values.cast(column.type)


def _key(batch: pa.RecordBatch, partitions: tuple[PartitionColumn, ...], row: int) -> Key:
    return tuple(
        spelled(_values(batch.slice(row, 1), p)[0].as_py()) if p.in_rows else p.value
        for p in partitions
    )
