"""An environment that lacks what a model imports is refused by `plan` and `submit`.

What an error tells to do is done, and then the run is packed.
"""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
import zipfile

import joblib
import lightgbm
import numpy as np
import pytest
import yaml
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from emr.commands.options import run_from
from emr.package import PackedFile, pack, plan_package
from sparkml.errors import ConfigError
from sparkml.models.extras import need
from tests.emr.rich_cluster import plain

X = np.random.default_rng(0).normal(size=(60, 2))
CLIP = """
from sklearn.base import BaseEstimator, TransformerMixin

class Clip(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return X.clip(-1, 1)
"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "models"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


@pytest.fixture
def packed(cache):
    """A factory of packages of a run that scores these models, by submit's way or by plan's."""

    def make(*uris, run_sets=(), by="submit"):
        file = cache / "job.yaml"
        file.write_text(yaml.safe_dump({
            "models": {f"m{at}": {"uri": str(uri), "signature": "a: double, b: double"}
                       for at, uri in enumerate(uris)},
            "source": {"format": "parquet", "path": "s3://tables/in"}, "key": "id",
            "sink": {"format": "delta", "path": "s3://tables/out"},
        }))  # fmt: skip
        run = run_from("score", str(file), [], list(run_sets))
        if by == "plan":
            return plan_package(run, plain())
        stored = lambda key: PackedFile(role="archive", key=key, sha256="", bytes=1, checksum="x")  # noqa: E731
        return pack(run, plain(), cache=cache / "cache", stored=stored)

    return make


@pytest.fixture
def stored(cache):
    """A factory of files that hold a pipeline with this first step and this end."""

    def make(name, *steps):
        joblib.dump(make_pipeline(*steps).fit(X, X.sum(axis=1)), cache / name)
        return cache / name

    return make


@pytest.fixture
def clip(cache, monkeypatch):
    """A transformer of a package that nobody publishes."""
    (cache / "site" / "acme_features").mkdir(parents=True)
    (cache / "site" / "acme_features" / "__init__.py").write_text(CLIP)
    monkeypatch.syspath_prepend(str(cache / "site"))
    yield __import__("acme_features").Clip
    sys.modules.pop("acme_features", None)


BOOSTER = lightgbm.LGBMRegressor(n_estimators=2, verbose=-1)


def set_in(error):
    """The `--run-set` that an error tells."""
    return [error.value.fix.partition("--run-set ")[2]]


@pytest.mark.parametrize("by", ["plan", "submit"])
def test_a_library_that_an_extra_brings_is_told_with_the_extra(packed, stored, by):
    model = stored("m.joblib", StandardScaler(), BOOSTER)
    with pytest.raises(ConfigError, match="the model needs lightgbm, which") as error:
        packed(model, by=by)
    assert ("models.m0", ["environment.extras=[sklearn,mlflow,lightgbm]"]) == (
        error.value.where,
        set_in(error),
    )
    packed(model, by=by, run_sets=set_in(error))
    packed(model, by=by, run_sets=["environment.extras=[all]"])


@pytest.mark.parametrize("by", ["plan", "submit"])
def test_a_private_package_is_told_with_the_requirements_file(packed, stored, clip, cache, by):
    """And a wheel of it in one, with its hash, is enough."""
    model = stored("m.joblib", clip(), LinearRegression())
    with pytest.raises(ConfigError, match=r"imports acme_features\.Clip, which") as error:
        packed(model, by=by)
    assert "environment.requirements=FILE" in error.value.fix
    wheel = cache / "acme_features-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("acme_features/__init__.py", CLIP)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    own = cache / "own.txt"
    own.write_text(f"acme_features @ {wheel.as_uri()} --hash=sha256:{digest}\n")
    packed(model, by=by, run_sets=[f"environment.requirements={own}"])
    own.write_text(f"acme-toolbox==1.0 --hash=sha256:{digest}\n")  # which may bring it as well
    packed(model, by=by, run_sets=[f"environment.requirements={own}"])


def test_modules_that_a_model_brings_are_not_missed(packed, clip, cache):
    """The other advice: MLflow's `code_paths`."""
    model = make_pipeline(clip(), LinearRegression()).fit(X, X.sum(axis=1))
    site = str(cache / "site" / "acme_features")
    need("mlflow.pyfunc", extra="mlflow", why="a test")
    mlflow = need("mlflow.sklearn", extra="mlflow", why="a test")
    asked = {"pip_requirements": ["scikit-learn"], "serialization_format": "cloudpickle"}
    mlflow.save_model(model, str(cache / "bare"), **asked)
    mlflow.save_model(model, str(cache / "brought"), code_paths=[site], **asked)
    with pytest.raises(ConfigError, match="with code_paths"):
        packed(cache / "bare")
    packed(cache / "brought")


