"""What a model on disk is: its files, its flavor, its signature. Here: the table of flavors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MAJOR, MINOR = 1, 2
"""How many parts of a version number count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlavorRow:
    """One way of reading a model: the module that does it and how its models are recognised.

    `mlflow_key` is the flavor's key in an `MLmodel` file, `suffixes` are those of bare files, and
    `extra` is what to install for it: `pip install 'sparkml[extra]'`. `data_beside`: a bare file
    may have others beside it, of any name, which it refers to. `folder_with`: a pattern that finds
    something in every bare folder of the flavor. `imports` are the modules that opening one needs.
    `libraries` are the packages that can change numbers or break loading, with the parts of their
    versions that count; the first is the flavor's own, whose version `MLmodel` records under
    `version_key`.
    """

    name: str
    module: str
    mlflow_key: str
    suffixes: tuple[str, ...] = ()
    extra: str
    data_beside: bool = False
    folder_with: str = ""
    imports: tuple[str, ...] = ()
    libraries: Mapping[str, int] = field(default_factory=dict)
    version_key: str = ""


FLAVORS: tuple[FlavorRow, ...] = (
    FlavorRow(
        name="sklearn",
        module="sparkml.models.flavors.sklearn",
        mlflow_key="sklearn",
        suffixes=(".joblib", ".pkl", ".skops"),
        extra="sklearn",
        # It promises nothing about pickles across its minor versions; the others keep theirs.
        imports=("sklearn", "joblib"),
        libraries={"scikit-learn": MINOR, "numpy": MAJOR, "pandas": MAJOR, "scipy": MAJOR},
        version_key="sklearn_version",
    ),
    FlavorRow(
        name="lightgbm",
        module="sparkml.models.flavors.lightgbm",
        mlflow_key="lightgbm",
        suffixes=(".txt",),
        extra="lightgbm",
        imports=("lightgbm",),
        libraries={"lightgbm": MAJOR, "scikit-learn": MAJOR, "numpy": MAJOR},
        version_key="lgb_version",
    ),
    FlavorRow(
        name="xgboost",
        module="sparkml.models.flavors.xgboost",
        mlflow_key="xgboost",
        suffixes=(".json", ".ubj"),
        extra="xgboost",
        imports=("xgboost",),
        libraries={"xgboost": MAJOR},
        version_key="xgb_version",
    ),
    FlavorRow(
        name="catboost",
        module="sparkml.models.flavors.catboost",
        mlflow_key="catboost",
        suffixes=(".cbm",),
        extra="catboost",
        imports=("catboost",),
        libraries={"catboost": MINOR},
        version_key="catboost_version",
    ),
    FlavorRow(
        name="onnx",
        module="sparkml.models.flavors.onnx",
        mlflow_key="onnx",
        suffixes=(".onnx",),
        extra="onnx",
        data_beside=True,
        # A format with versions of its own: a runtime reads all earlier ones.
        libraries={"onnxruntime": MAJOR},
    ),
    FlavorRow(
        name="spark",
        module="sparkml.models.flavors.spark_ml",
        mlflow_key="spark",
        folder_with="metadata/part-*",
        extra="spark",
        libraries={"pyspark": MAJOR},
        version_key="pyspark_version",
    ),
    FlavorRow(
        name="statsmodels",
        module="sparkml.models.flavors.statsmodels",
        mlflow_key="statsmodels",
        suffixes=(".pickle",),
        extra="statsmodels",
        imports=("statsmodels.api",),
        libraries={"statsmodels": MINOR, "numpy": MAJOR, "pandas": MAJOR, "patsy": MAJOR},
        version_key="statsmodels_version",
    ),
    FlavorRow(
        name="torch",
        module="sparkml.models.flavors.torch",
        mlflow_key="pytorch",
        suffixes=(".pt",),
        extra="torch",
        libraries={"torch": MAJOR},
        version_key="pytorch_version",
    ),
    FlavorRow(
        name="transformers",
        module="sparkml.models.flavors.transformers",
        mlflow_key="transformers",
        extra="transformers",
        libraries={"transformers": MAJOR, "torch": MAJOR},
        version_key="transformers_version",
    ),
    FlavorRow(
        name="keyed",
        module="sparkml.models.flavors.keyed",
        mlflow_key="keyed",
        extra="sklearn",
        imports=("sklearn",),
        libraries={
            "scikit-learn": MINOR,
            "catboost": MINOR,
            "lightgbm": MAJOR,
            "numpy": MAJOR,
            "pandas": MAJOR,
            "scipy": MAJOR,
            "statsmodels": MINOR,
            "xgboost": MAJOR,
        },
    ),
    # The fallback, so the last row: it reads every MLflow model, through pandas.
    FlavorRow(
        name="pyfunc",
        module="sparkml.models.flavors.pyfunc",
        mlflow_key="python_function",
        extra="mlflow",
        imports=("mlflow.pyfunc",),
        libraries={
            "mlflow": MAJOR,
            "mlflow-skinny": MAJOR,
            "catboost": MINOR,
            "lightgbm": MAJOR,
            "numpy": MAJOR,
            "onnxruntime": MINOR,
            "pandas": MAJOR,
            "scikit-learn": MINOR,
            "scipy": MAJOR,
            "statsmodels": MINOR,
            "tensorflow": MINOR,
            "torch": MAJOR,
            "xgboost": MAJOR,
        },
    ),
)
"""Every flavor, the preferred first. To add one: its module (see `base.Flavor`) and its row."""
