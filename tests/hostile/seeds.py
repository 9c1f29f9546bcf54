"""Small models of every format that is fuzzed, made in code: name of the file and its bytes."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(RNG.normal(size=(240, 3)), columns=["age", "income", "score"])
CITIES = FRAME.assign(
    city=pd.Categorical(RNG.choice(["Bonn", "Rome", "Ulm"], 240)),
    kind=pd.Categorical(RNG.choice([3, 5, 9], 240)),
)
SIGN = (FRAME["age"] + FRAME["income"] > 0).astype(int)
THIRDS = pd.qcut(FRAME["age"] + FRAME["score"] / 2, 3, labels=False)
MIXED = FRAME["age"] + CITIES["city"].cat.codes + CITIES["kind"].cat.codes


def lightgbm() -> Iterator[bytes]:
    """Classes, categories, linear trees, a forest; without the sizes that find most damage."""
    import re

    from lightgbm import Dataset, train

    quiet = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 5, "num_leaves": 5}
    few = {"min_data_per_group": 1, "cat_smooth": 0, "max_cat_to_onehot": 1}
    for objective, data, target, params in [
        ("binary", FRAME, SIGN, {}),
        ("multiclass", FRAME, THIRDS, {"num_class": 3}),
        ("regression", CITIES, MIXED, few),
        ("regression", FRAME, FRAME["age"], {"linear_tree": True}),
        ("regression", FRAME, SIGN, {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}),
    ]:
        made = train({"objective": objective, **quiet, **params}, Dataset(data, target), 2)
        text = made.model_to_string()
        yield text.encode()
        yield re.sub(r"tree_sizes=.*\n", "", text).encode()


def xgboost(suffix: str = "json") -> Iterator[bytes]:
    """Classes, categories, vectors in leaves, dart, a linear model, early stopping."""
    from xgboost import DMatrix, train

    for objective, data, target, params in [
        ("binary:logistic", FRAME, SIGN, {}),
        ("multi:softprob", FRAME, THIRDS, {"num_class": 3}),
        ("reg:squarederror", CITIES, MIXED, {"max_cat_to_onehot": 1}),
        (
            "reg:squarederror",
            FRAME,
            FRAME[["age", "score"]],
            {"multi_strategy": "multi_output_tree"},
        ),
        ("count:poisson", FRAME, FRAME["age"].abs(), {"booster": "dart", "rate_drop": 0.3}),
        ("reg:squarederror", FRAME, FRAME["age"], {"booster": "gblinear"}),
        ("reg:squarederror", FRAME.to_numpy(), FRAME["age"], {"num_parallel_tree": 2}),
    ]:
        rows = DMatrix(data, target, enable_categorical=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = train({"objective": objective, "nthread": 1, "max_depth": 2, **params}, rows, 2)
        made.set_attr(best_iteration="1", scikit_learn='{"_estimator_type": "regressor"}')
        yield bytes(made.save_raw(suffix))


def ubjson() -> Iterator[bytes]:
    """The same as UBJSON."""
    return xgboost("ubj")


def catboost() -> Iterator[bytes]:
    """Classes, categories by counters, trees of several shapes, texts."""
    import catboost as library

    quiet = {"iterations": 3, "depth": 2, "verbose": 0, "thread_count": 1}
    quiet |= {"allow_writing_files": False}
    texts = CITIES.astype({"city": str, "kind": str})
    said = texts.assign(said=RNG.choice(["hello you", "bye bye", "what a day it was"], 240))
    kinds = ["city", "kind"]
    hard = (MIXED + RNG.normal(size=240) > 2).astype(int)
    for target, data, params, of_columns in [
        (SIGN, FRAME, {}, {}),
        (THIRDS, FRAME, {"loss_function": "MultiClass"}, {}),
        (hard, texts, {"one_hot_max_size": 2, "iterations": 6}, {"cat_features": kinds}),
        (hard, texts, {"one_hot_max_size": 9}, {"cat_features": kinds}),
        (SIGN, FRAME, {"grow_policy": "Lossguide", "max_leaves": 5, "depth": 4}, {}),
        (hard, said, {}, {"cat_features": kinds, "text_features": ["said"]}),
    ]:
        model = library.CatBoost({"loss_function": "Logloss", **quiet, **params})
        with tempfile.TemporaryDirectory() as folder:
            model.fit(library.Pool(data, target, **of_columns)).save_model(f"{folder}/m")
            yield Path(f"{folder}/m").read_bytes()


def onnx() -> Iterator[bytes]:
    """Trees and a linear model as skl2onnx has them, and operators whose sizes are in the file."""
    from onnx import TensorProto as T
    from onnx import helper as h
    from skl2onnx import to_onnx
    from sklearn.ensemble import GradientBoostingClassifier, RandomForestRegressor
    from sklearn.linear_model import LogisticRegression

    x = FRAME.to_numpy(np.float32)
    for model in (
        GradientBoostingClassifier(n_estimators=2, max_depth=2).fit(x, SIGN),
        RandomForestRegressor(n_estimators=2, max_depth=2).fit(x, FRAME["age"]),
        LogisticRegression().fit(x, THIRDS),
    ):
        yield to_onnx(
            model, x[:1], options={"zipmap": False} if hasattr(model, "classes_") else None
        ).SerializeToString()

    def ints(name: str, *values: int) -> Any:
        return h.make_tensor(name, T.INT64, [len(values)], values)

    nodes = [
        h.make_node("Tile", ["x", "times"], ["tiled"]),
        h.make_node("ConstantOfShape", ["shape"], ["zeros"]),
        h.make_node("Expand", ["zeros", "wide"], ["more"]),
        h.make_node("ReduceSum", ["more"], ["sum"], keepdims=0),
        h.make_node("Gather", ["tiled", "place"], ["part"], axis=1),
        h.make_node("Add", ["part", "sum"], ["y"]),
    ]
    made = [ints("times", 1, 2), ints("shape", 2), ints("wide", 3, 2), ints("place", 1, 0, 2)]
    ports = [h.make_tensor_value_info(n, T.FLOAT, ["N", 3]) for n in ("x", "y")]
    graph = h.make_graph(nodes, "g", ports[:1], ports[1:], made)
    yield h.make_model(
        graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()


def skops() -> Iterator[bytes]:
    """A pipeline, trees, and LightGBM's wrapper."""
    from lightgbm import LGBMClassifier
    from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from skops.io import dumps

    x = FRAME.to_numpy()
    yield dumps(make_pipeline(StandardScaler(), LogisticRegression()).fit(FRAME, SIGN))
    yield dumps(GradientBoostingRegressor(n_estimators=2, max_depth=2).fit(x, SIGN))
    yield dumps(HistGradientBoostingClassifier(max_iter=2, max_leaf_nodes=4).fit(x, SIGN))
    yield dumps(LGBMClassifier(n_estimators=2, num_leaves=5, n_jobs=1, verbose=-1).fit(x, SIGN))


