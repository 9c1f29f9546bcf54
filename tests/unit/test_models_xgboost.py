"""The XGBoost flavor: objectives, categories, best iteration, extras, and files that it refuses."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import mlflow.xgboost
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import xgboost

from sparkml import load_scorer, read_spec
from sparkml.errors import ModelUnreadable, SignatureError, UnsupportedFlavor
from sparkml.models.digest import digest_of
from sparkml.spec import Field
from sparkml.testing import check_scorer
from tests.hostile.opening import DIED, REFUSED, opened_first

QUIET = {"nthread": 1, "max_depth": 3}
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(RNG.normal(size=(240, 3)), columns=["age", "in come", "score"])
SIGN = (FRAME["age"] + FRAME["in come"] > 0).astype(int)
THIRDS = pd.qcut(FRAME["age"] + FRAME["score"] / 2, 3, labels=False)
ROWS = FRAME.head(24)
BATCH = pa.RecordBatch.from_pandas(ROWS, preserve_index=False)

PINNED = {"pip_requirements": ["xgboost"]}  # asked for, MLflow would take seconds to find out

# MLflow warns about its own type hints while it is imported.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning"),
    # XGBoost 3.4 deprecates the linear booster, which models of earlier years have.
    pytest.mark.filterwarnings("ignore:.*`booster=gblinear` is deprecated:UserWarning"),
]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))


def trained(objective, target, data=FRAME, rounds=6, group=None, **params):
    rows = xgboost.DMatrix(data, target, enable_categorical=True)
    if group:
        rows.set_group(group)
    own = {"obj": objective} if callable(objective) else {}
    named = {} if own else {"objective": objective}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # gblinear has no use for max_depth
        return xgboost.train({**named, **QUIET, **params}, rows, rounds, **own)


def stored(booster, tmp_path, suffix="json"):
    booster.save_model(tmp_path / f"model.{suffix}")
    return str(tmp_path / f"model.{suffix}")


def types(spec):
    return {f.name: f.type for f in spec.signature.outputs}


@pytest.mark.parametrize("suffix", ["json", "ubj"])
def test_two_classes_give_the_class_and_both_probabilities(suffix, tmp_path):
    """From either format; the names, spaces and all, are the model's own."""
    booster = trained("binary:logistic", SIGN)
    spec = read_spec(stored(booster, tmp_path, suffix), trust="never")
    p = booster.predict(xgboost.DMatrix(ROWS))

    assert spec.flavor == "xgboost"
    assert spec.signature.inputs == tuple(Field(name=n, type="double") for n in FRAME)
    assert types(spec) == {"prediction": "int64", "probability": "list<double>"}
    assert spec.null_policy("age").kind == "model"
    chances = np.vstack((1.0 - p, p)).T
    assert chances.dtype == np.float32
    expected = {"prediction": (p > 0.5).astype(int), "probability": chances}
    check_scorer(load_scorer(spec), BATCH, expected=expected)


@pytest.mark.parametrize("objective", ["multi:softprob", "multi:softmax"])
def test_several_classes_give_what_the_wrapper_gives(objective, tmp_path):
    """Softmax too has probabilities, by its margins."""
    path = stored(trained(objective, THIRDS, num_class=3), tmp_path)
    wrapper = xgboost.XGBClassifier()
    wrapper.load_model(path)
    expected = {"prediction": wrapper.predict(ROWS), "probability": wrapper.predict_proba(ROWS)}
    check_scorer(load_scorer(read_spec(path)), BATCH, expected=expected)


def test_several_targets_of_two_classes_are_lists(tmp_path):
    """Multi-label: a 0 or 1 for each, and the probability of each 1."""
    booster = trained("binary:logistic", np.c_[SIGN, THIRDS > 0].astype(int))
    spec = read_spec(stored(booster, tmp_path))
    p = booster.predict(xgboost.DMatrix(ROWS))
    assert types(spec) == {"prediction": "list<int64>", "probability": "list<double>"}
    expected = {"prediction": (p > 0.5).astype(int), "probability": p}
    check_scorer(load_scorer(spec), BATCH, expected=expected)


