"""What the Delta sink writes reads back the same: types, partitions, statistics, paths."""

import datetime as dt
import math
import os
from decimal import Decimal

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import functions as F  # noqa: N812

from sparkml.errors import (
    SinkSchemaError,
)
from tests.delta_runs import (
    SCHEMA,
    ids,
    row,
    run,
    struct,
    target_of,
)

pytestmark = pytest.mark.spark


TYPES = (
    "b BOOLEAN, i8 TINYINT, i16 SMALLINT, i32 INT, i64 BIGINT, f32 FLOAT, f64 DOUBLE, s STRING, "
    "bin BINARY, d DATE, t TIMESTAMP, z TIMESTAMP_NTZ, n9 DECIMAL(9,2), n18 DECIMAL(18,4), "
    "n38 DECIMAL(38,10), l ARRAY<DOUBLE>, ls ARRAY<STRUCT<x: INT, y: ARRAY<STRING>>>, "
    "m MAP<STRING, STRUCT<v: DOUBLE>>, st STRUCT<p: DOUBLE, q: STRUCT<r: STRING, t: TIMESTAMP>>"
)
MOMENT = dt.datetime(2026, 3, 29, 1, 30, 0, 123456)  # noqa: DTZ001 - TIMESTAMP_NTZ
FULL = {
    "b": True,
    "i8": -128,
    "i16": 32767,
    "i32": -(2**31),
    "i64": 2**63 - 1,
    "f32": 0.5,
    "f64": -0.0,
    "s": "é\u0000😀",
    "bin": b"\x00\xff",
    "d": dt.date(1500, 2, 3),
    "t": MOMENT,
    "z": MOMENT,
    "n9": Decimal("-1234567.89"),
    "n18": Decimal("12345678901234.5678"),
    "n38": Decimal("1234567890123456789012345678.0123456789"),
    "l": [1.5, None, float("inf")],
    "ls": [{"x": 1, "y": ["a", None]}, None, {"x": None, "y": None}],
    "m": {"k": {"v": 2.5}, "": None},
    "st": {"p": 1.0, "q": {"r": "in", "t": MOMENT}},
}
ROWS = [FULL, dict.fromkeys(FULL), {**FULL, "st": {"p": None, "q": None}, "l": [], "m": {}}]


@pytest.mark.parametrize("mapping", ["none", "name", "id"])
def test_every_type_reads_back_the_same(spark, tmp_path, mapping):
    """In Spark, by both of its Parquet readers, and in deltalake where it can read the table."""
    path = tmp_path / "t"
    properties = f"TBLPROPERTIES ('delta.columnMapping.mode' = '{mapping}')" * (mapping == "id")
    if mapping == "id":
        spark.sql(f"CREATE TABLE delta.`{path}` ({TYPES}) USING delta {properties}")
    mode = "name" if mapping == "name" else "none"
    given = [
        {**r, "t": r["t"] and r["t"].replace(tzinfo=dt.UTC), "m": r["m"] and list(r["m"].items())}
        for r in ROWS
    ]
    for r in given:
        if r["st"] and r["st"]["q"]:
            r["st"] = {"p": 1.0, "q": {"r": "in", "t": MOMENT.replace(tzinfo=dt.UTC)}}
    run(spark, path, given, TYPES, column_mapping=mode)
    expected = spark.createDataFrame([tuple(r.values()) for r in _local(ROWS)], TYPES)
    for vectorized in ("true", "false"):
        spark.conf.set("spark.sql.parquet.enableVectorizedReader", vectorized)
        try:
            found = spark.read.format("delta").load(str(path))
            assert [f.dataType for f in found.schema] == [f.dataType for f in struct(TYPES)]
            assert _plain(found.collect()) == _plain(expected.collect())
        finally:
            spark.conf.unset("spark.sql.parquet.enableVectorizedReader")
    if mapping == "none":
        table = pa.table(DeltaTable(str(path)).scan())
        assert table.num_rows == 3
        first = table.slice(0, 1).to_pylist()[0]
        assert first["n38"] == FULL["n38"]
        assert first["z"] == FULL["z"]
        assert first["t"] == MOMENT.replace(tzinfo=dt.UTC)
        assert first["ls"] == FULL["ls"]


