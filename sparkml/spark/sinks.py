"""Where scores go: a sink of the config, opened before the first task and written once.

A Delta table, in a folder or of the catalog, and an Iceberg table are counted before they are
committed. The others go through Spark's own writer, which commits inside the write: they promise
at-least-once, and a run over its quarantine limit fails after the rows are written. Both are said
in the configuration's documentation. So does a Delta table on S3 where the workers' Python has no
credentials for it, which the outcome then says as a warning.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from pyspark.sql.types import StructField, StructType

from sparkml.config import DeltaSink, TableSink
from sparkml.errors import SinkError, SparkMLError, UnsupportedTable
from sparkml.files import scheme_of
from sparkml.spark.catalog import (
    check_new,
    create,
    described,
    drop_unwritten,
    format_of_new,
    in_its_folder,
)
from sparkml.spark.delta import open_target
from sparkml.spark.delta.root import root_of
from sparkml.spark.failures import FROM_SPARK
from sparkml.spark.iceberg_sink import IcebergSink
from sparkml.spark.names import check_names
from sparkml.spark.provenance import COLUMN, Provenance
from sparkml.spark.s3 import s3_options, unreadable, unwritable_by_workers
from sparkml.spark.session import require_delta
from sparkml.spark.spark_writer import SparkWriter
from sparkml.spark.through_spark import ThroughSpark, instead
from sparkml.spark.types import column, quoted
from sparkml.spark.write import write_uncommitted
from sparkml.spark.written import Written, absolute, app_id, check_quarantine

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from sparkml.config import Sink
    from sparkml.spark.score import ScorePlan
    from sparkml.spark.worker import ScoreTask


class OpenSink(Protocol):
    """A sink that has been checked and not yet written."""

    name: str
    sql: str
    schema: StructType
    warnings: tuple[str, ...]

    def describe(self) -> dict[str, Any]:
        """What will happen to it, for the plan."""
        ...

    def done(self) -> int | None:
        """The table's version if this run's rows are in it already."""
        ...

    def write(
        self, df: DataFrame, plan: ScorePlan, task: ScoreTask, *, max_quarantine: float
    ) -> Written | None:
        """Score `df` and store the rows; None where a run with the same key ended meanwhile."""
        ...

    def read(self) -> DataFrame:
        """What the sink holds now."""
        ...


def open_sink(
    spark: SparkSession, sink: Sink, schema: StructType, provenance: Provenance
) -> OpenSink:
    """The sink of a config, opened: everything that can be refused without a task is refused here.

    Raises:
        SinkError: it cannot be written, or holds other columns, or has features not supported.
    """
    whole = StructType([*schema.fields, StructField(COLUMN, provenance.spark_type)])
    check_names([COLUMN], whole.names, where="output")
    if isinstance(sink, DeltaSink):
        why = unreadable(sink.path, s3_options(spark, sink.path))
        if why:
            return instead(spark, sink, whole, provenance, why=why)
        return _Delta(spark, sink, whole, provenance)
    if isinstance(sink, TableSink):
        return _of_catalog(spark, sink, whole, provenance)
    return ThroughSpark(SparkWriter(spark, sink, whole), provenance)


def _of_catalog(
    spark: SparkSession, sink: TableSink, schema: StructType, provenance: Provenance
) -> OpenSink:
    """A table of a catalog, by its format; sinks with options are for Spark's own writer."""
    known = described(spark, sink.table)
    made = known.get("Provider", "").lower() if known else format_of_new(spark, sink)
    if made == "iceberg" and not sink.options:
        return IcebergSink(spark, sink, schema, provenance, exists=known is not None)
    if made == "delta" and not sink.options and known is None:
        return _NewTable(spark, sink, schema, provenance)
    folder = in_its_folder(sink, known or {})
    if folder and _reached(spark, folder.path):
        with suppress(UnsupportedTable):  # Delta's own writer may well honour what ours cannot
            return _Delta(spark, folder, schema, provenance, table=sink.table)
    return ThroughSpark(SparkWriter(spark, sink, schema, known=known), provenance)


def _reached(spark: SparkSession, path: str) -> bool:
    """Whether Python has a way to a table's folder, which Spark may keep in any store."""
    s3 = s3_options(spark, path)
    with suppress(SinkError):
        root_of(scheme_of(path), path.partition(":")[2], s3)
        return not unreadable(path, s3)
    return False


