"""The story of one job that trains a model per key: read, fit, store, register."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkml.models.promise import promise
from sparkml.models.register import check_reachable, log_facts, log_folder, set_alias, tracked_run
from sparkml.redaction import shown_setting
from sparkml.spark.progress import watched
from sparkml.spark.report import recorded
from sparkml.spark.session import job_session
from sparkml.spark.sources import apply_steps, describe, read_source
from sparkml.spark.training.train_many import train_many
from sparkml.training.fit_key import Recipe, new_estimator

if TYPE_CHECKING:
    from sparkml.config import Loaded, TrainManyConfig
    from sparkml.spark.progress import Reporter
    from sparkml.spark.training.train_many import Trained


def run(loaded: Loaded[TrainManyConfig], *, report: Reporter) -> Trained:
    """Train the config's models; runs on the driver, starts and stops Spark.

    The alias is moved at the very end: after an error it means what it meant before. Writes the
    result file, if the config names one, whether the job ends well or not.

    Raises:
        SparkMLError: with its code; the folder is then as it was, unless the registry refused.
    """
    return recorded(_run, loaded.config, report)


def _run(config: TrainManyConfig, report: Reporter) -> Trained:
    model = config.model
    # Before a JVM starts: whether there is such an estimator, and a registry.
    new_estimator(Recipe(estimator=model.estimator, params=model.params, features=(), label=""))
    if config.register_ is not None:
        check_reachable(config.registry.experiment, **_addresses(config))
    report.stage("starting Spark")
    with job_session(config.spark, config.workers) as spark:
        report.stage(f"reading {describe(config.source)}")
        df = apply_steps(read_source(spark, config.source), config.steps)
        report.stage(f"fitting into {config.output}")
        with watched(spark, f"sparkml: train many into {config.output}", report):
            trained = train_many(
                df,
                key=config.key,
                label=config.label,
                features=config.features,
                estimator=model.estimator,
                params=model.params,
                output=config.output,
                min_rows=config.min_rows,
                holdout=config.holdout,
                global_model=config.global_model is not None,
                **({"global_rows": config.global_model.rows} if config.global_model else {}),
                max_failed=config.max_failed,
                seed=model.seed,
                tasks=config.tasks,
                tuned=config.workers.tuned,
            )
    if config.register_ is None:
        return trained
    report.stage(f"registering {config.register_.name}")
    return replace(trained, uri=_registered(trained, config))


def _registered(trained: Trained, config: TrainManyConfig) -> str:
    """The address of the version that was made, its digest promised, its alias moved last."""
    register, registry, addresses = config.register_, config.registry, _addresses(config)
    assert register is not None  # noqa: S101 - the caller has looked
    with tracked_run(registry.experiment, artifacts=registry.artifacts, **addresses):
        log_facts(params=_params(config), metrics=_metrics(trained))
        logged = log_folder(Path(trained.folder), name=register.name)
        promise(logged.uri, **addresses)
        if register.alias:
            set_alias(register.name, register.alias, logged.version)
    return f"{logged.uri}{f' @{register.alias}' if register.alias else ''}"


def _addresses(config: TrainManyConfig) -> dict[str, str | None]:
    registry = config.registry
    return {"tracking_uri": registry.tracking_uri, "registry_uri": registry.registry_uri}


def _params(config: TrainManyConfig) -> dict[str, Any]:
    """What a tracking server shows of a run, to compare it with others."""
    return {
        "source": describe(config.source),
        "key": ", ".join(config.key),
        "label": config.label,
        "features": ", ".join(config.features),
        "model.estimator": config.model.estimator,
        "model.seed": config.model.seed,
        **{f"model.params.{k}": shown_setting(k, v) for k, v in config.model.params.items()},
        "min_rows": config.min_rows,
        "holdout": config.holdout,
    }


def _metrics(trained: Trained) -> dict[str, float]:
    names = ("rows", "keyless", "keys", "models", "too_few", "failed", "seconds")
    return {name: float(getattr(trained, name)) for name in names}