@pytest.mark.parametrize("objective", ["binary:hinge", "binary:logitraw"])
def test_a_result_that_is_no_probability_gives_the_class_alone(objective, tmp_path):
    """Above a half, as the wrapper has it."""
    path = stored(trained(objective, SIGN), tmp_path)
    wrapper = xgboost.XGBClassifier()
    wrapper.load_model(path)
    spec = read_spec(path)
    assert types(spec) == {"prediction": "int64"}
    check_scorer(load_scorer(spec), BATCH, expected={"prediction": wrapper.predict(ROWS)})


OTHERS = {
    "squared error": ("reg:squarederror", FRAME["age"], {}),
    "a base score": ("reg:squarederror", FRAME["age"], {"base_score": 7.5}),
    "logistic regression": ("reg:logistic", SIGN, {}),
    "poisson, dart": ("count:poisson", FRAME["age"].abs(), {"booster": "dart", "rate_drop": 0.3}),
    "ranking": ("rank:ndcg", THIRDS, {"group": [120, 120]}),
    "survival": ("survival:cox", FRAME["age"].abs() + 0.1, {}),
    "linear": ("reg:squarederror", FRAME["age"], {"booster": "gblinear"}),
    "a forest": ("reg:squarederror", FRAME["age"], {"num_parallel_tree": 3, "subsample": 0.5}),
    "quantiles": ("reg:quantileerror", FRAME["age"], {"quantile_alpha": [0.1, 0.5, 0.9]}),
    "two numbers": ("reg:squarederror", FRAME[["age", "score"]], {}),
    "two numbers a leaf": (
        "reg:squarederror",
        FRAME[["age", "score"]],
        {"multi_strategy": "multi_output_tree"},
    ),
    "one's own": (
        lambda p, d: (p - d.get_label(), np.ones_like(p)),
        FRAME["age"],
        {"base_score": 0.0},
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_every_other_objective_gives_the_library_s_numbers(name, tmp_path):
    """`Booster.predict` on a DMatrix, bit for bit: one number, or a list of them."""
    objective, target, params = OTHERS[name]
    booster = trained(objective, target, **params)
    spec = read_spec(stored(booster, tmp_path))
    dart = params.get("booster") == "dart"  # whose DMatrix sums in another order than the wrapper
    rows = ROWS.to_numpy(np.float32)
    expected = booster.inplace_predict(rows) if dart else booster.predict(xgboost.DMatrix(ROWS))
    assert types(spec) == {"prediction": "float" if expected.ndim == 1 else "list<float>"}
    check_scorer(load_scorer(spec), BATCH, expected={"prediction": expected})


def with_categories(rows=300, seed=1):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "city": pd.Categorical(rng.choice(["Bonn", "Rome", "Ulm"], rows)),
            "size": rng.normal(size=rows),
            "class": pd.Categorical(rng.choice([3, 5, 9], rows)),
        }
    )


def test_categories_are_those_that_the_model_holds(tmp_path):
    """Texts and whole numbers; a null is missing, an unseen one is an error on its row alone."""
    frame = with_categories()
    target = frame["city"].cat.codes + frame["class"].astype(int) + frame["size"]
    booster = trained("reg:squarederror", target, frame)
    spec = read_spec(stored(booster, tmp_path))
    assert [f.type for f in spec.signature.inputs] == ["string", "double", "int64"]

    seen = with_categories(24, seed=2)
    expected = booster.predict(xgboost.DMatrix(seen, enable_categorical=True))
    batch = pa.RecordBatch.from_pydict(
        {"class": seen["class"].tolist(), "city": seen["city"].tolist(), "size": seen["size"]}
    )
    scorer = load_scorer(spec)
    check_scorer(scorer, batch, expected={"prediction": expected})

    odd = pa.RecordBatch.from_pydict(
        {"city": ["Oslo", None, "Ulm"], "size": [0.5, None, 0.1], "class": [3, None, 9]}
    )
    scored = scorer(odd).to_pylist()
    assert scored[0]["prediction"] is None
    assert scored[0]["error"]["code"] == "MODEL_EXCEPTION"
    assert "'Oslo' in 'city'" in scored[0]["error"]["message"]
    known = {"city": ["Bonn", "Rome", "Ulm"], "class": [3, 5, 9]}
    same = odd.slice(1).to_pandas().astype({"size": float})
    same = same.assign(**{c: pd.Categorical(same[c], known[c]) for c in known})
    expected = booster.predict(xgboost.DMatrix(same, enable_categorical=True))
    assert expected.tolist() == [row["prediction"] for row in scored[1:]]


