"""`score_udf`: a model as a column function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it
from pyspark.sql.types import StructField, StructType

from sparkml.arrow import input_schema
from sparkml.binding import Columns
from sparkml.errors import SignatureError, did_you_mean
from sparkml.lists import is_list
from sparkml.models.read import read_spec
from sparkml.models.typed import refuse_open
from sparkml.scoring.scorer import ERROR_TYPE
from sparkml.spark._versions import has_arrow_udf
from sparkml.spark.ml.score import refuse_in_udf
from sparkml.spark.own_libraries import own_libraries
from sparkml.spark.score import score_type
from sparkml.spark.ship import ship
from sparkml.spark.types import column, folds_case, quoted, spark_type
from sparkml.spark.worker import open_scorer
from sparkml.spec import OPEN, ModelSpec
from sparkml.sql_types import sql_type
from sparkml.type_names import to_arrow_type

if TYPE_CHECKING:
    import pandas as pd


class ScoreColumn(Protocol):
    """What `score_udf` gives: call it with column names, or with `feature=column` pairs."""

    def __call__(self, *names: str, **columns: Column | str) -> Column:
        """The column of scores."""
        ...


def score_udf(
    model: ModelSpec | str, *, spark: SparkSession | None = None, tuned: bool = True
) -> ScoreColumn:
    """A column function that scores rows with a model.

    With `wine = score_udf("models:/wine@champion")`, `wine()` takes the columns that bear the names
    of all the model's features; `wine("a", "b")` says so (in any order, since names decide and
    not positions; features that are not required may be left out); and
    `wine(a="alcohol", b=F.col("x") * 2)` maps a feature to another column or an expression. Only a
    model that was trained without names, and takes one vector, is given `wine("a", "b")` in its own
    order. The result is a struct of the model's outputs and `error`.

    Runs in Python workers. Types are checked there by `sparkml.arrow.CASTS`, since a column has
    none before it meets a table: where you hold the table, `score` checks before any task starts.

    Raises:
        SignatureError: a feature is left out, or a name is not a feature.
        SignatureUnknown: the type of a feature is open, which Spark 4.0 has no way to tell.
        UnsupportedFlavor: a Spark ML model, which is scored by its own `transform`: see `score`.
    """
    spec = model if isinstance(model, ModelSpec) else read_spec(model)
    refuse_in_udf(spec)
    if not has_arrow_udf():
        refuse_open(spec)
    session = spark or SparkSession.active()
    ship(session, spec)
    raw = raw_udf(spec, tuned=tuned)

    def columns(*names: str, **columns: Column | str) -> Column:
        given: dict[str, Any] = {**{name: name for name in names}, **columns}
        if not columns:
            given = _as_vector(given, spec) or given
        if not given:
            given = {name: name for name in spec.signature.names}
        struct = struct_of(spec, _checked(given, spec, fold_case=folds_case(session)))
        with own_libraries(session, spec.environment):
            scores: Column = raw(struct)
        return scores

    return columns


def _as_vector(given: dict[str, Any], spec: ModelSpec) -> dict[str, Any]:
    """The columns in their order as the one vector that a model takes; empty where it does not."""
    first, *others = spec.signature.inputs
    if others or first.type == OPEN or not is_list(to_arrow_type(first.type)):
        return {}
    if first.name in given or len(given) != (first.length or len(given)) or not given:
        return {}
    return {first.name: F.array(*[column(name) for name in given])}


def struct_of(spec: ModelSpec, columns: dict[str, Any]) -> Column:
    """The features as one struct column, in the model's order."""
    used = [f for f in spec.signature.inputs if f.name in columns]
    if all(isinstance(columns[f.name], str) for f in used):
        # One text: thousands of `Column` objects would each cost several calls into the JVM.
        fields = (f"{_cast_text(columns[f.name], f.type)} AS {quoted(f.name)}" for f in used)
        return F.expr(f"struct({', '.join(fields)})")
    parts = []
    for f in used:
        given = columns[f.name]
        part = column(given) if isinstance(given, str) else given
        parts.append(_cast(part, f.type).alias(f.name))
    return F.struct(*parts)


def _cast(part: Column, dtype: str) -> Column:
    # Through pandas (Spark 4.0) a batch's types would depend on its nulls; the cast fixes them.
    return part if has_arrow_udf() else part.cast(spark_type(to_arrow_type(dtype)))


def _cast_text(name: str, dtype: str) -> str:
    if has_arrow_udf():
        return quoted(name)
    return f"CAST({quoted(name)} AS {sql_type(to_arrow_type(dtype))})"


def raw_udf(spec: ModelSpec, *, tuned: bool) -> Any:
    """The UDF itself: a struct of features to a struct of the outputs and `error`."""
    returns = StructType(
        [*score_type(spec).fields, StructField("error", spark_type(ERROR_TYPE), True)]
    )
    if has_arrow_udf():

        def score_structs(features: pa.Array) -> pa.Array:
            batch = pa.RecordBatch.from_struct_array(features)
            return open_scorer(spec, tuned=tuned)(batch).to_struct_array()

        return F.arrow_udf(score_structs, returns)  # type: ignore[attr-defined]

    def score_frame(features: pd.DataFrame) -> pd.DataFrame:
        types = {f.name: f.type for f in input_schema(spec.signature)}
        arrays = {n: pa.array(features[n], types[n], from_pandas=True) for n in features.columns}
        batch = pa.RecordBatch.from_pydict(arrays)
        frame: pd.DataFrame = open_scorer(spec, tuned=tuned)(batch).to_pandas()
        return frame

    import pandas as pd

    # PySpark tells the kind of a UDF from its hints, which it must be able to evaluate.
    score_frame.__annotations__ = {"features": pd.DataFrame, "return": pd.DataFrame}
    return F.pandas_udf(score_frame, returns)  # type: ignore[attr-defined]


def _checked(given: dict[str, Any], spec: ModelSpec, *, fold_case: bool) -> dict[str, Any]:
    """What is given for each feature, under the feature's own name."""
    features = Columns(spec.signature.names, fold_case=fold_case)
    named: dict[str, Any] = {}
    for name, value in given.items():
        found = features.of(name)
        if len(found) > 1:
            told = " or ".join(map(repr, found))
            raise SignatureError(
                f"'{name}' may be the feature {told}", where=spec.uri, fix="name it as it is"
            )
        if not found:
            raise SignatureError(
                f"'{name}' is not a feature of the model",
                where=spec.uri,
                fix=did_you_mean(name, spec.signature.names),
            )
        if found[0] in named:
            raise SignatureError(
                f"the feature '{found[0]}' is named twice", where=spec.uri, fix="name it once"
            )
        named[found[0]] = value
    left_out = [f.name for f in spec.signature.inputs if f.required and f.name not in named]
    if left_out:
        raise SignatureError(
            f"features without a column: {', '.join(left_out)}",
            where=spec.uri,
            fix="name every feature's column",
        )
    return named
