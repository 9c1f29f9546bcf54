"""Wide tables: what follows from a schema alone is decided once, not once a batch."""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa
import pytest

from sparkml import binding
from sparkml.arrow import matrix
from sparkml.binding import Selection, bind
from sparkml.errors import SignatureError
from sparkml.models.flavors.sklearn_signature import order_of
from sparkml.scoring.scorer import Scorer
from sparkml.spec import Field, ModelSpec, Signature

WIDE, DOUBLE = 2_000, pa.float64()
NAMES = [f"feature_{i:04d}" for i in range(WIDE)]
SIGNATURE = Signature(inputs=tuple(Field(name=n, type="double") for n in NAMES))


class Sum:
    """A model of one's own: the sum of its features."""

    takes_nan = False

    def predict(self, batch: pa.RecordBatch) -> list[pa.Array]:
        return [pa.array(matrix(batch).sum(axis=1))]


def spec() -> ModelSpec:
    """A spec for `Sum`."""
    signature = Signature(
        inputs=SIGNATURE.inputs, outputs=(Field(name="prediction", type="double"),)
    )
    return ModelSpec(
        name="m", version="1", uri="m", flavor="own", digest="0" * 64, signature=signature
    )


def batch(dtype: pa.DataType = DOUBLE, rows: int = 50, **others: pa.Array) -> pa.RecordBatch:
    """A wide batch of whole numbers, with further columns."""
    values = np.arange(rows * WIDE).reshape(WIDE, rows) % 7
    columns = {n: pa.array(values[i], pa.int64()).cast(dtype) for i, n in enumerate(NAMES)}
    return pa.record_batch({**columns, **others})


def test_the_columns_are_bound_once_for_batches_of_one_schema(monkeypatch):
    """The second batch of a schema asks nothing of it; another schema is looked at anew."""
    calls = []
    monkeypatch.setattr(binding, "bind", lambda *a, **k: calls.append(1) or bind(*a, **k))
    select = Selection(SIGNATURE, where="here")
    keyed = batch(id=pa.array(range(50)))

    first, second = select(keyed), select(keyed.slice(10))

    assert len(calls) == 1
    assert first.slice(10) == second
    assert first.schema == select.schema
    assert select(batch(pa.float32())).column(3) == first.column(3)
    assert len(calls) == 2
    with pytest.raises(SignatureError, match="feature_0000"):
        select(keyed.drop_columns(["feature_0000"]))
    assert select(keyed) == first


@pytest.mark.parametrize("others", [{}, {"id": pa.array(range(50))}])
@pytest.mark.parametrize("dtype", [pa.float64(), pa.float32(), pa.int32()])
def test_a_wide_batch_is_scored_whatever_stands_beside_it(dtype, others):
    """The sums of the very numbers, with and without a key."""
    scorer = Scorer(spec(), Sum())
    given = batch(dtype, **others)

    scores = scorer(given).column("prediction").to_pylist()

    assert scores == matrix(given.select(NAMES)).sum(axis=1).tolist()


def test_one_more_column_costs_about_what_the_exact_ones_cost():
    """Not the square of them; and thousands of missing columns are told in a moment."""
    scorer = Scorer(spec(), Sum())
    exact, keyed = batch(), batch(id=pa.array(range(50)))

    def seconds(given: pa.RecordBatch) -> float:
        scorer(given)
        taken = []
        for _ in range(5):
            started = time.process_time()
            scorer(given)
            taken.append(time.process_time() - started)
        return min(taken)

    assert seconds(keyed) < 3 * seconds(exact) + 0.02
    started = time.process_time()
    with pytest.raises(SignatureError, match="2000 columns are missing"):
        bind(pa.schema([(n.upper(), pa.float64()) for n in NAMES]), SIGNATURE, where="here")
    assert time.process_time() - started < 10


def test_columns_of_other_names_are_met_by_place_in_a_moment():
    """Not in the square of their number, which each opening of the model would cost."""
    started = time.process_time()
    assert order_of(NAMES, [f"x{i}" for i in range(WIDE)], where="here") == list(range(WIDE))
    assert time.process_time() - started < 1
