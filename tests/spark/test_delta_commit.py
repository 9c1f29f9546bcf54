"""The two-part Delta sink: one commit a run, conflicts seen, tables never damaged."""

import datetime as dt
import json
import math
import os
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import (
    NullType,
    StructField,
    StructType,
)

from sparkml.errors import (
    CommitConflict,
    SinkError,
    SinkNotWritable,
    SinkSchemaError,
    UnsupportedTable,
)
from sparkml.spark.delta import open_target
from sparkml.spark.delta.types import arrow_type
from sparkml.spark.parquet.layout import from_text, to_batch
from sparkml.spark.parquet.writer import write_files

SCHEMA = "id BIGINT, d STRING, score DOUBLE, error STRING"


def struct(schema):
    """DDL needs a session to be read, which there is none of while tests are collected."""
    return StructType.fromDDL(schema) if isinstance(schema, str) else schema


def target_of(spark, path, schema=SCHEMA, *, app="run", mode="replace", **kw):
    return open_target(spark, str(path), struct(schema), mode=mode, app_id=app, **kw)


def tasks(target, rows, schema=SCHEMA):
    """What a task does with the rows, here in the driver's process."""
    given = pa.schema(list(arrow_type(struct(schema), physical=False)))
    batch = pa.RecordBatch.from_pylist(rows, given)
    return list(write_files([batch], target.layout, task="00000"))


def run(spark, path, rows, schema=SCHEMA, *, app="run", metadata=None, **kw):
    """One run from its beginning to its commit; the table's version."""
    target = target_of(spark, path, schema, app=app, **kw)
    return target.commit(tasks(target, rows, schema), metadata=metadata or {})


def row(i, d="a", **kw):
    return {"id": i, "d": d, "score": 0.5, "error": None, **kw}


def ids(spark, path, where="true"):
    found = spark.read.format("delta").load(str(path)).where(where).select("id").collect()
    return sorted(r.id for r in found)


def version(spark, path):
    return spark.sql(f"DESCRIBE HISTORY delta.`{path}`").agg(F.max("version")).first()[0]


def files_under(path):
    return sorted(str(p) for p in Path(path).rglob("*") if p.is_file())


def log_of(path):
    """The files of the table's log; a refused run must not change them."""
    return [p for p in files_under(path) if "_delta_log" in p]


# One table, several runs


def test_two_runs_on_one_empty_partition_conflict(spark, tmp_path):
    """Both saw the partition empty: the second learns it at its commit, and nothing doubles."""
    run(spark, tmp_path / "t", [row(0, "other")], app="base", partition_by=["d"])
    one = target_of(spark, tmp_path / "t", app="one", partition={"d": "a"})
    two = target_of(spark, tmp_path / "t", app="two", partition={"d": "a"})
    reports = tasks(two, [row(2)])
    one.commit(tasks(one, [row(1)]), metadata={})
    with pytest.raises(CommitConflict, match="nothing was committed"):
        two.commit(reports, metadata={})
    before = len(files_under(tmp_path / "t"))
    two.abandon(reports)
    assert ids(spark, tmp_path / "t") == [0, 1]
    assert len(files_under(tmp_path / "t")) < before


def test_the_same_run_again_is_already_done(spark, tmp_path):
    """The second time there is nothing to do, and whatever the table became is not checked."""
    run(spark, tmp_path / "t", [row(1)])
    spark.sql(f"ALTER TABLE delta.`{tmp_path}/t` ADD CONSTRAINT c CHECK (id > 0)")
    again = target_of(spark, tmp_path / "t")
    assert again.already_done
    assert again.describe()["already_done"] is True
    assert not target_of(spark, tmp_path / "u").already_done


