"""Fitted encodings in Spark: learned from a table as in memory, looked up as in memory."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import functions as F  # noqa: N812

from sparkml.config import Step
from sparkml.errors import InputError, SignatureError
from sparkml.features.encoders import Encoding, fit_encoding
from sparkml.spark.encodings import MAX_CATEGORIES, fit_encoding_table, register_encoding
from sparkml.spark.sources import apply_steps

pytestmark = pytest.mark.spark

ODD = [
    "A",
    "b'c",
    'd"e',
    "f\\g",
    "é",
    "😀",
    "",
    " ",
    "new\nline",
    "\x00",
    "null",
    "${x}",
    "`",
    None,
]
# Doubles whose digits are easily lost on their way through text.
VALUES = [0.1, 1 / 3, 1e-300, 1.7976931348623157e308, 5e-324, -0.0, 123456789.12345679, -1e22]


@pytest.fixture(scope="module")
def rows(spark):
    """Odd categories with a 0/1 target, as an Arrow table and a DataFrame of three partitions."""
    rng = random.Random(0)
    table = pa.table(
        {
            "the city": pa.array(rng.choices(ODD, k=500), pa.string()),
            "late": pa.array(rng.choices([0, 1], k=500), pa.int32()),
            "day": pa.array(rng.choices(range(7), k=500), pa.int16()),
            "amount": pa.array([rng.random() for _ in range(500)]),
        }
    )
    return table, spark.createDataFrame(table).repartition(3)


@pytest.mark.parametrize("column", ["the city", "day"])
@pytest.mark.parametrize("kind", ["target", "count", "woe"])
def test_a_table_gives_the_encoding_that_arrays_give(rows, kind, column):
    """To the last bit, for a target of 0 and 1; nulls, odd texts and numbers as categories."""
    table, df = rows

    expected = fit_encoding(kind, table[column], table["late"], column=column)

    assert expected == fit_encoding_table(df, column, "late", kind)


def test_other_targets_differ_by_the_rounding_of_sums_alone(rows):
    """Spark adds up in another order."""
    table, df = rows

    plain = fit_encoding("target", table["the city"], table["amount"], smoothing=3)
    by_spark = fit_encoding_table(df, "the city", "amount", smoothing=3)

    assert list(plain.mapping) == list(by_spark.mapping)
    np.testing.assert_allclose([*plain.mapping.values()], [*by_spark.mapping.values()], rtol=1e-13)


def test_a_table_that_cannot_be_fitted_on_is_refused(rows):
    """Named columns, types, targets and smoothing: as in memory."""
    _, df = rows
    worse = df.withColumn("bad", F.expr("CASE day WHEN 0 THEN 'nan' WHEN 1 THEN NULL ELSE '1' END"))

    with pytest.raises(SignatureError, match=r"'City'.*did you mean 'the city'"):
        fit_encoding_table(df, "City", "late")
    with pytest.raises(InputError, match="did you mean 'woe'"):
        fit_encoding_table(df, "day", "late", "woo")
    with pytest.raises(InputError, match="categories of type double"):
        fit_encoding_table(df, "amount", "late")
    with pytest.raises(InputError, match="target of type string"):
        fit_encoding_table(worse, "day", "bad")
    with pytest.raises(InputError, match="rows have a target that is not a finite number"):
        fit_encoding_table(worse.withColumn("bad", F.expr("CAST(bad AS DOUBLE)")), "day", "bad")
    with pytest.raises(InputError, match="not 0 or 1"):
        fit_encoding_table(df, "day", "amount", "woe")
    with pytest.raises(InputError, match="no rows"):
        fit_encoding_table(df.limit(0), "day", "late")


def looked_up(spark, encoding: Encoding, categories: list[str | None]):
    """The numbers by the SQL function, and by `apply`, as bytes: every bit counts."""
    register_encoding(spark, "encoded", encoding)
    column = pa.array(categories, pa.string())
    df = spark.createDataFrame(pa.table({"c": column}))
    by_spark = [row[0] for row in df.selectExpr("encoded(c)").collect()]
    return np.array(by_spark).tobytes(), encoding.apply(column).to_numpy().tobytes()


@pytest.mark.parametrize("count", [0, 1, 40, 2_000])
def test_a_function_looks_up_what_apply_does(spark, count):
    """Any category and any double, seen or not, in maps of any number."""
    seen = [*(c for c in ODD if c is not None), *map(str, range(count))]
    mapping = {c: VALUES[i % len(VALUES)] for i, c in enumerate(seen)} if count else {}
    encoding = Encoding(kind="target", column="c", mapping=mapping, default=1 / 7, null=-2.5e-7)

    by_spark, plain = looked_up(spark, encoding, [*ODD, *map(str, range(count)), "unseen", "a"])

    assert plain == by_spark


def test_a_function_is_native_and_works_in_steps(spark):
    """No Python worker; a category of another type goes by its text."""
    register_encoding(spark, "a rate", fit_encoding("count", pa.array([1, 1, 2])))

    df = apply_steps(spark.range(4), [Step(column="n", expr="`a rate`(id)")])

    assert [0.0, 2.0, 1.0, 0.0] == [row.n for row in df.orderBy("id").collect()]
    plan = df._jdf.queryExecution().executedPlan().toString()
    assert "Project" in plan
    assert "Python" not in plan
    assert "ArrowEval" not in plan


def test_too_many_categories_are_refused(spark):
    """With what to do instead."""
    mapping = dict.fromkeys(map(str, range(MAX_CATEGORIES + 1)), 1.0)
    encoding = Encoding(kind="count", column="zip", mapping=mapping, default=0.0, null=0.0)

    with pytest.raises(InputError, match=r"100,001 categories.*zip.*join"):
        register_encoding(spark, "zips", encoding)
