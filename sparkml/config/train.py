"""`TrainConfig`: what one training job is, as a frozen value with the same keys as the file."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from sparkml.config.fields import (
    Address,
    AsTuple,
    FileAddress,
    Free,
    MlflowAddress,
    Names,
    Section,
    Text,
    shown,
)
from sparkml.config.job import Registry, SparkSection, Step, Workers
from sparkml.config.sources import Source, refuse_source

WRITTEN = ("label", "probability", "prediction")
"""The columns that held-out predictions have after those of `key`."""

OWN = ("_row", "_target", "_held_out", "_probability", "_score")
"""The columns that training adds to the table while it works."""


def importable(name: str) -> str:
    """The name, if it reads `package.module:name`; else a ValueError that says so."""
    module, colon, attribute = name.partition(":")
    if not colon or not all(part.isidentifier() for part in (*module.split("."), attribute)):
        raise ValueError(f"must read package.module:name, not {shown(name)}")
    return name


def registrable(name: str) -> str:
    """The name, if MLflow takes it for a registered model; else a ValueError that says so."""
    if not name.strip() or "/" in name or ":" in name or name == "." or name.startswith(".."):
        raise ValueError(f"must be a name without '/', ':' and leading dots, not {shown(name)}")
    return name


def movable(alias: str) -> str:
    """The alias, if MLflow takes it; else a ValueError that says so."""
    if not re.fullmatch(r"[\w-]{1,255}", alias):
        raise ValueError(f"must be letters, digits, '_' and '-', 255 at most, not {shown(alias)}")
    if re.fullmatch(r"v\d+|latest", alias, re.IGNORECASE):
        raise ValueError(f"is {shown(alias)}, which MLflow keeps for versions")
    return alias


class SparkModel(Section):
    """A Spark ML pipeline that ends in a logistic regression, fitted on all rows where they are."""

    flavor: Literal["spark"]
    params: Free = Field(default_factory=dict)
    """Of Spark's `LogisticRegression`, such as `regParam`, by the names that Spark has for them."""


class SklearnModel(Section):
    """Any scikit-learn classifier or pipeline, fitted on the driver on a sample of the rows."""

    flavor: Literal["sklearn"]
    estimator: Annotated[str, AfterValidator(importable)]
    """`package.module:name` of a function, or a class, that returns the unfitted estimator. It gets
    a pandas DataFrame: the categorical columns as text, the numeric ones as doubles."""
    params: Free = Field(default_factory=dict)
    """The arguments that it is called with."""
    sample_rows: Annotated[int, Field(ge=2)] = 100_000
    """About so many training rows at most come to the driver, drawn with the split's seed."""


class Split(Section):
    """Which rows train the model and which are held out to measure it."""

    train: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = 0.7
    """The share of rows that train it; about that, since each row is drawn alone."""
    seed: int = 0
    """The same seed draws the same rows, as long as the source gives them in the same order and in
    the same partitions; with `by` neither matters."""
    by: Names = ()
    """Columns whose values decide instead of the row's place: the same values are always on the
    same side, in whatever order and however often they come."""


class Evaluate(Section):
    """How the held-out rows are looked at."""

    threshold: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.5
    """The positive label is predicted from this probability on."""
    bins: Annotated[int, Field(ge=2, le=100)] = 10
    """The number of equally wide bins in which probabilities are compared with what happened."""
    rows: Annotated[int, Field(ge=2)] = 1_000_000
    """Metrics come from about so many held-out rows at most, drawn at random; the run says so."""


class Tracking(Registry):
    """Where the run is logged and the model registered."""

    experiment: Text = "sparkml"
    """MLflow's experiment; it is made when it is not there."""
    artifacts: MlflowAddress | None = None
    """Where an experiment that is made now keeps its files; the tracking server decides when null.
    """


class Register(Section):
    """The name under which the model is registered."""

    name: Annotated[Text, AfterValidator(registrable)]
    """The registered model; this run adds a version."""
    alias: Annotated[Text, AfterValidator(movable)] | None = None
    """Moved to the new version at the very end, when all else has gone well."""


class TrainConfig(Section):
    """A training job: source, steps, label and features, model. Checked without Spark."""

    source: Source
    steps: Annotated[tuple[Step, ...], AsTuple] = ()
    categorical: Names = ()
    """Features that are text."""
    numeric: Names = ()
    """Features that are numbers; the model takes them as doubles."""
    label: Text
    """The column to predict, of two values; rows where it is null are left out."""
    positive: str | int | float | bool | None = None
    """The label's value whose probability is given; the greater one when null."""
    key: Names = ()
    """Columns written beside the predictions, to tell the rows apart."""
    model: Annotated[SparkModel | SklearnModel, Field(discriminator="flavor")]
    split: Split = Split()
    evaluate: Evaluate = Evaluate()
    registry: Tracking = Tracking()
    register_: Register | None = Field(default=None, alias="register")
    """Null logs the model with its run and registers nothing."""
    predictions: Address | None = None
    """A folder for the held-out rows with their predictions, as Parquet; what is there is replaced
    before the model is measured and its alias moved."""
    result: FileAddress | None = None
    """A JSON file that tells the run's outcome, for whoever cannot see the driver's output."""
    spark: SparkSection = SparkSection()
    workers: Workers = Workers()

    @property
    def features(self) -> tuple[str, ...]:
        """The columns that the model takes, in its order."""
        return (*self.categorical, *self.numeric)

    @field_validator("categorical", "numeric", "key")
    @classmethod
    def _no_column_is_ours(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        clash = [name for name in names if name.lower() in OWN]
        if clash:
            raise ValueError(f"names {shown(clash[0])}, a name that training keeps for itself")
        return names

    @field_validator("numeric")
    @classmethod
    def _features_differ(cls, numeric: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        both = [name for name in numeric if name in info.data.get("categorical", ())]
        if both:
            raise ValueError(f"names {shown(both[0])}, which is categorical already")
        return numeric

    @field_validator("label")
    @classmethod
    def _label_is_no_feature(cls, label: str, info: ValidationInfo) -> str:
        for kind in ("categorical", "numeric"):
            if label in info.data.get(kind, ()):
                raise ValueError(f"is {shown(label)}, which '{kind}' gives to the model as well")
        return label

    @field_validator("key")
    @classmethod
    def _key_is_no_output(cls, key: tuple[str, ...]) -> tuple[str, ...]:
        clash = [name for name in key if name.lower() in WRITTEN]
        if clash:
            raise ValueError(f"names {shown(clash[0])}, which is the name of an output column")
        return key

    @field_validator("model")
    @classmethod
    def _there_are_features(
        cls, model: SparkModel | SklearnModel, info: ValidationInfo
    ) -> SparkModel | SklearnModel:
        names = ("categorical", "numeric")
        if all(name in info.data and not info.data[name] for name in names):
            raise ValueError("has no features: name columns in 'categorical' or 'numeric'")
        return model

    @field_validator("predictions")
    @classmethod
    def _source_is_not_replaced(cls, predictions: str | None, info: ValidationInfo) -> str | None:
        refuse_source(predictions, info)
        return predictions
