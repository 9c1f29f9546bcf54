"""`register_sql`: a model as a temporary SQL function with named, typed parameters."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sparkml.models.read import read_spec
from sparkml.models.typed import refuse_open
from sparkml.spark.ml.score import refuse_in_udf
from sparkml.spark.own_libraries import own_libraries
from sparkml.spark.ship import ship
from sparkml.spark.types import quoted
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
    wraps one that takes a single struct. Lives as long as the session.

    Raises:
        SignatureUnknown: the type of a feature is open: a parameter must have one.
        UnsupportedFlavor: a Spark ML model, which is scored by its own `transform`: see `score`.
    """
    spec = model if isinstance(model, ModelSpec) else read_spec(model)
    refuse_in_udf(spec)
    refuse_open(spec)
    ship(spark, spec)
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


def _whole(name: str, dtype: str) -> str:
    """A whole number out of a parameter that takes any; a fraction is an error, not cut off."""
    said = f"'the model takes whole numbers for {_escaped(name)}'"
    fits = f"{name} IS NULL OR {name} = FLOOR({name})"
    return f"CAST(IF({fits}, {name}, raise_error({said})) AS {dtype})"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
