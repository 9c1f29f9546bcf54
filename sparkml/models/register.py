"""Into MLflow: a run with its params, metrics and files, a model with its signature, an alias."""

from __future__ import annotations

import importlib.metadata
import io
import logging
import os
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkml.errors import RegistryUnreachable
from sparkml.files import scheme_of
from sparkml.models.extras import need
from sparkml.models.flavors.sklearn_graph import parts_of
from sparkml.models.registry import quick_failure
from sparkml.models.skops_file import check_skops
from sparkml.redaction import masked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sparkml.spec import Field, Signature

WHY = "logging a model"
TYPES = {"int32": "integer", "int64": "long", "bool": "boolean"}
"""Our name of a type -> MLflow's, where they differ; others have no column type of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A model that was logged; `version` is empty where it was not registered."""

    uri: str
    version: str


@contextmanager
def tracked_run(
    experiment: str,
    *,
    artifacts: str | None = None,
    tracking_uri: str | None = None,
    registry_uri: str | None = None,
) -> Iterator[str]:
    """A run of an experiment while the block lasts; gives its id. The others log into it.

    Runs on the driver. An error in the block marks the run as failed. MLflow's addresses are set
    for the process meanwhile, and as before afterwards. An experiment that is made now keeps its
    files in `artifacts`; a SQLite database that is not there is made as well.

    Raises:
        RegistryUnreachable: the tracking server does not answer or refuses; within 10 s.
        ExtraMissing: MLflow is not installed.
    """
    mlflow = need("mlflow", extra="mlflow", why=WHY)
    with _addresses(mlflow, tracking_uri, registry_uri), _silent():
        with _reached(mlflow):
            run = mlflow.start_run(experiment_id=_experiment(mlflow, experiment, artifacts))
        with run:
            yield run.info.run_id


def check_reachable(
    experiment: str, *, tracking_uri: str | None = None, registry_uri: str | None = None
) -> None:
    """Ask for the experiment, and a registry elsewhere for a model, before anything costly is done.

    Runs on the driver and makes nothing, but for a SQLite database that is not there.

    Raises:
        RegistryUnreachable: one of them does not answer or refuses; within 10 s each.
        ExtraMissing: MLflow is not installed.
    """
    mlflow = need("mlflow", extra="mlflow", why=WHY)
    with _addresses(mlflow, tracking_uri, registry_uri), _silent(), _reached(mlflow):
        client = mlflow.MlflowClient()
        client.get_experiment_by_name(experiment)
        if registry_uri:
            client.search_registered_models(max_results=1)


@contextmanager
def _reached(mlflow: Any) -> Iterator[None]:
    """What fails inside says where MLflow was looked for."""
    try:
        with quick_failure(mlflow):
            yield
    except Exception as error:  # requests, SQLAlchemy, the database's driver: all of them
        said = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        addresses = dict.fromkeys((mlflow.get_tracking_uri(), mlflow.get_registry_uri()))
        raise RegistryUnreachable(
            f"no run can be started: {said}",
            where=", ".join(addresses),
            fix="check registry.tracking_uri or MLFLOW_TRACKING_URI, and the experiment's name",
        ) from error


def log_facts(
    *,
    params: Mapping[str, Any] | None = None,
    metrics: Mapping[str, float] | None = None,
    files: Path | None = None,
) -> None:
    """Log params, metrics and everything in a folder into the current run; no secret in a param."""
    mlflow = need("mlflow", extra="mlflow", why=WHY)
    mlflow.log_params({k: masked(str(v))[:6_000] for k, v in (params or {}).items()})
    mlflow.log_metrics(dict(metrics or {}))
    if files is not None:
        mlflow.log_artifacts(str(files))


def log_sklearn(model: Any, signature: Signature, *, name: str | None) -> Logged:
    """Log a fitted scikit-learn model into the current run; registered where it gets a name.

    It is stored with skops, which runs no code when it is loaded, where that holds the model, and
    else with cloudpickle.
    """
    kept = need("mlflow.sklearn", extra="mlflow", why=WHY)
    trusted = _skops_types(model)
    format_ = "cloudpickle" if trusted is None else "skops"
    info = kept.log_model(
        model,
        name="model",
        signature=_mlflow_signature(signature),
        serialization_format=format_,
        skops_trusted_types=trusted,
        pip_requirements=_requirements(model, format_),
        registered_model_name=name,
    )
    return _logged(info, name)


def log_spark(model: Any, signature: Signature, *, name: str | None, folder: str | None) -> Logged:
    """Log a fitted Spark ML `PipelineModel` into the current run; registered where it gets a name.

    `folder` is a scratch folder that Spark's executors and the driver both see; MLflow's own
    (`/tmp/mlflow` of the cluster's file system) when None.
    """
    kept = need("mlflow.spark", extra="mlflow", why=WHY)
    info = kept.log_model(
        model,
        "model",
        dfs_tmpdir=folder,
        signature=_mlflow_signature(signature),
        pip_requirements=[_pinned("pyspark")],
        registered_model_name=name,
    )
    return _logged(info, name)


