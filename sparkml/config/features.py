"""`FeaturesConfig`: what one feature job is, as a frozen value with the same keys as the file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from sparkml.config.fields import AsTuple, FileAddress, Section
from sparkml.config.job import SparkSection, Step, Workers, kept
from sparkml.config.sinks import Sink
from sparkml.config.sources import Source, refuse_source


class FeaturesConfig(Section):
    """A feature job: source, steps, sink, and no model. Checked without Spark, in milliseconds."""

    source: Source
    steps: Annotated[tuple[Step, ...], AsTuple, Field(min_length=1)]
    keep: Annotated[tuple[str, ...] | Literal["*"], BeforeValidator(kept)] = "*"
    """The columns to write, those of the steps among them; `"*"` is all of them."""
    sink: Sink
    """Filled by Spark's own writer, whatever the format: a Delta table in one commit."""
    result: FileAddress | None = None
    """A JSON file that tells the run's outcome, for whoever cannot see the driver's output."""
    spark: SparkSection = SparkSection()
    workers: Workers = Workers()

    @field_validator("sink")
    @classmethod
    def _source_is_not_replaced(cls, sink: Sink, info: ValidationInfo) -> Sink:
        if sink.mode == "replace":
            refuse_source(getattr(sink, "path", None), info)
        partition = getattr(sink, "partition", None) or {}
        if partition and (sink.mode == "append" or None in partition.values()):
            raise ValueError(
                "has a partition, which here needs mode: replace and a value, not null"
            )
        return sink
