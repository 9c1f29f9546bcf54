"""The MLflow registry: from a model's address to its version, its tags and where its files are."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkml.errors import (
    ExtraMissing,
    ModelNotFound,
    RegistryUnreachable,
    SparkMLError,
    did_you_mean,
)
from sparkml.models.extras import need

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sparkml.models.address import Address

QUICK_FAILURE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "4",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
}
"""MLflow's settings while an address is resolved; left alone where the user has set them.

By default MLflow retries a closed port for minutes. With these it gives up within 10 s, whether
the port is closed or nobody answers.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A model version as the registry knows it; `source` is where its files are."""

    name: str
    version: str
    uri: str
    source: str
    tags: Mapping[str, str] = field(default_factory=dict)


def resolve(
    address: Address, *, tracking_uri: str | None = None, registry_uri: str | None = None
) -> Registered:
    """The version that `address` stands for now, looked up once.

    Runs on the driver. MLflow's global settings stay as they are.

    Raises:
        ModelNotFound: no such model, version, alias or run.
        RegistryUnreachable: the server does not answer; within 10 s.
        ExtraMissing: MLflow is not installed.
    """
    mlflow = need("mlflow", extra="mlflow", why=f"the address {address.uri}")
    with quick_failure(mlflow):
        where = tracking_uri or mlflow.get_tracking_uri()
        try:
            client = _client(mlflow, tracking_uri, registry_uri)
            try:
                return _FORMS[address.kind](client, address)
            except mlflow.exceptions.MlflowException as error:
                if _is_missing(error):
                    raise _not_found(client, address) from error
                raise
        except SparkMLError:
            raise
        except Exception as error:  # requests, SQLAlchemy, the database's driver: all of them
            raise RegistryUnreachable(
                f"the tracking server does not answer: {_first_line(error)}",
                where=where,
                fix="check MLFLOW_TRACKING_URI, and that the server can be reached from here",
            ) from error


def download(
    source: str, into: Path, *, tracking_uri: str | None = None, registry_uri: str | None = None
) -> Path:
    """The files under an address that only MLflow can read, put into the folder `into`.

    Raises:
        ModelNotFound: there are no such files.
    """
    artifacts = need("mlflow.artifacts", extra="mlflow", why=f"the address {source}")
    try:
        with _quiet():
            return Path(
                artifacts.download_artifacts(
                    artifact_uri=source,
                    dst_path=str(into),
                    tracking_uri=tracking_uri,
                    registry_uri=registry_uri or tracking_uri,
                )
            )
    except Exception as error:  # MLflow's own, or whatever the store's client raises
        raise ModelNotFound(
            f"the model's files cannot be read: {_first_line(error)}",
            where=source,
            fix="look whether they were deleted or moved, and whether this user may read them",
        ) from error


def set_tag(
    address: Address,
    key: str,
    value: str,
    *,
    tracking_uri: str | None = None,
    registry_uri: str | None = None,
) -> None:
    """Write a tag onto a registered version (or the one that an alias means) or a logged model."""
    known = resolve(address, tracking_uri=tracking_uri, registry_uri=registry_uri)
    mlflow = need("mlflow", extra="mlflow", why=f"the address {address.uri}")
    client = _client(mlflow, tracking_uri, registry_uri)
    if address.kind == "logged":
        client.set_logged_model_tags(known.version, {key: value})
    else:
        client.set_model_version_tag(known.name, known.version, key, value)


def _registered(client: Any, address: Address) -> Registered:
    if address.alias:
        found = client.get_model_version_by_alias(address.name, address.alias)
    else:
        found = client.get_model_version(address.name, address.version)
    source = client.get_model_version_download_uri(found.name, str(found.version))
    if source.startswith("models:/m-"):  # MLflow 3: the version points at a logged model
        source = client.get_logged_model(source.removeprefix("models:/")).artifact_location
    return Registered(
        name=found.name,
        version=str(found.version),
        uri=f"models:/{found.name}/{found.version}",
        source=source,
        tags=dict(found.tags),
    )


def _logged(client: Any, address: Address) -> Registered:
    found = client.get_logged_model(address.name)
    return Registered(
        name=found.name or address.name,
        version=found.model_id,
        uri=f"models:/{found.model_id}",
        source=found.artifact_location,
        tags=dict(found.tags or {}),
    )


def _of_run(client: Any, address: Address) -> Registered:
    run = client.get_run(address.name)
    path = address.path.rstrip("/")
    source = f"{run.info.artifact_uri.rstrip('/')}/{path}"
    # MLflow 3 keeps a run's models apart from its artifacts, by name.
    for output in getattr(run.outputs, "model_outputs", None) or ():
        logged = client.get_logged_model(output.model_id)
        if logged.name == path:
            source = logged.artifact_location
    return Registered(
        name=path.rpartition("/")[2], version=address.name, uri=address.uri, source=source
    )


_FORMS = {"registered": _registered, "logged": _logged, "run": _of_run}


def _client(mlflow: Any, tracking_uri: str | None, registry_uri: str | None) -> Any:
    tracking = tracking_uri or mlflow.get_tracking_uri()
    # Told where to look, MLflow shall not look into a registry that is set elsewhere.
    registry = registry_uri or tracking_uri or mlflow.get_registry_uri()
    for store in (tracking, registry):
        # SQLite makes a missing database; a mistyped path would then be an empty registry.
        path = store.removeprefix("sqlite:///").partition("?")[0]
        if store.startswith("sqlite:///") and not Path(path).is_file():
            raise RegistryUnreachable(
                "there is no such database file",
                where=store,
                fix="correct the tracking or registry URI (MLFLOW_TRACKING_URI)",
            )
    return mlflow.MlflowClient(tracking, registry)


def _is_missing(error: Any) -> bool:
    text = str(error)
    codes = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND")
    return error.error_code in codes and "API request to" not in text


def _not_found(client: Any, address: Address) -> ModelNotFound:
    if address.kind != "registered":
        what = "logged model" if address.kind == "logged" else "run"
        return ModelNotFound(
            f"no {what} '{address.name}' in the tracking server",
            where=client.tracking_uri,
            fix="check the id, and MLFLOW_TRACKING_URI",
        )
    models = [m.name for m in client.search_registered_models(max_results=500)]
    if address.name not in models:
        return ModelNotFound(
            f"no model '{address.name}' in the registry",
            where=client.tracking_uri,
            fix=did_you_mean(address.name, models),
        )
    if address.alias:
        aliases = client.get_registered_model(address.name).aliases
        return ModelNotFound(
            f"model '{address.name}' has no alias '{address.alias}'",
            where=client.tracking_uri,
            fix=did_you_mean(address.alias, sorted(aliases)),
        )
    versions = client.search_model_versions(f"name = '{address.name}'", max_results=500)
    known = sorted({int(v.version) for v in versions})
    return ModelNotFound(
        f"model '{address.name}' has no version {address.version}",
        where=client.tracking_uri,
        fix=f"versions: {', '.join(map(str, known)) or 'none'}",
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


@contextmanager
def quick_failure(mlflow: Any) -> Iterator[None]:
    """Inside the block, MLflow gives up on a server or a database within seconds."""
    added = {k: v for k, v in QUICK_FAILURE.items() if k not in os.environ}
    os.environ.update(added)
    try:
        with _few_retries(mlflow):
            yield
    finally:
        for key in added:
            os.environ.pop(key, None)


@contextmanager
def _few_retries(mlflow: Any) -> Iterator[None]:
    """MLflow tries a database ten times, over 100 s, and has no setting for it."""
    try:
        stores = need(f"{mlflow.__name__}.store.db.utils", extra="mlflow", why="a database")
        before = stores.MAX_RETRY_COUNT
    except (ExtraMissing, AttributeError):  # no SQLAlchemy, or another MLflow
        yield
        return
    stores.MAX_RETRY_COUNT = 3
    try:
        yield
    finally:
        stores.MAX_RETRY_COUNT = before


@contextmanager
def _quiet() -> Iterator[None]:
    """Without MLflow's progress bars: the terminal belongs to whoever runs the job."""
    key = "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"
    before = os.environ.get(key)
    os.environ[key] = "false"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(key, None)
        else:
            os.environ[key] = before
