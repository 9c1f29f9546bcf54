"""What a model imports is read from its files, as its library would import it; nothing is run."""

from __future__ import annotations

import io
import lzma
import os
import pickle
import subprocess
import sys
import tracemalloc
import zipfile
import zlib

import cloudpickle
import joblib
import lightgbm
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sparkml.models import FLAVORS, pickled
from sparkml.models.imported import imports_of
from sparkml.models.mlmodel import read_mlmodel
from sparkml.models.pickled import imported_by

X = np.random.default_rng(0).normal(size=(60, 2))
Y = X[:, 0] > 0
ROWS = {row.name: row for row in FLAVORS}


def _models():
    table = pd.DataFrame(X, columns=["a", "b"]).assign(c=["x", "y"] * 30)
    encoded = make_column_transformer((OneHotEncoder(), ["c"]), remainder="passthrough")
    boosted = lightgbm.LGBMClassifier(n_estimators=2, verbose=-1)
    return {
        "boosted": make_pipeline(StandardScaler(), boosted).fit(X, Y),
        "forest": RandomForestClassifier(5).fit(X, Y),
        "histogram": HistGradientBoostingClassifier(max_iter=3).fit(X, Y),
        "texts": make_pipeline(encoded, LogisticRegression()).fit(table, Y),
        "function": make_pipeline(FunctionTransformer(np.abs), LogisticRegression()).fit(X, Y),
        "objects": np.array([{"a": np.ones(3)}, LogisticRegression(), "é"], dtype=object),
    }


MODELS = _models()


def modules_imported(text):
    """What Python's own pickle asks for while it loads."""
    seen = set()

    class Asked(pickle._Unpickler):
        def find_class(self, module, name):
            seen.add(module)
            return super().find_class(module, name)

    Asked(io.BytesIO(text)).load()
    return seen


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("protocol", range(6))
def test_a_pickles_modules_are_those_that_pickle_asks_for(model, protocol, tmp_path):
    text = pickle.dumps(MODELS[model], protocol=protocol)
    (tmp_path / "m.pkl").write_bytes(text)
    assert modules_imported(text) == set(imported_by(tmp_path / "m.pkl"))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("packed", [0, "zlib", "gzip", "bz2", "lzma", "xz"])
def test_joblibs_modules_are_those_that_joblib_asks_for(model, packed, tmp_path, monkeypatch):
    """Its arrays stand between the instructions, and all of it may be compressed."""
    path, seen = tmp_path / "m.joblib", set()
    joblib.dump(MODELS[model], path, compress=(packed, 3) if packed else 0)
    reader = joblib.numpy_pickle.NumpyUnpickler
    before = reader.find_class

    def asked(self, module, name):
        seen.add(module)
        return before(self, module, name)

    monkeypatch.setattr(reader, "find_class", asked)
    joblib.load(path)
    assert seen == set(imported_by(path))


def test_a_module_that_cloudpickle_imports_is_found(tmp_path):
    """It is no name of the pickle: a function is called with it."""
    (tmp_path / "m.pkl").write_bytes(cloudpickle.dumps(lambda rows: lightgbm.Booster(rows).params))
    assert "lightgbm" in imported_by(tmp_path / "m.pkl")


def test_nothing_is_run(tmp_path):
    """Neither what the pickle calls nor what it imports."""
    marker = tmp_path / "run"
    call = f"c{'os'}\nmkdir\n(V{marker}\ntR."
    (tmp_path / "m.pkl").write_text(call)
    (tmp_path / "n.pkl").write_text("cno_such_module.inner\nName\n.")
    assert {"os": "mkdir"} == imported_by(tmp_path / "m.pkl")
    assert {"no_such_module.inner": "Name"} == imported_by(tmp_path / "n.pkl")
    assert not marker.exists()


def test_what_cannot_be_read_tells_nothing(tmp_path):
    path = tmp_path / "m.pkl"
    whole = pickle.dumps(MODELS["boosted"])
    for data in (b"", b"tree\n", b"{}", whole[:-40], b"PK\x03\x04", zlib.compress(whole)[:99],
                 b"\x80\x05" + b"(" * 100 + b".", b"c1.2\nx\n."):  # fmt: skip
        path.write_bytes(data)
        if not data.endswith(b"(."):
            assert {} == imported_by(path)
    assert {} == imported_by(tmp_path / "missing.pkl")
    assert {} == imported_by(tmp_path)


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 10_000), st.binary(min_size=1, max_size=8), st.sampled_from(["forest", "texts"])
)
def test_damaged_bytes_raise_nothing_and_end(tmp_path_factory, at, put, model):
    data = bytearray(joblib_of(model))
    at %= len(data)
    data[at : at + len(put)] = put
    path = tmp_path_factory.getbasetemp() / "damaged.joblib"
    path.write_bytes(data)
    assert isinstance(imported_by(path), dict)


