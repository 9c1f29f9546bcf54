"""Time zones: the wall clock that a model without zones is given for an instant."""

from __future__ import annotations

import datetime as dt
import re
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from sparkml.errors import SignatureError
from sparkml.lists import is_list

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_TABLES_END = (dt.datetime(2037, 1, 1, tzinfo=dt.UTC) - _EPOCH) // dt.timedelta(microseconds=1)
"""Up to here zones are tables; afterwards they are rules, which Arrow does not read."""
_REGION = re.compile(r"[A-Za-z]")
_OFFSET = re.compile(r"(?:UTC|GMT|UT)([+-])(\d{1,2})(?::?(\d\d))?")


def zone(name: str) -> str:
    """A time zone of Spark as Arrow spells it: `Europe/Berlin`, `+01:00`, `UTC`.

    Raises:
        SignatureError: Arrow knows no such zone.
    """
    found = _OFFSET.fullmatch(name)
    spelt = f"{found[1]}{found[2]:0>2}:{found[3] or '00'}" if found else name
    spelt = "UTC" if name == "Z" else spelt
    try:
        pc.local_timestamp(pa.scalar(0, pa.timestamp("us", spelt)))
    except pa.ArrowInvalid:
        raise SignatureError(
            f"there is no time zone '{name}'",
            where="spark.sql.session.timeZone",
            fix="set a region such as Europe/Berlin, or an offset such as +01:00",
        ) from None
    return spelt


def zone_of(dtype: pa.DataType) -> str:
    """The time zone of instants, or of those inside lists, structs and maps; else empty."""
    if is_list(dtype):
        return zone_of(dtype.value_type)
    if pa.types.is_map(dtype):
        return zone_of(dtype.item_type)
    if pa.types.is_struct(dtype):
        return next((name for field in dtype if (name := zone_of(field.type))), "")
    return (dtype.tz or "") if pa.types.is_timestamp(dtype) else ""


def without_zone(dtype: pa.DataType) -> pa.DataType:
    """The type with times of no zone where it has instants, also in lists, structs and maps."""
    if is_list(dtype):
        return pa.list_(without_zone(dtype.value_type))
    if pa.types.is_map(dtype):
        return pa.map_(without_zone(dtype.key_type), without_zone(dtype.item_type))
    if pa.types.is_struct(dtype):
        return pa.struct([field.with_type(without_zone(field.type)) for field in dtype])
    return pa.timestamp(dtype.unit) if pa.types.is_timestamp(dtype) else dtype


def wall_clock(column: pa.Array) -> pa.Array:
    """Instants as the date and time that a clock in their zone shows.

    Two instants of an hour that comes twice, at the end of summer time, show the same. Summer time
    goes on after 2037, as Spark has it; Arrow and pandas 2 end it there.
    """
    instants = column.cast(pa.timestamp("us", zone(column.type.tz)))
    clock = pc.local_timestamp(instants)
    counts = instants.view(pa.int64())
    if (pc.max(counts).as_py() or 0) < _TABLES_END or not _REGION.match(instants.type.tz):
        return clock
    late = pc.greater_equal(counts, _TABLES_END)
    return pc.if_else(late, _by_rule(counts, ZoneInfo(instants.type.tz)), clock)


def _by_rule(counts: pa.Array, region: ZoneInfo) -> pa.Array:
    """The wall clock of microseconds since 1970 by the zone's standing rule, value by value."""
    codes = counts.dictionary_encode()
    shown = [
        None if at is None or at < _TABLES_END else at + _offset(at, region)
        for at in codes.dictionary.to_pylist()
    ]
    try:
        clocks = pa.array(shown, pa.int64()).view(pa.timestamp("us"))
    except OverflowError:
        raise SignatureError(
            f"an instant whose wall clock in {region.key} 64 bits of microseconds do not hold",
            where="an input of the model",
            fix="make it null, or a time of Spark's calendar, in a step",
        ) from None
    return clocks.take(codes.indices)


def _offset(at: int, region: ZoneInfo) -> int:
    """Microseconds east of UTC; the calendar repeats itself after 400 years."""
    within = _TABLES_END + (at - _TABLES_END) % (146_097 * 86_400_000_000)
    utc = _EPOCH + dt.timedelta(microseconds=within)
    return (utc.astimezone(region).utcoffset() or dt.timedelta()) // dt.timedelta(microseconds=1)
