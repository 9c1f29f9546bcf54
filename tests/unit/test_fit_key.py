"""The fit of one key: the estimator's own, the same each time, and a result even where it fails."""

from __future__ import annotations

import pickle
import warnings

import catboost
import cloudpickle
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import BaggingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from sparkml.errors import ConfigError
from sparkml.spec import Field
from sparkml.training.estimators import logistic_regression
from sparkml.training.fit_key import Recipe, fit_key, in_order, new_estimator
from sparkml.training.pickles import pickled
from tests.models import table

FEATURES = (Field(name="a", type="double"), Field(name="b", type="double"))


def recipe(**changes):
    """A recipe for a tree on the two features."""
    given = {
        "estimator": "sklearn.tree:DecisionTreeRegressor",
        "params": {"max_depth": 3},
        "features": FEATURES,
        "label": "y",
    }
    return Recipe(**{**given, **changes})


def labelled(count, **columns):
    """Rows with the two features and a label."""
    x = table(count)
    return pa.table({"a": x["a"], "b": x["b"], "y": x["a"] - x["b"], **columns})


def test_a_fit_is_the_estimator_s_own_and_the_same_each_time():
    """The same rows give the same bytes, and what they unpickle to predicts as if fitted here."""
    once, again = (fit_key(labelled(50), recipe()) for _ in range(2))

    x = table(50).sort_values(["a", "b"])
    here = DecisionTreeRegressor(max_depth=3, random_state=0).fit(x, x["a"] - x["b"])
    assert once == again
    assert here.predict(x).tolist() == cloudpickle.loads(once.model).predict(x).tolist()


def test_the_rows_held_out_score_the_model_that_did_not_see_them():
    """A fifth of the rows; the score is that of the stored model, which more rows do not change."""
    made = fit_key(labelled(50), recipe(holdout=0.2, params={}))
    model = cloudpickle.loads(made.model)

    assert 40 == model.tree_.n_node_samples[0]
    assert made.score < 1.0 == model.score(*_seen(model))


def _seen(model):
    """The rows that a full tree reproduces exactly: those that it was fitted on."""
    x = table(50)
    y = (x["a"] - x["b"]).to_numpy()
    seen = np.isclose(model.predict(x), y, rtol=0, atol=0)
    return x[seen], y[seen]


def test_small_and_failing_groups_are_results_with_a_code():
    """Neither raises: another key's model has nothing to do with it."""
    small = fit_key(labelled(9), recipe())
    nothing = pa.array([float("nan")] * 20)
    failed = fit_key(
        labelled(20, a=nothing),
        recipe(estimator="sklearn.linear_model:LinearRegression", params={}),
    )

    assert ("TOO_FEW_ROWS", "9 of 10 rows", None) == (small.code, small.message, small.model)
    assert ("FIT_FAILED", None) == (failed.code, failed.model)
    assert failed.message.startswith("ValueError: Input X contains NaN")


def test_what_a_fit_warns_about_is_its_message():
    """A model that did not converge is a model, and the index says so."""
    rough = recipe(
        estimator="sklearn.linear_model:LogisticRegression",
        params={"max_iter": 1},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = fit_key(labelled(40, y=pa.array([i % 2 for i in range(40)])), rough)

    assert made.code is None
    assert made.message.startswith("ConvergenceWarning")
    assert (0, 1) == made.classes


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"estimator": "sklearn.tre:X"}, "cannot be imported"),
        (
            {"estimator": "sklearn.tree:DecisionTreeRegresor"},
            "did you mean 'DecisionTreeRegressor'",
        ),
        ({"params": {"depth": 3}}, "cannot be called with these params"),
        ({"estimator": dict, "params": {}}, "not an estimator that fits and predicts"),
        ({"estimator": lambda: 1 / 0, "params": {}}, "cannot be called with these params: Zero"),
    ],
)
def test_an_estimator_that_is_none_is_refused(changes, said):
    """By its name, before anything is fitted."""
    with pytest.raises(ConfigError, match=said):
        new_estimator(recipe(**changes))


def test_a_seed_reaches_every_random_state_that_is_open():
    """Inside pipelines too; one that was set is left alone."""
    made = new_estimator(
        recipe(
            estimator=lambda: BaggingRegressor(DecisionTreeRegressor(), random_state=5),
            params={},
            seed=7,
        )
    )

    assert (5, 7) == (made.random_state, made.estimator.random_state)


