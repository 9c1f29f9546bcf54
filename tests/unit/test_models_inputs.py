"""Columns in a declared order, for models without names, and columns that may be left out."""

from __future__ import annotations

import joblib
import lightgbm
import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, Schema, TensorSpec
from sklearn import compose, linear_model, pipeline, preprocessing, tree

from sparkml import Field, Signature, load_scorer, read_spec
from sparkml.errors import SignatureError
from sparkml.spec import NullPolicy
from tests.quiet import quiet

pytestmark = pytest.mark.filterwarnings("ignore:.*type hint")
"""MLflow remarks on them wherever a Python model is made."""

RNG = np.random.default_rng(0)
ARRAY = RNG.normal(size=(120, 2))
Y = (ARRAY[:, 0] > ARRAY[:, 1] / 3).astype(int)
TABLE = pd.DataFrame(ARRAY, columns=["f1", "f0"])  # not the order that the names suggest
BATCH = pa.RecordBatch.from_pandas(TABLE[["f0", "f1"]].head(20), preserve_index=False)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def save(tmp_path):
    def save(model):
        joblib.dump(model, tmp_path / "model.joblib")
        return str(tmp_path / "model.joblib")

    return save


def predictions(spec, batch=BATCH):
    made = load_scorer(spec)(batch)
    assert made["error"].null_count == len(made), made["error"]
    return made["prediction"].to_pylist()


def saved(path, model, **options):
    """Where a Python model is stored; MLflow's remarks on how are no part of these tests."""
    with quiet():
        mlflow.pyfunc.save_model(path, python_model=model, pip_requirements=[], **options)
    return str(path)


def test_a_model_without_names_takes_the_columns_in_a_declared_order(save):
    """And its error for a table without its vector says how, which works."""
    model = tree.DecisionTreeClassifier(max_depth=4).fit(ARRAY, Y)
    with pytest.raises(SignatureError, match=r"name the table's 2 columns .*inputs=\[…\]"):
        load_scorer(read_spec(save(model)))(BATCH)
    spec = read_spec(save(model), inputs=["f1", "f0"])
    assert spec.signature.inputs == (
        Field(name="f1", type="double"),
        Field(name="f0", type="double"),
    )
    assert predictions(spec) == model.predict(ARRAY[:20]).tolist()


def test_a_booster_without_names_does_too(tmp_path):
    """Whatever numbers its library has for them."""
    rows = lightgbm.Dataset(ARRAY, Y)
    options = {"verbose": -1, "objective": "binary", "min_data_in_leaf": 5}
    booster = lightgbm.train(options, rows, 5)
    booster.save_model(tmp_path / "model.txt")
    chances = booster.predict(ARRAY[:20])
    for names in (["f1", "f0"], ["Column_1", "Column_0"]):
        spec = read_spec(str(tmp_path / "model.txt"), inputs=names)
        batch = BATCH.select(["f1", "f0"]).rename_columns(names)
        made = load_scorer(spec)(batch)["probability"].to_pylist()
        assert [chance for _, chance in made] == chances.tolist()


def test_texts_without_names_are_told_by_their_places(save):
    """An array of objects: what its encoder knows is what the columns are."""
    values = np.array([["a", 1.0], ["b", 2.0], ["a", 3.0], ["b", 5.0]], dtype=object)
    parts = [(preprocessing.OneHotEncoder(), [0]), (preprocessing.StandardScaler(), [1])]
    model = pipeline.make_pipeline(
        compose.make_column_transformer(*parts), linear_model.LogisticRegression()
    ).fit(values, [0, 1, 0, 1])
    batch = pa.RecordBatch.from_pydict({"size": [1.0, 4.0], "city": ["b", "a"]})
    with pytest.raises(SignatureError, match=r"name the table's 2 columns .*inputs=\[…\]"):
        load_scorer(read_spec(save(model)))(batch)
    spec = read_spec(save(model), inputs=["city", "size"])
    assert [(f.name, f.type) for f in spec.signature.inputs] == [
        ("city", "string"),
        ("size", "double"),
    ]
    expected = model.predict(np.array([["b", 1.0], ["a", 4.0]], dtype=object))
    assert predictions(spec, batch) == expected.tolist()


