"""Every feature in SQL and as a column function: what the kernel gives, and no Python if native."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import functions as F  # noqa: N812

import sparkml.functions as sf
from sparkml.errors import ConfigError, InputError, SignatureError
from sparkml.features import FEATURES
from sparkml.spark.features import BY_NAME, _parameters, register_features
from sparkml.type_names import to_arrow_type
from tests.odd_values import bits, odd_table

pytestmark = pytest.mark.spark

each_feature = pytest.mark.parametrize("feature", FEATURES, ids=[f.name for f in FEATURES])

# Java's StrictMath and the C library round logarithms, exponentials and sines otherwise in their
# last bits: relative and absolute difference.
NOT_BIT_FOR_BIT = {
    "log1p_signed": (2 * 2**-52, 0.0),  # one logarithm
    "yeo_johnson": (1e-12, 0.0),  # expm1 of up to 709 multiplies the last bit of the logarithm
    "haversine_m": (1e-12, 1e-8),  # the sine of half a turn is 1e-16, by whom ever
}


def assert_same(feature, expected: list, actual: list):
    """Bit for bit, but for the features of the table above."""
    if feature.name not in NOT_BIT_FOR_BIT:
        assert bits(expected) == bits(actual)
        return
    relative, absolute = NOT_BIT_FOR_BIT[feature.name]
    for e, a in zip(expected, actual, strict=True):
        if e is None or not math.isfinite(e) or e == 0:
            near = bits(e) == bits(a) or (e == 0 and abs(a) <= absolute)
        else:
            near = a is not None and math.isclose(e, a, rel_tol=relative, abs_tol=absolute)
        assert near, f"{e!r} by the kernel, {a!r} by Spark"


@pytest.fixture(scope="module")
def registered(spark):
    """The session with every feature, registered twice."""
    register_features(spark)
    register_features(spark)
    return spark


@each_feature
def test_the_example_gives_what_the_kernel_gives(registered, feature):
    """For the arguments as SQL reads them: another function, called alike, gives them back."""
    names = ", ".join(f"`{name}`" for name in (*feature.columns, *feature.constants))
    registered.sql(
        f"CREATE OR REPLACE TEMPORARY FUNCTION arguments_of({_parameters(feature)})"
        f" RETURN struct({names})"
    )
    arguments_of = feature.example.replace(feature.name, "arguments_of", 1)

    both = registered.sql(f"SELECT {feature.example} AS made, {arguments_of} AS given").toArrow()

    given = both["given"].combine_chunks()
    columns = [
        given.field(name).cast(to_arrow_type(dtype)) for name, dtype in feature.columns.items()
    ]
    constants = {name: given.field(name)[0].as_py() for name in feature.constants}
    expected = feature.kernel(*columns, **constants).to_pylist()
    assert expected != [None]
    assert_same(feature, expected, both["made"].to_pylist())


@each_feature
def test_a_table_of_odd_values_gives_what_the_kernel_gives(registered, feature):
    """By position and by name in another order; with Python in the plan only where it must be."""
    table = odd_table(feature)
    in_order = ", ".join(f"`{name}`" for name in feature.columns)
    by_name = ", ".join(f"`{name}` => `{name}`" for name in reversed(feature.columns))

    df = registered.createDataFrame(table).selectExpr(
        f"{feature.name}({in_order}) AS in_order", f"{feature.name}({by_name}) AS by_name"
    )
    made = df.toArrow()

    plan = df._jdf.queryExecution().executedPlan().toString()
    assert feature.native == ("Python" not in plan)
    expected = feature.kernel(*[c.combine_chunks() for c in table.columns]).to_pylist()
    assert_same(feature, expected, made["in_order"].to_pylist())
    assert bits(made["in_order"].to_pylist()) == bits(made["by_name"].to_pylist())


@each_feature
def test_a_wrong_call_is_refused_before_it_runs(registered, feature):
    """No such argument; one too few; a map where there is no cast (a text can be made of all)."""
    first, *others = (f"`{name}`" for name in feature.columns)
    rest = [f"{name} => NULL" for name in others]
    calls = [[f"{first} => NULL", *rest, "nonsense => 1"], rest]
    if feature.columns[first.strip("`")] != "string":
        calls.append([f"{first} => map(1, 2)", *rest])
    for arguments in calls:
        with pytest.raises(AnalysisException):
            registered.sql(f"SELECT {feature.name}({', '.join(arguments)})")


@pytest.mark.parametrize("name", ["yeo_johnson", "geohash", "category_bucket", "bucketise"])
def test_options_give_what_they_give_the_kernel(registered, name):
    """Other values than the defaults."""
    feature = BY_NAME[name]
    table = odd_table(feature)
    columns = [c.combine_chunks() for c in table.columns]
    df = registered.createDataFrame(table)
    several = {
        "yeo_johnson": [{"lmbda": v} for v in (2.0, 0.5, -1.5, 1e-9, 3.0)],
        "geohash": [{"precision": p} for p in (1, 6, 12)],
        "category_bucket": [{"buckets": b} for b in (1, 7, 2**31 - 1)],
    }.get(name, [{}])

    call = getattr(sf, name)
    made = df.select(*[call(*table.column_names, **options) for options in several]).toArrow()

    for column, options in zip(made.columns, several, strict=True):
        assert_same(feature, feature.kernel(*columns, **options).to_pylist(), column.to_pylist())


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("yeo_johnson(1, lmbda => double('nan'))", "lmbda is a finite number"),
        ("geohash(1, 2, precision => 13)", "precision is 1 to 12"),
        ("geohash(1, 2, precision => null)", "the option 'precision' is null"),
        ("json_field('{}', path => null)", "the option 'path' is null"),
        ("category_bucket('a', buckets => 0)", "buckets must be at least 1"),
        ("hashed_bag_of_words('a', width => 0)", "a width of 0"),
        ("hashed_bag_of_words('a', width => int(id))", "the option 'width' is 0 and 1 in one"),
        ("hashed_bag_of_words('a', width => null)", "the option 'width' is None"),
    ],
)
def test_an_option_that_makes_no_sense_is_an_error(registered, call, said):
    """In Spark and in Python, and one that differs by row where Python takes batches."""
    with pytest.raises(PySparkException, match=said):
        registered.range(0, 3, 1, 1).selectExpr(call).collect()


def test_places_on_edges_are_hashed_as_by_the_kernel(registered):
    """And one bit beside them, where a sum would round."""
    lines = [k / 64 for k in range(-64, 65)] + [2**-30, 12345 / 2**29]
    beside = [math.nextafter(v, to) for v in lines for to in (-2, v, 2)]
    lat = pa.array([max(min(v * 90, 90.0), -90.0) for v in beside])
    lon = pa.array([max(min(v * 180, 180.0), -180.0) for v in beside])
    df = registered.createDataFrame(pa.table({"lat": lat, "lon": lon}))

    made = df.select(sf.geohash("lat", "lon", precision=12)).toArrow()[0].to_pylist()

    assert BY_NAME["geohash"].kernel(lat, lon, precision=12).to_pylist() == made


@pytest.fixture
def far_east(spark):
    """The session, fourteen hours before UTC for one test."""
    before = spark.conf.get("spark.sql.session.timeZone")
    spark.conf.set("spark.sql.session.timeZone", "Pacific/Kiritimati")
    yield spark
    spark.conf.set("spark.sql.session.timeZone", before)


def test_the_session_s_time_zone_moves_no_hour_and_no_date(registered, far_east):
    """The hour of a timestamp is in UTC, a date is a date."""
    cycles = [f for f in FEATURES if f.columns.keys() & {"time", "date"}]
    for feature in cycles:
        table = odd_table(feature)
        made = far_east.createDataFrame(table).selectExpr(
            f"{feature.name}({table.column_names[0]})"
        )
        expected = feature.kernel(table[0].combine_chunks()).to_pylist()

        assert bits(expected) == bits(made.toArrow()[0].to_pylist())
    assert 6 == len(cycles)


def test_a_local_hour_is_one_call_away(registered, far_east):
    """As the docstring says."""
    call = "hour_cos(from_utc_timestamp(TIMESTAMP'2024-07-01 22:30:00Z', 'Europe/Paris'))"

    assert 1.0 == registered.sql(f"SELECT {call} AS c").first().c


def test_a_timestamp_becomes_the_date_of_the_session_that_registered(spark, far_east):
    """It is 2025 there, and stays so for that function."""
    df = spark.sql("SELECT TIMESTAMP'2024-12-31 12:00:00Z' AS t")

    there = df.select(sf.month_sin("t").alias("s"))
    far_east.conf.set("spark.sql.session.timeZone", "UTC")
    here = df.select(sf.month_sin("t").alias("s"))

    assert (0.0, -0.5) == (there.first().s, here.first().s)


def test_registering_by_name(spark):
    """A name that is none is refused with the nearest."""
    with pytest.raises(ConfigError, match=r"no feature 'month_as_in'.*did you mean 'month_as_int'"):
        register_features(spark, "month_as_int", "month_as_in")
    register_features(spark, "month_as_int")
    register_features(spark, "month_as_int")

    assert 5 == spark.sql("SELECT month_as_int('may') AS m").first().m


def test_column_functions_take_names_and_columns(spark):
    """In order or by name, options with them or without; a dot in a column's name means nothing."""
    df = spark.createDataFrame([("night", "nights", 7.0)], "`a.b` string, c string, x double")

    made = df.select(
        sf.ngram_similarity("a.b", "c"),
        sf.ngram_similarity(b=F.upper("c"), a=F.upper("`a.b`")),
        sf.ngram_similarity("a.b", "c", n=5),
        sf.hashed_bag_of_words("c", width=2),
        sf.winsorise("x", low=0, high=5.5),
        sf.bucketise("x", [1.0, 2.0]),
        sf.yeo_johnson("x", lmbda=2),
    ).first()

    assert (0.75, 0.75, 0.5) == made[:3]
    assert 1.0 == sum(made[3])
    assert (5.5, 2, pytest.approx(31.5)) == made[4:]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: sf.month_as_int("a", "b"), "2 columns for 1.*give the options by their names"),
        (sf.month_as_int, "no column for text"),
        (lambda: sf.month_as_int("a", text="b"), "'text' is given twice"),
        (lambda: sf.geohash("a", "b", precison=3), "no 'precison'.*did you mean 'precision'"),
        (lambda: sf.geohash("a", "b", precision="3"), "'precision' is '3'.*give it as int"),
        (lambda: sf.geohash("a", "b", precision=2.5), "'precision' is 2.5.*give it as int"),
        (lambda: sf.geohash("a", "b", precision=True), "'precision' is True.*give it as int"),
    ],
)
def test_a_wrong_call_of_a_column_function_is_an_error_at_once(spark, call, said):
    """Before there is a query."""
    with pytest.raises(SignatureError, match=said):
        call()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: sf.hashed_bag_of_words("t", width=0), "a width of 0"),
        (lambda: sf.category_bucket("t", buckets=-1), "-1 buckets"),
        (lambda: sf.geohash("x", "y", precision=13), "a geohash of 13 characters"),
        (lambda: sf.yeo_johnson("x", lmbda=math.inf), "lmbda is inf"),
        (lambda: sf.ngram_similarity("a", "b", n=0), "n-grams of 0 characters"),
        (lambda: sf.image_gray("i", width=8, height=0), "an image of 8 × 0 values"),
        (lambda: sf.url_path_part("u", index=0), "parts are counted from 1"),
        (lambda: sf.json_field("t", path="$.*"), r"a path is written like \$\.a\.b"),
    ],
)
def test_an_option_that_makes_no_sense_is_an_error_before_there_is_a_query(spark, call, said):
    """Of a column function: the kernel is asked, of no rows; a column may be an option too."""
    with pytest.raises(InputError, match=said):
        call()
    assert sf.geohash("x", "y", precision=F.lit(13)) is not None


