"""The rehearsal of odd rows: which rows there are, and what becomes of what they do."""

from __future__ import annotations

import math
import time

import pyarrow as pa
import pytest

from sparkml.models.rehearsal import ALONE, odd_rows, rehearse
from sparkml.spec import Field

INPUTS = (
    Field(name="x", type="double"),
    Field(name="city", type="string"),
    Field(name="count", type="int32"),
    Field(name="owner", type="bool"),
    Field(name="v", type="list<float>", length=4),
)


def test_rows_are_at_the_ends_of_their_types_with_seen_and_unseen_texts():
    """Each value in a row that is given alone, where there are so few."""
    rows = odd_rows(INPUTS, {"city": pa.array(["Ulm"])})
    alone = rows.slice(0, ALONE).to_pydict()
    assert {math.inf, -math.inf, 1e308, 0.0} <= {*alone["x"]}
    assert any(math.isnan(x) for x in alone["x"])
    assert {"Ulm", "", None} <= {*alone["city"]}
    assert {2**31 - 1, -(2**31), None} <= {*alone["count"]}
    assert {True, False, None} == {*alone["owner"]}
    assert all(len(v) == 4 for v in alone["v"])


def test_an_error_is_an_answer_and_too_little_memory_is_none():
    """A row's error stays a row's; what memory cannot hold is the model's fault."""
    asked = []

    def refuses(batch):
        asked.append(batch.num_rows)
        raise ValueError("no such row")

    rehearse(refuses, INPUTS, {})
    assert {1} < {*asked}

    def needs(batch):
        raise RuntimeError("std::bad_alloc")

    with pytest.raises(MemoryError, match="bad_alloc"):
        rehearse(needs, INPUTS, {})


def test_it_is_short():
    """For a slow model a call or two, for a wide one few rows."""
    asked = []

    def slow(batch):
        asked.append(batch.num_rows)
        end = time.process_time() + 0.1
        while time.process_time() < end:
            pass
        return [1]

    rehearse(slow, INPUTS, {})
    assert asked == [1, 1]
    assert odd_rows((Field(name="v", type="list<double>", length=2**20),), {}).num_rows == 4
