"""Fitted encodings: the formulas, nulls and unseen categories, JSON, and what is refused."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import TargetEncoder

from sparkml.errors import InputError
from sparkml.features.encoders import Encoding, fit_encoding

CITIES = pa.array(["A", "A", "A", "B", "B", None, "C"])
LATE = pa.array([1, 1, 0, 0, 1, 0, 0])
CATEGORIES = st.lists(st.none() | st.text(max_size=2), min_size=1, max_size=60)


def test_a_target_encoding_is_drawn_towards_the_mean():
    """(n mean_c + s mean) / (n + s), by hand."""
    mean = 3 / 7

    got = fit_encoding("target", CITIES, LATE, smoothing=2, column="city")

    expected = {
        "A": (2 + 2 * mean) / 5, "B": (1 + 2 * mean) / 4, "C": (0 + 2 * mean) / 3
    }  # fmt: skip
    assert expected == got.mapping
    assert (mean, (0 + 2 * mean) / 3, "city") == (got.default, got.null, got.column)


@pytest.mark.parametrize("smoothing", [0.0, 1.0, 25.5])
def test_a_target_encoding_is_scikit_learn_s(smoothing):
    """`TargetEncoder` with a fixed smoothing, fitted and applied without cross-fitting."""
    rng = np.random.default_rng(0)
    letters = rng.choice(list("abcdefgh"), 500)
    values = rng.normal(size=500)
    theirs = TargetEncoder(smooth=smoothing, target_type="continuous").fit(letters[:, None], values)
    asked = np.array(["a", "h", "unseen"])

    ours = fit_encoding("target", pa.array(letters), pa.array(values), smoothing=smoothing)

    expected = theirs.transform(asked[:, None])[:, 0]
    np.testing.assert_allclose(ours.apply(pa.array(asked)).to_numpy(), expected, rtol=1e-12)


def test_a_count_is_a_count():
    """Of rows; what was not seen has 0; no target is needed."""
    got = fit_encoding("count", CITIES)

    assert {"A": 3.0, "B": 2.0, "C": 1.0} == got.mapping
    assert (0.0, 1.0) == (got.default, got.null)


def test_the_weight_of_evidence_is_a_difference_of_logarithms():
    """By hand, smoothed by a half over four categories (null is one)."""
    got = fit_encoding("woe", CITIES, pa.array([v == 1 for v in LATE.to_pylist()]))

    weight = math.log((2 + 0.5) / (3 + 2)) - math.log((1 + 0.5) / (4 + 2))
    assert weight == pytest.approx(got.mapping["A"], rel=1e-15)
    assert 0.0 == got.default
    assert got.null == got.mapping["C"] < 0 < got.mapping["A"]


def test_a_null_that_was_never_seen_is_as_unseen_as_any():
    """It has the default."""
    got = fit_encoding("target", pa.array(["A", "B"]), pa.array([0.0, 1.0]))

    assert 0.5 == got.default == got.null


@settings(deadline=None)
@given(CATEGORIES, st.data())
def test_the_mean_of_an_unsmoothed_encoding_is_the_mean_of_the_target(categories, data):
    """Each row stands for its category's mean."""
    target = data.draw(
        st.lists(st.integers(0, 1), min_size=len(categories), max_size=len(categories))
    )
    column = pa.array(categories, pa.string())

    encoded = fit_encoding("target", column, pa.array(target), smoothing=0).apply(column)

    assert np.mean(target) == pytest.approx(np.mean(encoded.to_numpy()), abs=1e-12)


@settings(deadline=None)
@given(CATEGORIES, st.data())
def test_the_order_of_rows_and_batches_makes_no_difference(categories, data):
    """Shuffled, or in one chunk or many: an equal encoding; applied in slices: equal numbers."""
    column = pa.array(categories, pa.string())
    other = pa.array(data.draw(st.permutations(categories)), pa.string())

    one = fit_encoding("count", column)

    assert one == fit_encoding("count", other)
    assert one == fit_encoding("count", pa.chunked_array([column[:3], column[3:]]))
    assert one.apply(column).to_pylist()[3:] == one.apply(column[3:]).to_pylist()


