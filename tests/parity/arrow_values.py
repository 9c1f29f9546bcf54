"""Columns of every Arrow type with extreme values, and what a model must see of each value.

The right values are computed by Python's own exact numbers and `zoneinfo`, never by Arrow.
"""

from __future__ import annotations

import datetime as dt
import math
import struct
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

EPOCH = dt.datetime.fromisoformat("1970-01-01")
BERLIN = "Europe/Berlin"
FIRST, LAST = -62_135_596_800_000_000, 253_402_300_799_999_999
"""Python's own calendar, from year 1 to 9999, in microseconds."""
MOMENTS = (FIRST, LAST, 0, -1, 2**63 // 1000 + 1, -(2**63) // 1000 - 1, 1_711_846_800_000_000)
"""The ends of that calendar and of pandas' nanoseconds, and an hour before summer time."""
TEXTS = ("", "Rome", "Ulm", "rome", "a\0", "\N{SNOWMAN}", "x" * 5_000, " Ulm", "1", "nan", "NaN")


def _integers(bits: int, *, signed: bool) -> list[int]:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    near = [0, 1, 2, 7, low, high, high - 1, 2**24 + 1, 2**53 + 1, -(2**53) - 1, 1_700_000_000]
    return [value for value in near if low <= value <= high]


def _floats(*more: float) -> list[float]:
    return [0.0, -0.0, 1.0, 0.1, -7.5, math.nan, math.inf, -math.inf, 5e-324, 16777217.0, *more]


def _decimals(precision: int, scale: int) -> list[Decimal]:
    top = (10**precision - 1, -(10**precision - 1), 1, 0, 5 * 10**scale)
    return [Decimal(f"{one}e-{scale}") for one in top if abs(one) < 10**precision]


TYPES: dict[pa.DataType, list[Any]] = {
    **{
        getattr(pa, f"{'' if signed else 'u'}int{bits}")(): _integers(bits, signed=signed)
        for bits in (8, 16, 32, 64)
        for signed in (True, False)
    },
    pa.float16(): [np.float16(v) for v in (0.0, 1.0, -2.5, 65504.0, math.nan, math.inf)],
    pa.float32(): [float(np.float32(v)) for v in _floats(3.4028235e38, 1e-45)],
    pa.float64(): _floats(1.7976931348623157e308, -1e39, 3.4028235677973366e38, 9007199254740993.0),
    pa.bool_(): [True, False],
    **{
        pa.decimal128(p, s): _decimals(p, s)
        for p, s in ((5, 2), (18, 0), (19, 0), (38, 10), (38, 38))
    },
    pa.decimal256(76, 0): [Decimal(10**75), Decimal(3)],
    **{dtype: list(TEXTS) for dtype in (pa.string(), pa.large_string(), pa.string_view())},
    **{dtype: [b"\0\xff", b"ab"] for dtype in (pa.binary(), pa.large_binary(), pa.binary(2))},
    pa.date32(): [-719_162, 2_932_896, 0, -1, 106_752, -106_752, 19_876],
    pa.date64(): [-719_162 * 86_400_000, 0, 106_752 * 86_400_000],
    **{
        pa.timestamp(unit, zone): [at // (1_000_000 // scale) for at in MOMENTS]
        for unit, scale in (("s", 1), ("ms", 1_000), ("us", 1_000_000))
        for zone in (None, "UTC", BERLIN)
    },
    pa.timestamp("us", "+05:30"): list(MOMENTS),
    pa.timestamp("ns"): [0, -(2**63) + 1, 2**63 - 1, 1_700_000_000_123_456_789, 1],
    pa.time32("s"): [0, 86_399],
    pa.time64("us"): [0, 86_399_999_999],
    pa.duration("us"): [0, -(2**62)],
    pa.dictionary(pa.int8(), pa.string()): list(TEXTS),
    pa.dictionary(pa.int32(), pa.int64()): _integers(64, signed=True),
    pa.list_(pa.float64()): [[], [1.0], [None, math.nan]],
    pa.struct([("a", pa.float64())]): [{"a": 1.0}, {"a": None}],
    pa.map_(pa.string(), pa.int64()): [[("a", 1)], []],
    pa.null(): [None],
}
"""Every Arrow type that can reach a scorer -> its extreme values, as `pa.array` takes them."""


def column(dtype: pa.DataType, rng: Random, rows: int) -> pa.Array:
    """So many values, some of them null; often a slice of a longer array, or null over a value."""
    gaps = rng.choice([0.0, 0.0, 0.3, 1.0])
    hidden = [rng.random() < gaps for _ in range(rows + 3)]
    over_values = pa.types.is_integer(dtype) or pa.types.is_floating(dtype)
    values = [None if h and not over_values else rng.choice(TYPES[dtype]) for h in hidden]
    if pa.types.is_dictionary(dtype):
        made = pa.array(values, dtype.value_type).dictionary_encode().cast(dtype)
    else:
        made = pa.array(values, dtype)
    if over_values:
        made = pc.if_else(pa.array(hidden), pa.scalar(None, dtype), made)
    start = rng.randrange(4)
    return made.slice(start, rows)


def to_double(value: float | Decimal) -> float:
    """The nearest double: ties to even, infinity beyond the largest."""
    if isinstance(value, float):
        return value
    try:
        return float(Fraction(value))
    except OverflowError:
        return math.copysign(math.inf, value)


def to_float(value: float | Decimal) -> float:
    """The nearest single precision number, in one rounding."""
    if isinstance(value, float):
        with np.errstate(over="ignore"):
            return float(np.float32(value))
    exact = Fraction(value)
    with np.errstate(over="ignore"):
        near = np.float32(float(exact))
    around = [near, np.nextafter(near, np.float32(-np.inf)), np.nextafter(near, np.float32(np.inf))]
    finite = [one for one in around if np.isfinite(one)]

    def distance(one: np.float32) -> tuple[Fraction, int]:
        return abs(Fraction(float(one)) - exact), struct.unpack("<I", one.tobytes())[0] & 1

    return float(min(finite, key=distance)) if len(finite) == 3 else float(near)


def moment(count: int, dtype: pa.DataType, *, local: bool) -> int:
    """A timestamp in microseconds since 1970, on the wall clock of its zone or as it stands."""
    per_second = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[dtype.unit]
    at = abs(count) * 1_000_000 // per_second * (-1 if count < 0 else 1)  # cut off, not floored
    if not (local and dtype.tz):
        return at
    if dtype.tz[0] in "+-":
        hours, minutes = map(int, dtype.tz[1:].split(":"))
        return at + (60 * hours + minutes) * 60_000_000
    day = 86_400_000_000
    inside = EPOCH + dt.timedelta(microseconds=min(max(at, FIRST + day), LAST - day))
    offset = inside.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(dtype.tz)).utcoffset()
    return at + offset // dt.timedelta(microseconds=1)


def counts(array: pa.Array) -> list[int | None]:
    """Dates and timestamps as they are stored."""
    wide = pa.int32() if pa.types.is_date32(array.type) else pa.int64()
    return array.view(wide).to_pylist()


NUMBERS: dict[str, Callable[[Any], Any]] = {
    "double": to_double,
    "float": to_float,
    **dict.fromkeys(("int64", "int32", "int16", "int8"), int),
}


def seen(array: pa.Array, target: str) -> list[Any]:
    """What a model whose input is declared as `target` must see, row by row; missing as None.

    Timestamps as microseconds since 1970, dates as Python's.
    """
    dtype = array.type
    if pa.types.is_null(dtype):
        return [None] * len(array)
    if pa.types.is_timestamp(dtype):
        local = target == "timestamp_ntz"
        return [None if c is None else moment(c, dtype, local=local) for c in counts(array)]
    if pa.types.is_date(dtype):
        days = 1 if pa.types.is_date32(dtype) else 86_400_000
        found = [None if c is None else c // days for c in counts(array)]
        if target == "date":
            return [None if d is None else (EPOCH + dt.timedelta(days=d)).date() for d in found]
        return [None if d is None else d * 86_400_000_000 for d in found]
    convert = NUMBERS.get(target, lambda value: value)
    values = [None if v is None else convert(_plain(v)) for v in array.to_pylist()]
    return [None if isinstance(v, float) and math.isnan(v) else v for v in values]


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, np.floating) else value
