"""Tables that the session's catalogs name: which catalog, what it tells, the folder, new ones."""

from __future__ import annotations

import re
import tempfile
import uuid
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from sparkml.config import DeltaSink
from sparkml.errors import SinkNotWritable
from sparkml.spark.delta.log import DeltaTransaction
from sparkml.spark.delta.plan import plan_table
from sparkml.spark.failures import FROM_SPARK, brief
from sparkml.spark.source_errors import condition
from sparkml.spark.types import column, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from py4j.java_gateway import JavaObject
    from pyspark.sql import SparkSession
    from pyspark.sql.types import StructType

    from sparkml.config import TableSink


ICEBERG = "org.apache.iceberg.spark."
"""How the classes of Iceberg's catalogs begin."""

_DECLARED = re.compile(r"spark\.sql\.catalog\.([^.]+)")
_DETAILS = ("# Detailed Table Information", "")


def located(spark: SparkSession, table: str) -> tuple[JavaObject, JavaObject]:
    """The catalog that a table's name means, and what it is called there; as Spark resolves it."""
    jvm: Any = spark._jvm  # noqa: SLF001 - the JVM is reached no other way
    gateway: Any = spark.sparkContext._gateway  # noqa: SLF001 - the same
    state: Any = spark._jsparkSession.sessionState()  # noqa: SLF001 - the same
    parsed = state.sqlParser().parseMultipartIdentifier(table)
    parts = list(jvm.scala.jdk.javaapi.CollectionConverters.asJava(parsed))
    catalogs = state.catalogManager()
    if len(parts) > 1 and catalogs.isCatalogRegistered(parts[0]):
        catalog, *space, name = catalogs.catalog(parts[0]), *parts[1:]
    else:
        catalog, *space, name = catalogs.currentCatalog(), *parts
        space = space or list(catalogs.currentNamespace())
    namespace = gateway.new_array(jvm.java.lang.String, len(space))
    for i, part in enumerate(space):
        namespace[i] = part
    return catalog, jvm.org.apache.spark.sql.connector.catalog.Identifier.of(namespace, name)


def catalog_fix(spark: SparkSession, error: BaseException) -> str | None:
    """What helps where Spark's error is that a name's first part is no catalog; else None."""
    if condition(error) == "REQUIRES_SINGLE_PART_NAMESPACE":
        return f"write schema.table; {_catalogs(spark)}"
    if "Cannot find catalog plugin class" in str(error):
        return "bring its jar (spark.jars, or spark-submit --packages), or mend spark.sql.catalog.…"
    return None


def _catalogs(spark: SparkSession) -> str:
    """The catalogs that a session has, its own and those that its settings declare, as advice."""
    declared = (_DECLARED.fullmatch(name) for name in spark.conf.getAll)
    names = sorted({"spark_catalog"} | {found[1] for found in declared if found})
    return (
        f"this session has the catalogs {', '.join(names)}; another one must be declared in "
        "spark.conf, as spark.sql.catalog.<its name>"
    )


def _check_schema(spark: SparkSession, table: str) -> None:
    """Refuse the name of a new table in a schema that there is not."""
    catalog, identifier = located(spark, table)
    space = identifier.namespace()
    with suppress(*FROM_SPARK):  # a catalog without schemas
        if len(space) and not catalog.namespaceExists(space):
            raise SinkNotWritable(
                f"the catalog {catalog.name()} has no schema {'.'.join(map(quoted, space))}",
                where=table,
                fix=f"create it, or name another; {_catalogs(spark)}",
            )


def described(spark: SparkSession, table: str) -> dict[str, str] | None:
    """What the catalog says of a table, such as `Provider` and `Location`; None: there is none.

    Raises:
        SinkNotWritable: it is a view, or such a name no table can have.
    """
    try:
        if not spark.catalog.tableExists(table):
            _check_schema(spark, table)
            return None
        told = spark.sql(f"DESCRIBE TABLE EXTENDED {table}").collect()
    except FROM_SPARK as error:
        fix = catalog_fix(spark, error) or (
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
    try:
        return DeltaSink(
            format="delta",
            path=known["Location"],
            mode=sink.mode,
            partition_by=sink.partition_by,
            schema=sink.schema_,
        )
    except ValidationError as error:
        (said,) = error.errors(include_url=False, include_input=False)
        fix = "give it another location: ALTER TABLE … SET LOCATION"
    # Outside, since what pydantic raised has the address in it, password and all.
    raise SinkNotWritable(f"its location in the catalog {said['msg']}", where=sink.table, fix=fix)


def format_of_new(spark: SparkSession, sink: TableSink) -> str:
    """The format of a table that is made now, by its catalog and by the session's default."""
    default = spark.conf.get("spark.sql.sources.default", "parquet") or "parquet"
    catalog = str(located(spark, sink.table)[0].getClass().getName())
    if catalog.startswith(ICEBERG) and (catalog.endswith(".SparkCatalog") or default == "iceberg"):
        return "iceberg"
    return default


def check_new(spark: SparkSession, sink: TableSink, schema: StructType) -> None:
    """Refuse what no new Delta table can hold, by the rules of those in a folder.

    Raises:
        SinkSchemaError: a name or a type, or what it is to be partitioned by.
    """
    mode = spark.conf.get("spark.databricks.delta.properties.defaults.columnMapping.mode", "none")
    nowhere = Path(tempfile.gettempdir(), f"sparkml-{uuid.uuid4()}").as_uri()
    plan_table(
        DeltaTransaction(spark, nowhere),
        schema,
        root=sink.table,
        replace=False,
        partition={},
        partition_by=sink.partition_by,
        merge=False,
        column_mapping=mode or "none",
    )


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
        raise SinkNotWritable(brief(error), where=sink.table, fix=fix) from error


def drop_unwritten(spark: SparkSession, sink: TableSink) -> None:
    """Drop the table that `create` made, unless a commit has followed the one that made it."""
    made = in_its_folder(sink, described(spark, sink.table) or {})
    if made and DeltaTransaction(spark, made.path).version == 0:
        spark.sql(f"DROP TABLE {sink.table}")
