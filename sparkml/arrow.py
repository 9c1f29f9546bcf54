"""Between a `Signature` and Arrow: the table of casts, the matrix.

The casts, `CASTS`, are decided from the types alone, on the driver and before any task: what a
column's type is allowed to become, and what that costs. What is not in the table is refused; the
way round it is an explicit `cast` in the job's steps, where the reader of the config can see it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sparkml.decimals import to_floating
from sparkml.errors import SignatureError
from sparkml.lists import dense, is_list, is_vector, stacked
from sparkml.nested import cast_nested, is_nested, nested_rule
from sparkml.type_names import to_arrow_type
from sparkml.zones import wall_clock, zone_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparkml.spec import Field, Signature

EXACT = "exact"
NEAREST_DOUBLE = "nearest double: integers beyond 2^53 are rounded"
NEAREST_FLOAT = "nearest float: about 7 significant digits are kept"
ZERO_ONE = "false is 0, true is 1"
ALL_NULL = "a column without a type: every row is null"
DENSE = "the vector's values, zeros written out"

_CASTS: dict[str, dict[str, str]] = {
    "double": {
        **dict.fromkeys(("int8", "int16", "int32", "float", "double"), EXACT),
        **dict.fromkeys(("int64", "decimal"), NEAREST_DOUBLE),
        "bool": ZERO_ONE,
    },
    "float": {
        **dict.fromkeys(("int8", "int16", "float"), EXACT),
        **dict.fromkeys(("int32", "int64", "double", "decimal"), NEAREST_FLOAT),
        "bool": ZERO_ONE,
    },
    "int64": {
        **dict.fromkeys(("int8", "int16", "int32", "int64", "integer decimal"), EXACT),
        "bool": ZERO_ONE,
    },
    "int32": {**dict.fromkeys(("int8", "int16", "int32"), EXACT), "bool": ZERO_ONE},
    "int16": dict.fromkeys(("int8", "int16"), EXACT),
    "int8": {"int8": EXACT},
    "bool": {"bool": EXACT},
    "string": {"string": EXACT},
    "binary": {"binary": EXACT},
    "date": {"date": EXACT},
    "timestamp": {"timestamp": EXACT, "timestamp_ntz": "read as UTC", "date": "midnight UTC"},
    "timestamp_ntz": {
        "timestamp_ntz": EXACT,
        "timestamp": "its wall clock in the session's time zone",
        "date": "midnight",
    },
    "decimal": {"decimal": EXACT, "integer decimal": EXACT},
}
CASTS = {target: {**rules, "null": ALL_NULL} for target, rules in _CASTS.items()}
"""Target kind -> source kind -> what the cast does to a value. Lists: by their elements."""


def input_schema(signature: Signature) -> pa.Schema:
    """The Arrow schema of a model's inputs, in the model's order."""
    return pa.schema([pa.field(f.name, to_arrow_type(f.type)) for f in signature.inputs])


def kind(dtype: pa.DataType) -> str:
    """The family of a type: a key of `CASTS`, or `list`, `vector`, or the type's own name."""
    if pa.types.is_decimal(dtype):
        whole = dtype.scale == 0 and dtype.precision <= 18
        return "integer decimal" if whole else "decimal"
    if pa.types.is_timestamp(dtype):
        return "timestamp" if dtype.tz else "timestamp_ntz"
    if is_vector(dtype):
        return "vector"
    for name, matches in (
        ("date", pa.types.is_date),
        ("string", lambda t: pa.types.is_string(t) or pa.types.is_large_string(t)),
        ("binary", lambda t: pa.types.is_binary(t) or pa.types.is_large_binary(t)),
        ("list", is_list),
    ):
        if matches(dtype):
            return name
    return str(dtype)


def cast_rule(source: pa.DataType, target: pa.DataType) -> str | None:
    """What the cast from `source` to `target` does to a value; None where it is refused."""
    if is_nested(target):
        if pa.types.is_null(source):
            return ALL_NULL
        if is_vector(source) and is_list(target):
            return DENSE if pa.types.is_floating(target.value_type) else None
        return nested_rule(source, target, cast_rule, EXACT)
    wanted = kind(target)
    given = kind(source)
    if pa.types.is_decimal(target) and pa.types.is_decimal(source):
        whole = target.precision - target.scale >= source.precision - source.scale
        return EXACT if whole and target.scale >= source.scale else None
    rules = CASTS.get(wanted.removeprefix("integer "), {})
    return rules.get(given) or rules.get(given.removeprefix("integer "))


def cast(column: pa.Array, target: pa.DataType) -> pa.Array:
    """`column` as `target`; the caller has asked `cast_rule` first.

    Raises:
        SignatureError: a date or time beyond what 64 bits of microseconds hold.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if is_vector(column.type):
        column = dense(column)
    if column.type == target:
        return column
    if is_nested(target) and not pa.types.is_null(column.type):
        return cast_nested(column, target, cast)
    if zone_of(column.type) and not zone_of(target):
        column = wall_clock(column)
    if pa.types.is_decimal(column.type) and pa.types.is_floating(target):
        return to_floating(column, target)
    if pa.types.is_temporal(target):
        return _moment(column, target)
    return pc.cast(column, target, safe=False)


def _moment(column: pa.Array, target: pa.DataType) -> pa.Array:
    """Dates and times as `target`; what is finer than its unit is cut off."""
    finer = pa.types.is_timestamp(column.type) and column.type.unit == "ns"
    try:
        return pc.cast(column, target, safe=not finer)
    except pa.ArrowInvalid as error:
        raise SignatureError(
            f"a {column.type} that no {target} can hold: {str(error)[:200]}",
            where="an input of the model",
            fix="make it null, or a date of Spark's calendar, in a step",
        ) from error


def check_numbers(inputs: Iterable[Field], *, where: str) -> None:
    """Refuse columns that no matrix of numbers can hold.

    Raises:
        SignatureError: NumPy would make something of them: days since 1970 of a date, 1.0 of "1".
    """
    for wanted in inputs:
        dtype = to_arrow_type(wanted.type)
        element = dtype.value_type if is_list(dtype) else dtype
        if pa.types.is_temporal(element) or kind(element) in ("string", "binary"):
            raise SignatureError(
                f"the model takes numbers, '{wanted.name}' is declared as {wanted.type}",
                where=where,
                fix="declare it as list<double>, and make it numbers in a step"
                if is_list(dtype)
                else "declare it as double, and make it a number in a step, "
                f"e.g. unix_date(`{wanted.name}`) of a date",
            )


def matrix(batch: pa.RecordBatch, width: int | None = None) -> npt.NDArray[np.float64]:
    """The numeric columns of `batch` as one C-ordered float64 matrix; a null becomes NaN.

    A single list column of length k gives k columns (a null list gives a row of NaN); `width` is
    that k where it is known. One copy, straight from Arrow's buffers.

    Raises:
        ValueError: lists of another length than `width`, or of several.
    """
    if batch.num_columns == 1 and is_list(batch.schema.field(0).type):
        return stacked(batch.column(0), width)
    out = np.empty((batch.num_rows, batch.num_columns), dtype=np.float64)
    for j, column in enumerate(batch.columns):
        plain = not (pa.types.is_boolean(column.type) or pa.types.is_decimal(column.type))
        values = column if plain else cast(column, pa.float64())
        out[:, j] = values.to_numpy(zero_copy_only=False)
    return out
