"""Odd values of each type, and tables of them for a feature: what columns hold in the end."""

from __future__ import annotations

import random
import struct
from base64 import b64decode
from datetime import UTC, date, datetime

import pyarrow as pa

from sparkml.features import images
from sparkml.type_names import to_arrow_type

ROWS = 240
NAN, INF = float("nan"), float("inf")

ODD = {
    "string": [
        None, "", " ", "  may ", "\tmay", "DECEMBER", "AprİL", "sept", "\u00a0", "to be, or not",
        "😀 \U0001d518 z", "e\u0301 é", "Straße", "\x00", "a\nb\x1f", "x" * 1_000, "\ufeff",
        "https://me@WWW.Example.co.uk:80/a/b?c#d", "http://[::1]/", '{"a": [1.50, null]}', "$",
    ],
    "double": [
        None, NAN, INF, -INF, 0.0, -0.0, 5e-324, -1e-300, 1e-9, 0.5, -1.5, 17.9, 42.0, -45.0, 89.9,
        -90.0, 90.0, 90.00001, 179.99999, 180.0, -180.0, 2.0**53 + 2, 1.7e18, 1e308, -1.7e308,
    ],
    "list<double>": [
        None, [], [0.0], [-1.5, 0.5, 42.0], [42.0, 0.5], [None, 1.0], [NAN], [0.0, NAN],
        [-INF, 0.0, INF], [0.0, -0.0], [-0.0, 0.0], [1.0, 1.0],
    ],
    "date": [
        None, date(1, 1, 1), date(1582, 10, 4), date(1582, 10, 15), date(1900, 2, 28),
        date(1969, 12, 31), date(1970, 1, 1), date(2024, 2, 29), date(9999, 12, 31),
    ],
    "timestamp": [
        None, datetime(1, 1, 3, 5, tzinfo=UTC), datetime(1582, 10, 4, 13, 30, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC), datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2024, 3, 31, 1, 30, tzinfo=UTC), datetime(2024, 5, 6, 12, tzinfo=UTC),
        datetime(9999, 12, 29, 22, 59, 59, tzinfo=UTC),
    ],
    "binary": [None, b64decode(images.EXAMPLE)],
}  # fmt: skip


def odd_table(feature) -> pa.Table:
    """Rows of the odd values of a feature's columns: one of nulls, each value, and at random."""
    rng = random.Random(feature.name)
    columns = {}
    for name, dtype in feature.columns.items():
        each = list(ODD[dtype])
        rng.shuffle(each)
        values = [None, *each, *rng.choices(ODD[dtype], k=ROWS - 1 - len(each))]
        columns[name] = pa.array(values, to_arrow_type(dtype))
    return pa.table(columns)


def bits(value):
    """A value that equals another only where every bit does: -0.0 is not 0.0; NaN is NaN."""
    if isinstance(value, float):
        return "nan" if value != value else struct.pack(">d", value).hex()
    return [bits(v) for v in value] if isinstance(value, list) else value