class _Delta:
    """Tasks write uncommitted Parquet files and report them; this driver counts, then commits.

    `table` is what the catalog calls it, where it does.
    """

    def __init__(
        self,
        spark: SparkSession,
        sink: DeltaSink,
        schema: StructType,
        provenance: Provenance,
        *,
        table: str = "",
    ) -> None:
        require_delta(spark)
        self.name, self.schema = table or sink.path, schema
        reference = table or f"delta.{quoted(absolute(sink.path))}"
        self.sql = f"SELECT * FROM {reference}"  # noqa: S608 - only shown
        self.warnings: tuple[str, ...] = ()
        self._spark, self._sink, self._provenance = spark, sink, provenance
        self._target = open_target(
            spark,
            sink.path,
            schema,
            mode=sink.mode,
            partition=sink.partition or {},
            partition_by=sink.partition_by,
            on_schema_change=sink.schema_,
            column_mapping=sink.column_mapping,
            app_id=app_id(sink.run_key or provenance.run_key),
        )

    def describe(self) -> dict[str, Any]:
        return {"format": "delta", **self._target.describe()}

    def done(self) -> int | None:
        return self._target.table_version if self._target.already_done else None

    def write(
        self, df: DataFrame, plan: ScorePlan, task: ScoreTask, *, max_quarantine: float
    ) -> Written | None:
        layout = self._target.layout
        why = unwritable_by_workers(self._spark, layout.root, layout.s3)
        if why:
            other = instead(self._spark, self._sink, self.schema, self._provenance, why=why)
            self.warnings = other.warnings
            return other.write(df, plan, task, max_quarantine=max_quarantine)
        reports = write_uncommitted(
            plan.select(self._sorted(df, plan)),
            task,
            layout,
            provenance=self._provenance,
        )
        counts = Written(
            rows=sum(r.rows for r in reports), quarantined=sum(r.quarantined for r in reports)
        )
        try:
            fate = "nothing was committed"
            check_quarantine(counts, max_quarantine, where=self.name, fate=fate)
            version = self._target.commit(reports, metadata=self._provenance.value)
        except SparkMLError:
            self._target.abandon(reports)
            raise
        return Written(
            rows=counts.rows,
            quarantined=counts.quarantined,
            files=len(reports),
            table_version=version,
        )

    def _sorted(self, df: DataFrame, plan: ScorePlan) -> DataFrame:
        """The rows by partition within each task, so that a task has one file open at a time."""
        loose = {p.name for p in self._target.layout.partitions if not p.fixed}
        columns = [column(source) for source, name in plan.keep if name in loose]
        return df.sortWithinPartitions(*columns) if columns else df

    def read(self) -> DataFrame:
        return self._spark.read.format("delta").load(self._sink.path)


class _NewTable:
    """A Delta table that the catalog has not yet: made without rows, then written as any other.

    Where the run fails, it goes again, unless another has committed to it meanwhile.
    """

    def __init__(
        self, spark: SparkSession, sink: TableSink, schema: StructType, provenance: Provenance
    ) -> None:
        require_delta(spark)
        check_new(spark, sink, schema)
        self.name, self.schema = sink.table, schema
        self.sql = f"SELECT * FROM {sink.table}"  # noqa: S608 - only shown
        self.warnings: tuple[str, ...] = ()
        self._spark, self._sink, self._provenance = spark, sink, provenance

    def describe(self) -> dict[str, Any]:
        by = list(self._sink.partition_by)
        return {"format": "delta", "table": self.name, "exists": False, "partitioned_by": by}

    def done(self) -> None:
        return None

    def write(
        self, df: DataFrame, plan: ScorePlan, task: ScoreTask, *, max_quarantine: float
    ) -> Written | None:
        create(self._spark, self._sink, self.schema)
        try:
            made = open_sink(self._spark, self._sink, plan.schema, self._provenance)
            written = made.write(df, plan, task, max_quarantine=max_quarantine)
        except BaseException:
            with suppress(*FROM_SPARK):  # a JVM that died
                drop_unwritten(self._spark, self._sink)
            raise
        self.warnings = made.warnings
        return written

    def read(self) -> DataFrame:
        return self._spark.read.table(self.name)
