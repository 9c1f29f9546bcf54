"""The table and the four models of the benchmark, made once in a folder."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path

FEATURES = [f"f{i:02d}" for i in range(20)]
FILES = 8
TRAINING_ROWS = 20_000


def make_models() -> dict[str, Any]:
    """Four unfitted classifiers: one linear, three tree ensembles."""
    from sklearn.ensemble import (
        GradientBoostingClassifier,
        HistGradientBoostingClassifier,
        RandomForestClassifier,
    )
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return {
        "LR": make_pipeline(StandardScaler(), LogisticRegression()),
        "GBT": GradientBoostingClassifier(n_estimators=100, max_depth=3, random_state=0),
        "HGB": HistGradientBoostingClassifier(max_iter=100, max_leaf_nodes=31, random_state=0),
        "RF": RandomForestClassifier(n_estimators=100, max_depth=10, random_state=0),
    }


def table_folder(home: Path, rows: int) -> Path:
    """A Parquet folder of `rows` rows: `id` and 20 normal doubles, 8 files; made when absent."""
    folder = home / f"table-{rows}"
    if (folder / "_READY").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(7)
    per_file = -(-rows // FILES)
    for number in range(FILES):
        count = min(per_file, rows - number * per_file)
        columns = {"id": np.arange(count, dtype=np.int64) + number * per_file}
        columns |= {name: random.normal(size=count) for name in FEATURES}
        pq.write_table(
            pa.table(columns),
            folder / f"part-{number}.parquet",
            use_dictionary=False,
            row_group_size=131_072,
        )
    (folder / "_READY").touch()
    return folder


def model_folder(home: Path, name: str) -> Path:
    """An MLflow model folder of one of the models, fitted and saved when absent."""
    from sklearn import __version__ as trained_with

    folder = home / f"model-{name}-{trained_with}"
    ready = home / f"{folder.name}.ready"
    if ready.exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    import logging

    import mlflow
    import pandas as pd
    from mlflow.models import infer_signature

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    random = np.random.default_rng(3)
    table = pd.DataFrame(random.normal(size=(TRAINING_ROWS, len(FEATURES))), columns=FEATURES)
    noise = random.normal(scale=0.5, size=len(table))
    target = (table["f00"] * table["f01"] + table["f02"] - table["f03"] + noise > 0).astype(int)
    model = make_models()[name].fit(table, target)
    mlflow.sklearn.save_model(
        model,
        str(folder),
        signature=infer_signature(table, model.predict(table)),
        serialization_format="cloudpickle",
        pip_requirements=["scikit-learn"],
    )
    ready.touch()
    return folder
