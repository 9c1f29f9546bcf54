"""Delta's statistics of a file, from the file's own footer: no second pass over the data.

Left out, because a reader would skip rows that match: bounds of floating-point columns (Parquet's
ignore NaN, which Spark sorts above all numbers) and of strings with no shorter upper bound.
Columns inside arrays and maps have none in Delta.
"""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sparkml.spark.parquet.columns import leaves

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow.parquet as pq

    from sparkml.spark.parquet.columns import Leaf
    from sparkml.spark.parquet.layout import Layout

LONGEST_BOUND = 32
TOP = "\U0010ffff"  # no code point sorts above it


def stats_json(footer: pq.FileMetaData, layout: Layout) -> str:
    """The rows of the file; null counts and bounds of the first `stats_leaves` columns."""
    groups = [footer.row_group(i) for i in range(footer.num_row_groups)]
    nulls: dict[str, Any] = {}
    lows: dict[str, Any] = {}
    highs: dict[str, Any] = {}
    wanted = layout.stats_leaves
    for index, leaf in enumerate(leaves(layout.physical)):
        if leaf.repeated or 0 <= wanted <= index:
            continue
        chunks = [group.column(index).statistics for group in groups]
        if any(chunk is None or not chunk.has_null_count for chunk in chunks):
            continue
        _put(nulls, leaf.path, sum(chunk.null_count for chunk in chunks))
        low, high = _bounds(leaf, chunks)
        if low is not None and high is not None:
            _put(lows, leaf.path, low)
            _put(highs, leaf.path, high)
    record = {"numRecords": footer.num_rows, "minValues": lows, "maxValues": highs}
    return _json({**record, "nullCount": nulls})


def _bounds(leaf: Leaf, chunks: Sequence[Any]) -> tuple[Any, Any]:
    if not has_bounds(leaf.type):
        return None, None
    filled = [chunk for chunk in chunks if chunk.num_values]
    if not filled or not all(chunk.has_min_max for chunk in filled):
        return None, None
    try:
        low, high = min(chunk.min for chunk in filled), max(chunk.max for chunk in filled)
    except (ValueError, OverflowError, UnicodeDecodeError, pa.ArrowException):
        return None, None  # a date before year 1, a string that is not UTF-8
    return lowered(low), raised(high)


def has_bounds(dtype: pa.DataType) -> bool:
    """Whether Delta keeps bounds of such columns and the footer's are right for it."""
    kinds = ("integer", "string", "date", "decimal", "timestamp")
    return any(getattr(pa.types, f"is_{kind}")(dtype) for kind in kinds)


def lowered(value: Any) -> Any:
    """A lower bound as Delta stores it: strings shortened, timestamps down to the millisecond."""
    if isinstance(value, str):
        return value[:LONGEST_BOUND]
    return _moment(value) if isinstance(value, datetime) else value


def raised(value: Any) -> Any:
    """An upper bound as Delta stores it, never below the value; None where there is none."""
    if isinstance(value, str) and len(value) > LONGEST_BOUND:
        return None if value[LONGEST_BOUND] == TOP else value[:LONGEST_BOUND] + TOP
    if isinstance(value, datetime):
        over = value.microsecond % 1000
        try:
            return _moment(value + timedelta(microseconds=1000 - over) if over else value)
        except OverflowError:
            return None
    return value


def _moment(value: datetime) -> str:
    text = value.replace(tzinfo=None).isoformat(timespec="milliseconds")
    return text if value.tzinfo is None else f"{text}Z"


def _put(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    tree[path[-1]] = value


def _json(value: Any) -> str:
    """JSON in which a decimal is a number with all its digits, which `json` cannot write."""
    if isinstance(value, dict):
        return _object(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    return json.dumps(value.isoformat() if isinstance(value, date) else value)


def _object(tree: Mapping[str, Any]) -> str:
    return "{" + ",".join(f"{json.dumps(k)}:{_json(v)}" for k, v in tree.items()) + "}"
