"""Delta tables that the session's catalog names: the folder behind a name, and new ones."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from sparkml.config import DeltaSink
from sparkml.errors import SinkNotWritable
from sparkml.spark.failures import FROM_SPARK, brief
from sparkml.spark.source_errors import condition
from sparkml.spark.types import column

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import SparkSession
    from pyspark.sql.types import StructType

    from sparkml.config import TableSink


_DETAILS = ("# Detailed Table Information", "")


def described(spark: SparkSession, table: str) -> dict[str, str] | None:
    """What the catalog says of a table, such as `Provider` and `Location`; None: there is none.

    Raises:
        SinkNotWritable: it is a view, or such a name no table can have.
    """
    try:
        if not spark.catalog.tableExists(table):
            return None
        told = spark.sql(f"DESCRIBE TABLE EXTENDED {table}").collect()
    except FROM_SPARK as error:
        fix = (
            "write it as in SQL, schema.table, with backquotes around a part that has other signs "
            "than letters, digits and _; a folder is for sink.format: delta"
        )
        raise SinkNotWritable(brief(error), where=table, fix=fix) from error
    rows = [(row.col_name, row.data_type) for row in told]
    if _DETAILS not in rows:
        fix = "name the table with its schema, schema.table, or give the view another name"
        raise SinkNotWritable("this session has a temporary view so named", where=table, fix=fix)
    # Columns stand before it and, those with a default, after it: they may be called `Location`.
    details = dict(takewhile(lambda row: row[0], rows[rows.index(_DETAILS) + 1 :]))
    if details.get("Type") == "VIEW":
        raise SinkNotWritable("it is a view", where=table, fix="name a table")
    return details


def in_its_folder(sink: TableSink, known: Mapping[str, str]) -> DeltaSink | None:
    """The sink as the folder of a table of which that is `known`; None where it is not Delta's.

    Nor where the sink has options: those are for Spark's own writer.
    """
    if sink.options or known.get("Provider", "").lower() != "delta" or "Location" not in known:
        return None
    return DeltaSink(
        format="delta",
        path=known["Location"],
        mode=sink.mode,
        partition_by=sink.partition_by,
        schema=sink.schema_,
    )


def would_be_delta(spark: SparkSession, sink: TableSink) -> bool:
    """Whether a table that is made now is a Delta table."""
    return spark.conf.get("spark.sql.sources.default", "parquet") == "delta" and not sink.options


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
        fix = "name a table that may be made, or choose a path"
        if condition(error) == "DELTA_INVALID_CHARACTERS_IN_COLUMN_NAMES":
            fix = "give these columns other names by `rename`, or in a step"
        raise SinkNotWritable(brief(error), where=sink.table, fix=fix) from error
