"""Where rows come from: one frozen section per format, each with only its own keys."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field, ValidationInfo

from sparkml.config.fields import Address, Options, Section, SomeNames, Text, formed


class _Rows(Section):
    """What every source can do: keep some rows, and some columns."""

    where: Text | None = None
    """A SQL predicate; only rows for which it is true are scored."""
    columns: SomeNames | None = None
    """The columns to read, in this order; all of them when null."""


class DeltaSource(_Rows):
    """A Delta table in a folder."""

    format: Literal["delta"]
    path: Address
    """A folder or a file, local or on a store that Spark reads."""
    version: Annotated[int, Field(ge=0)] | None = None
    """Time travel: the version of the table to read; the newest when null."""
    options: Options = Field(default_factory=dict)
    """Any of Spark's reader options for the format."""


class ParquetSource(_Rows):
    """Parquet files."""

    format: Literal["parquet"]
    path: Address
    """A folder or a file, local or on a store that Spark reads."""
    options: Options = Field(default_factory=dict)
    """Any of Spark's reader options for the format."""


class CsvSource(_Rows):
    """CSV files."""

    format: Literal["csv"]
    path: Address
    """A folder or a file, local or on a store that Spark reads."""
    options: Options = Field(default_factory=dict)
    """Any of Spark's CSV reader options, such as `sep`; [csv.md](csv.md) tells what they are
    otherwise."""
    header: bool = True
    """Whether the first line of each file holds the columns' names."""
    schema_: Text | None = Field(default=None, alias="schema")
    """The columns as DDL (`age INT, zip STRING`); inferred from the data when null, which makes
    numbers of codes with zeros."""


class TableSource(_Rows):
    """A table or view that the session's catalog knows."""

    format: Literal["table"]
    table: Text
    """Its name as in SQL, with catalog and schema where it needs them."""


PlainSource = Annotated[
    DeltaSource | ParquetSource | CsvSource | TableSource, Field(discriminator="format")
]
"""A source that stands on its own: what a view of a query may be."""

ViewName = Annotated[
    str,
    formed(
        r"[A-Za-z_][A-Za-z0-9_]*", "a plain name: letters, digits and underscores", "name it so"
    ),
]


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
    """Refuse a folder to replace that is a source's, whose rows are read meanwhile, or holds it.

    Raises:
        ValueError: it is, or it does.
    """
    source = info.data.get("source")
    views = getattr(source, "views", {}).values()
    read = [found for part in (source, *views) if (found := getattr(part, "path", None))]
    if path and any(_within(_parts(found), _parts(path)) for found in read):
        raise ValueError("is the source, or holds it: its rows would be replaced")


def _within(inner: tuple[str, ...], outer: tuple[str, ...]) -> bool:
    return inner[: len(outer)] == outer


def _parts(address: str) -> tuple[str, ...]:
    """An address, resolved: where it stands, and each folder on the way."""
    split = urlsplit(address)
    if split.scheme in ("", "file"):
        return ("file", *Path(unquote(split.path) if split.scheme else address).resolve().parts)
    return (split.scheme.replace("s3a", "s3"), split.netloc, *PurePosixPath(split.path).parts)
