"""Rolling aggregates: what a key's latest rows add up to, as a native window expression."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it

from sparkml.errors import InputError, did_you_mean
from sparkml.spark.types import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column

AGGREGATES = {
    "mean": "avg", "sum": "sum", "count": "count", "min": "min", "max": "max", "std": "stddev_samp",
}  # fmt: skip
"""What may be rolled -> the aggregate function of Spark that does it."""


def rolling(
    value: str,
    how: str,
    *,
    key: str | Sequence[str],
    order: str | Sequence[str],
    seconds: float | None = None,
    rows: int | None = None,
    current: bool = True,
) -> Column:
    """An aggregate of the rows of a row's own key that are not later than itself.

    `df.withColumn("spent_1h", rolling("amount", "sum", key="customer", order="time",
    seconds=3600))`. Says what a model could have known at that moment, and nothing later.

    The window is the last `seconds` up to the row's own time t, (t - seconds, t], or its last
    `rows` rows, itself among them. Without `current`, what lies before the row: [t - seconds, t),
    or the `rows` rows before it; so a target can be averaged without its own value.

    * Ties: with `seconds`, all rows of the same time are in each other's window, or, without
      `current`, none is. With `rows`, rows that tie in `order` come in an order that Spark does not
      promise: give a second column that settles it, `order=("time", "id")`.
    * Nulls: a null value is left out, as in SQL; of none left, `count` is 0 and all else is null,
      and so is the `std` of one (it is the sample's, divided by n - 1). A row without a time gets
      null with `seconds`, and comes first with `rows`. Null keys are one key.
    * NaN: as Spark has it: a sum, mean or std with a NaN is NaN, and it is greater than any number.

    Native: a shuffle by `key` and a sort, in the JVM; each row then adds its own window up afresh,
    so time grows with the rows in a window, and no rounding is carried along. With `seconds`,
    `order` is one column of type TIMESTAMP or TIMESTAMP_NTZ, exact to the microsecond: Spark
    refuses numbers when it analyses the query, and takes a DATE for its midnight in the session's
    time zone. `rolling_sql` gives the same as text, for a job's steps.

    Raises:
        InputError: no such aggregate; both or none of `seconds` and `rows`, or less than one
            microsecond or row; several columns in `order` with `seconds`.
    """
    text = rolling_sql(
        value, how, key=key, order=order, seconds=seconds, rows=rows, current=current
    )
    return F.expr(text)


def rolling_sql(
    value: str,
    how: str,
    *,
    key: str | Sequence[str],
    order: str | Sequence[str],
    seconds: float | None = None,
    rows: int | None = None,
    current: bool = True,
) -> str:
    """The SQL expression of `rolling`: an aggregate with its `OVER` clause.

    >>> print(rolling_sql("amount", "mean", key="id", order="time", rows=3))
    avg(`amount`) OVER (PARTITION BY `id` ORDER BY `time` ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)

    Raises:
        InputError: as `rolling` does.
    """
    if how not in AGGREGATES:
        raise InputError(
            f"no aggregate '{how}'", where="rolling", fix=did_you_mean(how, AGGREGATES)
        )
    if (seconds is None) == (rows is None):
        raise InputError("a window of seconds or of rows", where="rolling", fix="give one of them")
    rolled = f"{AGGREGATES[how]}({quoted(value)}) OVER (PARTITION BY {_list(key)} ORDER BY"
    if rows is not None:
        return f"{rolled} {_list(order)} {_rows(rows, current=current)})"
    frame = _range(round((seconds or 0) * 1_000_000), order, current=current)
    # Spark takes the INT of an interval where the order is an INT; nothing can be added to one.
    time = f"{_list(order)} + INTERVAL '0' SECOND"
    return f"IF({_list(order)} IS NULL, NULL, {rolled} {time} {frame}))"


def _range(microseconds: int, order: str | Sequence[str], *, current: bool) -> str:
    if microseconds < 1 or not (isinstance(order, str) or len(order) == 1):
        raise InputError(
            f"a window of {microseconds} microseconds by {_list(order)}",
            where="rolling",
            fix="seconds above 0, by one column of times",
        )
    # Both ends of a RANGE belong to it, and times are whole microseconds.
    first = microseconds - 1 if current else microseconds
    last = "CURRENT ROW" if current else "INTERVAL 1 MICROSECOND PRECEDING"
    return f"RANGE BETWEEN INTERVAL {first} MICROSECOND PRECEDING AND {last}"


def _rows(rows: int, *, current: bool) -> str:
    if rows < 1:
        raise InputError(f"a window of {rows} rows", where="rolling", fix="1 or more")
    if current:
        return f"ROWS BETWEEN {rows - 1} PRECEDING AND CURRENT ROW"
    return f"ROWS BETWEEN {rows} PRECEDING AND 1 PRECEDING"


def _list(names: str | Sequence[str]) -> str:
    return ", ".join(map(quoted, [names] if isinstance(names, str) else names))
