"""A few odd Arrow tables through every flavor; more with `python -m tests.parity.tables`."""

from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa
import pytest

from sparkml.errors import SignatureError
from sparkml.models.frames import frame
from sparkml.type_names import to_arrow_type
from tests.parity.table_models import CASES
from tests.parity.tables import fuzz, wrong


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)


@pytest.mark.parametrize("name", CASES)
def test_every_row_is_scored_as_its_library_does_or_says_why_not(name, tmp_path):
    """Any Arrow type, extreme values, nulls over values, slices."""
    assert fuzz(name, tmp_path, runs=30, seed=7) == []


def test_a_wrong_score_would_be_found(tmp_path):
    """The comparison is one: a model of other numbers fails it."""
    case = CASES["lightgbm"](tmp_path)
    batch = pa.record_batch({name: pa.array(np.arange(4.0)) for name in "abc"})

    assert wrong(case, batch) == ""
    native = case.native
    object.__setattr__(case, "native", lambda row: native(row) + 1e-9)
    assert wrong(case, batch).startswith("row 0: ")


def test_a_null_does_not_round_the_integers_beside_it(tmp_path):
    """Beyond 2^53 no double holds them, which is what pandas makes of a column with a gap."""
    case = CASES["pyfunc"](tmp_path)
    values = [2**53 + 1, None, 5, -(2**63), None, 2**63 - 1]
    given = {f.name: pa.nulls(6, to_arrow_type(f.type)) for f in case.spec.signature.inputs}
    batch = pa.record_batch({**given, "int64": pa.array(values)})

    told = [text.split("|")[2] for text in case.scorer(batch)["prediction"].to_pylist()]

    assert told == ["-" if value is None else str(value) for value in values]


def test_a_moment_that_64_bits_of_microseconds_do_not_hold_is_refused(tmp_path):
    """Arrow would wrap it round to another year."""
    case = CASES["pyfunc"](tmp_path)
    given = {f.name: pa.nulls(1, to_arrow_type(f.type)) for f in case.spec.signature.inputs}
    far = pa.array([2**62]).view(pa.timestamp("s"))

    last = pa.array([2**63 - 1]).view(pa.timestamp("us", "Europe/Berlin"))
    for column in (far, last):
        with pytest.raises(SignatureError, match="make it null"):
            case.scorer(pa.record_batch({**given, "timestamp_ntz": column}))


def test_a_null_in_a_list_rounds_no_integer():
    """Neither in its own row nor in another; the other rows are arrays, as ever."""
    far, low = 2**53 + 1, -(2**63)
    rows = [[far], [1, None], None, [far, None], [], [low, 5]]
    batch = pa.record_batch({"x": pa.array(rows, pa.list_(pa.int64()))})

    made = frame(batch, ["x"], missing=None)["x"].tolist()

    assert [far] == made[0].tolist()
    assert 1.0 == made[1][0]
    assert np.isnan(made[1][1])
    assert made[2] is None
    assert [far, None] == list(made[3])
    assert [[], [low, 5]] == [made[4].tolist(), made[5].tolist()]
    deep = pa.record_batch({"x": pa.array([[[far], [None]], [[1]]])})
    assert [[far], [None]] == frame(deep, ["x"], missing=None)["x"][0]
