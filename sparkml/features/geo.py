"""Features of places on the Earth: the distance of two, the cell that one lies in."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sparkml.errors import InputError

Doubles = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]

EARTH_RADIUS_M = 6_371_008.8
"""The mean radius, R1 = (2a + b) / 3 of the ellipsoid GRS 80 (Moritz, "Geodetic reference system
1980")."""

BASE_32 = "0123456789bcdefghjkmnpqrstuvwxyz"
MOST_PRECISION = 12
_CELLS = 1 << 30
"""How many cells of either axis 12 characters tell apart: 60 bits, taken in turns."""

_SPREADS = (
    (16, 0x0000FFFF0000FFFF), (8, 0x00FF00FF00FF00FF), (4, 0x0F0F0F0F0F0F0F0F),
    (2, 0x3333333333333333), (1, 0x5555555555555555),
)  # fmt: skip

_HALF = f"{math.pi / 360!r}D"
_HAVERSINE = (
    f"sin((lat2 - lat1) * {_HALF})", f"cos((lat2 - lat1) * {_HALF})",
    f"sin((lon2 - lon1) * {_HALF})", f"cos((lon2 - lon1) * {_HALF})",
    f"sin((lat1 + lat2) * {_HALF})", f"cos((lat1 + lat2) * {_HALF})",
)  # fmt: skip
HAVERSINE_M = (
    "CASE WHEN abs(lat1) <= 90 AND abs(lat2) <= 90 AND abs(lon1) <= 180 AND abs(lon2) <= 180 THEN"
    f" {2 * EARTH_RADIUS_M!r}D * atan2("
    "sqrt(pow({0} * {3}, 2) + pow({5} * {2}, 2)), sqrt(pow({1} * {3}, 2) + pow({4} * {2}, 2)))"
    " END"
).format(*_HAVERSINE)


def _sql_cell(degrees: str, span: int) -> str:
    at = f"floor(({degrees} + {span // 2}) / {span} * {_CELLS})"
    edge = f"({at} * {span}D / {_CELLS} - {span // 2})"
    return f"least({at} - int({degrees} < {edge}), {_CELLS - 1})"


def _sql_spread(cell: str) -> str:
    return f"bigint(conv(bin({cell}), 4, 10))"  # bits read as digits of base 4: a 0 between each


_Z = f"2 * {_sql_spread(_sql_cell('lon', 360))} + {_sql_spread(_sql_cell('lat', 180))}"
GEOHASH = (
    f"CASE WHEN NOT precision BETWEEN 1 AND {MOST_PRECISION}"
    f" THEN raise_error('geohash: precision is 1 to {MOST_PRECISION}')"
    " WHEN abs(lat) <= 90 AND abs(lon) <= 180"
    f" THEN left(translate(lpad(conv(string({_Z}), 10, 32), {MOST_PRECISION}, '0'),"
    f" '0123456789ABCDEFGHIJKLMNOPQRSTUV', '{BASE_32}'), precision) END"
)


def haversine_m(lat1: pa.Array, lon1: pa.Array, lat2: pa.Array, lon2: pa.Array) -> pa.Array:
    """The distance of two places in metres, along the great circle of a round Earth.

    2R · atan2(√h, √(1 - h)) with h = sin²(Δφ/2) + cos φ1 · cos φ2 · sin²(Δλ/2), degrees in, and
    R = 6,371,008.8 m, the Earth's mean radius (Sinnott, "Virtues of the haversine", 1984). The
    Earth is not round: up to 0.6 % off its true distances. h and 1 - h are computed without
    cancellation, h = (sin(Δφ/2) · cos(Δλ/2))² + (cos((φ1+φ2)/2) · sin(Δλ/2))², so that neighbours
    and antipodes are as exact as others. Spark's sines are Java's, which differ from NumPy's by
    1e-12 of the distance, or 10 nanometres, at most.

    Null where one of the four is null, NaN or out of range: latitudes -90 to 90, longitudes -180
    to 180.

    >>> lat1, lon1 = pa.array([48.8566, 95.0]), pa.array([2.3522, 0.0])
    >>> lat2, lon2 = pa.array([41.9, 0.0]), pa.array([12.5, 0.0])
    >>> pc.round(haversine_m(lat1, lon1, lat2, lon2), 3).to_pylist()
    [1105712.45, None]
    """
    phi1, phi2 = _degrees(lat1, 90), _degrees(lat2, 90)
    lambda1, lambda2 = _degrees(lon1, 180), _degrees(lon2, 180)
    halves = (phi2 - phi1, lambda2 - lambda1, phi1 + phi2)
    north, east, middle = (angle * (math.pi / 360) for angle in halves)
    near = _length(np.sin(north) * np.cos(east), np.cos(middle) * np.sin(east))
    far = _length(np.cos(north) * np.cos(east), np.sin(middle) * np.sin(east))
    metres = 2 * EARTH_RADIUS_M * np.arctan2(near, far)
    return pa.array(metres, pa.float64(), mask=np.isnan(metres))


def geohash(lat: pa.Array, lon: pa.Array, *, precision: int = 9) -> pa.Array:
    """The geohash of a place: the name of the cell it lies in, `precision` characters long.

    Both axes are halved in turns, longitude first, and each five answers are one character of
    0-9 and b-z without i, l and o (Niemeyer, geohash.org, 2008; in Morton, "A computer oriented
    geodetic data base", 1966). A place on an edge belongs to the cell north or east of it. Cells of
    near places mostly begin alike: 5 characters are about 5 km, 7 about 150 m, 9 about 5 m. Degrees
    are compared as they are, without rounding, for all 12 characters.

    Null where either is null, NaN or out of range: latitude -90 to 90, longitude -180 to 180.

    Raises:
        InputError: `precision` is not 1 to 12. (In SQL: an error when the query runs.)

    >>> geohash(pa.array([57.64911, None]), pa.array([10.40744, 0.0]), precision=11).to_pylist()
    ['u4pruydqqvj', None]
    """
    if not 1 <= precision <= MOST_PRECISION:
        raise InputError(
            f"a geohash of {precision} characters", where="geohash", fix="precision => 9"
        )
    y, x = _degrees(lat, 90), _degrees(lon, 180)
    bad = np.isnan(x) | np.isnan(y)
    x, y = (np.where(bad, 0, degrees) for degrees in (x, y))
    z = _spread(_cell(x, 360)) << 1 | _spread(_cell(y, 180))
    shifts = np.arange(60 - 5, 60 - 5 * precision - 1, -5)
    letters = np.frombuffer(BASE_32.encode(), np.uint8)[z[:, None] >> shifts & 31]
    offsets = np.arange(len(x) + 1, dtype=np.int32) * np.int32(precision)
    hashes = pa.StringArray.from_buffers(len(x), pa.py_buffer(offsets), pa.py_buffer(letters))
    return pc.if_else(pa.array(bad), pa.scalar(None, pa.string()), hashes)


def _degrees(values: pa.Array, most: int) -> Doubles:
    """The degrees in NumPy; NaN for a null and for one out of range."""
    degrees = np.asarray(values.to_numpy(zero_copy_only=False), np.float64)
    return np.where(np.abs(degrees) <= most, degrees, np.nan)


def _length(a: Doubles, b: Doubles) -> Doubles:
    return np.sqrt(a * a + b * b)


def _cell(degrees: Doubles, span: int) -> Longs:
    """The cell's number along one axis. Edges are exact; the quotient may round up onto one."""
    at = np.floor((degrees + span // 2) / span * _CELLS)
    at -= degrees < at * span / _CELLS - span // 2
    return np.minimum(at, _CELLS - 1).astype(np.int64)


def _spread(cell: Longs) -> Longs:
    """A zero before each of the 30 bits (a Morton code's half)."""
    for shift, kept in _SPREADS:
        cell = (cell | cell << shift) & kept
    return cell
