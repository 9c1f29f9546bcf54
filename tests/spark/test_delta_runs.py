"""Several runs on one Delta table: one commit a run, conflicts seen, nothing twice."""

import json
from pathlib import Path

import pytest
from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it

from sparkml.config import DeltaSink, ParquetSink
from sparkml.errors import CommitConflict, SinkError
from sparkml.spark import spark_writer
from sparkml.spark.parquet.layout import from_text, to_batch
from sparkml.spark.parquet.writer import write_files
from tests.delta_runs import SCHEMA, files_under, ids, row, run, struct, target_of, tasks, version

pytestmark = pytest.mark.spark


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


def test_spark_s_own_writer_says_that_another_run_with_its_key_was_first(
    spark, tmp_path, monkeypatch
):
    """Delta skips the second write without a word, and its counts never come."""
    monkeypatch.setattr(spark_writer, "OBSERVED_S", 2.0)
    rows = spark.range(5)
    counts = {"rows": F.count(F.lit(1))}
    sink = DeltaSink(format="delta", path=str(tmp_path / "t"), mode="append", run_key="monday")
    first, second = (spark_writer.SparkWriter(spark, sink, rows.schema) for _ in range(2))

    assert {"rows": 5} == first.save(rows, counts)
    assert second.save(rows, counts) is None
    assert 5 == second.read().count()


def test_counts_that_never_come_are_no_run_that_was_done(spark, tmp_path, monkeypatch):
    """Of a sink that skips nothing: the rows are there, and nobody looked at their errors."""
    monkeypatch.setattr(spark_writer, "_arrived", lambda _: None)
    rows = spark.range(5)
    sink = ParquetSink(format="parquet", path=str(tmp_path / "p"), mode="append")
    writer = spark_writer.SparkWriter(spark, sink, rows.schema)

    with pytest.raises(SinkError, match="the rows are written"):
        writer.save(rows, {"rows": F.count(F.lit(1))})
    assert 5 == writer.read().count()