def test_categories_that_xgboost_stored_cut_are_refused(tmp_path):
    """It counts the characters of `Köln` and writes its bytes: the next name begins too early."""
    frame = with_categories()
    frame["city"] = frame["city"].cat.rename_categories({"Rome": "Köln"})
    path = stored(trained("reg:squarederror", frame["size"], frame), tmp_path)
    with pytest.raises(ModelUnreadable, match="'city' are not ASCII"):
        read_spec(path)


def test_a_model_without_names_takes_one_vector(tmp_path):
    """Trained on a matrix, it tells how many features there are and no more."""
    booster = trained("reg:squarederror", FRAME["age"], FRAME.to_numpy())
    spec = read_spec(stored(booster, tmp_path), outputs=("prediction", "contributions"))
    assert spec.signature.inputs == (Field(name="features", type="list<double>", length=3),)
    vectors = pa.array(ROWS.to_numpy().tolist(), pa.list_(pa.float64()))
    batch = pa.RecordBatch.from_pydict({"features": vectors})
    rows = xgboost.DMatrix(ROWS.to_numpy())
    named = [*("f0", "f1", "f2"), "expected_value"]
    shap = booster.predict(rows, pred_contribs=True).tolist()
    expected = {
        "prediction": booster.predict(rows),
        "contributions": [dict(zip(named, row, strict=True)) for row in shap],
    }
    check_scorer(load_scorer(spec), batch, expected=expected)


@pytest.mark.parametrize("mlflow_s", [False, True])
def test_the_best_iteration_of_early_stopping_counts(mlflow_s, tmp_path):
    """As in the wrapper, and for a bare file too."""
    model = xgboost.XGBRegressor(
        n_estimators=100, early_stopping_rounds=3, n_jobs=1, max_depth=4, learning_rate=0.5
    )
    noisy = FRAME["age"] + np.random.default_rng(3).normal(size=len(FRAME))
    model.fit(FRAME, noisy, eval_set=[(FRAME, FRAME["age"])], verbose=False)
    assert 0 < model.best_iteration < model.get_booster().num_boosted_rounds() - 1
    uri = str(tmp_path / "m")
    if mlflow_s:
        mlflow.xgboost.save_model(model, uri, **PINNED)
    else:
        uri = stored(model, tmp_path)
    spec = read_spec(uri, outputs=("prediction", "leaf", "contributions"))
    given = model.get_booster().predict(
        xgboost.DMatrix(ROWS), pred_contribs=True, iteration_range=(0, model.best_iteration + 1)
    )
    named = [*FRAME, "expected_value"]
    expected = {
        "prediction": model.predict(ROWS),
        "leaf": model.apply(ROWS).astype(int),
        "contributions": [dict(zip(named, row, strict=True)) for row in given.tolist()],
    }
    check_scorer(load_scorer(spec), BATCH, expected=expected)


def test_mlflow_s_wrapper_gives_the_wrapper_s_classes(tmp_path):
    """It is stored in XGBoost's own format, so nothing in it is code."""
    model = xgboost.XGBClassifier(n_estimators=4, n_jobs=1).fit(FRAME, THIRDS)
    mlflow.xgboost.save_model(model, tmp_path / "m", **PINNED)
    spec = read_spec(str(tmp_path / "m"), trust="never")
    expected = {"prediction": model.predict(ROWS), "probability": model.predict_proba(ROWS)}
    check_scorer(load_scorer(spec), BATCH, expected=expected)


