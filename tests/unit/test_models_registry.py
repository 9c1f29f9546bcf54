"""Models in a real MLflow registry: addresses, promises, and what goes wrong on the way."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from sparkml.errors import ConfigError, DigestMismatch, ModelNotFound, RegistryUnreachable
from sparkml.models.promise import promise
from sparkml.models.read import open_predictor, read_spec

if TYPE_CHECKING:
    from pathlib import Path

X = np.array([[0.0, 1.0], [1.0, 0.0], [0.2, 0.9], [0.8, 0.1]])
Y = np.array(["no", "yes", "no", "yes"])


@dataclass(frozen=True)
class Registry:
    """A SQLite registry with the model `wine`: version 1, and version 2, the champion."""

    uri: str
    folder: Path
    model_id: str
    run_id: str


@contextlib.contextmanager
def quiet_mlflow(uri: str):
    """MLflow pointed at `uri` while a test trains; its own deprecations are not ours."""
    import mlflow

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        warnings.simplefilter("ignore")
        yield mlflow


@pytest.fixture(scope="module")
def registry(tmp_path_factory) -> Registry:
    from sklearn.linear_model import LogisticRegression

    folder = tmp_path_factory.mktemp("registry")
    uri = f"sqlite:///{folder}/mlflow.db"
    with quiet_mlflow(uri) as mlflow:
        location = (folder / "artifacts").as_uri()
        experiment = mlflow.create_experiment("demo", artifact_location=location)
        for c in (1.0, 0.1):
            with mlflow.start_run(experiment_id=experiment) as run:
                info = mlflow.sklearn.log_model(
                    LogisticRegression(C=c).fit(X, Y),
                    name="model",
                    serialization_format="cloudpickle",
                    registered_model_name="wine",
                    pip_requirements=["scikit-learn"],
                    signature=mlflow.models.infer_signature(X, Y),
                )
        client = mlflow.MlflowClient()
        client.set_registered_model_alias("wine", "champion", 2)
    return Registry(uri, folder, info.model_id, run.info.run_id)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def own_registry(registry, tmp_path) -> str:
    """A copy of the database that a test may write to; the artifacts stay where they are."""
    shutil.copy(registry.folder / "mlflow.db", tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path}/mlflow.db"


def test_an_alias_becomes_a_version(registry):
    """The alias is resolved once; from then on the spec names the version."""
    spec = read_spec("models:/wine@champion", tracking_uri=registry.uri)
    assert (spec.name, spec.version, spec.uri) == ("wine", "2", "models:/wine/2")
    assert spec.flavor == "sklearn"


def test_every_address_of_one_version_has_one_digest(registry):
    """Alias, version, logged model and run lead to the same bytes."""
    addresses = [
        "models:/wine@champion",
        "models:/wine/2",
        f"models:/{registry.model_id}",
        f"runs:/{registry.run_id}/model",
    ]
    specs = [read_spec(a, tracking_uri=registry.uri) for a in addresses]
    assert len({spec.digest for spec in specs}) == 1
    assert specs[2].uri == f"models:/{registry.model_id}"
    assert specs[3].uri == f"runs:/{registry.run_id}/model"
    other = read_spec("models:/wine/1", tracking_uri=registry.uri)
    assert other.digest != specs[0].digest


def test_the_model_scores_like_the_one_that_was_logged(registry):
    """Labels keep their type, and come with their probabilities."""
    from sklearn.linear_model import LogisticRegression

    spec = read_spec("models:/wine/2", tracking_uri=registry.uri)
    batch = pa.RecordBatch.from_pydict({"features": list(X)})
    labels, chances = open_predictor(spec).predict(batch)
    model = LogisticRegression(C=0.1).fit(X, Y)
    assert labels.to_pylist() == model.predict(X).tolist()
    np.testing.assert_allclose(chances.to_pylist(), model.predict_proba(X), rtol=1e-12)


def test_the_global_settings_of_mlflow_stay(registry):
    """Reading a spec moves neither MLflow's servers nor its environment variables."""
    import mlflow

    before = (mlflow.get_tracking_uri(), mlflow.get_registry_uri(), dict(os.environ))
    read_spec("models:/wine@champion", tracking_uri=registry.uri)
    assert (mlflow.get_tracking_uri(), mlflow.get_registry_uri(), dict(os.environ)) == before


def test_a_tag_that_promises_the_digest_is_compared(own_registry):
    """A promised digest that is right opens under `trust: promised`; a wrong one is an error."""
    with pytest.raises(Exception, match=r"nobody promised"):
        read_spec("models:/wine/2", tracking_uri=own_registry, trust="promised")
    digest = promise("models:/wine/2", tracking_uri=own_registry)
    spec = read_spec("models:/wine@champion", tracking_uri=own_registry, trust="promised")
    assert spec.digest == digest

    with quiet_mlflow(own_registry) as mlflow:
        mlflow.MlflowClient().set_model_version_tag("wine", "2", "sparkml.digest", "0" * 64)
    with pytest.raises(DigestMismatch, match="0000 was promised"):
        read_spec("models:/wine/2", tracking_uri=own_registry)


