"""Schemas of a Delta sink: what a table can hold, how two differ, and how files spell them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    ByteType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    MapType,
    ShortType,
    StringType,
    StructField,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from sparkml.errors import SinkSchemaError, did_you_mean
from sparkml.spark.types import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ARROW: dict[type[DataType], pa.DataType] = {
    BooleanType: pa.bool_(),
    ByteType: pa.int8(),
    ShortType: pa.int16(),
    IntegerType: pa.int32(),
    LongType: pa.int64(),
    FloatType: pa.float32(),
    DoubleType: pa.float64(),
    StringType: pa.string(),
    BinaryType: pa.binary(),
    DateType: pa.date32(),
    TimestampType: pa.timestamp("us", "UTC"),
    TimestampNTZType: pa.timestamp("us"),
}
"""Spark's type -> what Parquet files of it are written from; decimals and nested types apart."""

UNPARTITIONABLE = (BinaryType, FloatType, DoubleType, ArrayType, MapType, StructType)
ILLEGAL = " ,;{}()\n\t="
PHYSICAL_NAME = "delta.columnMapping.physicalName"
FIELD_ID = "delta.columnMapping.id"


def cleaned(schema: StructType) -> StructType:
    """The output's schema as a new table would have it: every column may be null, no metadata.

    User-defined types become what they are stored as; comments stay.

    Raises:
        SinkSchemaError: a name occurs twice, or a type cannot be stored in Delta.
    """
    stored = plain(schema)
    assert isinstance(stored, StructType)  # noqa: S101 - plain keeps structs
    return _clean_struct(stored, "")


def _clean_struct(struct: StructType, prefix: str) -> StructType:
    names = Counter(f.name.lower() for f in struct.fields)
    for f in struct.fields:
        if names[f.name.lower()] > 1:
            raise SinkSchemaError(
                f"column '{prefix}{f.name}' occurs twice (upper and lower case are the same)",
                where="the output's columns",
                fix="give one of them another name in a step, or by `rename`",
            )
    return StructType(
        [
            StructField(
                f.name,
                _clean(f.dataType, f"{prefix}{f.name}"),
                True,
                {k: v for k, v in f.metadata.items() if k == "comment"},
            )
            for f in struct.fields
        ]
    )


def _clean(dtype: DataType, path: str) -> DataType:
    if isinstance(dtype, StructType):
        return _clean_struct(dtype, f"{path}.")
    if isinstance(dtype, ArrayType):
        return ArrayType(_clean(dtype.elementType, f"{path}.element"), True)
    if isinstance(dtype, MapType):
        key, value = _clean(dtype.keyType, f"{path}.key"), _clean(dtype.valueType, f"{path}.value")
        return MapType(key, value, True)
    if arrow_leaf(dtype) is None:
        raise SinkSchemaError(
            f"column '{path}' has type {dtype.simpleString()}, which the Delta sink cannot store",
            where="the output's columns",
            fix="cast it in a step, or leave it out of `keep`",
        )
    return dtype


def arrow_leaf(dtype: DataType) -> pa.DataType | None:
    """The Arrow type of a Spark type that is not nested; None where Delta files cannot hold it."""
    if isinstance(dtype, DecimalType):
        return pa.decimal128(dtype.precision, dtype.scale)
    if isinstance(dtype, StringType) and dtype != StringType():
        return None  # a collation, char or varchar
    return ARROW.get(type(dtype))


def arrow_type(dtype: DataType, *, physical: bool) -> pa.DataType:
    """The Arrow type of a column of a table: with the names of the rows, or those of the files."""
    if isinstance(dtype, StructType):
        return pa.struct([arrow_field(f, physical=physical) for f in dtype.fields])
    if isinstance(dtype, ArrayType):
        return pa.list_(pa.field("element", arrow_type(dtype.elementType, physical=physical)))
    if isinstance(dtype, MapType):
        key = arrow_type(dtype.keyType, physical=physical)
        return pa.map_(key, arrow_type(dtype.valueType, physical=physical))
    return arrow_leaf(dtype)