@pytest.mark.parametrize("mlflow_s", [False, True])
@pytest.mark.parametrize("objective", ["binary:logistic", "multi:softprob", "multi:softmax"])
def test_a_regressor_gives_numbers_whatever_its_objective(objective, mlflow_s, tmp_path):
    """The wrapper's class decides, which the file tells as well: what its own `predict` gives."""
    several = {} if objective.startswith("binary") else {"num_class": 3}
    model = xgboost.XGBRegressor(objective=objective, n_estimators=4, n_jobs=1, **several)
    model.fit(FRAME, THIRDS if several else SIGN)
    if mlflow_s:
        mlflow.xgboost.save_model(model, tmp_path / "m", **PINNED)
    spec = read_spec(str(tmp_path / "m") if mlflow_s else stored(model, tmp_path))
    assert list(types(spec)) == ["prediction"]
    check_scorer(load_scorer(spec), BATCH, expected={"prediction": model.predict(ROWS)})


def test_extras_of_several_classes_are_lists_in_their_order(tmp_path):
    """Margins, leaves of each tree, and a struct of SHAP values a class."""
    booster = trained("multi:softprob", THIRDS, num_class=3)
    spec = read_spec(stored(booster, tmp_path), outputs=("margin", "leaf", "contributions"))
    rows = xgboost.DMatrix(ROWS)
    shap = booster.predict(rows, pred_contribs=True)
    named = [*FRAME, "expected_value"]
    expected = {
        "margin": booster.predict(rows, output_margin=True),
        "leaf": booster.predict(rows, pred_leaf=True).astype(int),
        "contributions": [[dict(zip(named, c, strict=True)) for c in row] for row in shap.tolist()],
    }
    check_scorer(load_scorer(spec), BATCH, expected=expected)


def test_what_the_library_cannot_give_is_not_offered(tmp_path):
    """A linear booster has no leaves."""
    booster = trained("reg:squarederror", FRAME["age"], booster="gblinear")
    path = stored(booster, tmp_path)
    with pytest.raises(SignatureError, match="no output 'leaf'"):
        read_spec(path, outputs=("leaf",))
    spec = read_spec(path, outputs=("margin", "contributions"))
    assert types(spec)["contributions"].startswith('struct<"age": double, "in come": double')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "Invalid cast"),
        ('{"a": 1}', "Invalid cast"),
        ("[1]", "Invalid model format"),
        ("", "XGBoost cannot read the file"),
    ],
)
def test_json_that_is_no_model_is_refused(text, said, tmp_path):
    """`.json` is everybody's suffix."""
    (tmp_path / "model.json").write_text(text, encoding="utf-8")
    with pytest.raises(ModelUnreadable, match=said):
        read_spec(str(tmp_path / "model.json"))


@pytest.mark.parametrize("suffix", ["json", "ubj"])
def test_half_a_file_ends_where_it_is_opened_first(suffix, tmp_path):
    """One format is an error; of the other's half the library dies."""
    path = tmp_path / "m" / f"model.{suffix}"
    path.parent.mkdir()
    stored(trained("binary:logistic", SIGN), path.parent, suffix)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    ended = opened_first(path.parent)
    assert ended.how in (REFUSED, DIED)


def changed(model, at, value):
    """Set what stands in a model `at` a path of keys, as `a/b/0`."""
    *way, last = (int(key) if key.isdigit() else key for key in at.split("/"))
    for key in way:
        model = model[key]
    model[last] = value


TREES = "learner/gradient_booster/model/trees/0/"
MODEL = "learner/gradient_booster/model/"


@pytest.mark.parametrize("suffix", ["json", "ubj"])
@pytest.mark.parametrize(
    ("at", "value", "said"),
    [
        (TREES + "left_children/0", 0, "leads out of the tree"),
        (TREES + "right_children/0", 90_000_000, "leads out of the tree"),
        (TREES + "left_children/0", 2, "have one child"),
        (TREES + "split_indices/0", 3, "a feature that there is not"),
        (MODEL + "tree_info/0", 50_000_000, "are not those of its classes"),
        (MODEL + "tree_info/0", -50_000_000, "are not those of its classes"),
        (MODEL + "iteration_indptr/2", 90, "rounds do not part"),
        ("learner/attributes/best_iteration", "6", "no round 6"),
        ("learner/attributes/best_iteration", "-2", "no round -2"),
    ],
)
def test_a_model_that_does_not_hold_together_is_refused(at, value, said, suffix, tmp_path):
    """The library would go round in it for ever, or end the process."""
    model = json.loads(trained("binary:logistic", SIGN).save_raw("json"))
    changed(model, at, value)
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "model.json").write_text(json.dumps(model, separators=(",", ":")))
    if suffix == "ubj":
        booster = xgboost.Booster(model_file=folder / "model.json")
        (folder / "model.json").unlink()
        booster.save_model(folder / "model.ubj")
    with pytest.raises(ModelUnreadable, match=said):
        read_spec(str(folder))


