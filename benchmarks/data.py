"""The table and the models of the benchmark, made once in a folder."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FEATURES = [f"f{i:02d}" for i in range(20)]
FILES = 8
TRAINING_ROWS = 20_000


def make_models() -> dict[str, Any]:
    """Unfitted classifiers: one linear, five tree ensembles; `ONNX` is the GBT, converted."""
    from lightgbm import LGBMClassifier
    from sklearn.ensemble import (
        GradientBoostingClassifier,
        HistGradientBoostingClassifier,
        RandomForestClassifier,
    )
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from xgboost import XGBClassifier

    boosted = GradientBoostingClassifier(n_estimators=100, max_depth=3, random_state=0)
    return {
        "LR": make_pipeline(StandardScaler(), LogisticRegression()),
        "GBT": boosted,
        "HGB": HistGradientBoostingClassifier(max_iter=100, max_leaf_nodes=31, random_state=0),
        "RF": RandomForestClassifier(n_estimators=100, max_depth=10, random_state=0),
        "LGBM": LGBMClassifier(n_estimators=100, num_leaves=31, n_jobs=1, verbose=-1),
        "XGB": XGBClassifier(n_estimators=100, max_depth=6, n_jobs=1),
        "ONNX": boosted,
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
    if native_file(folder).exists():  # it is written last
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    import logging

    import cloudpickle
    import pandas as pd
    from mlflow.models import infer_signature

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    random = np.random.default_rng(3)
    table = pd.DataFrame(random.normal(size=(TRAINING_ROWS, len(FEATURES))), columns=FEATURES)
    noise = random.normal(scale=0.5, size=len(table))
    target = (table["f00"] * table["f01"] + table["f02"] - table["f03"] + noise > 0).astype(int)
    model = make_models()[name].fit(table, target)
    _save(name, model, folder, infer_signature(table, model.predict(table)))
    with native_file(folder).open("wb") as file:
        cloudpickle.dump(model, file)
    return folder


def _save(name: str, model: Any, folder: Path, signature: Any) -> None:
    """The model as MLflow has it, in the library's own flavor."""
    import mlflow

    told = {"signature": signature}
    if name == "LGBM":
        told["serialization_format"] = "cloudpickle"
        mlflow.lightgbm.save_model(model, str(folder), pip_requirements=["lightgbm"], **told)
    elif name == "XGB":
        mlflow.xgboost.save_model(model, str(folder), pip_requirements=["xgboost"], **told)
    elif name == "ONNX":
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import FloatTensorType
        from skl2onnx.helpers.onnx_helper import select_model_inputs_outputs

        inputs = [("features", FloatTensorType([None, len(FEATURES)]))]
        whole = to_onnx(model, initial_types=inputs, options={"zipmap": False})
        # MLflow's pyfunc makes no table of a label and a matrix of probabilities.
        graph = select_model_inputs_outputs(whole, ["label"])
        mlflow.onnx.save_model(graph, str(folder), pip_requirements=["onnxruntime"], **told)
    else:
        told["serialization_format"] = "cloudpickle"
        mlflow.sklearn.save_model(model, str(folder), pip_requirements=["scikit-learn"], **told)


def native_file(folder: Path) -> Path:
    """The fitted model as a pickle, for whoever writes a UDF by hand."""
    return folder.with_name(f"{folder.name}.pkl")


def load_native(folder: Path) -> Callable[[Any], Any]:
    """From a table of features to labels: the library's own `predict`, opened by hand."""
    graphs = list(folder.glob("*.onnx"))
    if not graphs:
        import cloudpickle

        with native_file(folder).open("rb") as file:
            return cloudpickle.load(file).predict  # type: ignore[no-any-return]
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(graphs[0]), options)
    return lambda x: session.run(["label"], {"features": np.asarray(x, dtype=np.float32)})[0]
