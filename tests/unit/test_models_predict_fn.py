"""Models that were logged with `pyfunc_predict_fn`: MLflow calls another method than `predict`."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import skops.io
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sparkml import load_scorer
from sparkml.errors import ModelUnreadable, SignatureError
from sparkml.models.read import read_spec
from sparkml.spec import Field, Signature
from sparkml.testing import THROUGH_BLAS, check_scorer

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mlflow

X, Y = make_classification(80, 3, n_informative=3, n_redundant=0, n_classes=3, random_state=0,
                           n_clusters_per_class=1)  # fmt: skip
TABLE = pd.DataFrame(X, columns=["a", "b", "c"])
BATCH = pa.RecordBatch.from_pandas(TABLE, preserve_index=False)
LINEAR = make_pipeline(StandardScaler(), LogisticRegression())
SEARCH = GridSearchCV(make_pipeline(StandardScaler(), GaussianNB()), {}, cv=2)
TWO = np.column_stack([Y, Y > 0])


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def save(tmp_path):
    def save(model, method, target=Y, kind="cloudpickle"):
        model.fit(TABLE, target)
        options = {}
        if kind == "skops":
            types = skops.io.get_untrusted_types(data=skops.io.dumps(model))
            options = {"skops_trusted_types": types}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mlflow.sklearn.save_model(
                model,
                tmp_path / "m",
                pyfunc_predict_fn=method,
                serialization_format=kind,
                pip_requirements=["scikit-learn"],
                **options,
            )
        return str(tmp_path / "m")

    return save


@pytest.mark.parametrize("kind", ["cloudpickle", "skops"])
@pytest.mark.parametrize(
    ("model", "method"),
    [
        (LINEAR, "predict_log_proba"),
        (LINEAR, "predict_proba"),
        (LINEAR, "predict"),
        (SEARCH, "predict_log_proba"),
        (GaussianNB(), "predict_joint_log_proba"),
        (DecisionTreeClassifier(max_depth=2, random_state=0), "predict_proba"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_prediction_is_what_mlflow_gives(model, method, kind, save):
    """By the sklearn flavor, from either format, and by pyfunc when told."""
    path = save(model, method, kind=kind)
    native = mlflow.pyfunc.load_model(path).predict(TABLE)
    spec = read_spec(path)
    types = {f.name: f.type for f in spec.signature.outputs}
    if method == "predict":
        wanted = {"prediction": native, "probability": model.predict_proba(TABLE)}
        assert types == {"prediction": "int64", "probability": "list<double>"}
    else:
        wanted = {"prediction": native}
        assert types == {"prediction": "list<double>"}
    assert spec.flavor == "sklearn"
    check_scorer(load_scorer(spec), BATCH, expected=wanted, rtol=THROUGH_BLAS)
    given = Signature(inputs=spec.signature.inputs, outputs=spec.signature.outputs[:1])
    forced = load_scorer(read_spec(path, flavor="pyfunc", signature=given))
    assert np.allclose(forced(BATCH)["prediction"].to_pylist(), native, rtol=1e-9)


def test_a_model_of_several_outputs_gives_a_list_of_lists(save):
    """One list of probabilities for each output."""
    model = RandomForestClassifier(5, random_state=0)
    path = save(model, "predict_proba", target=TWO)
    spec = read_spec(path)
    assert spec.signature.outputs == (Field(name="prediction", type="list<list<double>>"),)
    first, second = model.predict_proba(TABLE)
    expected = [[a.tolist(), b.tolist()] for a, b in zip(first, second, strict=True)]
    assert load_scorer(spec)(BATCH)["prediction"].to_pylist() == expected


def test_the_logarithm_of_nothing_is_an_error_of_its_row(save):
    """A tree is certain: minus infinity is no score, as everywhere."""
    model = DecisionTreeClassifier(random_state=0)
    scorer = load_scorer(read_spec(save(model, "predict_log_proba")))
    with np.errstate(divide="ignore"):
        scores = scorer(BATCH)
    assert {error["code"] for error in scores["error"].to_pylist()} == {"NON_FINITE_SCORE"}


def test_other_outputs_are_asked_for_by_name(save):
    """The margin still is; a probability beside the logarithm is not offered."""
    path = save(LINEAR, "predict_log_proba")
    made = load_scorer(read_spec(path, outputs=["margin", "prediction"]))(BATCH)
    assert np.allclose(made["margin"].to_pylist(), LINEAR.decision_function(TABLE))
    assert np.allclose(made["prediction"].to_pylist(), LINEAR.predict_log_proba(TABLE))
    with pytest.raises(SignatureError, match="no output 'probability'"):
        read_spec(path, outputs=["probability"])


def test_a_method_without_a_value_for_each_row_is_refused(save, tmp_path):
    """`score` gives one number for a table; the fix says what to log."""
    path = save(LINEAR, "score")
    with pytest.raises(
        ModelUnreadable, match=r"scored by 'score'.*pyfunc_predict_fn one of predict,"
    ):
        read_spec(path)
    described = (tmp_path / "m" / "MLmodel").read_text()
    other = described.replace("predict_fn: score", "predict_fn: predict_joint_log_proba")
    (tmp_path / "m" / "MLmodel").write_text(other)
    with pytest.raises(ModelUnreadable, match="has no 'predict_joint_log_proba'"):
        read_spec(path)
