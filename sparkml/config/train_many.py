"""`TrainManyConfig`: a job that trains one model per key, with the same keys as the file."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from sparkml.config.fields import (
    Address,
    AsTuple,
    FileAddress,
    Free,
    Names,
    Section,
    SomeNames,
    Text,
    shown,
)
from sparkml.config.job import SparkSection, Step, Workers
from sparkml.config.sources import Source
from sparkml.config.train import Register, Tracking, importable


class KeyModel(Section):
    """What is fitted for each key."""

    estimator: Annotated[str, AfterValidator(importable)]
    """`package.module:name` of a function, or a class, that returns the unfitted estimator. It gets
    a pandas DataFrame of the features, or the matrix of a lone vector column."""
    params: Free = Field(default_factory=dict)
    """The arguments that it is called with."""
    seed: int = 0
    """Given to each `random_state` that is not set; draws the rows held out."""


class GlobalModel(Section):
    """One more model, of all keys, for rows whose key has none (`unknown_key: global`)."""

    rows: Annotated[int, Field(ge=1)] = 100_000
    """About so many rows at most train it; the hash of a row's values decides which."""


class TrainManyConfig(Section):
    """A job that trains one model per key: source, steps, key, model, output."""

    source: Source
    steps: Annotated[tuple[Step, ...], AsTuple] = ()
    key: SomeNames
    """The columns whose values make a key: whole numbers, texts, booleans, dates or decimals."""
    label: Text
    """The column to predict; no row may lack it."""
    features: Names = ()
    """The columns that the models take; all but key and label when empty."""
    model: KeyModel
    min_rows: Annotated[int, Field(ge=1)] = 10
    """A key with fewer rows gets no model of its own."""
    holdout: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.0
    """The share of a key's rows that its model is scored on (R² or accuracy) and not fitted on."""
    global_model: GlobalModel | None = None
    """Null fits none."""
    max_failed: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.01
    """The share of keys with enough rows, 0 to 1, whose fit may fail; above it nothing is stored.
    """
    tasks: Annotated[int, Field(ge=1)] | None = None
    """How many tasks fit; four a core when null."""
    output: Address
    """The model's folder on the driver; a keyed model there is replaced once all is written."""
    registry: Tracking = Tracking()
    register_: Register | None = Field(default=None, alias="register")
    """Null leaves the model in its folder and asks no registry."""
    result: FileAddress | None = None
    """A JSON file that tells the run's outcome, for whoever cannot see the driver's output."""
    spark: SparkSection = SparkSection()
    workers: Workers = Workers()

    @field_validator("label")
    @classmethod
    def _label_is_no_key(cls, label: str, info: ValidationInfo) -> str:
        if label in info.data.get("key", ()):
            raise ValueError(f"is {shown(label)}, which is in the key")
        return label

    @field_validator("features")
    @classmethod
    def _features_are_nothing_else(
        cls, features: tuple[str, ...], info: ValidationInfo
    ) -> tuple[str, ...]:
        taken = {*info.data.get("key", ()), info.data.get("label")}
        clash = [name for name in features if name in taken]
        if clash:
            raise ValueError(f"names {shown(clash[0])}, which is the label or in the key")
        return features