def test_the_same_run_twice_at_once_commits_once(spark, tmp_path):
    """Both began; the one that commits second is told the version of the first, its files go."""
    run(spark, tmp_path / "t", [row(0)], app="base", partition_by=["d"])
    one = target_of(spark, tmp_path / "t", partition={"d": "a"})
    two = target_of(spark, tmp_path / "t", partition={"d": "a"})
    ours, theirs = tasks(one, [row(1)]), tasks(two, [row(1)])
    first = one.commit(ours, metadata={})
    assert two.commit(theirs, metadata={}) == first == version(spark, tmp_path / "t")
    assert ids(spark, tmp_path / "t") == [1]
    assert not Path(tmp_path / "t" / theirs[0].path).exists()
    assert Path(tmp_path / "t" / ours[0].path).exists()


def test_the_same_new_table_made_twice_at_once_is_made_once(spark, tmp_path):
    """The table itself is part of the commit, so that the second finds the first's."""
    one, two = target_of(spark, tmp_path / "t"), target_of(spark, tmp_path / "t")
    assert one.commit(tasks(one, [row(1)]), metadata={}) == 0
    assert two.commit(tasks(two, [row(1)]), metadata={}) == 0
    other = target_of(spark, tmp_path / "u", app="other")
    this = target_of(spark, tmp_path / "u")
    other.commit(tasks(other, [row(1)]), metadata={})
    with pytest.raises(CommitConflict):
        this.commit(tasks(this, [row(1)]), metadata={})


def test_a_commit_whose_answer_was_lost_is_recognised(spark, tmp_path):
    """Committing again after a commit that took place gives its version, and keeps its files."""
    target = target_of(spark, tmp_path / "t")
    reports = tasks(target, [row(1)])
    assert target.commit(reports, metadata={}) == 0
    assert target.commit(reports, metadata={}) == 0  # the transaction object refuses a second time
    target.abandon(reports)
    assert ids(spark, tmp_path / "t") == [1]


def test_runs_on_disjoint_partitions_both_commit(spark, tmp_path):
    """Neither saw what the other wrote."""
    run(spark, tmp_path / "t", [row(0, "z")], app="base", partition_by=["d"])
    one = target_of(spark, tmp_path / "t", app="one", partition={"d": "a"})
    two = target_of(spark, tmp_path / "t", app="two", partition={"d": "b"})
    one.commit(tasks(one, [row(1, "a")]), metadata={})
    two.commit(tasks(two, [row(2, "b")]), metadata={})
    assert ids(spark, tmp_path / "t") == [0, 1, 2]


def test_an_append_in_between_conflicts_with_replacing_the_table(spark, tmp_path):
    """Rows that a replacing run did not see are not lost."""
    run(spark, tmp_path / "t", [row(1)], app="base")
    target = target_of(spark, tmp_path / "t")
    spark.createDataFrame([(9, "x", 0.0, None)], SCHEMA).write.format("delta").mode("append").save(
        str(tmp_path / "t")
    )
    with pytest.raises(CommitConflict):
        target.commit(tasks(target, [row(2)]), metadata={})
    assert ids(spark, tmp_path / "t") == [1, 9]


def test_replace_and_append(spark, tmp_path):
    """Replacing leaves this run's rows alone; appending adds to what is there, also in between."""
    run(spark, tmp_path / "t", [row(1), row(2)], app="1")
    target = target_of(spark, tmp_path / "t", app="2")
    assert target.describe()["removes"] == {"files": 1, "rows": 2, "partitions": 1}
    target.commit(tasks(target, [row(3)]), metadata={})
    assert ids(spark, tmp_path / "t") == [3]
    late = target_of(spark, tmp_path / "t", app="3", mode="append")
    run(spark, tmp_path / "t", [row(4)], app="4", mode="append")
    late.commit(tasks(late, [row(5)]), metadata={})
    assert ids(spark, tmp_path / "t") == [3, 4, 5]


