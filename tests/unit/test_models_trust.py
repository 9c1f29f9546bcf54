"""Which formats may be opened: nothing of a refused model is ever loaded."""

from __future__ import annotations

import os
import pickle
import warnings
from typing import TYPE_CHECKING

import joblib
import numpy as np
import pyarrow as pa
import pytest
import skops.io
import yaml
from scipy import stats
from sklearn import (
    calibration,
    cluster,
    ensemble,
    gaussian_process,
    linear_model,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    svm,
)
from sklearn.datasets import make_classification

from sparkml.errors import ConfigError, UntrustedModel
from sparkml.models.promise import promise
from sparkml.models.read import open_predictor, read_spec

if TYPE_CHECKING:
    from pathlib import Path

X, Y = make_classification(80, 4, n_informative=4, n_redundant=0, random_state=0)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))


class Bomb:
    """An object that writes a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self):
        return os.mkdir, (str(self.canary),)


@pytest.mark.parametrize("suffix", [".pkl", ".joblib"])
def test_a_pickle_is_not_loaded_where_it_is_refused(suffix, tmp_path):
    """Under `never` the bomb does not go off; unpickled it does, which proves the test."""
    path, canary = tmp_path / f"model{suffix}", tmp_path / "canary"
    path.write_bytes(pickle.dumps(Bomb(canary)))
    with pytest.raises(UntrustedModel, match=r"trust: never.*fix: .*skops"):
        read_spec(str(path), trust="never")
    with pytest.raises(UntrustedModel, match="nobody promised its digest"):
        read_spec(str(path), trust="promised")
    assert not canary.exists()
    pickle.loads(path.read_bytes())
    assert canary.exists()


def test_a_promised_pickle_is_opened(tmp_path):
    """Under `promised` the digest that somebody wrote down is what counts."""
    path = tmp_path / "model.joblib"
    joblib.dump(linear_model.LogisticRegression().fit(X, Y), path)
    assert read_spec(str(path), trust="promised", digest=promise(path)).flavor == "sklearn"


def save_mlflow(folder: Path, model, **options) -> Path:
    import mlflow

    with warnings.catch_warnings(record=True):  # MLflow's remarks on how a model is saved
        warnings.simplefilter("always")
        save = mlflow.sklearn.save_model if hasattr(model, "fit") else mlflow.pyfunc.save_model
        key = "sk_model" if hasattr(model, "fit") else "python_model"
        save(path=folder, pip_requirements=["scikit-learn"], **{key: model}, **options)
    return folder


def double(model_input):
    return model_input * 2


@pytest.mark.parametrize("form", ["pickle", "cloudpickle", "pyfunc", "code", "code with skops"])
def test_an_mlflow_model_that_runs_code_is_refused(form, tmp_path):
    """Pickles, Python models, and models that bring modules of their own."""
    model = linear_model.LogisticRegression().fit(X, Y)
    (tmp_path / "mine.py").write_text("")
    code = {"code_paths": [str(tmp_path / "mine.py")]} if form.startswith("code") else {}
    if form == "pyfunc":
        folder = save_mlflow(tmp_path / "m", double)
    else:
        kind = "skops" if "skops" in form else "pickle" if form == "pickle" else "cloudpickle"
        folder = save_mlflow(tmp_path / "m", model, serialization_format=kind, **code)
    with pytest.raises(UntrustedModel, match="trust: never"):
        read_spec(str(folder), trust="never")


def test_a_skops_model_of_mlflow_is_opened(tmp_path):
    """It runs no code. Forced through pyfunc, MLflow's own loader would decide: refused."""
    model = ensemble.RandomForestClassifier(3, random_state=0).fit(X, Y)
    folder = save_mlflow(
        tmp_path / "m",
        model,
        serialization_format="skops",
        skops_trusted_types=["sklearn.tree._tree.Tree"],
    )
    spec = read_spec(str(folder), trust="never")
    batch = pa.RecordBatch.from_pydict({"features": list(X)})
    assert open_predictor(spec).predict(batch)[0].to_pylist() == model.predict(X).tolist()
    with pytest.raises(UntrustedModel):
        read_spec(str(folder), flavor="pyfunc", trust="never")


