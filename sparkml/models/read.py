"""The story of a model: from its address to a `ModelSpec`, and from that to an open model."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, cast

from sparkml.errors import (
    DigestMismatch,
    GpuMissing,
    ModelNotFound,
    SignatureError,
    SignatureUnknown,
    UnsupportedFlavor,
    did_you_mean,
)
from sparkml.models import FLAVORS, FlavorRow
from sparkml.models.address import version_of
from sparkml.models.artifact import cached_folder, fetch
from sparkml.models.base import ChecksFiles, ChecksItself
from sparkml.models.digest import check_promise, digest_of
from sparkml.models.environment import check_environment, environment_differences
from sparkml.models.extra_outputs import check_outputs
from sparkml.models.gpu import on_cpu
from sparkml.models.mlmodel import MLmodel, read_mlmodel
from sparkml.models.null_policy import null_policies
from sparkml.models.trust import check_trust
from sparkml.spec import ModelSpec, Signature

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sparkml.models.base import Flavor, OpenModel, Predictor
    from sparkml.spec import Field


def read_spec(
    uri: str,
    *,
    name: str | None = None,
    flavor: str | None = None,
    signature: Signature | None = None,
    outputs: Sequence[str] = (),
    nulls: str | Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    model_config: Mapping[str, Any] | None = None,
    trust: str = "always",
    environment: str = "warn",
    tracking_uri: str | None = None,
    registry_uri: str | None = None,
    digest: str | None = None,
    origin: str | None = None,
) -> ModelSpec:
    """The description of the model at `uri`: what it is, what it takes and gives, its exact bytes.

    Runs on the driver. Costs one copy of the model's files into this host's cache and one load.

    Args:
        uri: `models:/name@alias`, `models:/name/3`, `models:/m-…`, `runs:/run/path`, or a folder
            (an MLflow model, a saved Spark ML model) or file (`.joblib`, `.skops`, `.txt`, …; see
            `FLAVORS`), local or on `s3://`.
        name: The name of the model's output column; its own name by default.
        flavor: A row of `FLAVORS`; the first that reads the files by default.
        signature: The columns it takes or gives, where it does not tell or tells it wrong; an
            empty side is asked of the model.
        outputs: The names of the outputs, in order: `prediction`, `probability`, and what else
            the model can give (`margin`, `leaf`, `contributions`). Empty: its usual ones.
        nulls: One policy, or one per input column (`"*"`: the others); `{"fill": value}` is one.
        params: What the model is scored with besides the data: an MLflow pyfunc model's own, or
            `unknown_key` and `cache_mib` of a keyed one.
        model_config: What it is opened with: an MLflow pyfunc model's own, or `providers`,
            `shapes`, `device` and so on of the flavors that have such keys.
        trust: `always`, `promised` or `never`: whether formats that run code may be opened.
        environment: `ignore`, `warn` or `error`: when libraries differ from the recorded ones.
        tracking_uri: MLflow's tracking server; its own setting by default.
        registry_uri: MLflow's registry; the tracking server by default.
        digest: The digest that the files must have.
        origin: The address of the model that `uri` holds a copy of; the description has this
            address and its version.

    Raises:
        ModelNotFound: no such model, version, alias, folder or file.
        RegistryUnreachable: the tracking server does not answer; within 10 s.
        DigestMismatch: the files are not those of `digest`, the tag or `model.sha256`.
        UnsupportedFlavor: no flavor reads these files.
        UntrustedModel: the trust policy refuses the format; nothing of it was loaded.
        EnvironmentMismatch: the libraries differ, and the policy is `error`.
        ModelUnreadable: the library cannot open the files.
        SignatureUnknown: neither the model nor the caller tells the columns.
        SignatureError: the given columns are not the model's, or it has no such output.
        ConfigError: a policy, a null policy, a param or a config key that does not exist.
        ExtraMissing: the flavor's library is not installed.
    """
    found = fetch(uri, tracking_uri=tracking_uri, registry_uri=registry_uri)
    check_promise(digest or "", (found.digest,), where=found.uri)
    description = read_mlmodel(found.folder)
    row = identify(found.folder, description, flavor, where=found.uri)
    reason = module_of(row).runs_code(found.folder, description)
    check_trust(trust, reason, promised=found.promised, where=found.uri)
    recorded = environment_differences(found.folder, description, row.name)
    check_environment(environment, recorded, where=found.uri)
    model = _opened_first(module_of(row), found.folder, description, model_config or {})
    unsaid = [seen for seen in model.differences if seen not in recorded]
    check_environment(environment, unsaid, where=found.uri)
    columns = decide(model, description, signature, outputs, where=found.uri)
    predictor = model.predictor(columns, params or {})
    if isinstance(predictor, ChecksItself):
        predictor.check()
    return ModelSpec(
        name=name or found.name,
        version=version_of(origin) or found.version,
        uri=origin or found.uri,
        flavor=row.name,
        digest=found.digest,
        signature=columns,
        nulls=null_policies(nulls, columns.inputs, takes_nan=predictor.takes_nan),
        params=dict(params or {}),
        model_config=dict(model_config or {}),
    )


def open_predictor(spec: ModelSpec, folder: Path | None = None) -> Predictor:
    """The model of `spec`, its files verified and opened now; on the driver or a worker.

    What `read_spec` checked of the model is not checked again: these are the same bytes.

    `folder` holds the files; by default they are in this host's cache. Costs one reading of the
    files for the digest, each time, and one load.

    Raises:
        ModelNotFound: this host's cache does not hold the files.
        DigestMismatch: the files are not those of the spec.
        ModelUnreadable: the library cannot open them.
        ExtraMissing: the library is not installed here.
        GpuMissing: it is told to use a GPU, and none is here.
    """
    folder = folder or cached_folder(spec.digest)
    if folder is None or not folder.is_dir():
        raise ModelNotFound(
            f"this host does not hold the files of {spec.digest[:16]}…",
            where=spec.uri,
            fix="call read_spec() on this host, or unpack() what pack() made on another",
        )
    digest = digest_of(folder)
    if digest != spec.digest:
        raise DigestMismatch(
            f"the files have the digest {digest}, the spec says {spec.digest}",
            where=str(folder),
            fix="read the spec again; the folder was changed since",
        )
    return open_verified(spec, folder)


def open_verified(spec: ModelSpec, folder: Path) -> Predictor:
    """The model of `spec`, opened now from files whose digest the caller has just verified.

    Raises:
        ModelUnreadable: the library cannot open them.
        ExtraMissing: the library is not installed here.
        GpuMissing: it is told to use a GPU, and none is here.
    """
    description = read_mlmodel(folder)
    row = identify(folder, description, spec.flavor, where=spec.uri)
    model = module_of(row).open_model(folder, description, spec.model_config)
    return model.predictor(spec.signature, spec.params)


def _opened_first(
    flavor: Flavor, folder: Path, description: MLmodel | None, model_config: Mapping[str, Any]
) -> OpenModel:
    """The model, checked as far as its flavor can; on the CPU where its GPU is not here."""
    if isinstance(flavor, ChecksFiles):
        flavor.check_files(folder, description)
    try:
        model = flavor.open_model(folder, description, model_config)
    except GpuMissing:  # the tasks' nodes have GPUs; this machine only looks at the model
        model = flavor.open_model(folder, description, on_cpu(model_config))
    if isinstance(model, ChecksItself):
        model.check()
    return model


def identify(
    folder: Path, description: MLmodel | None, flavor: str | None, *, where: str
) -> FlavorRow:
    """The first row of `FLAVORS` that reads these files, or the row `flavor` if it does.

    Raises:
        UnsupportedFlavor: none does.
    """
    known = [row.name for row in FLAVORS]
    if flavor is not None and flavor not in known:
        raise UnsupportedFlavor(
            f"unknown flavor '{flavor}'", where=where, fix=did_you_mean(flavor, known)
        )
    files = [path for path in folder.iterdir() if path.is_file()]
    for row in FLAVORS:
        if flavor not in (None, row.name):
            continue
        if description is not None and row.mlflow_key in description.flavors:
            return row
        mine = [path for path in files if path.suffix in row.suffixes]
        if description is None and len(mine) == 1 and (row.data_beside or len(files) == 1):
            return row
        if description is None and row.folder_with and any(folder.glob(row.folder_with)):
            return row
    holds = description.flavors if description else sorted(path.name for path in files)[:8]
    suffixes = ", ".join(suffix for row in FLAVORS for suffix in row.suffixes)
    raise UnsupportedFlavor(
        f"no flavor reads this model ({', '.join(holds) or 'an empty folder'})"
        if flavor is None
        else f"the flavor {flavor} does not read this model ({', '.join(holds)})",
        where=where,
        fix=f"give an MLflow model with one of {', '.join(r.mlflow_key for r in FLAVORS)}, "
        f"one file {suffixes}, or what PipelineModel.save wrote",
    )


def module_of(row: FlavorRow) -> Flavor:
    """The module of a flavor, imported now."""
    return cast("Flavor", importlib.import_module(row.module))


def decide(
    model: OpenModel,
    description: MLmodel | None,
    given: Signature | None,
    wanted: Sequence[str] = (),
    *,
    where: str,
) -> Signature:
    """The signature, each side from the caller, else from MLflow and the model.

    What the model tells about its outputs stands before what MLflow recorded: a recorded
    `predict` knows nothing of probabilities. `wanted` picks among them and the model's extras.

    Raises:
        SignatureUnknown: nobody tells one side.
        SignatureError: there is no output of a wanted name.
    """
    described = description or MLmodel(flavors={})
    inputs = (given.inputs if given else ()) or described.inputs or model.inputs
    if not inputs:
        raise _unknown("takes", described, model, where)
    outputs = (given.outputs if given else ()) or model.outputs(inputs, described.outputs)
    if not outputs:
        raise _unknown("gives", described, model, where)
    if wanted:
        outputs = _picked(wanted, (*model.extras(inputs), *outputs), where)
    return Signature(inputs=inputs, outputs=outputs)


def _picked(wanted: Sequence[str], offered: tuple[Field, ...], where: str) -> tuple[Field, ...]:
    known = {field.name: field for field in offered}
    check_outputs(wanted, known, where=where)
    if len(set(wanted)) < len(wanted):
        raise SignatureError(
            f"an output is named twice: {', '.join(wanted)}", where=where, fix="name it once"
        )
    return tuple(known[name] for name in wanted)


def _unknown(side: str, described: MLmodel, model: OpenModel, where: str) -> SignatureUnknown:
    why = f": {described.unsupported}" if described.unsupported else ""
    return SignatureUnknown(
        f"neither the model nor the caller says which columns it {side}{why}",
        where=where,
        fix=model.hint,
    )
