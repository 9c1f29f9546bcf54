"""Score and write in the workers: the rows never return to the JVM, only a report per file does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark import TaskContext

from sparkml.errors import SinkNotWritable, SparkMLError
from sparkml.spark.own_libraries import environment_of, own_libraries
from sparkml.spark.parquet.columns import encoded
from sparkml.spark.parquet.layout import REPORT_SCHEMA, FileReport, from_text, to_batch
from sparkml.spark.parquet.writer import write_files
from sparkml.spark.provenance import COLUMN
from sparkml.spark.types import spark_struct
from sparkml.spark.worker import score_batches

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyspark.sql import DataFrame

    from sparkml.spark.parquet.layout import Layout
    from sparkml.spark.provenance import Provenance
    from sparkml.spark.worker import ScoreTask


def write_uncommitted(
    df: DataFrame, task: ScoreTask, layout: Layout, *, provenance: Provenance
) -> list[FileReport]:
    """Score the rows of `df` into Parquet files that no table names yet; one Spark job.

    Returns a report for each file of each task's successful attempt. Files of attempts that failed
    or were overtaken are nobody's: a vacuum of the table removes them.
    """
    layout = encoded(layout, COLUMN)

    def run(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
        context = TaskContext.get()
        name = f"{context.partitionId():05d}" if context else "00000"
        scored = (_with_provenance(b, provenance) for b in score_batches(task, iter(batches)))
        try:
            for report in write_files(scored, layout, task=name):
                yield to_batch([report])
        except SparkMLError:  # some of them are OSErrors as well
            raise
        except OSError as error:
            said = f"a file cannot be written: {error}"
            raise SinkNotWritable(said, where=layout.root) from error

    with own_libraries(df.sparkSession, environment_of(task.live)):
        made = df.mapInArrow(run, spark_struct(REPORT_SCHEMA))
    rows = made.collect()
    return [from_text(row.report) for row in rows]


def _with_provenance(batch: pa.RecordBatch, provenance: Provenance) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [*batch.columns, provenance.array(batch.num_rows)], names=[*batch.schema.names, COLUMN]
    )
