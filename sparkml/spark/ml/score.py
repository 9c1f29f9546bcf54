"""Scores of a Spark ML model by its own `transform`, with the outcomes that every scorer has.

Each row comes back once: what a null policy or a stage refuses is decided by expressions first, a
harmless value stands in its place during `transform`, and the row's scores are null afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyspark.ml.functions import vector_to_array
from pyspark.ml.linalg import VectorUDT
from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it
from pyspark.sql.types import ArrayType, DoubleType, FloatType

from sparkml.errors import SignatureError, UnsupportedFlavor
from sparkml.models.extra_outputs import LEAF
from sparkml.models.flavors.spark_ml import FLAVOR
from sparkml.models.read import open_predictor
from sparkml.scoring.scorer import ERROR_TYPE
from sparkml.spark.failures import FROM_SPARK, brief
from sparkml.spark.ml.guards import guards_of, taken, vector_size
from sparkml.spark.ml.inputs import Inputs, reason
from sparkml.spark.ml.load import load_stages
from sparkml.spark.types import column, spark_type
from sparkml.type_names import to_arrow_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import DataType

    from sparkml.models.flavors.spark_ml import SparkMLPredictor
    from sparkml.spark.ml.guards import Guard
    from sparkml.spec import Field, ModelSpec

ROW_BY_ROW = frozenset({"Project", "SubqueryAlias", "View"})
"""The operators of a plan that give one row for each."""


def scored_by_spark(spec: ModelSpec) -> bool:
    """Whether a model is scored by its own `transform` and not by a Python worker."""
    return spec.flavor == FLAVOR


def refuse_in_udf(spec: ModelSpec) -> None:
    """Refuse a model that no column function can score.

    Raises:
        UnsupportedFlavor: it is scored by its own transform, which takes a DataFrame.
    """
    if scored_by_spark(spec):
        raise UnsupportedFlavor(
            "a Spark ML model is scored by its own transform, which is no column function",
            where=spec.uri,
            fix="use score(df, spec), or a job",
        )


def with_scores(df: DataFrame, spec: ModelSpec, sources: Mapping[str, str], into: str) -> DataFrame:
    """`df` and one more column, `into`: the struct of the model's outputs and `error`.

    `sources` says which column of `df` an input is; one without is null. Runs on the driver and
    starts small jobs to load the stages; none over `df`.

    Raises:
        ModelUnreadable: Spark cannot load a stage.
        SignatureError: a stage does not take what the signature gives, or gives something else.
        UnsupportedFlavor: the pipeline does not give exactly one row for each.
        SetupError: the session is Spark Connect.
    """
    model: Any = open_predictor(spec)
    # The table's columns go along under names that no pipeline has, whatever they are called.
    why = f"_{spec.digest[:16]}"
    aside = {name: f"{why}_{name}" for name in df.columns}
    inputs = Inputs(df.schema, spec, sources, model.widths)
    made = df.select(
        *[column(name).alias(new) for name, new in aside.items()],
        *inputs.columns(model.raw),
        inputs.reason().alias(why),
    )
    for stage in load_stages(df.sparkSession, spec, model):
        made = _transformed(made, stage, spec, model, why)
    outputs = [_output(made, model.columns[f.name], f, spec) for f in spec.signature.outputs]
    payload = inputs.payload(lambda name: aside[name])
    scores = _struct(outputs, column(why), payload, spec)
    return made.select(
        *[column(new).alias(name) for name, new in aside.items()], scores.alias(into)
    )


def _transformed(
    df: DataFrame, stage: Any, spec: ModelSpec, model: SparkMLPredictor, why: str
) -> DataFrame:
    """`df` through one stage, the rows that it would refuse marked in the column `why`."""
    try:
        before, after = guards_of(stage, df.schema, model.raw)
        fed = _guarded(df, before, spec, why)
        made = stage.transform(fed)
        _check_rows(fed, made, stage, spec)
        _check_width(stage, df)
        return _guarded(made, after, spec, why)
    except (KeyError, *FROM_SPARK) as error:
        raise SignatureError(
            f"the stage {stage.uid} does not take its columns: {brief(error)}",
            where=spec.uri,
            fix="declare the types of the columns that it was fitted on",
        ) from error


def _guarded(df: DataFrame, guards: list[Guard], spec: ModelSpec, why: str) -> DataFrame:
    if not guards:
        return df
    reasons, values = [], {}
    for guard in guards:
        source = guard.source if guard.source in spec.signature.names else None
        told = reason(guard.why, source, "MODEL_EXCEPTION", spec.name)
        reasons.append(F.when(guard.bad, told))
        if guard.instead is not None:
            value = F.when(guard.bad, guard.instead).otherwise(column(guard.name))
            field = df.schema[guard.name]
            # A vector's metadata tell its length; those of an index would name labels it has not.
            known = field.metadata if isinstance(field.dataType, VectorUDT) else {}
            values[guard.name] = value.alias(guard.name, metadata=known)
    return df.withColumns({**values, why: F.coalesce(column(why), *reasons)})


def _check_width(stage: Any, df: DataFrame) -> None:
    """Refuse vectors of a length that the predictor was not fitted on, where both are known."""
    wanted = getattr(stage, "numFeatures", None)
    features = next(iter(taken(stage)), None)
    if not isinstance(wanted, int) or features is None:
        return
    given = vector_size(df.schema[features])
    if given and given != wanted:
        raise SignatureError(f"{given} features reach {stage.uid}, it was fitted on {wanted}")


def _check_rows(fed: DataFrame, made: DataFrame, stage: Any, spec: ModelSpec) -> None:
    """Refuse a stage that does not give one row for each, or loses columns that it is given."""
    start = fed._jdf.queryExecution().analyzed()  # noqa: SLF001 - a plan is reached no other way
    plan = made._jdf.queryExecution().analyzed()  # noqa: SLF001 - the same
    found = ""
    while not plan.equals(start):
        if plan.nodeName() not in ROW_BY_ROW:
            found = f"makes a {plan.nodeName()}, which may lose or repeat rows"
            break
        plan = plan.child()
    if not found and not set(fed.columns) <= set(made.columns):
        found = "gives only some of the columns that it gets"
    if found:
        raise UnsupportedFlavor(
            f"the stage {stage.uid} {found}",
            where=spec.uri,
            fix="do what it does in a step of the job (an SQLTransformer may say 'SELECT *, …')",
        )


def _output(df: DataFrame, name: str, field: Field, spec: ModelSpec) -> Column:
    value, target = column(name), spark_type(to_arrow_type(field.type))
    try:
        made = df.schema[name].dataType
        if isinstance(made, VectorUDT):
            value = vector_to_array(value)
        elif isinstance(made, ArrayType) and isinstance(made.elementType, VectorUDT):
            value = F.transform(value, lambda x: vector_to_array(x, "float64"))  # hashes of LSH
        elif field.name == LEAF and not isinstance(made, ArrayType):
            value = F.array(value)  # the leaf of a lone tree
        value = value.cast(target)
        _ = df.select(value).schema
    except (KeyError, *FROM_SPARK) as error:
        raise SignatureError(
            f"the output '{field.name}' is no {field.type}: {brief(error)}",
            where=spec.uri,
            fix="declare the outputs as the stages make them",
        ) from error
    return value


def _struct(outputs: list[Column], why: Column, payload: Column, spec: ModelSpec) -> Column:
    """The outputs, null where a row has no score, and `error`."""
    fields = spec.signature.outputs
    types = [spark_type(to_arrow_type(f.type)) for f in fields]
    infinite = F.lit(False)
    for value, dtype in zip(outputs, types, strict=True):
        infinite |= F.coalesce(_non_finite(value, dtype), F.lit(False))
    said = reason("the score is NaN or infinite", None, "NON_FINITE_SCORE", spec.name)
    told = F.coalesce(why, F.when(infinite, said))
    parts = [F.when(told.isNull(), v).alias(f.name) for v, f in zip(outputs, fields, strict=True)]
    error_type = spark_type(ERROR_TYPE)
    names = ERROR_TYPE.names[:3]
    error = F.struct(*[told.getField(n).alias(n) for n in names], payload.alias("payload"))
    shown = F.when(told.getField("code").isNotNull(), error.cast(error_type))
    return F.struct(*parts, shown.alias("error"))


def _non_finite(value: Column, dtype: DataType) -> Column:
    if isinstance(dtype, ArrayType):
        return F.exists(value, lambda x: _non_finite(x, dtype.elementType))
    if isinstance(dtype, DoubleType | FloatType):
        return F.isnan(value) | (F.abs(value) == float("inf"))
    return F.lit(False)
