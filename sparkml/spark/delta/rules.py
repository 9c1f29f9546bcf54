"""Which Delta tables our writer honours: by table feature, by property, and column by column."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql.types import ArrayType, MapType

from sparkml.errors import UnsupportedTable
from sparkml.spark.delta.types import fields_within

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pyspark.sql.types import DataType, StructField, StructType

FEATURES = frozenset(
    {
        "allowColumnDefaults",  # a column that is left out and has a default is refused below
        "appendOnly",  # replacing is refused below
        "changeDataFeed",  # a commit of whole files is its own change data
        "checkConstraints",  # refused below where there is one
        "clustering",  # new files wait for the next OPTIMIZE, as with Spark's own append
        "columnMapping",
        "deletionVectors",
        "domainMetadata",
        "generatedColumns",  # refused below where there is one
        "identityColumns",  # the same
        "inCommitTimestamp",
        "inCommitTimestamp-preview",
        "invariants",  # the same, and NOT NULL is checked in the tasks
        "rowTracking",
        "timestampNtz",
        "typeWidening",
        "typeWidening-preview",
        "v2Checkpoint",
        "vacuumProtocolCheck",
    }
)
"""The table features that a file of ours and Delta's own commit satisfy; each has its test."""

COLUMN_RULES = {
    "delta.generationExpression": "is a generated column",
    "delta.identity.start": "is an identity column",
    "delta.identity.step": "is an identity column",
    "delta.invariants": "has an invariant",
    "__CHAR_VARCHAR_TYPE_STRING": "is a char or varchar",
}
"""Metadata of a column -> why the table is refused: only Spark's own writer keeps the rule."""

FIX = "write it with sink.format: table (Spark's own writer)"


def check_table(
    *, features: Collection[str], properties: Mapping[str, str], replace: bool, where: str
) -> None:
    """Refuse a table with a feature or a property that our commits would not honour.

    Raises:
        UnsupportedTable: naming each feature or constraint, and the way out.
    """
    unknown = sorted(set(features) - FEATURES)
    if unknown:
        raise UnsupportedTable(
            f"the table has the feature{'s' * (len(unknown) > 1)} {', '.join(unknown)}, "
            "which this writer does not honour",
            where=where,
            fix=FIX,
        )
    prefix = "delta.constraints."
    constraints = sorted(k.removeprefix(prefix) for k in properties if k.startswith(prefix))
    if constraints:
        raise UnsupportedTable(
            f"the table has the constraint {', '.join(constraints)}, "
            "which this writer does not check",
            where=where,
            fix=FIX,
        )
    if replace and properties.get("delta.appendOnly", "false").lower() == "true":
        raise UnsupportedTable(
            "the table is append-only (delta.appendOnly), and replacing removes rows",
            where=where,
            fix="use sink.mode: append",
        )


def check_columns(schema: StructType, *, absent: Collection[str], where: str) -> None:
    """Refuse a table with a column whose rule our files would not keep.

    `absent` are the top-level columns that the output lacks: one with a default is refused.

    Raises:
        UnsupportedTable: naming the column and the rule.
    """
    for path, field in fields_within(schema):
        rule = _rule(field, nested=path != field.name)
        if rule is None and path in absent and "CURRENT_DEFAULT" in field.metadata:
            rule = "has a default and is not in the output"
        if rule is not None:
            raise UnsupportedTable(
                f"column '{path}' {rule}, which this writer does not honour", where=where, fix=FIX
            )


def _rule(field: StructField, *, nested: bool) -> str | None:
    for key, rule in COLUMN_RULES.items():
        if key in field.metadata:
            return rule
    if (nested and not field.nullable) or _strict(field.dataType):
        return "is or has a NOT NULL inside another column"
    return None


def _strict(dtype: DataType) -> bool:
    if isinstance(dtype, ArrayType):
        return not dtype.containsNull or _strict(dtype.elementType)
    if isinstance(dtype, MapType):
        return not dtype.valueContainsNull or _strict(dtype.keyType) or _strict(dtype.valueType)
    return False