def test_a_run_without_rows_commits_its_schema_and_empties_its_partition(spark, tmp_path):
    """Nothing to write is a result as well."""
    assert run(spark, tmp_path / "t", [], app="1", partition_by=["d"]) == 0
    assert spark.read.format("delta").load(str(tmp_path / "t")).schema == struct(SCHEMA)
    run(spark, tmp_path / "t", [row(1, "a"), row(2, "b")], app="2")
    run(spark, tmp_path / "t", [], app="3", partition={"d": "a"})
    assert ids(spark, tmp_path / "t") == [2]


def test_the_history_tells_what_the_run_did(spark, tmp_path):
    """Operation, parameters, metrics and our metadata, as for Spark's own writes."""
    run(spark, tmp_path / "t", [row(1), row(2, "b")], app="1", partition_by=["d"])
    run(
        spark,
        tmp_path / "t",
        [row(3)],
        app="2",
        partition={"d": "a"},
        metadata={"model": "wine/7", "é": 1},
    )
    (last, _) = spark.sql(f"DESCRIBE HISTORY delta.`{tmp_path}/t`").collect()
    assert last.operation == "WRITE"
    assert last.operationParameters["mode"] == "Overwrite"
    assert last.operationParameters["predicate"] == "d = 'a'"
    assert json.loads(last.operationParameters["partitionBy"]) == ["d"]
    assert last.operationMetrics["numFiles"] == "1"
    assert last.operationMetrics["numOutputRows"] == "1"
    assert int(last.operationMetrics["numOutputBytes"]) > 0
    assert json.loads(last.userMetadata) == {"model": "wine/7", "é": 1}
    assert last.isBlindAppend is False


def test_tasks_on_executors_write_and_report(spark, tmp_path):
    """The whole way through Spark: mapInArrow, reports as rows, one commit."""
    target = target_of(spark, tmp_path / "t")
    layout = target.layout

    def write(batches):
        from pyspark import TaskContext

        yield to_batch(write_files(batches, layout, task=f"{TaskContext.get().partitionId():05d}"))

    frame = spark.range(1000, numPartitions=4).selectExpr(
        "id", "'a' AS d", "id / 10 AS score", "IF(id % 10 = 0, 'bad', NULL) AS error"
    )
    rows = frame.mapInArrow(write, "report string").collect()
    reports = [from_text(r.report) for r in rows]
    assert sum(r.rows for r in reports) == 1000
    assert sum(r.quarantined for r in reports) == 100
    target.commit(reports, metadata={})
    assert ids(spark, tmp_path / "t") == list(range(1000))


# What comes back

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


# What is refused


def refuses(spark, path, error, match, schema=SCHEMA, **kw):
    """The run is refused at once with the words, and the table's log is as it was."""
    before = log_of(path)
    with pytest.raises(error, match=match):
        target_of(spark, path, schema, app="refused", **kw)
    assert log_of(path) == before


def test_new_columns_are_refused_or_merged(spark, tmp_path):
    """As declared; merged columns are null in the old rows, nested ones too."""
    old = "id BIGINT, m STRUCT<prediction: DOUBLE>"
    new = "extra ARRAY<STRING>, id BIGINT, m STRUCT<probability: ARRAY<DOUBLE>, prediction: DOUBLE>"
    run(spark, tmp_path / "t", [{"id": 1, "m": {"prediction": 0.5}}], old, app="1")
    refuses(
        spark, tmp_path / "t", SinkSchemaError, r"'m.probability', 'extra'.*sink.schema: merge", new
    )
    later = {"extra": ["x"], "id": 2, "m": {"probability": [0.1], "prediction": 0.9}}
    run(spark, tmp_path / "t", [later], new, app="2", mode="append", on_schema_change="merge")
    run(spark, tmp_path / "t", [{"id": 3, "m": {"prediction": 0.7}}], old, app="3", mode="append")
    found = spark.read.format("delta").load(str(tmp_path / "t")).orderBy("id").collect()
    assert [r.asDict(True) for r in found] == [
        {"id": 1, "m": {"prediction": 0.5, "probability": None}, "extra": None},
        {"id": 2, "m": {"prediction": 0.9, "probability": [0.1]}, "extra": ["x"]},
        {"id": 3, "m": {"prediction": 0.7, "probability": None}, "extra": None},
    ]


