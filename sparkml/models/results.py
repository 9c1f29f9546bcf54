"""What a library returned, as Arrow arrays of the declared types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sparkml.decimals import to_floating
from sparkml.lists import is_list

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

_CONTAINERS = (list, tuple, set, dict, np.ndarray)


def as_column(values: Any, dtype: pa.DataType) -> pa.Array:
    """One value a row: a one-dimensional array, with one dimension more for each list or struct.

    Takes NumPy's arrays, SciPy's sparse ones, pandas' series of any type (their index says
    nothing), and lists, of mappings for a struct or a map; for a struct and for a list also a
    mapping of such columns, which are its fields or its elements. Numbers and booleans go over
    without a Python object in between.

    * A floating NaN stays NaN in a floating column. Everywhere else, and in a column of objects or
      of a pandas type with `NA`, what is missing (None, NaN, NaT, NA) is null.
    * A number becomes the nearest floating one, and a whole one an integer, never cut off; what
      is finer than a microsecond is left away, as Spark does.
    * In a column of texts a number, boolean or date is what `str` gives: `1.0`, `True`.
    * A value alone is a list of one, in a column of plain lists.

    Raises:
        pa.ArrowInvalid: a value does not fit the type: 1.5 in an integer column, a text in one of
            numbers.
    """
    return _column(values, dtype, alone=is_list(dtype) and not is_list(dtype.value_type))


def _column(values: Any, dtype: pa.DataType, *, alone: bool = False) -> pa.Array:
    """`as_column`; `alone`: a value may stand for a list of one."""
    if isinstance(values, dict):
        return _of_columns(values, dtype)
    array = as_array(values, texts=_holds_texts(dtype))
    if is_list(dtype):
        return _lists(array, dtype, alone=alone)
    if pa.types.is_struct(dtype):
        return _structs(array, dtype)
    if pa.types.is_map(dtype):
        return _maps(array, dtype)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise pa.ArrowInvalid(f"values of {array.ndim} dimensions in a column of {dtype}")
    if pa.types.is_string(dtype) and array.dtype.kind not in "US":
        return _texts(array)
    objects = array.dtype == object
    if objects and any(isinstance(value, _CONTAINERS) for value in array):
        # Arrow would look for their type, in a list that holds itself until the process ends.
        raise pa.ArrowInvalid(f"a list, mapping or array in a column of {dtype}")
    return _cast(pa.array(array, from_pandas=not pa.types.is_floating(dtype) or objects), dtype)


def as_array(values: Any, *, texts: bool = False) -> npt.NDArray[Any]:
    """The values as an array of NumPy's; pandas' own types as objects, so that none is rounded.

    Rows of several lengths become objects; so do numbers that are to become `texts`: beside 2.5 in
    an array, 1 would be `1.0`.
    """
    if hasattr(values, "toarray"):  # SciPy's sparse matrices
        values = values.toarray()
    if isinstance(values, list | tuple | str | bytes):
        return _rows(values, "USbiuf" if texts else "US")
    own = getattr(values, "dtype", None)
    plain = own is None or isinstance(own, np.dtype)
    return np.asarray(values) if plain else np.asarray(values, dtype=object)


def _rows(values: Sequence[Any], objects: str) -> npt.NDArray[Any]:
    """As an array; of objects where NumPy's own is of one of the kinds `objects`, or empty.

    NumPy's texts and bytes lose the zeros at their end, and nothing has the type of a number.
    """
    try:
        array = np.asarray(values)
        kept = array.size and array.dtype.kind not in objects
        return array if kept else np.asarray(values, dtype=object)
    except ValueError:  # they are not of one length
        return _objects(values)


def _objects(values: Sequence[Any]) -> npt.NDArray[Any]:
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made


def _of_columns(columns: dict[Any, Any], dtype: pa.DataType) -> pa.Array:
    if pa.types.is_struct(dtype):
        fields = [_column(columns[field.name], field.type) for field in dtype]
        return pa.StructArray.from_arrays(fields, fields=list(dtype))
    if not is_list(dtype):
        raise pa.ArrowInvalid(f"a mapping in a column of {dtype}")
    elements = [_column(column, dtype.value_type) for column in columns.values()]
    width, rows = len(elements), len(elements[0])
    if any(len(column) != rows for column in elements):
        raise pa.ArrowInvalid(f"columns of {sorted({len(c) for c in elements})} rows")
    order = np.arange(width * rows).reshape(width, rows).T.ravel()
    flat = pa.concat_arrays(elements).take(pa.array(order))
    return pa.ListArray.from_arrays(_offsets(rows, width), flat, type=dtype)


def _cast(made: pa.Array, dtype: pa.DataType) -> pa.Array:
    source = made.type
    if source == dtype:
        return made
    if pa.types.is_null(source):
        return made.cast(dtype)
    if _family(source) != _family(dtype):
        raise pa.ArrowInvalid(f"{source} in a column of {dtype}")
    if pa.types.is_boolean(dtype) and not made.cast(dtype).cast(source).equals(made):
        raise pa.ArrowInvalid("a number that is neither 0 nor 1 in a column of bool")
    rounds = pa.types.is_integer(source) and pa.types.is_floating(dtype)
    finer = pa.types.is_timestamp(source) and source.unit == "ns"
    if pa.types.is_decimal(source) and pa.types.is_floating(dtype):
        return to_floating(made, dtype)
    return made.cast(dtype, safe=not (rounds or finer))


def _family(dtype: pa.DataType) -> str:
    types = pa.types
    for name, *tests in (
        ("text", types.is_string, types.is_large_string, types.is_binary, types.is_large_binary),
        ("moment", types.is_date, types.is_timestamp),
        ("number", types.is_integer, types.is_floating, types.is_decimal, types.is_boolean),
    ):
        if any(test(dtype) for test in tests):
            return name
    return str(dtype)


def _holds_texts(dtype: pa.DataType) -> bool:
    """Whether a type is that of texts, or of lists of them, of whatever depth."""
    return _holds_texts(dtype.value_type) if is_list(dtype) else pa.types.is_string(dtype)


def _texts(array: npt.NDArray[Any]) -> pa.Array:
    if array.dtype == object:
        try:
            return pa.array(array, pa.string(), from_pandas=True)
        except pa.ArrowTypeError:  # not all are texts
            pass
    if array.dtype.kind == "M":
        array = array.astype("datetime64[us]")
    return pa.array([_text(value) for value in array.tolist()], pa.string())


def _text(value: Any) -> str | None:
    if isinstance(value, _CONTAINERS):
        raise pa.ArrowInvalid(f"a {type(value).__name__} in a column of texts")
    if isinstance(value, bytes):
        return value.decode()
    return None if _is_missing(value) else str(value)


def _lists(array: npt.NDArray[Any], dtype: pa.DataType, *, alone: bool) -> pa.Array:
    """Each row of a matrix as a list: its own buffer and its offsets, no loop; or row by row."""
    if array.ndim == 0:
        raise pa.ArrowInvalid(f"one value for all rows in a column of {dtype}")
    if array.ndim == 1 and array.dtype != object and not alone:
        raise pa.ArrowInvalid(f"values that are no lists in a column of {dtype}")
    if array.ndim > 1 or array.dtype != object:
        rows, width, *further = array.shape if array.ndim > 1 else (len(array), 1)
        flat = _column(array.reshape(rows * width, *further), dtype.value_type)
        return pa.ListArray.from_arrays(_offsets(rows, width), flat, type=dtype)
    texts = _holds_texts(dtype)
    lists = [None if _is_missing(value) else as_array(value, texts=texts) for value in array]
    if alone:
        lists = [None if part is None else np.atleast_1d(part) for part in lists]
    if any(part is not None and part.ndim == 0 for part in lists):
        raise pa.ArrowInvalid(f"a value that is no list in a column of {dtype}")
    lengths = np.array([0 if part is None else len(part) for part in lists], dtype=np.int64)
    ends = pa.array(np.concatenate(([0], np.cumsum(lengths))).astype(np.int32))
    flat = _column(_joined([p for p in lists if p is not None and len(p)]), dtype.value_type)
    gaps = pa.array([part is None for part in lists], pa.bool_())
    return pa.ListArray.from_arrays(ends, flat, type=dtype, mask=gaps)


def _joined(parts: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """The elements of all parts, one after the other; as objects where they are not of one kind."""
    if len({(part.dtype, part.shape[1:]) for part in parts}) == 1:
        return np.concatenate(parts)
    return _objects([element for part in parts for element in part])


def _structs(array: npt.NDArray[Any], dtype: pa.StructType) -> pa.StructArray:
    """Each mapping as a struct, by its names; or each row of a matrix, a field a column."""
    if array.ndim == 2:
        columns = list(np.ascontiguousarray(array.T))
        fields = [_column(c, f.type) for c, f in zip(columns, dtype, strict=True)]
        return pa.StructArray.from_arrays(fields, fields=list(dtype))
    if array.ndim != 1:
        raise pa.ArrowInvalid(f"values of {array.ndim} dimensions in a column of {dtype}")
    gaps = [_is_missing(value) for value in array]
    given = [{} if gap else as_mapping(v) for v, gap in zip(array, gaps, strict=True)]
    fields = [_column([one.get(f.name) for one in given], f.type) for f in dtype]
    return pa.StructArray.from_arrays(fields, fields=list(dtype), mask=pa.array(gaps, pa.bool_()))


def _maps(array: npt.NDArray[Any], dtype: pa.MapType) -> pa.MapArray:
    """Each mapping as a map."""
    if array.ndim != 1:
        raise pa.ArrowInvalid(f"values of {array.ndim} dimensions in a column of {dtype}")
    gaps = [_is_missing(value) for value in array]
    given = [{} if gap else as_mapping(v) for v, gap in zip(array, gaps, strict=True)]
    keys = _column([key for one in given for key in one], dtype.key_type)
    if keys.null_count:
        raise pa.ArrowInvalid(f"nothing as a key in a column of {dtype}")
    items = _column([item for one in given for item in one.values()], dtype.item_type)
    ends = pa.array(np.concatenate(([0], np.cumsum([len(one) for one in given]))), pa.int32())
    return pa.MapArray.from_arrays(ends, keys, items, type=dtype, mask=pa.array(gaps, pa.bool_()))


def _is_missing(value: Any) -> bool:
    """Whether an object is None, NaN, NaT or pandas' NA."""
    if value is None or hasattr(value, "__len__"):
        return value is None
    try:
        return bool(value != value)  # noqa: PLR0124 -- what NaN and NaT are known by
    except TypeError:  # NA is neither true nor false
        return True


def as_mapping(value: Any) -> dict[str, Any]:
    """A row that has names: a dict, or a pydantic model, which MLflow's type hints make.

    Raises:
        pa.ArrowInvalid: it has none.
    """
    if hasattr(value, "model_dump"):
        value = value.model_dump()
    if not isinstance(value, dict):
        raise pa.ArrowInvalid(f"a {type(value).__name__} where a mapping is declared")
    return value


def as_nested(tables: list[npt.NDArray[Any]]) -> pa.Array:
    """Probabilities of several outputs, one matrix each, as `list<list<double>>`."""
    rows, widths = len(tables[0]), [t.shape[1] for t in tables]
    flat = np.concatenate(tables, axis=1).astype(np.float64, copy=False).ravel()
    ends = np.cumsum(np.tile(np.asarray(widths, dtype=np.int32), rows), dtype=np.int32)
    inner = pa.ListArray.from_arrays(pa.array(np.concatenate(([0], ends)), pa.int32()), flat)
    return pa.ListArray.from_arrays(_offsets(rows, len(tables)), inner)


def _offsets(rows: int, width: int) -> pa.Array:
    return pa.array(np.arange(rows + 1, dtype=np.int32) * np.int32(width))
