"""Where rows come from: one frozen section per format, each with only its own keys."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo

from sparkml.config.fields import Options, Section, SomeNames, Text


class _Rows(Section):
    """What every source can do: keep some rows, and some columns."""

    where: Text | None = None
    """A SQL predicate; only rows for which it is true are scored."""
    columns: SomeNames | None = None
    """The columns to read, in this order; all of them when null."""


class DeltaSource(_Rows):
    """A Delta table in a folder."""

    format: Literal["delta"]
    path: Text
    """A folder or a file, local or on a store that Spark reads."""
    version: Annotated[int, Field(ge=0)] | None = None
    """Time travel: the version of the table to read; the newest when null."""
    options: Options = Field(default_factory=dict)
    """Any of Spark's reader options for the format."""


class ParquetSource(_Rows):
    """Parquet files."""

    format: Literal["parquet"]
    path: Text
    """A folder or a file, local or on a store that Spark reads."""
    options: Options = Field(default_factory=dict)
    """Any of Spark's reader options for the format."""


class CsvSource(_Rows):
    """CSV files."""

    format: Literal["csv"]
    path: Text
    """A folder or a file, local or on a store that Spark reads."""
    options: Options = Field(default_factory=dict)
    """Any of Spark's CSV reader options, such as `sep`."""
    header: bool = True
    """Whether the first line of each file holds the columns' names."""
    schema_: Text | None = Field(default=None, alias="schema")
    """The columns as DDL (`age INT, job STRING`); inferred from the data when null."""


class TableSource(_Rows):
    """A table or view that the session's catalog knows."""

    format: Literal["table"]
    table: Text
    """Its name, with catalog and schema where it needs them."""


PlainSource = Annotated[
    DeltaSource | ParquetSource | CsvSource | TableSource, Field(discriminator="format")
]
"""A source that stands on its own: what a view of a query may be."""

ViewName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class SqlSource(_Rows):
    """A query over named sources, each a temporary view while the job runs."""

    format: Literal["sql"]
    query: Text
    """A SQL query over the views, and over what the catalog knows."""
    views: Mapping[ViewName, PlainSource] = Field(default_factory=dict)
    """View name → a source, with the keys of any format but `sql`."""


Source = Annotated[
    DeltaSource | ParquetSource | CsvSource | TableSource | SqlSource,
    Field(discriminator="format"),
]


def refuse_source(path: str | None, info: ValidationInfo) -> None:
    """Refuse a folder to replace that is the source, whose rows are read meanwhile.

    Raises:
        ValueError: it is.
    """
    source = getattr(info.data.get("source"), "path", None)
    if path and source and Path(path) == Path(source):
        raise ValueError("is the source: its rows would be replaced")
