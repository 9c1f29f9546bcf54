"""`register_features`: the table of features as temporary SQL functions of a session."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it

from sparkml.errors import ConfigError, InputError, did_you_mean
from sparkml.features import FEATURES
from sparkml.spark._versions import has_arrow_udf
from sparkml.spark.types import quoted, spark_type
from sparkml.type_names import to_arrow_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd
    from pyspark.sql import SparkSession

    from sparkml.features.table import Constant, Feature

BY_NAME = {feature.name: feature for feature in FEATURES}
CONSTANT_TYPES = {bool: "BOOLEAN", int: "INT", float: "DOUBLE", str: "STRING"}
"""The SQL type of an option, by the type of its default."""


def register_features(spark: SparkSession, *names: str) -> None:
    """Create the named features, by default all, as temporary SQL functions of the session.

    `SELECT month_as_int(month), image_gray(image, width => 8, height => 8) FROM t`. Columns and
    options are typed, named parameters; options have defaults and must be the same on every row.
    Native features are SQL expressions: no Python worker runs for them. The others run in Python
    workers, batch by batch of Arrow. Costs a few milliseconds a function; nothing is imported on
    the driver but for what `names` asks for.

    Raises:
        ConfigError: no feature of that name.
        ExtraMissing: a named feature needs a library that is not installed here.
    """
    for name in names:
        if name not in BY_NAME:
            raise ConfigError(
                f"no feature '{name}'", where="register_features", fix=did_you_mean(name, BY_NAME)
            )
        try_out(BY_NAME[name])
    for feature in [BY_NAME[name] for name in names] or FEATURES:
        body = _native(feature) if feature.native else _python(spark, feature)
        returns = spark_type(to_arrow_type(feature.returns)).simpleString()
        spark.sql(
            f"CREATE OR REPLACE TEMPORARY FUNCTION {quoted(feature.name)}({_parameters(feature)}) "
            f"RETURNS {returns} RETURN {body}"
        ).collect()


def register_named(spark: SparkSession, expressions: Iterable[str]) -> None:
    """Create the features that SQL texts call, so that a job pays for no others.

    Raises:
        ExtraMissing: one needs a library that is not installed here.
    """
    wanted = called_in(expressions)
    if wanted:
        register_features(spark, *wanted)


def called_in(expressions: Iterable[str]) -> list[str]:
    """The features that SQL texts call, and perhaps some that they only name."""
    called = {name.lower() for text in expressions for name in re.findall(r"\w+", text)}
    return [name for name in BY_NAME if name in called]


def try_out(feature: Feature, options: Mapping[str, Constant] = MappingProxyType({})) -> None:
    """Compute a feature of no rows, here; an option that is not given has its default.

    Raises:
        ExtraMissing: it needs a library that is not installed.
        InputError: an option makes no sense.
    """
    columns = [pa.array([], to_arrow_type(dtype)) for dtype in feature.columns.values()]
    feature.kernel(*columns, **options)


def _parameters(feature: Feature) -> str:
    columns = [
        f"{quoted(name)} {spark_type(to_arrow_type(dtype)).simpleString()}"
        for name, dtype in feature.columns.items()
    ]
    constants = [
        f"{quoted(name)} {CONSTANT_TYPES[type(value)]} DEFAULT {_literal(value)}"
        for name, value in feature.constants.items()
    ]
    return ", ".join([*columns, *constants])


def _literal(value: Constant) -> str:
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return f"{value!r}D" if isinstance(value, float) else str(value).lower()


def _native(feature: Feature) -> str:
    """The feature's SQL; an option that is null is an error, as it is in Python."""
    nulls = [
        f"WHEN {quoted(name)} IS NULL"
        f" THEN raise_error('{feature.name}: the option \\'{name}\\' is null')"
        for name in feature.constants
    ]
    return f"CASE {' '.join(nulls)} ELSE {feature.sql} END" if nulls else str(feature.sql)


def _python(spark: SparkSession, feature: Feature) -> str:
    """Register the kernel as a UDF; a SQL call of it with the parameters' names.

    A UDF alone would take its arguments by position, whatever they are called.
    """
    raw = f"_sparkml_{feature.name}"
    spark.udf.register(raw, kernel_udf(feature.name))
    names = [quoted(name) for name in (*feature.columns, *feature.constants)]
    return f"{raw}({', '.join(names)})"


def kernel_udf(name: str) -> Any:
    """A feature's kernel as a UDF of its columns and then its options, by position."""
    returns = spark_type(to_arrow_type(BY_NAME[name].returns))
    if has_arrow_udf():

        def compute(*arrays: pa.Array) -> pa.Array:
            return _computed(BY_NAME[name], arrays)

        compute.__annotations__ = {"arrays": pa.Array, "return": pa.Array}
        return F.arrow_udf(compute, returns)  # type: ignore[attr-defined]

    import pandas as pd

    def compute_series(*series: pd.Series[Any]) -> pd.Series[Any]:
        feature = BY_NAME[name]
        types = [to_arrow_type(t) for t in feature.columns.values()]
        types += [pa.array([value]).type for value in feature.constants.values()]
        arrays = [pa.array(s, t, from_pandas=True) for s, t in zip(series, types, strict=True)]
        made: pd.Series[Any] = _computed(feature, arrays).to_pandas(integer_object_nulls=True)
        return made

    # PySpark tells the kind of a UDF from its hints, which it must be able to evaluate.
    compute_series.__annotations__ = {"series": pd.Series, "return": pd.Series}
    return F.pandas_udf(compute_series, returns)  # type: ignore[attr-defined]


def _computed(feature: Feature, arrays: Iterable[pa.Array]) -> pa.Array:
    given = list(arrays)
    count = len(feature.columns)
    pairs = zip(feature.constants.items(), given[count:], strict=True)
    options = {name: _constant(feature, name, default, seen) for (name, default), seen in pairs}
    return feature.kernel(*given[:count], **options)


def _constant(feature: Feature, name: str, default: Constant, seen: pa.Array) -> Constant:
    """The one value of an option in a batch; its default in an empty batch."""
    values = pc.unique(seen).to_pylist()
    if not values:
        return default
    if len(values) > 1 or values[0] is None:
        raise InputError(
            f"the option '{name}' is {' and '.join(map(str, values[:2]))} in one table",
            where=feature.name,
            fix=f"give it one value for every row: {name} => {_literal(default)}",
        )
    value: Constant = values[0]
    return value