def mlmodel() -> Iterator[bytes]:
    """The description that MLflow writes, with columns and with a tensor."""
    import json

    columns = [{"type": "double", "name": name, "required": True} for name in FRAME]
    tensor = [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 3]}}]
    for inputs in (columns, tensor):
        yield f"""artifact_path: model
flavors:
  lightgbm:
    code: null
    data: model.txt
    lgb_version: 4.6.0
    model_class: lightgbm.basic.Booster
  python_function:
    env: {{conda: conda.yaml, virtualenv: python_env.yaml}}
    loader_module: mlflow.lightgbm
    python_version: 3.11.7
model_size_bytes: 2000
signature:
  inputs: '{json.dumps(inputs)}'
  outputs: '[{{"type": "double"}}]'
  params: null
utc_time_created: '2026-01-01 00:00:00'
""".encode()


def conda() -> Iterator[bytes]:
    """The environment that MLflow writes."""
    yield b"""channels: [conda-forge]
dependencies:
- python=3.11.7
- pip<=24.0
- pip:
  - mlflow==3.1.0
  - lightgbm==4.6.0
  - numpy==2.0.1
name: mlflow-env
"""


def joblib() -> Iterator[bytes]:
    """Estimators whose compiled code follows their arrays, pipelines, boosters' wrappers."""
    from io import BytesIO

    from joblib import dump
    from lightgbm import LGBMClassifier
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler
    from sklearn.svm import SVC
    from xgboost import XGBRegressor

    for model, data, target in [
        (make_pipeline(StandardScaler(), LogisticRegression()), FRAME, SIGN),
        (make_pipeline(OneHotEncoder(), LogisticRegression()), CITIES[["city"]].astype(str), SIGN),
        (RandomForestRegressor(n_estimators=2, max_depth=2), FRAME, SIGN),
        (HistGradientBoostingClassifier(max_iter=2, max_leaf_nodes=4), FRAME, SIGN),
        (SVC(), FRAME, SIGN),
        (LGBMClassifier(n_estimators=2, num_leaves=5, n_jobs=1, verbose=-1), FRAME, SIGN),
        (XGBRegressor(n_estimators=2, max_depth=2, n_jobs=1), FRAME, SIGN),
    ]:
        out = BytesIO()
        dump(model.fit(data, target), out)
        yield out.getvalue()


