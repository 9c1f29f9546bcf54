"""Tables of the catalog as sinks: what is Delta is counted before it is committed."""

from __future__ import annotations

import traceback
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from sparkml.config import FeaturesConfig, TableSink, load_as
from sparkml.errors import (
    QuarantineLimit,
    SinkError,
    SinkNotWritable,
    SinkSchemaError,
    SourceError,
)
from sparkml.spark import features_job
from sparkml.spark.catalog import create, described, drop_unwritten, in_its_folder
from tests.halves import ROWS, job_into, stored
from tests.quiet import Silent

pytestmark = pytest.mark.spark

TABLE = "scores_of_halves"


@pytest.fixture
def halves(spark, tmp_path):
    """A job into a table of the catalog, `go(**changes of the sink)`; one row of four fails."""
    yield job_into(TABLE, tmp_path)
    spark.sql(f"DROP TABLE IF EXISTS {TABLE}")


@pytest.fixture
def new_tables_are_delta(spark):
    """As on a platform whose tables are Delta's unless one says otherwise."""
    before = spark.conf.get("spark.sql.sources.default")
    spark.conf.set("spark.sql.sources.default", "delta")
    yield
    spark.conf.set("spark.sql.sources.default", before)


@pytest.fixture
def made(halves, new_tables_are_delta):
    """A first run into a table that there was not."""
    return halves()


def history(spark):
    """The operations and user metadata of the table's versions, the first one first."""
    rows = spark.sql(f"DESCRIBE HISTORY {TABLE}").orderBy("version").collect()
    return [(r.operation, r.userMetadata) for r in rows]


def test_a_new_table_is_one_of_the_catalog_and_holds_each_row_once(made, spark):
    """Managed, so that dropping it drops its files; provenance stands in the commit."""
    assert (made.rows, made.quarantined, made.table_version, made.files) == (4, 1, 1, 1)
    assert stored(spark, TABLE) == ROWS
    known = {r.col_name: r.data_type for r in spark.sql(f"DESCRIBE EXTENDED {TABLE}").collect()}
    assert ("delta", "MANAGED") == (known["Provider"], known["Type"])
    assert '"models"' in history(spark)[-1][1]
    assert made.sql == f"SELECT * FROM {TABLE}"
    assert len(made.sample) == 3


@pytest.mark.parametrize(("mode", "rows"), [("replace", ROWS), ("append", sorted(ROWS * 2))])
def test_a_delta_table_of_the_catalog_takes_a_second_run(mode, rows, made, halves, spark):
    """One commit each, counted by the driver."""
    outcome = halves(mode=mode)

    assert (outcome.rows, outcome.quarantined, outcome.table_version) == (4, 1, 2)
    assert sorted(rows) == stored(spark, TABLE)
    assert spark.sql(f"SELECT * FROM {TABLE} VERSION AS OF 1").count() == 4


def test_a_run_over_its_limit_leaves_a_table_as_it_was(made, halves, spark):
    """The limit is looked at before the commit."""
    with pytest.raises(QuarantineLimit, match="nothing was committed"):
        halves(limit=0.1)

    assert len(history(spark)) == 2


def test_a_run_over_its_limit_leaves_no_new_table(halves, new_tables_are_delta, spark):
    """Nor does what was made for it stay."""
    with pytest.raises(QuarantineLimit, match="nothing was committed"):
        halves(limit=0.1)

    assert not spark.catalog.tableExists(TABLE)


def test_a_plan_makes_no_table(halves, new_tables_are_delta, spark):
    """It says that there is none yet."""
    plan = halves(plan=True, partition_by=["id"])

    assert {"exists": False, "partitioned_by": ["id"]}.items() <= plan.sink.items()
    assert not spark.catalog.tableExists(TABLE)


def test_a_new_table_has_its_partitions(halves, new_tables_are_delta, spark):
    """As `partition_by` says."""
    outcome = halves(partition_by=["id"])

    detail = spark.sql(f"DESCRIBE DETAIL {TABLE}").collect()[0]
    assert (detail.partitionColumns, outcome.files) == (["id"], 4)


