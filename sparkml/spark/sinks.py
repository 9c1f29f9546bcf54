"""Where scores go: a sink of the config, opened before the first task and written once.

A Delta table, in a folder or of the catalog, is counted before it is committed. The others go
through Spark's own writer, which commits inside the write: they promise at-least-once, and a run
over its quarantine limit fails after the rows are written. Both are said in the configuration's
documentation. So does a Delta table on S3 where the workers' Python has no credentials for it,
which the outcome then says as a warning.
"""

from __future__ import annotations

from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it
from pyspark.sql.types import StructField, StructType

from sparkml.config import DeltaSink, TableSink
from sparkml.errors import SinkError, SparkMLError, UnsupportedTable
from sparkml.files import scheme_of
from sparkml.spark.catalog import create, in_its_folder, would_be_delta
from sparkml.spark.delta import open_target
from sparkml.spark.delta.log import DeltaTransaction
from sparkml.spark.delta.partition import with_fixed
from sparkml.spark.delta.root import root_of
from sparkml.spark.failures import FROM_SPARK
from sparkml.spark.names import check_names
from sparkml.spark.provenance import COLUMN, Provenance
from sparkml.spark.s3 import s3_options, unreadable, unwritable_by_workers
from sparkml.spark.session import require_delta
from sparkml.spark.spark_writer import SparkWriter
from sparkml.spark.types import column, quoted
from sparkml.spark.write import write_uncommitted
from sparkml.spark.written import Written, absolute, app_id, check_quarantine

if TYPE_CHECKING:
    from collections.abc import Mapping

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
            return _instead(spark, sink, whole, provenance, why=why)
        return _Delta(spark, sink, whole, provenance)
    writer = SparkWriter(spark, sink, whole)
    if isinstance(sink, TableSink):
        if writer.known is None:
            if would_be_delta(spark, sink):
                return _NewTable(spark, sink, whole, provenance)
            return _ThroughSpark(writer, provenance)
        folder = in_its_folder(sink, writer.known)
        if folder and _reached(spark, folder.path):
            with suppress(UnsupportedTable):  # Delta's own writer may well honour what ours cannot
                return _Delta(spark, folder, whole, provenance, table=sink.table)
    return _ThroughSpark(writer, provenance)


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
            instead = _instead(self._spark, self._sink, self.schema, self._provenance, why=why)
            self.warnings = instead.warnings
            return instead.write(df, plan, task, max_quarantine=max_quarantine)
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

    Where the run fails, it goes again, unless another has written to it meanwhile.
    """

    def __init__(
        self, spark: SparkSession, sink: TableSink, schema: StructType, provenance: Provenance
    ) -> None:
        require_delta(spark)
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
                if not self.read().head(1):
                    self._spark.sql(f"DROP TABLE {self.name}")
            raise
        self.warnings = made.warnings
        return written

    def read(self) -> DataFrame:
        return self._spark.read.table(self.name)


class _ThroughSpark:
    """Rows are counted on their way into Spark's writer, which commits by itself.

    So a run over its quarantine limit fails after the rows are written.
    """

    def __init__(
        self,
        writer: SparkWriter,
        provenance: Provenance,
        *,
        fixed: Mapping[str, Any] = MappingProxyType({}),
        warnings: tuple[str, ...] = (),
    ) -> None:
        self._writer, self._provenance, self.warnings = writer, provenance, warnings
        self._fixed = fixed
        self.name, self.sql, self.schema = writer.name, writer.sql, writer.schema
        self.read = writer.read

    def describe(self) -> dict[str, Any]:
        said = self._writer.describe()
        return said | ({"warning": " ".join(self.warnings)} if self.warnings else {})

    def done(self) -> int | None:
        return self._writer.version if self._writer.done() else None

    def write(
        self, df: DataFrame, plan: ScorePlan, task: ScoreTask, *, max_quarantine: float
    ) -> Written | None:
        scored = plan.apply(df, task).withColumn(COLUMN, self._provenance.column())
        for name, value in self._fixed.items():  # this run's partition, which the rows do not carry
            scored = scored.withColumn(name, F.lit(value).cast(self.schema[name].dataType))
        counts = {"rows": F.count(F.lit(1)), "quarantined": F.count(column("error"))}
        counted = self._writer.save(scored, counts)
        if counted is None:
            return None
        written = Written(**counted)
        fate = "the rows are written: this sink cannot take them back"
        check_quarantine(written, max_quarantine, where=self.name, fate=fate)
        return written


def _instead(
    spark: SparkSession, sink: DeltaSink, schema: StructType, provenance: Provenance, *, why: str
) -> _ThroughSpark:
    """A Delta sink that Spark's own writer fills, since Python cannot write there."""
    partition = sink.partition or {}
    whole = with_fixed(schema, DeltaTransaction(spark, sink.path).schema, partition)
    warning = (
        f"Python cannot write to {sink.path} here ({why}), so Spark's own writer wrote the table: "
        "it commits inside the write, so max_quarantine is checked after the rows are in it. "
        "Give the executors' environment credentials for the bucket to have it checked before."
    )
    return _ThroughSpark(
        SparkWriter(spark, sink, whole),
        provenance,
        fixed={f.name: partition[f.name] for f in whole.fields[len(schema.fields) :]},
        warnings=(warning,),
    )
