"""Models that bring Python modules: each is scored by its own, whatever else the process holds."""

from __future__ import annotations

import importlib
import sys
import warnings

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from sparkml import Field, Signature, load_scorer, read_spec
from sparkml.models.digest import digest_of

X = pd.DataFrame({"a": [1.0, 2.0]})
BATCH = pa.RecordBatch.from_pandas(X, preserve_index=False)
NUMBERS = Signature(
    inputs=(Field(name="a", type="double"),), outputs=(Field(name="prediction", type="double"),)
)

WHEN_PREDICTING = """
import mlflow
class Wrapped(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        from own_steps import prepare
        return prepare(model_input["a"])
mlflow.models.set_model(Wrapped())
"""
OF_A_PACKAGE = """
import mlflow
from own_package import first
class Wrapped(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        import own_package.inner.last
        return own_package.inner.last.prepare(first.prepare(model_input["a"]))
mlflow.models.set_model(Wrapped())
"""
FROM_ITS_DATA = """
import sys
import mlflow
class Wrapped(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        sys.path.append(context.artifacts["library"])
    def predict(self, context, model_input, params=None):
        from own_steps import prepare
        return prepare(model_input["a"])
mlflow.models.set_model(Wrapped())
"""
TIMES = "def prepare(x):\n    return x * {}\n"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """A function that saves a model with files of code of its own."""

    def save(name, text, files, **options):
        own = tmp_path / f"src_{name}"
        for path, code in files.items():
            (own / path).parent.mkdir(parents=True, exist_ok=True)
            (own / path).write_text(code)
        (tmp_path / f"{name}.py").write_text(text)
        if not options:
            options = {"code_paths": [str(path) for path in own.iterdir()]}
        else:
            options = {"artifacts": {"library": str(own)}}
        with monkeypatch.context() as there, warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            there.syspath_prepend(own)  # MLflow runs the model's code when it stores it
            mlflow.pyfunc.save_model(
                tmp_path / name,
                python_model=str(tmp_path / f"{name}.py"),
                pip_requirements=[],
                **options,
            )
        for module in [name for name in sys.modules if name.startswith("own_")]:
            del sys.modules[module]
        return read_spec(str(tmp_path / name), signature=NUMBERS)

    return save


def scores(scorer):
    made = scorer(BATCH)
    assert made["error"].null_count == len(made), made["error"]
    return made["prediction"].to_pylist()


def package(factor):
    return {
        "own_package/__init__.py": "",
        "own_package/first.py": TIMES.format(factor),
        "own_package/inner/__init__.py": "",
        "own_package/inner/last.py": "from own_package import first\nprepare = first.prepare\n",
    }


@pytest.mark.parametrize(
    ("text", "files", "options"),
    [
        (WHEN_PREDICTING, lambda factor: {"own_steps.py": TIMES.format(factor)}, {}),
        (OF_A_PACKAGE, package, {}),
        (FROM_ITS_DATA, lambda factor: {"own_steps.py": TIMES.format(factor)}, {"of": "data"}),
    ],
    ids=["a module, lazily", "a package and its parts", "a folder of its data"],
)
def test_two_models_whose_modules_share_a_name_are_each_scored_by_their_own(
    text, files, options, saved
):
    """In turns, and nothing of them stays behind."""
    specs = [saved(f"m{factor}", text, files(factor), **options) for factor in (1, 10)]
    paths, modules = list(sys.path), set(sys.modules)
    one, ten = (load_scorer(spec) for spec in specs)
    alone = [scores(one), scores(ten), scores(one), scores(ten)]
    times = {1: 1.0, 10: 100.0} if files is package else {1: 1.0, 10: 10.0}
    assert alone == [[f, f * 2] for f in (times[1], times[10])] * 2
    assert sys.path == paths
    assert not {name for name in set(sys.modules) - modules if name.startswith("own_")}


def test_the_process_keeps_its_own_module_of_that_name(saved, tmp_path, monkeypatch):
    """And the very object, which is not what the model is scored by."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "own_steps.py").write_text(TIMES.format(-1))
    monkeypatch.syspath_prepend(tmp_path / "here")
    scorer = load_scorer(saved("m", WHEN_PREDICTING, {"own_steps.py": TIMES.format(3)}))
    mine = importlib.import_module("own_steps")
    try:
        for _ in range(2):
            assert scores(scorer) == [3.0, 6.0]
            assert sys.modules["own_steps"] is mine
            assert importlib.import_module("own_steps").prepare(1) == -1
    finally:
        del sys.modules["own_steps"]


def test_an_error_in_the_model_leaves_the_process_as_it_was(saved):
    """Its modules go when its turn ends, however that is."""
    failing = "def prepare(x):\n    raise ValueError('no')\n"
    scorer = load_scorer(saved("m", WHEN_PREDICTING, {"own_steps.py": failing}))
    paths, byte_code = list(sys.path), sys.dont_write_bytecode
    assert scorer(BATCH)["error"].null_count == 0
    assert (sys.path, sys.dont_write_bytecode) == (paths, byte_code)
    assert "own_steps" not in sys.modules


def test_a_module_of_the_standard_library_or_with_compiled_parts_stays(saved):
    """Whoever has imported it has imported it for all."""
    text = WHEN_PREDICTING.replace("from own_steps import prepare", "import json, numpy")
    text = text.replace('prepare(model_input["a"])', "model_input['a'] * len(json.dumps([1]))")
    files = {"json.py": "", "numpy/__init__.py": ""}
    scorer = load_scorer(saved("m", text, files))
    assert scores(scorer) == [3.0, 6.0]
    assert sys.modules["numpy"] is np


TRANSFORMER = """
from sklearn.base import BaseEstimator, TransformerMixin
FACTOR = {}
class Times(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        return self
    def transform(self, X):
        from own_helpers import plus
        return plus(X * FACTOR)
"""


def test_pickled_classes_find_their_own_module(tmp_path, monkeypatch):
    """A step's class stands in a module that comes with the model; the pickle has its name only."""
    specs = {}
    for factor in (1, 10):
        own = tmp_path / f"src{factor}"
        own.mkdir()
        (own / "own_transformers.py").write_text(TRANSFORMER.format(factor))
        (own / "own_helpers.py").write_text(f"def plus(x):\n    return x + {factor}\n")
        with monkeypatch.context() as there, warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            there.syspath_prepend(own)
            there.delitem(sys.modules, "own_transformers", raising=False)
            there.delitem(sys.modules, "own_helpers", raising=False)
            step = importlib.import_module("own_transformers").Times()
            model = make_pipeline(step, LinearRegression(fit_intercept=False)).fit(X, X["a"])
            wanted = model.predict(X).tolist()
            mlflow.sklearn.save_model(
                model,
                tmp_path / f"m{factor}",
                code_paths=[str(own / "own_transformers.py"), str(own / "own_helpers.py")],
                serialization_format="pickle",
                pip_requirements=[],
            )
        for name in ("own_transformers", "own_helpers"):
            sys.modules.pop(name, None)
        specs[factor] = read_spec(str(tmp_path / f"m{factor}"), signature=NUMBERS), wanted
    scorers = {factor: load_scorer(spec) for factor, (spec, _) in specs.items()}
    for _ in range(2):
        for factor, (spec, wanted) in specs.items():
            assert scores(scorers[factor]) == wanted
            assert digest_of(tmp_path / "cache" / spec.digest) == spec.digest
    assert "own_transformers" not in sys.modules
