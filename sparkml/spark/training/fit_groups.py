"""One model per key, fitted in the workers: the rows of a key meet in one task, one at a time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it
from pyspark.sql.types import StructField, StructType

from sparkml.arrow import kind
from sparkml.errors import InputError, NullInputError, SignatureError, did_you_mean
from sparkml.lists import is_list, is_vector
from sparkml.models.flavors.keyed_file import check_key
from sparkml.scoring.threads import cap_threads
from sparkml.spark._versions import is_connect
from sparkml.spark.failures import explained
from sparkml.spark.names import check_names
from sparkml.spark.types import arrow_schema, column, quoted, spark_type
from sparkml.spark.worker import tune
from sparkml.spec import Field
from sparkml.training.fit_key import fit_key, new_estimator
from sparkml.type_names import to_arrow_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame, SparkSession

    from sparkml.training.fit_key import Recipe

RESULT = {
    "of_all": pa.bool_(), "rows": pa.int64(), "score": pa.float64(), "classes": pa.string(),
    "code": pa.string(), "message": pa.string(), "model": pa.binary(),
}  # fmt: skip
"""What a fit gives after the key's columns, which are null for the global model (`of_all`)."""
LABELS = ("bool", "int8", "int16", "int32", "int64", "float", "double", "string")
TASKS_PER_CORE = 4
"""Keys differ in their rows: with more tasks than cores, none waits long for another."""
STEPS_2_32 = 1 << 32
_prepared: set[str] = set()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingColumns:
    """The columns that take part, with their types, in the order in which they travel."""

    keys: tuple[Field, ...]
    features: tuple[Field, ...]
    label: Field

    @property
    def names(self) -> list[str]:
        """Of all of them: keys, features, label."""
        return [f.name for f in (*self.keys, *self.features, self.label)]


def training_columns(
    df: DataFrame, key: Sequence[str], features: Sequence[str], label: str, *, where: str
) -> TrainingColumns:
    """The columns by name, their types those of the table; no features: all the other columns.

    Raises:
        SignatureError: one is missing, has two roles, or a type that its role cannot have.
    """
    features = features or [n for n in df.columns if n not in (*key, label)]
    names = [*key, *features, label]
    for name in names:
        if name not in df.columns:
            fix = did_you_mean(name, df.columns)
            raise SignatureError(f"column '{name}' is missing", where=where, fix=fix)
        if names.count(name) > 1:
            fix = "give it one role: key, feature or label"
            raise SignatureError(f"column '{name}' is named twice", where=where, fix=fix)
    check_names(names, df.columns, where=where)
    found = arrow_schema(StructType([df.schema[name] for name in names]), where=where)
    fields = [_field(f) for f in found]
    columns = TrainingColumns(
        keys=tuple(fields[: len(key)]), features=tuple(fields[len(key) : -1]), label=fields[-1]
    )
    _check(columns, where=where)
    return columns


def _field(given: pa.Field) -> Field:
    if is_vector(given.type):
        return Field(name=given.name, type="list<double>")
    if is_list(given.type):
        return Field(name=given.name, type=f"list<{given.type.value_type}>")
    return Field(name=given.name, type=str(given.type))


def _known(label: Field) -> str:
    """The predicate of rows with a label."""
    name = quoted(label.name)
    numbers = to_arrow_type(label.type) in (pa.float32(), pa.float64())
    return f"{name} IS NOT NULL" + f" AND NOT isnan({name})" * numbers


def _check(columns: TrainingColumns, *, where: str) -> None:
    if not columns.keys or not columns.features:
        lacking = "features" if columns.keys else "key"
        raise SignatureError("no column is named", where=lacking, fix="name at least one column")
    for key in columns.keys:
        check_key(key, where=where)
    label = columns.label
    if kind(to_arrow_type(label.type)) not in LABELS:
        raise SignatureError(
            f"the label '{label.name}' is {label.type}; it may be {', '.join(LABELS)}",
            where=where,
            fix="cast it in a step",
        )
    for feature in columns.features:
        dtype = to_arrow_type(feature.type)
        if is_list(dtype) and len(columns.features) > 1:
            raise SignatureError(
                f"'{feature.name}' is {feature.type}: a vector must be the only feature",
                where=where,
                fix="name it alone, or take its elements apart in steps",
            )
        if is_list(dtype) and not _is_number(dtype.value_type):
            raise SignatureError(
                f"'{feature.name}' is {feature.type}: the elements of a vector are numbers",
                where=where,
                fix="make numbers of them in a step",
            )


def _is_number(dtype: pa.DataType) -> bool:
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)
    return any(test(dtype) for test in tests)


