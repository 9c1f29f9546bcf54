"""Between Spark's types and Arrow's, and names quoted for Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it
from pyspark.sql.pandas.types import from_arrow_type, to_arrow_type
from pyspark.sql.types import ArrayType, DataType, MapType, StructField, StructType, UserDefinedType

from sparkml.errors import SignatureError
from sparkml.spark._versions import timezone_option
from sparkml.sql_types import sql_name
from sparkml.zones import zone_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyspark.sql import Column, DataFrame, SparkSession


def quoted(name: str) -> str:
    """A column's name for SQL text and `F.col`, whatever characters it has."""
    return sql_name(name)


def column(name: str) -> Column:
    """The top-level column of exactly this name; dots and backticks in it mean nothing."""
    return F.col(quoted(name))


def selected(df: DataFrame, columns: Iterable[tuple[str, str]]) -> DataFrame:
    """The top-level columns of exactly these names, each under its new one.

    As SQL text: thousands of `Column` objects would each cost several calls into the JVM.
    """
    texts = (quoted(n) if n == new else f"{quoted(n)} AS {quoted(new)}" for n, new in columns)
    return df.selectExpr(*texts)


def folds_case(spark: SparkSession) -> bool:
    """Whether the session tells no upper case from lower in columns' names, Spark's default."""
    said: str = spark.conf.get("spark.sql.caseSensitive", "false") or "false"
    return said.lower() != "true"


def plain(dtype: DataType) -> DataType:
    """The type with user-defined types (Spark ML vectors) replaced by what they are stored as."""
    if isinstance(dtype, UserDefinedType):
        return plain(dtype.sqlType())
    if isinstance(dtype, StructType):
        return StructType([_plain_field(f) for f in dtype.fields])
    if isinstance(dtype, ArrayType):
        return ArrayType(plain(dtype.elementType), dtype.containsNull)
    if isinstance(dtype, MapType):
        return MapType(plain(dtype.keyType), plain(dtype.valueType), dtype.valueContainsNull)
    return dtype


def _plain_field(field: StructField) -> StructField:
    return StructField(field.name, plain(field.dataType), field.nullable)


def arrow_schema(schema: StructType, *, where: str, zone: str = "UTC") -> pa.Schema:
    """The Arrow schema that the columns of a DataFrame travel as, in a session of that time zone.

    Raises:
        SignatureError: a column has a type that Arrow does not carry (an interval, a variant).
    """
    fields = []
    for f in schema.fields:
        try:
            made = to_arrow_type(plain(f.dataType), **timezone_option())
            fields.append(pa.field(f.name, _in_zone(made, zone), f.nullable))
        except PySparkException:
            raise SignatureError(
                f"column '{f.name}' has type {f.dataType.simpleString()}, which Arrow cannot carry",
                where=where,
                fix="leave it out, or make a text of it in a step: "
                f"CAST({quoted(f.name)} AS STRING)",
            ) from None
    return pa.schema(fields)


def _in_zone(dtype: pa.DataType, zone: str) -> pa.DataType:
    if pa.types.is_list(dtype):
        return pa.list_(_in_zone(dtype.value_type, zone))
    if pa.types.is_map(dtype):
        return pa.map_(_in_zone(dtype.key_type, zone), _in_zone(dtype.item_type, zone))
    if pa.types.is_struct(dtype):
        return pa.struct([f.with_type(_in_zone(f.type, zone)) for f in dtype])
    return pa.timestamp(dtype.unit, zone) if zone_of(dtype) else dtype


def spark_type(dtype: pa.DataType) -> DataType:
    """The Spark type of an Arrow type that a model gives."""
    return from_arrow_type(dtype, prefer_timestamp_ntz=True)


def spark_struct(fields: Iterable[pa.Field]) -> StructType:
    """Arrow fields as one Spark struct; every field may be null."""
    return StructType([StructField(f.name, spark_type(f.type), True) for f in fields])