def joblib_of(model):
    file = io.BytesIO()
    joblib.dump(MODELS[model], file)
    return file.getvalue()


def test_a_file_without_end_is_read_within_bounds(tmp_path, monkeypatch):
    """What was found until then was found."""
    path = tmp_path / "m.pkl"
    path.write_bytes(b"cacme\nClip\n" + b"N0" * 20_000 + b".")
    monkeypatch.setattr(pickled, "MOST_OPCODES", 1_000)
    assert {"acme": "Clip"} == imported_by(path)
    monkeypatch.setattr(pickled, "MOST_BYTES", 50_000)
    bomb = b"cacme\nClip\n" + b"\x8e" + (10**9).to_bytes(8, "little")
    path.write_bytes(zlib.compress(bomb + bytes(1_000_000)))
    assert {"acme": "Clip"} == imported_by(path)


def test_numbers_without_end_are_not_kept(tmp_path):
    """A file of some kilobytes may unpack to gigabytes of them."""
    number = b"\x8b" + (60_000).to_bytes(4, "little") + b"\1" * 60_000
    path = tmp_path / "m.joblib"
    path.write_bytes(zlib.compress(b"\x80\4(" + number * 500 + b"c__main__\nf\n."))

    tracemalloc.start()
    found = imported_by(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert {"__main__": "f"} == found
    assert most < 2_000_000


def test_large_parts_are_passed_over_and_not_read(tmp_path):
    """As the matrices of a large model are."""
    path = tmp_path / "m.joblib"
    joblib.dump({"a": np.zeros(1_000_000), "b": LogisticRegression()}, path)
    code = (
        "import sys, tracemalloc, pathlib; from sparkml.models.pickled import imported_by;"
        "tracemalloc.start(); found = imported_by(pathlib.Path(sys.argv[1]));"
        "assert 'sklearn.linear_model._logistic' in found;"
        "assert tracemalloc.get_traced_memory()[1] < 2_000_000;"
        "assert not {'sklearn', 'joblib', 'numpy', 'mlflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)


def test_a_skops_file_and_an_archive_of_torch_tell_theirs(tmp_path):
    import skops.io

    path = tmp_path / "m.skops"
    skops.io.dump(MODELS["boosted"], path)
    assert {"lightgbm.sklearn", "sklearn.pipeline"} <= set(
        imports_of(path, None, ROWS["sklearn"]).modules
    )
    with zipfile.ZipFile(tmp_path / "m.pt", "w") as archive:
        archive.writestr("model/data.pkl", b"cacme.nets\nNet\n.")
        archive.writestr("model/data/0", b"cno.names\nhere\n.")
    assert {"acme.nets": "Net"} == imports_of(tmp_path / "m.pt", None, ROWS["torch"]).modules


@pytest.fixture
def pyfunc(tmp_path):
    """A factory of pyfunc models: their part of the `MLmodel`, and further files."""

    def make(own, **files):
        for name, content in {"MLmodel": f"flavors: {{python_function: {own}}}", **files}.items():
            path = tmp_path / name.replace("__", ".")
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)
        return imports_of(tmp_path, read_mlmodel(tmp_path), ROWS["pyfunc"])

    return make


def test_a_pyfunc_model_tells_its_pickle_and_the_requirements_that_mlflow_recorded(pyfunc):
    own = "{loader_module: mlflow.pyfunc.model, python_model: own.pkl, python_version: 3.11.7}"
    recorded = "mlflow==3.1\n# a note\n-r other.txt\nacme-features[x]==1.0 ; python_version > '3'\n"
    found = pyfunc(own, own__pkl="cacme_models\nOwn\n.", requirements__txt=recorded)
    assert {"mlflow.pyfunc.model": "", "acme_models": "Own"} == found.modules
    assert ("mlflow", "acme-features") == found.recorded


def test_a_script_that_is_a_model_tells_its_imports(pyfunc, tmp_path):
    """Those that run in any case; and its own modules travel with it."""
    (tmp_path / "code" / "acme_features").mkdir(parents=True)
    script = "import acme_features.clip\nfrom lightgbm import Booster\nif 0:\n    import nothing\n"
    own = "{loader_module: mlflow.pyfunc.model, code: code, model_code_path: own.py}"
    found = pyfunc(own, own__py=script)
    assert {"mlflow.pyfunc.model", "lightgbm"} == set(found.modules)


def test_a_loader_of_mlflows_needs_its_library(tmp_path):
    (tmp_path / "MLmodel").write_text(
        "flavors: {prophet: {pr_version: 1}, python_function: {loader_module: mlflow.prophet}}"
    )
    found = imports_of(tmp_path, read_mlmodel(tmp_path), ROWS["pyfunc"])
    assert {"mlflow.prophet", "prophet"} == set(found.modules)


def test_a_name_that_leads_out_of_the_model_is_not_followed(pyfunc, tmp_path_factory):
    (tmp_path_factory.getbasetemp() / "out.pkl").write_text("cacme\nOut\n.")
    found = pyfunc("{loader_module: mlflow.pyfunc.model, python_model: ../out.pkl}")
    assert {"mlflow.pyfunc.model"} == set(found.modules)


def _array(shape):
    """The instructions of an array of joblib's, of this shape."""
    dtype = b"cnumpy\ndtype\n(X\2\0\0\0i8tR"
    items = b"X\5\0\0\0dtype" + dtype + b"X\5\0\0\0shape(" + shape + b"t"
    return b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}(" + items + b"ub."


def _archive(name, compression):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr(name, b"\x8e" + (1 << 40).to_bytes(8, "little") + bytes(32 << 20))
    return file.getvalue()


def _text(length):
    return b"X" + length.to_bytes(4, "little") + b"a" * length


WIDE = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 29}]
BOMBS = {
    "a text times a number as a shape": _array(_text(4) + b"J\0\0\0\x10"),
    "a list times a number as a shape": _array(b"(K\1tJ\0\0\0\x10"),
    "long texts": zlib.compress(_text(1_000) * 200_000 + b"."),
    "long names": zlib.compress((b"c" + b"a" * 900 + b"\nb\n") * 200_000 + b"."),
    "one long name": b"c" + b"a" * 60_000 + b"\nb\n.",
    "long numbers of places": zlib.compress(b"Np1" + b"0" * 4_000 + b"\n" + b"."),
    "a wide window": lzma.compress(b"N." + bytes(1 << 20), filters=WIDE),
    "a pickle packed by bzip2": _archive("m/data.pkl", zipfile.ZIP_BZIP2),
    "a pickle packed by lzma": _archive("m/data.pkl", zipfile.ZIP_LZMA),
    "a schema packed by bzip2": _archive("schema.json", zipfile.ZIP_BZIP2),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_what_would_fill_the_memory_is_not_followed(bomb, tmp_path, monkeypatch):
    monkeypatch.setattr(pickled, "MOST_TEXT", 1 << 20)
    path = tmp_path / "m.joblib"
    path.write_bytes(BOMBS[bomb])

    tracemalloc.start()
    found = imports_of(path, None, ROWS["sklearn"]).modules
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert not [name for name in found if len(name) > 1_000]
    assert most < 20_000_000


def test_empty_pickles_without_end_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(pickled, "MOST_OPCODES", 1_000)
    path = tmp_path / "models.bin"
    path.write_bytes(b"cacme\nClip\n." + b"." * 2_000 + b"cother\nName\n.")
    assert {"acme": "Clip"} == imported_by(path, many=True)


def test_a_pipe_is_not_waited_for(tmp_path):
    """Nor is a long script parsed, which would take hundreds of times its size."""
    for name in ("m.joblib", "requirements.txt"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "own.py").write_text("import acme\n" + "[],\n" * 300_000)
    (tmp_path / "MLmodel").write_text(
        "flavors: {python_function: {loader_module: a, code: b, model: m.joblib, script: own.py}}"
    )
    found = imports_of(tmp_path, read_mlmodel(tmp_path), ROWS["pyfunc"])
    assert {"a": ""} == found.modules
