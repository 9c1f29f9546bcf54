"""Tables that are odd and not wrong: nulls all the way down, and partitions without a row."""

from __future__ import annotations

import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from sparkml import score
from tests.models import save, table

pytestmark = pytest.mark.spark
X = table(200)
Y = X["a"] > X["b"]


def test_a_column_of_nulls_is_each_row_s_own_trouble(spark, tmp_path):
    """A model that takes no nulls sets every row aside; the schema is the one of other tables."""
    spec = save(LogisticRegression().fit(X, Y), tmp_path, name="model")
    df = spark.range(5).selectExpr("id", "CAST(NULL AS DOUBLE) AS a", "1.0D AS b")
    scored = score(df, spec, key="id", keep=[])
    whole = score(
        spark.range(1).selectExpr("id", "1.0D AS a", "1.0D AS b"), spec, key="id", keep=[]
    )
    assert whole.schema["model"] == scored.schema["model"]
    rows = scored.collect()
    assert ["NULL_INPUT"] * 5 == [row["error"]["code"] for row in rows]
    assert {"a"} == {row["error"]["column"] for row in rows}
    assert {None} == {row["model"]["prediction"] for row in rows}


def test_a_column_of_nulls_reaches_a_model_that_takes_them(spark, tmp_path):
    """The scores are those of the library for NaN."""
    model = HistGradientBoostingClassifier(max_iter=5).fit(X, Y)
    spec = save(model, tmp_path, name="model")
    df = spark.range(5).selectExpr("id", "CAST(NULL AS DOUBLE) AS a", "1.0D AS b")
    rows = score(df, spec, key="id", keep=[]).collect()
    expected = model.predict(X.head(5).assign(a=float("nan"), b=1.0)).tolist()
    assert expected == [row["model"]["prediction"] for row in rows]
    assert {None} == {row["error"] for row in rows}


def test_partitions_without_a_row_are_fine(spark, tmp_path):
    """Most tasks get nothing, and one filter leaves a batch of no rows."""
    model = LogisticRegression().fit(X, Y)
    spec = save(model, tmp_path, name="model")
    df = spark.createDataFrame(X.assign(id=range(len(X)))).repartition(8).where("id IN (3, 150)")
    rows = score(df, spec, key="id", keep=[]).orderBy("id").collect()
    assert [3, 150] == [row["id"] for row in rows]
    expected = model.predict(X.iloc[[3, 150]]).tolist()
    assert expected == [row["model"]["prediction"] for row in rows]
