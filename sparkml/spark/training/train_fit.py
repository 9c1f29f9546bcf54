"""The two ways to a fitted model, each with its probabilities for the rows that were held out."""

from __future__ import annotations

import tempfile
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark import SparkContext
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import LogisticRegression, LogisticRegressionModel
from pyspark.ml.feature import (
    Imputer,
    IndexToString,
    OneHotEncoder,
    StandardScaler,
    StringIndexer,
    VectorAssembler,
)
from pyspark.ml.functions import vector_to_array
from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it

from sparkml.config.fields import shown
from sparkml.errors import ConfigError, InputError, ModelError, did_you_mean
from sparkml.models.flavors.sklearn_signature import label_type
from sparkml.models.frames import frame
from sparkml.models.read import read_spec
from sparkml.models.register import log_sklearn, log_spark
from sparkml.spark.failures import explained
from sparkml.spark.score import score
from sparkml.spark.training.train_table import ROW, TARGET
from sparkml.spark.types import column
from sparkml.spec import Field, Signature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame

    from sparkml.config import TrainConfig
    from sparkml.models.register import Logged
    from sparkml.spark.training.train_table import TrainingTable

PROBABILITY = "_probability"
"""Of the positive label; null for a row that could not be scored."""

SCORE = "_score"

MAKES = ("outputCol", "outputCols", "predictionCol", "probabilityCol", "rawPredictionCol")
"""The params of a stage that name the columns it adds."""


def spark_pipeline(config: TrainConfig, labels: tuple[Any, Any]) -> Pipeline:
    """The unfitted Spark ML pipeline of the config's features and params.

    A category that is unknown or null is all zeros, a missing number is its column's mean, every
    feature is scaled to unit variance. Where the label is text its `prediction` is the label, else
    0.0 or 1.0; `probability` holds that of the negative label, then that of the positive one.

    Raises:
        ConfigError: a feature has a dot in its name, which Spark ML takes for a field of a struct.
    """
    for name in config.features:
        if "." in name:
            fix = "give the column another name in a step"
            raise ConfigError(f"Spark ML takes no column '{name}'", where="model", fix=fix)
    indexed = [f"_{name}_index" for name in config.categorical]
    onehot = [f"_{name}_onehot" for name in config.categorical]
    imputed = [f"_{name}_imputed" for name in config.numeric]
    text = isinstance(labels[0], str)
    stages: list[Any] = []
    if indexed:
        given = list(config.categorical)
        stages += [
            StringIndexer(inputCols=given, outputCols=indexed, handleInvalid="keep"),
            # The index of the unknown is the last one, which the encoder drops.
            OneHotEncoder(inputCols=indexed, outputCols=onehot),
        ]
    if imputed:
        stages.append(Imputer(inputCols=list(config.numeric), outputCols=imputed))
    stages += [
        VectorAssembler(inputCols=[*onehot, *imputed], outputCol="_features"),
        StandardScaler(inputCol="_features", outputCol="_scaled"),
        _regression(config.model.params, prediction="_index" if text else "prediction"),
    ]
    if text:
        names = list(labels)
        stages.append(IndexToString(inputCol="_index", outputCol="prediction", labels=names))
    return Pipeline(stages=stages)


def _regression(params: Mapping[str, Any], *, prediction: str) -> LogisticRegression:
    last = LogisticRegression(featuresCol="_scaled", labelCol=TARGET, predictionCol=prediction)
    for name, value in params.items():
        last.set(last.getParam(name), value)
    return last


def check_pipeline(config: TrainConfig) -> None:
    """Refuse params that Spark's logistic regression lacks, and features called as its results.

    Raises:
        ConfigError: such a param, or such a name.
    """
    check_params(config.model.params)
    stages = spark_pipeline(config, ("no", "yes")).getStages()
    params = [(s, s.getParam(name)) for s in stages for name in MAKES if s.hasParam(name)]
    named = [stage.getOrDefault(param) for stage, param in params if stage.isDefined(param)]
    own = {n.lower() for made in named for n in ([made] if isinstance(made, str) else made)}
    for name in config.features:
        if name.lower() in own:
            raise ConfigError(
                f"the feature '{name}' is called as a column that the Spark ML pipeline makes",
                where="model",
                fix="give the column another name in a step",
            )


def check_params(params: Mapping[str, Any]) -> None:
    """Refuse what Spark's logistic regression does not take.

    Raises:
        ConfigError: a param that it does not have, or a value of another type.
    """
    last = LogisticRegression()
    known = [p.name for p in last.params if not p.name.endswith("Col")]
    for name, value in params.items():
        where = f"model.params.{name}"
        if name not in known:
            raise ConfigError(f"no param '{name}'", where=where, fix=did_you_mean(name, known))
        try:
            last.set(last.getParam(name), value)
        except (TypeError, ValueError) as error:
            raise ConfigError(str(error), where=where, fix=last.getParam(name).doc) from error