def test_a_logged_model_and_an_alias_can_hold_a_promise(own_registry, registry):
    """The tag is written where the address leads; a run has no place for one."""
    for address in ("models:/wine@champion", f"models:/{registry.model_id}"):
        digest = promise(address, tracking_uri=own_registry)
        spec = read_spec(address, tracking_uri=own_registry, trust="promised")
        assert spec.digest == digest
    with pytest.raises(ConfigError, match="nothing can be written down"):
        promise(f"runs:/{registry.run_id}/model", tracking_uri=own_registry)


def test_a_missing_model_names_the_nearest(registry):
    """A typing error in the name is answered with the name that was meant."""
    with pytest.raises(ModelNotFound, match="did you mean 'wine'"):
        read_spec("models:/whine@champion", tracking_uri=registry.uri)


def test_a_missing_alias_names_the_nearest(registry):
    """So is one in the alias."""
    with pytest.raises(ModelNotFound, match=r"no alias 'champoin'.*did you mean 'champion'"):
        read_spec("models:/wine@champoin", tracking_uri=registry.uri)


def test_a_missing_version_names_those_that_exist(registry):
    """A version that was never registered is answered with those that were."""
    with pytest.raises(ModelNotFound, match=r"no version 7.*versions: 1, 2"):
        read_spec("models:/wine/7", tracking_uri=registry.uri)


@pytest.mark.parametrize("uri", ["models:/m-0123456789abcdef0123456789abcdef", "runs:/abc/model"])
def test_a_missing_run_or_logged_model_is_not_found(registry, uri):
    """An id that the server does not know is a model that was not found."""
    with pytest.raises(ModelNotFound):
        read_spec(uri, tracking_uri=registry.uri)


def test_artifacts_that_were_deleted_are_not_found(own_registry, registry, tmp_path):
    """A registered version whose files are gone is a model that was not found."""
    from mlflow.store.db.utils import create_sqlalchemy_engine
    from sqlalchemy import text

    engine = create_sqlalchemy_engine(own_registry)
    with engine.begin() as connection:
        gone = (tmp_path / "gone").as_uri()
        connection.execute(text(f"UPDATE model_versions SET storage_location = '{gone}'"))
        connection.execute(text(f"UPDATE logged_models SET artifact_location = '{gone}'"))
    engine.dispose()
    with pytest.raises(ModelNotFound, match=r"no such folder or file"):
        read_spec("models:/wine/2", tracking_uri=own_registry)


def test_a_missing_database_is_not_created(tmp_path):
    """A mistyped path is an error; MLflow would make an empty registry there."""
    with pytest.raises(RegistryUnreachable, match=r"no such database file"):
        read_spec("models:/wine/1", tracking_uri=f"sqlite:///{tmp_path}/none.db")
    assert not (tmp_path / "none.db").exists()


def test_a_damaged_database_fails_within_ten_seconds(tmp_path):
    """MLflow would try it for 100 s."""
    (tmp_path / "mlflow.db").write_bytes(b"no database" * 100)
    started = time.monotonic()
    with pytest.raises(RegistryUnreachable, match="not a database"):
        read_spec("models:/wine/1", tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    assert time.monotonic() - started < 10


def test_a_closed_port_fails_within_ten_seconds():
    """Nobody listens: the error comes at once and not after minutes of retries."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = time.monotonic()
    with pytest.raises(RegistryUnreachable, match="does not answer"):
        read_spec("models:/wine@champion", tracking_uri=f"http://127.0.0.1:{port}")
    assert time.monotonic() - started < 10


def test_a_silent_server_fails_within_ten_seconds():
    """Somebody listens but never answers: the same."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        started = time.monotonic()
        with pytest.raises(RegistryUnreachable, match="does not answer"):
            read_spec("models:/wine/1", tracking_uri=f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("uri", "hint"),
    [
        ("models:/wine", "models:/wine@champion, or models:/wine/1"),
        ("models:/wine/champion", "models:/wine@champion"),
        ("models:/wine@", "name the model and the alias"),
        ("runs:/abc", "name the run and the path"),
        ("", "give an address"),
    ],
)
def test_a_malformed_address_shows_the_forms(uri, hint):
    """An address of no known form is refused with the forms, before any server is asked."""
    with pytest.raises(ModelNotFound, match="forms: models:/name@alias") as caught:
        read_spec(uri)
    assert hint in str(caught.value)
