"""Iceberg tables as sinks: one transaction each, counted before its commit."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest
import yaml

from sparkml.errors import (
    CommitConflict,
    QuarantineLimit,
    SinkError,
    SinkNotWritable,
    SinkSchemaError,
)
from tests.halves import ROWS, job_into, stored

TABLE = "lake.main.halves"
LAKE = (".type", ".warehouse")
pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def lake(spark, tmp_path_factory):
    """The folder of an Iceberg catalog, declared as a job's `spark.conf` would."""
    if not any(".jars/iceberg-" in jar for jar in spark.conf.get("spark.jars", "").split(",")):
        pytest.skip("no Iceberg for this Spark: python tools/jars_for_tests.py iceberg")
    folder = tmp_path_factory.mktemp("lake")
    spark.conf.set("spark.sql.catalog.lake", "org.apache.iceberg.spark.SparkCatalog")
    for end, value in zip(LAKE, ("hadoop", str(folder)), strict=True):
        spark.conf.set(f"spark.sql.catalog.lake{end}", value)
    spark.sql("CREATE SCHEMA lake.main")
    return folder


@pytest.fixture
def halves(spark, lake, tmp_path):
    """A job into an Iceberg table, `go(**changes of the sink)`; one row of four fails."""
    yield job_into(TABLE, tmp_path)
    spark.sql(f"DROP TABLE IF EXISTS {TABLE} PURGE")


@pytest.fixture
def made(halves):
    """A first run into a table that there was not."""
    return halves()


def snapshots(spark, table=TABLE):
    """The operation and summary of each snapshot, the first one first."""
    rows = spark.sql(f"SELECT * FROM {table}.snapshots ORDER BY committed_at").collect()
    return [(r.operation, r.summary) for r in rows]


def files(lake):
    """Every file of the catalog but checksums."""
    return sorted(p for p in lake.rglob("*") if p.is_file() and p.suffix != ".crc")


def test_a_new_table_comes_with_the_commit_and_holds_each_row_once(made, spark):
    """Its snapshot tells which models gave the scores."""
    assert (made.rows, made.quarantined, made.files) == (4, 1, 1)
    assert stored(spark, TABLE) == ROWS
    ((operation, summary),) = snapshots(spark)
    assert (operation, summary["added-records"]) == ("append", "4")
    assert list(json.loads(summary["sparkml"])["models"]) == ["half"]
    assert spark.sql(f"{made.sql} VERSION AS OF {made.table_version}").count() == 4
    assert len(made.sample) == 3


@pytest.mark.parametrize(("mode", "rows"), [("replace", ROWS), ("append", sorted(ROWS * 2))])
def test_a_second_run_replaces_or_adds(mode, rows, made, halves, spark):
    """One commit; what was there before can still be read."""
    again = halves(mode=mode)

    assert (again.rows, again.quarantined, len(snapshots(spark))) == (4, 1, 2)
    assert stored(spark, TABLE) == sorted(rows)
    assert spark.sql(f"SELECT * FROM {TABLE} VERSION AS OF {made.table_version}").count() == 4


def test_a_run_over_its_limit_leaves_a_table_and_its_folder_as_they_were(made, halves, spark, lake):
    """No commit, no branch, no file."""
    before = files(lake)

    for mode in ("replace", "append"):
        with pytest.raises(QuarantineLimit, match="nothing was committed"):
            halves(limit=0.1, mode=mode)

    assert (len(snapshots(spark)), stored(spark, TABLE)) == (1, ROWS)
    assert [r.name for r in spark.sql(f"SELECT name FROM {TABLE}.refs").collect()] == ["main"]
    assert files(lake) == before


def test_a_run_over_its_limit_leaves_no_new_table(halves, spark, lake):
    """Nor a file of it; the next run makes it."""
    before = files(lake)
    with pytest.raises(QuarantineLimit, match="nothing was committed"):
        halves(limit=0.1)

    assert not spark.catalog.tableExists(TABLE)
    assert files(lake) == before
    assert halves().rows == 4


def test_a_replaced_table_to_which_another_adds_is_a_conflict(made, halves, spark):
    """Its rows would be lost."""
    insert = f"INSERT INTO {TABLE} SELECT id + 10, half, error, provenance FROM {TABLE}"

    with pytest.raises(CommitConflict, match="nothing was committed"):
        halves(meanwhile=lambda: spark.sql(insert))

    assert (len(snapshots(spark)), spark.read.table(TABLE).count()) == (2, 8)
    assert halves().rows == 4
    assert stored(spark, TABLE) == ROWS


