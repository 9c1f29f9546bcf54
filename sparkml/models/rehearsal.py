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
"""How long a rehearsal goes on; a call that is under way is awaited."""
ROWS, AT_ONCE = 48, 8

FLOATS = [0.0, 1.0, -1.0, 0.5, math.nan, math.inf, -math.inf, 1e308, -1e308, 1e-308]
FLOATS += [1e9, -1e9, 2.0**31, -(2.0**31), 2.0**63, 3.7, -0.2, 1.3]
TEXTS = ("", "a", "\0", "Köln", "1", "nan", "a" * 1000)


def rehearse(
    call: Callable[[pa.RecordBatch], Any],
    inputs: tuple[Field, ...],
    known: Mapping[str, pa.Array | None],
) -> None:
    """Score made-up rows, whatever comes of it; `known` holds columns' own categories.

    Runs where the model is opened first; costs 0.05 s, or one call of the model. An error is
    an answer, as it is for a row of the table; the end of the process is what this is for.
    """
    rows = odd_rows(inputs, known)
    end = time.monotonic() + ENOUGH_S
    for start in range(0, ROWS, AT_ONCE):
        batch = rows.slice(start, AT_ONCE)
        if tried(call, batch) is None:
            for row in range(AT_ONCE):
                tried(call, batch.slice(row, 1))
        if time.monotonic() > end:
            return


def odd_rows(inputs: tuple[Field, ...], known: Mapping[str, pa.Array | None]) -> pa.RecordBatch:
    """Rows of numbers at the ends of their types, missing ones, seen and unseen texts."""
    rng = np.random.default_rng(0)
    schema = input_schema(Signature(inputs=inputs))
    columns = []
    for field, column in zip(inputs, schema, strict=True):
        width = (field.length or 3) if is_list(column.type) else 1
        element = column.type.value_type if is_list(column.type) else column.type
        values = _values(element, known.get(field.name))
        chosen = rng.integers(len(values), size=(ROWS, width))
        chosen[: len(values)] = np.arange(len(values))[:ROWS, None]  # first each value everywhere
        made = values.take(pa.array(chosen.ravel()))
        if is_list(column.type):
            ends = pa.array(np.arange(0, ROWS * width + 1, width), pa.int32())
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
