"""MLmodel files and configurations that name something to import, or hold odd values."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from sparkml.errors import ModelUnreadable, SparkMLError, UntrustedModel
from sparkml.models import FLAVORS
from sparkml.models.flavors.keyed_file import read_header
from sparkml.models.read import read_spec
from tests.hostile.skops_files import good

LOADERS = [
    "mlflow.onnx", "mlflow.sklearn", "mlflow.pyfunc.model", "mlflow.pyfunc.loaders.code_model",
    "os", "chosen_by_the_file", "mlflow.onnx.os", None, 5, ["mlflow.onnx"],
]  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))


def mlflow_model(folder, text: str) -> str:
    folder.mkdir()
    (folder / "MLmodel").write_text(text)
    (folder / "model.skops").write_bytes(good())
    return str(folder)


@pytest.mark.parametrize("loader", LOADERS, ids=str)
def test_no_loader_of_mlflow_is_taken_for_safe(loader, tmp_path):
    """MLflow reads the file by its own rules, so what we see of it decides nothing."""
    own = {"loader_module": loader, "data": "model.skops"}
    path = mlflow_model(tmp_path / "m", yaml.safe_dump({"flavors": {"python_function": own}}))
    with pytest.raises(UntrustedModel, match="MLflow imports its loader"):
        read_spec(path, trust="never")


def test_a_merge_key_hides_no_loader(tmp_path):
    """YAML's `<<` brings a second loader in for MLflow, which reads such keys."""
    text = """
other: &other {loader_module: chosen_by_the_file}
flavors:
  python_function:
    <<: *other
    loader_module: mlflow.onnx
    data: model.skops
"""
    with pytest.raises(ModelUnreadable, match="merge key"):
        read_spec(mlflow_model(tmp_path / "m", text), trust="never")


@pytest.mark.parametrize("code", ["code", ["code"], {"a": 1}, 1, "../.."], ids=str)
def test_a_model_with_code_is_never_free_of_code(code, tmp_path):
    """Whatever type the key has."""
    own = {"pickled_model": "model.skops", "serialization_format": "skops", "code": code}
    path = mlflow_model(tmp_path / "m", yaml.safe_dump({"flavors": {"sklearn": own}}))
    with pytest.raises(UntrustedModel, match="modules of its own"):
        read_spec(path, trust="never")


@pytest.mark.parametrize("kind", ["Skops", "skops ", "SKOPS", None, 5, ["skops"], "joblib"])
def test_only_skops_is_skops(kind, tmp_path):
    """Everything else would be unpickled, and is judged so."""
    own = {"pickled_model": "model.skops", "serialization_format": kind}
    path = mlflow_model(tmp_path / "m", yaml.safe_dump({"flavors": {"sklearn": own}}))
    with pytest.raises(UntrustedModel, match="is a pickle"):
        read_spec(path, trust="never")


ODD: list[Any] = [5, True, None, "nothing", [], ["a"], {"a": 1}, "\u0000", 1e400]
KEYS = (
    "pickled_model", "serialization_format", "code", "data", "model_data", "model_binary", "config",
    "components", "task", "format", "keys", "features", "outputs", "classes", "loader_module",
    "onnx_session_options", "pipeline_model_type", "model_class", "python_model",
)  # fmt: skip


# XGBoost's and CatBoost's readers are looked at with their own files.
OURS = [row for row in FLAVORS if row.name not in ("catboost", "lightgbm", "xgboost")]


@pytest.mark.parametrize("row", OURS, ids=lambda row: row.name)
def test_odd_values_in_a_flavor_are_a_coded_error(row, tmp_path):
    """One key at a time, and all of them."""
    cases = [*(((key,), 5) for key in KEYS), *((KEYS, odd) for odd in ODD)]
    for place, (keys, odd) in enumerate(cases):
        text = yaml.safe_dump({"flavors": {row.mlflow_key: dict.fromkeys(keys, odd)}})
        with pytest.raises(SparkMLError):
            read_spec(mlflow_model(tmp_path / str(place), text), trust="never")


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("model/config.json", {"auto_map": {"AutoModel": "evil.Model"}}),
        ("model/config.json", {"text_config": [{"auto_map": {"AutoModel": "evil.Model"}}]}),
        ("model/config.json", {"custom_pipelines": {"x": {"impl": "evil.Pipe"}}}),
        ("model/config.json", {"attn_implementation": "somebody/kernels"}),
        ("model/config.json", {"quantization_config": {"quant_method": "x"}}),
        ("components/tokenizer/tokenizer_config.json", {"auto_map": ["evil.Tokenizer", None]}),
        ("model/adapter_config.json", {"base_model_name_or_path": "/elsewhere"}),
        ("model/model.safetensors.index.json", {"weight_map": {"a": "../../evil.safetensors"}}),
        ("model/model.safetensors.index.json", {"weight_map": 5}),
        ("model/config.json", []),
        ("model/config.json", "deep"),
    ],
)
def test_a_configuration_of_transformers_that_names_code_needs_trust(file, told, tmp_path):
    """transformers itself asks before it imports; what it would ask about is said beforehand."""
    folder = tmp_path / "m"
    own = {"model_binary": "model", "task": "text-classification"}
    mlflow_model(folder, yaml.safe_dump({"flavors": {"transformers": own}}))
    (folder / "model.skops").unlink()
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / "model").mkdir(exist_ok=True)
    (folder / "model" / "config.json").write_text("{}")
    (folder / file).write_text("[" * 5000 if told == "deep" else json.dumps(told))
    with pytest.raises(UntrustedModel, match=r"names"):
        read_spec(str(folder), trust="never")


ODD_COLUMNS = [
    5, None, [], {}, [5], ["a"], [[]], [{}], "abc",
    [{"name": 5, "type": "int64"}], [{"name": None, "type": "int64"}],
    [{"name": "k", "type": 5}], [{"name": "k", "type": None}], [{"name": "k", "type": ["a"]}],
    [{"name": "k", "type": "nope"}], [{"name": "k", "type": "struct<"}],
    [{"name": "k", "type": "list<" * 2000}], [{"name": "k", "type": "int64", "length": "x"}],
    [{"name": "k", "type": "int64", "bad": 1}],
]  # fmt: skip


@pytest.mark.parametrize("side", ["format", "keys", "features", "outputs"])
@pytest.mark.parametrize("odd", ODD_COLUMNS, ids=lambda odd: repr(odd)[:50])
def test_a_keyed_model_s_header_of_other_types_is_a_coded_error(side, odd):
    """It names columns and their types, and nothing is made of them before they are looked at."""
    flavor = {
        "format": 1,
        "keys": [{"name": "k", "type": "int64"}],
        "features": [{"name": "a", "type": "double"}],
        "outputs": [{"name": "prediction", "type": "double"}],
        "classes": [],
    }
    assert read_header(flavor, where="here").keys
    with pytest.raises(ModelUnreadable):
        read_header({**flavor, side: odd}, where="here")
