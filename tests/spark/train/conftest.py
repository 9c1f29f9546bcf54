"""What the tests of training share: a folder with a registry, the bank table, a small job."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import mlflow
import pytest
import yaml

from sparkml.config import TrainConfig, load_as
from sparkml.spark.training.train import run as train
from tests.quiet import Silent
from tests.training_jobs import ROWS
from tools.bank import generate

if TYPE_CHECKING:
    import pandas as pd

TRAIN = partial(train, report=Silent())


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """One folder for the table, the registry and the outputs of this file."""
    return tmp_path_factory.mktemp("train")


@pytest.fixture(scope="module")
def csv(home):
    return generate(home / "bank.csv", rows=ROWS, seed=3)


@pytest.fixture
def client(home):
    return mlflow.MlflowClient(f"sqlite:///{home}/registry/mlflow.db")


@pytest.fixture
def small(spark, home, tmp_path):
    """A small training job in a folder of its own; `go(frame, **changes)` runs it, or `story`."""

    def go(table: pd.DataFrame, *, schema: str | None = None, story=TRAIN, **changes):
        path = str(tmp_path / "table")
        spark.createDataFrame(table, schema).write.mode("overwrite").parquet(path)
        config = {
            "source": {"format": "parquet", "path": path},
            "categorical": ["kind"],
            "numeric": ["size"],
            "label": "big",
            "model": {"flavor": "spark", "params": {"maxIter": 5}},
            "registry": {
                "tracking_uri": f"sqlite:///{home}/registry/mlflow.db",
                "experiment": "small",
                "artifacts": str(home / "artifacts"),
            },
            **changes,
        }
        file = tmp_path / "train.yaml"
        file.write_text(yaml.safe_dump(config))
        return story(load_as(TrainConfig, file, env={}))

    return go
