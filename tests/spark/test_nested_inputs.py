"""Structs and maps of a table, by every way to a model."""

from __future__ import annotations

import sys

import mlflow
import pytest
import yaml
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, Map, Object, Property, Schema

from sparkml import read_spec, register_sql, score, score_udf
from sparkml.config import load_config
from sparkml.errors import SignatureError
from sparkml.spark import run as runs
from tests.quiet import Silent, quiet

pytestmark = pytest.mark.spark

ROWS = """
SELECT id, named_struct('age', CAST(id AS INT), 'more', 'm', 'tags', array('a')) AS who,
    map('a', CAST(id AS FLOAT), 'b', 2F) AS counts, 0.5D AS x
FROM range(3)
UNION ALL SELECT 3, NULL, map(), 1D
"""
EXPECTED = [0.5, 2.5, 4.5, None]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A model that adds a struct's age, a map's `a` and a number."""
    folder = tmp_path_factory.mktemp("model") / "m"
    with quiet():

        class Sums(mlflow.pyfunc.PythonModel):
            def predict(self, context, model_input, params=None):
                rows = zip(model_input["who"], model_input["counts"], model_input["x"], strict=True)
                return [who["age"] + counts["a"] + x for who, counts, x in rows]

        who = Object([Property("age", "long"), Property("nick", "string", required=False)])
        signature = ModelSignature(
            inputs=Schema(
                [ColSpec(who, "who"), ColSpec(Map("double"), "counts"), ColSpec("double", "x")]
            ),
            outputs=Schema([ColSpec("double")]),
        )
        mlflow.pyfunc.save_model(
            str(folder), python_model=Sums(), pip_requirements=[], signature=signature
        )
    return str(folder)


def test_every_way_gives_the_same(path, spark, tmp_path, monkeypatch):
    """`score`, `score_udf`, SQL and the job; a null struct is a row's error."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    df = spark.sql(ROWS)
    spec = read_spec(path, name="m")
    register_sql(spark, "sums", spec)
    who = "IF(who IS NULL, NULL, named_struct('age', who.age, 'nick', ''))"  # SQL: as declared
    sql = f"SELECT id, sums(who => {who}, counts => counts, x => x) AS m FROM {{df}}"
    ways = {
        "score": score(df, spec, key="id", keep=[]),
        "udf": df.select("id", score_udf(spec)().alias("m")),
        "sql": spark.sql(sql, df=df),
    }
    for name, way in ways.items():
        rows = way.orderBy("id").collect()
        assert [row.m.prediction for row in rows] == EXPECTED, name

    df.write.parquet(str(tmp_path / "rows"))
    types = "who: struct<age: long, nick: string?>, counts: map<string, double>, x: double"
    config = {
        "models": {"m": {"uri": path, "signature": f"{types} -> prediction: double"}},
        "source": {"format": "parquet", "path": str(tmp_path / "rows")},
        "sink": {"format": "delta", "path": str(tmp_path / "scores")},
        "key": ["id"],
        "max_quarantine": 0.25,
    }
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(config))
    outcome = runs.run(load_config(str(tmp_path / "job.yaml"), env={}), report=Silent())
    assert (outcome.rows, outcome.quarantined) == (4, 1)
    stored = spark.read.format("delta").load(outcome.table).orderBy("id").collect()
    assert [row.m.prediction for row in stored] == EXPECTED
    assert stored[3].error.code == "NULL_INPUT"


def test_a_struct_without_a_field_is_refused_with_advice_that_holds(path, spark):
    """Before any task; what the advice tells to make is then taken."""
    df = spark.sql(
        "SELECT 1 AS id, named_struct('years', 3) AS who, map('a', 1D) AS counts, 1D AS x"
    )
    spec = read_spec(path, name="m")

    with pytest.raises(SignatureError, match="'who' is struct<years: int32") as refused:
        score(df, spec)

    assert "STRUCT<`age`: BIGINT, `nick`: STRING>" in refused.value.fix
    mended = df.selectExpr("id", "named_struct('age', who.years) AS who", "counts", "x")
    assert score(mended, spec).first().m.prediction == 5.0
