"""The LightGBM flavor: labels, categories, best iteration, extras."""

from __future__ import annotations

import lightgbm
import mlflow.lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sparkml import load_scorer, read_spec
from sparkml.errors import ConfigError, ModelUnreadable, SignatureError, UntrustedModel
from sparkml.spec import Field, Signature
from sparkml.testing import check_scorer
from tests.lightgbm_models import (
    FRAME,
    QUIET,
    SIGN,
    THIRDS,
    stored,
    trained,
    with_categories,
)

BATCH = pa.RecordBatch.from_pandas(FRAME.head(24), preserve_index=False)

PINNED = {"pip_requirements": ["lightgbm"]}  # asked for, MLflow would take seconds to find out

# MLflow warns about its own type hints while it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))


def types(spec):
    return {f.name: f.type for f in spec.signature.outputs}


def test_a_text_of_two_classes_gives_the_class_and_both_probabilities(tmp_path):
    """A bare booster knows no labels: classes are 0 and 1; doubles by name are what it takes."""
    booster = trained("binary", SIGN)
    spec = read_spec(stored(booster, tmp_path))
    p = booster.predict(FRAME.head(24))

    assert spec.flavor == "lightgbm"
    assert spec.signature.inputs == tuple(Field(name=n, type="double") for n in FRAME)
    assert types(spec) == {"prediction": "int64", "probability": "list<double>"}
    assert spec.null_policy("age").kind == "model"
    expected = {"prediction": (p > 0.5).astype(int), "probability": np.c_[1.0 - p, p]}
    check_scorer(load_scorer(spec), BATCH, expected=expected)


@pytest.mark.parametrize("objective", ["multiclass", "multiclassova"])
def test_several_classes_give_the_likeliest_and_each_probability(objective, tmp_path):
    """Softmax or one against all: `Booster.predict` is the probability."""
    booster = trained(objective, THIRDS, num_class=3)
    chances = booster.predict(FRAME.head(24))
    scorer = load_scorer(read_spec(stored(booster, tmp_path)))
    expected = {"prediction": chances.argmax(axis=1), "probability": chances}
    check_scorer(scorer, BATCH, expected=expected)


