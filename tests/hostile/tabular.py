"""The small models that cases are made of: two columns, their rows, and the right scores."""

from __future__ import annotations

import io
import json
from functools import cache
from typing import TYPE_CHECKING, Any

import catboost
import joblib
import lightgbm
import numpy as np
import onnx
import pyarrow as pa
import skops.io
import xgboost
from sklearn.linear_model import LogisticRegression

from tests.graphs import FLOAT, graph, node
from tests.hostile.outcomes import Given

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 2))
Y = (X.sum(axis=1) > 0).astype(int)
SPLIT = np.array([[1.5, 0.5], [-1.5, -0.5], [0.25, 1.0]])
"""The rows that are scored."""
COLUMNS = pa.RecordBatch.from_pydict({"a": SPLIT[:, 0], "b": SPLIT[:, 1]})
VECTORS = pa.RecordBatch.from_pydict({"features": list(SPLIT)})
SIGNATURE = {
    "inputs": json.dumps([{"name": n, "type": "double", "required": True} for n in "ab"]),
    "outputs": json.dumps([{"name": "prediction", "type": "long", "required": True}]),
}


def put(data: bytes | str | Callable[[], bytes | str], name: str):
    """A maker of one file with these bytes, or those that a function gives."""

    def make(folder: Path) -> Path:
        path = folder / name
        given = data() if callable(data) else data
        path.write_bytes(given if isinstance(given, bytes) else given.encode())
        return path

    return make


@cache
def logistic() -> Any:
    return LogisticRegression().fit(X, Y)


@cache
def skops_bytes() -> bytes:
    return bytes(skops.io.dumps(logistic()))


@cache
def joblib_bytes() -> bytes:
    file = io.BytesIO()
    joblib.dump(logistic(), file)
    return file.getvalue()


@cache
def lightgbm_booster() -> Any:
    data = lightgbm.Dataset(X, Y, feature_name=["a", "b"])
    params = {"objective": "binary", "verbose": -1, "num_leaves": 4, "num_threads": 1}
    return lightgbm.train({**params, "min_data_in_leaf": 5}, data, 3)


@cache
def lightgbm_text() -> str:
    return str(lightgbm_booster().model_to_string())


@cache
def xgboost_booster() -> Any:
    matrix = xgboost.DMatrix(X, Y, feature_names=["a", "b"])
    return xgboost.train({"objective": "binary:logistic", "max_depth": 2, "nthread": 1}, matrix, 3)


def xgboost_json() -> dict[str, Any]:
    return dict(json.loads(bytes(xgboost_booster().save_raw("json"))))


def xgboost_ubj() -> bytes:
    return bytes(xgboost_booster().save_raw("ubj"))


@cache
def catboost_bytes() -> bytes:
    model = catboost.CatBoostClassifier(
        iterations=3, depth=2, verbose=False, thread_count=1, allow_writing_files=False
    ).fit(X, Y)
    return bytes(model._serialize_model())


@cache
def onnx_bytes() -> bytes:
    made = graph(
        [
            node("MatMul", "x w", "scores"),
            node("ReduceSum", "scores axes", "prediction", keepdims=0),
        ],
        {"x": (FLOAT, ["N", 2])},
        {"prediction": (FLOAT, ["N"])},
        w=np.array([[1.0], [2.0]], dtype=np.float32),
        axes=np.array([1]),
    )
    return bytes(made.SerializeToString())


def onnx_model() -> onnx.ModelProto:
    return onnx.load_model_from_string(onnx_bytes())


def mlflow_folder(folder: Path, text: str, **files: bytes | str) -> Path:
    """A folder with this `MLmodel`, and these files (`__` for a dot) beside it."""
    made = folder / "model"
    made.mkdir()
    (made / "MLmodel").write_bytes(text.encode() if isinstance(text, str) else text)
    for name, data in files.items():
        path = made / name.replace("__", ".")
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    return made


def skops_mlmodel(version: str = "", signature: dict[str, Any] | None = None) -> str:
    """The text of an `MLmodel` for a logistic regression as `model.skops`."""
    import sklearn

    told = {
        "flavors": {
            "sklearn": {
                "pickled_model": "model.skops",
                "serialization_format": "skops",
                "sklearn_version": version or sklearn.__version__,
            }
        },
        "signature": SIGNATURE if signature is None else signature,
    }
    return json.dumps(told, indent=1)


def scored(uri: Path, rows: pa.RecordBatch = COLUMNS, right: Any = None, **options: Any) -> Given:
    """What a right model must give: the logistic regression's classes unless others are told."""
    right = logistic().predict(SPLIT) if right is None else right
    return Given(uri=str(uri), rows=rows, right=right, options=options)
