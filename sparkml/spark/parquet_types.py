"""Parquet files with columns of types that Spark does not know: read without those columns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pyspark.sql.types import StructType

from sparkml.errors import SourceError
from sparkml.spark.failures import FROM_SPARK, brief
from sparkml.spark.source_errors import condition
from sparkml.sql_types import sql_name

if TYPE_CHECKING:
    from collections.abc import Collection

    from pyspark.sql import DataFrame, SparkSession

UNKNOWN = (
    "PARQUET_TYPE_ILLEGAL",
    "UNSUPPORTED_TIME_TYPE",
    "DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION",
)
"""Spark's conditions where a column's type is one that it has not."""

LONGEST = 300


def read_parquet(
    spark: SparkSession, path: str, options: dict[str, str], *, asked: Collection[str] | None
) -> DataFrame:
    """Parquet files as rows; `asked` names the columns that are needed, None: all of them.

    Spark refuses a file for one column of a type that it has not (nanoseconds, UUID, a half float).
    Where nobody asks for such a column the others are read.

    Raises:
        SourceError: somebody asks for one.
    """
    reader = spark.read.options(**options)
    try:
        return reader.parquet(path)
    except FROM_SPARK as error:
        if condition(error) not in UNKNOWN:
            raise
        known, unknown = _types(spark, path, options)
        wanted = None if asked is None else {name.lower() for name in asked}
        refused = {n: e for n, e in unknown.items() if wanted is None or n.lower() in wanted}
        if refused or not known:
            raise _error(refused or unknown, known, where=path) from error
    return reader.schema(known).parquet(path)


def _types(
    spark: SparkSession, path: str, options: dict[str, str]
) -> tuple[StructType, dict[str, str]]:
    """The columns that Spark knows, and why it does not know the others; out of one file's foot."""
    jvm: Any = spark._jvm  # noqa: SLF001 - Parquet's own reader is reached no other way
    session: Any = spark._jsparkSession  # noqa: SLF001
    file = spark.read.format("binaryFile").options(**options).load(path).inputFiles()[0]
    place = jvm.org.apache.hadoop.fs.Path(jvm.java.net.URI(file))
    conf = session.sessionState().newHadoopConf()
    foot = jvm.org.apache.parquet.hadoop.ParquetFileReader.readFooter(conf, place)
    fields = foot.getFileMetaData().getSchema().getFields()
    room = jvm.org.apache.spark.sql.execution.datasources.parquet
    converter = room.ParquetToSparkSchemaConverter(session.sessionState().conf())
    known, unknown = StructType(), {}
    for place in range(fields.size()):
        field = fields.get(place)
        alone = jvm.java.util.ArrayList()
        alone.add(field)
        message = jvm.org.apache.parquet.schema.MessageType("column", alone)
        try:
            made = StructType.fromJson(json.loads(converter.convert(message).json()))
            known = StructType([*known.fields, *made.fields])
        except FROM_SPARK as error:
            unknown[str(field.getName())] = brief(error)
    return known, unknown


def _error(unknown: dict[str, str], known: StructType, *, where: str) -> SourceError:
    name, why = next(iter(unknown.items()))
    listed = json.dumps(known.names, ensure_ascii=False)  # which YAML reads, whatever is in a name
    fix = "leave it out: name the others in `columns`"
    if known.names and len(listed) <= LONGEST:
        fix = f"leave it out: columns: {listed}"
    if "TIMESTAMP(NANOS" in why:
        fix += (
            "; or set spark.sql.legacy.parquet.nanosAsLong to true in spark.conf and make it a "
            f"time in a step: TIMESTAMP_MICROS({sql_name(name)} DIV 1000)"
        )
    named = ", ".join(f"'{n}'" for n in unknown)
    return SourceError(f"Spark does not know the type of {named}: {why}", where=where, fix=fix)
