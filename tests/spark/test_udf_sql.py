"""A model as a column function and as a SQL function: names decide, never positions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pyspark.errors import AnalysisException, PySparkException
from pyspark.ml.linalg import Vectors
from pyspark.sql import functions as F  # noqa: N812
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sparkml import Field, Signature, register_sql, score, score_udf
from sparkml.errors import SignatureError, SignatureUnknown
from sparkml.spark._versions import has_arrow_udf
from tests.models import rows_of, save, table

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def forest(tmp_path_factory):
    """A forest whose two features weigh differently, and its spec."""
    x = table(200)
    model = RandomForestClassifier(n_estimators=5, random_state=0)
    model.fit(x, np.where(x["a"] > 2 * x["b"], "up", "down"))
    return model, save(model, tmp_path_factory.mktemp("forest"), name="forest", nulls="quarantine")


@pytest.fixture(scope="module")
def rows(spark):
    """The table as a DataFrame, with its pandas twin."""
    x = table(60, seed=5)
    return spark.createDataFrame(x), x


def test_a_column_function_takes_features_by_name_in_any_order(spark, forest, rows):
    """No names, all names in a wrong order, and renamed columns all give the same labels."""
    model, spec = forest
    df, x = rows
    udf = score_udf(spec, spark=spark)
    renamed = df.withColumnRenamed("b", "bee")

    calls = [
        df.select(udf().alias("s")),
        df.select(udf("b", "a").alias("s")),
        renamed.select(udf("a", b="bee").alias("s")),
        renamed.select(udf(b=F.col("bee") * 1, a=F.col("a")).alias("s")),
    ]

    for call in calls:
        assert model.predict(x).tolist() == [r.s.prediction for r in call.collect()]


def test_a_model_without_names_takes_columns_in_its_own_order(spark, rows, tmp_path):
    """It was trained on an array: there are no names to go by. A wrong number is refused."""
    df, x = rows
    array = x[["b", "a"]].to_numpy()
    model = RandomForestClassifier(n_estimators=5, random_state=0).fit(array, x["a"] > 2 * x["b"])
    udf = score_udf(save(model, tmp_path, name="array"), spark=spark)
    made = df.withColumn("a", F.col("a").cast("decimal(20,16)")).select(udf("b", "a").alias("s"))
    wanted = model.predict(np.c_[x["b"], x["a"].round(16)]).tolist()
    assert [row.s.prediction for row in made.collect()] == wanted
    with pytest.raises(SignatureError, match="'a' is not a feature"):
        udf("a", "b", "a b")


def test_types_that_no_model_tells_are_the_columns_own(clean_spark, rows, tmp_path):
    """A column meets its table in the worker; a SQL parameter has a type, to be declared."""
    df, x = rows
    model = make_pipeline(
        FunctionTransformer(pd.get_dummies), RandomForestClassifier(n_estimators=3, random_state=0)
    ).fit(x, x["a"] > x["b"])
    spec = save(model, tmp_path, name="open")
    if has_arrow_udf():
        made = df.select(score_udf(spec, spark=clean_spark)().alias("s")).collect()
        assert [row.s.prediction for row in made] == model.predict(x).tolist()
    with pytest.raises(SignatureUnknown, match=r"signature=Signature\(inputs=\(Field"):
        register_sql(clean_spark, "open_types", spec)
    fields = (Field(name="a", type="double"), Field(name="b", type="double"))
    spec = save(model, tmp_path, name="open", signature=Signature(inputs=fields))
    register_sql(clean_spark, "open_types", spec)
    df.createOrReplaceTempView("t")
    made = clean_spark.sql("SELECT open_types(a => a, b => b).prediction AS p FROM t").collect()
    assert [row.p for row in made] == model.predict(x).tolist()


def test_a_wrong_name_is_refused_when_the_column_is_made(spark, forest):
    """Not a feature, or a feature left out: an error at once, with the nearest name."""
    _, spec = forest
    udf = score_udf(spec, spark=spark)

    with pytest.raises(SignatureError, match=r"'bb' is not a feature.*did you mean 'b'"):
        udf("a", "bb")
    with pytest.raises(SignatureError, match="without a column: b"):
        udf("a")


def test_a_struct_of_the_features_stands_for_them(spark, forest, rows):
    """As `udf(struct(…))` of MLflow: by its fields' names, in any order, among others."""
    model, spec = forest
    df, x = rows
    udf = score_udf(spec, spark=spark)
    packed = df.select(F.struct("b", F.lit(1).alias("more"), F.col("a").alias("A")).alias("s"))

    calls = [
        df.select(udf(F.struct("a", "b")).alias("s")),
        df.select(udf(F.struct("b", "a")).alias("s")),
        packed.select(udf("s").alias("s")),
        packed.select(udf(F.col("s")).alias("s")),
    ]

    for call in calls:
        assert model.predict(x).tolist() == [r.s.prediction for r in call.collect()]
    with pytest.raises(AnalysisException, match="FIELD_NOT_FOUND"):
        df.select(udf(F.struct("a")))
    with pytest.raises(AnalysisException, match="Did you mean one of the following"):
        df.select(udf("packed"))
    with pytest.raises(SignatureError, match=r"'bb' is not a feature.*did you mean 'b'.*F.col"):
        udf("bb")
    twin = packed.withColumnRenamed("s", "bb").select(udf(F.col("bb")).alias("s"))  # as it says
    assert model.predict(x).tolist() == [row.s.prediction for row in twin.collect()]
    with pytest.raises(SignatureError, match="does not tell which feature it is"):
        udf("a", F.col("b"))
    named = df.select(udf(a="a", b=F.col("b")).prediction.alias("p"))  # as the error says
    assert model.predict(x).tolist() == [row.p for row in named.collect()]


