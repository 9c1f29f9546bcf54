"""What a library returned, as Arrow arrays of the declared types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sparkml.lists import is_list

if TYPE_CHECKING:
    import numpy.typing as npt


def as_column(values: Any, dtype: pa.DataType) -> pa.Array:
    """One value a row: a one-dimensional array, with one dimension more for each list or struct.

    Numbers and booleans go over without a Python object in between. A floating NaN stays NaN; in a
    column of objects None, NaN and NaT are null.

    Raises:
        pa.ArrowInvalid: a value does not fit the type (1.5 in an integer column).
    """
    array = np.asarray(values)
    if array.ndim >= 2 and is_list(dtype):
        return _rows(array, dtype)
    if array.ndim == 2 and pa.types.is_struct(dtype):
        return _struct(array, dtype)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise pa.ArrowInvalid(f"values of {array.ndim} dimensions in a column of {dtype}")
    if array.dtype == object:
        return pa.array(array, type=dtype, from_pandas=True)
    made = pa.array(array)
    return made if made.type == dtype else made.cast(dtype)


def _rows(table: npt.NDArray[Any], dtype: pa.DataType) -> pa.Array:
    """Each row of a matrix as a list: the matrix's own buffer and its offsets, no loop."""
    rows, width, *further = table.shape
    flat = as_column(table.reshape(rows * width, *further), dtype.value_type)
    return pa.ListArray.from_arrays(_offsets(rows, width), flat, type=dtype)


def _struct(table: npt.NDArray[Any], dtype: pa.StructType) -> pa.StructArray:
    """Each row of a matrix as a struct, a field a column, in their order."""
    columns = np.ascontiguousarray(table.T)
    fields = [as_column(c, f.type) for c, f in zip(columns, dtype, strict=True)]
    return pa.StructArray.from_arrays(fields, fields=list(dtype))


def as_nested(tables: list[npt.NDArray[Any]]) -> pa.Array:
    """Probabilities of several outputs, one matrix each, as `list<list<double>>`."""
    rows, widths = len(tables[0]), [t.shape[1] for t in tables]
    flat = np.concatenate(tables, axis=1).astype(np.float64, copy=False).ravel()
    ends = np.cumsum(np.tile(np.asarray(widths, dtype=np.int32), rows), dtype=np.int32)
    inner = pa.ListArray.from_arrays(pa.array(np.concatenate(([0], ends)), pa.int32()), flat)
    return pa.ListArray.from_arrays(_offsets(rows, len(tables)), inner)


def _offsets(rows: int, width: int) -> pa.Array:
    return pa.array(np.arange(rows + 1, dtype=np.int32) * np.int32(width))
