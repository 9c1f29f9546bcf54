"""How the output's columns meet those of a Delta table, new or old: decided before any task."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace as changed_to
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sparkml.errors import SinkSchemaError, did_you_mean
from sparkml.spark.delta.partition import (
    equals,
    partition_columns,
    partitioning,
    predicate,
    with_fixed,
)
from sparkml.spark.delta.rules import check_columns, check_table
from sparkml.spark.delta.types import (
    ILLEGAL,
    arrow_field,
    cleaned,
    fields_within,
    reconciled,
)
from sparkml.spark.parquet.layout import Layout, PartitionColumn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pyspark.sql.types import StructField, StructType

    from sparkml.files import S3Options
    from sparkml.spark.delta.log import DeltaTransaction
    from sparkml.spark.parquet.layout import FileReport

MODE = "delta.columnMapping.mode"
OUTPUT = "the output's columns"


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePlan:
    """What the tasks write, which rows this run replaces, and what it adds to the table's schema.

    `predicates` are SQL for this run's partition, safe for any value; `shown` is the same for eyes.
    """

    layout: Layout
    replace: bool
    predicates: tuple[str, ...]
    shown: str | None
    new_columns: tuple[str, ...]

    def check(self, reports: Iterable[FileReport]) -> None:
        """Refuse files with rows that this run did not promise.

        Raises:
            SinkSchemaError: rows of another partition than the declared one, or a null in a NOT
                NULL column.
        """
        for report in reports:
            nulls = list(report.nulls_in)
            for column in self.layout.partitions:
                value = report.partition_values[column.physical]
                if column.fixed and value != column.value:
                    raise SinkSchemaError(
                        f"there are rows with {equals(column.name, value)}, "
                        f"but this run writes {equals(column.name, column.value)}",
                        where=self.layout.root,
                        fix="choose the rows with source.where, or mend sink.partition",
                    )
                if value is None and column.name in self.layout.not_null:
                    nulls.append(column.name)
            if nulls:
                raise SinkSchemaError(
                    f"column '{nulls[0]}' is NOT NULL in the table, and there are rows with null",
                    where=self.layout.root,
                    fix="leave those rows out with source.where, or coalesce in a step",
                )


def plan_table(
    txn: DeltaTransaction,
    schema: StructType,
    *,
    root: str,
    replace: bool,
    partition: Mapping[str, Any],
    partition_by: Sequence[str],
    merge: bool,
    column_mapping: str,
    s3: S3Options | None = None,
) -> TablePlan:
    """Every decision about the table, or the reason why it cannot be written.

    The transaction learns a new table's or a merged schema here; nothing is written.

    Raises:
        SinkSchemaError: columns, types or partition columns do not fit.
        UnsupportedTable: the table has features that this writer cannot honour.
    """
    rows = cleaned(schema)
    exists = txn.version >= 0
    by = partitioning(txn, partition, partition_by, root=root)
    output = with_fixed(rows, txn.schema, partition)
    if exists:
        properties = txn.metadata["configuration"]
        check_table(features=txn.features, properties=properties, replace=replace, where=root)
        new = _reconcile(txn, output, merge=merge, root=root)
    else:
        new = tuple(output.names)
        _create(txn, output, by, column_mapping=column_mapping, root=root)
    table, properties = txn.schema, txn.metadata["configuration"]
    check_table(features=txn.features, properties=properties, replace=replace, where=root)
    absent = {f.name for f in table.fields} - {f.name for f in _matches(table, output)}
    check_columns(table, absent=absent, where=root)
    partitions = partition_columns(table, rows, by, partition, root=root)
    shown = [equals(p.name, p.value) for p in partitions if p.fixed]
    return TablePlan(
        layout=changed_to(_layout(root, table, rows, partitions, properties), s3=s3),
        replace=replace,
        predicates=tuple(predicate(p.name, p.value, table) for p in partitions if p.fixed),
        shown=" AND ".join(shown) if replace and shown else None,
        new_columns=new,
    )


def _create(
    txn: DeltaTransaction,
    output: StructType,
    by: Sequence[str],
    *,
    column_mapping: str,
    root: str,
) -> None:
    """Give the transaction the metadata of a new table."""
    if column_mapping == "none":
        _check_names([path for path, _ in fields_within(output)], root=root)
    spelling = {name.lower(): name for name in output.names}
    for name in by:
        if name.lower() not in spelling:
            raise SinkSchemaError(
                f"partition column '{name}' is not in the output",
                where="sink.partition_by",
                fix=did_you_mean(name, output.names),
            )
    changes = {
        "schemaString": output.json(),
        "partitionColumns": [spelling[name.lower()] for name in by],
        "configuration": {} if column_mapping == "none" else {MODE: column_mapping},
    }
    txn.update_metadata(changes)


def _check_names(paths: Iterable[str], *, root: str) -> None:
    illegal = [path for path in paths if any(c in ILLEGAL for c in path)]
    if illegal:
        raise SinkSchemaError(
            f"without column mapping Delta has no columns named {', '.join(map(repr, illegal))}",
            where=root,
            fix="set sink.column_mapping: name on a new table in a folder, or `rename` them",
        )


def _reconcile(
    txn: DeltaTransaction, output: StructType, *, merge: bool, root: str
) -> tuple[str, ...]:
    """The columns that the output adds to an existing table; the transaction learns them."""
    wanted, new = reconciled(txn.schema, output, merge=merge, where=root)
    if new:
        if txn.metadata["configuration"].get(MODE, "none") == "none":
            _check_names(new, root=root)
        txn.update_metadata({"schemaString": wanted.json()})
    return new


def _matches(table: StructType, output: StructType) -> list[StructField]:
    """The columns of the table that the output has, whatever the case of their names."""
    given = {name.lower() for name in output.names}
    return [f for f in table.fields if f.name.lower() in given]


def _layout(
    root: str,
    table: StructType,
    rows: StructType,
    partitions: tuple[PartitionColumn, ...],
    properties: Mapping[str, str],
) -> Layout:
    apart = {p.name.lower() for p in partitions}
    spelling = {name.lower(): name for name in rows.names}
    data = [f for f in table.fields if f.name.lower() not in apart]
    if not data:
        raise SinkSchemaError(
            "every column is a partition column", where=root, fix="leave one out of partition_by"
        )
    logical = [
        arrow_field(f, physical=False).with_name(spelling.get(f.name.lower(), f.name)) for f in data
    ]
    indexed = int(properties.get("delta.dataSkippingNumIndexedCols", "32"))
    chosen = "delta.dataSkippingStatsColumns" in properties  # all columns then, not fewer
    return Layout(
        root=root,
        logical=pa.schema(logical),
        physical=pa.schema([arrow_field(f, physical=True) for f in data]),
        partitions=partitions,
        not_null=tuple(
            spelling.get(f.name.lower(), f.name) for f in table.fields if not f.nullable
        ),
        folders=properties.get(MODE, "none") == "none",
        stats_leaves=-1 if chosen else indexed,
    )
