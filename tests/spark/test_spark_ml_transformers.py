"""Spark ML pipelines that only transform: what they make is what they give."""

from __future__ import annotations

import pytest
from pyspark.ml import Pipeline
from pyspark.ml.feature import (
    PCA,
    SQLTransformer,
    StandardScaler,
    StringIndexer,
    Tokenizer,
    VectorAssembler,
)
from pyspark.sql import functions as F  # noqa: N812

from sparkml import Field, Signature, read_spec, score
from tests.models import stored, table

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def rows(spark):
    """Two numbers and two texts."""
    x = table(60)
    x["c"] = ["x" if a > 0 else "y" for a in x["a"]]
    x["said"] = [f"Row {i} says" for i in range(60)]
    return spark.createDataFrame(x).coalesce(1).cache()


@pytest.fixture(scope="module")
def pipe(rows, tmp_path_factory):
    """An assembler, what follows on it, an indexer and a tokenizer; and their folder."""
    stages = [
        VectorAssembler(inputCols=["a", "b"], outputCol="both"),
        StandardScaler(inputCol="both", outputCol="scaled", withMean=True),
        PCA(k=1, inputCol="scaled", outputCol="main"),
        StringIndexer(inputCols=["c"], outputCols=["ci"]),
        Tokenizer(inputCol="said", outputCol="words"),
    ]
    path = str(tmp_path_factory.mktemp("pipe") / "m")
    return stored(Pipeline(stages=stages).fit(rows), path), path


def plain(value):
    return value.toArray().tolist() if hasattr(value, "toArray") else value


def native(model, df, *names):
    made = model.transform(df).select(*names).collect()
    return [tuple(plain(value) for value in row) for row in made]


def test_the_last_columns_are_the_outputs_to_the_last_bit(rows, pipe):
    """Vectors as lists; by `score`, where no row goes to Python."""
    model, path = pipe
    spec = read_spec(path, name="made")
    made = score(rows, spec, keep=[])
    assert made.schema["made"].dataType.simpleString() == (
        "struct<main:array<double>,ci:double,words:array<string>>"
    )
    got = [tuple(row.made) for row in made.collect()]
    assert got == native(model, rows, "main", "ci", "words")
    assert made.where("error IS NOT NULL").count() == 0


def test_a_column_in_between_is_given_when_it_is_named(rows, pipe):
    """And stages that it does not need are not applied."""
    model, path = pipe
    spec = read_spec(path, name="made", outputs=["scaled", "both"])
    got = [tuple(row.made) for row in score(rows, spec, keep=[]).collect()]
    assert got == native(model, rows, "scaled", "both")


def test_a_row_that_a_stage_refuses_has_no_outputs_and_an_error(rows, pipe):
    """An unseen label, and a null among the assembled; the others keep theirs."""
    _, path = pipe
    odd = rows.limit(3).withColumn("id", F.monotonically_increasing_id())
    odd = odd.withColumn("c", F.expr("if(id = 0, 'unseen', c)"))
    odd = odd.withColumn("a", F.expr("if(id = 1, null, a)"))
    spec = read_spec(path, name="made", nulls="model")
    made = score(odd, spec, key="id", keep=[]).orderBy("id").collect()
    assert [row.error and row.error.code for row in made] == ["MODEL_EXCEPTION"] * 2 + [None]
    assert [row.made.main is None for row in made] == [True, True, False]
    assert [row.made.words is None for row in made] == [True, True, False]


def test_a_single_fitted_stage_and_a_declared_sql_stage_are_models_too(rows, tmp_path):
    """What SQL makes is declared."""
    indexer = StringIndexer(inputCol="c", outputCol="ci").fit(rows)
    indexer = stored(indexer, str(tmp_path / "i"))
    made = score(rows, read_spec(str(tmp_path / "i"), name="made"), keep=[])
    assert [tuple(row.made) for row in made.collect()] == native(indexer, rows, "ci")

    SQLTransformer(statement="SELECT *, a + b AS total FROM __THIS__").save(str(tmp_path / "q"))
    given = Signature(
        inputs=(Field(name="a", type="double"), Field(name="b", type="double")),
        outputs=(Field(name="total", type="double"),),
    )
    spec = read_spec(str(tmp_path / "q"), name="made", signature=given)
    total = [row.total for row in rows.selectExpr("a + b AS total").collect()]
    assert [row.made.total for row in score(rows, spec, keep=[]).collect()] == total
