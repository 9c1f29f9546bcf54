"""Every feature without Spark: what the table promises of each, and the numbers of some."""

from __future__ import annotations

import doctest
import importlib
import math
import pkgutil
import zlib
from collections import Counter
from datetime import UTC, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import yeojohnson
from sklearn.preprocessing import PowerTransformer

import sparkml.features
from sparkml.errors import InputError
from sparkml.features import FEATURES, dates, geo, hashing, numbers
from sparkml.features.dates import hour_sin
from sparkml.features.hashing import hashed_bag_of_words
from sparkml.type_names import to_arrow_type
from tests.odd_values import INF, NAN, ODD, bits, odd_table

MODULES = [m.name for m in pkgutil.iter_modules(sparkml.features.__path__, "sparkml.features.")]
each_feature = pytest.mark.parametrize("feature", FEATURES, ids=[f.name for f in FEATURES])


def doubles(*values):
    """A column of doubles."""
    return pa.array(values, pa.float64())


@pytest.mark.parametrize("module", ["sparkml.features", *MODULES])
def test_the_examples_in_the_docstrings_hold(module):
    """As they stand, for whoever pastes them."""
    assert 0 == doctest.testmod(importlib.import_module(module)).failed


def test_names_are_told_apart_without_their_case():
    """SQL is blind to it."""
    names = [feature.name for feature in FEATURES]

    assert len(set(names)) == len(names)
    assert [name.lower() for name in names] == names


@each_feature
def test_the_docstring_and_the_example_show_the_feature(feature):
    """A doctest that calls it, and a SQL call of it; no parameter twice."""
    shown = doctest.DocTestFinder(recurse=False).find(feature.kernel, feature.name)

    assert any(f"{feature.name}(" in e.source for test in shown for e in test.examples)
    assert "ull for a null" in " ".join(feature.kernel.__doc__.split()) or (
        "ull where" in feature.kernel.__doc__
    )
    assert feature.example.startswith(f"{feature.name}(")
    assert not set(feature.columns) & set(feature.constants)


@each_feature
def test_no_rows_give_no_rows_and_nulls_a_null(feature):
    """Of the declared type, both."""
    for rows in (0, 3):
        columns = [pa.nulls(rows, to_arrow_type(dtype)) for dtype in feature.columns.values()]

        made = feature.kernel(*columns)

        assert to_arrow_type(feature.returns) == made.type
        assert [None] * rows == made.to_pylist()


@each_feature
def test_a_row_does_not_depend_on_its_batch(feature):
    """Whole, in parts, from the middle of a larger array, and copied: the same bits."""
    columns = [column.combine_chunks() for column in odd_table(feature).columns]
    whole = feature.kernel(*columns)
    rows = len(whole)

    assert len(columns[0]) == rows
    assert to_arrow_type(feature.returns) == whole.type
    for start, stop in [(0, 7), (7, 8), (8, rows // 2), (rows // 2, rows)]:
        part = feature.kernel(*[column[start:stop] for column in columns])
        copied = feature.kernel(*[pa.array(c[start:stop].to_pylist(), c.type) for c in columns])

        assert bits(whole[start:stop].to_pylist()) == bits(part.to_pylist())
        assert bits(part.to_pylist()) == bits(copied.to_pylist())


def test_months_are_read_by_their_ascii_letters_and_spaces():
    """As Spark trims; a dotted capital I is no I."""
    texts = ["May", "  SEPT", "\tmay", "AprİL", "\u00a0may", "maY ", "", "13"]

    assert [5, 9, None, None, None, 5, None, None] == dates.month_as_int(
        pa.array(texts)
    ).to_pylist()


@settings(deadline=None)
@given(st.datetimes())
def test_the_points_of_cycles(time):
    """Those of the datetime's own hour, weekday and month."""
    moment = pa.array([time.replace(tzinfo=UTC)], pa.timestamp("us", "UTC"))
    day = pa.array([time.date()])
    for made, step, steps in [
        ((dates.hour_sin(moment), dates.hour_cos(moment)), time.hour, 24),
        ((dates.weekday_sin(day), dates.weekday_cos(day)), time.weekday(), 7),
        ((dates.month_sin(day), dates.month_cos(day)), time.month - 1, 12),
    ]:
        angle = math.tau * step / steps
        expected = (math.sin(angle), math.cos(angle))

        assert expected == pytest.approx([m[0].as_py() for m in made], abs=1e-15)


@settings(deadline=None)
@given(st.dates(), st.dates())
def test_days_between_dates(start, end):
    """Those of a timedelta."""
    assert [(end - start).days] == dates.days_between(
        pa.array([start]), pa.array([end])
    ).to_pylist()
    assert start + timedelta(days=(end - start).days) == end


def test_limits_are_kept():
    """NumPy's clip; no limit that is one, no value."""
    value = doubles(-7, 3, 12, NAN, INF, -0.0, 5, 5, 5, None)
    low = doubles(0, 0, 0, 0, -INF, 0.0, 9, NAN, None, 0)
    high = doubles(10, 10, 10, 10, 1e9, 1, 1, 9, 9, 10)

    made = numbers.winsorise(value, low, high).to_pylist()

    assert bits([0.0, 3.0, 10.0, NAN, 1e9, -0.0, None, None, None, None]) == bits(made)
    assert np.clip([-7, 3, 12], 0, 10).tolist() == made[:3]


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False), max_size=5).map(sorted), st.floats(allow_nan=False))
def test_buckets_are_those_of_digitize(splits, value):
    """Closed on the left, for every number and any ascending splits."""
    made = numbers.bucketise(doubles(value), pa.array([splits], pa.list_(pa.float64())))

    assert [np.digitize(value, splits)] == made.to_pylist()


