"""The trees that params name: XGBoost's iteration_range, LightGBM's and CatBoost's own words."""

from __future__ import annotations

import catboost
import joblib
import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import xgboost
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sparkml import load_scorer, read_spec
from sparkml.errors import ConfigError
from sparkml.testing import check_scorer

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(RNG.normal(size=(240, 3)), columns=["age", "income", "score"])
SIGN = (FRAME["age"] + FRAME["income"] > 0).astype(int)
THIRDS = pd.qcut(FRAME["age"] + FRAME["score"] / 2, 3, labels=False)
ROWS = FRAME.head(24)
BATCH = pa.RecordBatch.from_pandas(ROWS, preserve_index=False)
CATBOOST = {"iterations": 9, "depth": 3, "verbose": 0, "thread_count": 1}
CATBOOST |= {"allow_writing_files": False}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))


def dumped(model, tmp_path):
    path = tmp_path / "model.joblib"
    joblib.dump(model, path)
    return str(path)


def xgboost_file(tmp_path, **params):
    rows = xgboost.DMatrix(FRAME, THIRDS)
    own = {"objective": "multi:softprob", "num_class": 3, "max_depth": 3, "nthread": 1, **params}
    booster = xgboost.train(own, rows, 9)
    booster.save_model(tmp_path / "model.ubj")
    return booster, str(tmp_path / "model.ubj")


@pytest.mark.parametrize("rounds", [(0, 4), (3, 7), (2, 0)])
def test_a_booster_of_xgboost_scores_with_the_rounds_of_iteration_range(rounds, tmp_path):
    """From the first to before the last; an end of 0 is the end, as it is to the library."""
    booster, path = xgboost_file(tmp_path)
    spec = read_spec(path, params={"iteration_range": rounds})
    matrix = xgboost.DMatrix(ROWS)
    chances = booster.predict(matrix, iteration_range=rounds)

    expected = {"prediction": chances.argmax(axis=1), "probability": chances}
    check_scorer(load_scorer(spec), BATCH, expected=expected)
    assert not np.array_equal(chances, booster.predict(matrix))


def test_every_output_is_of_these_rounds_alone(tmp_path):
    """Also leaves and contributions, for which XGBoost itself takes no first round but 0."""
    booster, path = xgboost_file(tmp_path)
    names = ["margin", "leaf", "contributions"]
    spec = read_spec(path, outputs=names, params={"iteration_range": [3, 5]})
    margin, leaf, told = load_scorer(spec)(BATCH).columns[:3]

    matrix = xgboost.DMatrix(ROWS)
    whole = booster.predict(matrix, pred_leaf=True)
    assert leaf.to_pylist() == whole[:, 9:15].astype(int).tolist()
    native = booster.predict(matrix, output_margin=True, iteration_range=(3, 5))
    assert np.array_equal(np.array(margin.to_pylist(), np.float32), native)
    sums = [[sum(of_class.values()) for of_class in row] for row in told.to_pylist()]
    np.testing.assert_allclose(sums, native, rtol=1e-5)


def test_the_best_round_gives_way_to_those_that_are_named(tmp_path):
    """As in `XGBClassifier.predict`: without params, and for 0, its best round ends the trees."""
    model = xgboost.XGBClassifier(n_estimators=30, max_depth=4, n_jobs=1, early_stopping_rounds=2)
    model.fit(FRAME[:120], SIGN[:120], eval_set=[(FRAME[120:], SIGN[120:])], verbose=False)
    made = model.get_booster().num_boosted_rounds()
    assert model.best_iteration + 1 < made
    path = dumped(model, tmp_path)
    model.save_model(tmp_path / "model.json")

    for at in (path, str(tmp_path / "model.json")):
        for kind in ({}, {"iteration_range": (0, made)}, {"iteration_range": (0, 0)}):
            chances = model.predict_proba(ROWS, **kind)
            expected = {"probability": chances}
            check_scorer(load_scorer(read_spec(at, params=kind)), BATCH, expected=expected)
        # The wrapper itself would pass over the 2.
        with pytest.raises(ConfigError, match=r"iteration_range=\[2, 0\] names no trees"):
            read_spec(at, params={"iteration_range": (2, 0)})


