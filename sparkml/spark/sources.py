"""Where rows come from: a source of the config as a DataFrame, one function per format."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it

from sparkml.binding import Columns
from sparkml.config import (
    CsvSource,
    DeltaSource,
    ParquetSource,
    SqlSource,
    TableSource,
)
from sparkml.errors import ConfigError, InputError, did_you_mean
from sparkml.features.encoders import Encoding
from sparkml.redaction import masked
from sparkml.spark.catalog import catalog_fix
from sparkml.spark.encodings import register_encoding
from sparkml.spark.failures import FROM_SPARK, brief, source_error
from sparkml.spark.feature_options import check_options
from sparkml.spark.features import register_named
from sparkml.spark.names import check_names
from sparkml.spark.parquet_types import read_parquet
from sparkml.spark.session import require_delta
from sparkml.spark.types import folds_case, selected

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from pyspark.sql import Column, DataFrame, SparkSession

    from sparkml.config import Source, Step


def read_source(
    spark: SparkSession,
    source: Source,
    *,
    key: str = "source",
    asked: Collection[str] | None = None,
) -> DataFrame:
    """The rows of a source, filtered and with its columns chosen; nothing is read yet.

    (But for the schema: a CSV file without a declared one is read through to infer it.) `asked`
    names the columns that matter, where it is known; others that Spark cannot read do no harm.

    Raises:
        SourceError: it does not exist or cannot be read.
        ConfigError: `where` or `columns` do not fit it.
    """
    register_named(spark, [source.where or "", getattr(source, "query", "")])
    try:
        if isinstance(source, ParquetSource):
            asked = source.columns or (None if source.where else asked)
            df = read_parquet(spark, source.path, dict(source.options), asked=asked)
        else:
            df = READERS[type(source)](spark, source)
    except FROM_SPARK as error:
        fix = catalog_fix(spark, error)
        raise source_error(error, where=f"{key}.{_place(source)}", fix=fix) from error
    if source.where is not None:
        check_options(spark, source.where, where=f"{key}.where")
        df = _checked(df.filter, source.where, where=f"{key}.where")
    if source.columns is not None:
        columns = Columns(df.columns, fold_case=folds_case(spark))
        check_names(source.columns, df.columns, where=f"{key}.columns", fold_case=folds_case(spark))
        for name in source.columns:
            if not columns.of(name):
                fix = did_you_mean(name, df.columns)
                raise ConfigError(f"no column '{name}'", where=f"{key}.columns", fix=fix)
        df = selected(df, zip(source.columns, source.columns, strict=True))
    return df


def apply_steps(df: DataFrame, steps: Sequence[Step]) -> DataFrame:
    """`df` with each step's column added or replaced, in order.

    Raises:
        ConfigError: an expression does not parse, names a column that is not there, or calls a
            feature with an option that makes no sense; or there is no such encoding.
        ExtraMissing: a feature needs a library that is not installed here.
    """
    register_named(df.sparkSession, [step.expr for step in steps])
    for index, step in enumerate(steps):
        if step.encoding:
            encoding = _read_encoding(step.encoding, where=f"steps[{index}].encoding")
            register_encoding(df.sparkSession, step.column, encoding)
        add, where = partial(df.withColumn, step.column), f"steps[{index}] ({step.column})"
        check_options(df.sparkSession, step.expr, where=where)
        df = _checked(add, step.expr, where=where)
    return df


def _read_encoding(address: str, *, where: str) -> Encoding:
    try:
        return Encoding.read(address)
    except (OSError, InputError) as error:
        raise ConfigError(
            f"'{address}' cannot be read: {error}", where=where, fix="name the file of an encoding"
        ) from error


def describe(source: Source) -> str:
    """A source in a few words, for errors, summaries and logs; without a password in it."""
    return masked(f"{source.format} {_place_value(source)}")


def _checked(build: Callable[[Column], DataFrame], expression: str, *, where: str) -> DataFrame:
    try:
        return build(F.expr(expression))
    except FROM_SPARK as error:
        raise ConfigError(brief(error), where=where, fix="correct the SQL expression") from error


def _place(source: Source) -> str:
    return {"table": "table", "sql": "query"}.get(source.format, "path")


def _place_value(source: Source) -> Any:
    return getattr(source, _place(source))


def _delta(spark: SparkSession, source: DeltaSource) -> DataFrame:
    require_delta(spark)
    reader = spark.read.format("delta").options(**source.options)
    if source.version is not None:
        reader = reader.option("versionAsOf", source.version)
    return reader.load(source.path)


def _csv(spark: SparkSession, source: CsvSource) -> DataFrame:
    reader = spark.read.option("inferSchema", "true")
    reader = reader.options(**csv_options(source.options, header=source.header))
    if source.schema_ is not None:
        reader = reader.schema(source.schema_)
    return reader.csv(source.path)


def csv_options(given: Mapping[str, str], *, header: bool) -> dict[str, str]:
    """Spark's options for CSV files as other tools write them; `given` wins. See docs/csv.md.

    A quote inside quotes is doubled (RFC 4180), where Spark would have a backslash before it, and
    a line may break there. A line that does not fit its schema is an error, where Spark would make
    nulls of what it cannot read; and a header must agree with a declared schema, which Spark would
    apply by position.
    """
    known = {name.lower(): value for name, value in given.items()}
    ours = {
        "mode": "FAILFAST",
        "header": str(header).lower(),
        "escape": known.get("quote") or '"',
        "multiLine": "true",
        "columnPruning": "false",  # else no line lacks what nobody asks for, or has too much
    }
    if header:
        ours["enforceSchema"] = "false"
    return {name: v for name, v in ours.items() if name.lower() not in known} | dict(given)


def _table(spark: SparkSession, source: TableSource) -> DataFrame:
    return spark.read.table(source.table)


def _sql(spark: SparkSession, source: SqlSource) -> DataFrame:
    for name, view in source.views.items():
        read_source(spark, view, key=f"source.views.{name}").createOrReplaceTempView(name)
    # As a subquery: a command that writes or drops does not parse there.
    query = source.query.strip().rstrip(";")
    return spark.sql(f"SELECT * FROM (\n{query}\n)")  # noqa: S608 - the query is the user's own


READERS: dict[type, Callable[[SparkSession, Any], DataFrame]] = {
    DeltaSource: _delta,
    CsvSource: _csv,
    TableSource: _table,
    SqlSource: _sql,
}
