"""An Arrow batch as the pandas DataFrame that a model was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sparkml.arrow import matrix
from sparkml.lists import is_list

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd


def frame(batch: pa.RecordBatch, names: Sequence[str], *, missing: float | None) -> pd.DataFrame:
    """`batch` as a DataFrame with the columns `names`, as pandas itself would have read it.

    * doubles and floats: as they are, a null is NaN;
    * integers: their own type where the batch has no null in the column, else float64 with NaN;
    * booleans: `bool`, or with nulls objects with `missing` in their place;
    * strings and binaries: objects, a null is `missing` (None or NaN);
    * dates and timestamps: `datetime64[ns]`, which pandas 2 reads them as; a null is NaT;
    * decimals: `decimal.Decimal` objects; lists: NumPy arrays; a null is None.

    Costs one copy of the columns.
    """
    import pandas as pd

    if all(pa.types.is_float64(column.type) for column in batch.schema):
        return pd.DataFrame(matrix(batch), columns=list(names), copy=False)
    columns = [_series(column, missing) for column in batch.columns]
    made = pd.DataFrame(dict(enumerate(columns)), index=pd.RangeIndex(batch.num_rows), copy=False)
    made.columns = pd.Index(list(names))
    return made


def _series(column: pa.Array, missing: float | None) -> Any:
    dtype = column.type
    if pa.types.is_temporal(dtype):
        return column.to_pandas(date_as_object=False, coerce_temporal_nanoseconds=True)
    if is_list(dtype) or pa.types.is_decimal(dtype):
        return column.to_pandas()
    values = column.to_numpy(zero_copy_only=False)
    if column.null_count and values.dtype == object and missing is not None:
        values = values.copy()
        values[column.is_null().to_numpy(zero_copy_only=False)] = missing
    return values


def objects(column: pa.Array) -> np.ndarray[Any, Any]:
    """A column as a one-dimensional array of objects, for models that take a list of texts."""
    values: np.ndarray[Any, Any] = column.to_numpy(zero_copy_only=False)
    return values
