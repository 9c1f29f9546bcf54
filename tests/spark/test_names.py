"""Names are met as Spark meets them: by the very name, else whatever their upper and lower case."""

from __future__ import annotations

import joblib
import pandas as pd
import pytest
from lightgbm import LGBMRegressor
from pyspark.errors import PySparkException
from pyspark.sql import functions as F  # noqa: N812
from sklearn.linear_model import LinearRegression

from sparkml import read_spec, register_sql, score, score_udf
from sparkml.config import SqlSource
from sparkml.errors import SignatureError
from sparkml.spark._versions import has_arrow_udf
from sparkml.spark.report import input_rows
from sparkml.spark.score import ScorePlan
from sparkml.spark.sources import read_source
from tests.models import rows_of, save, table

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def upper(tmp_path_factory):
    """A model of the features `Alcohol` and `b.C`: their difference."""
    x = table(50).rename(columns={"a": "Alcohol", "b": "b.C"})
    model = LinearRegression(fit_intercept=False).fit(x, x["Alcohol"] - x["b.C"])
    return save(model, tmp_path_factory.mktemp("upper"), name="upper")


@pytest.fixture
def sensitive(spark):
    """A session that tells upper case from lower."""
    spark.conf.set("spark.sql.caseSensitive", "true")
    yield spark
    spark.conf.unset("spark.sql.caseSensitive")


def scores(df) -> list[float]:
    """The predictions, rounded."""
    return [round(row.upper.prediction, 6) for row in df.collect()]


def test_a_table_in_other_letters_is_scored(spark, upper):
    """By `score`, with key and kept columns under the names that the caller writes."""
    df = spark.createDataFrame([(1, 5.0, 3.0)], ["id", "alcohol", "B.c"])

    made = score(df, upper, key="ID", keep=["ALCOHOL"])

    assert made.columns == ["ID", "ALCOHOL", "upper", "error"]
    assert scores(made) == [2.0]
    assert score(df, upper, key="ID").columns == ["ID", "alcohol", "B.c", "upper", "error"]


def test_the_exact_name_wins(spark, upper):
    """Where Spark itself could not tell the two apart, they are taken by their places."""
    df = spark.createDataFrame([(1, 9.0, 5.0, 3.0)], ["id", "alcohol", "Alcohol", "b.c"])

    assert scores(score(df, upper, key="id", keep=[])) == [2.0]


def test_a_name_that_may_mean_two_columns_is_refused_with_both(spark, upper):
    """None of them is exactly it; nor are keys and kept columns guessed."""
    df = spark.createDataFrame([(1, 9.0, 5.0, 3.0)], ["id", "alcohol", "ALCOHOL", "b.c"])

    with pytest.raises(SignatureError, match="'Alcohol' may be 'alcohol' or 'ALCOHOL'"):
        score(df, upper, key="id", keep=[])
    with pytest.raises(SignatureError, match="columns occur twice: 'ALCOHOL', 'alcohol'"):
        score(df, upper, key="alcohol", keep=[])


def test_two_features_that_differ_in_case_alone_take_one_column_each(spark, tmp_path):
    """One column does not stand for both."""
    x = table(50).rename(columns={"b": "A"})
    both = save(
        LinearRegression(fit_intercept=False).fit(x, x["a"] - x["A"]), tmp_path, name="upper"
    )

    assert scores(score(spark.createDataFrame([(5.0, 3.0)], ["a", "A"]), both, keep=[])) == [2.0]
    with pytest.raises(SignatureError, match="'A' is missing"):
        score(spark.createDataFrame([(5.0,)], ["a"]), both, keep=[])


def test_a_session_that_tells_case_apart_is_heeded(sensitive, upper):
    """There `alcohol` is another column."""
    df = sensitive.createDataFrame([(1, 5.0, 3.0)], ["id", "alcohol", "b.C"])

    with pytest.raises(SignatureError, match="'Alcohol' is missing"):
        score(df, upper, key="id", keep=[])
    twins = df.selectExpr("id", "alcohol", "alcohol + 1 AS Alcohol", "`b.C`")
    assert scores(score(twins, upper, key="id")) == [3.0]


def test_a_column_function_meets_names_alike(spark, clean_spark, upper):
    """Columns, features and the parameters of SQL."""
    udf = score_udf(upper, spark=spark)
    df = spark.createDataFrame([(5.0, 3.0)], ["alcohol", "B.c"])

    assert scores(df.select(udf().alias("upper"))) == [2.0]
    assert scores(df.select(udf("ALCOHOL", "b.c").alias("upper"))) == [2.0]
    assert scores(df.select(udf(alcohol="Alcohol", **{"B.C": "B.c"}).alias("upper"))) == [2.0]
    with pytest.raises(SignatureError, match="'Alcohol' is named twice"):
        udf("alcohol", "ALCOHOL", "b.C")
    register_sql(spark, "upper_of", upper)
    df.createOrReplaceTempView("drinks")
    sql = "SELECT upper_of(ALCOHOL => alcohol, `B.c` => `b.c`) AS upper FROM drinks"
    assert scores(spark.sql(sql)) == [2.0]