def test_unknown_functions_and_columns(spark):
    """The nearest name; Spark's own error for a column that is not there."""
    with pytest.raises(AttributeError, match="did you mean 'month_as_int'"):
        sf.month_as_in("m")
    with pytest.raises(AnalysisException, match="mnth"):
        spark.sql("SELECT 'may' AS month").select(sf.month_as_int("mnth"))
    assert {"month_as_int", "geohash"} <= set(dir(sf))
    assert sf.geohash.__doc__ == BY_NAME["geohash"].kernel.__doc__


def test_features_through_spark_connect():
    """One native feature and one in Python, in SQL and as column functions."""
    pytest.importorskip("grpc", reason="the extra sparkml[connect] is not installed")
    script = """
        from pyspark.sql import SparkSession
        spark = SparkSession.builder.remote("local[1]").getOrCreate()
        import sparkml.functions as sf
        from sparkml.spark.features import register_features
        df = spark.sql("SELECT ' May ' AS m")
        print(df.select(sf.month_as_int("m"), sf.hashed_bag_of_words("m", width=1)).first()[:])
        register_features(spark)
        print(df.selectExpr("month_as_int(m)", "hashed_bag_of_words(m, width => 1)").first()[:])
        spark.stop()
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env=dict(os.environ), cwd=Path(__file__).parents[2],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert ["(5, [1.0])"] * 2 == done.stdout.strip().splitlines()[-2:]