@pytest.mark.parametrize(
    ("at", "value", "said"),
    [
        ("learner/learner_model_param/num_feature", "4", "tells of 3 features"),
        ("learner/gradient_booster/model/weights", [0.5] * 3, "its weights are others"),
    ],
)
def test_a_linear_model_of_other_features_is_refused(at, value, said, tmp_path):
    """Its weights are followed by place alone."""
    model = json.loads(
        trained("reg:squarederror", FRAME["age"], booster="gblinear").save_raw("json")
    )
    changed(model, at, value)
    (tmp_path / "model.json").write_text(json.dumps(model))
    with pytest.raises(ModelUnreadable, match=said):
        read_spec(str(tmp_path / "model.json"))


@pytest.mark.parametrize(
    ("at", "value"),
    [
        ("feature_segments/1", 2**40),
        ("enc/0/offsets/1", 900),
        ("sorted_idx/0", 900_000_000),
    ],
)
def test_categories_that_lead_elsewhere_are_no_model(at, value, tmp_path):
    """The library hands them out by place, and dies of a place that there is not, or we refuse."""
    frame = with_categories()
    model = json.loads(trained("reg:squarederror", frame["size"], frame).save_raw("json"))
    changed(model, f"learner/gradient_booster/model/cats/{at}", value)
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "model.json").write_text(json.dumps(model))
    ended = opened_first(folder)
    assert ended.how in (REFUSED, DIED), ended.told


def test_a_worker_does_not_look_at_the_trees_again(tmp_path):
    """The digest says that they are those that `read_spec` looked at: opening costs a load."""
    model = json.loads(trained("binary:logistic", SIGN).save_raw("json"))
    spec = read_spec(stored(trained("binary:logistic", SIGN), tmp_path, "json"))
    model["learner"]["gradient_booster"]["model"]["trees"][0]["split_indices"][0] = 3
    folder = tmp_path / "shipped"
    folder.mkdir()
    (folder / "model.json").write_text(json.dumps(model))

    load_scorer(replace(spec, digest=digest_of(folder)), folder)
    with pytest.raises(ModelUnreadable, match="a feature that there is not"):
        read_spec(str(folder))


def test_a_file_of_a_newer_xgboost_is_refused_with_the_version(tmp_path):
    """The library would read what it understands, and say nothing of the rest."""
    booster = trained("binary:logistic", SIGN)
    model = json.loads(booster.save_raw("json"))
    (tmp_path / "model.json").write_text(json.dumps({**model, "version": [99, 0, 0]}))
    with pytest.raises(ModelUnreadable, match=r"XGBoost 99\.0.*install xgboost>=99\.0"):
        read_spec(str(tmp_path / "model.json"))
    raw = bytes(booster.save_raw("ubj"))
    at = raw.rindex(b"version")
    newer = raw[:at] + raw[at:].replace(b"i\x03i", b"i\x63i", 1)
    (tmp_path / "model.ubj").write_bytes(newer)
    with pytest.raises(ModelUnreadable, match=r"written by XGBoost 99\."):
        read_spec(str(tmp_path / "model.ubj"))


def test_a_missing_suffix_names_those_that_are_known(tmp_path):
    """The deprecated binary format has no row."""
    (tmp_path / "model.deprecated").write_bytes(b"binf")
    with pytest.raises(UnsupportedFlavor, match=r"\.ubj"):
        read_spec(str(tmp_path / "model.deprecated"))