def arrow_field(field: StructField, *, physical: bool) -> pa.Field:
    """A column of a table for Arrow; under its physical name and field id where it has them."""
    dtype = arrow_type(field.dataType, physical=physical)
    if not physical:
        return pa.field(field.name, dtype)
    number = field.metadata.get(FIELD_ID)
    metadata = None if number is None else {"PARQUET:field_id": str(number)}
    return pa.field(field.metadata.get(PHYSICAL_NAME, field.name), dtype, metadata=metadata)


def fields_within(schema: StructType, prefix: str = "") -> Iterator[tuple[str, StructField]]:
    """Every field of a schema with its dotted path; those inside structs, arrays, maps too."""
    for f in schema.fields:
        yield f"{prefix}{f.name}", f
        yield from _within(f.dataType, f"{prefix}{f.name}.")


def _within(dtype: DataType, prefix: str) -> Iterator[tuple[str, StructField]]:
    if isinstance(dtype, StructType):
        yield from fields_within(dtype, prefix)
    elif isinstance(dtype, ArrayType):
        yield from _within(dtype.elementType, f"{prefix}element.")
    elif isinstance(dtype, MapType):
        yield from _within(dtype.keyType, f"{prefix}key.")
        yield from _within(dtype.valueType, f"{prefix}value.")


def reconciled(
    table: StructType, output: StructType, *, merge: bool, where: str
) -> tuple[StructType, tuple[str, ...]]:
    """The table's schema with what the output adds to it, and the paths of what is added.

    Raises:
        SinkSchemaError: a type is another one, a column is new without `merge`, or one that is NOT
            NULL is left out.
    """
    new: list[str] = []
    changed: list[str] = []
    wanted = merged(table, output, path="", new=new.append, changed=changed.append)
    assert isinstance(wanted, StructType)  # noqa: S101 - merged keeps structs
    if changed:
        raise SinkSchemaError(
            f"column {'; column '.join(changed)}",
            where=where,
            fix="cast it in a step, or write another table",
        )
    if new and not merge:
        raise SinkSchemaError(
            f"the table has no column {', '.join(map(repr, new))}",
            where=where,
            fix="set sink.schema: merge to add what is new, or leave it out of `keep`",
        )
    given = {name.lower() for name in output.names}
    lacking = [f.name for f in table.fields if not f.nullable and f.name.lower() not in given]
    if lacking:
        raise SinkSchemaError(
            f"column '{lacking[0]}' is NOT NULL in the table, and the output lacks it",
            where=where,
            fix=did_you_mean(lacking[0], output.names),
        )
    return wanted, tuple(new)


def merged(
    table: DataType,
    output: DataType,
    *,
    path: str,
    new: Callable[[str], None],
    changed: Callable[[str], None],
) -> DataType:
    """The table's type with what the output adds to it, at the end of each struct.

    `new` is told the path of each addition, `changed` in words each type that is another one.
    """
    if isinstance(table, StructType) and isinstance(output, StructType):
        return _merged_struct(table, output, path=path, new=new, changed=changed)
    if isinstance(table, ArrayType) and isinstance(output, ArrayType):
        element = merged(
            table.elementType, output.elementType, path=f"{path}.element", new=new, changed=changed
        )
        return ArrayType(element, table.containsNull)
    if isinstance(table, MapType) and isinstance(output, MapType):
        key = merged(table.keyType, output.keyType, path=f"{path}.key", new=new, changed=changed)
        value = merged(
            table.valueType, output.valueType, path=f"{path}.value", new=new, changed=changed
        )
        return MapType(key, value, table.valueContainsNull)
    if table != output:
        changed(f"'{path}' is {table.simpleString()} in the table, {output.simpleString()} here")
    return table


def _merged_struct(
    table: StructType,
    output: StructType,
    *,
    path: str,
    new: Callable[[str], None],
    changed: Callable[[str], None],
) -> StructType:
    prefix = f"{path}." if path else ""
    given = {f.name.lower(): f for f in output.fields}
    fields = []
    for f in table.fields:
        other = given.pop(f.name.lower(), None)
        dtype = f.dataType
        if other is not None:
            dtype = merged(
                dtype, other.dataType, path=f"{prefix}{f.name}", new=new, changed=changed
            )
        fields.append(StructField(f.name, dtype, f.nullable, f.metadata))
    for added in given.values():
        new(f"{prefix}{added.name}")
        fields.append(added)
    return StructType(fields)
