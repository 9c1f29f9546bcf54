"""LightGBM, XGBoost and CatBoost: bit for bit what the library gives for the same table.

The tables are Hypothesis's: NaN, infinities, nulls, integers beyond 2^53, epoch seconds, unseen
categories. The expected side is the library's own `predict` on a DataFrame that pandas made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkml import load_scorer, read_spec
from sparkml.testing import assert_same

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sparkml.scoring.scorer import Scorer

NUMBERS = ["amount", "seen_at", "ratio"]
CITIES = ["Bonn", "Rome", "Ulm"]
COLUMNS = [*NUMBERS, "city"]
EPOCH = 1_700_000_000


def training(rows: int = 400) -> pd.DataFrame:
    """Heavy tails, seconds since 1970, missing values and a category."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "amount": rng.standard_cauchy(rows) * 1e6,
            "seen_at": EPOCH + rng.integers(-1_000_000, 1_000_000, rows).astype(float),
            "ratio": np.where(rng.random(rows) < 0.2, np.nan, rng.normal(size=rows)),
            "city": rng.choice(CITIES, rows),
        }
    )


TRAIN = training()
EFFECT = TRAIN["ratio"].fillna(1.0) + (TRAIN["city"] == "Rome") + (TRAIN["seen_at"] > EPOCH) * 2.0
TWO, THREE = (EFFECT > 1.5).astype(int), pd.qcut(EFFECT, 3, labels=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A trained model by both ways: our scorer, and a DataFrame to the library's numbers."""

    scorer: Scorer
    predict: Callable[[pd.DataFrame], dict[str, Any]]
    refuses: Callable[[dict[str, Any]], bool] = lambda _: False
    """Whether a row is an error in this library, or in ours for its sake."""


def of_lightgbm(folder: Any, target: Any, **params: Any) -> Case:
    """Trained on pandas' categories."""
    known = TRAIN.assign(city=pd.Categorical(TRAIN["city"], CITIES))
    quiet = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 5}
    booster = lightgbm.train(quiet | params, lightgbm.Dataset(known, target), 12)
    path = folder / f"{params['objective']}.txt"
    booster.save_model(path)

    def predict(frame: pd.DataFrame) -> dict[str, Any]:
        frame = frame.assign(city=pd.Categorical(frame["city"], CITIES))
        made = {
            "margin": booster.predict(frame, raw_score=True),
            "leaf": booster.predict(frame, pred_leaf=True),
        }
        raw = booster.predict(frame)
        if params["objective"] == "regression":
            return {"prediction": raw, **made}
        chances = raw if raw.ndim == 2 else np.vstack((1.0 - raw, raw)).T
        return {"prediction": chances.argmax(axis=1), "probability": chances, **made}

    return Case(scorer=opened(path, predict), predict=predict)


def of_xgboost(folder: Any, target: Any, **params: Any) -> Case:
    """Trained on pandas' categories; infinities go to the in-place prediction alone."""
    known = TRAIN.assign(city=pd.Categorical(TRAIN["city"], CITIES))
    rows = xgboost.DMatrix(known, target, enable_categorical=True)
    booster = xgboost.train({"nthread": 1, "max_depth": 4} | params, rows, 12)
    path = folder / f"{params['objective'].replace(':', '_')}.ubj"
    booster.save_model(path)

    def predict(frame: pd.DataFrame) -> dict[str, Any]:
        frame = frame.assign(city=pd.Categorical(frame["city"], CITIES))
        with np.errstate(over="ignore"):
            numbers = frame[NUMBERS].to_numpy(np.float32)
        # DMatrix refuses infinities, and what is one in single precision.
        finite = not np.isinf(numbers).any()
        values = (
            booster.predict(xgboost.DMatrix(frame, enable_categorical=True))
            if finite
            else booster.inplace_predict(frame)
        )
        margin = booster.inplace_predict(frame, predict_type="margin")
        if params["objective"] == "reg:squarederror":
            return {"prediction": values, "margin": margin}
        chances = values if values.ndim == 2 else np.vstack((1.0 - values, values)).T
        labels = chances.argmax(axis=1) if values.ndim == 2 else (values > 0.5).astype(int)
        return {"prediction": labels, "probability": chances, "margin": margin}

    def refuses(row: dict[str, Any]) -> bool:
        return row["city"] not in (None, *CITIES)

    return Case(scorer=opened(path, predict), predict=predict, refuses=refuses)


