"""Which rows a Spark ML stage would raise on or drop: found by expressions, before it does.

A stage sees a harmless value in the place of one that it refuses, so that no row ends a job and
none is lost; what it then says about that row is thrown away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.ml.functions import array_to_vector, vector_to_array
from pyspark.ml.linalg import VectorUDT
from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it
from pyspark.sql.types import ArrayType, BooleanType, DoubleType, FloatType, NumericType, StringType

from sparkml.spark.types import column

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pyspark.sql import Column
    from pyspark.sql.types import StructField, StructType


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Rows that are `bad`, and the value that `name` holds in them `instead` (None: its own).

    `source` is the stage's input, and `why` is what is told.
    """

    name: str
    source: str
    bad: Column
    instead: Column | None
    why: str


Guards = tuple[list[Guard], list[Guard]]
"""What to look at before a stage, and what after it."""


def guards_of(stage: Any, schema: StructType, raw: Collection[str]) -> Guards:
    """The guards of a stage that takes columns of `schema`; `raw` are the table's own among them.

    The stage is made to keep or to refuse what it was told to skip, since a row must not be lost.
    """
    told = _told(stage, "handleInvalid")
    before, after = GUARDS.get(type(stage).__name__, _nulls)(stage, schema, raw)
    if told == "skip" and _told(stage, "handleInvalid") == "skip":
        stage.set(stage.handleInvalid, "error")
    return before, after


def zero(field: StructField) -> Column:
    """A value of the field's type that a stage can do something with."""
    dtype = field.dataType
    if isinstance(dtype, VectorUDT):
        return zeros(vector_size(field))
    if isinstance(dtype, ArrayType):
        return F.array().cast(dtype)
    plain = {StringType: "", BooleanType: False}.get(type(dtype))
    return F.lit(0 if isinstance(dtype, NumericType) else plain).cast(dtype)


def zeros(size: int) -> Column:
    """A vector of zeros."""
    return array_to_vector(F.array_repeat(F.lit(0.0), size))


def vector_size(field: StructField) -> int:
    """The length of a vector column by its metadata; 0 where they do not tell."""
    return int(field.metadata.get("ml_attr", {}).get("num_attrs", 0))


def sized(size: int) -> dict[str, Any]:
    """The metadata by which Spark ML knows a vector column's length without looking at its rows."""
    return {"ml_attr": {"num_attrs": size}}


def _nulls(stage: Any, schema: StructType, raw: Collection[str]) -> Guards:
    """Most stages raise on a null; only the table's own columns hold any."""
    return [
        Guard(
            name=name,
            source=name,
            bad=column(name).isNull(),
            instead=zero(schema[name]),
            why=f"{stage.uid} takes no null",
        )
        for name in taken(stage)
        if name in raw
    ], []


def _string_indexer(stage: Any, schema: StructType, raw: Collection[str]) -> Guards:
    """A label that is not known gets the index after the last one, by which it is found."""
    del schema, raw
    if _told(stage, "handleInvalid") == "keep":
        return [], []
    stage.set(stage.handleInvalid, "keep")
    places = zip(taken(stage), _columns(stage, "outputCol"), stage.labelsArray, strict=True)
    return [], [
        Guard(
            name=made,
            source=name,
            bad=column(made) >= len(labels),
            instead=F.lit(0.0),
            why=f"{stage.uid} was not fitted on this label",
        )
        for name, made, labels in places
    ]


def _assembler(stage: Any, schema: StructType, raw: Collection[str]) -> Guards:
    """It refuses a null, and a NaN that is a column of its own; one in a vector it takes."""
    if _told(stage, "handleInvalid") == "keep":
        return [], []
    found = []
    for name in taken(stage):
        vector = isinstance(schema[name].dataType, VectorUDT)
        if vector and name not in raw:
            continue
        bad = column(name).isNull()
        if isinstance(schema[name].dataType, DoubleType | FloatType):
            bad |= F.isnan(column(name))
        found.append(
            Guard(
                name=name,
                source=name,
                bad=bad,
                instead=zero(schema[name]),
                why=f"{stage.uid} takes no null or NaN",
            )
        )
    return found, []


