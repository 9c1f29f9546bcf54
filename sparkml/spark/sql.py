"""`register_sql`: a model as a temporary SQL function with named, typed parameters."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sparkml.arrow import to_arrow_type
from sparkml.models.read import read_spec
from sparkml.spark.ship import ship
from sparkml.spark.types import quoted, spark_type
from sparkml.spark.udf import raw_udf
from sparkml.spec import ModelSpec

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def register_sql(
    spark: SparkSession, name: str, model: ModelSpec | str, *, tuned: bool = True
) -> None:
    """Create `name` as a temporary SQL function of the session: one parameter per feature.

    `SELECT wine_class(alcohol => a, hue => h, …).prediction FROM t`. Spark itself checks and casts
    the arguments when it analyses the query: a missing one, one too many and one that cannot be
    cast are errors there, and named arguments cannot be put in a wrong order. Features that are not
    required default to NULL. The result is a struct of the model's outputs and `error`.

    A Python UDF alone takes its arguments by position, whatever they are called, so the function
    wraps one that takes a single struct. Lives as long as the session.
    """
    spec = model if isinstance(model, ModelSpec) else read_spec(model)
    ship(spark, spec)
    raw = f"_sparkml_{hashlib.sha256(spec.to_json().encode()).hexdigest()[:24]}"
    spark.udf.register(raw, raw_udf(spec, tuned=tuned))
    parameters, pairs = [], []
    for f in spec.signature.inputs:
        dtype = spark_type(to_arrow_type(f.type)).simpleString().upper()
        default = "" if f.required else " DEFAULT NULL"
        parameters.append(f"{quoted(f.name)} {dtype}{default}")
        pairs.append(f"'{_escaped(f.name)}', {quoted(f.name)}")
    spark.sql(
        f"CREATE OR REPLACE TEMPORARY FUNCTION {quoted(name)}({', '.join(parameters)}) "
        f"RETURN {raw}(named_struct({', '.join(pairs)}))"
    ).collect()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