def statsmodels() -> Iterator[bytes]:
    """Results of a table, and of a formula."""
    import pickle

    import statsmodels.api as sm
    import statsmodels.formula.api as smf

    table = FRAME.assign(target=FRAME["age"] + RNG.normal(size=240))
    for results in (sm.OLS(table["target"], FRAME).fit(), smf.ols("target ~ age", table).fit()):
        results.remove_data()
        yield pickle.dumps(results)


def keyed() -> Mapping[str, bytes]:
    """The files of a model for each key."""
    from tests.keyed_models import trees, write

    with tempfile.TemporaryDirectory() as folder:
        made = write(Path(folder) / "m", trees(1, 2, 3))
        return {path.name: path.read_bytes() for path in made.iterdir()}


def spark_ml() -> Iterator[bytes]:
    """What a Spark ML model's writer leaves: a model's own line, and one of an assembler."""
    import json

    for name, params, more in [
        (
            "classification.LogisticRegressionModel",
            {"featuresCol": "f", "predictionCol": "p", "probabilityCol": "q"},
            {"numClasses": 2, "numFeatures": 2},
        ),
        ("feature.VectorAssembler", {"inputCols": ["age", "income"], "outputCol": "f"}, {}),
    ]:
        line = {"class": f"org.apache.spark.ml.{name}", "timestamp": 1, "sparkVersion": "4.1.1"}
        whole = {**line, "uid": "u", "paramMap": params, "defaultParamMap": {}, **more}
        yield json.dumps(whole).encode()


def beside(name: str) -> Mapping[str, bytes]:
    """The other files of a model that `name` is a part of."""
    if name in ("index.parquet", "models.bin"):
        others = dict(keyed())
    elif name in ("MLmodel", "conda.yaml"):
        others = {
            "model.txt": next(lightgbm()),
            "MLmodel": next(mlmodel()),
            "conda.yaml": next(conda()),
        }
    else:
        return {}
    return {other: data for other, data in others.items() if other != name}


SEEDS: Mapping[str, tuple[str, str, Callable[[], Iterator[bytes]]]] = {
    "lightgbm": ("model.txt", "text", lightgbm),
    "xgboost": ("model.json", "text", xgboost),
    "ubjson": ("model.ubj", "binary", ubjson),
    "catboost": ("model.cbm", "binary", catboost),
    "onnx": ("model.onnx", "protobuf", onnx),
    "skops": ("model.skops", "zip", skops),
    "mlmodel": ("MLmodel", "text", mlmodel),
    "conda": ("conda.yaml", "text", conda),
    "joblib": ("model.joblib", "binary", joblib),
    "statsmodels": ("model.pickle", "binary", statsmodels),
    "keyed index": ("index.parquet", "binary", lambda: iter([keyed()["index.parquet"]])),
    "keyed models": ("models.bin", "binary", lambda: iter([keyed()["models.bin"]])),
    "spark_ml": ("metadata/part-00000", "text", spark_ml),
}
"""Format → the file's name, the kind of its damages (`mutate.MUTATIONS`), and whole models."""

TRUSTED = ("model.joblib", "model.pickle", "index.parquet", "models.bin")
"""Files that only those open who trust them, since they are code."""