def test_texts_and_vectors_are_features_as_well():
    """A pipeline that encodes texts, and a lone column of vectors."""
    words = pa.array([["x", "y", None][i % 3] for i in range(30)])
    features = (Field(name="a", type="double"), Field(name="w", type="string"))
    y = pa.array([i % 3 == 0 for i in range(30)])
    made = fit_key(
        labelled(30, w=words, y=y),
        recipe(estimator=logistic_regression, params={}, features=features),
    )
    vectors = pa.array([[float(i), 1.0] for i in range(30)])
    lone = (Field(name="v", type="list<double>"),)
    flat = fit_key(labelled(30, v=vectors), recipe(features=lone))

    assert (None, (False, True)) == (made.code, made.classes)
    frame = pd.DataFrame({"a": table(30)["a"], "w": words.to_pandas().fillna(np.nan)})
    assert y.to_pylist() == cloudpickle.loads(made.model).predict(frame).tolist()
    assert flat.code is None
    assert 2 == cloudpickle.loads(flat.model).n_features_in_


def test_the_order_of_the_rows_decides_nothing():
    """Nulls, NaN, texts, vectors and ties among them."""
    floats = pa.array([1.0, None, float("nan"), 1.0, -1.0] * 4)
    words = pa.array(["b", "a", None, "a"] * 5)
    vectors = pa.array([[1.0, 2.0], [1.0], None, [], [1.0, None]] * 4, pa.list_(pa.float64()))
    flags = pa.array([True, None, False, True] * 5)
    rows = pa.table({"x": floats, "w": words, "v": vectors, "f": flags, "y": range(20)})
    y_last = in_order(rows.drop_columns("y"))
    random = np.random.default_rng(0)
    for _ in range(5):
        mixed = rows.take(random.permutation(20))
        assert str(in_order(rows).to_pylist()) == str(in_order(mixed).to_pylist())
        assert str(y_last.to_pylist()) == str(in_order(mixed.drop_columns("y")).to_pylist())
    a, b = (fit_key(t, recipe()) for t in (labelled(50), labelled(50).take(list(range(50))[::-1])))
    assert a == b


@given(st.recursive(
    st.one_of(st.text(max_size=3), st.integers(), st.binary(max_size=3), st.none()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(st.text(max_size=2), inner, max_size=4),
    ),
    max_leaves=40,
))  # fmt: skip
@settings(deadline=None)
def test_a_pickle_holds_what_it_held_whichever_strings_are_one_object(value):
    """A copy with strings of its own gives the same bytes, and both unpickle to the value."""

    def apart(part):
        if isinstance(part, str):
            return "".join(list(part))
        if isinstance(part, dict):
            return {apart(k): apart(v) for k, v in part.items()}
        return type(part)(map(apart, part)) if isinstance(part, list | tuple) else part

    assert value == pickle.loads(pickled(value))
    assert pickled(apart(value)) == pickled(apart(apart(value)))


def test_pickles_of_many_objects_and_of_functions_are_whole():
    """More than 256 memoised objects, arrays, shared parts, cycles, a function of one's own."""
    shared = np.arange(3.0)
    cycle: list[object] = [{f"k{i}": (f"v{i}", shared) for i in range(600)}, lambda x: x + 1]
    cycle.append(cycle)

    back = pickle.loads(pickled(cycle))

    assert back[2] is back
    assert back[0]["k599"][1] is back[0]["k0"][1]
    assert [0.0, 1.0, 2.0] == back[0]["k0"][1].tolist()
    assert {f"k{i}": f"v{i}" for i in range(600)} == {k: v for k, (v, _) in back[0].items()}
    assert 3 == back[1](2)
    spelt = {"x" * 3: 1, "a": ["xxx", "".join(["x"] * 3)]}
    assert pickled(spelt) == pickled({"xxx": 1, "a": ["xxx", "xxx"]})


@pytest.mark.parametrize("chosen", [{}, {"thread_count": 2, "allow_writing_files": True}])
def test_catboost_gets_the_process_s_threads_and_writes_no_files(chosen, tmp_path, monkeypatch):
    """It takes every core and writes beside the worker by itself; what is chosen stays."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(tmp_path)

    def estimator():
        return make_pipeline(
            StandardScaler(), catboost.CatBoostRegressor(iterations=3, verbose=0, **chosen)
        )

    made = fit_key(labelled(50), recipe(estimator=estimator, params={}))
    params = cloudpickle.loads(made.model)[-1].get_params()
    expected = chosen or {"thread_count": 1, "allow_writing_files": False}
    assert expected == {name: params[name] for name in expected}
    assert bool(chosen) == (tmp_path / "catboost_info").exists()
