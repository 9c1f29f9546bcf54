"""What happens to a row whose feature is null or NaN: the declared policy, column by column."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sparkml.errors import NullInputError
from sparkml.lists import is_list, list_parents, pairs_of
from sparkml.type_names import is_optional, to_arrow_type

if TYPE_CHECKING:
    import numpy.typing as npt

    from sparkml.spec import ModelSpec, NullPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """The batch with fills done, and the rows that the model does not see.

    `skip` marks them (None: there are none); `reasons` gives, for those that are quarantined, the
    column whose null did it. A skipped row without a reason has a null score: `propagate`.
    """

    batch: pa.RecordBatch
    skip: npt.NDArray[np.bool_] | None = None
    reasons: dict[int, str] = field(default_factory=dict)


Watched = tuple[tuple[int, str, "NullPolicy", pa.DataType], ...]
"""Place, name, policy and type of each input whose nulls the model does not see for itself."""


def watched(spec: ModelSpec) -> Watched:
    """The inputs that `apply_null_policy` must look at; follows from the spec alone."""
    inputs = [(f, spec.null_policy(f.name)) for f in spec.signature.inputs]
    return tuple(
        (place, f.name, policy, to_arrow_type(f.type))
        for place, (f, policy) in enumerate(inputs)
        if policy.kind != "model"
    )


def apply_null_policy(batch: pa.RecordBatch, inputs: Watched, *, where: str) -> Decided:
    """The rows of `batch` sorted by the policies of `inputs`; costs a look at each of them.

    Raises:
        NullInputError: a null where the policy says `fail`.
    """
    columns = batch.columns
    skip: npt.NDArray[np.bool_] | None = None
    reasons: dict[int, str] = {}
    for index, name, policy, dtype in inputs:
        column = columns[index]
        if (missing := missing_values(column, dtype)) is None:
            continue
        if policy.kind == "fill":
            value = pa.scalar(policy.value, column.type)
            columns[index] = pc.if_else(pa.array(missing), value, column)
            continue
        rows = np.flatnonzero(missing)
        if policy.kind == "fail":
            raise NullInputError(
                f"{len(rows)} rows have no value in '{name}'",
                where=where,
                fix="declare another null policy: quarantine, propagate, model or fill",
            )
        skip = missing if skip is None else skip | missing
        if policy.kind == "quarantine":
            reasons.update((int(row), name) for row in rows if int(row) not in reasons)
    return Decided(
        batch=pa.RecordBatch.from_arrays(columns, schema=batch.schema), skip=skip, reasons=reasons
    )


def missing_values(column: pa.Array, dtype: pa.DataType) -> npt.NDArray[np.bool_] | None:
    """Which rows are null or NaN, or hold such an element or field; None where there are none.

    `dtype` is the declared type, which says what fields of structs are optional.
    """
    if is_list(dtype):
        return _in_lists(column, dtype.value_type)
    if pa.types.is_map(dtype):
        pair = [pa.field("key", dtype.key_type), pa.field("value", dtype.item_type)]
        return _in_lists(pairs_of(column), pa.struct(pair))
    if pa.types.is_struct(dtype):
        return _in_structs(column, dtype)
    floating = pa.types.is_floating(column.type)
    # A NaN anywhere makes the sum NaN: one cheap pass decides for nearly every batch.
    suspect = floating and math.isnan(pc.sum(column).as_py() or 0.0)
    if not column.null_count and not suspect:
        return None
    mask = pc.is_null(column, nan_is_null=True).to_numpy(zero_copy_only=False)
    return mask if mask.any() else None


def _in_structs(column: pa.StructArray, dtype: pa.StructType) -> npt.NDArray[np.bool_] | None:
    mask = column.is_null()
    for declared, part in zip(dtype, column.flatten(), strict=True):
        missing = missing_values(part, declared.type)
        if missing is None:
            continue
        found = pa.array(missing)
        if is_optional(declared):  # it may be absent, but not a part of it
            found = pc.and_not(found, part.is_null(nan_is_null=True))
        mask = pc.or_(mask, found)
    return mask.to_numpy(zero_copy_only=False) if mask.true_count else None


def _in_lists(column: pa.Array, element: pa.DataType) -> npt.NDArray[np.bool_] | None:
    inner = missing_values(column.flatten(), element)
    if inner is None and not column.null_count:
        return None
    mask: npt.NDArray[np.bool_] = column.is_null().to_numpy(zero_copy_only=False)
    if inner is not None:
        mask = mask.copy()
        mask[list_parents(column)[inner]] = True
    return mask
