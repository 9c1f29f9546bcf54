"""Batches of the size that a model likes, cut from or joined out of those that arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGET_BYTES = 8 * 1024 * 1024
"""What a batch weighs by default: large enough that a call's fixed costs vanish, small enough that
its columns, the matrix and the scores of one worker stay in the tens of megabytes."""

MIN_ROWS, MAX_ROWS = 1_024, 65_536


def default_rows(batch: pa.RecordBatch) -> int:
    """How many rows like those of `batch` weigh `TARGET_BYTES`, within bounds."""
    per_row = max(1, int(batch.nbytes) // max(1, batch.num_rows))
    return int(max(MIN_ROWS, min(MAX_ROWS, TARGET_BYTES // per_row)))


def rebatch(
    batches: Iterator[pa.RecordBatch], batch_rows: int | None = None
) -> Iterator[pa.RecordBatch]:
    """The same rows in the same order, in batches of `batch_rows` (the last may be smaller).

    Without `batch_rows`, large batches are cut to `default_rows` and small ones pass as they are:
    joining costs a copy, and whoever makes the batches knows why they are small.
    """
    held: list[pa.RecordBatch] = []
    held_rows = 0
    for batch in batches:
        rows = batch_rows or default_rows(batch)
        if batch_rows is None:
            yield from _cut(batch, rows)
            continue
        held.append(batch)
        held_rows += batch.num_rows
        if held_rows >= rows:
            joined = pa.concat_batches(held)
            whole = held_rows - held_rows % rows
            yield from _cut(joined.slice(0, whole), rows)
            held, held_rows = [joined.slice(whole)], held_rows - whole
    if held_rows:
        yield pa.concat_batches(held)


def _cut(batch: pa.RecordBatch, rows: int) -> Iterator[pa.RecordBatch]:
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)
