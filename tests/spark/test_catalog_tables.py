"""Tables of the catalog as sinks: what is Delta is counted before it is committed."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.linear_model import LinearRegression

from sparkml.config import FeaturesConfig, TableSink, load_as, load_config
from sparkml.errors import QuarantineLimit, SinkNotWritable, SinkSchemaError
from sparkml.spark import features_job
from sparkml.spark import run as runs
from sparkml.spark.catalog import described, in_its_folder
from tests.quiet import Silent

pytestmark = pytest.mark.spark

TABLE = "scores_of_halves"
NUMBERS = [0.5, 1.0, None, 2.0]


@pytest.fixture
def halves(spark, tmp_path):
    """A job into a table of the catalog, `go(**changes of the sink)`; one row of four fails."""
    x = pd.DataFrame({"x": [0.0, 1.0, 2.0]})
    joblib.dump(LinearRegression().fit(x, x["x"] / 2), tmp_path / "m.joblib")
    rows = pd.DataFrame({"id": range(4), "x": pd.array(NUMBERS, "Float64")})
    rows.to_parquet(tmp_path / "rows.parquet")

    def go(*, plan=False, limit=0.25, rename=None, **sink):
        config = {
            "models": {"half": {"uri": str(tmp_path / "m.joblib")}},
            "source": {"format": "parquet", "path": str(tmp_path / "rows.parquet")},
            "key": ["id"],
            "rename": rename or {},
            "max_quarantine": limit,
            "sink": {"format": "table", "table": TABLE, **sink},
        }
        path = tmp_path / "job.yaml"
        path.write_text(yaml.safe_dump(config))
        loaded = load_config(str(path), env={})
        return runs.plan(loaded) if plan else runs.run(loaded, report=Silent())

    yield go
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


def stored(spark):
    """Each row's id and prediction."""
    rows = spark.read.table(TABLE).select("id", "half.prediction").collect()
    return sorted((r[0], None if r.prediction is None else round(r.prediction, 6)) for r in rows)


def history(spark):
    """The operations and user metadata of the table's versions, the first one first."""
    rows = spark.sql(f"DESCRIBE HISTORY {TABLE}").orderBy("version").collect()
    return [(r.operation, r.userMetadata) for r in rows]


ROWS = [(0, 0.25), (1, 0.5), (2, None), (3, 1.0)]


def test_a_new_table_is_one_of_the_catalog_and_holds_each_row_once(made, spark):
    """Managed, so that dropping it drops its files; provenance stands in the commit."""
    assert (made.rows, made.quarantined, made.table_version, made.files) == (4, 1, 1, 1)
    assert stored(spark) == ROWS
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
    assert sorted(rows) == stored(spark)
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
    assert stored(spark) == sorted(ROWS * (1 if mode == "replace" else 3))


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


@pytest.mark.parametrize("name", ["my-table", "a.b.c.d", "`x`y", "delta.`/tmp/none`"])
def test_what_no_table_can_be_called_is_refused_by_its_name(halves, name):
    """Before any task, in one line."""
    with pytest.raises(SinkNotWritable, match="backquotes") as error:
        halves(table=name)
    assert error.value.where == name


def test_columns_that_delta_cannot_have_are_to_be_renamed(halves, new_tables_are_delta, spark):
    """Another table would not take them either."""
    with pytest.raises(SinkNotWritable, match="rename"):
        halves(rename={"id": "the id"})

    assert halves(rename={"id": "the_id"}).rows == 4


def test_a_table_s_columns_are_met_in_upper_and_lower_case(halves, new_tables_are_delta, spark):
    """As in a folder, and as Spark meets them."""
    halves(rename={"id": "ID"})

    halves(mode="append")

    assert stored(spark) == sorted(ROWS * 2)


def test_a_table_in_a_store_that_arrow_does_not_reach_is_written_by_spark(halves, spark, tmp_path):
    """One of Hadoop's alone, as Azure's older ones are."""
    conf = spark.sparkContext._jsc.hadoopConfiguration()
    conf.set("fs.viewfs.mounttable.tables.link./here", f"file://{tmp_path}/there")
    (tmp_path / "there").mkdir()
    spark.sql(f"CREATE TABLE {TABLE} (id BIGINT) USING delta LOCATION 'viewfs://tables/here/t'")

    outcome = halves(mode="append", schema="merge")

    assert (outcome.rows, outcome.quarantined, stored(spark)) == (4, 1, ROWS)
