"""Margin, leaves and named contributions on their way through Spark, Delta and Parquet."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.linear_model import LogisticRegression

from sparkml import read_spec, score
from sparkml.config import load_config
from sparkml.spark.run import run
from tests.models import save
from tests.quiet import Silent

pytestmark = pytest.mark.spark

ASKED = ("prediction", "probability", "margin", "leaf", "contributions")
NAMES = ["age", "in come", "score (z)"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Three classes of an XGBoost booster whose features have spaces and brackets, its file."""
    x = pd.DataFrame(np.random.default_rng(0).normal(size=(120, 3)), columns=NAMES)
    labels = pd.qcut(x["age"] + x["in come"], 3, labels=False)
    params = {"objective": "multi:softprob", "num_class": 3, "max_depth": 2, "nthread": 1}
    booster = xgboost.train(params, xgboost.DMatrix(x, labels), 3)
    path = tmp_path_factory.mktemp("model") / "model.ubj"
    booster.save_model(path)
    return booster, str(path), x


def expected(booster, x):
    """What the library gives, as the rows of the output's column."""
    rows = xgboost.DMatrix(x)
    chances = booster.predict(rows)
    shap = booster.predict(rows, pred_contribs=True).tolist()
    named = [*NAMES, "expected_value"]
    columns = {
        "prediction": chances.argmax(axis=1).tolist(),
        "probability": chances.tolist(),
        "margin": booster.predict(rows, output_margin=True).tolist(),
        "leaf": booster.predict(rows, pred_leaf=True).astype(int).tolist(),
        "contributions": [[dict(zip(named, c, strict=True)) for c in row] for row in shap],
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def by_id(rows):
    return [r["m"].asDict(recursive=True) for r in sorted(rows, key=lambda r: r["id"])]


def test_score_gives_them_under_their_names(spark, model):
    """A struct with the asked fields in the asked order; a null row is a null field each."""
    booster, path, x = model
    spec = read_spec(path, name="m", outputs=ASKED, nulls="quarantine")
    df = spark.createDataFrame(x.assign(id=range(len(x))))
    scored = score(df, spec, key="id", keep=[])

    kind = scored.schema["m"].dataType
    assert list(ASKED) == kind.fieldNames()
    assert [*NAMES, "expected_value"] == kind["contributions"].dataType.elementType.fieldNames()
    assert expected(booster, x) == by_id(scored.collect())

    holed = spark.createDataFrame(
        [(1, None, 0.0, 0.0)], "id int, " + ", ".join(f"`{n}` double" for n in NAMES)
    )
    (row,) = score(holed, spec, key="id").collect()
    assert dict.fromkeys(ASKED) == row["m"].asDict(recursive=True)
    assert row["error"]["code"] == "NULL_INPUT"


@pytest.mark.parametrize("sink", ["delta", "parquet"])
def test_a_job_writes_them_and_both_engines_read_them(spark, model, sink, tmp_path):
    """`outputs` in the config; the sink's table holds what the library gives."""
    booster, path, x = model
    source, target = tmp_path / "source.parquet", tmp_path / "target"
    x.assign(id=range(len(x))).to_parquet(source)
    # Without it Delta has no names with spaces and brackets, and the job says so before it starts.
    mapping = ", column_mapping: name" if sink == "delta" else ""
    config = tmp_path / "job.yaml"
    config.write_text(
        f"""models:
  m: {{uri: {path}, outputs: [{", ".join(ASKED)}]}}
source: {{format: parquet, path: {source}}}
key: id
sink: {{format: {sink}, path: {target}{mapping}}}
""",
        encoding="utf-8",
    )
    outcome = run(load_config(config), report=Silent())
    assert (outcome.rows, outcome.quarantined) == (len(x), 0)
    rows = spark.read.format(sink).load(str(target)).collect()
    assert expected(booster, x) == by_id(rows)


def test_a_linear_model_s_contributions_are_columns_to_select(spark, tmp_path):
    """SQL reaches a feature's part by its name."""
    x = pd.DataFrame(np.random.default_rng(1).normal(size=(60, 2)), columns=["a", "b.c"])
    linear = LogisticRegression().fit(x, x["a"] > 0)
    spec = save(linear, tmp_path, name="m", outputs=("margin", "contributions"))
    scored = score(spark.createDataFrame(x), spec)
    parts = "m.contributions.a + m.contributions.`b.c` + m.contributions.expected_value"
    rows = scored.selectExpr(
        f"{parts} AS total", "m.margin AS margin", "m.contributions.a"
    ).collect()
    np.testing.assert_allclose([r.total for r in rows], [r.margin for r in rows], rtol=1e-9)
    np.testing.assert_allclose([r.a for r in rows], x["a"] * linear.coef_[0][0], rtol=1e-12)