@settings(deadline=None)
@given(
    st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False)), st.floats(-1, 1)
)
def test_json_keeps_every_bit(mapping, default):
    """Of any category and any double."""
    encoding = Encoding(kind="target", column="ü", mapping=mapping, default=default, null=-0.0)

    assert encoding == Encoding.from_json(encoding.to_json())


def test_a_file_keeps_an_encoding(tmp_path):
    """Written, replaced and read back."""
    address = str(tmp_path / "city.json")
    fit_encoding("count", CITIES).write(address)
    fit_encoding("woe", CITIES, LATE).write(f"file:{address}")

    assert fit_encoding("woe", CITIES, LATE) == Encoding.read(address)


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "{}", '{"kind": "woe"}',
        '{"kind": "wow", "column": "a", "mapping": {}, "default": 0.0, "null": 0.0}',
        '{"kind": "woe", "column": "a", "mapping": {"x": NaN}, "default": 0.0, "null": 0.0}',
        '{"kind": "woe", "column": "a", "mapping": {"x": "1"}, "default": 0.0, "null": 0.0}',
        '{"kind": "woe", "column": "a", "mapping": [], "default": 0.0, "null": 0.0}',
        '{"kind": "woe", "column": "a", "mapping": {}, "default": 0.0, "null": 0.0, "more": 1}',
    ],
)  # fmt: skip
def test_a_file_that_is_no_encoding_is_refused(text):
    """Whatever is wrong with it, and never a silent number."""
    with pytest.raises(InputError):
        Encoding.from_json(text)


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (pa.array([7, None, -1], pa.int8()), ["7", None, "-1"]),
        (pa.array([True, False, None]), ["true", "false", None]),
        (pa.array([dt.date(2026, 1, 31)]), ["2026-01-31"]),
        (pa.array(["a", "b"], pa.large_string()), ["a", "b"]),
        (pa.nulls(2), [None, None]),
    ],
)
def test_categories_other_than_text_go_by_their_text(column, texts):
    """Fitted on one and applied to the other, they meet."""
    assert fit_encoding("count", column) == fit_encoding("count", pa.array(texts, pa.string()))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("targte", CITIES, LATE), "did you mean 'target'"),
        (("target", CITIES), "target of type None"),
        (("woe", CITIES, pa.array(["yes"] * 7)), "target of type string"),
        (("target", CITIES, pa.nulls(7)), "target of type null"),
        (("target", CITIES, LATE[:3]), "7 categories, 3 targets"),
        (
            ("target", CITIES, pa.array([1.0, None, math.nan, math.inf, 0, 0, 0])),
            "3 rows have a target",
        ),
        (
            ("woe", CITIES, pa.array([0, 1, 2, 0, 1, 0, 1])),
            "1 rows have a target that is not 0 or 1",
        ),
        (("count", pa.array([1.5])), "categories of type double"),
        (("count", CITIES[:0]), "no rows"),
    ],
)
def test_what_cannot_be_fitted_is_refused(arguments, said):
    """With what is wrong, and the column."""
    with pytest.raises(InputError, match=said):
        fit_encoding(*arguments)


def test_an_infinite_weight_and_a_negative_smoothing_are_refused():
    """With what to do instead."""
    with pytest.raises(InputError, match=r"'C' has only one of the two.*smoothing=0\.5"):
        fit_encoding("woe", CITIES, LATE, smoothing=0)
    with pytest.raises(InputError, match="smoothing is -1"):
        fit_encoding("target", CITIES, LATE, smoothing=-1)


def test_an_encoding_is_not_applied_to_what_it_could_not_know():
    """Doubles have no text that all engines agree on."""
    with pytest.raises(InputError, match="categories of type double"):
        fit_encoding("count", CITIES).apply(pa.array([1.0]))