def test_names_that_sql_must_quote_are_met(spark, tmp_path):
    """Dots, backticks, quotes and backslashes, in planning that goes through SQL's text."""
    odd = ["a.b", "c`d", "e'f\"g", "h\\n", "ü :?{x}"]
    x = table(50)
    frame = rows_of((5.0, 3.0)).assign(**dict.fromkeys(odd, 1.0)).drop(columns=["a", "b"])
    fitted = LinearRegression(fit_intercept=False).fit(
        table(50)[["a"]].assign(**{name: x["b"] * i for i, name in enumerate(odd)})[odd], x["b"]
    )
    spec = save(fitted, tmp_path, name="upper")
    df = spark.createDataFrame(frame)

    expected = fitted.predict(frame[odd]).round(6).tolist()

    assert scores(score(df, spec)) == expected
    assert scores(df.select(score_udf(spec, spark=spark)().alias("upper"))) == expected


def test_a_source_s_columns_that_case_alone_tells_apart_are_refused_by_name(spark):
    """Spark cannot choose between them."""
    query = "SELECT 1 AS id, 2 AS ID, 3.0D AS x"
    given = SqlSource(format="sql", query=query, columns=["id", "x"])

    with pytest.raises(SignatureError, match="'ID', 'id'"):
        read_source(spark, given)


def test_planning_talks_to_the_jvm_about_once_a_column(spark, tmp_path, monkeypatch):
    """Each name travels; no `Column` is made of it, which takes ten calls."""
    names = [f"f{i}" for i in range(200)]
    x = table(20)
    wide = pd.DataFrame(dict.fromkeys(names, x["a"]))
    spec = save(LinearRegression().fit(wide, x["b"]), tmp_path, name="upper")
    df = spark.createDataFrame(wide.head(1).assign(id=1, odd=2).rename(columns={"odd": "a.b"}))
    assert df.columns
    client = spark.sparkContext._gateway._gateway_client
    send, calls = client.send_command, []
    monkeypatch.setattr(client, "send_command", lambda *a, **k: calls.append(1) or send(*a, **k))

    ScorePlan(df, (spec,), df.columns, where="here").select(df)
    assert len(calls) < 1.5 * len(names)
    calls.clear()
    score_udf(spec, spark=spark)()
    assert len(calls) < len(names)


def test_lightgbm_s_underscores_are_the_table_s_blanks(spark, tmp_path):
    """By `score`, a column function and the plan; the worker gets the feature's own name."""
    x = table(60).rename(columns={"a": "my col", "b": "a_b"})
    model = LGBMRegressor(n_estimators=3, verbosity=-1, n_jobs=1).fit(x, x["my col"] - x["a_b"])
    joblib.dump(model, tmp_path / "m.joblib")
    spec = read_spec(str(tmp_path / "m.joblib"), name="m")
    assert spec.signature.names == ("my_col", "a_b")
    df = spark.createDataFrame(x).coalesce(1)
    wanted = model.predict(x).tolist()

    assert [row.m.prediction for row in score(df, spec, keep=[]).collect()] == wanted
    made = df.select(score_udf(spec, spark=spark)("my col", "a_b").prediction.alias("p"))
    assert [row.p for row in made.collect()] == wanted
    if has_arrow_udf():
        lone = score_udf(spec, spark=spark)
        packed = df.select(F.struct("a_b", F.lit(1).alias("more"), F.col("my col").alias("MY Col")))
        for call, over in ((lone(F.struct("my col", "a_b")), df), (lone("s"), packed.toDF("s"))):
            assert [row.p for row in over.select(call.prediction.alias("p")).collect()] == wanted
        with pytest.raises(PySparkException, match=r"SignatureError: column 'my_col' is missing"):
            df.select(lone(F.struct("a_b"))).collect()
        with pytest.raises(PySparkException, match="SignatureError: a column of double is no str"):
            df.select(lone(F.col("a_b"))).collect()
    (bound,) = ScorePlan(df, (spec,), [], where="t").bindings.values()
    assert [row["column"] for row in input_rows("m", bound)] == ["my col as my_col", "a_b"]
    plain = df.withColumnRenamed("my col", "my_col")
    assert [row.m.prediction for row in score(plain, spec, keep=[]).collect()] == wanted