def test_a_tensor_s_numbers_are_columns_too(tmp_path):
    """The model gets the tensor that it was logged with."""

    class Summed(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            assert isinstance(model_input, np.ndarray), type(model_input)
            assert model_input.dtype == np.float32
            return model_input[:, 0] - 2 * model_input[:, 1]

    tensor = Schema([TensorSpec(np.dtype("float32"), (-1, 2))])
    signature = ModelSignature(tensor, Schema([ColSpec("double", "prediction")]))
    spec = read_spec(saved(tmp_path / "m", Summed(), signature=signature), inputs=["f1", "f0"])
    numbers = ARRAY[:20].astype(np.float32)
    assert predictions(spec) == (numbers[:, 0] - 2 * numbers[:, 1]).tolist()


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (["a"], "inputs names 1 columns, the model takes 2"),
        (["a", "b", "c"], "inputs names 3 columns, the model takes 2"),
        (["a", "a"], "inputs names 1 columns, the model takes 2"),
        (["f0", "b"], "the model has no input 'b'"),
    ],
)
def test_names_that_are_not_the_columns_are_refused(inputs, message, save):
    """Too few, too many, one twice, and one of somebody else among the model's own."""
    model = tree.DecisionTreeClassifier().fit(TABLE, Y)
    with pytest.raises(SignatureError, match=message):
        read_spec(save(model), inputs=inputs)


def test_a_model_with_names_keeps_them_or_is_told_others(save):
    """Its own names in any order are its own columns; other names stand in its order."""
    model = tree.DecisionTreeClassifier(max_depth=4).fit(TABLE, Y)
    expected = model.predict(TABLE.head(20)).tolist()
    for inputs in (["f0", "f1"], ["f1", "f0"]):
        assert predictions(read_spec(save(model), inputs=inputs)) == expected
    others = BATCH.select(["f1", "f0"]).rename_columns(["x", "y"])
    assert predictions(read_spec(save(model), inputs=["x", "y"]), others) == expected


ROWS = pd.DataFrame({"a": [1.0, np.nan, 3.0], "b": [1, 2, 3], "c": ["x", "y", None]})
INPUTS = Schema(
    [
        ColSpec("double", "a", required=False),
        ColSpec("long", "b", required=False),
        ColSpec("string", "c", required=False),
    ]
)


@pytest.fixture
def optional(tmp_path):
    """A model that knows what to do with every gap, and with every type of one."""

    class Filled(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            gaps = model_input[["a", "b", "c"]].isna().sum(axis=1)
            return (model_input["a"].fillna(-1.0) + 100 * gaps).astype(float)

    outputs = Schema([ColSpec("double", "prediction")])
    return saved(tmp_path / "m", Filled(), signature=ModelSignature(INPUTS, outputs))


def test_an_optional_column_reaches_the_model_null_or_left_out(optional):
    """As in MLflow: null where it is null, and on every row where the table lacks it."""
    spec = read_spec(optional)
    assert spec.null_policy("a") == NullPolicy(kind="model")
    batch = pa.RecordBatch.from_pandas(ROWS, preserve_index=False)
    expected = mlflow.pyfunc.load_model(optional).predict(ROWS).tolist()
    assert predictions(spec, batch) == expected == [1.0, 99.0, 103.0]
    assert predictions(spec, batch.select(["a"])) == [201.0, 299.0, 203.0]


def test_a_declared_policy_stands_before_that(optional):
    """For one column, and for all of them."""
    batch = pa.RecordBatch.from_pandas(ROWS, preserve_index=False)
    spec = read_spec(optional, nulls={"c": "quarantine"})
    assert load_scorer(spec)(batch)["prediction"].to_pylist() == [1.0, 99.0, None]
    spec = read_spec(optional, nulls="quarantine")
    assert load_scorer(spec)(batch)["prediction"].to_pylist() == [1.0, None, None]


def test_what_infer_signature_makes_of_a_column_with_a_gap(tmp_path):
    """It is not required any more: a linear model behind an imputer, and a bare one."""
    frame = TABLE.mask(RNG.random(TABLE.shape) < 0.2)
    model = pipeline.make_pipeline(tree.DecisionTreeClassifier(max_depth=3)).fit(frame, Y)
    with quiet():
        mlflow.sklearn.save_model(
            model,
            tmp_path / "m",
            signature=infer_signature(frame, Y),
            serialization_format="pickle",
            pip_requirements=[],
        )
    for flavor in (None, "pyfunc"):
        spec = read_spec(str(tmp_path / "m"), flavor=flavor)
        assert not any(f.required for f in spec.signature.inputs)
        batch = pa.RecordBatch.from_pandas(frame, preserve_index=False)
        assert predictions(spec, batch) == model.predict(frame).tolist()


def test_an_optional_column_by_a_declared_signature(save):
    """In any flavor; what the model cannot take is its error on the row."""
    model = linear_model.LogisticRegression().fit(TABLE, Y)
    fields = (Field(name="f1", type="double"), Field(name="f0", type="double", required=False))
    spec = read_spec(save(model), signature=Signature(inputs=fields))
    made = load_scorer(spec)(BATCH.select(["f1"]))
    assert set(made["error"].field("code").to_pylist()) == {"MODEL_EXCEPTION"}
