"""Delta tables with features of their own: honoured, or refused and left as they were."""

import json

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from sparkml.errors import (
    SinkError,
    SinkNotWritable,
    UnsupportedTable,
)
from tests.delta_runs import SCHEMA, files_under, ids, refuses, row, run, target_of, tasks

pytestmark = pytest.mark.spark


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
