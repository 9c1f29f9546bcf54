"""An Arrow batch as the pandas DataFrame that a model was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sparkml.arrow import matrix
from sparkml.decimals import WHOLE
from sparkml.lists import is_list

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import pandas as pd

_DAYS = 106_751
_MICROSECONDS = 2**63 // 1_000
"""How far from 1970 nanoseconds reach: from 1677-09-21 to 2262-04-11."""


def frame(
    batch: pa.RecordBatch,
    names: Sequence[str],
    *,
    missing: float | None,
    dates_as_objects: bool = False,
) -> pd.DataFrame:
    """`batch` as a DataFrame with the columns `names`, as pandas itself would have read it.

    * doubles and floats: as they are, a null is NaN;
    * integers: their own type where the batch has no null in the column, else float64 with NaN
      (which holds them all: see `groups`);
    * booleans: `bool`, or with nulls objects with `missing` in their place;
    * strings and binaries: objects, a null is `missing` (None or NaN);
    * dates and timestamps: `datetime64[ns]`, which pandas 2 reads them as, and `datetime64[us]`
      where nanoseconds do not reach (see `groups`); a null is NaT;
    * dates, if `dates_as_objects`: `datetime.date`, as Spark's own UDFs give them; a null is None;
    * decimals: `decimal.Decimal` objects; lists: NumPy arrays, of `datetime.date` and
      `datetime64[us]` where they hold dates and timestamps; a null is None; plain lists where an
      integer stands beside a null that would round it;
    * structs and maps: dicts of Python's own values; a null is None.

    Costs one copy of the columns.
    """
    import pandas as pd

    if all(pa.types.is_float64(column.type) for column in batch.schema):
        return pd.DataFrame(matrix(batch), columns=list(names), copy=False)
    columns = [_series(column, missing, dates_as_objects) for column in batch.columns]
    made = pd.DataFrame(dict(enumerate(columns)), index=pd.RangeIndex(batch.num_rows), copy=False)
    made.columns = pd.Index(list(names))
    return made


def groups(batch: pa.RecordBatch, mixed: Sequence[int]) -> list[npt.NDArray[np.int64]]:
    """The rows that can share a DataFrame: alike in which of the columns `mixed` are far away.

    A pandas column has one type, and a date in 9999 none of nanoseconds, an integer beyond 2^53 no
    double to lie beside NaN. Rows of one group have in each column either nanoseconds or
    microseconds, and no integer that a null beside it would round: so what a model sees of a value
    depends on that value alone and never on its neighbours. Empty where all rows can go together.
    """
    far = [mask for i in mixed if (mask := _far(batch.column(i))) is not None]
    if not far:
        return []
    _, group = np.unique(np.stack(far, axis=1), axis=0, return_inverse=True)
    return [np.flatnonzero(group.ravel() == g) for g in range(int(group.max()) + 1)]


def is_moment(dtype: pa.DataType) -> bool:
    """Whether a column of this type is one of dates or timestamps."""
    return bool(pa.types.is_date(dtype) or pa.types.is_timestamp(dtype))


def is_mixed(dtype: pa.DataType) -> bool:
    """Whether values of this type have one of two types in a DataFrame; see `groups`."""
    return is_moment(dtype) or bool(pa.types.is_int64(dtype))


def _far(column: pa.Array) -> npt.NDArray[np.bool_] | None:
    """Which values the first of the two types does not hold; None where it holds all."""
    if pa.types.is_int64(column.type):
        if not column.null_count:
            return None
        counts, limit = column, WHOLE
    elif pa.types.is_date(column.type):
        counts, limit = column.cast(pa.date32()).view(pa.int32()), _DAYS
    else:
        counts, limit = column.cast(pa.timestamp("us")).view(pa.int64()), _MICROSECONDS
    ends = pc.min_max(counts)
    if (ends["max"].as_py() or 0) <= limit and (ends["min"].as_py() or 0) >= -limit:
        return None
    far = pc.or_(pc.greater(counts, limit), pc.less(counts, -limit)).fill_null(False)
    mask: npt.NDArray[np.bool_] = far.to_numpy(zero_copy_only=False)
    return mask


def _series(column: pa.Array, missing: float | None, dates_as_objects: bool) -> Any:
    dtype = column.type
    if pa.types.is_date(dtype) and dates_as_objects:
        return column.to_pandas(date_as_object=True)
    if is_moment(dtype):
        near = _far(column) is None
        wanted = pa.timestamp("ns" if near else "us", getattr(dtype, "tz", None))
        return column.cast(wanted).to_pandas(coerce_temporal_nanoseconds=near)
    if pa.types.is_nested(dtype) and not _is_flat(dtype):
        made = np.empty(len(column), dtype=object)
        made[:] = column.to_pylist(maps_as_pydicts="strict")
        return made
    if is_list(dtype) and _rounds(column):
        made = np.empty(len(column), dtype=object)
        for i in range(len(column)):
            row = column.slice(i, 1)
            made[i] = row[0].as_py() if _rounds(row) else row.to_pandas()[0]
        return made
    if is_list(dtype) or pa.types.is_decimal(dtype):
        return column.to_pandas()
    values = column.to_numpy(zero_copy_only=False)
    if column.null_count and values.dtype == object and missing is not None:
        values = values.copy()
        values[column.is_null().to_numpy(zero_copy_only=False)] = missing
    return values


def _rounds(lists: pa.Array) -> bool:
    """Whether a null in lists of integers makes doubles of some that no double holds."""
    while is_list(lists.type):
        lists = lists.flatten()
    return bool(pa.types.is_int64(lists.type)) and _far(lists) is not None


def _is_flat(dtype: pa.DataType) -> bool:
    """Whether a type is that of lists, of whatever depth, without structs and maps in them."""
    return _is_flat(dtype.value_type) if is_list(dtype) else not pa.types.is_nested(dtype)


def objects(column: pa.Array) -> np.ndarray[Any, Any]:
    """A column as a one-dimensional array of objects, for models that take a list of texts."""
    values: np.ndarray[Any, Any] = column.to_numpy(zero_copy_only=False)
    return values
