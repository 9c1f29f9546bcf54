"""Rolling aggregates: by rows and by seconds, as plain Python and pandas add them up."""

from __future__ import annotations

import datetime as dt
import doctest
import math
import random
import statistics
import sys
from functools import partial

import pandas as pd
import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import functions as F  # noqa: N812

from sparkml.config import Step
from sparkml.errors import InputError
from sparkml.spark.rolling import AGGREGATES, rolling, rolling_sql
from sparkml.spark.sources import apply_steps

pytestmark = pytest.mark.spark

START = dt.datetime(2026, 3, 28, 23, 0)  # noqa: DTZ001 - a TIMESTAMP_NTZ has no zone
COLUMNS = "id INT, `the key` STRING, time TIMESTAMP_NTZ, value DOUBLE"
MICROSECOND = dt.timedelta(microseconds=1)


def made(count: int = 150):
    """Rows of three keys (one null), with ties in time, gaps, and values that are null."""
    rng = random.Random(0)
    steps = [0, 0, 1, 9, 10, 10.000001, 25]
    time = START
    rows = []
    for i in range(count):
        time += dt.timedelta(seconds=rng.choice(steps))
        value = None if rng.random() < 0.2 else float(rng.randrange(-50, 50))
        rows.append((i, rng.choice(["a", "😀", None]), time, value))
    rng.shuffle(rows)
    return rows


ROWS = made()


@pytest.fixture(scope="module")
def table(spark):
    """The rows in three partitions."""
    return spark.createDataFrame(ROWS, COLUMNS).repartition(3)


def aggregate(how: str, values: list[float]) -> float | None:
    """An aggregate as a schoolbook has it."""
    if how == "count":
        return len(values)
    if not values or (how == "std" and len(values) < 2):
        return None
    plain = {"mean": statistics.fmean, "sum": math.fsum, "std": statistics.stdev}
    return {**plain, "min": min, "max": max}[how](values)


def by_seconds(how: str, row, seconds: float, *, current: bool):
    """The aggregate for one row, from all rows of its key."""
    _, key, now, _ = row
    width = dt.timedelta(seconds=seconds)
    first, last = (now - width + MICROSECOND, now) if current else (now - width, now - MICROSECOND)
    window = [v for _, k, t, v in ROWS if k == key and first <= t <= last and v is not None]
    return aggregate(how, window)


def by_rows(how: str, row, rows: int, *, current: bool):
    """The same for a number of rows."""
    id_, key, time, _ = row
    earlier = sorted((t, i, v) for i, k, t, v in ROWS if k == key and (t, i) <= (time, id_))
    window = earlier[-rows:] if current else earlier[:-1][-rows:]
    return aggregate(how, [v for _, _, v in window if v is not None])


def answers(df, column):
    """The column's values, by id."""
    return {row.id: row.x for row in df.withColumn("x", column).collect()}


def check_all(df, plainly, **options):
    """Every aggregate of every row is what is plainly added up."""
    columns = [rolling("value", how, key="the key", **options).alias(how) for how in AGGREGATES]
    got = {row.id: row for row in df.select("id", *columns).collect()}

    for how in AGGREGATES:
        for row in ROWS:
            expected, found = plainly(how, row), got[row[0]][how]
            assert (expected is None) == (found is None), (how, row)
            assert expected is None or expected == pytest.approx(found, rel=1e-12), (how, row)


@pytest.mark.parametrize("current", [True, False])
def test_windows_of_seconds(table, current):
    """Half open: (t - 10 s, t], or [t - 10 s, t) without the row; ties with it or without it."""
    plainly = partial(by_seconds, seconds=10, current=current)

    check_all(table, plainly, order="time", seconds=10, current=current)


@pytest.mark.parametrize("current", [True, False])
def test_windows_of_rows(table, current):
    """The last three with the row itself, or the three before it; a second column settles ties."""
    plainly = partial(by_rows, rows=3, current=current)

    check_all(table, plainly, order=("time", "id"), rows=3, current=current)


@pytest.mark.parametrize(("current", "closed"), [(True, "right"), (False, "left")])
def test_pandas_has_the_same_windows(spark, current, closed):
    """`rolling("10s")`, where no two rows of a key have the same time."""
    frame = pd.DataFrame(ROWS, columns=["id", "key", "time", "value"]).dropna(subset="key")
    frame = frame.drop_duplicates(["key", "time"]).sort_values("time")
    df = spark.createDataFrame(ROWS, COLUMNS).filter(F.col("id").isin(frame["id"].tolist()))

    got = answers(
        df, rolling("value", "sum", key="the key", order="time", seconds=10, current=current)
    )

    windows = frame.set_index("time").groupby("key")
    theirs = windows.rolling("10s", closed=closed, min_periods=1)["value"].sum()
    ids = windows["id"].rolling("1us").max()
    expected = dict(zip(ids.astype(int), theirs, strict=True))
    assert got == {i: None if math.isnan(x) else x for i, x in expected.items()}


