"""An Iceberg table as a sink: written in one transaction, counted, and only then committed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sparkml.errors import SinkNotWritable, SinkSchemaError, SparkMLError, did_you_mean
from sparkml.spark.delta.types import cleaned, reconciled
from sparkml.spark.failures import FROM_SPARK, brief
from sparkml.spark.iceberg import IcebergTransaction
from sparkml.spark.provenance import COLUMN
from sparkml.spark.written import Written, check_quarantine

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

    from sparkml.config import TableSink
    from sparkml.spark.provenance import Provenance
    from sparkml.spark.score import ScorePlan
    from sparkml.spark.worker import ScoreTask


class IcebergSink:
    """A transaction begun: what others commit from now on, and `replace` would undo, is a conflict.

    A table that there is not yet comes with the commit. A driver that dies leaves files that no
    table names; Iceberg's `remove_orphan_files` takes them.
    """

    def __init__(
        self,
        spark: SparkSession,
        sink: TableSink,
        schema: StructType,
        provenance: Provenance,
        *,
        exists: bool,
    ) -> None:
        """Open it; nothing is written.

        Raises:
            SinkSchemaError: columns, types or partition columns do not fit.
            SinkNotWritable: the catalog or Iceberg refuses it.
        """
        self.name, self.schema = sink.table, schema
        self.sql = f"SELECT * FROM {sink.table}"  # noqa: S608 - only shown
        self.warnings: tuple[str, ...] = ()
        self._spark, self._sink, self._provenance, self._exists = spark, sink, provenance, exists
        output, self._new = cleaned(schema), tuple(schema.names)
        for name in sink.partition_by:
            if name not in schema.names:
                fix = did_you_mean(name, schema.names)
                said = f"partition column '{name}' is not in the output"
                raise SinkSchemaError(said, where="sink.partition_by", fix=fix)
        try:
            self._txn = IcebergTransaction(
                spark, sink.table, new=None if exists else output, by=sink.partition_by
            )
            if exists:
                self._reconcile(output)
        except FROM_SPARK as error:
            fix = "name a table that may be written, with its catalog and schema"
            raise SinkNotWritable(brief(error), where=sink.table, fix=fix) from error

    def _reconcile(self, output: StructType) -> None:
        """Refuse columns that do not fit the table; it learns those that are new."""
        by, asked = self._txn.partitions, self._sink.partition_by
        if asked and {name.lower() for name in by} != {name.lower() for name in asked}:
            raise SinkSchemaError(
                f"the table is partitioned by {', '.join(by) or 'nothing'}, "
                f"not by {', '.join(asked)}",
                where=self.name,
                fix="mend sink.partition_by, or write another table",
            )
        stored, merge = self._txn.stored(output), self._sink.schema_ == "merge"
        _, self._new = reconciled(self._txn.schema, stored, merge=merge, where=self.name)
        if self._new:
            self._txn.add_columns(output)

    def describe(self) -> dict[str, Any]:
        """What will happen to it, for the plan; what it removes as far as the table tells."""
        replace = self._sink.mode == "replace" and self._exists
        return {
            "format": "iceberg",
            "table": self.name,
            "exists": self._exists,
            "version": self._txn.version,
            "replaces": "the whole table" if replace else "nothing",
            "partitioned_by": self._txn.partitions,
            "new_columns": list(self._new),
            "removes": self._txn.totals if replace else {},
        }

    def done(self) -> None:
        """A table of a catalog keeps no run keys."""

    def write(
        self, df: DataFrame, plan: ScorePlan, task: ScoreTask, *, max_quarantine: float
    ) -> Written:
        """Score `df`, and commit the rows unless too many of them have an error."""
        scored = plan.apply(df, task).withColumn(COLUMN, self._provenance.column())
        said = json.dumps(self._provenance.value, default=str, ensure_ascii=False)
        replace = self._sink.mode == "replace" and self._exists
        self._txn.write(scored, replace=replace, properties={"sparkml": said})
        rows, quarantined, files = self._txn.counts()
        written = Written(rows=rows, quarantined=quarantined, files=files)
        try:
            fate = "nothing was committed"
            check_quarantine(written, max_quarantine, where=self.name, fate=fate)
        except SparkMLError:
            self._txn.abandon()
            raise
        version = self._txn.commit()
        return Written(rows=rows, quarantined=quarantined, files=files, table_version=version)

    def read(self) -> DataFrame:
        """What the table holds now."""
        return self._spark.read.table(self.name)