def test_merging_into_a_column_mapped_table(spark, tmp_path):
    """New columns get physical names and ids from Delta, and the files use them."""
    path, wider = tmp_path / "t", "id BIGINT, `new one` STRUCT<`a b`: INT>"
    run(spark, path, [{"id": 1}], "id BIGINT", app="1", column_mapping="name")
    row = {"id": 2, "new one": {"a b": 5}}
    run(spark, path, [row], wider, app="2", mode="append", on_schema_change="merge")
    found = spark.read.format("delta").load(str(path)).orderBy("id").collect()
    assert [r.asDict(True) for r in found] == [{"id": 1, "new one": None}, row]


def test_another_type_is_refused_even_when_merging(spark, tmp_path):
    """Both types are named; nothing is widened silently."""
    run(spark, tmp_path / "t", [row(1)], app="1")
    other = "id INT, d STRING, score DECIMAL(9,2), error STRING"
    words = r"'id' is bigint in the table, int here.*'score' is double in the table, decimal\(9,2\)"
    refuses(spark, tmp_path / "t", SinkSchemaError, words, other, on_schema_change="merge")


def test_column_order_and_case_are_irrelevant_and_absent_columns_null(spark, tmp_path):
    """As with Spark's own writer, by name."""
    run(spark, tmp_path / "t", [row(1)], app="1")
    schema = "Score DOUBLE, ID BIGINT"
    run(spark, tmp_path / "t", [{"Score": 0.9, "ID": 2}], schema, app="2", mode="append")
    found = spark.read.format("delta").load(str(tmp_path / "t")).where("id = 2").first()
    assert found.asDict() == {"id": 2, "d": None, "score": 0.9, "error": None}


def test_not_null_columns_are_kept(spark, tmp_path):
    """A column that is absent is refused at once, a null in it before the commit."""
    path = tmp_path / "t"
    spark.sql(
        f"CREATE TABLE delta.`{path}` (id BIGINT NOT NULL, d STRING NOT NULL, score DOUBLE, "
        "error STRING) USING delta PARTITIONED BY (d)"
    )
    refuses(spark, path, SinkSchemaError, "'id' is NOT NULL", "d STRING, score DOUBLE")
    refuses(spark, path, SinkSchemaError, "'d' is NOT NULL", partition={"d": None})
    for bad in (row(None), row(1, None), row(1, "")):
        target = target_of(spark, path)
        reports = tasks(target, [bad])
        with pytest.raises(SinkSchemaError, match="is NOT NULL in the table"):
            target.commit(reports, metadata={})
    assert version(spark, path) == 0
    run(spark, path, [row(1)])
    assert ids(spark, path) == [1]


def test_rows_for_another_partition_are_refused_before_the_commit(spark, tmp_path):
    """A run that declared one partition cannot write into another."""
    run(spark, tmp_path / "t", [row(1, "a"), row(2, "b")], app="1", partition_by=["d"])
    target = target_of(spark, tmp_path / "t", app="2", partition={"d": "a"})
    reports = tasks(target, [row(3, "a"), row(4, "b")])
    with pytest.raises(SinkSchemaError, match="there are rows with d = 'b'"):
        target.commit(reports, metadata={})
    target.abandon(reports)
    assert ids(spark, tmp_path / "t") == [1, 2]
    assert len([p for p in files_under(tmp_path / "t") if p.endswith(".zstd.parquet")]) == 2


