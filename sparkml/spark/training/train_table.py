"""The table that a model is trained on: typed features, a label of two values, rows held out."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it
from pyspark.sql.types import StructType

from sparkml.binding import bind
from sparkml.config.fields import shown
from sparkml.errors import ConfigError, InputError, did_you_mean
from sparkml.spark.failures import explained
from sparkml.spark.names import check_names
from sparkml.spark.sources import describe
from sparkml.spark.types import arrow_schema, column
from sparkml.spec import Field, Signature

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import Column, DataFrame

    from sparkml.binding import Binding
    from sparkml.config import TrainConfig
    from sparkml.config.train import Split

ROW, TARGET, HELD_OUT = "_row", "_target", "_held_out"
"""Beside the features: what is written with a prediction (key and label), 1.0 or 0.0, the side."""

SPARK_TYPES = {"string": "string", "double": "double"}
STEPS_2_32 = 1 << 32


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingTable:
    """Labelled rows, kept in Spark's memory or on its disks, and what is known about them.

    `train` and `held_out` have the features (string and double), `_row` and `_target`. `labels` are
    the negative and the positive one. `unlabelled` rows had no label and are in neither.
    """

    train: DataFrame
    held_out: DataFrame
    inputs: tuple[Field, ...]
    labels: tuple[Any, Any]
    train_rows: int
    held_out_rows: int
    unlabelled: int


def feature_fields(config: TrainConfig) -> tuple[Field, ...]:
    """The columns that the model takes: text, then doubles."""
    return (
        *(Field(name=name, type="string") for name in config.categorical),
        *(Field(name=name, type="double") for name in config.numeric),
    )


def check_columns(df: DataFrame, config: TrainConfig) -> tuple[Binding, ...]:
    """How the table's columns become features; refused where the config names one it has not.

    From the schema alone.

    Raises:
        ConfigError: the label, a key or a column of `split.by` is not there.
        SignatureError: a feature is missing, or of a type that a model would not be given either.
    """
    others = {"label": (config.label,), "key": config.key, "split.by": config.split.by}
    for key, names in others.items():
        for name in names:
            if name not in df.columns:
                fix = did_you_mean(name, df.columns)
                raise ConfigError(f"no column '{name}'", where=key, fix=fix)
    where = describe(config.source)
    named = [config.label, *config.key, *config.split.by, *config.features]
    check_names(named, df.columns, where=where)
    wanted = [f for f in df.schema.fields if f.name in config.features]
    rest = [pa.field(name, pa.null()) for name in df.columns if name not in config.features]
    known = pa.schema([*arrow_schema(StructType(wanted), where=where), *rest])
    features = Signature(inputs=feature_fields(config))
    return bind(known, features, where=f"{where} for the features")


@contextmanager
def training_table(df: DataFrame, config: TrainConfig) -> Iterator[TrainingTable]:
    """The rows of `df` for training, stored for as long as the block lasts.

    Costs one pass over the source, and the space of the columns that are needed.

    Raises:
        InputError: no rows, a label of one value or of more than two, or a side without one of
            them.
        ConfigError: `positive` is not one of the label's values.
    """
    fields = feature_fields(config)
    features = [column(f.name).cast(SPARK_TYPES[f.type]).alias(f.name) for f in fields]
    row = F.struct(*[column(name) for name in config.key], column(config.label).alias("label"))
    side = _held_out(config.split)
    stored = df.select(*features, row.alias(ROW), side.alias(HELD_OUT)).persist()
    try:
        with explained():
            counts = _counts(stored)
        labels = _two_labels(counts, config)
        _check_sides(counts, labels)
        target = (F.col(f"{ROW}.label") == F.lit(labels[1])).cast("double")
        labelled = stored.withColumn(TARGET, target).where(F.col(TARGET).isNotNull())
        yield TrainingTable(
            train=labelled.where(~F.col(HELD_OUT)).drop(HELD_OUT),
            held_out=labelled.where(HELD_OUT).drop(HELD_OUT),
            inputs=fields,
            labels=labels,
            train_rows=sum(counts.get((False, label), 0) for label in labels),
            held_out_rows=sum(counts.get((True, label), 0) for label in labels),
            unlabelled=counts.get((False, None), 0) + counts.get((True, None), 0),
        )
    finally:
        stored.unpersist()


def _held_out(split: Split) -> Column:
    """Whether a row is held out: by chance, or by the hash of the columns that decide."""
    if split.by:
        by = F.xxhash64(F.lit(split.seed), *[column(name) for name in split.by])
        return F.pmod(by, F.lit(STEPS_2_32)) >= F.lit(split.train * STEPS_2_32)
    return F.rand(split.seed) >= F.lit(split.train)


def _counts(stored: DataFrame) -> dict[tuple[bool, Any], int]:
    """(held out, label) -> rows; at most seven of them, which two labels and null do not reach."""
    groups = stored.groupBy(HELD_OUT, F.col(f"{ROW}.label").alias("label")).count()
    return {(row[0], row[1]): row[2] for row in groups.limit(7).collect()}


def _two_labels(counts: dict[tuple[bool, Any], int], config: TrainConfig) -> tuple[Any, Any]:
    values = {label for _, label in counts if label is not None}
    found = f"the label '{config.label}'"
    if not counts:
        raise InputError("the source has no rows", where=describe(config.source))
    if not values:
        raise InputError(f"{found} is null in every row", where="label")
    told = ", ".join(sorted(map(shown, values))[:5])
    if len(values) > 2:
        raise InputError(
            f"{found} has more than two values ({told}, …); a model here tells two apart",
            where="label",
            fix="make a label of two values in a step, such as `label = 'this'`",
        )
    if len(values) == 1:
        raise InputError(f"{found} has one value only ({told})", where="label")
    negative, positive = sorted(values)
    if config.positive is not None:
        alike = [v for v in values if _same(v, config.positive)]
        if not alike:
            what = f"the label '{config.label}' is never {shown(config.positive)}"
            raise ConfigError(what, where="positive", fix=f"its values: {told}")
        (positive,) = alike
        (negative,) = values - {positive}
    return negative, positive


def _same(value: Any, written: Any) -> bool:
    alike = isinstance(value, bool) == isinstance(written, bool)
    return (alike and value == written) or str(value) == str(written)


def _check_sides(counts: dict[tuple[bool, Any], int], labels: tuple[Any, Any]) -> None:
    for held_out, side in ((False, "training"), (True, "held-out")):
        for label in labels:
            if (held_out, label) not in counts:
                raise InputError(
                    f"no {side} row has the label {shown(label)}",
                    where="split",
                    fix="take more rows, or another split.train or split.seed",
                )