def log_folder(folder: Path, *, name: str | None) -> Logged:
    """Log a model's folder, as it is, into the current run; registered where it gets a name."""
    mlflow = need("mlflow", extra="mlflow", why=WHY)
    mlflow.log_artifacts(str(folder), "model")
    run_id = mlflow.active_run().info.run_id
    if name is None:
        return Logged(uri=f"runs:/{run_id}/model", version="")
    client = mlflow.MlflowClient()
    try:
        client.create_registered_model(name)
    except mlflow.exceptions.MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    made = client.create_model_version(name, mlflow.get_artifact_uri("model"), run_id)
    return Logged(uri=f"models:/{name}/{made.version}", version=str(made.version))


def set_alias(name: str, alias: str, version: str) -> None:
    """Let an alias mean this version from now on; inside `tracked_run`."""
    mlflow = need("mlflow", extra="mlflow", why=WHY)
    mlflow.MlflowClient().set_registered_model_alias(name, alias, version)


def _logged(info: Any, name: str | None) -> Logged:
    if name is None:
        return Logged(uri=str(info.model_uri), version="")
    version = str(info.registered_model_version)
    return Logged(uri=f"models:/{name}/{version}", version=version)


def _experiment(mlflow: Any, name: str, artifacts: str | None) -> str:
    client = mlflow.MlflowClient()
    known = client.get_experiment_by_name(name)
    if known is not None:
        return str(known.experiment_id)
    if artifacts and not scheme_of(artifacts):
        artifacts = Path(artifacts).absolute().as_uri()
    return str(client.create_experiment(name, artifact_location=artifacts))


def _mlflow_signature(signature: Signature) -> Any:
    models = need("mlflow.models", extra="mlflow", why=WHY)
    types = need("mlflow.types", extra="mlflow", why=WHY)

    def columns(fields: tuple[Field, ...]) -> Any:
        return types.Schema(
            [types.ColSpec(TYPES.get(f.type, f.type), f.name, required=f.required) for f in fields]
        )

    return models.ModelSignature(columns(signature.inputs), columns(signature.outputs))


def _skops_types(model: Any) -> list[str] | None:
    """The types that loading the model from skops must trust; None where skops cannot hold it."""
    try:
        skops = need("skops.io", extra="sklearn", why=WHY)
        return check_skops(io.BytesIO(skops.dumps(model)), where="the model")
    except Exception:  # noqa: BLE001 - no skops, foreign classes, whatever they raise: a pickle then
        return None


def _requirements(model: Any, format_: str) -> list[str]:
    """The distributions whose classes the model holds, at their installed versions."""
    modules = {type(part).__module__.partition(".")[0] for part in parts_of(model)}
    owners = importlib.metadata.packages_distributions()
    known = {name for module in modules for name in owners.get(module, ())}
    return sorted(_pinned(name) for name in {*known, format_})


def _pinned(distribution: str) -> str:
    return f"{distribution}=={importlib.metadata.version(distribution)}"


@contextmanager
def _addresses(mlflow: Any, tracking_uri: str | None, registry_uri: str | None) -> Iterator[None]:
    """MLflow's addresses inside the block: its functions take them from the process alone."""
    keys = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")
    before = {key: os.environ.get(key) for key in keys}
    if tracking_uri:
        mlflow.set_tracking_uri(tracking_uri)
    # Told where to look, MLflow shall not look into a registry that is set elsewhere.
    if registry_uri or tracking_uri:
        mlflow.set_registry_uri(registry_uri or tracking_uri)
    store = mlflow.get_tracking_uri()
    if store.startswith("sqlite:///"):
        Path(store.removeprefix("sqlite:///").partition("?")[0]).parent.mkdir(
            parents=True, exist_ok=True
        )
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before["MLFLOW_TRACKING_URI"])
        mlflow.set_registry_uri(before["MLFLOW_REGISTRY_URI"])
        for key, value in before.items():
            os.environ.pop(key, None)
            if value is not None:
                os.environ[key] = value


@contextmanager
def _silent() -> Iterator[None]:
    """Without MLflow's remarks on how it stores a model, which the job's user has no part in."""
    logger = logging.getLogger("mlflow")
    before = logger.level
    logger.setLevel(logging.ERROR)
    prints = need("mlflow.utils.logging_utils", extra="mlflow", why=WHY)
    # What it prints past its logger, such as «Successfully registered model». Its own switch for
    # that is turned on again by whatever it does next.
    printed = getattr(prints, "MLFLOW_LOGGING_STREAM", None)
    prints.MLFLOW_LOGGING_STREAM = io.StringIO()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"mlflow\.")
            yield
    finally:
        prints.MLFLOW_LOGGING_STREAM = printed
        logger.setLevel(before)