@pytest.mark.parametrize(
    ("objective", "params"),
    [
        ("regression", {}),
        ("regression", {"linear_tree": True}),
        ("regression", {"reg_sqrt": True}),
        ("quantile", {"alpha": 0.1}),
        ("poisson", {}),
        ("cross_entropy", {}),
        ("lambdarank", {"group": [120, 120]}),
        (lambda p, d: (p - d.get_label(), np.ones_like(p)), {}),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_every_other_objective_gives_the_library_s_number(objective, params, tmp_path):
    """Ranking, quantiles, one's own objective: no class is made up."""
    booster = trained(objective, SIGN, **params)
    spec = read_spec(stored(booster, tmp_path))
    assert types(spec) == {"prediction": "double"}
    expected = {"prediction": booster.predict(FRAME.head(24))}
    check_scorer(load_scorer(spec), BATCH, expected=expected)


def test_categories_are_texts_and_an_unseen_one_is_missing(tmp_path):
    """The codes are those of the training; unseen and null are scored as LightGBM scores them."""
    frame = with_categories()
    target = frame["city"].cat.codes + frame["class"].astype(int) + frame["size"]
    booster = trained("regression", target, frame)
    spec = read_spec(stored(booster, tmp_path))
    assert [f.type for f in spec.signature.inputs] == ["string", "double", "int64"]

    seen = with_categories(24, seed=2)
    batch = pa.RecordBatch.from_pydict(
        {"class": seen["class"].tolist(), "city": seen["city"].tolist(), "size": seen["size"]}
    )
    check_scorer(load_scorer(spec), batch, expected={"prediction": booster.predict(seen)})

    odd = pa.RecordBatch.from_pydict(
        {"city": ["Rom", None, "Ulm"], "size": [0.5, None, 0.1], "class": [4, None, 9]}
    )
    known = {"city": ["Bonn", "Köln", "Ulm"], "class": [3, 5, 9]}
    same = odd.to_pandas().astype({"size": float})
    same = same.assign(**{c: pd.Categorical(same[c], known[c]) for c in known})
    assert booster.predict(same).tolist() == load_scorer(spec)(odd).column(0).to_pylist()


def test_an_ordered_category_is_refused_because_nobody_tells_its_column(tmp_path):
    """Its codes would be guessed otherwise."""
    frame = with_categories()
    frame["city"] = frame["city"].cat.as_ordered()
    path = stored(trained("regression", frame["size"], frame), tmp_path)
    with pytest.raises(ModelUnreadable, match="ordered category"):
        read_spec(path)


def codes_of_two(rows=400):
    rng = np.random.default_rng(2)
    return rng.choice([10, 20, 30, 40], rows), rng.choice([0, 1, 2, 3], rows)


@pytest.mark.parametrize("ordered", [False, True])
def test_categories_that_may_be_another_column_s_are_refused(ordered, tmp_path):
    """One list and one listed column, of the same codes: but `zip` has the list, `shop` is listed.

    With other codes in `shop` it is plain that they do not belong together.
    """
    zips, shops = codes_of_two()
    for codes, said in ((shops, "'zip' may be a number or the codes"), (shops + 1, "other codes")):
        frame = pd.DataFrame({"zip": pd.Categorical(zips, ordered=ordered), "shop": codes})
        rows = lightgbm.Dataset(frame, zips + shops, categorical_feature=["shop"])
        path = stored(lightgbm.train({**QUIET, "min_data_per_group": 1}, rows, 4), tmp_path)
        with pytest.raises(ModelUnreadable, match=said):
            read_spec(path)


def test_categories_beside_a_column_of_whole_numbers_are_known(tmp_path):
    """Numbers of another range than the codes' leave no doubt."""
    zips, shops = codes_of_two()
    frame = pd.DataFrame({"zip": pd.Categorical(zips), "rooms": shops + 1})
    booster = trained("regression", zips + shops, frame, min_data_per_group=1)
    batch = pa.RecordBatch.from_pydict({"zip": zips[:24], "rooms": shops[:24] + 1})
    scorer = load_scorer(read_spec(stored(booster, tmp_path)))
    check_scorer(scorer, batch, expected={"prediction": booster.predict(frame.head(24))})


def test_categories_of_several_types_are_refused(tmp_path):
    """No column can hold a number and a text."""
    mixed = np.array([1, "a"], dtype=object)[SIGN]
    frame = FRAME.assign(kind=pd.Categorical(mixed))
    path = stored(trained("regression", SIGN, frame), tmp_path)
    with pytest.raises(ModelUnreadable, match="of several types"):
        read_spec(path)


def test_a_model_without_names_takes_one_vector(tmp_path):
    """`Column_0`, … are LightGBM's own names for a matrix; columns by position work as well."""
    booster = trained("regression", SIGN, FRAME.to_numpy())
    path = stored(booster, tmp_path)
    spec = read_spec(path)
    assert spec.signature.inputs == (Field(name="features", type="list<double>", length=3),)
    vectors = pa.array(FRAME.head(24).to_numpy().tolist(), pa.list_(pa.float64()))
    batch = pa.RecordBatch.from_pydict({"features": vectors})
    expected = booster.predict(FRAME.head(24).to_numpy())
    check_scorer(load_scorer(spec), batch, expected={"prediction": expected})

    columns = Signature(inputs=tuple(Field(name=n, type="double") for n in FRAME))
    by_position = load_scorer(read_spec(path, signature=columns))
    check_scorer(by_position, BATCH, expected={"prediction": expected})


def test_the_best_iteration_of_early_stopping_counts(tmp_path):
    """The text holds the trees up to the best, which is what `predict` takes."""
    noisy = FRAME["age"] + np.random.default_rng(3).normal(size=len(FRAME))
    rows = lightgbm.Dataset(FRAME, noisy)
    booster = lightgbm.train(
        {"objective": "regression", **QUIET},
        rows,
        100,
        valid_sets=[lightgbm.Dataset(FRAME, FRAME["age"], reference=rows)],
        callbacks=[lightgbm.early_stopping(3, verbose=False)],
        keep_training_booster=True,
    )
    assert 1 < booster.best_iteration < booster.current_iteration()
    scorer = load_scorer(read_spec(stored(booster, tmp_path)))
    check_scorer(scorer, BATCH, expected={"prediction": booster.predict(FRAME.head(24))})


@pytest.mark.parametrize("form", ["skops", "cloudpickle", "pickle"])
def test_mlflow_s_wrapper_gives_its_labels(form, tmp_path):
    """The labels keep their type; skops is no code, pickles are told to the trust policy."""
    model = lightgbm.LGBMClassifier(n_estimators=4, n_jobs=1, **QUIET)
    model.fit(FRAME, np.array(["low", "mid", "high"])[THIRDS])
    mlflow.lightgbm.save_model(model, tmp_path / "m", serialization_format=form, **PINNED)
    uri = str(tmp_path / "m")
    spec = read_spec(uri)
    assert (spec.flavor, types(spec)["prediction"]) == ("lightgbm", "string")
    rows = FRAME.head(24)
    expected = {"prediction": model.predict(rows), "probability": model.predict_proba(rows)}
    check_scorer(load_scorer(spec), BATCH, expected=expected)
    if form == "skops":
        assert read_spec(uri, trust="never") == spec
    else:
        with pytest.raises(UntrustedModel, match="pickle"):
            read_spec(uri, trust="never")


@pytest.mark.parametrize("objective", ["binary", "multiclass"])
def test_a_regressor_gives_numbers_whatever_its_objective(objective, tmp_path):
    """The wrapper's class decides, not the objective: what its own `predict` gives."""
    several = {"num_class": 3} if objective == "multiclass" else {}
    model = lightgbm.LGBMRegressor(objective=objective, n_estimators=4, **QUIET, **several)
    model.fit(FRAME, THIRDS if several else SIGN)
    mlflow.lightgbm.save_model(model, tmp_path / "m", serialization_format="pickle", **PINNED)
    spec = read_spec(str(tmp_path / "m"))
    assert types(spec) == {"prediction": "list<double>" if several else "double"}
    check_scorer(load_scorer(spec), BATCH, expected={"prediction": model.predict(FRAME.head(24))})


class Doubled(lightgbm.LGBMRegressor):
    """A wrapper of somebody's own."""

    def predict(self, x, **options):
        return super().predict(x, **options) * 2


def test_a_wrapper_of_one_s_own_is_left_to_pyfunc(tmp_path):
    """Its booster alone would give other numbers."""
    model = Doubled(n_estimators=3, n_jobs=1, **QUIET).fit(FRAME, SIGN)
    form = {"serialization_format": "cloudpickle"}
    mlflow.lightgbm.save_model(model, tmp_path / "m", **form, **PINNED)
    with pytest.raises(ModelUnreadable, match=r"Doubled is none of.*fix: say flavor: pyfunc"):
        read_spec(str(tmp_path / "m"))


def test_mlflow_s_booster_is_its_text(tmp_path):
    """No pickle is there to be trusted."""
    booster = trained("binary", SIGN)
    mlflow.lightgbm.save_model(booster, tmp_path / "m", **PINNED)
    spec = read_spec(str(tmp_path / "m"), trust="never")
    p = booster.predict(FRAME.head(24))
    check_scorer(load_scorer(spec), BATCH, expected={"probability": np.c_[1.0 - p, p]})


def test_extras_come_by_name_in_the_asked_order(tmp_path):
    """Margin, leaves and TreeSHAP as the library gives them, the features' names on the latter."""
    booster = trained("binary", SIGN)
    asked = ("contributions", "prediction", "leaf", "margin")
    spec = read_spec(stored(booster, tmp_path), outputs=asked)
    assert tuple(types(spec)) == asked
    rows = FRAME.head(24)
    given = booster.predict(rows, pred_contrib=True)
    names = [*FRAME, "expected_value"]
    expected = {
        "margin": booster.predict(rows, raw_score=True),
        "leaf": booster.predict(rows, pred_leaf=True),
        "contributions": [dict(zip(names, row, strict=True)) for row in given.tolist()],
    }
    check_scorer(load_scorer(spec), BATCH, expected=expected)


def test_contributions_of_several_classes_are_a_list_in_their_order(tmp_path):
    """One struct a class."""
    booster = trained("multiclass", THIRDS, num_class=3)
    spec = read_spec(stored(booster, tmp_path), outputs=("contributions", "margin"))
    given = booster.predict(FRAME.head(24), pred_contrib=True).reshape(24, 3, 4)
    names = [*FRAME, "expected_value"]
    expected = [[dict(zip(names, c, strict=True)) for c in row] for row in given.tolist()]
    check_scorer(load_scorer(spec), BATCH, expected={"contributions": expected})


def test_what_the_library_cannot_give_is_not_offered(tmp_path):
    """Linear trees have no SHAP values; an unknown name is answered with the nearest."""
    booster = trained("regression", SIGN, linear_tree=True)
    path = stored(booster, tmp_path)
    with pytest.raises(SignatureError, match="no output 'contributions'"):
        read_spec(path, outputs=("contributions",))
    with pytest.raises(SignatureError, match="did you mean 'margin'"):
        read_spec(path, outputs=("margins",))
    with pytest.raises(SignatureError, match="twice"):
        read_spec(path, outputs=("margin", "margin"))


def test_columns_that_are_not_the_model_s_are_refused(tmp_path):
    """Names, numbers and types are compared on the driver."""
    path = stored(trained("binary", SIGN), tmp_path)
    two = Signature(inputs=(Field(name="age", type="double"), Field(name="income", type="double")))
    with pytest.raises(SignatureError, match="trained on 3 columns"):
        read_spec(path, signature=two)
    text = Signature(
        inputs=(*two.inputs, Field(name="score", type="string")),
        outputs=(Field(name="prediction", type="int64"),),
    )
    with pytest.raises(SignatureError, match="takes double in 'score'"):
        read_spec(path, signature=text)
    with pytest.raises(ConfigError, match="no param 'raw_score'"):
        read_spec(path, params={"raw_score": True})
