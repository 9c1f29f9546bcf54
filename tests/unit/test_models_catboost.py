"""The CatBoost flavor: losses, labels, categories, extras, and files that it refuses."""

from __future__ import annotations

import json
import struct

import catboost
import mlflow.catboost
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sparkml import load_scorer, read_spec
from sparkml.errors import ConfigError, ModelUnreadable, SignatureError
from sparkml.spec import Field, Signature
from sparkml.testing import check_scorer
from tests.hostile.opening import DIED, REFUSED, opened_first

QUIET = {"iterations": 6, "depth": 3, "verbose": 0, "thread_count": 1}
QUIET |= {"allow_writing_files": False}
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(RNG.normal(size=(240, 2)), columns=["age", "in come"])
SIGN = (FRAME["age"] + FRAME["in come"] > 0).astype(int)
THIRDS = pd.qcut(FRAME["age"] + FRAME["in come"] / 2, 3, labels=False)
ROWS = FRAME.head(24)
BATCH = pa.RecordBatch.from_pandas(ROWS, preserve_index=False)

PINNED = {"pip_requirements": ["catboost"]}  # asked for, MLflow would take seconds to find out

# MLflow warns about its own type hints while it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))


def stored(model, tmp_path):
    model.save_model(str(tmp_path / "model.cbm"))
    return str(tmp_path / "model.cbm")


def types(spec):
    return {f.name: f.type for f in spec.signature.outputs}


LABELS = {
    "bool": SIGN == 1,
    "int64": SIGN * 3 + 2,
    "string": np.where(SIGN, "yes", "no"),
    "three texts": np.array(["low", "mid", "high"])[THIRDS],
    "three numbers": THIRDS,
}


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("mlflow_s", [False, True])
def test_a_classifier_gives_its_labels_and_probabilities(kind, mlflow_s, tmp_path):
    """The file holds the labels, of their own type, so a bare one knows them too."""
    model = catboost.CatBoostClassifier(**QUIET).fit(FRAME, LABELS[kind])
    if mlflow_s:
        mlflow.catboost.save_model(model, tmp_path / "m", **PINNED)
    uri = str(tmp_path / "m") if mlflow_s else stored(model, tmp_path)
    spec = read_spec(uri, trust="never")
    assert spec.flavor == "catboost"
    assert spec.signature.inputs == tuple(Field(name=n, type="double") for n in FRAME)
    assert types(spec)["prediction"] == {"three texts": "string", "three numbers": "int64"}.get(
        kind, kind
    )
    assert spec.null_policy("age").kind == "model"
    expected = {
        "prediction": model.predict(ROWS).ravel(),
        "probability": model.predict_proba(ROWS),
    }
    check_scorer(load_scorer(spec), BATCH, expected=expected)


OTHERS = {
    "RMSE": (catboost.CatBoostRegressor, FRAME["age"]),
    "Quantile:alpha=0.2": (catboost.CatBoostRegressor, FRAME["age"]),
    "Poisson": (catboost.CatBoostRegressor, FRAME["age"].abs()),
    "Tweedie:variance_power=1.5": (catboost.CatBoostRegressor, FRAME["age"].abs()),
    "RMSEWithUncertainty": (catboost.CatBoostRegressor, FRAME["age"]),
    "MultiQuantile:alpha=0.1,0.5,0.9": (catboost.CatBoostRegressor, FRAME["age"]),
    "MultiRMSE": (catboost.CatBoostRegressor, np.c_[FRAME["age"], SIGN]),
    "YetiRank": (catboost.CatBoostRanker, THIRDS),
    "CrossEntropy": (catboost.CatBoostClassifier, FRAME["age"].abs() % 1),
    "MultiClassOneVsAll": (catboost.CatBoostClassifier, THIRDS),
    "MultiLogloss": (catboost.CatBoostClassifier, np.c_[SIGN, THIRDS > 0].astype(int)),
}


@pytest.mark.parametrize("loss", OTHERS)
def test_every_loss_gives_what_its_wrapper_predicts(loss, tmp_path):
    """By the table in the flavor's docstring; lists where the library gives several numbers."""
    wrapper, target = OTHERS[loss]
    group = {"group_id": np.arange(len(FRAME)) // 40} if loss == "YetiRank" else {}
    model = wrapper(loss_function=loss, **QUIET)
    model.fit(catboost.Pool(FRAME, target, **group))
    expected = {"prediction": model.predict(ROWS)}
    if wrapper is catboost.CatBoostClassifier:
        expected["probability"] = model.predict_proba(ROWS)
    if loss == "MultiClassOneVsAll":
        expected["prediction"] = expected["prediction"].ravel()
    spec = read_spec(stored(model, tmp_path))
    assert list(types(spec)) == list(expected)
    check_scorer(load_scorer(spec), BATCH, expected=expected)


def with_categories(rows=240, seed=1):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "city": rng.choice(["Bonn", "Köln", "Ulm"], rows),
            "size": rng.normal(size=rows),
            "class": rng.choice([3, 5, 9], rows),
        }
    )