def test_wrappers_at_the_end_of_a_pipeline_take_their_library_s_words(tmp_path):
    """And give what their own `predict` and `predict_proba` do with them."""
    models = (
        (xgboost.XGBClassifier(n_estimators=9, max_depth=3, n_jobs=1), {"iteration_range": (2, 5)}),
        (
            lightgbm.LGBMClassifier(n_estimators=9, n_jobs=1, verbosity=-1),
            {"start_iteration": 2, "num_iteration": 3},
        ),
        (catboost.CatBoostClassifier(**CATBOOST), {"ntree_start": 2, "ntree_end": 5}),
    )
    for final, params in models:
        model = make_pipeline(StandardScaler(), final).fit(FRAME, THIRDS)
        made = load_scorer(read_spec(dumped(model, tmp_path), params=params))(BATCH)
        x = model[0].transform(ROWS)
        chances = final.predict_proba(x, **params)
        assert np.array_equal(made.column(1).to_pylist(), chances.tolist()), final
        assert made.column(0).to_pylist() == final.predict(x, **params).ravel().tolist(), final


@pytest.mark.parametrize(
    "params",
    [{"num_iteration": 4}, {"start_iteration": 3}, {"start_iteration": 3, "num_iteration": 2}],
)
def test_a_text_of_lightgbm_scores_with_the_iterations_that_are_named(params, tmp_path):
    """Its own two words; contributions go by them as well."""
    rows = lightgbm.Dataset(FRAME, SIGN)
    own = {"objective": "binary", "num_threads": 1, "verbosity": -1}
    booster = lightgbm.train(own, rows, 9)
    booster.save_model(tmp_path / "model.txt")
    spec = read_spec(str(tmp_path / "model.txt"), params=params)
    p = booster.predict(ROWS, **params)
    expected = {"prediction": (p > 0.5).astype(int), "probability": np.c_[1.0 - p, p]}
    check_scorer(load_scorer(spec), BATCH, expected=expected)

    names = ["contributions"]
    why = read_spec(str(tmp_path / "model.txt"), outputs=names, params=params)
    (told,) = load_scorer(why)(BATCH).columns[:1]
    native = booster.predict(ROWS, pred_contrib=True, **params)
    assert [list(row.values()) for row in told.to_pylist()] == native.tolist()


def test_a_file_of_catboost_scores_with_the_trees_that_are_named(tmp_path):
    """From `ntree_start` to before `ntree_end`, or to the end."""
    model = catboost.CatBoostRegressor(**CATBOOST).fit(FRAME, FRAME["age"])
    model.save_model(str(tmp_path / "model.cbm"))
    for params in ({"ntree_end": 4}, {"ntree_start": 2}, {"ntree_start": 2, "ntree_end": 6}):
        said = {"ntree_end": 9, **params}  # CatBoost itself wants to be told
        spec = read_spec(str(tmp_path / "model.cbm"), params=params)
        expected = {"prediction": model.predict(ROWS, **said)}
        check_scorer(load_scorer(spec), BATCH, expected=expected)


def test_models_whose_trees_the_library_cannot_part_say_so(tmp_path):
    """CatBoost parts symmetric trees alone; a linear booster has none."""
    model = catboost.CatBoostRegressor(**CATBOOST, grow_policy="Lossguide")
    model.fit(FRAME, FRAME["age"]).save_model(str(tmp_path / "model.cbm"))
    with pytest.raises(ConfigError, match="cannot part this model: Truncate support only"):
        read_spec(str(tmp_path / "model.cbm"), params={"ntree_end": 4})


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"iteration_range": (0, 10)}, r"iteration_range=\[0, 10\] names no trees .* 9 rounds"),
        ({"iteration_range": (4, 4)}, "names no trees"),
        ({"iteration_range": (-2, 4)}, "names no trees"),
        ({"iteration_range": 4}, "names no trees"),
        ({"iteration_range": (0, 4.0)}, "names no trees"),
        ({"iteration_range": "ab"}, "names no trees"),
        ({"iteration_rang": (0, 4)}, "no param 'iteration_rang'.*did you mean 'iteration_range'"),
        ({"num_iteration": 4}, "no param 'num_iteration'"),
    ],
)
def test_trees_that_the_model_has_not_are_refused_by_name(params, told, tmp_path):
    """When the model is read; followed, the advice gives a model that scores."""
    _, path = xgboost_file(tmp_path)
    with pytest.raises(ConfigError, match=told) as error:
        read_spec(path, params=params)
    assert error.value.where.startswith("params.")
    load_scorer(read_spec(path, params={"iteration_range": (0, 9)}))(BATCH)


@pytest.mark.parametrize(
    "params",
    [{"num_iteration": 10}, {"start_iteration": 9}, {"start_iteration": "a"}],
)
def test_lightgbm_s_iterations_are_checked_where_the_library_would_take_fewer(params, tmp_path):
    """It scores with what there is, down to no tree at all."""
    model = lightgbm.LGBMRegressor(n_estimators=9, n_jobs=1, verbosity=-1).fit(FRAME, FRAME["age"])
    with pytest.raises(ConfigError, match="names no trees of the model, which has 9 rounds"):
        read_spec(dumped(model, tmp_path), params=params)
