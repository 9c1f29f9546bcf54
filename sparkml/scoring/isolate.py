"""Finding the rows that break a model: a failing batch is halved until they stand alone.

A bad row among n costs at most 2·log2(n) further calls of the model, a batch without one none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from sparkml.errors import SparkMLError

if TYPE_CHECKING:
    from collections.abc import Callable

Columns = list[pa.Array]


def isolate(
    predict: Callable[[pa.RecordBatch], Columns], batch: pa.RecordBatch, types: list[pa.DataType]
) -> tuple[Columns, dict[int, Exception]]:
    """The outputs of `batch`, null where a row broke the model, and the exception of each such row.

    Raises:
        SparkMLError: the model broke its contract, which is no row's fault.
    """
    pieces: list[Columns] = []
    failures: dict[int, Exception] = {}
    spans = [(0, batch.num_rows)]
    while spans:
        start, length = spans.pop()
        try:
            pieces.append(predict(batch.slice(start, length)))
        except SparkMLError:
            raise
        except Exception as error:  # noqa: BLE001 - a model may raise anything on a row
            if length == 1:
                failures[start] = error
                pieces.append([pa.nulls(1, dtype) for dtype in types])
            else:
                half = length // 2
                # The left half is taken first, so that the pieces stay in the rows' order.
                spans += [(start + half, length - half), (start, half)]
    if len(pieces) == 1:
        return pieces[0], failures
    return [pa.concat_arrays([p[i] for p in pieces]) for i in range(len(types))], failures
