"""Spark ML pipelines that only transform: what they make is what they give."""

from __future__ import annotations

import pytest
from pyspark.ml import Pipeline
from pyspark.ml.feature import (
    PCA,
    Binarizer,
    MinHashLSH,
    SQLTransformer,
    StandardScaler,
    StringIndexer,
    Tokenizer,
    VectorAssembler,
)
from pyspark.sql import functions as F  # noqa: N812

from sparkml import Field, Signature, read_spec, score
from sparkml.errors import SignatureError
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


def test_a_binarizer_makes_what_it_takes(rows, tmp_path):
    """Of a vector a vector, of a number a number: of the table, or of a stage before it."""
    stages = [
        VectorAssembler(inputCols=["a", "b"], outputCol="both"),
        Binarizer(inputCol="both", outputCol="above"),
        Binarizer(inputCols=["a", "b"], outputCols=["x", "y"], thresholds=[0.0, 1.0]),
    ]
    path = str(tmp_path / "m")
    model = stored(Pipeline(stages=stages).fit(rows), path)
    spec = read_spec(path, name="made")
    assert [f.type for f in spec.signature.outputs] == ["list<double>", "double", "double"]
    got = [tuple(row.made) for row in score(rows, spec, keep=[]).collect()]
    assert got == native(model, rows, "above", "x", "y")

    lone = stored(stages[1], str(tmp_path / "lone"))
    vectors = model.transform(rows).select("both")
    columns = Signature(inputs=(Field(name="both", type="list<double>", length=2),))
    spec = read_spec(str(tmp_path / "lone"), name="made", signature=columns)
    got = [tuple(row.made) for row in score(vectors, spec, keep=[]).collect()]
    assert got == native(lone, vectors, "above")


def test_an_output_of_another_type_than_the_stage_s_is_refused(rows, tmp_path):
    """A list where a number is made, a number where a vector is, a column that nobody makes."""
    stages = [
        VectorAssembler(inputCols=["a", "b"], outputCol="both"),
        SQLTransformer(statement="SELECT *, a + b AS total FROM __THIS__"),
    ]
    path = str(tmp_path / "m")
    stored(Pipeline(stages=stages).fit(rows), path)
    inputs = (Field(name="a", type="double"), Field(name="b", type="double"))
    for name, dtype, right in (
        ("total", "list<double>", "double"),
        ("both", "double", "list<double>"),
        ("sum", "double", None),
    ):
        given = Signature(inputs=inputs, outputs=(Field(name=name, type=dtype),))
        with pytest.raises(SignatureError, match=f"the output '{name}' is no {dtype}"):
            score(rows, read_spec(path, name="made", signature=given), keep=[])
        if right:  # followed, the advice gives a model that scores
            given = Signature(inputs=inputs, outputs=(Field(name=name, type=right),))
            assert score(rows, read_spec(path, name="made", signature=given), keep=[]).count() == 60


def test_the_hashes_of_an_lsh_model_are_lists_of_lists(rows, tmp_path):
    """Declared, since its class does not tell; each hash is a vector of one number."""
    lsh = MinHashLSH(inputCol="both", outputCol="hashes", numHashTables=2, seed=1)
    stages = [
        Binarizer(inputCols=["a", "b"], outputCols=["x", "y"], thresholds=[-9.0, 0.0]),
        VectorAssembler(inputCols=["x", "y"], outputCol="both"),
        lsh,
    ]
    path = str(tmp_path / "m")
    model = stored(Pipeline(stages=stages).fit(rows), path)
    given = Signature(inputs=(), outputs=(Field(name="hashes", type="list<list<double>>"),))
    spec = read_spec(path, name="made", signature=given)
    got = [row.made.hashes for row in score(rows, spec, keep=[]).collect()]
    theirs = model.transform(rows).select("hashes").collect()
    assert got == [[plain(hashed) for hashed in row.hashes] for row in theirs]
