"""The story of one feature job: read, compute, write. Native features run without Python."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it

from sparkml.errors import ConfigError, did_you_mean
from sparkml.spark.failures import explained
from sparkml.spark.names import check_names
from sparkml.spark.progress import watched
from sparkml.spark.report import Plan, config_rows, output_rows, recorded, stored_sample
from sparkml.spark.session import job_session
from sparkml.spark.sources import apply_steps, describe, read_source
from sparkml.spark.spark_writer import SparkWriter
from sparkml.spark.types import column

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml.config import FeaturesConfig, Loaded
    from sparkml.spark.progress import Reporter


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """A feature job that ended well; `to_json` is what the result file holds."""

    table: str
    columns: list[str]
    sql: str
    rows: int = 0
    seconds: float = 0.0
    already_done: bool = False
    sample: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The outcome as plain values, `status` first."""
        return {"status": "ok", **asdict(self)}

    def summary_rows(self) -> list[tuple[str, str]]:
        """What a person wants to know, as label and value."""
        where = [("table", self.table), ("query", self.sql)]
        if self.already_done:
            return [("done before", "this run key is committed; nothing was computed"), *where]
        speed = f"{round(self.rows / self.seconds):,} rows/s ({self.seconds:.1f} s)"
        columns = ", ".join(self.columns)
        return [("rows", f"{self.rows:,}"), ("columns", columns), ("speed", speed), *where]


def run(loaded: Loaded[FeaturesConfig], *, report: Reporter) -> Computed:
    """Compute the config's steps into its sink; runs on the driver, starts and stops Spark.

    Writes the result file, if the config names one, whether the job ends well or not.

    Raises:
        SparkMLError: with its code.
    """
    return recorded(_run, loaded.config, report)


def _run(config: FeaturesConfig, report: Reporter) -> Computed:
    report.stage("starting Spark")
    with job_session(config.spark, config.workers) as spark:
        report.stage(f"reading {describe(config.source)}")
        df = _chosen(apply_steps(read_source(spark, config.source), config.steps), config)
        writer = SparkWriter(spark, config.sink, df.schema)
        told = partial(Computed, table=writer.name, columns=df.columns, sql=writer.sql)
        if writer.done():  # Delta would skip the write, and its counts would never come
            return told(already_done=True)
        report.stage(f"computing into {writer.name}")
        started = time.monotonic()
        with watched(spark, f"sparkml: {writer.name}", report), explained():
            counts = writer.save(df, {"rows": F.count(F.lit(1))})
        seconds = max(round(time.monotonic() - started, 3), 0.001)
        if counts is None:
            return told(already_done=True)
        return told(rows=counts["rows"], seconds=seconds, sample=stored_sample(writer.read))


def plan(loaded: Loaded[FeaturesConfig]) -> Plan:
    """What `run` would do; Spark analyses the job, no row is computed and nothing is written.

    (A CSV source without a declared schema is read through to infer it, as a run would do.)

    Raises:
        SparkMLError: whatever a run would refuse before its first task.
    """
    config = loaded.config
    with job_session(config.spark, config.workers) as spark:
        df = _chosen(apply_steps(read_source(spark, config.source), config.steps), config)
        return Plan(
            models=[],
            source=describe(config.source),
            inputs=[],
            output=output_rows(df.schema),
            sink=SparkWriter(spark, config.sink, df.schema).describe(),
            config=config_rows(loaded),
        )


def _chosen(df: DataFrame, config: FeaturesConfig) -> DataFrame:
    """The columns to write.

    Raises:
        ConfigError: one is not there, or one that the sink's partition names is not written.
    """
    names = df.columns if config.keep == "*" else list(config.keep)
    for name in names:
        if name not in df.columns:
            raise ConfigError(
                f"no column '{name}'", where="keep", fix=did_you_mean(name, df.columns)
            )
    check_names(names, df.columns, where="output")
    for name in getattr(config.sink, "partition", None) or {}:
        if name not in names:
            raise ConfigError(
                f"'{name}' is not an output column, so no row says that it is of this partition",
                where="sink.partition",
                fix=f"add a step: {{column: {name}, expr: …}}",
            )
    return df.select(*[column(name) for name in names])
