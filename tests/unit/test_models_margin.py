"""XGBoost's base margin from a column: boosters, wrappers, and what is refused."""

from __future__ import annotations

import warnings

import joblib
import mlflow.xgboost
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import xgboost
from mlflow.models import infer_signature
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sparkml import load_scorer, read_spec
from sparkml.errors import ConfigError, SignatureError
from sparkml.spec import Field, NullPolicy, Signature
from sparkml.testing import check_scorer

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(RNG.normal(size=(240, 3)), columns=["age", "income", "score"])
EXPOSURE = RNG.normal(size=240)
COUNTS = RNG.poisson(np.exp(FRAME["age"] / 2 + EXPOSURE / 2))
THIRDS = pd.qcut(FRAME["age"] + FRAME["score"] / 2, 3, labels=False)
ROWS, OFFSET = FRAME.head(24), EXPOSURE[:24].astype(np.float32)
BATCH = pa.RecordBatch.from_pandas(ROWS.assign(exposure=EXPOSURE[:24]), preserve_index=False)
QUIET = {"nthread": 1, "max_depth": 3}
BY_COLUMN = {"base_margin": "exposure"}

pytestmark = [
    # MLflow warns about its own type hints while it is imported.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*`booster=gblinear` is deprecated:UserWarning"),
]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))


def stored(tmp_path, objective="count:poisson", target=COUNTS, data=FRAME, margin=EXPOSURE, **own):
    rows = xgboost.DMatrix(data, target, base_margin=margin)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # gblinear has no use for max_depth
        booster = xgboost.train({"objective": objective, **QUIET, **own}, rows, 8)
    booster.save_model(tmp_path / "model.ubj")
    return booster, str(tmp_path / "model.ubj")


def dumped(model, tmp_path):
    joblib.dump(model, tmp_path / "model.joblib")
    return str(tmp_path / "model.joblib")


def native(booster, margin=OFFSET, rows=ROWS, **kind):
    return booster.predict(xgboost.DMatrix(rows, base_margin=margin), **kind)


def test_the_column_is_an_input_beside_the_features_and_counts_as_the_margin(tmp_path):
    """As `DMatrix(base_margin=…)` has it, and every output knows it."""
    booster, path = stored(tmp_path)
    names = ["prediction", "margin", "contributions"]
    spec = read_spec(path, model_config=BY_COLUMN, outputs=names)
    assert spec.signature.names == (*FRAME, "exposure")
    assert spec.null_policy("age").kind == "model"

    scorer = load_scorer(spec)
    expected = {"prediction": native(booster), "margin": native(booster, output_margin=True)}
    check_scorer(scorer, BATCH, expected=expected)
    told = scorer(BATCH).column(2).to_pylist()
    sums = [sum(row.values()) for row in told]
    np.testing.assert_allclose(sums, native(booster, output_margin=True), rtol=1e-5)


@pytest.mark.parametrize("kind", ["dart", "gblinear"])
def test_boosters_of_other_kinds_take_it_too(kind, tmp_path):
    """In place, XGBoost would give other numbers for dart, and none for a linear booster."""
    more = {"rate_drop": 0.3} if kind == "dart" else {}
    booster, path = stored(tmp_path, "reg:squarederror", COUNTS, booster=kind, **more)
    scorer = load_scorer(read_spec(path, model_config=BY_COLUMN, nulls="quarantine"))
    check_scorer(scorer, BATCH, expected={"prediction": native(booster)})


def test_several_classes_take_a_list_of_margins(tmp_path):
    """One for each; a list of another length is an error of its row alone."""
    margins = RNG.normal(size=(240, 3))
    booster, path = stored(tmp_path, "multi:softprob", THIRDS, margin=margins, num_class=3)
    spec = read_spec(path, model_config=BY_COLUMN)
    assert spec.signature.inputs[-1] == Field(name="exposure", type="list<double>", length=3)
    rows = [*margins[:24].tolist()]
    batch = BATCH.set_column(3, "exposure", pa.array(rows))
    chances = native(booster, margins[:24].astype(np.float32))
    expected = {"prediction": chances.argmax(axis=1), "probability": chances}
    check_scorer(load_scorer(spec), batch, expected=expected)

    rows[5] = [1.0]
    made = load_scorer(spec)(BATCH.set_column(3, "exposure", pa.array(rows)))
    assert [i for i, e in enumerate(made["error"].to_pylist()) if e] == [5]


def test_a_model_without_names_takes_its_vector_or_columns_in_order_and_the_margin(tmp_path):
    """`inputs` names the features; the margin's column is named by itself."""
    booster, path = stored(tmp_path, data=FRAME.to_numpy())
    for inputs in ((), ("age", "income", "score")):
        spec = read_spec(path, inputs=inputs, model_config=BY_COLUMN)
        assert spec.signature.names == (*(inputs or ["features"]), "exposure")
        batch = BATCH
        if not inputs:
            vectors = pa.array(ROWS.to_numpy().tolist())
            batch = pa.RecordBatch.from_arrays([vectors, BATCH[3]], names=["features", "exposure"])
        expected = {"prediction": native(booster, rows=ROWS.to_numpy())}
        check_scorer(load_scorer(spec), batch, expected=expected)


