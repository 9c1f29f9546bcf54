"""A model of each flavor, and the library's own numbers for one row of Python values."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import catboost
import joblib
import lightgbm
import numpy as np
import onnxruntime
import pandas as pd
import statsmodels.api as sm
import xgboost
from skl2onnx import to_onnx
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeRegressor

from sparkml import load_scorer, read_spec
from sparkml.spec import Field, Signature
from sparkml.testing import THROUGH_BLAS
from tests.keyed_models import write
from tests.quiet import quiet

with quiet():
    import mlflow.pyfunc

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sparkml.scoring.scorer import Scorer
    from sparkml.spec import ModelSpec

RNG = np.random.default_rng(0)
NUMBERS = ["a", "b", "c"]
X = pd.DataFrame(RNG.standard_cauchy((300, 3)) * 1e3, columns=NUMBERS)
Y = X["a"].clip(-50, 50) - X["b"].clip(-5, 5) * 3 + (X["c"] > 0)
CITY = RNG.choice(["Rome", "Ulm", "1", ""], 300)
MIXED = X[["a"]].assign(city=CITY, count=RNG.integers(-9, 9, 300))
STORES = ("Rome", "Ulm", "1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A scorer, and a row of values (None where missing) to the library's own prediction."""

    spec: ModelSpec
    scorer: Scorer
    native: Callable[[Mapping[str, Any]], Any]
    rtol: float = 0.0


def _case(path: Path, native: Callable[..., Any], *, rtol: float = 0.0, **options: Any) -> Case:
    spec = read_spec(str(path), **options)
    return Case(spec=spec, scorer=load_scorer(spec), native=native, rtol=rtol)


def _row(row: Mapping[str, Any], dtype: type = np.float64) -> Any:
    """One row of numbers as a matrix, NaN where missing."""
    return np.array([[np.nan if row[n] is None else row[n] for n in NUMBERS]], dtype=dtype)


def _fields(**types: str) -> Signature:
    return Signature(inputs=tuple(Field(name=n, type=t) for n, t in types.items()))


DOUBLES = _fields(a="double", b="double", c="double")


def of_sklearn(model: Any, folder: Path, *, rtol: float = 0.0, **options: Any) -> Case:
    """Any estimator of numbers, trained on an array."""
    model.fit(X.to_numpy(), Y if hasattr(model, "score") and "Reg" in str(model) else Y > 0)
    joblib.dump(model, folder / "m.joblib")

    def native(row: Mapping[str, Any]) -> Any:
        return model.predict(_row(row))[0]

    return _case(folder / "m.joblib", native, rtol=rtol, signature=DOUBLES, **options)


def of_pipeline(folder: Path) -> Case:
    """A text and an integer among its columns, met as a DataFrame."""
    model = make_pipeline(
        make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), ["city"]), remainder="passthrough"
        ),
        HistGradientBoostingRegressor(max_iter=10),
    )
    # A dense matrix is what the regressor takes.
    model[0].transformers[0][1].set_params(sparse_output=False)
    model.fit(MIXED, Y)
    joblib.dump(model, folder / "m.joblib")
    types = {"a": "double", "city": "string", "count": "int64"}

    def native(row: Mapping[str, Any]) -> Any:
        return model.predict(pd.DataFrame([row], columns=list(MIXED)))[0]

    return _case(folder / "m.joblib", native, signature=_fields(**types), nulls="quarantine")


def of_lightgbm(folder: Path) -> Case:
    """Doubles, NaN where missing."""
    quiet_ = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 5}
    booster = lightgbm.train(quiet_, lightgbm.Dataset(X, Y), 12)
    booster.save_model(folder / "m.txt")
    return _case(folder / "m.txt", lambda row: booster.predict(_row(row))[0])


def of_xgboost(folder: Path) -> Case:
    """Floats, NaN where missing."""
    booster = xgboost.train({"nthread": 1, "max_depth": 4}, xgboost.DMatrix(X, Y), 12)
    booster.save_model(folder / "m.ubj")

    def native(row: Mapping[str, Any]) -> Any:
        return booster.inplace_predict(_row(row, np.float32))[0]

    return _case(folder / "m.ubj", native)


def of_catboost(folder: Path) -> Case:
    """A text among its columns, which may not be missing."""
    train = MIXED[["a", "city"]]
    options = {"iterations": 12, "depth": 4, "verbose": 0, "thread_count": 1}
    model = catboost.CatBoostRegressor(**options, allow_writing_files=False)
    model.fit(train, Y, cat_features=["city"]).save_model(str(folder / "m.cbm"))

    def native(row: Mapping[str, Any]) -> Any:
        frame = pd.DataFrame({"a": [row["a"]], "city": [row["city"]]}).astype({"a": float})
        return model.predict(frame)[0]

    return _case(folder / "m.cbm", native)


