"""`register_sql`: a model as a temporary SQL function with named, typed parameters."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pyarrow as pa

from sparkml.errors import SignatureError
from sparkml.lists import is_list
from sparkml.models.read import read_spec
from sparkml.models.typed import refuse_open
from sparkml.spark._versions import has_arrow_udf
from sparkml.spark.ml.score import refuse_in_udf
from sparkml.spark.names import alike
from sparkml.spark.own_libraries import own_libraries
from sparkml.spark.ship import ship
from sparkml.spark.types import folds_case, quoted
from sparkml.spark.udf import raw_udf
from sparkml.spec import ModelSpec
from sparkml.sql_types import sql_type
from sparkml.type_names import to_arrow_type

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

WHOLE = ("TINYINT", "SMALLINT", "INT", "BIGINT")
ANY_NUMBER = "DECIMAL(38, 18)"
"""Spark casts a DOUBLE argument to a BIGINT parameter by cutting its fraction off, silently; a
decimal keeps it, so that it can be looked at."""


def register_sql(
    spark: SparkSession, name: str, model: ModelSpec | str, *, tuned: bool = True
) -> None:
    """Create `name` as a temporary SQL function of the session: one parameter per feature.

    `SELECT wine_class(alcohol => a, hue => h, …).prediction FROM t`. Spark itself checks and casts
    the arguments when it analyses the query: a missing one, one too many and one that cannot be
    cast are errors there, and named arguments cannot be put in a wrong order. A fraction for a
    feature of whole numbers is an error when the query runs. Features that are not required default
    to NULL. The result is a struct of the model's outputs and `error`.

    A Python UDF alone takes its arguments by position, whatever they are called, so the function
    wraps one that takes a single struct. A SQL parameter cannot be a Spark ML vector, though: of a
    model that takes one vector `name` is the UDF itself (from Spark 4.1 on), for vectors and arrays
    of numbers alike; they are cast as `score` casts them, and a wrong call fails in its first task.
    Lives as long as the session.

    Raises:
        SignatureError: two features have names that SQL does not tell apart.
        SignatureUnknown: the type of a feature is open: a parameter must have one.
        UnsupportedFlavor: a Spark ML model, which is scored by its own `transform`: see `score`.
    """
    spec = model if isinstance(model, ModelSpec) else read_spec(model)
    refuse_in_udf(spec)
    refuse_open(spec)
    ship(spark, spec)
    _refuse_alike(spec, fold_case=folds_case(spark))
    if has_arrow_udf() and takes_vector(spec):
        with own_libraries(spark, spec.environment):
            spark.udf.register(name, raw_udf(spec, tuned=tuned, of_vector=True))
        return
    raw = f"_sparkml_{hashlib.sha256(spec.to_json().encode()).hexdigest()[:24]}"
    with own_libraries(spark, spec.environment):
        spark.udf.register(raw, raw_udf(spec, tuned=tuned))
    parameters, pairs = [], []
    for f in spec.signature.inputs:
        dtype = sql_type(to_arrow_type(f.type))
        whole = dtype in WHOLE
        default = "" if f.required else " DEFAULT NULL"
        parameters.append(f"{quoted(f.name)} {ANY_NUMBER if whole else dtype}{default}")
        value = _whole(quoted(f.name), dtype) if whole else quoted(f.name)
        pairs.append(f"'{_escaped(f.name)}', {value}")
    spark.sql(
        f"CREATE OR REPLACE TEMPORARY FUNCTION {quoted(name)}({', '.join(parameters)}) "
        f"RETURN {raw}(named_struct({', '.join(pairs)}))"
    ).collect()


def takes_vector(spec: ModelSpec) -> bool:
    """Whether a model takes one column, of vectors."""
    first, *others = (to_arrow_type(f.type) for f in spec.signature.inputs)
    return not others and is_list(first) and pa.types.is_floating(first.value_type)


def _refuse_alike(spec: ModelSpec, *, fold_case: bool) -> None:
    twice = alike(spec.signature.names, spec.signature.names) if fold_case else []
    if twice:
        raise SignatureError(
            f"the features {' and '.join(map(repr, twice))} would be one parameter: SQL does not "
            "tell upper case from lower",
            where=spec.uri,
            fix="name the parameters, one for each feature in the model's order: "
            "read_spec(…, inputs=['x0', 'x1', …])",
        )


def _whole(name: str, dtype: str) -> str:
    """A whole number out of a parameter that takes any; a fraction is an error, not cut off."""
    said = f"'the model takes whole numbers for {_escaped(name)}'"
    fits = f"{name} IS NULL OR {name} = FLOOR({name})"
    return f"CAST(IF({fits}, {name}, raise_error({said})) AS {dtype})"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
