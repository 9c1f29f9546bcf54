"""A model's files behind an artifact server: MLflow's own client over its own protocol."""

from __future__ import annotations

import json
import threading
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sparkml.errors import ModelNotFound
from sparkml.models.read import open_predictor, read_spec

BASE = "/api/2.0/mlflow-artifacts/artifacts"


class Artifacts(BaseHTTPRequestHandler):
    """Lists, gives and takes the files of one folder, as `mlflow server` does for its clients."""

    root: Path

    def do_GET(self):
        address = urlsplit(self.path)
        asked = self.root / unquote(address.path.removeprefix(BASE).strip("/"))
        if "path" in parse_qs(address.query) or asked.is_dir():
            folder = self.root / parse_qs(address.query).get("path", [""])[0]
            entries = sorted(folder.iterdir()) if folder.is_dir() else []
            files = [{"path": p.name, "is_dir": p.is_dir(), "file_size": 1} for p in entries]
            self._answer(200, json.dumps({"files": files}).encode())
        elif asked.is_file():
            self._answer(200, asked.read_bytes())
        else:
            self._answer(404, b"{}")

    def do_PUT(self):
        target = self.root / unquote(urlsplit(self.path).path.removeprefix(BASE).strip("/"))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(200, b"{}")

    def _answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def store(tmp_path):
    """The server's address, and the folder that it serves."""
    handler = type("Here", (Artifacts,), {"root": tmp_path / "store"})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}{BASE}", handler.root
    server.shutdown()
    server.server_close()


def scaled(mlflow):
    """A model with a file of its own, which MLflow puts into a folder called `artifacts`."""

    class Scaled(mlflow.pyfunc.PythonModel):
        def load_context(self, context):
            self.factor = float(Path(context.artifacts["factor"]).read_text())

        def predict(self, context, model_input, params=None):
            return model_input["x"] * self.factor

    return Scaled()


@pytest.fixture
def registry(store, tmp_path, monkeypatch) -> str:
    """A SQLite registry whose artifacts are behind the server; `scaled` has one version."""
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    (tmp_path / "factor.txt").write_text("3")
    with warnings.catch_warnings():  # MLflow's remarks on how a model is logged
        warnings.simplefilter("ignore")
        import mlflow.pyfunc

        experiment = mlflow.create_experiment("e", artifact_location=f"{store[0]}/e")
        with mlflow.start_run(experiment_id=experiment):
            mlflow.pyfunc.log_model(
                python_model=scaled(mlflow),
                name="artifacts",
                artifacts={"factor": str(tmp_path / "factor.txt")},
                registered_model_name="scaled",
                pip_requirements=["numpy"],
                signature=mlflow.models.infer_signature(pd.DataFrame({"x": [1.0]}), np.ones(1)),
            )
    return uri


def test_a_model_is_fetched_whatever_its_folders_are_called(registry, store):
    """The files arrive as they were logged: a folder inside may have the name of the one around."""
    names = {p.relative_to(store[1]).parts[-2:] for p in store[1].rglob("factor.txt")}
    assert ("artifacts", "factor.txt") in names
    spec = read_spec("models:/scaled/1", tracking_uri=registry, environment="ignore")
    (made,) = open_predictor(spec).predict(pa.RecordBatch.from_pydict({"x": [1.0, 2.0]}))
    assert made.to_pylist() == [3.0, 6.0]


def test_files_that_the_server_lacks_are_not_found(registry, store):
    """Deleted behind the registry's back."""
    for path in store[1].rglob("*"):
        if path.is_file():
            path.unlink()
    with pytest.raises(ModelNotFound, match="no files there"):
        read_spec("models:/scaled/1", tracking_uri=registry)
