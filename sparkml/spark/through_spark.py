"""Sinks that Spark's own writer fills: their rows are counted on the way, and told afterwards."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it

from sparkml.spark.delta.log import DeltaTransaction
from sparkml.spark.delta.partition import with_fixed
from sparkml.spark.provenance import COLUMN
from sparkml.spark.spark_writer import SparkWriter
from sparkml.spark.types import column
from sparkml.spark.written import Written, check_quarantine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

    from sparkml.config import DeltaSink
    from sparkml.spark.provenance import Provenance
    from sparkml.spark.score import ScorePlan
    from sparkml.spark.worker import ScoreTask


class ThroughSpark:
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
        """What will happen to it, for the plan."""
        said = self._writer.describe()
        return said | ({"warning": " ".join(self.warnings)} if self.warnings else {})

    def done(self) -> int | None:
        """The table's version if this run's rows are in it already."""
        return self._writer.version if self._writer.done() else None

    def write(
        self, df: DataFrame, plan: ScorePlan, task: ScoreTask, *, max_quarantine: float
    ) -> Written | None:
        """Score `df` and store the rows; None where a run with the same key ended meanwhile."""
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


def instead(
    spark: SparkSession, sink: DeltaSink, schema: StructType, provenance: Provenance, *, why: str
) -> ThroughSpark:
    """A Delta sink that Spark's own writer fills, since Python cannot write there."""
    partition = sink.partition or {}
    whole = with_fixed(schema, DeltaTransaction(spark, sink.path).schema, partition)
    warning = (
        f"Python cannot write to {sink.path} here ({why}), so Spark's own writer wrote the table: "
        "it commits inside the write, so max_quarantine is checked after the rows are in it. "
        "Give the executors' environment credentials for the bucket to have it checked before."
    )
    return ThroughSpark(
        SparkWriter(spark, sink, whole),
        provenance,
        fixed={f.name: partition[f.name] for f in whole.fields[len(schema.fields) :]},
        warnings=(warning,),
    )
