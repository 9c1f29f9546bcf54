"""Outputs that are asked for by name: their types, and what scikit-learn models give of them."""

from __future__ import annotations

import pickle
import warnings

import catboost
import joblib
import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import xgboost
from sklearn import (
    compose,
    discriminant_analysis,
    ensemble,
    linear_model,
    pipeline,
    preprocessing,
    svm,
    tree,
)

from sparkml import load_scorer, read_spec
from sparkml.errors import SignatureError
from sparkml.models.results import as_column
from sparkml.spec import Field, Signature, struct_type
from sparkml.testing import THROUGH_BLAS, check_scorer
from sparkml.type_names import to_arrow_type
from tests.models import save

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(RNG.normal(size=(200, 3)), columns=["a", "b c", "d"])
SIGN = FRAME["a"] > FRAME["d"]
THIRDS = pd.qcut(FRAME["a"] + FRAME["d"], 3, labels=False)
ROWS = FRAME.head(15)
BATCH = pa.RecordBatch.from_pandas(ROWS, preserve_index=False)
NUMBERS = Signature(inputs=tuple(Field(name=n, type="double") for n in FRAME))
ALL = ("margin", "leaf", "contributions")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))


def types(spec):
    return {f.name: f.type for f in spec.signature.outputs}


def structs(values, names=tuple(FRAME)):
    """SHAP values as the column holds them: rows of structs, or of lists of them."""
    named = [*names, "expected_value"]
    if np.ndim(values) == 1:
        return dict(zip(named, np.asarray(values).tolist(), strict=True))
    return [structs(row, names) for row in values]


def test_the_type_of_a_struct_survives_every_name():
    """Quotes, commas, brackets, backslashes and unicode are just names."""
    names = ["a b", 'q"uote', "x, y", "<b>", "back\\slash", "ä", "list<double>"]
    name = struct_type((n, "list<decimal128(9, 2)>") for n in names)
    dtype = to_arrow_type(f"list<{name}>")
    assert [f.name for f in dtype.value_type] == names
    assert {f.type for f in dtype.value_type} == {pa.list_(pa.decimal128(9, 2))}
    nested = to_arrow_type(struct_type([("outer", name), ("n", "int32")]))
    assert nested.field("outer").type == dtype.value_type


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ('struct<"a" double>', 'the field "a" double'),
        ('struct<"a": dubble>', "did you mean 'double'"),
        ('struct<"a": double,>', "cannot have the field"),
    ],
)
def test_a_struct_that_cannot_be_read_is_refused(name, said):
    """With the field that is wrong."""
    with pytest.raises(SignatureError, match=said):
        to_arrow_type(name)


def test_a_cube_becomes_lists_of_structs():
    """Row, class, feature."""
    cube = np.arange(24.0).reshape(2, 3, 4)
    dtype = to_arrow_type(f"list<{struct_type((n, 'double') for n in 'abcd')}>")
    made = as_column(cube, dtype)
    assert made.type == dtype
    assert [[list(s.values()) for s in row] for row in made.to_pylist()] == cube.tolist()


LINEAR = {
    "logistic": (linear_model.LogisticRegression(), SIGN),
    "logistic, three classes": (linear_model.LogisticRegression(), THIRDS),
    "no intercept": (linear_model.LogisticRegression(fit_intercept=False), SIGN),
    "ridge": (linear_model.Ridge(), FRAME["a"]),
    "one column": (linear_model.LinearRegression(), FRAME[["a"]]),
    "two numbers": (linear_model.LinearRegression(), FRAME[["a", "d"]]),
    "svm": (svm.LinearSVC(), THIRDS),
    "lda": (discriminant_analysis.LinearDiscriminantAnalysis(), THIRDS),
    "sgd": (linear_model.SGDClassifier(random_state=0), SIGN),
}


