"""Whether a row's result is its own: one entry, the same alone as with another row beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa

from sparkml.arrow import input_schema
from sparkml.errors import ContractViolation, SignatureError
from sparkml.lists import is_list
from sparkml.models.flavors.sklearn_signature import probe, tried
from sparkml.spec import Signature

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from sparkml.spec import Field

Rows = TypeVar("Rows")
NEAR_ZERO = 1e-2
"""The share of the tolerance that results near zero may differ by, in absolute numbers."""


def check_batch_free(
    call: Callable[[Rows], Sequence[npt.NDArray[Any]]],
    both: Rows,
    each: Sequence[Rows],
    *,
    rtol: float,
    where: str,
) -> None:
    """Refuse a model that gives two rows together other numbers than each of them alone.

    Runs where the model is opened; costs three calls of the model. Nothing is said of a model
    that refuses the rows, or whose numbers for them are not finite.

    Raises:
        ContractViolation: the numbers differ by more than `rtol`, relative to the largest.
    """
    together = tried(call, both)
    alone = [made for one in each if (made := tried(call, one)) is not None]
    if together is None or len(alone) < len(each):
        return
    for place, pair in enumerate(together):
        ones = [made[place] for made in alone]
        if pair.dtype.kind not in "fiu" or any(one.shape[1:] != pair.shape[1:] for one in ones):
            continue
        apart = np.concatenate(ones)
        if pair.shape != apart.shape or not (np.isfinite(pair).all() and np.isfinite(apart).all()):
            continue
        largest = max(float(np.abs(pair).max(initial=0)), float(np.abs(apart).max(initial=0)))
        if (np.abs(pair.astype(float) - apart) > rtol * (largest + NEAR_ZERO)).any():
            raise ContractViolation(
                "the model gives a row other numbers when another row is beside it: "
                "results would depend on the batch",
                where=where,
                fix="let it use numbers of the training data (a fitted mean, not one of the rows); "
                "an ONNX graph with a first dimension of 1 is given one row at a time",
            )


def check_entries(
    call: Callable[[pa.RecordBatch], Sequence[npt.NDArray[Any]]],
    inputs: tuple[Field, ...],
    names: Sequence[str],
    *,
    where: str,
) -> None:
    """Refuse results, called `names`, that have not an entry for each row.

    Two rows alone do not tell it of one that always has two. Costs two calls of the model; nothing
    is said of one that refuses the rows.

    Raises:
        SignatureError: of two rows and of three, the first sizes are others, or the rest differ.
    """
    made = [probe(call, inputs, missing=False, rows=rows) or () for rows in (2, 3)]
    for name, two, three in zip(names, *made, strict=False):
        if two.shape[:1] != (2,) or three.shape != (3, *two.shape[1:]):
            raise SignatureError(
                f"the output '{name}' has the shape {two.shape} for two rows and {three.shape} for "
                "three, and no entry for each",
                where=where,
                fix="name outputs whose first dimension is that of the rows",
            )


def two_rows(inputs: tuple[Field, ...]) -> pa.RecordBatch:
    """Two made-up rows that differ in every value, each between 0 and 1."""
    schema = input_schema(Signature(inputs=inputs))
    columns = [
        _column(field, place, column.type)
        for place, (field, column) in enumerate(zip(inputs, schema, strict=True))
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def differing(table: Any, names: Sequence[str]) -> Any:
    """Two rows of a pandas table's own values that differ in each column where any two do."""
    values = {name: table[name].dropna().drop_duplicates() for name in names}
    rows = {n: v.iloc[[0, -1]] for n, v in values.items() if len(v)}
    return type(table)({name: value.reset_index(drop=True) for name, value in rows.items()})


def _column(field: Field, place: int, dtype: pa.DataType) -> pa.Array:
    if not is_list(dtype):
        return _values(dtype, np.array([[place], [place]]))[:2]
    width = field.length or 1
    values = _values(dtype.value_type, np.tile(np.arange(width), (2, 1)))
    lists = pa.ListArray.from_arrays(pa.array([0, width, 2 * width], pa.int32()), values)
    return lists.cast(dtype)


def _values(dtype: pa.DataType, places: npt.NDArray[Any]) -> pa.Array:
    """A row of values for each row of `places`: 0 and 1 where there is nothing between."""
    if pa.types.is_floating(dtype):
        made = np.stack([(0.2 + 0.37 * places[0]) % 1, (0.7 + 0.53 * places[1]) % 1])
        return pa.array(made.ravel(), pa.float64()).cast(dtype)
    second = np.repeat([0, 1], places.shape[1])
    if pa.types.is_string(dtype) or pa.types.is_binary(dtype):
        return pa.array(["b" if at else "a" for at in second]).cast(dtype)
    if pa.types.is_temporal(dtype):
        return pa.array(second.tolist(), dtype)
    return pa.array(second, pa.int32()).cast(dtype)
