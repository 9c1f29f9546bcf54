"""Fitted encodings in Spark: learned by one aggregation, looked up by a SQL function."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING
from zlib import crc32

from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it

from sparkml.errors import InputError, SignatureError, did_you_mean
from sparkml.features.encoders import TOTALS, Encoding, Kind, check_fit, encoding_of
from sparkml.spark.types import arrow_schema, quoted
from sparkml.spark.types import column as column_of

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

MAX_CATEGORIES = 100_000
"""How many categories a SQL function holds: they are part of every plan that calls it."""

BUCKET = 16
"""Spark finds a key in a map by comparing one after the other, so: maps of about this many."""


def fit_encoding_table(
    df: DataFrame,
    column: str,
    target: str | None = None,
    kind: Kind = "target",
    *,
    smoothing: float | None = None,
) -> Encoding:
    """The encoding of a column, learned from all rows of `df`: `fit_encoding` by one `groupBy`.

    A row for each category comes to the driver. Where the targets are not whole numbers, the last
    bits may differ from `fit_encoding`'s: Spark adds them up in another order. Leakage: see the
    first lines of `sparkml.features.encoders`.

    Raises:
        SignatureError: `df` has no such column.
        InputError: as `fit_encoding` does.
    """
    names = [column] if target is None or kind == "count" else [column, target]
    for name in names:
        if name not in df.columns:
            raise SignatureError(
                f"no column '{name}'",
                where="fit_encoding_table",
                fix=did_you_mean(name, df.columns),
            )
    columns = [column_of(name) for name in names]
    types = [f.type for f in arrow_schema(df.select(*columns).schema, where=column)]
    check_fit(kind, types[0], types[1] if types[1:] else None, column=column)
    number = columns[1].cast("double") if columns[1:] else F.lit(0.0)
    totals = (
        df.groupBy(columns[0].cast("string").alias(TOTALS[0]))
        .agg(
            F.count("*").alias(TOTALS[1]),
            F.sum(number).alias(TOTALS[2]),
            F.count_if(~F.coalesce(_allowed(kind, number), F.lit(False))).alias("wrong"),
        )
        .toArrow()
    )
    wrong = sum(totals["wrong"].to_pylist())
    return encoding_of(kind, totals.select(TOTALS), wrong=wrong, smoothing=smoothing, column=column)


def _allowed(kind: Kind, number: Column) -> Column:
    if kind == "woe":
        return number.isin(0.0, 1.0)
    return ~F.isnan(number) & (F.abs(number) < math.inf)


def register_encoding(spark: SparkSession, name: str, encoding: Encoding) -> None:
    """Create `name(category)` as a temporary SQL function of the session: an encoding's number.

    `SELECT city_rate(city) FROM t`, and in a job's `steps`. What `Encoding.apply` gives, to the
    last bit: never null. Native: Spark looks the category up in maps that are part of the plan, and
    no Python worker runs. An argument of another type is looked up by its text, so cast a double
    that holds whole numbers to BIGINT first: `1.0` is not `1`.

    Raises:
        InputError: more than `MAX_CATEGORIES` categories.
    """
    if len(encoding.mapping) > MAX_CATEGORIES:
        raise InputError(
            f"{len(encoding.mapping):,} categories, a SQL function holds {MAX_CATEGORIES:,}",
            where=encoding.column,
            fix="join with a table of the mapping, or use Encoding.apply in mapInArrow",
        )
    buckets: list[dict[str, float]] = [{} for _ in range(len(encoding.mapping) // BUCKET + 1)]
    for category, value in encoding.mapping.items():
        buckets[crc32(category.encode()) % len(buckets)][category] = value
    # One literal, which Spark parses once: as many calls of `map` would take its parser minutes.
    # It fills in whatever looks like ${a variable} in a query, hence no dollar.
    maps = json.dumps(buckets, ensure_ascii=False).replace("$", r"\u0024")
    maps = maps.replace("\\", "\\\\").replace("'", "\\'")
    spark.sql(
        f"CREATE OR REPLACE TEMPORARY FUNCTION {quoted(name)}(category STRING) RETURNS DOUBLE"
        f" RETURN IF(category IS NULL, {encoding.null!r}D, coalesce("
        f"from_json('{maps}', 'ARRAY<MAP<STRING, DOUBLE>>')"
        f"[CAST(crc32(category) % {len(buckets)} AS INT)][category], {encoding.default!r}D))"
    ).collect()
