"""Features of dates and times: the month's number, points on a cycle, days between."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable

MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip

_SPELLINGS = {
    **{name: number for number, name in enumerate(MONTHS, 1)},
    **{name[:3]: number for number, name in enumerate(MONTHS, 1)},
    "sept": 9,
}

# Not `lower`: beyond ASCII it is another function in Spark and in Arrow (İ).
MONTH_AS_INT = (
    "map({pairs})[translate(trim(text), 'ABCDEFGHIJKLMNOPQRSTUVWXYZ',"
    " 'abcdefghijklmnopqrstuvwxyz')]"
).format(pairs=", ".join(f"'{name}', {number}" for name, number in _SPELLINGS.items()))


def _cycle(function: Callable[[float], float], steps: int) -> tuple[float, ...]:
    """The sine or cosine at each step of a turn, the same on every platform; 0 is not -0.0."""
    return tuple(round(function(math.tau * step / steps), 15) + 0.0 for step in range(steps))


def _looked_up(cycle: tuple[float, ...], step: str) -> str:
    # Not `array(…)[step]`: there a null step gives 0.0 (ANSI mode, an array without nulls).
    return f"get(array({', '.join(f'{value!r}D' for value in cycle)}), {step})"


_HOUR_SIN, _HOUR_COS = _cycle(math.sin, 24), _cycle(math.cos, 24)
_WEEKDAY_SIN, _WEEKDAY_COS = _cycle(math.sin, 7), _cycle(math.cos, 7)
_MONTH_SIN, _MONTH_COS = _cycle(math.sin, 12), _cycle(math.cos, 12)

# Not `hour(time)`, which is the hour in the session's time zone.
_HOUR = "int(pmod(unix_micros(time), 86400000000) div 3600000000)"
HOUR_SIN, HOUR_COS = _looked_up(_HOUR_SIN, _HOUR), _looked_up(_HOUR_COS, _HOUR)
WEEKDAY_SIN = _looked_up(_WEEKDAY_SIN, "weekday(date)")
WEEKDAY_COS = _looked_up(_WEEKDAY_COS, "weekday(date)")
MONTH_SIN = _looked_up(_MONTH_SIN, "month(date) - 1")
MONTH_COS = _looked_up(_MONTH_COS, "month(date) - 1")
DAYS_BETWEEN = "datediff(`end`, `start`)"


def month_as_int(text: pa.Array) -> pa.Array:
    """The number of an English month's name, 1 to 12: whole or its first three letters, or `sept`.

    Blind to case and to spaces around it (U+0020; a tab is not trimmed). Null for a null and for
    any other text.

    >>> month_as_int(pa.array(["may", " DEC ", "Smarch", None])).to_pylist()
    [5, 12, None, None]
    """
    known = pa.array(list(_SPELLINGS))
    at = pc.index_in(pc.ascii_lower(pc.utf8_trim(text, " ")), value_set=known)
    return pa.array(list(_SPELLINGS.values()), pa.int32()).take(at)


def hour_sin(time: pa.Array) -> pa.Array:
    """The hour as the sine of its angle on a clock of 24 hours; with `hour_cos`, a point on it.

    sin(2π · h / 24), h being the whole hours 0 to 23 in UTC, whatever the session's time zone is;
    for a local clock: `hour_sin(from_utc_timestamp(time, 'Europe/Paris'))`. On the circle the hour
    23 is next to 0, as it is not among the numbers (Mardia and Jupp, "Directional statistics",
    2000). Rounded to 15 decimals, so that 12 o'clock gives 0 and not 1.2e-16. Null for a null.

    >>> from datetime import UTC, datetime
    >>> times = [datetime(1969, 12, 31, 18, 59, tzinfo=UTC), datetime(2024, 5, 1, 2, tzinfo=UTC)]
    >>> hour_sin(pa.array([*times, None], pa.timestamp("us", "UTC"))).to_pylist()
    [-1.0, 0.5, None]
    """
    return _at(_HOUR_SIN, _hour(time))


def hour_cos(time: pa.Array) -> pa.Array:
    """The hour as the cosine of its angle on a clock of 24 hours: see `hour_sin`.

    cos(2π · h / 24), h being the whole hours 0 to 23 in UTC. Null for a null.

    >>> from datetime import UTC, datetime
    >>> times = [datetime(2024, 5, 1, hour, tzinfo=UTC) for hour in (0, 8, 12)]
    >>> hour_cos(pa.array([*times, None], pa.timestamp("us", "UTC"))).to_pylist()
    [1.0, -0.5, -1.0, None]
    """
    return _at(_HOUR_COS, _hour(time))


def weekday_sin(date: pa.Array) -> pa.Array:
    """The day of the week as the sine of its angle on a circle of seven; see `hour_sin`.

    sin(2π · d / 7), d being 0 for Monday to 6 for Sunday (Gregorian, also before 1582). Spark makes
    a date of a timestamp first, in the time zone that the session had when the feature was
    registered. Null for a null.

    >>> from datetime import date
    >>> weekday_sin(pa.array([date(2024, 5, 6), date(2024, 5, 7), None])).to_pylist()
    [0.0, 0.78183148246803, None]
    """
    return _at(_WEEKDAY_SIN, pc.day_of_week(date))


def weekday_cos(date: pa.Array) -> pa.Array:
    """The day of the week as the cosine of its angle on a circle of seven; see `weekday_sin`.

    cos(2π · d / 7), d being 0 for Monday to 6 for Sunday. Null for a null.

    >>> from datetime import date
    >>> weekday_cos(pa.array([date(2024, 5, 6), date(2024, 5, 7), None])).to_pylist()
    [1.0, 0.623489801858734, None]
    """
    return _at(_WEEKDAY_COS, pc.day_of_week(date))


def month_sin(date: pa.Array) -> pa.Array:
    """The month as the sine of its angle on a circle of twelve; see `hour_sin`.

    sin(2π · (m - 1) / 12), m being 1 for January to 12 for December. A timestamp in SQL becomes a
    date first, as in `weekday_sin`. Null for a null.

    >>> from datetime import date
    >>> month_sin(pa.array([date(2024, 1, 31), date(2024, 4, 1), None])).to_pylist()
    [0.0, 1.0, None]
    """
    return _at(_MONTH_SIN, pc.subtract(pc.month(date), 1))


def month_cos(date: pa.Array) -> pa.Array:
    """The month as the cosine of its angle on a circle of twelve; see `month_sin`.

    cos(2π · (m - 1) / 12), m being 1 for January to 12 for December. Null for a null.

    >>> from datetime import date
    >>> month_cos(pa.array([date(2024, 1, 31), date(2024, 7, 1), None])).to_pylist()
    [1.0, -1.0, None]
    """
    return _at(_MONTH_COS, pc.subtract(pc.month(date), 1))


def days_between(start: pa.Array, end: pa.Array) -> pa.Array:
    """The days from one date to another: end - start, negative where the end is the earlier one.

    Calendar days (Gregorian, also before 1582). A timestamp in SQL becomes a date first, as in
    `weekday_sin`. Null where either is null.

    >>> from datetime import date
    >>> start, end = pa.array([date(2024, 2, 28), None]), pa.array([date(2024, 3, 1)] * 2)
    >>> days_between(start, end).to_pylist(), days_between(end, start).to_pylist()
    ([2, None], [-2, None])
    """
    return pc.subtract(end.cast(pa.int32()), start.cast(pa.int32()))


def _hour(time: pa.Array) -> pa.Array:
    # Without a zone, so that no time zone database is asked; the number is UTC's in any case.
    wall_clock = time.cast(pa.int64()).cast(pa.timestamp(time.type.unit))
    return pc.hour(wall_clock)


def _at(cycle: tuple[float, ...], step: pa.Array) -> pa.Array:
    return pa.array(cycle, pa.float64()).take(step)