def _bucketizer(stage: Any, schema: StructType, raw: Collection[str]) -> Guards:
    """A value outside its splits is refused whatever `handleInvalid` says."""
    del schema, raw
    keep = _told(stage, "handleInvalid") == "keep"
    splits = stage.getSplitsArray() if stage.isSet("splitsArray") else [stage.getSplits()]
    found = []
    for name, limits in zip(taken(stage), splits, strict=True):
        value = column(name)
        bad = ~value.between(limits[0], limits[-1]) & ~F.isnan(value)
        if not keep:
            bad |= value.isNull() | F.isnan(value)
        why = f"{stage.uid} has no bucket for this value"
        found.append(
            Guard(name=name, source=name, bad=bad, instead=F.lit(float(limits[1])), why=why)
        )
    return found, []


def _one_hot(stage: Any, schema: StructType, raw: Collection[str]) -> Guards:
    """An index that it was not fitted on."""
    del schema, raw
    keep = _told(stage, "handleInvalid") == "keep"
    found = []
    for name, size in zip(taken(stage), stage.categorySizes, strict=True):
        value = column(name)
        bad = value.isNull() if keep else value.isNull() | (value < 0) | (value >= size)
        why = f"{stage.uid} was not fitted on this category"
        found.append(Guard(name=name, source=name, bad=bad, instead=F.lit(0.0), why=why))
    return found, []


def _index_to_string(stage: Any, schema: StructType, raw: Collection[str]) -> Guards:
    """An index without a label."""
    del schema, raw
    name, labels = taken(stage)[0], _told(stage, "labels")
    if not labels:  # they are its column's own then
        return [], []
    value = column(name)
    bad = value.isNull() | (value < 0) | (value >= len(labels))
    why = f"{stage.uid} has no label for this index"
    return [Guard(name=name, source=name, bad=bad, instead=F.lit(0.0), why=why)], []


def _vector_indexer(stage: Any, schema: StructType, raw: Collection[str]) -> Guards:
    """As for a `StringIndexer`, in each feature of the vector that holds categories."""
    before, _ = _nulls(stage, schema, raw)
    if _told(stage, "handleInvalid") == "keep":
        return before, []
    stage.set(stage.handleInvalid, "keep")
    made = _columns(stage, "outputCol")[0]
    values = vector_to_array(column(made))
    bad = F.lit(False)
    for feature, categories in stage.categoryMaps.items():
        bad |= values[int(feature)] >= len(categories)
    why = f"{stage.uid} was not fitted on a category of it"
    return before, [Guard(name=made, source=taken(stage)[0], bad=bad, instead=None, why=why)]


def _size_hint(stage: Any, schema: StructType, raw: Collection[str]) -> Guards:
    """A vector of another length."""
    del schema, raw
    name, size = taken(stage)[0], stage.getSize()
    bad = column(name).isNull() | (F.size(vector_to_array(column(name))) != size)
    why = f"{stage.uid} takes vectors of length {size}"
    return [Guard(name=name, source=name, bad=bad, instead=zeros(size), why=why)], []


def _none(stage: Any, schema: StructType, raw: Collection[str]) -> Guards:
    """It takes anything."""
    del stage, schema, raw
    return [], []


GUARDS: dict[str, Callable[[Any, StructType, Collection[str]], Guards]] = {
    "Bucketizer": _bucketizer,
    "FeatureHasher": _none,
    "ImputerModel": _none,
    "IndexToString": _index_to_string,
    "OneHotEncoderModel": _one_hot,
    "SQLTransformer": _none,
    "StringIndexerModel": _string_indexer,
    "VectorAssembler": _assembler,
    "VectorIndexerModel": _vector_indexer,
    "VectorSizeHint": _size_hint,
}
"""A stage's class → its guards; any other class takes everything but a null."""


def taken(stage: Any) -> list[str]:
    """The columns that a stage reads."""
    return [*_columns(stage, "inputCol"), *_columns(stage, "featuresCol")]


def _columns(stage: Any, param: str) -> list[str]:
    """What `inputCols`, say, or else `inputCol` names; outputs have a default for the latter."""
    several = _told(stage, f"{param}s")
    single = _told(stage, param)
    return list(several) if several else [single] if single else []


def _told(stage: Any, param: str) -> Any:
    known = stage.hasParam(param) and stage.isDefined(stage.getParam(param))
    return stage.getOrDefault(param) if known else None