MAIN = """
import sys, cloudpickle, joblib, numpy as np
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
{clip}
X = np.ones((9, 2))
model = make_pipeline(Clip(), LinearRegression()).fit(X, X[:, 0])
joblib.dump(model, sys.argv[1] + "/plain.joblib")
with open(sys.argv[1] + "/along.pkl", "wb") as file:
    cloudpickle.dump(model, file)
"""


def test_a_class_of_a_script_is_refused_and_cloudpickle_takes_it_along(packed, cache):
    argv = [sys.executable, "-c", MAIN.format(clip=CLIP), str(cache)]
    subprocess.run(argv, check=True)
    archive = "environment.archive=s3://tables/own.tar.gz"
    for by in ("plan", "submit"):
        for run_sets in ([], [archive]):  # no environment has it
            with pytest.raises(ConfigError, match=r"Clip is of __main__, .* by cloudpickle\.dump"):
                packed(cache / "plain.joblib", by=by, run_sets=run_sets)
        packed(cache / "along.pkl", by=by)
    code = "import joblib, numpy, sys; print(joblib.load(sys.argv[1]).predict(numpy.ones((1, 2))))"
    argv = [sys.executable, "-c", code, str(cache / "along.pkl")]
    assert b"[1.]\n" == subprocess.run(argv, check=True, capture_output=True).stdout


def test_all_that_is_missing_is_told_at_once_and_each_fix_mends_every_model(packed, stored, clip):
    uris = [
        stored("a.joblib", StandardScaler(), BOOSTER),
        stored("b.joblib", clip(), BOOSTER),
        stored("c.joblib", StandardScaler(), LinearRegression()),
    ]
    with pytest.raises(ConfigError) as error:
        packed(*uris)
    assert 3 == len(error.value.problems)
    sets = {line.partition("--run-set ")[2] for line in error.value.problems if "extras=" in line}
    assert {"environment.extras=[sklearn,mlflow,lightgbm]"} == sets


def test_what_a_requirements_file_brings_is_not_missed(packed, stored, cache):
    """A flavor's library, and one that a pipeline imports; by another build's name as well."""
    model, own = stored("m.joblib", StandardScaler(), BOOSTER), cache / "own.txt"
    bare = cache / "m.onnx"
    bare.write_bytes(b"")
    brought = [f"environment.requirements={own}"]
    own.write_text("lightgbm==4.6.0 --hash=sha256:00\nonnxruntime-gpu==1.20 --hash=sha256:00\n")
    packed(model, bare, by="plan", run_sets=brought)
    own.write_text("holidays==0.50 --hash=sha256:00\n")
    with pytest.raises(ConfigError) as error:
        packed(model, bare, by="plan", run_sets=brought)
    assert 2 == len(error.value.problems)


def test_an_archive_is_not_looked_into(packed, stored, clip):
    run_sets = ["environment.archive=s3://tables/own.tar.gz"]
    packed(stored("m.joblib", clip(), BOOSTER), run_sets=run_sets)


def test_what_mlflow_recorded_decides_where_the_code_is_unknown(packed, cache):
    """A library that an extra brings is an error; of the rest nobody knows whether it is needed."""
    own = {"loader_module": "mlflow.pyfunc.model", "python_model": "python_model.pkl"}
    (cache / "m").mkdir()
    (cache / "m" / "MLmodel").write_text(yaml.safe_dump({"flavors": {"python_function": own}}))
    (cache / "m" / "python_model.pkl").write_bytes(pickle.dumps(0))
    recorded = cache / "m" / "requirements.txt"
    recorded.write_text("mlflow==3.1\ncloudpickle\nlightgbm==4.6.0\n")
    with pytest.raises(ConfigError, match=r"extras=\[sklearn,mlflow,lightgbm\]"):
        packed(cache / "m")
    recorded.write_text("mlflow==3.1\npyspark\nacme-features==1.0\n")
    (note,) = [note for note in packed(cache / "m").notes if "requirements" in note]
    assert "acme-features, which is not packed" in note


def test_a_file_that_cannot_be_read_is_no_reason_to_refuse(packed, cache):
    """Whether it is a model, the job says."""
    (cache / "m.joblib").write_bytes(b"\x80\x04 nonsense")
    packed(cache / "m.joblib", by="plan")
    packed(cache / "missing.joblib", by="plan")
    packed(cache / "m.joblib")


def test_a_plan_that_looks_into_a_model_loads_nothing_heavy(stored, cache):
    model = stored("m.joblib", StandardScaler(), LinearRegression())
    code = (
        "import sys; from emr.package.sufficient import _of_entry;"
        "from emr.package.pack import imports_of; from sparkml.config import ModelEntry;"
        "found = _of_entry(ModelEntry(uri=sys.argv[1]));"
        "assert 'sklearn.pipeline' in imports_of(*found).modules;"
        "assert not {'sklearn', 'joblib', 'mlflow', 'pandas', 'pyspark'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(model)], check=True)