@pytest.mark.parametrize("name", LINEAR)
def test_a_linear_model_s_contributions_sum_to_its_margin(name, tmp_path):
    """Coefficient times value, and the intercept; named as the columns."""
    estimator, target = LINEAR[name]
    model = estimator.fit(FRAME, target)
    spec = save(model, tmp_path, name="m", outputs=("prediction", "contributions"))
    raw = getattr(model, "decision_function", model.predict)(ROWS)
    raw = raw.ravel() if raw.shape[1:] == (1,) else raw
    (column,) = [load_scorer(spec)(BATCH).column(1)]
    each = np.array([[list(s.values()) for s in np.atleast_1d(row)] for row in column.to_pylist()])
    np.testing.assert_allclose(np.squeeze(each.sum(axis=2)), raw, rtol=1e-9, atol=1e-12)
    assert types(spec)["contributions"].endswith('"expected_value": double>' + ">" * (raw.ndim - 1))
    check_scorer(load_scorer(spec), BATCH, rtol=THROUGH_BLAS)


def test_contributions_are_in_the_space_that_the_last_step_sees(tmp_path):
    """Scaled and one-hot columns, under the names that the transformers give them."""
    frame = FRAME.assign(city=RNG.choice(["Bonn", "Köln"], len(FRAME)))
    model = pipeline.make_pipeline(
        compose.make_column_transformer(
            (preprocessing.OneHotEncoder(), ["city"]),
            (preprocessing.StandardScaler(), ["a", "b c"]),
        ),
        linear_model.LogisticRegression(),
    ).fit(frame, SIGN)
    names = model[:-1].get_feature_names_out()
    given = Signature(
        inputs=(*NUMBERS.inputs, Field(name="city", type="string")),
    )
    spec = save(model, tmp_path, name="m", signature=given, outputs=("contributions", "margin"))
    batch = pa.RecordBatch.from_pandas(frame.head(15), preserve_index=False)
    seen = model[:-1].transform(frame.head(15))
    coefficients = np.append(model[-1].coef_[0], model[-1].intercept_)
    expected = structs(np.c_[seen, np.ones(15)] * coefficients, names)
    check_scorer(load_scorer(spec), batch, expected={"contributions": expected}, rtol=THROUGH_BLAS)


def test_a_pipeline_without_names_numbers_them(tmp_path):
    """Trained on a matrix, the columns are x0, x1, …"""
    model = pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.Ridge())
    model.fit(FRAME.to_numpy(), FRAME["a"])
    spec = save(model, tmp_path, name="m", outputs="contributions")
    assert types(spec)["contributions"].startswith('struct<"x0": double, "x1": double')


TREES = {
    "tree": tree.DecisionTreeClassifier(max_depth=3),
    "forest": ensemble.RandomForestClassifier(4, random_state=0),
    "boosting": ensemble.GradientBoostingClassifier(n_estimators=3),
}