def _local(rows):
    """Spark's createDataFrame takes naive times in the zone of this process."""
    here = MOMENT.replace(tzinfo=dt.UTC).astimezone().replace(tzinfo=None)
    out = []
    for r in rows:
        st = r["st"]
        if st and st["q"]:
            st = {**st, "q": {**st["q"], "t": here}}
        out.append({**r, "t": r["t"] and here, "st": st})
    return out


def _plain(rows):
    return [repr(r.asDict(recursive=True)) for r in rows]


def test_a_new_table_takes_any_name_by_column_mapping(spark, tmp_path):
    """Spaces and punctuation are refused without it, with both fixes named."""
    schema = "id BIGINT, `mean radius` DOUBLE, `a,b;c` STRUCT<`x y`: INT>"
    rows = [{"id": 1, "mean radius": 0.5, "a,b;c": {"x y": 3}}, {"id": 2}]
    with pytest.raises(SinkSchemaError, match=r"'mean radius'.*column_mapping: name.*rename"):
        target_of(spark, tmp_path / "t", schema)
    assert not (tmp_path / "t").exists()
    run(spark, tmp_path / "t", rows, schema, column_mapping="name")
    found = spark.read.format("delta").load(str(tmp_path / "t")).orderBy("id")
    assert [r.asDict(True) for r in found.collect()] == [
        rows[0],
        {"id": 2, "mean radius": None, "a,b;c": None},
    ]
    assert found.where("`mean radius` < 1").count() == 1


@pytest.mark.parametrize("mode", ["name", "id"])
def test_a_partition_of_a_column_mapped_table_is_replaced(spark, tmp_path, mode):
    """The log has physical names, the config has the table's."""
    path = tmp_path / "t"
    spark.sql(
        f"CREATE TABLE delta.`{path}` ({SCHEMA}) USING delta "
        f"PARTITIONED BY (d) TBLPROPERTIES ('delta.columnMapping.mode' = '{mode}')"
    )
    spark.sql(f"ALTER TABLE delta.`{path}` RENAME COLUMN d TO `the day`")
    schema = SCHEMA.replace("d STRING", "`the day` STRING")
    rows = [{"id": i, "the day": d, "score": 0.5} for i, d in [(1, "a"), (2, "b")]]
    run(spark, path, rows, schema, app="1")
    run(spark, path, [{"id": 3, "the day": "a"}], schema, app="2", partition={"the day": "a"})
    found = spark.read.format("delta").load(str(path))
    assert {(r.id, r["the day"], r.score) for r in found.collect()} == {
        (2, "b", 0.5),
        (3, "a", None),
    }


PARTITIONS = {
    "STRING": ["plain", "a b", "*", "None", "é😀", "a/b=c%20:?#", "x'y\"z\\", None],
    "INT": [-5, 0, None],
    "DATE": [dt.date(2026, 1, 31), dt.date(1582, 10, 4), None],
    "BOOLEAN": [True, False, None],
    "DECIMAL(9,2)": [Decimal("-1.50"), None],
    "TIMESTAMP_NTZ": [MOMENT, MOMENT.replace(microsecond=0), None],
}


@pytest.mark.parametrize("dtype", PARTITIONS)
def test_partition_values_read_back_and_are_found_again(spark, tmp_path, dtype):
    """From rows, in Spark and in deltalake; and each can be replaced by its declared value."""
    schema = f"id BIGINT, p {dtype}"
    values = PARTITIONS[dtype]
    rows = [{"id": i, "p": v} for i, v in enumerate(values)]
    run(spark, tmp_path / "t", rows, schema, app="all", partition_by=["p"])
    expected = dict(enumerate(values))
    found = spark.read.format("delta").load(str(tmp_path / "t"))
    assert {r.id: r.p for r in found.collect()} == expected
    table = pa.table(DeltaTable(str(tmp_path / "t")).scan())
    assert {r["id"]: r["p"] for r in table.to_pylist()} == expected
    for i, value in enumerate(values[-4:], len(values[:-4])):
        given = value if value is None or isinstance(value, bool | int) else str(value)
        bare = "id BIGINT"  # the rows need not carry the column
        run(spark, tmp_path / "t", [{"id": 100 + i}], bare, app=f"{i}", partition={"p": given})
    found = spark.read.format("delta").load(str(tmp_path / "t"))
    kept, replaced = values[:-4], values[-4:]
    expected = dict(enumerate(kept)) | dict(enumerate(replaced, 100 + len(kept)))
    assert {r.id: r.p for r in found.collect()} == expected