def of_onnx(folder: Path) -> Case:
    """Floats, in a graph of trees."""
    model = DecisionTreeRegressor(random_state=0).fit(X.to_numpy(np.float32), Y)
    content = to_onnx(model, X.to_numpy(np.float32)[:1]).SerializeToString()
    (folder / "m.onnx").write_bytes(content)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    signature = _fields(**dict.fromkeys(NUMBERS, "float"))

    def native(row: Mapping[str, Any]) -> Any:
        return session.run(None, {"X": _row(row, np.float32)})[0][0, 0]

    return _case(folder / "m.onnx", native, signature=signature)


def of_statsmodels(folder: Path) -> Case:
    """A sum of three products."""
    results = sm.OLS(Y, X).fit()
    results.save(str(folder / "m.pickle"))
    return _case(
        folder / "m.pickle",
        lambda row: results.predict(pd.DataFrame(_row(row), columns=NUMBERS)).iloc[0],
        rtol=THROUGH_BLAS,
    )


def of_keyed(folder: Path) -> Case:
    """A tree for each text."""
    small = X[["a", "b"]]
    models = {
        (store,): DecisionTreeRegressor(random_state=0).fit(small, Y * (place + 1))
        for place, store in enumerate(STORES)
    }
    path = write(folder / "m", models, keys=(Field(name="store", type="string"),))

    def native(row: Mapping[str, Any]) -> Any:
        if (row["store"],) not in models:
            raise KeyError(row["store"])
        values = [np.nan if row[n] is None else row[n] for n in small]
        return models[(row["store"],)].predict(pd.DataFrame([values], columns=list(small)))[0]

    return _case(path, native)


ECHOED = {
    **{name: name for name in ("double", "float", "int64", "int32", "bool", "string", "binary")},
    "date": "date32[day]",
    "timestamp_ntz": "timestamp[us]",
    "timestamp": "timestamp[us, tz=UTC]",
}
"""The kind of an input -> the type that it is declared as."""


def told(value: Any) -> str:
    """A value as text, the same from whichever library it comes; `-` where it is missing."""
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, np.datetime64 | pd.Timestamp):
        stamp = pd.Timestamp(value)
        stamp = stamp.tz_convert("UTC").tz_localize(None) if stamp.tzinfo else stamp
        return str(stamp.as_unit("us").asm8.astype(np.int64))
    if isinstance(value, dt.date):
        return str((value - dt.date(1970, 1, 1)).days * 86_400_000_000)
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return f"{int(value)}{'-' * (math.copysign(1, value) < 0 and value == 0)}"
    return repr(value)


def of_pyfunc(folder: Path) -> Case:
    """A model that tells what it sees."""
    tell = told
    with quiet():

        class Model(mlflow.pyfunc.PythonModel):
            """For each row its values as text."""

            def predict(self, context, model_input, params=None):
                rows = zip(*(model_input[name] for name in model_input), strict=True)
                return ["|".join(map(tell, row)) for row in rows]

        mlflow.pyfunc.save_model(
            folder / "m", python_model=Model(), pip_requirements=["mlflow-skinny"]
        )
    inputs = tuple(Field(name=name, type=dtype) for name, dtype in ECHOED.items())
    signature = Signature(inputs=inputs, outputs=(Field(name="prediction", type="string"),))

    def native(row: Mapping[str, Any]) -> str:
        return "|".join(map(told, row.values()))

    return _case(folder / "m", native, signature=signature, nulls="model")


CASES: dict[str, Callable[[Path], Case]] = {
    "sklearn, boosting": lambda at: of_sklearn(HistGradientBoostingRegressor(max_iter=10), at),
    "sklearn, forest": lambda at: of_sklearn(RandomForestClassifier(5, random_state=0), at),
    "sklearn, linear": lambda at: of_sklearn(LinearRegression(), at, rtol=THROUGH_BLAS),
    "sklearn, columns": of_pipeline,
    "lightgbm": of_lightgbm,
    "xgboost": of_xgboost,
    "catboost": of_catboost,
    "onnx": of_onnx,
    "statsmodels": of_statsmodels,
    "keyed": of_keyed,
    "pyfunc": of_pyfunc,
}