@pytest.mark.parametrize("name", TREES)
@pytest.mark.parametrize("target", [SIGN, THIRDS], ids=["two", "three"])
def test_trees_tell_the_leaf_in_each(name, target, tmp_path):
    """`apply`, one number a tree, whatever its shape."""
    model = TREES[name].fit(FRAME, target)
    spec = save(model, tmp_path, name="m", outputs=("leaf", "probability"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # boosting hands the names on to trees that have none
        leaves = model.apply(ROWS)
    expected = {
        "leaf": leaves.reshape(15, -1).astype(int),
        "probability": model.predict_proba(ROWS),
    }
    assert types(spec)["leaf"] == "list<int32>"
    check_scorer(load_scorer(spec), BATCH, expected=expected)
    with pytest.raises(SignatureError, match="no output 'contributions'"):
        save(model, tmp_path, name="m", outputs=("contributions",))


def boosters(target):
    """One wrapper of each library, and what its own methods give."""
    light = lightgbm.LGBMClassifier(n_estimators=4, n_jobs=1, verbose=-1).fit(FRAME, target)
    extreme = xgboost.XGBClassifier(n_estimators=4, n_jobs=1).fit(FRAME, target)
    quiet = {"verbose": 0, "allow_writing_files": False, "thread_count": 1}
    cat = catboost.CatBoostClassifier(iterations=4, **quiet).fit(FRAME, target)
    rows = len(ROWS)
    shap = light.predict(ROWS, pred_contrib=True)
    shap = shap if shap.shape[1] == 4 else shap.reshape(rows, -1, 4)
    yield (
        light,
        {
            "margin": light.predict(ROWS, raw_score=True),
            "leaf": light.predict(ROWS, pred_leaf=True),
            "contributions": structs(shap, ["a", "b_c", "d"]),
        },
    )
    matrix = xgboost.DMatrix(ROWS)
    yield (
        extreme,
        {
            "margin": extreme.predict(ROWS, output_margin=True),
            "leaf": extreme.apply(ROWS).astype(int).reshape(rows, -1),
            "contributions": structs(extreme.get_booster().predict(matrix, pred_contribs=True)),
        },
    )
    yield (
        cat,
        {
            "margin": cat.predict(ROWS, prediction_type="RawFormulaVal"),
            "leaf": cat.calc_leaf_indexes(ROWS),
            "contributions": structs(
                cat.get_feature_importance(catboost.Pool(ROWS), type="ShapValues")
            ),
        },
    )


@pytest.mark.parametrize("target", [SIGN, THIRDS], ids=["two", "three"])
def test_wrappers_of_boosted_trees_give_their_own(target, tmp_path):
    """In a pipeline too, where the names are those after its steps."""
    for model, expected in boosters(target):
        spec = save(model, tmp_path, name="m", signature=NUMBERS, outputs=ALL)
        assert spec.flavor == "sklearn"
        check_scorer(load_scorer(spec), BATCH, expected=expected)


def test_a_pipeline_may_end_in_a_wrapper(tmp_path):
    """SHAP values of the scaled columns, under the columns' names."""
    model = pipeline.make_pipeline(
        preprocessing.StandardScaler(), xgboost.XGBRegressor(n_estimators=3, n_jobs=1)
    ).fit(FRAME, FRAME["a"])
    asked = ("prediction", "contributions")
    spec = save(model, tmp_path, name="m", signature=NUMBERS, outputs=asked)
    scaled = xgboost.DMatrix(model[0].transform(ROWS))
    shap = model[-1].get_booster().predict(scaled, pred_contribs=True)
    expected = {"prediction": model.predict(ROWS), "contributions": structs(shap)}
    check_scorer(load_scorer(spec), BATCH, expected=expected)


def test_a_row_whose_contributions_are_infinite_is_refused_alone(tmp_path):
    """Non-finite numbers are found in structs as in lists."""
    model = linear_model.LinearRegression().fit(FRAME, FRAME["a"])
    spec = save(model, tmp_path, name="m", outputs=("contributions",))
    huge = pa.RecordBatch.from_pydict({n: [1e308, 1.0] for n in FRAME})
    model.coef_[:] = 1e9
    spec = save(model, tmp_path, name="m", outputs=("contributions",))
    first, second = load_scorer(spec)(huge).to_pylist()
    assert (first["contributions"], first["error"]["code"]) == (None, "NON_FINITE_SCORE")
    assert second["contributions"]["a"] == 1e9


def test_a_spec_with_the_names_of_thirty_features_stays_small(tmp_path):
    """Under 4 KiB, as every spec; and it comes back from its pickle."""
    wide = pd.DataFrame(
        RNG.normal(size=(100, 30)), columns=[f"worst perimeter {i}²" for i in range(30)]
    )
    model = linear_model.LogisticRegression().fit(wide, wide.iloc[:, 0] > 0)
    spec = save(model, tmp_path, name="m", outputs=("prediction", "contributions"))
    packed = pickle.dumps(spec)
    assert len(packed) < 4096
    assert pickle.loads(packed) == spec


@pytest.mark.parametrize("name", ["expected_value", "A"])
@pytest.mark.parametrize("booster", [False, True])
def test_contributions_whose_fields_have_one_name_are_refused(booster, name, tmp_path):
    """A struct of them could not be read in Spark; the other outputs are as ever."""
    frame = FRAME.rename(columns={"b c": "b", "d": name})
    uri = str(tmp_path / "model.joblib")
    joblib.dump(linear_model.LinearRegression().fit(frame, SIGN), uri)
    given = Signature(inputs=tuple(Field(name=n, type="double") for n in frame))
    if booster:
        rows = lightgbm.Dataset(frame, SIGN)
        uri = str(tmp_path / "model.txt")
        lightgbm.train({"verbose": -1, "num_threads": 1}, rows, 2).save_model(uri)
    with pytest.raises(SignatureError, match=f"'{name}' have one name to Spark.*'contributions'"):
        read_spec(uri, signature=given, outputs=("contributions",))
    asked = "margin" if booster else "prediction"
    assert [asked] == list(types(read_spec(uri, signature=given, outputs=(asked,))))
