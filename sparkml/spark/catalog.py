"""Delta tables that the session's catalog names: the folder behind a name, and new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkml.config import DeltaSink
from sparkml.errors import SinkNotWritable
from sparkml.spark.failures import FROM_SPARK, brief
from sparkml.spark.types import column

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.types import StructType

    from sparkml.config import TableSink


def described(spark: SparkSession, table: str) -> dict[str, str]:
    """What the catalog says of a table beneath its columns, such as `Provider` and `Location`."""
    rows = spark.sql(f"DESCRIBE TABLE EXTENDED {table}").collect()
    # The table's own properties come after its columns, of which one may be called so too.
    return {row.col_name: row.data_type for row in rows}


def in_its_folder(spark: SparkSession, sink: TableSink) -> DeltaSink | None:
    """The sink as the folder of the Delta table that the catalog has; None where it is no such.

    Nor where the sink has options: those are for Spark's own writer.
    """
    if sink.options or not spark.catalog.tableExists(sink.table):
        return None
    known = described(spark, sink.table)
    if known.get("Provider", "").lower() != "delta" or "Location" not in known:
        return None
    return DeltaSink(
        format="delta",
        path=known["Location"],
        mode=sink.mode,
        partition_by=sink.partition_by,
        schema=sink.schema_,
    )


def would_be_delta(spark: SparkSession, sink: TableSink) -> bool:
    """Whether there is no such table, and one that is made now is a Delta table."""
    default = spark.conf.get("spark.sql.sources.default", "parquet")
    return default == "delta" and not sink.options and not spark.catalog.tableExists(sink.table)


def create(spark: SparkSession, sink: TableSink, schema: StructType) -> None:
    """A Delta table without rows.

    Raises:
        SinkNotWritable: the catalog or Delta refuses it.
    """
    try:
        writer = spark.createDataFrame([], schema).writeTo(sink.table).using("delta")
        if sink.partition_by:
            writer = writer.partitionedBy(*[column(name) for name in sink.partition_by])
        writer.create()
    except FROM_SPARK as error:
        raise SinkNotWritable(
            brief(error), where=sink.table, fix="name a table that may be made, or choose a path"
        ) from error