@pytest.mark.parametrize(
    ("kw", "match"),
    [
        ({"partition": {"day": "x"}}, "'day' is not a partition column"),
        ({"partition_by": ["id"]}, "partitioned by d, not by id"),
        ({"partition": {"d": ""}}, "cannot be ''"),
    ],
)
def test_partitions_that_the_table_lacks_are_refused(spark, tmp_path, kw, match):
    """Named with what the table is partitioned by."""
    run(spark, tmp_path / "t", [row(1)], app="1", partition_by=["d"])
    refuses(spark, tmp_path / "t", SinkSchemaError, match, **kw)


@pytest.mark.parametrize(
    ("schema", "by", "match"),
    [
        (StructType([StructField("v", NullType())]), [], "'v' has type void"),
        ("id INT, v INTERVAL DAY TO SECOND", [], "'v' has type interval"),
        ("id INT, v VARIANT", [], "'v' has type variant"),
        ("id INT, a ARRAY<STRUCT<v: INTERVAL YEAR>>", [], "'a.element.v'"),
        ("id INT, `ID` INT", [], "'ID' occurs twice|'id' occurs twice"),
        ("id INT, v DOUBLE", ["v"], "cannot be a partition column"),
        ("id INT", ["id"], "every column is a partition column"),
        ("id INT", ["idd"], "did you mean 'id'"),
    ],
)
def test_a_new_table_that_cannot_be_is_refused(spark, tmp_path, schema, by, match):
    """Before any task, and no folder is left behind."""
    with pytest.raises(SinkSchemaError, match=match):
        target_of(spark, tmp_path / "t", schema, partition_by=by)
    assert not (tmp_path / "t").exists()


ICEBERG = (
    "SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name', 'delta.minReaderVersion' = '2', "
    "'delta.minWriterVersion' = '7', 'delta.enableIcebergCompatV2' = 'true')"
)
HONOURED = {
    "all at once": (
        "'delta.enableDeletionVectors' = 'true', 'delta.enableInCommitTimestamps' = 'true', "
        "'delta.enableRowTracking' = 'true', 'delta.enableChangeDataFeed' = 'true', "
        "'delta.checkpointPolicy' = 'v2', 'delta.checkpointInterval' = '2', "
        "'delta.enableTypeWidening' = 'true', 'delta.feature.vacuumProtocolCheck' = 'supported', "
        "'delta.feature.checkConstraints' = 'supported', "
        "'delta.feature.generatedColumns' = 'supported', "
        "'delta.feature.identityColumns' = 'supported', "
        "'delta.feature.allowColumnDefaults' = 'supported', "
        "'delta.feature.timestampNtz' = 'supported', 'delta.columnMapping.mode' = 'name'"
    ),
    "by old version numbers": "'delta.minReaderVersion' = '2', 'delta.minWriterVersion' = '6'",
}


@pytest.mark.parametrize("feature", HONOURED)
def test_features_that_are_honoured(spark, tmp_path, feature):
    """Spark writes, deletes, we replace a partition and append, Spark reads and writes again."""
    path = tmp_path / "t"
    spark.sql(
        f"CREATE TABLE delta.`{path}` ({SCHEMA}) USING delta "
        f"PARTITIONED BY (d) TBLPROPERTIES ({HONOURED[feature]})"
    )
    spark.range(10).selectExpr("id", "'a' AS d", "1.0D AS score", "'' AS error").coalesce(
        1
    ).write.format("delta").mode("append").save(str(path))
    spark.sql(f"DELETE FROM delta.`{path}` WHERE id < 3")
    target = target_of(spark, path, app="1", partition={"d": "a"})
    assert target.describe()["removes"]["rows"] == 7
    target.commit(tasks(target, [row(i) for i in range(20, 25)]), metadata={})
    run(spark, path, [row(30, "b")], app="2", mode="append")
    spark.sql(f"DELETE FROM delta.`{path}` WHERE id = 22")
    spark.sql(f"UPDATE delta.`{path}` SET score = 9 WHERE id = 23")
    spark.sql(f"OPTIMIZE delta.`{path}`")
    assert ids(spark, path) == [20, 21, 23, 24, 30]
    assert ids(spark, path, "score = 9") == [23]
    if feature == "all at once":
        changes = spark.read.format("delta").option("readChangeFeed", "true")
        found = changes.option("startingVersion", 3).option("endingVersion", 3).load(str(path))
        kinds = {
            r._change_type: r["count"] for r in found.groupBy("_change_type").count().collect()
        }
        assert kinds == {"delete": 7, "insert": 5}
        tracked = spark.read.format("delta").load(str(path)).select("_metadata.row_id").collect()
        assert len({r.row_id for r in tracked}) == 5