def test_a_name_may_have_three_parts_and_quotes(halves, new_tables_are_delta, spark):
    """Catalog, schema and table, quoted or not."""
    spark.sql("CREATE SCHEMA IF NOT EXISTS `my_scores`")
    name = "spark_catalog.`my_scores`.halves"
    try:
        for _ in range(2):
            outcome = halves(table=name)
        assert (outcome.table_version, spark.read.table(name).count()) == (2, 4)
    finally:
        spark.sql("DROP SCHEMA `my_scores` CASCADE")


def test_a_table_in_a_schema_that_there_is_not_is_refused(halves, new_tables_are_delta):
    """In words that name it."""
    with pytest.raises(SinkNotWritable, match="nowhere"):
        halves(table="nowhere.halves")


def test_other_columns_are_refused_before_any_task(halves, new_tables_are_delta, spark):
    """As in a table by its path."""
    spark.sql(f"CREATE TABLE {TABLE} (id STRING) USING DELTA")

    with pytest.raises(SinkSchemaError, match="'id' is string"):
        halves(mode="append")


@pytest.mark.parametrize("mode", ["replace", "append"])
def test_what_our_committer_cannot_keep_is_written_and_counted_by_spark(mode, made, halves, spark):
    """A table with a check constraint: as the sinks that promise less."""
    spark.sql(f"ALTER TABLE {TABLE} ADD CONSTRAINT whole CHECK (id >= 0)")

    with pytest.raises(QuarantineLimit, match="the rows are written"):
        halves(mode=mode, limit=0.1)
    outcome = halves(mode=mode)

    assert (outcome.rows, outcome.quarantined) == (4, 1)
    assert stored(spark, TABLE) == sorted(ROWS * (1 if mode == "replace" else 3))


def test_options_are_for_spark_s_own_writer(made, halves, spark):
    """`userMetadata` is one of Delta's."""
    outcome = halves(mode="append", options={"userMetadata": "said"})

    assert (outcome.rows, history(spark)[-1][1]) == (4, "said")


def test_the_feature_job_counts_a_table_that_it_replaces(spark, tmp_path, new_tables_are_delta):
    """Spark loses what it observes there, twice over."""
    pd.DataFrame({"id": np.arange(3)}).to_parquet(tmp_path / "rows.parquet")
    config = {
        "source": {"format": "parquet", "path": str(tmp_path / "rows.parquet")},
        "steps": [{"column": "twice", "expr": "id * 2"}],
        "sink": {"format": "table", "table": TABLE},
    }
    Path(tmp_path / "job.yaml").write_text(yaml.safe_dump(config))
    run = partial(features_job.run, report=Silent())
    try:
        for _ in range(2):
            assert run(load_as(FeaturesConfig, tmp_path / "job.yaml", env={})).rows == 3
    finally:
        spark.sql(f"DROP TABLE {TABLE}")


@pytest.mark.parametrize("name", ["Location", "Provider", "# Detailed Table Information"])
def test_a_column_called_like_what_the_catalog_tells_is_a_column(halves, spark, name):
    """`DESCRIBE` lists those that have a default a second time, after everything else."""
    options = "delta.feature.allowColumnDefaults' = 'supported', 'delta.columnMapping.mode' = 'name"
    spark.sql(
        f"CREATE TABLE {TABLE} (id BIGINT, `{name}` STRING DEFAULT 'x') USING delta "
        f"TBLPROPERTIES ('{options}')"
    )

    known = described(spark, TABLE)

    assert known["Provider"] == "delta"
    assert known["Location"].endswith(TABLE)
    assert in_its_folder(TableSink(format="table", table=TABLE), known).path == known["Location"]


@pytest.mark.parametrize("kind", ["VIEW", "TEMPORARY VIEW"])
def test_a_view_is_no_table_to_write(halves, spark, kind):
    """Spark would fail on the one, and write a table behind the other, to be read as the view."""
    spark.sql(f"CREATE {kind} viewed AS SELECT id, 1.5D AS x FROM range(3)")
    try:
        with pytest.raises(SinkNotWritable, match="view") as error:
            halves(table="viewed", mode="append", schema="merge")
        assert "name" in error.value.fix
    finally:
        spark.sql("DROP VIEW viewed")


def test_beside_a_temporary_view_the_table_is_named_with_its_schema(halves, spark):
    """As the error says."""
    spark.range(3).createOrReplaceTempView(TABLE)
    try:
        assert halves(table=f"default.{TABLE}").rows == 4
        assert spark.read.table(f"default.{TABLE}").count() == 4
    finally:
        spark.sql(f"DROP TABLE default.{TABLE}")
        spark.catalog.dropTempView(TABLE)