def test_timestamp_partitions_are_moments(spark, tmp_path):
    """Stored in UTC, whatever zone the session is in."""
    schema = "id BIGINT, p TIMESTAMP"
    moment = dt.datetime(2026, 1, 2, 3, 4, 5, 600000, tzinfo=dt.UTC)
    run(spark, tmp_path / "t", [{"id": 1, "p": moment}], schema, app="1", partition_by=["p"])
    bare = "id BIGINT"
    given = {"p": "2026-01-02T04:04:05.6+01:00"}
    run(spark, tmp_path / "t", [{"id": 2}], bare, app="2", partition=given)
    found = spark.read.format("delta").load(str(tmp_path / "t"))
    rows = found.select("id", F.unix_micros("p").alias("us")).collect()
    assert [(r.id, r.us) for r in rows] == [(2, round(moment.timestamp() * 1e6))]
    table = pa.table(DeltaTable(str(tmp_path / "t")).scan())
    assert table["p"].to_pylist() == [moment]


def test_an_empty_string_in_a_partition_column_is_null(spark, tmp_path):
    """As Delta's protocol has it, and as Spark's own writer does."""
    run(spark, tmp_path / "t", [row(1, ""), row(2, None), row(3, "x")], partition_by=["d"])
    found = spark.read.format("delta").load(str(tmp_path / "t"))
    assert {r.id: r.d for r in found.collect()} == {1: None, 2: None, 3: "x"}


def test_filters_skip_no_row_that_matches(spark, tmp_path):
    """Statistics are used (whole files skipped) and never lie: NaN, long strings, nulls, times."""
    schema = (
        "id BIGINT, x DOUBLE, s STRING, n DECIMAL(20,2), d DATE, t TIMESTAMP, st STRUCT<v: INT>"
    )
    t = dt.datetime(2026, 1, 1, 0, 0, 0, 999, tzinfo=dt.UTC)
    rows = [
        {
            "id": i,
            "x": float("nan") if i == 0 else i / 2,
            "s": "p" * 40 + str(i),
            "n": Decimal(i) / 4,
            "d": dt.date(2026, 1, 1 + i),
            "t": t + dt.timedelta(days=i),
            "st": {"v": i} if i % 2 else None,
        }
        for i in range(4)
    ]
    for i, r in enumerate(rows):
        run(spark, tmp_path / "t", [r], schema, app=str(i), mode="append")
    frame = spark.read.format("delta").load(str(tmp_path / "t"))
    assert {r.id for r in frame.where("x > 1000").collect()} == {0}  # NaN is above all numbers
    assert {r.id for r in frame.where(f"s = '{'p' * 40}2'").collect()} == {2}
    assert {r.id for r in frame.where("n >= 0.50").collect()} == {2, 3}
    assert {r.id for r in frame.where("d <= '2026-01-02'").collect()} == {0, 1}
    exact = "t = TIMESTAMP'2026-01-03 00:00:00.000999 UTC'"
    assert {r.id for r in frame.where(exact).collect()} == {2}
    assert {r.id for r in frame.where("st.v IS NULL").collect()} == {0, 2}
    assert {r.id for r in frame.where("st.v > 1").collect()} == {3}
    assert {r.id for r in frame.where("st IS NULL").collect()} == {0, 2}
    assert len(frame.where("id = 3").inputFiles()) == 1  # three files were not even listed
    assert math.isnan(frame.where("id = 0").first().x)


@pytest.mark.parametrize("name", ["with space é", "per%20cent a+b&c=d"])
def test_paths_are_taken_as_spark_takes_them(spark, tmp_path, name):
    """Spaces, letters of any script and percent signs mean themselves; `file:` and relative too."""
    path = tmp_path / name
    run(spark, path, [row(1)], app="1", partition_by=["d"])
    run(spark, f"file:{path}", [row(2)], app="2", mode="append")
    run(spark, f"file://{path}", [row(3)], app="3", mode="append")
    assert ids(spark, path) == [1, 2, 3]
    spark.sql(f"DELETE FROM delta.`{path}` WHERE id = 2")
    assert ids(spark, path) == [1, 3]


def test_a_relative_path_is_relative(spark, tmp_path):
    """To where the driver was started, as with Spark's own writer."""
    relative = os.path.relpath(tmp_path / "t")
    run(spark, relative, [row(1)])
    assert ids(spark, relative) == [1]
    assert (tmp_path / "t" / "_delta_log").is_dir()
