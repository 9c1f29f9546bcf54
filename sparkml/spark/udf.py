"""`score_udf`: a model as a column function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it
from pyspark.sql.types import StructField, StructType

from sparkml.arrow import input_schema
from sparkml.binding import Columns
from sparkml.errors import SignatureError
from sparkml.lists import is_vector
from sparkml.models.read import read_spec
from sparkml.models.typed import refuse_open
from sparkml.scoring.scorer import ERROR_TYPE
from sparkml.spark._versions import has_arrow_udf
from sparkml.spark.arguments import (
    as_vector,
    checked,
    lone_argument,
    named_columns,
    refuse_alike,
    told_by_type,
)
from sparkml.spark.ml.score import refuse_in_udf
from sparkml.spark.own_libraries import own_libraries
from sparkml.spark.score import score_type
from sparkml.spark.ship import ship
from sparkml.spark.types import column, folds_case, quoted, spark_type
from sparkml.spark.worker import open_scorer
from sparkml.spec import ModelSpec
from sparkml.sql_types import sql_type
from sparkml.type_names import to_arrow_type

if TYPE_CHECKING:
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
    looks for them when it analyses the query. From Spark 4.1 on the worker does it for a model
    that takes one column, which may be that input itself, and for LightGBM's underscores, which may
    be blanks in a struct (`wine()` takes columns of the features' very names). A list of numbers
    may be a Spark ML vector, from Spark 4.1 on. The result is a struct of the model's outputs and
    `error`.

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
        lone = lone_argument(names, spec, fold_case=fold_case)
        if lone is not None and not columns and told_by_type(names, spec):
            by_type = raw_udf(spec, tuned=tuned, alone=True, fold_case=fold_case)
            with own_libraries(session, spec.environment):
                told: Column = by_type(lone)
            return told
        pairs: dict[str, Any] = named_columns(names, lone, spec, fold_case=fold_case) | columns
        if not columns:
            pairs = as_vector(pairs, spec) or pairs
        if not pairs:
            pairs = {name: name for name in spec.signature.names}
        named = checked(pairs, spec, fold_case=fold_case)
        if fold_case:
            refuse_alike([n for n in named.values() if isinstance(n, str)], spec)
        struct = struct_of(spec, named)
        with own_libraries(session, spec.environment):
            scores: Column = raw(struct)
        return scores

    return columns


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


def raw_udf(
    spec: ModelSpec,
    *,
    tuned: bool,
    of_vector: bool = False,
    alone: bool = False,
    fold_case: bool = False,
) -> Any:
    """The UDF itself: a struct of features to a struct of the outputs and `error`.

    `of_vector`: it takes the model's one input itself, and not in a struct. `alone`: it takes
    either, or a struct of other fields too, met by name (see `_inputs_of`). Both need `arrow_udf`.
    """
    returns = StructType(
        [*score_type(spec).fields, StructField("error", spark_type(ERROR_TYPE), True)]
    )
    if has_arrow_udf():

        def score_structs(features: pa.Array) -> pa.Array:
            batch = (
                _inputs_of(features, spec, fold_case=fold_case)
                if alone
                else pa.RecordBatch.from_struct_array(features)
            )
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


def _inputs_of(given: pa.Array, spec: ModelSpec, *, fold_case: bool) -> pa.RecordBatch:
    """The model's inputs out of a lone argument: a struct that has them, or the one input itself.

    Runs in the worker; what is missing, or of a wrong type, the scorer says.

    Raises:
        SignatureError: it is neither.
    """
    names, dtype = spec.signature.names, given.type
    is_struct = pa.types.is_struct(dtype) and not is_vector(dtype)
    fields = Columns((f.name for f in dtype) if is_struct else (), fold_case=fold_case)
    if len(names) == 1 and not fields.of(names[0], blanks=spec.signature.inputs[0].blanks):
        return pa.RecordBatch.from_arrays([given], names=list(names))
    if not is_struct:
        raise SignatureError(
            f"a column of {dtype} is no struct of the model's features",
            where=spec.uri,
            fix="say feature=column for each, or give one struct that has them all",
        )
    batch = pa.RecordBatch.from_struct_array(given)
    renamed: dict[str, str] = {}
    for f in spec.signature.inputs:
        found = fields.of(f.name, blanks=f.blanks)
        if len(found) == 1 and found[0] not in names:
            renamed.setdefault(found[0], f.name)
    return batch.rename_columns([renamed.get(name, name) for name in batch.schema.names])