def of_catboost(folder: Any, target: Any, **params: Any) -> Case:
    """Categories are texts; a missing one is an error."""
    quiet = {"iterations": 12, "depth": 4, "verbose": 0, "thread_count": 1}
    quiet |= {"allow_writing_files": False}
    classes = params["loss_function"] != "RMSE"
    kind = catboost.CatBoostClassifier if classes else catboost.CatBoostRegressor
    model = kind(**quiet, **params).fit(TRAIN, target, cat_features=["city"])
    path = folder / f"{params['loss_function']}.cbm"
    model.save_model(str(path))

    def predict(frame: pd.DataFrame) -> dict[str, Any]:
        made = {"prediction": np.ravel(model.predict(frame))}
        if classes:
            made["probability"] = model.predict_proba(frame)
        margin = model.predict(frame, prediction_type="RawFormulaVal")
        return {**made, "margin": margin, "leaf": model.calc_leaf_indexes(frame)}

    def refuses(row: dict[str, Any]) -> bool:
        return row["city"] is None

    return Case(scorer=opened(path, predict), predict=predict, refuses=refuses)


def opened(path: Any, predict: Callable[[pd.DataFrame], dict[str, Any]]) -> Scorer:
    """The scorer of every output that the library's side gives."""
    return load_scorer(read_spec(str(path), outputs=tuple(predict(TRAIN.head(2)))))


CASES = {
    "LightGBM, a number": lambda at: of_lightgbm(at, EFFECT, objective="regression"),
    "LightGBM, two classes": lambda at: of_lightgbm(at, TWO, objective="binary"),
    "LightGBM, three classes": lambda at: of_lightgbm(
        at, THREE, objective="multiclass", num_class=3
    ),
    "XGBoost, a number": lambda at: of_xgboost(at, EFFECT, objective="reg:squarederror"),
    "XGBoost, two classes": lambda at: of_xgboost(at, TWO, objective="binary:logistic"),
    "XGBoost, three classes": lambda at: of_xgboost(
        at, THREE, objective="multi:softprob", num_class=3
    ),
    "CatBoost, a number": lambda at: of_catboost(at, EFFECT, loss_function="RMSE"),
    "CatBoost, two classes": lambda at: of_catboost(at, TWO, loss_function="Logloss"),
    "CatBoost, three classes": lambda at: of_catboost(at, THREE, loss_function="MultiClass"),
}


@pytest.fixture(scope="module")
def cases(tmp_path_factory) -> Iterator[dict[str, Case]]:
    """Each trained once."""
    folder = tmp_path_factory.mktemp("trees")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARKML_CACHE", str(folder / "cache"))
        yield {name: make(folder) for name, make in CASES.items()}


ODD = st.sampled_from(
    [0.0, -0.0, 1e-40, 1.5, 3.5e38, 1e300, -1e300, np.inf, -np.inf, np.nan, None]
) | st.sampled_from([2.0**53, 2.0**53 + 2, 2.0**63, -(2.0**63), float(EPOCH), EPOCH + 0.5])
NUMBER = (
    st.floats(width=64)
    | ODD
    | st.integers(EPOCH - 2_000_000, EPOCH + 2_000_000).map(float)
    | st.integers(-(2**62), 2**62).map(float)
    | st.sampled_from(TRAIN["seen_at"].tolist() + TRAIN["amount"].tolist())
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            **dict.fromkeys(NUMBERS, NUMBER),
            "city": st.sampled_from([*CITIES, *CITIES, None, "", "Oslo", "ulm"]),
        }
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_any_table_gives_the_library_s_numbers_bit_for_bit(cases, name, rows):
    """Each output; a row that the library refuses is an error alone, the others are untouched."""
    case = cases[name]
    batch = pa.RecordBatch.from_pydict(
        {n: pa.array([r[n] for r in rows], pa.float64()) for n in NUMBERS}
        | {"city": pa.array([r["city"] for r in rows], pa.string())}
    )
    scores = case.scorer(batch)

    refused = [case.refuses(row) for row in rows]
    assert refused == scores.column("error").is_valid().to_pylist()
    kept = [i for i, bad in enumerate(refused) if not bad]
    if not kept:
        return
    frame = pd.DataFrame([rows[i] for i in kept], columns=COLUMNS).astype(
        dict.fromkeys(NUMBERS, float)
    )
    for output, values in case.predict(frame).items():
        given = scores.column(output).take(pa.array(kept))
        wanted = pa.array(np.asarray(values).tolist(), given.type)
        assert_same(given, wanted, rtol=0.0, law=f"{name}: {output}")


@pytest.mark.parametrize("name", CASES)
def test_whole_numbers_of_64_bits_are_the_doubles_that_pandas_makes_of_them(cases, name):
    """A column of int64 is cast by the table of casts: to the nearest double, as by pandas."""
    case = cases[name]
    whole = np.array([2**53 + 1, -(2**63), 2**63 - 1, EPOCH, 0])
    batch = pa.RecordBatch.from_pydict(
        {n: pa.array(whole, pa.int64()) for n in NUMBERS} | {"city": ["Ulm"] * len(whole)}
    )
    frame = pd.DataFrame(dict.fromkeys(NUMBERS, whole.astype(float)) | {"city": "Ulm"})
    scores = case.scorer(batch)
    for output, values in case.predict(frame).items():
        wanted = pa.array(np.asarray(values).tolist(), scores.column(output).type)
        assert_same(scores.column(output), wanted, rtol=0.0, law=f"{name}: {output}")
