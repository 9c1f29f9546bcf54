"""What a model on disk is: its files, its flavor, its signature. Here: the table of flavors."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FlavorRow:
    """One way of reading a model: the module that does it and how its models are recognised.

    `mlflow_key` is the flavor's key in an `MLmodel` file, `suffixes` are those of bare files, and
    `extra` is what to install for it: `pip install 'sparkml[extra]'`.
    """

    name: str
    module: str
    mlflow_key: str
    suffixes: tuple[str, ...] = ()
    extra: str


FLAVORS: tuple[FlavorRow, ...] = (
    FlavorRow(
        name="sklearn",
        module="sparkml.models.sklearn",
        mlflow_key="sklearn",
        suffixes=(".joblib", ".pkl", ".skops"),
        extra="sklearn",
    ),
    # The fallback, so the last row: it reads every MLflow model, through pandas.
    FlavorRow(
        name="pyfunc",
        module="sparkml.models.pyfunc",
        mlflow_key="python_function",
        extra="mlflow",
    ),
)
"""Every flavor, the preferred first. To add one: its module (see `base.Flavor`) and its row."""
