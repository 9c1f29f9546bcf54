"""Time zones: the wall clock that a model without zones is given for an instant."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from sparkml.errors import SignatureError
from sparkml.lists import is_list

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

    Two instants of an hour that comes twice, at the end of summer time, show the same.
    """
    return pc.local_timestamp(column.cast(pa.timestamp("us", zone(column.type.tz))))
