"""The story of one job, top to bottom: resolve, start, read, plan, open, score, commit, report.

This is the first file to read: each line of `_run` is a call into the room that does it.
"""

from __future__ import annotations

import tempfile
import time
import uuid
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sparkml.errors import ConfigError, did_you_mean
from sparkml.models.read import read_spec
from sparkml.spark.failures import explained
from sparkml.spark.inferred import advise_for
from sparkml.spark.jvm_files import fetched
from sparkml.spark.names import with_key
from sparkml.spark.progress import watched
from sparkml.spark.provenance import COLUMN, Provenance
from sparkml.spark.report import (
    Outcome,
    Plan,
    absent_rows,
    config_rows,
    input_rows,
    model_rows,
    output_rows,
    recorded,
    stored_sample,
)
from sparkml.spark.score import ScorePlan
from sparkml.spark.session import job_session
from sparkml.spark.ship import ship
from sparkml.spark.sinks import open_sink
from sparkml.spark.sources import apply_steps, describe, read_source
from sparkml.spark.types import folds_case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import DataFrame, SparkSession

    from sparkml.config import JobConfig, Loaded
    from sparkml.spark.progress import Reporter
    from sparkml.spec import ModelSpec


def run(loaded: Loaded, *, report: Reporter) -> Outcome:
    """Score the config's source into its sink; runs on the driver, starts and stops Spark.

    Writes the result file, if the config names one, whether the job ends well or not.

    Raises:
        SparkMLError: with its code; nothing is committed then (but see the sinks that Spark's own
            writer fills).
    """
    return recorded(_run, loaded.config, report)


def _run(config: JobConfig, report: Reporter) -> Outcome:
    report.stage("resolving models")
    specs = resolve(config)
    report.stage("starting Spark")
    with job_session(config.spark, config.workers) as spark:
        report.stage(f"reading {describe(config.source)}")
        df = _rows(spark, specs, config)
        plan = _plan(df, specs, config)
        provenance = Provenance.of(plan.specs, uuid.uuid4().hex)
        sink = open_sink(spark, config.sink, plan.schema, provenance)
        told = partial(
            Outcome,
            models=model_rows(plan.specs),
            types=plan.types,
            table=sink.name,
            sql=sink.sql,
        )
        version = sink.done()
        if version is not None:
            return told(table_version=version, already_done=True)
        for spec in plan.in_python:
            ship(spark, spec)
        report.stage(f"scoring into {sink.name}")
        started = time.monotonic()
        task = plan.task(batch_rows=config.batch_rows, tuned=config.workers.tuned)
        with watched(spark, f"sparkml: {sink.name}", report), explained():
            written = sink.write(df, plan, task, max_quarantine=config.max_quarantine)
        seconds = time.monotonic() - started
        if written is None:
            return told(table_version=sink.done(), already_done=True)
        return told(
            rows=written.rows,
            scored=written.rows - written.quarantined,
            quarantined=written.quarantined,
            seconds=round(seconds, 3),
            table_version=written.table_version,
            files=written.files,
            warnings=list(sink.warnings),
            # Without what is the same on each row.
            sample=stored_sample(lambda: sink.read().drop(COLUMN)),
        )


def plan(loaded: Loaded) -> Plan:
    """What `run` would do; Spark analyses the job and no row is scored, nothing is written.

    (A CSV source without a declared schema is read through to infer it, as a run would do.)

    Raises:
        SparkMLError: whatever a run would refuse before its first task.
    """
    config = loaded.config
    specs = resolve(config)
    with job_session(config.spark, config.workers) as spark:
        df = _rows(spark, specs, config)
        scoring = _plan(df, specs, config)
        provenance = Provenance.of(scoring.specs, "(a new one each run)")
        sink = open_sink(spark, config.sink, scoring.schema, provenance)
        return Plan(
            models=model_rows(scoring.specs),
            source=describe(config.source),
            inputs=[
                row
                for spec, bound in zip(scoring.specs, scoring.bindings.values(), strict=True)
                for row in (*input_rows(spec.name, bound), *absent_rows(spec, bound))
            ],
            output=output_rows(sink.schema),
            sink=sink.describe(),
            config=config_rows(loaded),
        )


def resolve(config: JobConfig) -> tuple[ModelSpec, ...]:
    """The config's models, aliases pinned to versions; needs no Spark.

    (But where S3 is closed to Python, the JVM of spark-submit fetches the files.)

    Raises:
        ModelError: one cannot be found, trusted or opened.
    """
    with tempfile.TemporaryDirectory(prefix="sparkml-") as folder:
        return tuple(_specs(config, Path(folder)))


def _specs(config: JobConfig, folder: Path) -> Iterator[ModelSpec]:
    for number, (name, entry) in enumerate(config.models.items()):
        at = fetched(entry.uri, folder / str(number))
        yield read_spec(
            at,
            name=name,
            flavor=entry.flavor,
            signature=entry.signature,
            inputs=entry.inputs,
            outputs=entry.outputs,
            nulls=entry.nulls,
            params=dict(entry.params),
            model_config=dict(entry.model_config_),
            trust=config.trust,
            environment=entry.environment or config.environment,
            tracking_uri=config.registry.tracking_uri,
            registry_uri=config.registry.registry_uri,
            digest=entry.digest,
            origin=entry.origin or (entry.uri if at != entry.uri else None),
        )


def _rows(spark: SparkSession, specs: tuple[ModelSpec, ...], config: JobConfig) -> DataFrame:
    """The source's rows after the steps."""
    asked = None
    if config.keep != "*" and not config.steps:
        asked = [*config.key, *config.keep, *(n for s in specs for n in s.signature.names)]
    return apply_steps(read_source(spark, config.source, asked=asked), config.steps)


def _plan(df: DataFrame, specs: tuple[ModelSpec, ...], config: JobConfig) -> ScorePlan:
    kept = df.columns if config.keep == "*" else config.keep
    fold = folds_case(df.sparkSession)
    columns = with_key(config.key, kept, fold_case=fold)
    for name in config.rename:
        if name not in columns and name not in config.models:
            known = [*columns, *config.models]
            raise ConfigError(
                f"no output column '{name}'", where="rename", fix=did_you_mean(name, known)
            )
    renamed = tuple(replace(s, name=config.rename.get(s.name, s.name)) for s in specs)
    keep = {name: config.rename.get(name) for name in columns}
    advise = advise_for(df, config.source)
    return ScorePlan(df, renamed, keep, where=describe(config.source), advise=advise)
