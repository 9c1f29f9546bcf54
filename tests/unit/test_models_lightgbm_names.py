"""LightGBM's underscores: a table with blanks in its names is that which it was trained on."""

from __future__ import annotations

import joblib
import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sparkml import load_scorer, read_spec
from sparkml.binding import bind
from sparkml.errors import SignatureError
from sparkml.spec import Field, ModelSpec, Signature
from sparkml.testing import check_scorer

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(RNG.normal(size=(240, 3)), columns=["my own col", "income", "a_b"])
TARGET = FRAME["my own col"] - FRAME["a_b"]
QUIET = {"verbosity": -1, "num_threads": 1}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))


@pytest.fixture(params=["model.txt", "model.joblib"])
def path(request, tmp_path):
    """The same trees as a text and as a wrapper."""
    model = lightgbm.LGBMRegressor(n_estimators=5, **QUIET).fit(FRAME, TARGET)
    at = str(tmp_path / request.param)
    if at.endswith(".txt"):
        model.booster_.save_model(at)
    else:
        joblib.dump(model, at)
    return at


def batch_of(*names):
    return pa.RecordBatch.from_arrays(
        [pa.array(FRAME.iloc[:24, i]) for i in range(3)], names=list(names)
    )


def test_the_table_that_it_was_trained_on_fits(path):
    """By its own names, and by those that LightGBM wrote."""
    spec = read_spec(path)
    assert spec.signature.names == ("my_own_col", "income", "a_b")
    native = lightgbm.train(
        {**QUIET, "objective": "regression"}, lightgbm.Dataset(FRAME, TARGET), 5
    )
    for names in (FRAME.columns, spec.signature.names, ("my own_col", "income", "a b")):
        scorer = load_scorer(spec)
        made = scorer(batch_of(*names)).column(0)
        assert made.to_pylist() == native.predict(FRAME.head(24)).tolist(), names
    expected = {"prediction": native.predict(FRAME.head(24))}
    check_scorer(load_scorer(spec), batch_of(*spec.signature.names), expected=expected)


def test_a_column_of_the_very_name_stands_before_and_two_are_refused(path):
    """Only where one column alone can be meant."""
    signature = read_spec(path).signature
    names = ["my own col", "my_own_col", "my own_col", "income", "a_b"]
    schema = pa.schema([(name, pa.float64()) for name in names])
    bound = {b.name: b.column for b in bind(schema, signature, where="t")}
    assert bound["my_own_col"] == "my_own_col"
    with pytest.raises(SignatureError, match="'my_own_col' may be 'my own col' or 'my own_col'"):
        bind(schema.remove(1), signature, where="t")
    upper = pa.schema([(name.upper(), pa.float64()) for name in FRAME])
    assert bind(upper, signature, where="t", fold_case=True)[0].column == "MY OWN COL"
    with pytest.raises(SignatureError, match="missing"):
        bind(upper, signature, where="t")


def test_models_of_other_libraries_keep_their_names_apart():
    """No other library writes blanks otherwise, so nobody else's names are guessed."""
    signature = Signature(inputs=(Field(name="my_col", type="double"),))
    with pytest.raises(SignatureError, match="'my_col' is missing"):
        bind(pa.schema([("my col", pa.float64())]), signature, where="t")


def test_the_mark_travels_and_older_specs_have_none(path):
    """As JSON, as workers and manifests hold it."""
    spec = read_spec(path)
    assert [f.blanks for f in spec.signature.inputs] == [True, False, True]
    assert ModelSpec.from_json(spec.to_json()) == spec
    old = ModelSpec.from_json(spec.to_json().replace(',"blanks":true', ""))
    assert [f.blanks for f in old.signature.inputs] == [False] * 3