@pytest.mark.skipif(not has_arrow_udf(), reason="Spark 4.0 has no UDF of Arrow's arrays")
def test_a_lone_column_is_the_one_input_or_a_struct_that_has_it(spark, rows, tmp_path):
    """Its type decides; a text is a name, as ever."""
    df, x = rows
    model = RandomForestClassifier(n_estimators=3, random_state=0).fit(x[["a"]], x["a"] > x["b"])
    udf = score_udf(save(model, tmp_path, name="one"), spark=spark)
    for column, given in (
        (F.col("b") * 1, "b"),
        (F.struct("b", "a"), "a"),
        (F.struct(F.col("b").alias("A")), "b"),
    ):
        made = df.select(udf(column).prediction.alias("p")).collect()
        assert [row.p for row in made] == model.predict(x[[given]].set_axis(["a"], axis=1)).tolist()
    with pytest.raises(PySparkException, match=r"SignatureError: column 'a' is .*the model takes"):
        df.select(udf(F.struct("b"))).collect()


@pytest.fixture(scope="module")
def of_vectors(tmp_path_factory):
    """A forest that was trained on an array of two features, and its spec."""
    x = table(200).to_numpy()
    model = RandomForestClassifier(n_estimators=5, random_state=0).fit(x, x[:, 0] > 2 * x[:, 1])
    folder = tmp_path_factory.mktemp("vectors")
    return model, save(model, folder, name="vectors", nulls="quarantine")


@pytest.mark.skipif(not has_arrow_udf(), reason="Spark 4.0 has no UDF of Arrow's arrays")
def test_a_vector_column_is_scored_in_sql_and_by_a_column_function(clean_spark, rows, of_vectors):
    """Dense and sparse, and an array of any numbers, as `score` takes them."""
    model, spec = of_vectors
    df, x = rows
    pairs = [
        (Vectors.dense(row) if i % 2 else Vectors.sparse(2, [0, 1], row),)
        for i, row in enumerate(x.to_numpy().tolist())
    ]
    vectors = clean_spark.createDataFrame(pairs, ["features"]).coalesce(1)
    wanted = model.predict(x.to_numpy()).tolist()
    arrays = df.selectExpr("array(a, b) AS features").coalesce(1)
    register_sql(clean_spark, "by_vector", spec)
    udf = score_udf(spec, spark=clean_spark)
    for given in (vectors, arrays):
        given.createOrReplaceTempView("t")
        made = [
            score(given, spec, keep=[]).select("vectors.prediction"),
            given.select(udf().prediction.alias("prediction")),
            given.select(udf(features="features").prediction.alias("prediction")),
            given.select(udf(F.struct("features")).prediction.alias("prediction")),
            given.toDF("v").select(udf(F.col("v")).prediction.alias("prediction")),
            clean_spark.sql("SELECT by_vector(features).prediction FROM t"),
            clean_spark.sql("SELECT by_vector(FEATURES => features).prediction FROM t"),
        ]
        for each in made:
            assert [row[0] for row in each.collect()] == wanted

    odd = clean_spark.sql(
        "SELECT by_vector(f).error.code AS code FROM VALUES (array(1, 2.5)), (null) AS t(f)"
    )
    assert [row.code for row in odd.collect()] == [None, "NULL_INPUT"]
    for call in ("by_vector(colour => features)", "by_vector('1, 2')", "by_vector(features, 1)"):
        with pytest.raises(PySparkException, match=r"errors\.SignatureError: .*'features'"):
            clean_spark.sql(f"SELECT {call} FROM t").collect()


