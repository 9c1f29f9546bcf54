"""Decimals become the nearest floating numbers, as Python's exact fractions have it."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sparkml.arrow import cast, matrix
from sparkml.decimals import to_floating
from sparkml.models.results import as_column
from tests.parity.arrow_values import to_float

TYPES = [(5, 2), (15, 4), (18, 6), (19, 0), (22, 22), (30, 23), (38, 0), (38, 10), (38, 38)]


@st.composite
def columns(draw):
    """Decimals of one type, few digits and many, with nulls, as a slice of something longer."""
    precision, scale = draw(st.sampled_from(TYPES))
    digits = st.integers(1, precision).flatmap(lambda d: st.integers(1 - 10**d, 10**d - 1))
    near = st.sampled_from(
        [n for n in (2**53, 2**53 + 1, -(2**53) - 1) if abs(n) < 10**precision] or [0]
    )
    values = draw(st.lists(st.one_of(st.none(), digits, near), min_size=1, max_size=9))
    made = [None if v is None else Decimal(f"{v}e-{scale}") for v in values]
    whole = pa.array([Decimal(0), *made], pa.decimal128(precision, scale))
    return made, whole.slice(1)


@given(columns())
def test_the_nearest_double(given_):
    values, column = given_
    expected = [None if v is None else float(Fraction(v)) for v in values]
    assert expected == to_floating(column, pa.float64()).to_pylist()


@given(columns())
@example(([Decimal(16777217)], pa.array([Decimal(16777217)], pa.decimal128(18, 0))))
@example(
    (
        [Decimal("1.00000005960464477539062500000001")],
        pa.array([Decimal("1.00000005960464477539062500000001")], pa.decimal128(38, 32)),
    )
)
def test_the_nearest_float_is_rounded_once(given_):
    values, column = given_
    expected = [None if v is None else to_float(v) for v in values]
    assert expected == to_floating(column, pa.float32()).to_pylist()


@pytest.mark.parametrize("text", ["0.07", "0.57", "1.13", "-8.41"])
def test_wherever_a_decimal_becomes_a_number(text):
    """An input's cast, the matrix of a model, a model's result, and inside a list."""
    column = pa.array([Decimal(text)], pa.decimal128(5, 2))
    lists = pa.array([[Decimal(text)]], pa.list_(column.type))

    assert [float(text)] == cast(column, pa.float64()).to_pylist()
    assert [[float(text)]] == cast(lists, pa.list_(pa.float64())).to_pylist()
    assert float(text) == matrix(pa.record_batch({"x": column}))[0, 0]
    assert [float(text)] == as_column([Decimal(text)], pa.float64()).to_pylist()
    assert [float(np.float32(float(text)))] == cast(column, pa.float32()).to_pylist()
    wide = column.cast(pa.decimal256(40, 2))
    assert [float(text)] == cast(wide, pa.float64()).to_pylist()