@pytest.mark.parametrize("name", ["my-table", "`x`y", "delta.`/tmp/none`"])
def test_what_no_table_can_be_called_is_refused_by_its_name(halves, name):
    """Before any task, in one line."""
    with pytest.raises(SinkNotWritable, match="backquotes") as error:
        halves(table=name)
    assert error.value.where == name


@pytest.mark.parametrize("plan", [True, False])
def test_columns_that_delta_cannot_have_are_to_be_renamed(
    plan, halves, new_tables_are_delta, spark
):
    """Another table would not take them either; a plan says so, too."""
    with pytest.raises(SinkSchemaError, match="'the id'") as error:
        halves(plan=plan, rename={"id": "the id"})
    assert "`rename`" in error.value.fix

    assert not spark.catalog.tableExists(TABLE)
    assert halves(rename={"id": "the_id"}).rows == 4


def test_columns_may_be_called_anything_where_new_tables_map_them(
    halves, new_tables_are_delta, spark
):
    """As a setting of the session can say."""
    mapping = "spark.databricks.delta.properties.defaults.columnMapping.mode"
    spark.conf.set(mapping, "name")
    try:
        assert halves(rename={"id": "the id, or so"}).rows == 4
    finally:
        spark.conf.unset(mapping)
    assert spark.read.table(TABLE).columns[0] == "the id, or so"


def test_a_plan_refuses_partitions_that_no_new_table_can_have(halves, new_tables_are_delta):
    """By a struct, or by a column that is not there."""
    for by, words in (("half", "half"), ("day", "'day' is not in the output")):
        with pytest.raises(SinkSchemaError, match=words):
            halves(plan=True, partition_by=[by])


def test_a_table_s_columns_are_met_in_upper_and_lower_case(halves, new_tables_are_delta, spark):
    """As in a folder, and as Spark meets them."""
    halves(rename={"id": "ID"})

    halves(mode="append")

    assert stored(spark, TABLE) == sorted(ROWS * 2)


def test_a_table_in_a_store_that_arrow_does_not_reach_is_written_by_spark(halves, spark, tmp_path):
    """One of Hadoop's alone, as Azure's older ones are."""
    conf = spark.sparkContext._jsc.hadoopConfiguration()
    conf.set("fs.viewfs.mounttable.tables.link./here", f"file://{tmp_path}/there")
    (tmp_path / "there").mkdir()
    spark.sql(f"CREATE TABLE {TABLE} (id BIGINT) USING delta LOCATION 'viewfs://tables/here/t'")

    outcome = halves(mode="append", schema="merge")

    assert (outcome.rows, outcome.quarantined, stored(spark, TABLE)) == (4, 1, ROWS)


def test_only_a_table_that_nobody_has_written_to_is_dropped(halves, new_tables_are_delta, spark):
    """Another run's commit keeps it, also one of no rows."""
    sink = TableSink(format="table", table=TABLE)
    halves()
    schema = spark.read.table(TABLE).schema
    spark.sql(f"DROP TABLE {TABLE}")

    create(spark, sink, schema)
    assert halves(source={"where": "id < 0"}).rows == 0
    drop_unwritten(spark, sink)
    assert spark.catalog.tableExists(TABLE)

    spark.sql(f"DROP TABLE {TABLE}")
    create(spark, sink, schema)
    drop_unwritten(spark, sink)
    assert not spark.catalog.tableExists(TABLE)


def test_a_run_whose_new_table_is_dropped_by_another_fails(halves, new_tables_are_delta, spark):
    """It had opened it before the other's failed; its rows are not lost in silence."""
    sink = TableSink(format="table", table=TABLE)
    halves()
    schema = spark.read.table(TABLE).schema
    spark.sql(f"DROP TABLE {TABLE}")
    create(spark, sink, schema)

    with pytest.raises(SinkError):
        halves(meanwhile=lambda: drop_unwritten(spark, sink))

    assert halves().rows == 4
    assert stored(spark, TABLE) == ROWS


