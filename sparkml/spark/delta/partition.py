"""The partition of a run: which columns, this run's values, and the SQL that finds its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyspark.sql.types import BooleanType, LongType, StringType, StructField, StructType

from sparkml.errors import SinkSchemaError, did_you_mean
from sparkml.spark.delta.types import PHYSICAL_NAME, UNPARTITIONABLE, arrow_type
from sparkml.spark.parquet.layout import PartitionColumn
from sparkml.spark.parquet.partitions import declared
from sparkml.spark.types import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql.types import DataType

    from sparkml.spark.delta.log import DeltaTransaction


def partitioning(
    txn: DeltaTransaction,
    partition: Mapping[str, Any],
    partition_by: Sequence[str],
    *,
    root: str,
) -> tuple[str, ...]:
    """The partition columns of the table: its own, or as declared for a new one."""
    by = tuple(txn.metadata["partitionColumns"] if txn.version >= 0 else partition_by or partition)
    lower = {name.lower() for name in by}
    if txn.version >= 0 and partition_by and {name.lower() for name in partition_by} != lower:
        raise SinkSchemaError(
            f"the table is partitioned by {', '.join(by) or 'nothing'}, "
            f"not by {', '.join(partition_by)}",
            where=root,
            fix="mend sink.partition_by, or write another table",
        )
    for name in partition:
        if name.lower() not in lower:
            raise SinkSchemaError(
                f"'{name}' is not a partition column of the table",
                where="sink.partition",
                fix=did_you_mean(name, by),
            )
    return by


def with_fixed(rows: StructType, table: StructType, partition: Mapping[str, Any]) -> StructType:
    """The columns of the rows, and those of this run's partition that the rows do not carry."""
    have = {name.lower() for name in rows.names}
    added = [
        StructField(name, _type_of(name, value, table))
        for name, value in partition.items()
        if name.lower() not in have
    ]
    return StructType([*rows.fields, *added])


def _type_of(name: str, value: Any, table: StructType) -> DataType:
    for field in table.fields:
        if field.name.lower() == name.lower():
            return field.dataType
    if isinstance(value, bool):
        return BooleanType()
    return LongType() if isinstance(value, int) else StringType()


def partition_columns(
    table: StructType,
    rows: StructType,
    by: Sequence[str],
    partition: Mapping[str, Any],
    *,
    root: str,
) -> tuple[PartitionColumn, ...]:
    """The partition columns `by`, in order, with this run's values in the log's spelling.

    Raises:
        SinkSchemaError: one has a type that cannot partition, comes from nowhere, or has a value
            that is not of its type.
    """
    spelling = {name.lower(): name for name in rows.names}
    values = {name.lower(): value for name, value in partition.items()}
    fields = {f.name.lower(): f for f in table.fields}
    columns = []
    for key in (name.lower() for name in by):
        field = fields[key]
        name = spelling.get(key, field.name)
        if isinstance(field.dataType, UNPARTITIONABLE):
            raise SinkSchemaError(
                f"'{name}' is {field.dataType.simpleString()}, which cannot be a partition column",
                where=root,
                fix="partition by a whole number, string, boolean, date, timestamp or decimal",
            )
        if key not in spelling and key not in values:
            raise SinkSchemaError(
                f"partition column '{name}' is not in the output",
                where=root,
                fix=f"{did_you_mean(name, rows.names)}, or give its value in sink.partition",
            )
        dtype = arrow_type(field.dataType, physical=False)
        fixed = key in values
        value = declared(name, values[key], dtype) if fixed else None
        if fixed and value is None and not field.nullable:
            raise SinkSchemaError(
                f"partition column '{name}' is NOT NULL", where="sink.partition", fix="give a value"
            )
        columns.append(
            PartitionColumn(
                name=name,
                physical=field.metadata.get(PHYSICAL_NAME, field.name),
                type=dtype,
                in_rows=key in spelling,
                fixed=fixed,
                value=value,
            )
        )
    return tuple(columns)


def predicate(name: str, value: str | None, table: StructType) -> str:
    """SQL for the column having the value; which is written as bytes, so it needs no escapes."""
    field = next(f for f in table.fields if f.name.lower() == name.lower())
    if value is None:
        return f"{quoted(field.name)} IS NULL"
    text = f"CAST(X'{value.encode().hex()}' AS STRING)"
    return f"{quoted(field.name)} = CAST({text} AS {field.dataType.simpleString()})"


def equals(name: str, value: str | None) -> str:
    """The same for eyes: in the table's history and in errors."""
    return f"{name} IS NULL" if value is None else f"{name} = {value!r}"
