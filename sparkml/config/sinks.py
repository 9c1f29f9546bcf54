"""Where scores go: one frozen section per format, each with only its own keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from sparkml.config.fields import Address, Label, Names, Options, Section, Text

Mode = Literal["replace", "append"]
PartitionValue = str | int | float | bool | None


class _Output(Section):
    """What every sink can do."""

    mode: Mode = "replace"
    """`replace`: the output is what this run wrote. `append`: this run's rows are added."""
    partition_by: Names = ()
    """Output columns whose values make the folders, when the output is created."""


class DeltaSink(_Output):
    """A Delta table in a folder, written by tasks and committed once, by the driver."""

    format: Literal["delta"]
    path: Address
    """The output's folder."""
    partition: Annotated[Mapping[Text, PartitionValue], Field(min_length=1)] | None = None
    """This run writes exactly this partition: with `replace` it alone is replaced."""
    schema_: Literal["refuse", "merge"] = Field(default="refuse", alias="schema")
    """What happens when the output has columns that the table lacks."""
    column_mapping: Literal["none", "name"] = "none"
    """`name` lets the table's columns have spaces and punctuation; used when it is created."""
    run_key: Label | None = None
    """With `append`: rows are added at most once per key, however often the job runs."""

    @field_validator("partition")
    @classmethod
    def _partition_is_one(
        cls, partition: Mapping[str, PartitionValue] | None, info: ValidationInfo
    ) -> Mapping[str, PartitionValue] | None:
        by = info.data.get("partition_by", ())
        other = [column for column in partition or () if by and column not in by]
        if other:
            raise ValueError(f"names '{other[0]}', which is not in partition_by: {', '.join(by)}")
        return partition

    @field_validator("run_key")
    @classmethod
    def _run_key_is_for_append(cls, run_key: str | None, info: ValidationInfo) -> str | None:
        if run_key is not None and info.data.get("mode") == "replace":
            raise ValueError("belongs to mode: append; a replaced output is the same each time")
        return run_key


class ParquetSink(_Output):
    """Parquet files, through Spark's writer: at least once, not atomic."""

    format: Literal["parquet"]
    path: Address
    """The output's folder."""
    options: Options = Field(default_factory=dict)
    """Any of Spark's writer options for the format."""


class CsvSink(_Output):
    """CSV files, through Spark's writer: at least once, not atomic."""

    format: Literal["csv"]
    path: Address
    """The output's folder."""
    options: Options = Field(default_factory=dict)
    """Any of Spark's writer options for the format."""


class TableSink(_Output):
    """A table of a catalog: Delta's and Iceberg's committed once, others by Spark's writer."""

    format: Literal["table"]
    table: Text
    """Its name as in SQL, with catalog and schema where it needs them."""
    schema_: Literal["refuse", "merge"] = Field(default="refuse", alias="schema")
    """What happens when the output has columns that the table lacks."""
    options: Options = Field(default_factory=dict)
    """Any of Spark's writer options for the format."""


Sink = Annotated[
    DeltaSink | ParquetSink | CsvSink | TableSink,
    Field(discriminator="format"),
]
