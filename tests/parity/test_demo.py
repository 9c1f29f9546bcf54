"""The demo's models give scikit-learn's own numbers, batch by batch and through the whole job."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparkml import load_scorer, read_spec
from sparkml.config import load_config
from sparkml.spark import run as runs
from sparkml.testing import THROUGH_BLAS, check_scorer
from tests.quiet import Silent

ROOT = Path(__file__).parents[2]
TOLERANCE = {"wine": 0.0, "breast_cancer": 0.0, "digits": THROUGH_BLAS}
"""libsvm and trees: the same bits. Logistic regression sums through BLAS."""


@pytest.fixture(scope="module", params=TOLERANCE)
def case(request, demo):
    """A model's name, the fitted model, its features and a live scorer of its version."""
    trained, uri = demo
    one = trained[request.param]
    scorer = load_scorer(read_spec(f"models:/{one.name}@champion", tracking_uri=uri))
    return one.name, one.model, one.features, scorer


@given(data=st.data())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_batch_of_any_rows_scores_as_in_one_process(case, data):
    """Rows drawn, repeated and disturbed by Hypothesis; labels equal, probabilities as promised."""
    name, model, features, scorer = case
    rows = data.draw(st.lists(st.integers(0, len(features) - 1), min_size=1, max_size=40))
    scale = data.draw(st.sampled_from([1.0, -1.0, 0.0, 1e-3, 1e3, 1e9]))
    x = features.iloc[rows] * scale

    scores = scorer(pa.RecordBatch.from_pandas(x, preserve_index=False))

    assert scores.column(2).null_count == len(rows)
    assert model.predict(x).tolist() == scores.column(0).to_pylist()
    got = np.array(scores.column(1).to_pylist())
    # A softmax magnifies the rounding of its sums by their size.
    rtol = TOLERANCE[name] * max(1.0, abs(scale))
    np.testing.assert_allclose(got, model.predict_proba(x), rtol=rtol, atol=0)


def test_the_laws_hold(case):
    """Rows kept, order kept, any batching, nulls as declared, equal to the library."""
    name, model, features, scorer = case
    x = features.head(24)

    check_scorer(
        scorer,
        pa.RecordBatch.from_pandas(x, preserve_index=False),
        expected={"prediction": model.predict(x), "probability": model.predict_proba(x)},
        rtol=TOLERANCE[name],
    )


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_what_the_library_refuses_is_set_aside_and_the_rest_is_right(case, hole):
    """These models take neither NaN nor infinities: such a row gets an error, not a number."""
    _, model, features, scorer = case
    x = features.head(9).copy()
    x.iloc[4, 0] = hole
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        model.predict(x)

    scores = scorer(pa.RecordBatch.from_pandas(x, preserve_index=False, nthreads=1))

    others = [i for i in range(9) if i != 4]
    assert [4] == [i for i, e in enumerate(scores.column(2).to_pylist()) if e]
    assert scores.column(0)[4].as_py() is None
    assert model.predict(x.iloc[others]).tolist() == scores.column(0).take(others).to_pylist()


@pytest.mark.spark
@pytest.mark.parametrize("name", TOLERANCE)
def test_the_shipped_configuration_writes_the_library_s_scores(spark, demo, tmp_path, name):
    """`conf/score.<name>.yaml`, with its paths moved here: every row, the same numbers."""
    trained, uri = demo
    one = trained[name]
    table = one.features.copy()
    table.insert(0, "id", range(len(table)))
    writer = spark.createDataFrame(table).write.format("delta")
    writer.option("delta.columnMapping.mode", "name").save(str(tmp_path / "table"))
    moved = {
        "registry.tracking_uri": uri,
        "source.path": tmp_path / "table",
        "sink.path": tmp_path / "scores",
        "result": tmp_path / "result.json",
    }
    sets = [f"{key}={value}" for key, value in moved.items()]

    outcome = runs.run(load_config(ROOT / f"conf/score.{name}.yaml", sets=sets), report=Silent())

    stored = spark.read.format("delta").load(outcome.table).orderBy("id").collect()
    assert list(range(len(table))) == [r.id for r in stored]
    assert one.model.predict(one.features).tolist() == [r[name].prediction for r in stored]
    np.testing.assert_allclose(
        [r[name].probability for r in stored],
        one.model.predict_proba(one.features),
        rtol=TOLERANCE[name],
        atol=0,
    )
    assert all(r.error is None for r in stored)