def check_rows(df: DataFrame, columns: TrainingColumns, *, where: str) -> tuple[int, int]:
    """The number of rows, and of those without a key; one pass over the key and the label.

    Raises:
        InputError: there are no rows.
        NullInputError: a label is null or NaN.
    """
    label, keys = column(columns.label.name), [column(f.name) for f in columns.keys]
    no_label = label.isNull()
    if to_arrow_type(columns.label.type) in (pa.float32(), pa.float64()):
        no_label |= F.isnan(label)
    no_key = F.lit(False)
    for key in keys:
        no_key |= key.isNull()
    with explained():
        rows, unlabelled, keyless = df.agg(
            F.count("*"), F.count_if(no_label), F.count_if(no_key)
        ).collect()[0]
    if not rows:
        raise InputError("there are no rows to train on", where=where)
    if unlabelled:
        raise NullInputError(
            f"{unlabelled:,} of {rows:,} rows have no label '{columns.label.name}'",
            where=where,
            fix=f"leave them out: source.where: {_known(columns.label)}",
        )
    return rows, keyless


def fitted(
    df: DataFrame,
    columns: TrainingColumns,
    recipe: Recipe,
    *,
    tasks: int | None = None,
    tuned: bool = True,
) -> DataFrame:
    """A row per key: the key's columns `k0`, …, then those of `RESULT`. Lazy.

    One shuffle brings the rows of a key together. A worker holds the rows of one key at a time.
    """
    renamed = _renamed(df, columns)
    keys = [f"k{i}" for i in range(len(columns.keys))]
    spread = renamed.dropna(subset=keys).repartition(tasks or _tasks(df.sparkSession), *keys)
    names = columns.names

    def fit(_key: Any, rows: pa.Table) -> pa.Table:
        key = [rows.column(name)[0] for name in keys]
        return _fit(rows.rename_columns(names), recipe, key, tuned=tuned)

    return spread.groupBy(*keys).applyInArrow(fit, _result_type(columns))


def fitted_on_all(
    df: DataFrame,
    columns: TrainingColumns,
    recipe: Recipe,
    *,
    share: float,
    tuned: bool = True,
) -> DataFrame:
    """The same for one model of all keys, fitted on about a share of the rows; one row. Lazy.

    The hash of a row's values decides whether it is taken, so the same rows are, however they lie.
    """
    renamed = _renamed(df, columns)
    drawn = F.pmod(F.xxhash64(*renamed.columns), F.lit(STEPS_2_32)) < F.lit(share * STEPS_2_32)
    names = columns.names

    def fit(rows: pa.Table) -> pa.Table:
        key = [pa.scalar(None, to_arrow_type(f.type)) for f in columns.keys]
        return _fit(rows.rename_columns(names), recipe, key, tuned=tuned, of_all=True)

    return renamed.where(drawn).groupBy().applyInArrow(fit, _result_type(columns))


def _renamed(df: DataFrame, columns: TrainingColumns) -> DataFrame:
    """The columns under names that need no quoting: `k0`, …, `f0`, …, `label`."""
    plain = [f"k{i}" for i in range(len(columns.keys))]
    plain += [*(f"f{i}" for i in range(len(columns.features))), "label"]
    pairs = zip(columns.names, plain, strict=True)
    return df.select(*[column(name).alias(new) for name, new in pairs])


def _tasks(spark: SparkSession) -> int:
    if is_connect(spark):
        return int(spark.conf.get("spark.sql.shuffle.partitions") or 200)
    return TASKS_PER_CORE * spark.sparkContext.defaultParallelism


def _result_type(columns: TrainingColumns) -> StructType:
    keys = {f"k{i}": to_arrow_type(f.type) for i, f in enumerate(columns.keys)}
    return StructType([StructField(n, spark_type(t), True) for n, t in {**keys, **RESULT}.items()])


def _prepare(recipe: Recipe, *, tuned: bool) -> None:
    """Once in a process: the estimator's libraries loaded, then their threads capped."""
    name = str(recipe.estimator)
    if name in _prepared:
        return
    new_estimator(recipe)
    context = TaskContext.get()
    cap_threads(context.cpus() if context else 1)
    if tuned:
        tune(loaded=True)
    _prepared.add(name)


def _fit(
    rows: pa.Table, recipe: Recipe, key: list[pa.Scalar], *, tuned: bool, of_all: bool = False
) -> pa.Table:
    """One row of the result; runs in the worker."""
    _prepare(recipe, tuned=tuned)
    made = fit_key(rows, recipe)
    values = {
        "of_all": of_all,
        "rows": made.rows,
        "score": made.score,
        "classes": json.dumps(made.classes),
        "code": made.code,
        "message": made.message,
        "model": made.model,
    }
    arrays = {f"k{i}": pa.array([k.as_py()], k.type) for i, k in enumerate(key)}
    arrays |= {name: pa.array([values[name]], dtype) for name, dtype in RESULT.items()}
    return pa.table(arrays)