def test_a_clustered_table_is_honoured(spark, tmp_path):
    """New files wait for the next OPTIMIZE; their clustering columns have statistics."""
    path = tmp_path / "t"
    spark.sql(
        f"CREATE TABLE delta.`{path}` (id BIGINT, d STRING, score DOUBLE, error STRING) "
        "USING delta CLUSTER BY (id)"
    )
    run(spark, path, [row(i) for i in range(5)], app="1")
    spark.sql(f"OPTIMIZE delta.`{path}`")
    run(spark, path, [row(9)], app="2", mode="append")
    assert ids(spark, path) == [0, 1, 2, 3, 4, 9]


def test_a_widened_column_is_written_in_its_new_type(spark, tmp_path):
    """Old files keep the narrow type, ours have the wide one."""
    path = tmp_path / "t"
    spark.sql(
        f"CREATE TABLE delta.`{path}` (id INT, v INT) USING delta "
        "TBLPROPERTIES ('delta.enableTypeWidening' = 'true')"
    )
    spark.sql(f"INSERT INTO delta.`{path}` VALUES (1, 1)")
    spark.sql(f"ALTER TABLE delta.`{path}` ALTER COLUMN v TYPE BIGINT")
    schema = "id INT, v BIGINT"
    run(spark, path, [{"id": 2, "v": 2**40}], schema, mode="append")
    found = spark.read.format("delta").load(str(path)).collect()
    assert {(r.id, r.v) for r in found} == {(1, 1), (2, 2**40)}


def test_an_append_only_table_takes_appends_alone(spark, tmp_path):
    """Replacing is refused at once."""
    run(spark, tmp_path / "t", [row(1)], app="1")
    spark.sql(f"ALTER TABLE delta.`{tmp_path}/t` SET TBLPROPERTIES ('delta.appendOnly' = 'true')")
    refuses(spark, tmp_path / "t", UnsupportedTable, "append-only.*sink.mode: append")
    run(spark, tmp_path / "t", [row(2)], app="2", mode="append")
    assert ids(spark, tmp_path / "t") == [1, 2]


@pytest.mark.parametrize(
    ("columns", "after", "match"),
    [
        (
            "id BIGINT, score DOUBLE",
            "ADD CONSTRAINT positive CHECK (id > 0)",
            "constraint positive",
        ),
        ("id BIGINT, c CHAR(3)", "", "'c' is a char or varchar"),
        ("id BIGINT, s STRUCT<v: INT NOT NULL>", "", "'s.v' is or has a NOT NULL"),
        ("id BIGINT, v VARIANT", "", "feature variantType"),
        ("id BIGINT, x INT DEFAULT 5", "", "'x' has a default"),
        (
            "id BIGINT",
            ICEBERG,
            "feature icebergCompatV2",
        ),
    ],
)
def test_tables_that_cannot_be_honoured_are_refused(spark, tmp_path, columns, after, match):
    """The rule is named, and the way out; the table is as it was."""
    path, extra = tmp_path / "t", ""
    if "DEFAULT" in columns:
        extra = "TBLPROPERTIES ('delta.feature.allowColumnDefaults' = 'supported')"
    spark.sql(f"CREATE TABLE delta.`{path}` ({columns}) USING delta {extra}")
    if after:
        spark.sql(f"ALTER TABLE delta.`{path}` {after}")
    schema = "id BIGINT"
    refuses(spark, path, UnsupportedTable, f"{match}.*sink.format: table", schema)