def test_features_that_differ_in_case_alone_are_refused_where_spark_joins_them(
    clean_spark, tmp_path
):
    """Before any task; followed, the advice gives each feature its own column."""
    x = table(60).rename(columns={"b": "A"})
    model = RandomForestClassifier(n_estimators=3, random_state=1).fit(x, x["a"] > 2 * x["A"])
    spec = save(model, tmp_path, name="alike")
    wanted = model.predict(x).tolist()
    df = clean_spark.createDataFrame(x.rename(columns={"a": "low", "A": "high"})).coalesce(1)

    udf = score_udf(spec, spark=clean_spark)
    for call in (udf, lambda: udf("a", "A"), lambda: udf(F.struct("low", "high"))):
        with pytest.raises(SignatureError, match="does not tell the columns 'A' and 'a' apart"):
            call()
    made = df.select(udf(a="low", A="high").prediction.alias("p")).collect()
    assert [row.p for row in made] == wanted

    with pytest.raises(SignatureError, match="'A' and 'a' would be one parameter"):
        register_sql(clean_spark, "alike", spec)
    named = save(model, tmp_path, name="alike", inputs=["x0", "x1"])
    register_sql(clean_spark, "alike", named)
    df.createOrReplaceTempView("t")
    made = clean_spark.sql("SELECT alike(x1 => high, x0 => low).prediction AS p FROM t").collect()
    assert [row.p for row in made] == wanted

    clean_spark.conf.set("spark.sql.caseSensitive", "true")
    try:
        both = df.withColumnsRenamed({"low": "a", "high": "A"})
        made = both.select(udf().prediction.alias("p")).collect()
        assert [row.p for row in made] == wanted
    finally:
        clean_spark.conf.unset("spark.sql.caseSensitive")


def test_a_sql_function_has_named_typed_parameters(clean_spark, forest, rows):
    """Named arguments in any order give the library's labels."""
    model, spec = forest
    df, x = rows
    df.createOrReplaceTempView("t")
    register_sql(clean_spark, "updown", spec)

    named = clean_spark.sql("SELECT updown(b => b, a => a) AS s FROM t").collect()
    positional = clean_spark.sql("SELECT updown(a, b).prediction AS p FROM t").collect()

    assert model.predict(x).tolist() == [r.s.prediction for r in named]
    assert model.predict_proba(x).tolist() == [r.s.probability for r in named]
    assert model.predict(x).tolist() == [r.p for r in positional]


@pytest.mark.parametrize(
    "call",
    [
        "updown(a => a)",
        "updown(a, b, a)",
        "updown(a => a, c => b)",
        "updown(a => array(1), b => b)",
    ],
)
def test_a_wrong_call_fails_at_analysis(clean_spark, forest, rows, call):
    """Missing, surplus, misnamed and uncastable arguments never reach a worker."""
    _, spec = forest
    rows[0].createOrReplaceTempView("t")
    register_sql(clean_spark, "updown", spec)

    with pytest.raises(AnalysisException):
        clean_spark.sql(f"SELECT {call} FROM t")


def test_sql_casts_arguments_to_the_declared_types(clean_spark, forest):
    """Integers and decimals become doubles before the model sees them."""
    model, spec = forest
    register_sql(clean_spark, "updown", spec)

    got = clean_spark.sql("SELECT updown(a => 1, b => 2.5BD).prediction AS p").collect()

    assert model.predict(rows_of((1.0, 2.5))).tolist() == [got[0].p]


def test_a_fraction_is_not_cut_off_for_a_whole_number(clean_spark, tmp_path):
    """Spark would make 2 of 2.7 for a BIGINT parameter; whole numbers and nulls go through."""
    x = table(60)
    model = RandomForestClassifier(n_estimators=3, random_state=1).fit(x, x["a"] > 0)
    whole = Signature(
        inputs=(Field(name="a", type="int64"), Field(name="b", type="int64", required=False))
    )
    spec = save(model, tmp_path, name="whole", signature=whole, nulls="quarantine")
    register_sql(clean_spark, "whole", spec)

    good = clean_spark.sql("SELECT whole(a => 2.0D, b => 1).prediction AS p").first()
    bare = clean_spark.sql("SELECT whole(a => null, b => 1).error.code AS c").first()

    assert model.predict(rows_of((2.0, 1.0))).tolist() == [good.p]
    assert "NULL_INPUT" == bare.c
    with pytest.raises(PySparkException, match="takes whole numbers for `a`"):
        clean_spark.sql("SELECT whole(a => 2.7D, b => 1).prediction").collect()


def test_registering_again_replaces_and_odd_names_work(clean_spark, forest, tmp_path):
    """A function's name may be reused; feature names may hold anything."""
    _, spec = forest
    x = table(60).rename(columns={"a": "the a", "b": "b.`'x"})
    odd = RandomForestClassifier(n_estimators=3, random_state=1).fit(x, x["the a"] > 0)
    register_sql(clean_spark, "f", spec)
    register_sql(clean_spark, "f", save(odd, tmp_path, name="odd"))

    got = clean_spark.sql("SELECT f(`the a` => 1.0D, `b.``'x` => 0.0D).prediction AS p").collect()

    assert odd.predict(x.head(1) * 0 + [1.0, 0.0]).tolist() == [got[0].p]


def test_a_null_argument_is_an_error_on_its_row_alone(clean_spark, forest):
    """The null policy holds in SQL as well."""
    _, spec = forest
    register_sql(clean_spark, "updown", spec)
    query = "SELECT updown(a => x, b => 1.0) AS s FROM VALUES (1.0D), (null) AS t(x)"

    first, second = clean_spark.sql(query).collect()

    assert first.s.error is None
    assert first.s.prediction in ("up", "down")
    assert (second.s.prediction, second.s.error.code) == (None, "NULL_INPUT")