def test_several_keys_and_zoned_times(spark):
    """Seconds are seconds on the night when the clocks change."""
    times = ["2026-03-29 00:59:59", "2026-03-29 01:00:00", "2026-03-29 01:00:01"]
    rows = [(i, "a", i // 2, t, 1) for i, t in enumerate(times)]
    df = spark.createDataFrame(rows, "id INT, k STRING, l INT, time STRING, v INT")
    df = df.withColumn("time", F.expr("CAST(time AS TIMESTAMP)"))
    zone = spark.conf.get("spark.sql.session.timeZone")
    try:
        spark.conf.set("spark.sql.session.timeZone", "Europe/Berlin")
        one = answers(df, rolling("v", "sum", key="k", order="time", seconds=1.5))
        two = answers(df, rolling("v", "sum", key=["k", "l"], order="time", seconds=1.5))
    finally:
        spark.conf.set("spark.sql.session.timeZone", zone)

    assert {0: 1, 1: 2, 2: 2} == one
    assert {0: 1, 1: 2, 2: 1} == two


def test_a_row_without_a_time_has_no_window_of_seconds(spark):
    """And is in nobody else's; a NaN is in the sums it belongs to."""
    nan = math.nan
    rows = [(0, "a", None, 1.0), (1, "a", None, 2.0), (2, "a", START, 4.0)]
    rows += [(3, "b", START, nan), (4, "b", START + dt.timedelta(seconds=5), 8.0)]
    df = spark.createDataFrame(rows, COLUMNS)

    got = answers(df, rolling("value", "sum", key="the key", order="time", seconds=5))

    assert {0: None, 1: None, 2: 4.0, 4: 8.0} == {i: x for i, x in got.items() if i != 3}
    assert math.isnan(got[3])


def test_no_rows_and_one_row(spark):
    """Nothing to aggregate is no error."""
    empty = spark.createDataFrame([], COLUMNS)
    one = spark.createDataFrame([(0, None, START, None)], COLUMNS)
    columns = {
        how: rolling("value", how, key="the key", order="time", rows=9) for how in AGGREGATES
    }

    assert [] == empty.select(*columns.values()).collect()
    assert {how: 0 if how == "count" else None for how in AGGREGATES} == {
        how: one.select(column.alias("x")).first().x for how, column in columns.items()
    }


def test_the_example_in_the_docstring_holds():
    """As it stands, for whoever pastes it."""
    assert 0 == doctest.testmod(sys.modules[rolling.__module__]).failed


def test_the_same_as_text_for_a_job_s_steps(table):
    """An OVER clause, in the JVM: no Python worker."""
    options = {"key": "the key", "order": "time", "seconds": 60}
    step = Step(column="x", expr=rolling_sql("value", "mean", **options))

    df = apply_steps(table, [step])

    assert answers(table, rolling("value", "mean", **options)) == {r.id: r.x for r in df.collect()}
    assert "Python" not in df._jdf.queryExecution().executedPlan().toString()


@pytest.mark.parametrize(
    ("how", "options", "said"),
    [
        ("avg", {"rows": 3}, "no aggregate 'avg'"),
        ("meen", {"rows": 3}, "did you mean 'mean'"),
        ("mean", {}, "give one of them"),
        ("mean", {"rows": 3, "seconds": 3}, "give one of them"),
        ("mean", {"rows": 0}, "window of 0 rows"),
        ("mean", {"seconds": 0}, "window of 0 microseconds"),
        ("mean", {"seconds": -1}, "seconds above 0"),
        ("mean", {"seconds": 5, "order": ("time", "id")}, "by `time`, `id`"),
    ],
)
def test_a_window_that_makes_no_sense_is_refused(how, options, said):
    """When the column is made, before there is a table."""
    with pytest.raises(InputError, match=said):
        rolling_sql("value", how, **{"key": "k", "order": "time", **options})


def test_an_order_that_is_no_time_is_refused_at_analysis(table):
    """Seconds of whole numbers mean nothing."""
    with pytest.raises(AnalysisException):
        table.select(rolling("value", "sum", key="the key", order="id", seconds=5))
