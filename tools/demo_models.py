"""The demo's models: real tables that ship with scikit-learn, trained and registered in MLflow."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

ALIAS = "champion"
TRACKING = "MLFLOW_TRACKING_URI"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A fitted model with the table it scores; `format` is how MLflow stores it."""

    name: str
    model: Any
    features: pd.DataFrame
    format: str


def wine() -> Trained:
    """Wine, 178 rows × 13: a calibrated support vector classifier, stored as cloudpickle."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.datasets import load_wine
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    table, target = load_wine(return_X_y=True, as_frame=True)
    labels = target.map(dict(enumerate(("class_0", "class_1", "class_2"))))
    model = make_pipeline(StandardScaler(), CalibratedClassifierCV(SVC(), ensemble=False))
    return Trained(
        name="wine", model=model.fit(table, labels), features=table, format="cloudpickle"
    )


def breast_cancer() -> Trained:
    """Breast cancer, 569 rows × 30 with spaces in the names: gradient boosting."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import GradientBoostingClassifier

    table, target = load_breast_cancer(return_X_y=True, as_frame=True)
    model = GradientBoostingClassifier(random_state=0).fit(table, target)
    return Trained(name="breast_cancer", model=model, features=table, format="cloudpickle")


def digits() -> Trained:
    """Digits, 1,797 rows × 64: logistic regression, stored as skops, which runs no code."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression

    table, target = load_digits(return_X_y=True, as_frame=True)
    model = LogisticRegression(max_iter=5_000, C=0.01).fit(table, target)
    return Trained(name="digits", model=model, features=table, format="skops")


MODELS = (wine, breast_cancer, digits)


def as_png(pixels: pd.DataFrame) -> list[bytes]:
    """The digits as PNG files: 8 × 8 pixels a row, their 17 levels spread over 0 to 255."""
    import io

    import numpy as np
    from PIL import Image

    levels = np.rint(pixels.to_numpy() * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8)
    files = []
    for level in levels:
        file = io.BytesIO()
        Image.fromarray(level).save(file, "PNG")
        files.append(file.getvalue())
    return files


def register(trained: Trained, tracking_uri: str, artifacts: Path) -> str:
    """Log the model with its signature, register it, set the alias; gives the version."""
    import mlflow
    from mlflow.models import infer_signature
    from sklearn import __version__ as sklearn_version

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    with _tracked_by(tracking_uri):
        client = mlflow.MlflowClient()
        experiment = client.get_experiment_by_name("demo")
        number = (
            experiment.experiment_id
            if experiment
            else client.create_experiment("demo", artifact_location=artifacts.absolute().as_uri())
        )
        with mlflow.start_run(experiment_id=number):
            logged = mlflow.sklearn.log_model(
                trained.model,
                name=trained.name,
                signature=infer_signature(
                    trained.features, trained.model.predict(trained.features)
                ),
                serialization_format=trained.format,
                pip_requirements=[f"scikit-learn=={sklearn_version}"],
                registered_model_name=trained.name,
            )
        version = str(logged.registered_model_version)
        client.set_registered_model_alias(trained.name, ALIAS, version)
    return version


@contextmanager
def _tracked_by(uri: str) -> Iterator[None]:
    """MLflow's tracking server inside the block; its global setting would outlive it."""
    before = os.environ.get(TRACKING)
    os.environ[TRACKING] = uri
    try:
        yield
    finally:
        del os.environ[TRACKING]
        if before is not None:
            os.environ[TRACKING] = before