def test_wrappers_alone_and_after_other_steps_take_it(tmp_path):
    """`predict(…, base_margin=…)` of the last step; the steps before it never see the column."""
    for target, kind in ((COUNTS, xgboost.XGBRegressor), (THIRDS > 0, xgboost.XGBClassifier)):
        final = kind(n_estimators=8, max_depth=3, n_jobs=1)
        model = make_pipeline(StandardScaler(), final)
        model.fit(FRAME, target, **{final.__class__.__name__.lower() + "__base_margin": EXPOSURE})
        names = ["prediction", "margin", "contributions"]
        spec = read_spec(dumped(model, tmp_path), model_config=BY_COLUMN, outputs=names)
        assert spec.signature.names == (*FRAME, "exposure")
        x = model[0].transform(ROWS)
        expected = {
            "prediction": final.predict(x, base_margin=OFFSET),
            "margin": final.predict(x, base_margin=OFFSET, output_margin=True),
        }
        scorer = load_scorer(spec)
        check_scorer(scorer, BATCH, expected=expected)
        sums = [sum(row.values()) for row in scorer(BATCH).column(2).to_pylist()]
        np.testing.assert_allclose(sums, expected["margin"], rtol=1e-4, atol=1e-5)


def test_a_signature_that_mlflow_recorded_gets_the_column_as_well(tmp_path):
    """What was logged knows the features alone."""
    booster, _ = stored(tmp_path)
    signature = infer_signature(FRAME, native(booster))
    pinned = {"pip_requirements": ["xgboost"]}
    mlflow.xgboost.save_model(booster, tmp_path / "logged", signature=signature, **pinned)
    spec = read_spec(str(tmp_path / "logged"), model_config=BY_COLUMN)
    assert spec.signature.names == (*FRAME, "exposure")
    assert load_scorer(spec)(BATCH).column(0).to_pylist() == native(booster).tolist()


def test_a_row_without_a_margin_is_an_error_or_filled(tmp_path):
    """Never the class 0, which the library makes of NaN."""
    booster, path = stored(tmp_path, "binary:logistic", (THIRDS > 0) * 1)
    holes = [None, float("nan"), *EXPOSURE[2:24].tolist()]
    batch = BATCH.set_column(3, "exposure", pa.array(holes, pa.float64()))
    spec = read_spec(path, model_config=BY_COLUMN, outputs="prediction")
    made = load_scorer(spec)(batch)
    assert made.column(0).to_pylist()[:2] == [None, None]
    assert ["'exposure' has no value" in (e or {"message": ""})["message"] for e in
            made["error"].to_pylist()] == [True, True, *[False] * 22]  # fmt: skip

    filled = read_spec(path, model_config=BY_COLUMN, nulls={"exposure": {"fill": 0.0}})
    assert filled.null_policy("exposure") == NullPolicy(kind="fill", value=0.0)
    assert filled.null_policy("age").kind == "model"
    given = np.array([0.0, 0.0, *holes[2:]], np.float32)
    made = load_scorer(filled)(batch)
    assert made.column(0).to_pylist() == (native(booster, given) > 0.5).astype(int).tolist()


def test_what_cannot_be_a_margin_is_refused_by_name(tmp_path):
    """On the driver, before any row."""
    _, path = stored(tmp_path)
    for given, told in ((3, "3 names no column"), ("", "names no column"), ("age", "is a feature")):
        with pytest.raises(ConfigError, match=told) as error:
            read_spec(path, model_config={"base_margin": given})
        assert error.value.where == "model_config.base_margin"
    for dtype, told in (("string", "takes numbers"), ("list<double>", "declare it as double")):
        fields = [Field(name=n, type="double") for n in FRAME]
        wrong = Signature(inputs=(*fields, Field(name="exposure", type=dtype)))
        with pytest.raises(SignatureError, match=told):
            read_spec(path, model_config=BY_COLUMN, signature=wrong)
    texts = BATCH.set_column(3, "exposure", pa.array(["1"] * 24))
    with pytest.raises(SignatureError, match="'exposure' is string, the model takes double"):
        load_scorer(read_spec(path, model_config=BY_COLUMN))(texts)


def test_wrappers_of_dart_refuse_it_and_their_booster_takes_it(tmp_path):
    """They would add it to no tree, and say nothing; the advice is followed."""
    model = xgboost.XGBRegressor(booster="dart", rate_drop=0.3, n_estimators=8, n_jobs=1)
    model.fit(FRAME, COUNTS, base_margin=EXPOSURE)
    with pytest.raises(ConfigError, match="store the booster: get_booster"):
        read_spec(dumped(model, tmp_path), model_config=BY_COLUMN)
    model.get_booster().save_model(tmp_path / "model.json")
    spec = read_spec(str(tmp_path / "model.json"), model_config=BY_COLUMN)
    expected = {"prediction": native(model.get_booster())}
    check_scorer(load_scorer(spec), BATCH, expected=expected)


def test_other_models_take_no_margin(tmp_path):
    """A scaler's regression has none."""
    from sklearn.linear_model import LinearRegression

    path = dumped(LinearRegression().fit(FRAME, COUNTS), tmp_path)
    with pytest.raises(ConfigError, match="takes no model_config"):
        read_spec(path, model_config=BY_COLUMN)