@pytest.mark.parametrize("kind", ["writerFeatures", "readerFeatures"])
def test_a_feature_of_the_future_is_refused(spark, tmp_path, kind):
    """Of which neither we nor this Delta have heard."""
    run(spark, tmp_path / "t", [row(1)], app="1")
    listed = {"writerFeatures": ["timeTravelToTomorrow"], "readerFeatures": []}
    if kind == "readerFeatures":
        listed["readerFeatures"] = listed["writerFeatures"]
    protocol = {"minReaderVersion": 3, "minWriterVersion": 7, **listed}
    log = tmp_path / "t" / "_delta_log" / "00000000000000000001.json"
    log.write_text(json.dumps({"protocol": protocol}))
    refuses(spark, tmp_path / "t", UnsupportedTable, "timeTravelToTomorrow")


def test_generated_and_identity_columns_are_refused(spark, tmp_path):
    """Spark's own writer computes them; ours would leave them out."""
    from delta.tables import DeltaTable as Table
    from delta.tables import IdentityGenerator

    for name, rule in [("g", "id + 1"), ("i", IdentityGenerator())]:
        new = Table.create(spark).location(str(tmp_path / name)).addColumn("id", "BIGINT")
        new.addColumn(name, "BIGINT", generatedAlwaysAs=rule).execute()
        match = f"'{name}' is an? (generated|identity) column.*sink.format: table"
        refuses(spark, tmp_path / name, UnsupportedTable, match, "id BIGINT")


def test_arrays_that_promise_no_nulls_are_refused(spark, tmp_path):
    """Another writer may put the promise into its schema; our files would not keep it."""
    strict = pa.list_(pa.field("element", pa.int64(), nullable=False))
    write_deltalake(
        str(tmp_path / "t"), pa.table({"id": pa.array([1]), "l": pa.array([[1]], strict)})
    )
    refuses(spark, tmp_path / "t", UnsupportedTable, "'l' is or has a NOT NULL", "id BIGINT")


def test_a_folder_of_other_files_is_refused(spark, tmp_path):
    """They would be neither kept nor seen; what a crashed run left is no matter."""
    spark.range(3).write.parquet(str(tmp_path / "t"))
    with pytest.raises(SinkNotWritable, match=r"files but no Delta table.*\.parquet"):
        target_of(spark, tmp_path / "t")
    crashed = target_of(spark, tmp_path / "u", app="1", partition_by=["d"])
    tasks(crashed, [row(1)])
    run(spark, tmp_path / "u", [row(2)], app="1", partition_by=["d"])
    assert ids(spark, tmp_path / "u") == [2]


def test_a_path_inside_a_table_or_a_file_is_refused(spark, tmp_path):
    """A table in a table, and a file in the way."""
    run(spark, tmp_path / "t", [row(1)], partition_by=["d"])
    with pytest.raises(SinkNotWritable, match="inside the Delta table"):
        target_of(spark, tmp_path / "t" / "d=a", app="x")
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "file" / "t"):
        with pytest.raises(SinkNotWritable):
            target_of(spark, path)


def test_a_scheme_that_the_workers_cannot_write_is_refused(spark):
    """Hadoop may know it, Arrow does not."""
    with pytest.raises(SinkError, match=r"cannot write to viewfs|cannot be opened"):
        target_of(spark, "viewfs://x/t")
    with pytest.raises(SinkError):
        target_of(spark, "nonsense://x/t")


def test_abandon_deletes_the_files_of_a_run_that_gave_up(spark, tmp_path):
    """A run over its quarantine limit leaves nothing."""
    target = target_of(spark, tmp_path / "t", partition_by=["d"])
    reports = tasks(target, [row(1, "a b"), row(2, "é")])
    assert len(files_under(tmp_path / "t")) == 2
    target.abandon(reports)
    assert files_under(tmp_path / "t") == []
