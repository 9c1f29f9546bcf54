"""`score`: a DataFrame in, its rows with their scores out, checked before any task starts."""

from __future__ import annotations

import decimal

import numpy as np
import pytest
from pyspark.ml.linalg import Vectors
from pyspark.sql import Row
from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression

from sparkml import SparkMLError, read_spec, score
from sparkml.errors import SignatureError
from tests.models import rows_of, save, table

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def forest(tmp_path_factory):
    """A forest on two features, and its spec."""
    x = table(200)
    model = RandomForestClassifier(n_estimators=5, random_state=0).fit(x, x["a"] > x["b"])
    return model, save(model, tmp_path_factory.mktemp("forest"), name="forest")


def jobs_run(spark) -> int:
    """How many Spark jobs this session has run."""
    return len(spark.sparkContext.statusTracker().getJobIdsForGroup(None))


def test_every_row_comes_back_once_with_its_key_and_the_library_s_own_scores(spark, forest):
    """Keys, labels and probabilities are those of the model in one process."""
    model, spec = forest
    x = table(500)
    df = spark.createDataFrame(x.assign(id=range(500)).sample(frac=1, random_state=1))

    rows = score(df, spec, key="id", keep=[]).toPandas().sort_values("id")

    assert list(range(500)) == rows["id"].tolist()
    assert model.predict(x).tolist() == [r["prediction"] for r in rows["forest"]]
    assert model.predict_proba(x).tolist() == [list(r["probability"]) for r in rows["forest"]]
    assert rows["error"].isna().all()


