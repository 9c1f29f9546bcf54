"""The columns of a run and those of the Delta table: merged, refused, never guessed."""

import pytest
from pyspark.sql.types import (
    NullType,
    StructField,
    StructType,
)

from sparkml.errors import (
    SinkSchemaError,
)
from tests.delta_runs import files_under, ids, refuses, row, run, target_of, tasks, version

pytestmark = pytest.mark.spark


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
