"""Columns of lists, maps, Spark ML vectors: what they are, whose values are whose, as a matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    import numpy.typing as npt


def is_list(dtype: pa.DataType) -> bool:
    """Whether a type is one of Arrow's list types."""
    tests = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(test(dtype) for test in tests)


def is_vector(dtype: pa.DataType) -> bool:
    """Whether a type is what a Spark ML vector becomes in Arrow."""
    names = ["type", "size", "indices", "values"]
    return (
        pa.types.is_struct(dtype)
        and [dtype.field(i).name for i in range(dtype.num_fields)] == names
    )


def list_parents(lists: pa.Array) -> npt.NDArray[np.int64]:
    """The row of each value of `lists.flatten()`; what a null list's slot may hold is not there."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    return np.repeat(np.arange(len(lists)), lengths)


def pairs_of(maps: pa.MapArray) -> pa.ListArray:
    """Maps as lists of structs of `key` and `value`; maps themselves do not flatten."""
    pair = pa.struct([("key", maps.type.key_type), ("value", maps.type.item_type)])
    return maps.cast(pa.list_(pair))


def relisted(lists: pa.Array, values: pa.Array) -> pa.ListArray:
    """The lists with other values, as many as `lists.flatten()` has; a null list stays null."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    starts = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    mask = np.concatenate((lists.is_null().to_numpy(zero_copy_only=False), [False]))
    return pa.ListArray.from_arrays(pa.array(starts, mask=mask), values)


def stacked(lists: pa.Array, width: int | None) -> npt.NDArray[np.float64]:
    """Lists as the rows of a matrix, a null list as a row of NaN; `width` where it is known.

    Raises:
        ValueError: lists of another length than `width`, or of several.
    """
    found = pc.list_value_length(lists).drop_null().unique().to_pylist()
    lengths = {*found, width} - {None} or {0}
    if len(lengths) > 1:
        wanted = "one length" if width is None else f"length {width}"
        msg = f"feature vectors of {wanted} are needed, there are some of {sorted(found)[:5]}"
        raise ValueError(msg)
    out = np.full((len(lists), lengths.pop()), np.nan)
    flat = lists.flatten().to_numpy(zero_copy_only=False).reshape(-1, out.shape[1])
    out[lists.is_valid().to_numpy(zero_copy_only=False)] = flat
    return out


def dense(vectors: pa.StructArray) -> pa.ListArray:
    """Spark ML vectors, sparse (`type` 0) and dense (1), as `list<double>`; a null stays null."""
    tags, sizes, indices, values = (vectors.field(i) for i in range(4))
    valid = vectors.is_valid()
    if pc.all(pc.equal(tags.filter(valid), 1)).as_py() is not False:
        return pa.ListArray.from_arrays(*_offsets(values, valid), type=pa.list_(pa.float64()))
    rows: list[npt.NDArray[np.float64] | None] = []
    for row in range(len(vectors)):
        if not valid[row].as_py():
            rows.append(None)
            continue
        given = np.asarray(values[row].values, dtype=np.float64)
        if tags[row].as_py() == 0:
            out = np.zeros(sizes[row].as_py())
            out[np.asarray(indices[row].values)] = given
            given = out
        rows.append(given)
    return pa.array(rows, pa.list_(pa.float64()))


def _offsets(values: pa.ListArray, valid: pa.BooleanArray) -> tuple[pa.Array, pa.Array]:
    lengths = pc.fill_null(pc.if_else(valid, pc.list_value_length(values), 0), 0)
    ends = np.cumsum(lengths.to_numpy(zero_copy_only=False), dtype=np.int32)
    starts = np.concatenate(([0], ends)).astype(np.int32)
    mask = np.concatenate((~valid.to_numpy(zero_copy_only=False), [False]))
    return pa.array(starts, mask=mask), values.filter(valid).flatten()