def test_a_location_with_a_password_is_refused_without_it():
    """As another's table may have; the address would stand in the outcome."""
    sink = TableSink(format="table", table=TABLE)
    known = {"Provider": "delta", "Location": "s3a://AKIAIOSFODNN7EXAMPLE:pass-w0rd@bucket/t"}

    with pytest.raises(SinkNotWritable, match="its location in the catalog holds") as error:
        in_its_folder(sink, known)

    assert error.value.where == TABLE
    assert "pass-w0rd" not in "".join(traceback.format_exception(error.value))


@pytest.mark.parametrize("by", [[], ["id"]])
@pytest.mark.parametrize("mode", ["replace", "append"])
def test_rows_of_a_parquet_table_are_counted(mode, by, halves, spark):
    """New, again, none, and beside those that the session wrote before."""
    for where, rows in (("true", 4), ("true", 4), ("id < 0", 0), ("id = 2", 1), ("id < 0", 0)):
        outcome = halves(mode=mode, partition_by=by, source={"where": where}, limit=1)
        held = spark.read.table(TABLE).count()
        assert (outcome.rows, outcome.quarantined) == (rows, min(rows, 1))
        if mode == "replace":
            assert held == rows
    assert held == (0 if mode == "replace" else 9)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("by", [[], ["part"]])
def test_the_feature_job_counts_rows_that_spark_makes_fewer_or_none(kind, by, spark, tmp_path):
    """Its optimizer takes away what it knows to be empty, and puts small parts together."""
    config = {
        "source": {"format": "sql", "query": "SELECT * FROM counted"},
        "steps": [{"column": "part", "expr": "n % 3"}],
        "sink": {"format": "table", "table": TABLE, "partition_by": by},
    }
    Path(tmp_path / "job.yaml").write_text(yaml.safe_dump(config))
    before = spark.conf.get("spark.sql.sources.default")
    spark.conf.set("spark.sql.sources.default", kind)
    grouped = "SELECT id % 10 AS id, count(*) AS n FROM range({}) GROUP BY 1"
    queries = {grouped.format(1000): 10, grouped.format(0): 0, f"{grouped.format(9)} LIMIT 0": 0}
    try:
        for query, rows in (*queries.items(), *queries.items()):
            spark.sql(query).createOrReplaceTempView("counted")
            loaded = load_as(FeaturesConfig, tmp_path / "job.yaml", env={})
            assert features_job.run(loaded, report=Silent()).rows == rows
            assert spark.read.table(TABLE).count() == rows
    finally:
        spark.conf.set("spark.sql.sources.default", before)
        spark.sql(f"DROP TABLE IF EXISTS {TABLE}")
        spark.catalog.dropTempView("counted")


@pytest.mark.parametrize("plan", [True, False])
@pytest.mark.parametrize("default", ["delta", "parquet"])
def test_a_catalog_or_schema_that_there_is_not_is_refused(plan, default, halves, spark):
    """And those that there are, are listed; for the source, too."""
    before = spark.conf.get("spark.sql.sources.default")
    spark.conf.set("spark.sql.sources.default", default)
    try:
        for name in ("nowhere.main.halves", "nowhere.`a b`.c.halves", "nowhere.halves"):
            with pytest.raises(SinkNotWritable, match="nowhere") as error:
                halves(plan=plan, table=name)
            assert "spark_catalog" in error.value.fix
            assert "spark.sql.catalog." in error.value.fix
    finally:
        spark.conf.set("spark.sql.sources.default", before)
    for source in (
        {"format": "table", "table": "nowhere.main.rows"},
        {"format": "sql", "query": "SELECT * FROM nowhere.main.rows"},
    ):
        with pytest.raises(SourceError, match="nowhere") as error:
            halves(plan=plan, source=source)
        assert "spark_catalog" in error.value.fix


def test_a_catalog_whose_class_is_not_there_is_refused(halves, spark):
    """With the setting that names it."""
    spark.conf.set("spark.sql.catalog.broken", "no.such.Catalog")
    try:
        with pytest.raises(SinkNotWritable, match=r"no\.such\.Catalog"):
            halves(table="broken.main.halves")
        with pytest.raises(SourceError, match=r"no\.such\.Catalog"):
            halves(source={"format": "table", "table": "broken.main.rows"})
    finally:
        spark.conf.unset("spark.sql.catalog.broken")