@pytest.fixture
def mixed(tmp_path):
    frame = with_categories()
    target = (frame["size"] + (frame["city"] == "Ulm") + frame["class"] / 3 > 2).astype(int)
    model = catboost.CatBoostClassifier(**QUIET).fit(frame, target, cat_features=["city", "class"])
    return model, stored(model, tmp_path)


@pytest.mark.parametrize("of_class", ["string", "int64"])
def test_categories_are_texts_or_whole_numbers(mixed, of_class):
    """An unseen one is scored as the library does."""
    model, path = mixed
    inputs = [("class", of_class), ("city", "string"), ("size", "double")]
    given = None
    if of_class == "int64":
        given = Signature(inputs=tuple(Field(name=n, type=t) for n, t in inputs))
    spec = read_spec(path, signature=given)
    seen = with_categories(24, seed=2)
    seen.loc[5, "city"], seen.loc[7, "class"] = "Rom", 4
    as_given = seen["class"] if of_class == "int64" else seen["class"].astype(str)
    batch = pa.RecordBatch.from_pandas(seen.assign(**{"class": as_given}), preserve_index=False)
    expected = {"prediction": model.predict(seen), "probability": model.predict_proba(seen)}
    check_scorer(load_scorer(spec), batch, expected=expected)


def test_a_missing_category_is_an_error_on_its_row_or_filled(mixed):
    """CatBoost refuses it; a missing number it scores."""
    model, path = mixed
    spec = read_spec(path)
    assert spec.null_policy("*").kind == "model"
    batch = pa.RecordBatch.from_pydict(
        {"city": ["Ulm", None], "size": [None, 0.5], "class": ["3", "5"]}
    )
    first, second = load_scorer(spec)(batch).to_pylist()
    same = pd.DataFrame({"city": ["Ulm"], "size": [np.nan], "class": [3]})
    assert model.predict_proba(same)[0].tolist() == first["probability"]
    assert second["error"]["code"] == "MODEL_EXCEPTION"
    assert "NaN" in second["error"]["message"]
    filled = read_spec(path, nulls={"city": {"fill": "nowhere"}})
    same = pd.DataFrame({"city": ["nowhere"], "size": [0.5], "class": [5]})
    got = load_scorer(filled)(batch).to_pylist()[1]["probability"]
    assert model.predict_proba(same)[0].tolist() == got


def test_a_model_without_names_takes_one_vector(tmp_path):
    """`0`, `1`, … are CatBoost's own names for a matrix."""
    model = catboost.CatBoostRegressor(**QUIET).fit(FRAME.to_numpy(), FRAME["age"])
    spec = read_spec(stored(model, tmp_path))
    assert spec.signature.inputs == (Field(name="features", type="list<double>", length=2),)
    vectors = pa.array(ROWS.to_numpy().tolist(), pa.list_(pa.float64()))
    batch = pa.RecordBatch.from_pydict({"features": vectors})
    check_scorer(load_scorer(spec), batch, expected={"prediction": model.predict(ROWS.to_numpy())})


@pytest.mark.parametrize("several", [False, True])
def test_extras_are_the_library_s(mixed, several, tmp_path):
    """Raw scores, leaves and SHAP values, with categories or with several classes."""
    model, path = mixed
    rows = with_categories(24, seed=3)
    pool = catboost.Pool(rows, cat_features=["city", "class"])
    batch = pa.RecordBatch.from_pandas(rows.astype({"class": str}), preserve_index=False)
    if several:
        model = catboost.CatBoostClassifier(**QUIET).fit(FRAME, THIRDS)
        path, rows, pool, batch = stored(model, tmp_path), ROWS, catboost.Pool(ROWS), BATCH
    shap = model.get_feature_importance(pool, type="ShapValues").tolist()
    named = [*rows.columns, "expected_value"]
    each = [
        [dict(zip(named, c, strict=True)) for c in row]
        if several
        else dict(zip(named, row, strict=True))
        for row in shap
    ]
    expected = {
        "margin": model.predict(rows, prediction_type="RawFormulaVal"),
        "leaf": model.calc_leaf_indexes(rows),
        "contributions": each,
    }
    spec = read_spec(path, outputs=tuple(expected))
    check_scorer(load_scorer(spec), batch, expected=expected)