def fit_spark(table: TrainingTable, config: TrainConfig) -> tuple[Logged, DataFrame]:
    """Fit the Spark ML pipeline on the training rows and log it; the held-out rows as it sees them.

    Raises:
        JobFailed: Spark gave up on the fit.
    """
    pipeline = spark_pipeline(config, table.labels)
    with explained():
        model = _light(pipeline.fit(table.train))
    kind = "string" if isinstance(table.labels[0], str) else "double"
    outputs = (Field(name="prediction", type=kind),)
    signature = Signature(inputs=table.inputs, outputs=outputs)
    local = str(table.train.sparkSession.sparkContext.master).startswith("local")
    with tempfile.TemporaryDirectory(prefix="sparkml-") as scratch, explained():
        folder = scratch if local else None
        logged = log_spark(model, signature, name=_name(config), folder=folder)
    positive = vector_to_array(F.col("probability"))[1]
    return logged, model.transform(table.held_out).select(ROW, TARGET, positive.alias(PROBABILITY))


def _light(model: PipelineModel) -> PipelineModel:
    """The model without the summary of its training, which holds on to the session.

    A session that has observed a query (Delta does) cannot be sent to the tasks that transform:
    Spark 4.1 would fail with `NotSerializableException: ObservationManager`.
    """
    jvm: Any = SparkContext._jvm  # noqa: SLF001 - Python has no way to the setter
    for stage in model.stages:
        if isinstance(stage, LogisticRegressionModel):
            fitted: Any = stage._java_obj  # noqa: SLF001
            fitted.setSummary(jvm.scala.Option.empty())
    return model


def fit_sklearn(
    table: TrainingTable, config: TrainConfig, estimator: Any
) -> tuple[Logged, DataFrame]:
    """Fit the estimator on a sample and log it; the held-out rows as the logged model scores them.

    Raises:
        InputError: the sample has one label only.
        ModelError: the estimator cannot be fitted, or what was logged cannot be scored with.
    """
    model = _fitted(table, config, estimator)
    classes = list(model.classes_)
    outputs = (Field(name="prediction", type=label_type(model.classes_)),)
    signature = Signature(inputs=table.inputs, outputs=outputs)
    logged = log_sklearn(model, signature, name=_name(config))
    spec = read_spec(
        logged.uri,
        name=SCORE,
        environment="ignore",
        tracking_uri=config.registry.tracking_uri,
        registry_uri=config.registry.registry_uri,
    )
    # As a job would do it: what is measured is the model as it was stored.
    scored = score(table.held_out, spec, keep=[ROW, TARGET], tuned=config.workers.tuned)
    positive = F.col(f"{SCORE}.probability")[classes.index(table.labels[1])]
    return logged, scored.select(ROW, TARGET, positive.alias(PROBABILITY))


def _fitted(table: TrainingTable, config: TrainConfig, estimator: Any) -> Any:
    wanted = config.model.sample_rows if config.model.flavor == "sklearn" else 0
    share = min(1.0, wanted / table.train_rows)
    rows = table.train if share == 1.0 else table.train.sample(share, config.split.seed)
    names = [f.name for f in table.inputs]
    with explained():
        sample = rows.select(*map(column, names), f"{ROW}.label").toArrow()
    labels = np.array(sample.column(len(names)).to_pylist())
    if len(set(labels.tolist())) < 2:
        only = f"only {shown(labels[0].item())}" if len(labels) else "no label at all"
        raise InputError(
            f"the {len(labels)} rows of the sample have {only}",
            where="model.sample_rows",
            fix="take a larger sample, or another split.seed",
        )
    batch, *further = sample.combine_chunks().to_batches()
    if further:  # Arrow leaves text of more than 2 GiB in several chunks
        raise InputError(
            f"the {len(labels)} rows of the sample have more text than one batch holds",
            where="model.sample_rows",
            fix="take a smaller sample",
        )
    features = frame(batch.select(range(len(names))), names, missing=float("nan"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")  # a model that did not converge is told, not refused
            return estimator.fit(features, labels)
    except Exception as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        raise ModelError(
            f"the estimator cannot be fitted: {type(error).__name__}: {said}",
            where="model.estimator",
            fix="run it on a small table by itself, with the same columns",
        ) from error


def _name(config: TrainConfig) -> str | None:
    return config.register_.name if config.register_ else None
