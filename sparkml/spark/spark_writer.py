"""The sinks that Spark's own writer fills: Parquet, CSV and the catalog's tables, at least once."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.sql import Observation
from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it
from pyspark.sql.types import ArrayType, MapType, StructType

from sparkml.config import CsvSink, ParquetSink, TableSink
from sparkml.errors import SinkNotWritable, SinkSchemaError, did_you_mean
from sparkml.files import open_address, scheme_of
from sparkml.spark.delta.root import check_permission
from sparkml.spark.failures import FROM_SPARK, brief
from sparkml.spark.provenance import COLUMN, Provenance
from sparkml.spark.types import column, quoted
from sparkml.spark.written import Written, absolute, check_quarantine

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, DataFrameWriter, SparkSession

    from sparkml.spark.score import ScorePlan
    from sparkml.spark.worker import ScoreTask


class SparkWriter:
    """Rows are counted on the way into Spark's writer, which commits by itself.

    So a run over its quarantine limit fails after the rows are written, and a run that is repeated
    in `append` mode adds its rows again.
    """

    def __init__(
        self,
        spark: SparkSession,
        sink: ParquetSink | CsvSink | TableSink,
        schema: StructType,
        provenance: Provenance,
    ) -> None:
        self._spark, self._sink, self._provenance = spark, sink, provenance
        self.schema = schema
        if isinstance(sink, TableSink):
            self.name = reference = sink.table
        else:
            self.name, reference = sink.path, f"{sink.format}.{quoted(absolute(sink.path))}"
        self.sql = f"SELECT * FROM {reference}"  # noqa: S608 - only shown
        for name in sink.partition_by:
            if name not in schema.names:
                raise SinkSchemaError(
                    f"partition_by names '{name}', which is not an output column",
                    where=self.name,
                    fix=did_you_mean(name, schema.names),
                )
        self._provider = None
        if isinstance(sink, TableSink):
            self._provider = self._check_table(sink, schema)
        else:
            self._check_folder()

    def describe(self) -> dict[str, Any]:
        """What will happen, for the plan."""
        return {
            "format": self._sink.format,
            "where": self.name,
            "mode": self._sink.mode,
            "partition_by": ", ".join(self._sink.partition_by) or "nothing",
            "promise": "at least once, by Spark's own writer",
        }

    def done(self) -> int | None:
        """Never known here."""
        return None

    def write(
        self, df: DataFrame, plan: ScorePlan, task: ScoreTask, *, max_quarantine: float
    ) -> Written:
        """Score `df` and write it in one job."""
        counts = Observation(f"sparkml-{uuid.uuid4().hex[:8]}")
        scored = plan.apply(df, task).withColumn(COLUMN, self._provenance.column())
        counted = scored.observe(
            counts, F.count(F.lit(1)).alias("rows"), F.count(column("error")).alias("bad")
        )
        self._save(_flat(counted) if isinstance(self._sink, CsvSink) else counted)
        written = Written(rows=counts.get["rows"], quarantined=counts.get["bad"])
        fate = "the rows are written: this sink cannot take them back"
        check_quarantine(written, max_quarantine, where=self.name, fate=fate)
        return written

    def read(self) -> DataFrame:
        """What the sink holds now."""
        if isinstance(self._sink, TableSink):
            return self._spark.read.table(self.name)
        reader = self._spark.read.options(**self._options())
        return reader.format(self._sink.format).load(self.name)

    def _options(self) -> dict[str, str]:
        header = {"header": "true"} if isinstance(self._sink, CsvSink) else {}
        return {**header, **self._sink.options}

    def _save(self, rows: DataFrame) -> None:
        sink = self._sink
        mode = "overwrite" if sink.mode == "replace" else "append"
        writer: DataFrameWriter = rows.write.mode(mode).options(**self._options())
        if sink.partition_by:
            writer = writer.partitionBy(*sink.partition_by)
        if not isinstance(sink, TableSink):
            writer.format(sink.format).save(sink.path)
            return
        if self._provider:
            writer = writer.format(self._provider)
        if sink.schema_ == "merge":
            writer = writer.option("mergeSchema", "true")
        writer.saveAsTable(sink.table)

    def _check_table(self, sink: TableSink, schema: StructType) -> str | None:
        """The provider of the table, None where it does not exist yet."""
        if not self._spark.catalog.tableExists(self.name):
            return None
        try:
            held = self._spark.read.table(self.name).schema
        except FROM_SPARK as error:
            raise SinkNotWritable(brief(error), where=self.name) from error
        ours = {f.name: f.dataType.simpleString() for f in schema.fields}
        theirs = {f.name: f.dataType.simpleString() for f in held.fields}
        refused = [n for n in ours if n in theirs and ours[n] != theirs[n]]
        if sink.mode == "append" and sink.schema_ == "refuse":
            refused += [n for n in ours if n not in theirs]
        if refused:
            raise SinkSchemaError(
                "; ".join(
                    f"'{n}' is {theirs.get(n, 'absent')}, we write {ours[n]}" for n in refused
                ),
                where=self.name,
                fix="write to another table, or declare sink.schema: merge for new columns",
            )
        described = self._spark.sql(f"DESCRIBE TABLE EXTENDED {self.name}").collect()
        # The table's own properties come after its columns, of which one may be called so too.
        providers = [row.data_type for row in described if row.col_name == "Provider"]
        return providers[-1] if providers else None

    def _check_folder(self) -> None:
        """Refuse a folder that cannot be written; here, since Spark would find out in its tasks."""
        try:
            jvm: Any = self._spark._jvm  # noqa: SLF001 - Hadoop's file systems, no other way
            conf = self._spark.sparkContext._jsc.hadoopConfiguration()  # noqa: SLF001 - the same
            path = jvm.org.apache.hadoop.fs.Path(self.name)
            system = path.getFileSystem(conf)
            address = str(system.makeQualified(path).toString())
            if scheme_of(address) == "file":
                check_permission(Path(open_address(address)[1]), self.name)
            elif system.exists(path) and not system.getFileStatus(path).isDirectory():
                raise SinkNotWritable(
                    "a file stands where the output folder should be",
                    where=self.name,
                    fix="choose another sink.path, or remove the file",
                )
        except FROM_SPARK as error:
            raise SinkNotWritable(
                brief(error), where=self.name, fix="check the address and the permissions"
            ) from error


def _flat(rows: DataFrame) -> DataFrame:
    """Structs as columns joined by an underscore, arrays and maps as JSON: what CSV can hold."""
    while any(isinstance(f.dataType, StructType) for f in rows.schema.fields):
        columns = []
        for f in rows.schema.fields:
            if isinstance(f.dataType, StructType):
                inner = [(n, column(f.name).getField(n)) for n in f.dataType.names]
                columns += [part.alias(f"{f.name}_{n}") for n, part in inner]
            else:
                columns.append(column(f.name))
        rows = rows.select(*columns)
    json = [f.name for f in rows.schema.fields if isinstance(f.dataType, ArrayType | MapType)]
    return rows.withColumns({name: F.to_json(column(name)) for name in json})
