"""A library that is not installed: named with its extra, and missed only where it is needed."""

from __future__ import annotations

import os
import subprocess
import sys

import joblib
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

from tests.missing_library import hide

READ = """
import sys
from sparkml.errors import ExtraMissing
from sparkml.models.read import read_spec
try:
    print(read_spec(sys.argv[1], environment="ignore").flavor)
except ExtraMissing as error:
    print(error.line())
"""


def read_without(library, uri, folder) -> str:
    hide(library, folder)
    done = subprocess.run(
        [sys.executable, "-c", READ, str(uri)],
        env={
            "SPARKML_CACHE": str(folder / "cache"),
            "PATH": "",
            "PYTHONPATH": os.pathsep.join([str(folder), *sys.path]),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    joblib.dump(model, folder / "m.joblib")
    skops.io.dump(model, folder / "m.skops")
    return folder


@pytest.mark.parametrize(
    ("library", "uri", "extra"),
    [
        ("sklearn", "m.joblib", "sklearn"),
        ("skops", "m.skops", "sklearn"),
        ("mlflow", "models:/wine@champion", "mlflow"),
    ],
)
def test_the_missing_extra_is_named(library, uri, extra, files, tmp_path):
    """One line: what needs it, and how to install it."""
    address = uri if ":" in uri else files / uri
    line = read_without(library, address, tmp_path)
    assert line.startswith("ERROR EXTRA_MISSING: ")
    assert f"pip install 'sparkml[{extra}]'" in line


@pytest.mark.parametrize("library", ["mlflow", "skops", "pandas", "pyspark"])
def test_a_scikit_learn_file_needs_nothing_else(library, files, tmp_path):
    """Neither MLflow nor Spark, and no pandas on its way."""
    assert read_without(library, files / "m.joblib", tmp_path) == "sklearn"


def test_the_room_imports_no_heavy_library():
    """Every module of `sparkml.models` is light until it is asked to open something."""
    code = """
import pkgutil, sys, importlib, sparkml.models
for module in pkgutil.iter_modules(sparkml.models.__path__):
    importlib.import_module(f"sparkml.models.{module.name}")
print(sorted({"mlflow", "sklearn", "skops", "pandas", "pyspark", "scipy"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
