"""The story of one training job: read, split, fit, log, measure on what was held out, register.

Each line of `_train` is a call into the file that does it.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it

from sparkml.errors import ModelError
from sparkml.models.promise import promise
from sparkml.models.register import check_reachable, log_facts, set_alias, tracked_run
from sparkml.redaction import masked, shown_setting
from sparkml.spark.failures import explained
from sparkml.spark.progress import watched
from sparkml.spark.report import Plan, config_rows, input_rows, recorded
from sparkml.spark.session import job_session
from sparkml.spark.sources import apply_steps, describe, read_source
from sparkml.spark.training.train_fit import PROBABILITY, check_pipeline, fit_sklearn, fit_spark
from sparkml.spark.training.train_table import ROW, TARGET, check_columns, training_table
from sparkml.training.estimators import seeded, unfitted
from sparkml.training.metrics import evaluate
from sparkml.training.plots import draw_all

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml.binding import Binding
    from sparkml.config import Loaded, TrainConfig
    from sparkml.spark.progress import Reporter
    from sparkml.spark.training.train_table import TrainingTable
    from sparkml.training.metrics import Evaluation, Labels, Probabilities

SHOWN = {"auc": "AUC", "pr_auc": "PR-AUC", "log_loss": "log loss", "brier": "Brier"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A training run that ended well; `to_json` is what `--json` prints.

    `held_out` rows were scored, `measured` of them stand behind the metrics; `unscored` rows the
    model refused, `unlabelled` rows had no label.
    """

    model: str
    alias: str
    digest: str
    run_id: str
    tracking_uri: str
    trained: int
    held_out: int
    measured: int
    unscored: int
    unlabelled: int
    labels: tuple[Any, Any]
    metrics: dict[str, float]
    predictions: str
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The outcome as plain values, `status` first."""
        return {"status": "ok", **asdict(self)}

    def summary_rows(self) -> list[tuple[str, str]]:
        """What a person wants to know, as label and value."""
        m = self.metrics
        right, wrong = "true_positives true_negatives", "false_positives false_negatives"
        alias = f" @{self.alias}" if self.alias else ""
        digest = f"  sha256 {self.digest[:12]}" if self.digest else ""
        rows = [("model", f"{self.model}{alias}{digest}")]
        rows += [("rows", f"{self.trained:,} trained it, {self.held_out:,} were held out")]
        if self.measured + self.unscored < self.held_out:
            rows += [("sample", f"{self.measured:,} held-out rows, drawn at random, are measured")]
        if self.unscored:
            rows += [("unscored", f"{self.unscored:,} held-out rows that the model refused")]
        if self.unlabelled:
            rows += [("unlabelled", f"{self.unlabelled:,} rows without a label were left out")]
        rows += [
            ("metrics", "  ".join(f"{said} {m[name]:.4f}" for name, said in SHOWN.items())),
            ("from", f"probability {m['threshold']:g} on, '{self.labels[1]}' is predicted"),
            ("right", ", ".join(f"{m[k]:,.0f} {k.replace('_', ' ')}" for k in right.split())),
            ("wrong", ", ".join(f"{m[k]:,.0f} {k.replace('_', ' ')}" for k in wrong.split())),
        ]
        if self.predictions:
            rows += [("predictions", self.predictions)]
        return [*rows, ("run", f"{self.run_id} in {self.tracking_uri}  ({self.seconds:.1f} s)")]


def run(loaded: Loaded[TrainConfig], *, report: Reporter) -> Trained:
    """Train the config's model; runs on the driver, starts and stops Spark.

    The alias is moved at the very end: after an error it means what it meant before, though a
    version may have been registered. Writes the result file, if the config names one, whether the
    job ends well or not.

    Raises:
        SparkMLError: with its code.
    """
    return recorded(_train, loaded.config, report)


def plan(loaded: Loaded[TrainConfig]) -> Plan:
    """What `run` would do; Spark analyses the table, nothing is fitted, logged or written.

    The tracking server is not asked: even a look at an embedded one would create it. (A CSV source
    without a declared schema is read through to infer it, as a run would do.)

    Raises:
        SparkMLError: whatever a run would refuse from the schema alone.
    """
    config = loaded.config
    model, register = config.model, config.register_
    _estimator(config)
    with job_session(config.spark, config.workers) as spark:
        df = apply_steps(read_source(spark, config.source), config.steps)
        bound = _checked(df, config)
    name = register.name if register else "(not registered)"
    types = {f.name: f.dataType.simpleString() for f in df.schema.fields}
    label = types[config.label]
    written = {**{k: types[k] for k in config.key}, "label": label, "probability": "double"}
    rows = [{"column": n, "type": t} for n, t in {**written, "prediction": label}.items()]
    what = "LogisticRegression" if model.flavor == "spark" else model.estimator
    sink = {
        "experiment": config.registry.experiment,
        "model": name,
        "alias": (register and register.alias) or "none is moved",
        "predictions": config.predictions or "are not written",
    }
    return Plan(
        models=[{"model": name, "flavor": model.flavor, "estimator": what}],
        source=describe(config.source),
        inputs=input_rows(name, bound),
        output=rows if config.predictions else [],
        sink=sink,
        config=config_rows(loaded),
    )


def _train(config: TrainConfig, report: Reporter) -> Trained:
    started = time.monotonic()
    model, registry = config.model, config.registry
    estimator = _estimator(config)
    addresses = {"tracking_uri": registry.tracking_uri, "registry_uri": registry.registry_uri}
    check_reachable(registry.experiment, **addresses)
    report.stage("starting Spark")
    with job_session(config.spark, config.workers) as spark:
        report.stage(f"reading {describe(config.source)}")
        df = apply_steps(read_source(spark, config.source), config.steps)
        _checked(df, config)
        with (
            watched(spark, f"sparkml: train on {describe(config.source)}", report),
            training_table(df, config) as table,
            tracked_run(registry.experiment, artifacts=registry.artifacts, **addresses) as run_id,
        ):
            log_facts(params=_params(config, table))
            report.stage(f"fitting on {table.train_rows:,} rows")
            if model.flavor == "sklearn":
                logged, scored = fit_sklearn(table, config, estimator)
            else:
                logged, scored = fit_spark(table, config)
            report.stage(f"measuring on {table.held_out_rows:,} rows")
            actual, probability, unscored = _measured(scored, table, config)
            found = _evaluation(actual, probability, config)
            digest = _promised(logged.uri, config)
            if config.register_ and config.register_.alias:
                set_alias(config.register_.name, config.register_.alias, logged.version)
        return Trained(
            model=logged.uri,
            alias=config.register_.alias or "" if config.register_ else "",
            digest=digest,
            run_id=run_id,
            tracking_uri=masked(registry.tracking_uri or "MLFLOW_TRACKING_URI"),
            trained=table.train_rows,
            held_out=table.held_out_rows,
            measured=len(actual),
            unscored=unscored,
            unlabelled=table.unlabelled,
            labels=table.labels,
            metrics=found.metrics(),
            predictions=config.predictions or "",
            seconds=round(time.monotonic() - started, 3),
        )


def _estimator(config: TrainConfig) -> Any:
    """The unfitted scikit-learn estimator; None where Spark ML fits."""
    if config.model.flavor == "spark":
        return None
    return seeded(unfitted(config.model.estimator, config.model.params), config.split.seed)


def _checked(df: DataFrame, config: TrainConfig) -> tuple[Binding, ...]:
    """How the columns become features, in a table and a configuration that a fit can begin with."""
    bound = check_columns(df, config)
    if config.model.flavor == "spark":
        check_pipeline(config)
    return bound


def _params(config: TrainConfig, table: TrainingTable) -> dict[str, Any]:
    """What a tracking server shows of a run, to compare it with others."""
    plain = {"categorical", "numeric", "label", "key"}
    own = config.model_dump(mode="json", by_alias=True)
    return {
        "source": describe(config.source),
        **{name: ", ".join(v) if isinstance(v := own[name], list) else v for name in plain},
        **{f"model.{key}": value for key, value in own["model"].items() if key != "params"},
        **{f"model.params.{k}": shown_setting(k, v) for k, v in config.model.params.items()},
        **{f"split.{key}": value for key, value in own["split"].items()},
        **{f"evaluate.{key}": value for key, value in own["evaluate"].items()},
        "steps": "; ".join(f"{s.column} = {s.expr}" for s in config.steps),
        "negative": table.labels[0],
        "positive": table.labels[1],
        "train_rows": table.train_rows,
        "held_out_rows": table.held_out_rows,
    }


def _measured(
    scored: DataFrame, table: TrainingTable, config: TrainConfig
) -> tuple[Labels, Probabilities, int]:
    """Labels and probabilities of the held-out rows, and how many have none.

    Written first, where the config says so, and then read: the rows are scored once.
    """
    if config.predictions is not None:
        with explained():
            _predictions(scored, table, config).write.mode("overwrite").parquet(config.predictions)
        written = scored.sparkSession.read.parquet(config.predictions)
        target = (F.col("label") == F.lit(table.labels[1])).cast("double")
        scored = written.select(target.alias(TARGET), F.col("probability").alias(PROBABILITY))
    share = min(1.0, config.evaluate.rows / table.held_out_rows)
    drawn = scored if share == 1.0 else scored.sample(share, config.split.seed)
    with explained():
        rows = drawn.select(TARGET, PROBABILITY).toArrow()
    target = rows.column(0).to_numpy()
    probability = rows.column(1).to_numpy(zero_copy_only=False)
    known = ~np.isnan(probability)
    unscored = len(known) - int(known.sum())
    if unscored == len(known):
        fix = "look at the column `error` of what `sparkml score` writes with this model"
        raise ModelError("no held-out row could be scored", where="the new model", fix=fix)
    return target[known] == 1.0, probability[known], unscored


def _predictions(scored: DataFrame, table: TrainingTable, config: TrainConfig) -> DataFrame:
    """The key, the label, the probability of the positive one, and the label predicted."""
    kind = scored.select(f"{ROW}.label").schema["label"].dataType
    negative, positive = (F.lit(label).cast(kind) for label in table.labels)
    probability = F.col(PROBABILITY)
    predicted = F.when(probability >= config.evaluate.threshold, positive)
    return scored.select(
        f"{ROW}.*",
        probability.alias("probability"),
        predicted.when(probability.isNotNull(), negative).alias("prediction"),
    )


def _evaluation(actual: Labels, probability: Probabilities, config: TrainConfig) -> Evaluation:
    """The metrics, logged with their plots."""
    wanted = config.evaluate
    found = evaluate(actual, probability, threshold=wanted.threshold, bins=wanted.bins)
    with tempfile.TemporaryDirectory(prefix="sparkml-") as folder:
        draw_all(found, actual, probability, Path(folder, "plots"))
        told = json.dumps(found.to_json(), indent=2)
        Path(folder, "evaluation.json").write_text(told, encoding="utf-8")
        log_facts(metrics=found.metrics(), files=Path(folder))
    return found


def _promised(uri: str, config: TrainConfig) -> str:
    """The model's digest, written down for those who score with it; a run's folder holds none."""
    if uri.startswith("runs:"):
        return ""
    registry = config.registry
    return promise(uri, tracking_uri=registry.tracking_uri, registry_uri=registry.registry_uri)