@pytest.mark.parametrize(
    "model",
    [
        calibration.CalibratedClassifierCV(svm.SVC(), ensemble=False, cv=2),
        cluster.BisectingKMeans(2),
        ensemble.GradientBoostingClassifier(n_estimators=3),
        ensemble.HistGradientBoostingClassifier(max_iter=3),
        gaussian_process.GaussianProcessClassifier(),
        neighbors.KNeighborsClassifier(),
        neural_network.MLPClassifier((3,), max_iter=1000, tol=0.1),
        pipeline.make_pipeline(
            preprocessing.FunctionTransformer(np.log1p),
            ensemble.ExtraTreesClassifier(3),
        ),
    ],
    ids=lambda m: type(m).__name__,
)
def test_skops_files_of_scikit_learns_own_classes_are_opened(model, tmp_path):
    """Also those that skops itself asks about: trees, losses, kernels, calibrators."""
    model.fit(np.abs(X), Y)
    skops.io.dump(model, tmp_path / "m.skops")
    spec = read_spec(str(tmp_path / "m.skops"), trust="never")
    batch = pa.RecordBatch.from_pydict({"features": list(np.abs(X))})
    made = open_predictor(spec).predict(batch)[0]
    np.testing.assert_array_equal(made.to_pylist(), model.predict(np.abs(X)))


@pytest.mark.parametrize(
    "function", [np.load, os.system, eval, pickle.loads], ids=lambda f: f.__name__
)
def test_a_function_in_a_skops_file_is_refused(function, tmp_path):
    """Whatever the policy: what it would do to a batch, nobody knows."""
    step = preprocessing.FunctionTransformer(function)
    model = pipeline.make_pipeline(step, linear_model.LogisticRegression())
    model.steps[1][1].fit(X, Y)
    skops.io.dump(model, tmp_path / "m.skops")
    for policy in ("never", "always"):
        with pytest.raises(UntrustedModel, match="the skops file holds"):
            read_spec(str(tmp_path / "m.skops"), trust=policy)


def test_a_distribution_in_a_skops_file_is_refused(tmp_path):
    """SciPy's distributions hold a text that is executed when they are restored."""
    model = linear_model.LogisticRegression().fit(X, Y)
    model.prior_ = stats.norm.__class__(name="norm")
    canary = tmp_path / "canary"
    model.prior_._parse_arg_template += f"\nimport os\nos.mkdir({str(canary)!r})\n"
    skops.io.dump(model, tmp_path / "m.skops")
    for policy in ("never", "always"):
        with pytest.raises(UntrustedModel, match="norm_gen"):
            read_spec(str(tmp_path / "m.skops"), trust=policy)
    assert not canary.exists()
    skops.io.load(
        tmp_path / "m.skops", trusted=skops.io.get_untrusted_types(file=tmp_path / "m.skops")
    )
    assert canary.exists(), "the file is harmless, so the test proves nothing"


def test_a_folder_that_looks_like_a_safe_file_hides_no_pickle(tmp_path):
    """What is judged is the file that would be opened."""
    (tmp_path / "m" / "a.skops").mkdir(parents=True)
    joblib.dump(linear_model.LogisticRegression().fit(X, Y), tmp_path / "m" / "model.pkl")
    (tmp_path / "m" / "a.skops" / "notes.txt").write_text("")
    with pytest.raises(UntrustedModel, match=r"model\.pkl is a pickle"):
        read_spec(str(tmp_path / "m"), trust="never")


def test_the_models_own_list_of_trusted_types_is_not_read(tmp_path):
    """Whoever made the model wrote the list as well."""
    step = preprocessing.FunctionTransformer(os.path.join)
    model = pipeline.make_pipeline(step, linear_model.LogisticRegression())
    model.steps[1][1].fit(X, Y)
    folder = save_mlflow(
        tmp_path / "m",
        model,
        serialization_format="skops",
        skops_trusted_types=["posixpath.join"],
    )
    listed = yaml.safe_load((folder / "MLmodel").read_text())["flavors"]["sklearn"]
    assert listed["skops_trusted_types"] == ["posixpath.join"]
    with pytest.raises(UntrustedModel, match=r"posixpath\.join"):
        read_spec(str(folder))


@pytest.mark.parametrize("name", ["../outside.pkl", "/outside.pkl"])
def test_an_mlmodel_that_points_out_of_its_folder_is_refused(name, tmp_path):
    """Before the file is opened."""
    folder = save_mlflow(
        tmp_path / "m",
        linear_model.LogisticRegression().fit(X, Y),
        serialization_format="pickle",
    )
    description = yaml.safe_load((folder / "MLmodel").read_text())
    description["flavors"]["sklearn"]["pickled_model"] = name
    (folder / "MLmodel").write_text(yaml.safe_dump(description))
    with pytest.raises(UntrustedModel, match="leads out of the model's folder"):
        read_spec(str(folder))


def test_an_unknown_policy_names_the_nearest(tmp_path):
    """A typing error in a policy is never taken for a softer one."""
    path = tmp_path / "model.joblib"
    joblib.dump(linear_model.LogisticRegression().fit(X, Y), path)
    with pytest.raises(ConfigError, match="did you mean 'never'"):
        read_spec(str(path), trust="nevr")
    with pytest.raises(ConfigError, match="did you mean 'error'"):
        read_spec(str(path), environment="errors")
