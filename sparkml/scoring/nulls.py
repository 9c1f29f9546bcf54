"""What happens to a row whose feature is null or NaN: the declared policy, column by column."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sparkml.errors import NullInputError
from sparkml.lists import is_list, list_parents

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


Watched = tuple[tuple[int, str, "NullPolicy"], ...]
"""Place, name and policy of each input whose nulls the model does not see for itself."""


def watched(spec: ModelSpec) -> Watched:
    """The inputs that `apply_null_policy` must look at; follows from the spec alone."""
    policies = ((name, spec.null_policy(name)) for name in spec.signature.names)
    return tuple((i, n, p) for i, (n, p) in enumerate(policies) if p.kind != "model")


def apply_null_policy(batch: pa.RecordBatch, inputs: Watched, *, where: str) -> Decided:
    """The rows of `batch` sorted by the policies of `inputs`; costs a look at each of them.

    Raises:
        NullInputError: a null where the policy says `fail`.
    """
    columns = batch.columns
    skip: npt.NDArray[np.bool_] | None = None
    reasons: dict[int, str] = {}
    for index, name, policy in inputs:
        column = columns[index]
        if (missing := missing_values(column)) is None:
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


def missing_values(column: pa.Array) -> npt.NDArray[np.bool_] | None:
    """Which rows are null or NaN, or hold such an element; None where there are none."""
    if is_list(column.type):
        return _in_lists(column)
    floating = pa.types.is_floating(column.type)
    # A NaN anywhere makes the sum NaN: one cheap pass decides for nearly every batch.
    suspect = floating and math.isnan(pc.sum(column).as_py() or 0.0)
    if not column.null_count and not suspect:
        return None
    mask = pc.is_null(column, nan_is_null=True).to_numpy(zero_copy_only=False)
    return mask if mask.any() else None


def _in_lists(column: pa.Array) -> npt.NDArray[np.bool_] | None:
    inner = missing_values(column.flatten())
    if inner is None and not column.null_count:
        return None
    mask: npt.NDArray[np.bool_] = column.is_null().to_numpy(zero_copy_only=False)
    if inner is not None:
        mask = mask.copy()
        mask[list_parents(column)[inner]] = True
    return mask