def test_an_empty_table_to_which_another_adds_is_a_conflict(made, halves, spark):
    """It has no snapshot to compare with."""
    spark.sql(f"CREATE TABLE lake.main.kept AS SELECT * FROM {TABLE}")
    spark.sql(f"DROP TABLE {TABLE} PURGE")
    fields = spark.read.table("lake.main.kept").schema.fields
    columns = ", ".join(f"{f.name} {f.dataType.simpleString()}" for f in fields)
    spark.sql(f"CREATE TABLE {TABLE} ({columns}) USING iceberg")
    try:
        with pytest.raises(CommitConflict):
            halves(meanwhile=lambda: spark.sql(f"INSERT INTO {TABLE} TABLE lake.main.kept"))
        assert spark.read.table(TABLE).count() == 4
    finally:
        spark.sql("DROP TABLE lake.main.kept PURGE")


def test_rows_that_others_add_stand_beside_those_that_a_run_adds(made, halves, spark):
    """Neither undoes the other."""
    outcome = halves(
        mode="append", meanwhile=lambda: spark.sql(f"INSERT INTO {TABLE} TABLE {TABLE}")
    )

    assert (outcome.rows, outcome.quarantined) == (4, 1)
    assert stored(spark, TABLE) == sorted(ROWS * 3)
    assert spark.sql(f"SELECT * FROM {TABLE} VERSION AS OF {outcome.table_version}").count() == 12


def test_a_new_table_that_another_makes_first_is_a_conflict(halves, spark):
    """It stays as that one made it."""
    with pytest.raises(CommitConflict, match="nothing was committed"):
        halves(meanwhile=lambda: spark.sql(f"CREATE TABLE {TABLE} (id INT) USING iceberg"))

    assert spark.read.table(TABLE).columns == ["id"]


KILLED = """
import os, sys
from sparkml.spark.iceberg import IcebergTransaction
from sparkml.cli import main

def die(self):
    os.kill(os.getpid(), 9)

IcebergTransaction.commit = die
main()
"""


@pytest.fixture
def elsewhere(spark, lake, tmp_path):
    """`elsewhere(code)`: a process of its own that scores what `halves` just did."""

    def run(code):
        names = ("spark.jars", *(f"spark.sql.catalog.lake{end}" for end in ("", *LAKE)))
        conf = {name: spark.conf.get(name) for name in names} | {"spark.ui.enabled": "false"}
        job = tmp_path / "job.yaml"
        config = yaml.safe_load(job.read_text())
        config["spark"] = {"master": "local[1]", "conf": conf}
        job.write_text(yaml.safe_dump(config))
        command = [sys.executable, "-c", code, "score", "--config", str(job)]
        return subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)

    return run


def test_a_run_that_is_killed_changes_nothing(made, halves, elsewhere, spark, lake):
    """A run again works as if it had not been."""
    before = files(lake)

    done = elsewhere(KILLED)

    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(files(lake)) > len(before)  # its rows were written
    assert (len(snapshots(spark)), stored(spark, TABLE)) == (1, ROWS)
    assert halves().rows == 4
    assert stored(spark, TABLE) == ROWS


def test_a_plan_tells_what_would_happen_and_makes_no_table(halves, spark):
    """Of a new table and of one that is there."""
    new = halves(plan=True, partition_by=["id"]).sink
    assert not spark.catalog.tableExists(TABLE)
    assert {"format": "iceberg", "exists": False, "partitioned_by": ["id"]}.items() <= new.items()

    version = halves().table_version
    old = halves(plan=True).sink
    assert (old["version"], old["replaces"], old["new_columns"]) == (version, "the whole table", [])
    assert old["removes"] == {"files": 1, "rows": 4}
    assert halves(plan=True, mode="append").sink["replaces"] == "nothing"


def test_a_table_keeps_its_partitions_when_it_is_replaced(halves, spark):
    """Also where the sink does not name them."""
    first = halves(partition_by=["id"])
    again = halves()

    assert (first.files, again.files, again.rows) == (4, 4, 4)
    assert spark.sql(f"SELECT * FROM {TABLE}.partitions").count() == 4
    with pytest.raises(SinkSchemaError, match="partitioned by id, not by error"):
        halves(partition_by=["error"])


def test_columns_that_do_not_fit_are_refused_before_any_task(halves, spark, lake):
    """Another type, a new column, a missing one that is NOT NULL."""
    spark.sql(f"CREATE TABLE {TABLE} (id STRING) USING iceberg")
    with pytest.raises(SinkSchemaError, match="'id' is string"):
        halves(mode="append")
    spark.sql(f"DROP TABLE {TABLE} PURGE")
    spark.sql(f"CREATE TABLE {TABLE} (id BIGINT, day DATE NOT NULL) USING iceberg")
    with pytest.raises(SinkSchemaError, match="no column 'half'"):
        halves(mode="append")
    with pytest.raises(SinkSchemaError, match="'day' is NOT NULL"):
        halves(mode="append", schema="merge")
    assert snapshots(spark) == []


