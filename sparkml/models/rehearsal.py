"""A rehearsal of odd rows, where a model is opened first: what would die of one dies there."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sparkml.arrow import input_schema
from sparkml.lists import is_list
from sparkml.models.flavors.sklearn_signature import tried
from sparkml.spec import Signature

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sparkml.spec import Field

ENOUGH_S = 0.05
"""How much of the processor's time a rehearsal takes; a call under way is awaited."""
ROWS, ALONE, VALUES = 384, 24, 2**22
"""At most so many rows, the first ones each by itself, and so many values in all."""

FLOATS = [0.0, 1.0, -1.0, 0.5, math.nan, math.inf, -math.inf, 1e308, -1e308, 1e-308]
FLOATS += [1e9, -1e9, 2.0**31, -(2.0**31), 2.0**63, 3.7, -0.2, 1.3]
TEXTS = ("", "a", "\0", "Köln", "1", "nan", "a" * 1000)


def rehearse(
    call: Callable[[pa.RecordBatch], Any],
    inputs: tuple[Field, ...],
    known: Mapping[str, pa.Array | None],
) -> None:
    """Score made-up rows, whatever comes of it; `known` holds columns' own categories.

    Runs where the model is opened first; costs 0.05 s, or a call or two of the model. An error is
    an answer, as it is for a row of the table; the end of the process is what this is for.
    """
    rows = odd_rows(inputs, known)
    tried(call, rows.slice(0, 1))  # which may import
    end, start = time.process_time() + ENOUGH_S, 1
    while start < len(rows) and time.process_time() < end:
        size = 1 if start < ALONE else start  # more and more: libraries work in blocks of rows
        batch = rows.slice(start, size)
        if tried(call, batch) is None and size > 1:
            for row in range(len(batch)):
                if time.process_time() < end:
                    tried(call, batch.slice(row, 1))
        start += size


def odd_rows(inputs: tuple[Field, ...], known: Mapping[str, pa.Array | None]) -> pa.RecordBatch:
    """Rows of numbers at the ends of their types, missing ones, seen and unseen texts."""
    rng = np.random.default_rng(0)
    schema = input_schema(Signature(inputs=inputs))
    fields = list(zip(inputs, schema, strict=True))
    widths = [(field.length or 3) if is_list(c.type) else 1 for field, c in fields]
    count = max(1, min(ROWS, VALUES // sum(widths)))
    columns = []
    for (field, column), width in zip(fields, widths, strict=True):
        element = column.type.value_type if is_list(column.type) else column.type
        values = _values(element, known.get(field.name))
        chosen = rng.integers(len(values), size=(count, width))
        everywhere = chosen[1 : 1 + len(values)]  # each value in a row of its own
        everywhere[:] = np.arange(len(everywhere))[:, None]
        made = values.take(pa.array(chosen.ravel()))
        if is_list(column.type):
            ends = pa.array(np.arange(0, count * width + 1, width), pa.int32())
            made = pa.ListArray.from_arrays(ends, made).cast(column.type)
        columns.append(made)
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _values(dtype: pa.DataType, known: pa.Array | None) -> pa.Array:
    seen = known.slice(0, 8).cast(dtype, safe=False).to_pylist() if known is not None else []
    if pa.types.is_floating(dtype):
        return pa.array([*FLOATS, *seen], pa.float64()).cast(dtype, safe=False)
    if pa.types.is_string(dtype):
        return pa.array([*TEXTS, *seen, None], dtype)
    if pa.types.is_integer(dtype):
        top = 2 ** (dtype.bit_width - 1)
        return pa.array([0, 1, -1, 7, top - 1, -top, *seen, None], dtype)
    if pa.types.is_boolean(dtype):
        return pa.array([False, True, None], dtype)
    return pa.array([None], dtype)
