"""What the tests of the ONNX flavor share: a cache of their own, and a graph as a file."""

from __future__ import annotations

import onnx
import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def save(tmp_path):
    def save(model):
        path = tmp_path / f"m{len(list(tmp_path.iterdir()))}.onnx"
        onnx.save_model(model, path)
        return str(path)

    return save