def test_splits_that_part_nothing_give_null():
    """Each row has its own; a bad one does not touch its neighbours."""
    splits = [[1, 2], [2, 1], [1, None], [NAN], None, [], [1, 1], [3]]
    made = numbers.bucketise(doubles(*[1.0] * 8), pa.array(splits, pa.list_(pa.float64())))

    assert [1, None, None, None, None, 0, 2, 0] == made.to_pylist()
    assert [None] == numbers.bucketise(doubles(NAN), pa.array([[1.0]])).to_pylist()


def test_signed_logarithms():
    """math.log1p with the sign, of every odd number."""
    values = [v for v in ODD["double"] if v is not None]
    expected = [math.copysign(math.log1p(abs(v)), v) for v in values]

    assert bits(expected) == bits(numbers.log1p_signed(doubles(*values)).to_pylist())


@pytest.mark.parametrize("lmbda", [0.0, 1e-12, 0.5, 1.0, 1.9999999, 2.0, 2.5, -3.0])
def test_yeo_johnson_is_scipy_s(lmbda):
    """All four branches, to 4 units in the last place: SciPy rounds elsewhere near them."""
    values = np.concatenate([np.linspace(-50, 50, 101), [1e-9, -1e-9, 1e6, -1e6]])

    made = numbers.yeo_johnson(pa.array(values), lmbda=lmbda).to_numpy()

    np.testing.assert_array_max_ulp(yeojohnson(values, lmbda), made, maxulp=4)


def test_yeo_johnson_is_scikit_learn_s():
    """With the lambda that it fitted."""
    values = np.random.default_rng(0).lognormal(size=200) - 1
    fitted = PowerTransformer(standardize=False).fit(values[:, None])

    made = numbers.yeo_johnson(pa.array(values), lmbda=float(fitted.lambdas_[0])).to_numpy()

    np.testing.assert_array_max_ulp(fitted.transform(values[:, None])[:, 0], made, maxulp=4)


def test_yeo_johnson_of_odd_numbers():
    """Too large is infinite, without a warning."""
    made = numbers.yeo_johnson(doubles(1e200, -1e200, INF, -INF, NAN, -0.0), lmbda=3.0)

    assert bits([INF, -1.0, INF, -1.0, NAN, -0.0]) == bits(made.to_pylist())


def test_buckets_of_categories_are_the_crc_s():
    """The check value of CRC-32, and zlib's for every odd text."""
    texts = [t for t in ODD["string"] if t is not None]

    check = hashing.category_bucket(pa.array(["123456789"]), buckets=2**31 - 1)
    made = hashing.category_bucket(pa.array(texts), buckets=7)

    assert [0xCBF43926 % (2**31 - 1)] == check.to_pylist()
    assert [zlib.crc32(t.encode()) % 7 for t in texts] == made.to_pylist()


@settings(deadline=None)
@given(st.lists(st.text("ab \n\u00a0é😀") | st.none(), max_size=5))
def test_bags_hold_every_token_once(texts):
    """Counted one by one; as many as `token_count` says."""
    made = hashing.hashed_bag_of_words(pa.array(texts, pa.string()), width=4).to_pylist()

    for text, bag in zip(texts, made, strict=True):
        if text is None:
            assert bag is None
        else:
            counts = Counter(zlib.crc32(word.encode()) % 4 for word in text.split())
            assert [float(counts[place]) for place in range(4)] == bag


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: numbers.yeo_johnson(doubles(1), lmbda=NAN), "lmbda is nan"),
        (lambda: geo.geohash(doubles(1), doubles(1), precision=0), "of 0 characters"),
        (lambda: geo.geohash(doubles(1), doubles(1), precision=13), "of 13 characters"),
        (lambda: hashing.category_bucket(pa.array(["a"]), buckets=0), "0 buckets"),
        (lambda: hashing.hashed_bag_of_words(pa.array(["a"]), width=0), "a width of 0"),
    ],
)
def test_an_option_that_makes_no_sense_is_an_error(call, said):
    """And says what to write."""
    with pytest.raises(InputError, match=f"{said}.*fix: .*=>"):
        call()


def test_hours_are_the_same_in_every_unit():
    """pandas gives nanoseconds, Spark microseconds, also before 1970."""
    for told in ("1969-12-31T06:30", "2024-05-06T06:30"):
        for unit in ("s", "ms", "us", "ns"):
            time = pa.array(np.array([told], "M8[s]")).cast(pa.timestamp(unit, "UTC"))
            assert [1.0] == hour_sin(time).to_pylist(), (told, unit)


def test_bags_that_would_not_fit_into_a_worker_are_refused():
    """Before any memory is taken; the fix names Spark's own setting."""
    with pytest.raises(InputError, match="maxRecordsPerBatch"):
        hashed_bag_of_words(pa.array(["a"] * 65_536), width=2**15)