def test_columns_are_met_by_name_whatever_their_order_and_company(spark, forest):
    """Reordered and further columns change nothing."""
    model, spec = forest
    x = table(50)
    df = spark.createDataFrame(x).selectExpr("b", "'x' AS other", "a")

    got = [r["forest"]["prediction"] for r in score(df, spec, keep=[]).collect()]

    assert model.predict(x).tolist() == got


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (["a", "b AS bb"], "'b' is missing (did you mean 'bb'?)"),
        (["a", "cast(b AS string) b"], "'b' is string, the model takes double"),
        (["a", "named_struct('x', b) b"], "'b' is struct"),
        (["a", "b", "b"], "columns occur twice: 'b'"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_before_any_task(spark, forest, columns, said):
    """The error is raised on the driver, names the column, and no job has run."""
    _, spec = forest
    df = spark.createDataFrame(table(5)).selectExpr(*columns)
    before = jobs_run(spark)

    with pytest.raises(SignatureError) as error:
        score(df, spec)

    assert said in str(error.value)
    assert before == jobs_run(spark)


def test_integers_decimals_and_booleans_become_the_doubles_they_stand_for(spark, tmp_path):
    """Nullable integers, decimals and booleans are cast by the table, nulls stay nulls."""
    x = table(50)
    model = LinearRegression().fit(x, x["a"] - x["b"])
    spec = save(model, tmp_path, name="m")
    df = spark.createDataFrame(
        [Row(a=decimal.Decimal("1.50"), b=True), Row(a=None, b=False)],
        "a decimal(9,2), b boolean",
    )

    first, second = score(df, spec).collect()

    assert first.m.prediction == pytest.approx(model.predict(rows_of((1.5, 1.0)))[0], rel=1e-12)
    assert second.m.prediction is None
    assert second.error.code == "NULL_INPUT"
    assert second.error.column == "a"


def test_odd_names_pass_through_and_reach_the_model(spark, tmp_path):
    """Dots, spaces, backticks and unicode are just names."""
    names = {"a": "ä.b c", "b": "`tick`"}
    x = table(60).rename(columns=names)
    model = LinearRegression().fit(x, x["ä.b c"])
    spec = save(model, tmp_path, name="m")
    df = spark.createDataFrame(x.assign(**{"the.key": range(60)}))

    rows = score(df, spec, key="the.key").collect()

    assert ["the.key", "ä.b c", "`tick`", "m", "error"] == rows[0].__fields__
    got = [r["m"]["prediction"] for r in rows]
    np.testing.assert_allclose(got, model.predict(x), rtol=1e-12)


def test_arrays_and_spark_ml_vectors_are_feature_vectors(spark, tmp_path):
    """A model without feature names takes one vector column: array, dense or sparse."""
    x = table(80)
    model = LinearRegression().fit(x.to_numpy(), x["a"])
    spec = save(model, tmp_path, name="m")
    arrays = spark.createDataFrame([Row(features=[1.0, 2.0]), Row(features=[0.0, 3.0])])
    vectors = spark.createDataFrame(
        [Row(features=Vectors.dense(1.0, 2.0)), Row(features=Vectors.sparse(2, [1], [3.0]))]
    )

    got = [[r.m.prediction for r in score(df, spec, keep=[]).collect()] for df in (arrays, vectors)]

    np.testing.assert_allclose(got, [model.predict([[1.0, 2.0], [0.0, 3.0]])] * 2, rtol=1e-12)


def test_several_models_are_scored_in_one_pass(spark, forest, tmp_path):
    """Champion and challenger stand side by side, from one Python evaluation."""
    _, champion = forest
    x = table(60)
    challenger = save(LinearRegression().fit(x, x["a"]), tmp_path, name="challenger")
    df = spark.createDataFrame(x)

    scored = score(df, champion, challenger)

    assert ["a", "b", "forest", "challenger", "error"] == scored.columns
    plan = scored._jdf.queryExecution().executedPlan().toString()
    assert plan.count("MapInArrow") == 1
    assert all(r.forest.prediction is not None and r.challenger for r in scored.collect())


def test_a_row_that_breaks_the_model_is_set_aside_with_its_inputs(spark, tmp_path):
    """The other rows are scored; the bad one carries code, message and payload."""
    x = table(60)
    model = LinearRegression().fit(x, x["a"])
    spec = save(model, tmp_path, name="m", nulls="model")
    values = [(i, float(i), 1.0) for i in range(40)]
    values[17] = (17, float("inf"), 1.0)
    df = spark.createDataFrame(values, "id long, a double, b double").coalesce(1)

    rows = {r.id: r for r in score(df, spec, key="id").collect()}

    assert [17] == [i for i, r in rows.items() if r.error]
    assert rows[17].error.code == "MODEL_EXCEPTION"
    assert "ValueError" in rows[17].error.message
    assert '"a": "inf"' in rows[17].error.payload
    assert rows[17].m.prediction is None
    np.testing.assert_allclose(
        rows[16].m.prediction, model.predict(rows_of((16.0, 1.0)))[0], rtol=1e-12
    )


def test_every_type_of_kept_column_passes_through_unchanged(spark, forest):
    """Dates, timestamps, decimals, binaries, nested and null values come back as they went."""
    _, spec = forest
    df = spark.sql(
        """SELECT id, rand(1) a, rand(2) b, date'2026-02-03' d,
        timestamp'2026-02-03 04:05:06.789' t,
        timestamp_ntz'2026-02-03 04:05:06' n, cast(1.25 AS decimal(20,3)) c, X'00ff' x, 'é' s,
        array(1, null) l, map('k', 1.5D) m, named_struct('i', cast(null AS int)) st,
        cast(id AS tinyint) ti, cast(id AS smallint) si, cast(null AS string) z FROM range(5)"""
    )

    scored = score(df, spec).drop("forest", "error")

    assert df.schema.simpleString() == scored.schema.simpleString()
    assert sorted(map(str, df.collect())) == sorted(map(str, scored.collect()))


def test_a_type_that_arrow_cannot_carry_is_refused_with_a_way_out(spark, forest):
    """An interval among the kept columns is an error on the driver; left out, it is fine."""
    _, spec = forest
    df = spark.sql("SELECT rand() a, rand() b, make_interval(1) i FROM range(3)")

    with pytest.raises(SignatureError, match=r"'i' has type interval.*leave it out") as error:
        score(df, spec)
    advised = error.value.fix.partition("in a step: ")[2]
    assert score(df, spec, keep=["a"]).count() == 3
    assert score(df.withColumn("i", F.expr(advised)), spec).count() == 3


def test_an_empty_table_keeps_its_schema(spark, forest):
    """No rows in, none out, with every column."""
    _, spec = forest
    df = spark.createDataFrame([], "id long, a double, b double")

    scored = score(df, spec, key="id", keep=[])

    assert scored.collect() == []
    assert "struct<prediction:boolean,probability:array<double>>" == (
        scored.schema["forest"].dataType.simpleString()
    )


@pytest.mark.parametrize("batch_rows", [1, 7, 10_000])
def test_the_batch_size_changes_no_bit_of_a_forest(spark, forest, batch_rows):
    """Any batching gives the same numbers."""
    model, spec = forest
    x = table(100)

    rows = score(spark.createDataFrame(x), spec, batch_rows=batch_rows).collect()

    assert model.predict_proba(x).tolist() == [r.forest.probability for r in rows]


def test_an_address_is_resolved_where_a_spec_is_expected(spark, tmp_path):
    """`score(df, "folder")` reads the spec itself; a wrong address is an error at once."""
    x = table(60)
    spec = save(LinearRegression().fit(x, x["a"]), tmp_path, name="m")
    df = spark.createDataFrame(x)

    assert score(df, spec.uri).count() == 60
    with pytest.raises(SparkMLError, match="no-such-model"):
        score(df, str(tmp_path / "no-such-model"))


def test_a_spec_that_takes_nulls_itself_sees_them(spark, tmp_path):
    """HistGradientBoosting's own treatment of missing values is what one process gives."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    x = table(100)
    model = HistGradientBoostingRegressor(max_iter=5).fit(x, x["a"])
    spec = save(model, tmp_path, name="m")
    df = spark.createDataFrame([(None, 1.0), (float("nan"), 1.0)], "a double, b double")

    got = [r.m.prediction for r in score(df, spec).collect()]

    assert model.predict(rows_of((np.nan, 1.0))).tolist() * 2 == got
    assert read_spec(spec.uri).null_policy("a").kind == "model"
