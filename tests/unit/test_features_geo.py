"""Features of places: distances and geohashes, by other formulas and as they are known."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkml.features import geo

NAN, INF = float("nan"), float("inf")


def doubles(*values):
    """A column of doubles."""
    return pa.array(values, pa.float64())


def by_vectors(lat1, lon1, lat2, lon2):
    """The angle of two unit vectors, by their cross and dot products."""
    a, b = (
        np.array([math.cos(p) * math.cos(q), math.cos(p) * math.sin(q), math.sin(p)], np.longdouble)
        for p, q in (map(math.radians, (lat1, lon1)), map(math.radians, (lat2, lon2)))
    )
    return geo.EARTH_RADIUS_M * math.atan2(np.sqrt(sum(np.cross(a, b) ** 2)), a @ b)


LATITUDES, LONGITUDES = st.floats(-90, 90), st.floats(-180, 180)


@settings(deadline=None)
@given(st.tuples(LATITUDES, LONGITUDES, LATITUDES, LONGITUDES))
def test_distances_on_the_globe(place):
    """By another formula, to a thousandth of a millimetre: neighbours, antipodes, poles."""
    metres = geo.haversine_m(*map(doubles, place))[0].as_py()

    assert by_vectors(*place) == pytest.approx(metres, rel=1e-12, abs=1e-6)


def test_known_distances():
    """A quarter of the globe, its half, one metre, across the date line; nothing out of range."""
    quarter = math.pi / 2 * geo.EARTH_RADIUS_M
    degree = quarter / 90
    lat1 = doubles(0, -90, 0, 10, 0, 91, 0, NAN, None)
    lon1 = doubles(0, 0, 0, 0, 179.5, 0, 181, 0, 0)
    lat2 = doubles(0, 90, 1 / degree, -10, 0, 0, 0, 0, 0)
    lon2 = doubles(90, 50, 0, 180, -179.5, 0, 0, 0, 0)

    made = geo.haversine_m(lat1, lon1, lat2, lon2).to_pylist()

    assert [quarter, 2 * quarter, 1.0, 2 * quarter, degree] == pytest.approx(made[:5], rel=1e-13)
    assert [None] * 4 == made[5:]


def by_halves(lat, lon, precision):
    """The geohash as it is told: halve, ask, note."""
    spans, answers = [[-180.0, 180.0], [-90.0, 90.0]], []
    for turn in range(5 * precision):
        span, degrees = spans[turn % 2], (lon, lat)[turn % 2]
        middle = (span[0] + span[1]) / 2
        answers.append(degrees >= middle)
        span[0 if answers[-1] else 1] = middle
    fives = [answers[i : i + 5] for i in range(0, len(answers), 5)]
    return "".join(geo.BASE_32[sum(a << (4 - i) for i, a in enumerate(five))] for five in fives)


EDGES = st.integers(-(2**10), 2**10).map(lambda k: k / 2**10)
NEAR = st.sampled_from([0.0, INF, -INF])


@settings(deadline=None)
@given(LATITUDES | EDGES.map(lambda x: x * 90), LONGITUDES | EDGES.map(lambda x: x * 180), NEAR)
def test_geohashes_are_halved_exactly(lat, lon, towards):
    """Also on an edge, and a bit beside it."""
    if towards:
        lat = min(max(math.nextafter(lat, towards), -90), 90)
        lon = min(max(math.nextafter(lon, towards), -180), 180)

    made = [geo.geohash(doubles(lat), doubles(lon), precision=p)[0].as_py() for p in (1, 6, 12)]

    assert [by_halves(lat, lon, p) for p in (1, 6, 12)] == made


def test_known_geohashes():
    """Of the literature; a shorter one is the beginning of a longer."""
    places = {
        (57.64911, 10.40744): "u4pruydqqvj",
        (42.6, -5.6): "ezs42",
        (-25.382708, -49.265506): "6gkzwgjzn820",
    }

    for (lat, lon), known in places.items():
        for precision in range(1, len(known) + 1):
            made = geo.geohash(doubles(lat), doubles(lon), precision=precision)
            assert [known[:precision]] == made.to_pylist()