def test_new_columns_come_with_the_commit_where_the_sink_says_so(made, halves, spark):
    """Another model's struct, and its place in the provenance; what lacks it has nulls."""
    merged = {"rename": {"half": "HALVED"}, "mode": "append", "schema": "merge"}
    with pytest.raises(QuarantineLimit):
        halves(limit=0.1, **merged)
    assert "HALVED" not in spark.read.table(TABLE).columns

    outcome = halves(**merged)

    assert outcome.rows == 4
    rows = spark.read.table(TABLE).select("half.prediction", "HALVED.prediction").collect()
    assert sorted([r[0] is None, r[1] is None] for r in rows) == [
        *[[False, True]] * 3,
        *[[True, False]] * 3,
        *[[True, True]] * 2,
    ]
    uris = spark.read.table(TABLE).select("provenance.models.HALVED.uri").dropna().count()
    assert uris == 4


def test_what_a_table_keeps_as_another_type_fits_it_again(halves, spark):
    """Iceberg has no short integers."""
    source = {"format": "sql", "query": "SELECT CAST(id AS SMALLINT) id, 1.5D AS x FROM range(3)"}

    for _ in range(2):
        assert halves(source=source).rows == 3

    assert spark.read.table(TABLE).schema["id"].dataType.simpleString() == "int"


def test_no_rows_are_written_and_counted(halves, spark):
    """Into a new table and into one that is replaced."""
    for _ in range(2):
        outcome = halves(source={"where": "id < 0"})
        assert (outcome.rows, outcome.quarantined, outcome.files) == (0, 0, 0)
    assert stored(spark, TABLE) == []


def test_errors_are_counted_in_a_table_with_more_columns_than_have_statistics(halves, spark):
    """Iceberg keeps those of the first hundred; the table's own settings stay as they were."""
    wide = ", ".join(f"{i} AS c{i}" for i in range(120))
    query = f"SELECT id, IF(id = 1, NULL, 1.5D) AS x, {wide} FROM range(4)"
    source = {"format": "sql", "query": query}
    keep = [f"c{i}" for i in range(120)]
    halves(source=source, keep=keep)

    for key in ("write.metadata.metrics.column.error.code", "write.metadata.metrics.default"):
        before = spark.sql(f"SHOW TBLPROPERTIES {TABLE}").collect()
        with pytest.raises(QuarantineLimit):
            halves(source=source, keep=keep, limit=0.1)
        assert halves(source=source, keep=keep).quarantined == 1
        after = spark.sql(f"SHOW TBLPROPERTIES {TABLE}").collect()
        assert [r for r in before if "snapshot" not in r.key] == [
            r for r in after if "snapshot" not in r.key
        ]
        spark.sql(f"ALTER TABLE {TABLE} SET TBLPROPERTIES ('{key}' = 'none')")
    assert halves(source=source, keep=keep).quarantined == 1


@pytest.mark.parametrize("kind", ["orc", "avro"])
def test_a_format_that_tells_its_nulls_is_counted_and_another_refused(kind, made, halves, spark):
    """Avro has no statistics."""
    spark.sql(f"ALTER TABLE {TABLE} SET TBLPROPERTIES ('write.format.default' = '{kind}')")

    if kind == "orc":
        assert halves().quarantined == 1
    else:
        with pytest.raises(SinkError, match="nothing was committed"):
            halves()
    assert stored(spark, TABLE) == ROWS


@pytest.mark.parametrize("name", ["branch_audit", "snapshots", "snapshot_id_{}"])
def test_what_of_a_table_is_not_the_table_is_refused(name, made, halves, spark):
    """A branch, Iceberg's tables about a table, its past."""
    spark.sql("CALL lake.system.fast_forward('main.halves', 'audit', 'main')")
    with pytest.raises(SinkNotWritable):
        halves(table=f"{TABLE}.{name.format(made.table_version)}")
    assert len(snapshots(spark)) == 1


def test_options_are_for_spark_s_own_writer(made, halves, spark):
    """As `snapshot-property` of Iceberg's."""
    outcome = halves(mode="append", options={"snapshot-property.said": "so"})

    assert (outcome.rows, outcome.quarantined) == (4, 1)
    assert snapshots(spark)[-1][1]["said"] == "so"


def test_a_name_may_have_quotes_dots_and_blanks(halves, spark):
    """Catalog, schema and table; for a job's source, too."""
    spark.sql("CREATE SCHEMA lake.`a b`")
    name = "lake.`a b`.`t.x y`"
    try:
        for _ in range(2):
            assert halves(table=name).rows == 4
        assert stored(spark, name) == ROWS
        source = {"format": "table", "table": name}
        assert {"table": name, "exists": True}.items() <= halves(plan=True, table=name).sink.items()
        spark.sql("CREATE TABLE lake.`a b`.`x.y` USING iceberg AS SELECT 7L AS id, 3.0D AS x")
        source["table"] = "lake.`a b`.`x.y`"
        assert halves(source=source).rows == 1
        assert stored(spark, TABLE) == [(7, 1.5)]
    finally:
        for table in (name, "lake.`a b`.`x.y`"):
            spark.sql(f"DROP TABLE IF EXISTS {table} PURGE")