@pytest.mark.parametrize("content", [b"", b"hello", "half"], ids=str)
def test_a_file_that_is_no_model_is_refused(content, tmp_path):
    """Empty, of something else, or cut in half."""
    path = stored(catboost.CatBoostRegressor(**QUIET).fit(FRAME, SIGN), tmp_path)
    raw = (tmp_path / "model.cbm").read_bytes()
    (tmp_path / "model.cbm").write_bytes(raw[: len(raw) // 2] if content == "half" else content)
    with pytest.raises(ModelUnreadable, match="CatBoost cannot read the file"):
        read_spec(path)


def damaged(path, before, after):
    """The file with some numbers, found by what they are, replaced by others."""
    raw = path.read_bytes()
    assert raw.count(before) == 1
    path.write_bytes(raw.replace(before, after))
    ended = opened_first(path.parent)
    assert ended.how in (REFUSED, DIED), ended
    return ended.told


@pytest.mark.parametrize(
    ("step", "to", "said"),
    [
        ((1, 0), (1, 2048), "leads out of the tree"),
        ((1, 0), (65535, 0), "leads out of the tree"),
        ((1, 2), (1, 0), "has no value"),
    ],
)
def test_a_step_out_of_a_tree_is_refused(step, to, said, tmp_path):
    """Trees that are not symmetric: the library follows them a block of rows at a time."""
    shape = {"grow_policy": "Lossguide", "max_leaves": 5}
    model = catboost.CatBoostClassifier(**{**QUIET, "iterations": 1, "depth": 4}, **shape)
    (tmp_path / "m").mkdir()
    stored(model.fit(FRAME, SIGN), tmp_path / "m")
    steps = model._object._get_tree_step_nodes(0)
    pairs = [struct.pack("<2H", *pair) for pair in steps]
    pairs[steps.index(step)] = struct.pack("<2H", *to)
    before = b"".join(struct.pack("<2H", *pair) for pair in steps)
    assert said in damaged(tmp_path / "m/model.cbm", before, b"".join(pairs))


@pytest.mark.parametrize("to", [-1, 9, 2**30])
def test_a_split_that_there_is_not_is_refused(to, tmp_path):
    """Beyond the features' borders the library would read what memory holds, or dies at once."""
    model = catboost.CatBoostClassifier(**{**QUIET, "iterations": 2}).fit(FRAME, SIGN)
    (tmp_path / "m").mkdir()
    stored(model, tmp_path / "m")
    model.save_model(str(tmp_path / "model.json"), format="json")
    trees = json.loads((tmp_path / "model.json").read_text())["oblivious_trees"]
    splits = [split["split_index"] for tree in trees for split in tree["splits"]]
    before = struct.pack(f"<{len(splits)}i", *splits)
    damaged(tmp_path / "m/model.cbm", before, struct.pack("<i", to) + before[4:])


def test_what_it_does_not_take_is_refused(mixed):
    """A number where it was trained on texts, params, an unknown output."""
    _, path = mixed
    inputs = [("class", "double"), ("city", "string"), ("size", "double")]
    given = Signature(inputs=tuple(Field(name=n, type=t) for n, t in inputs))
    with pytest.raises(SignatureError, match="takes string in 'class'"):
        read_spec(path, signature=given)
    with pytest.raises(ConfigError, match="no model_config"):
        read_spec(path, model_config={"a": 1})
    with pytest.raises(SignatureError, match="did you mean 'probability'"):
        read_spec(path, outputs=("probabilty",))


def test_a_boolean_category_is_declared_bool(tmp_path):
    """CatBoost knows it as `1` and `0`: a cast to text would make values that it has not seen."""
    frame = FRAME.assign(owner=RNG.random(len(FRAME)) > 0.5)
    target = frame["age"] + 3 * frame["owner"]
    model = catboost.CatBoostRegressor(cat_features=["owner"], **QUIET).fit(frame, target)
    doubles = [Field(name=n, type="double") for n in FRAME]
    given = Signature(inputs=(*doubles, Field(name="owner", type="bool")))
    spec = read_spec(stored(model, tmp_path), signature=given)
    batch = pa.RecordBatch.from_pandas(frame.head(24), preserve_index=False)
    check_scorer(load_scorer(spec), batch, expected={"prediction": model.predict(frame.head(24))})
