"""`score_udf`: a model as a column function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it
from pyspark.sql.types import StructField, StructType

from sparkml.arrow import input_schema
from sparkml.binding import Columns, joined
from sparkml.errors import SignatureError, did_you_mean
from sparkml.lists import is_list
from sparkml.models.read import read_spec
from sparkml.models.typed import refuse_open
from sparkml.scoring.scorer import ERROR_TYPE
from sparkml.spark._versions import has_arrow_udf
from sparkml.spark.ml.score import refuse_in_udf
from sparkml.spark.names import alike
from sparkml.spark.own_libraries import own_libraries
from sparkml.spark.score import score_type
from sparkml.spark.ship import ship
from sparkml.spark.types import column, folds_case, quoted, spark_type
from sparkml.spark.worker import open_scorer
from sparkml.spec import OPEN, ModelSpec
from sparkml.sql_types import sql_type
from sparkml.type_names import to_arrow_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd


class ScoreColumn(Protocol):
    """What `score_udf` gives: call it with column names, `feature=column` pairs, or a struct."""

    def __call__(self, *names: str | Column, **columns: Column | str) -> Column:
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
    order. One column that is no feature, `wine(F.struct("alcohol", "hue"))` or `wine("features")`,
    is a struct that has the features as its fields, in any order and among others; Spark itself
    looks for them when it analyses the query. A list of numbers may be a Spark ML vector, from
    Spark 4.1 on. The result is a struct of the model's outputs and `error`.

    Runs in Python workers. Types are checked there by `sparkml.arrow.CASTS`, since a column has
    none before it meets a table: where you hold the table, `score` checks before any task starts.

    Raises:
        SignatureError: a feature is left out, or a name is not a feature; two columns or fields
            have names that Spark does not tell apart.
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

    def columns(*names: str | Column, **columns: Column | str) -> Column:
        fold_case = folds_case(session)
        given: dict[str, Any] = _given(names, spec, fold_case=fold_case) | columns
        if not columns:
            given = _as_vector(given, spec) or given
        if not given:
            given = {name: name for name in spec.signature.names}
        named = _checked(given, spec, fold_case=fold_case)
        if fold_case:
            _refuse_alike([n for n in named.values() if isinstance(n, str)], spec)
        struct = struct_of(spec, named)
        with own_libraries(session, spec.environment):
            scores: Column = raw(struct)
        return scores

    return columns


def _given(names: Sequence[str | Column], spec: ModelSpec, *, fold_case: bool) -> dict[str, Any]:
    """The columns by the names that they are given under, those of a struct by its fields'."""
    texts = [name for name in names if isinstance(name, str)]
    features = Columns(spec.signature.names, fold_case=fold_case)
    alone = len(names) == 1 and not any(map(features.of, texts))
    if not alone and len(texts) < len(names):
        raise SignatureError(
            "a column that is no name, among others, does not tell which feature it is",
            where=spec.uri,
            fix="say feature=column for each, or give one struct that has them all",
        )
    if not alone or _as_vector(dict.fromkeys(texts), spec):
        return {name: name for name in texts}
    struct = column(names[0]) if isinstance(names[0], str) else names[0]
    if fold_case:
        _refuse_alike(spec.signature.names, spec)
    return {name: struct.getField(name) for name in spec.signature.names}


def _refuse_alike(names: Sequence[str], spec: ModelSpec) -> None:
    """Refuse names of columns that Spark takes for one, though they are two."""
    twice = alike(names, list(dict.fromkeys(names)))
    if twice:
        told = " and ".join(map(repr, twice))
        raise SignatureError(
            f"Spark does not tell the columns {told} apart",
            where=spec.uri,
            fix="rename one of them and say feature=column for both, or set "
            "spark.sql.caseSensitive to true",
        )


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


def raw_udf(spec: ModelSpec, *, tuned: bool, of_vector: bool = False) -> Any:
    """The UDF itself: a struct of features to a struct of the outputs and `error`.

    `of_vector`: it takes the model's one input itself, and not in a struct; needs `arrow_udf`.
    """
    returns = StructType(
        [*score_type(spec).fields, StructField("error", spark_type(ERROR_TYPE), True)]
    )
    if has_arrow_udf():

        def score_structs(features: pa.Array) -> pa.Array:
            batch = pa.RecordBatch.from_struct_array(features)
            return open_scorer(spec, tuned=tuned)(batch).to_struct_array()

        def score_vectors(*given: pa.Array, **named: pa.Array) -> pa.Array:
            (feature,) = spec.signature.names
            own = (feature if n.lower() == feature.lower() else n for n in named)
            names = [*[feature] * len(given), *own]
            batch = pa.RecordBatch.from_arrays([*given, *named.values()], names=names)
            return open_scorer(spec, tuned=tuned)(batch).to_struct_array()

        score = score_vectors if of_vector else score_structs
        return F.arrow_udf(score, returns)  # type: ignore[attr-defined]

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
    blanks = {f.name for f in spec.signature.inputs if f.blanks}
    named: dict[str, Any] = {}
    for name, value in given.items():
        found = features.of(name) or [f for f in features.of(joined(name)) if f in blanks]
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
