"""Finding the rows that break a model: a failing batch is halved until they stand alone.

A bad row among n costs at most 2·log2(n) further calls of the model, a batch without one none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from sparkml.errors import ContractViolation, SparkMLError

if TYPE_CHECKING:
    from collections.abc import Callable

Columns = list[pa.Array]

GIVE_UP = 5_000
"""So many rows of a batch alone, and not one of them scored: it is the model, not the rows."""


def isolate(
    predict: Callable[[pa.RecordBatch], Columns], batch: pa.RecordBatch, types: list[pa.DataType]
) -> tuple[Columns, dict[int, Exception]]:
    """The outputs of `batch`, null where a row broke the model, and the exception of each such row.

    Raises:
        SparkMLError: the model broke its contract, or fails on whatever it is given.
        MemoryError: smaller batches are the caller's to choose.
    """
    pieces: list[Columns] = []
    failures: dict[int, Exception] = {}
    spans = [(0, batch.num_rows)]
    while spans:
        start, length = spans.pop()
        try:
            pieces.append(predict(batch.slice(start, length)))
        except (SparkMLError, MemoryError):
            raise
        except Exception as error:
            if length == 1:
                failures[start] = error
                if len(failures) >= GIVE_UP and len(failures) == len(pieces) + 1:
                    raise ContractViolation(
                        f"the model failed on each of {GIVE_UP:,} rows: {error!r}",
                        where="model",
                        fix="try the model on a few of these rows by itself",
                    ) from error
                pieces.append([pa.nulls(1, dtype) for dtype in types])
            else:
                half = length // 2
                # The left half is taken first, so that the pieces stay in the rows' order.
                spans += [(start + half, length - half), (start, half)]
    if len(pieces) == 1:
        return pieces[0], failures
    return [pa.concat_arrays([p[i] for p in pieces]) for i in range(len(types))], failures
