"""`SparkWriter`: a sink that Spark's own writer fills, checked before the first task."""

from __future__ import annotations

import uuid
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from pyspark.sql import Observation
from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it
from pyspark.sql.types import ArrayType, MapType, StructType

from sparkml.config import CsvSink, DeltaSink, TableSink
from sparkml.errors import (
    SinkError,
    SinkNotWritable,
    SinkSchemaError,
    UnsupportedTable,
    did_you_mean,
)
from sparkml.files import open_address, scheme_of
from sparkml.spark.catalog import described
from sparkml.spark.delta.log import DeltaTransaction
from sparkml.spark.delta.partition import predicate
from sparkml.spark.delta.plan import plan_table
from sparkml.spark.delta.root import check_permission
from sparkml.spark.failures import FROM_SPARK, brief
from sparkml.spark.session import require_delta
from sparkml.spark.sources import csv_options
from sparkml.spark.types import column, folds_case, quoted
from sparkml.spark.written import absolute, app_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import Column, DataFrame, DataFrameWriter, SparkSession

    from sparkml.config import Sink

TXN_VERSION = 1
"""A run key is written once, so its transaction in Delta's log never has a second version."""

OBSERVED_S = 60.0
"""How long the counts of a write that has ended may take to arrive."""


class SparkWriter:
    """Rows go into Spark's writer, which commits by itself.

    Parquet files, CSV files and catalog tables: at least once, a run that is repeated in `append`
    mode adds its rows again. A Delta table in a folder: one commit; with `run_key`, once per key.
    """

    def __init__(
        self,
        spark: SparkSession,
        sink: Sink,
        schema: StructType,
        *,
        known: Mapping[str, str] | None = None,
    ) -> None:
        """`known` is what the catalog says of a table, asked here where it is not given."""
        self._spark, self._sink = spark, sink
        self.schema = schema
        if isinstance(sink, DeltaSink):
            require_delta(spark)
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
        self._known: Mapping[str, str] | None = None
        if isinstance(sink, TableSink):
            self._known = known or described(spark, sink.table)
            if self._known:
                self._check_table(sink, schema)
        else:
            self._is_new = self._check_folder()
        if isinstance(sink, DeltaSink):
            self._check_delta(sink, schema)

    def describe(self) -> dict[str, Any]:
        """What will happen, for the plan."""
        delta = isinstance(self._sink, DeltaSink)
        return {
            "format": self._sink.format,
            "where": self.name,
            "mode": self._sink.mode,
            "partition_by": ", ".join(self._sink.partition_by) or "nothing",
            "promise": f"{'one commit' if delta else 'at least once'}, by Spark's own writer",
        }

    def done(self) -> bool:
        """Whether the table has this run key's rows already: Delta would skip the write."""
        sink = self._sink
        if not isinstance(sink, DeltaSink) or not sink.run_key or self._is_new:
            return False
        txn = DeltaTransaction(self._spark, sink.path)
        return txn.done(app_id(sink.run_key), TXN_VERSION)

    @property
    def version(self) -> int:
        """The version of the Delta table as it is now; -1 where there is none."""
        return DeltaTransaction(self._spark, self.name).version

    def save(self, rows: DataFrame, counts: Mapping[str, Column]) -> dict[str, int] | None:
        """Write `rows`, which have the sink's schema, in one job; the `counts` over them.

        None where nothing was written: another run with the same key has ended since `done` was
        asked, and Delta skipped this one.

        Raises:
            SinkError: the rows are written, and Spark does not tell how many.
        """
        observation = Observation(f"sparkml-{uuid.uuid4().hex[:8]}")
        named = [count.alias(name) for name, count in counts.items()]
        self._save(rows.observe(observation, *named))
        found = _arrived(observation) or self._counted(named)
        if found is None and not getattr(self._sink, "run_key", None):
            raise SinkError(
                f"the rows are written, and Spark has not told their number in {OBSERVED_S:.0f} s",
                where=self.name,
                fix="count them there; a run again would write them again",
            )
        return found

    def _counted(self, counts: list[Column]) -> dict[str, int] | None:
        """The counts over a table that holds this run's rows and no others, now.

        Spark loses what it observed where a catalog replaces a table.
        """
        sink = self._sink
        if not isinstance(sink, TableSink) or sink.mode != "replace" or sink.options:
            return None
        return self.read().agg(*counts).collect()[0].asDict()

    def _save(self, rows: DataFrame) -> None:
        sink = self._sink
        mode = "overwrite" if sink.mode == "replace" else "append"
        flat = _flat(rows) if isinstance(sink, CsvSink) else rows
        writer: DataFrameWriter = flat.write.mode(mode).options(**self._options())
        if by := sink.partition_by or tuple(getattr(sink, "partition", None) or ()):
            writer = writer.partitionBy(*by)
        if isinstance(sink, DeltaSink):
            writer = writer.options(**_delta_options(sink, self.schema, is_new=self._is_new))
        if not isinstance(sink, TableSink):
            writer.format(sink.format).save(sink.path)
            return
        if self._known and (provider := self._known.get("Provider")):
            writer = writer.format(provider)
        if sink.schema_ == "merge":
            writer = writer.option("mergeSchema", "true")
        writer.saveAsTable(sink.table)

    def read(self) -> DataFrame:
        """What the sink holds now."""
        if isinstance(self._sink, TableSink):
            return self._spark.read.table(self.name)
        reader = self._spark.read.options(**self._options())
        return reader.format(self._sink.format).load(self.name)

    def _options(self) -> dict[str, str]:
        if isinstance(self._sink, DeltaSink):
            return {}
        if isinstance(self._sink, CsvSink):
            return csv_options(self._sink.options, header=True)
        return dict(self._sink.options)

    def _check_table(self, sink: TableSink, schema: StructType) -> None:
        """Refuse columns that the table has otherwise."""
        try:
            held = self._spark.read.table(self.name).schema
        except FROM_SPARK as error:
            raise SinkNotWritable(brief(error), where=self.name) from error
        met = str.lower if folds_case(self._spark) else str
        ours = {met(f.name): f.dataType.simpleString() for f in schema.fields}
        theirs = {met(f.name): f.dataType.simpleString() for f in held.fields}
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

    def _check_delta(self, sink: DeltaSink, schema: StructType) -> None:
        """Refuse columns that the table has otherwise, by the rules of our own committer."""
        with suppress(UnsupportedTable):  # Delta's own writer may well honour what ours cannot
            plan_table(
                DeltaTransaction(self._spark, sink.path),
                schema,
                root=self.name,
                replace=sink.mode == "replace",
                partition=sink.partition or {},
                partition_by=sink.partition_by,
                merge=sink.schema_ == "merge",
                column_mapping=sink.column_mapping,
            )

    def _check_folder(self) -> bool:
        """Whether the folder is new.

        One that cannot be written is refused here, since Spark would find out in its tasks.
        """
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
            return not system.exists(path)
        except FROM_SPARK as error:
            raise SinkNotWritable(
                brief(error), where=self.name, fix="check the address and the permissions"
            ) from error


def _arrived(observation: Observation) -> dict[str, int] | None:
    """What was observed; None when it does not come, as of a write that Delta skipped."""
    found: list[dict[str, int]] = []

    def ask() -> None:
        with suppress(*FROM_SPARK):  # observed, and empty: what a catalog made of the write
            found.append(observation.get)

    waiting = Thread(target=ask, daemon=True)  # since asking waits for ever
    waiting.start()
    waiting.join(OBSERVED_S)
    return found[0] if found else None


def _delta_options(sink: DeltaSink, schema: StructType, *, is_new: bool) -> dict[str, str]:
    """What a Delta sink's keys are called by Delta's own writer."""
    options = {}
    if sink.schema_ == "merge":
        options["mergeSchema"] = "true"
    if sink.column_mapping == "name" and is_new:
        options["delta.columnMapping.mode"] = "name"
    if sink.mode == "replace" and sink.partition:
        parts = [predicate(name, _text(value), schema) for name, value in sink.partition.items()]
        options["replaceWhere"] = " AND ".join(parts)
    if sink.run_key:
        options |= {"txnAppId": app_id(sink.run_key), "txnVersion": str(TXN_VERSION)}
    return options


def _text(value: object) -> str | None:
    return None if value is None else str(value)


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
