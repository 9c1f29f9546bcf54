"""The story of a model: from its address to a `ModelSpec`, and from that to an open model."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from sparkml.errors import DigestMismatch, ModelNotFound
from sparkml.models.address import version_of
from sparkml.models.artifact import cached_folder, fetch
from sparkml.models.digest import check_promise, digest_of
from sparkml.models.environment import check_environment
from sparkml.models.first_opening import inspect_first
from sparkml.models.identify import identify, module_of
from sparkml.models.inspection import Question
from sparkml.models.mlmodel import read_mlmodel
from sparkml.models.null_policy import null_policies
from sparkml.models.own_code import own_code
from sparkml.models.plain import plain_values
from sparkml.models.sites import check_present, present
from sparkml.spec import ModelSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sparkml.models.base import Predictor
    from sparkml.spec import Signature


def read_spec(
    uri: str,
    *,
    name: str | None = None,
    flavor: str | None = None,
    signature: Signature | None = None,
    inputs: str | Sequence[str] = (),
    outputs: str | Sequence[str] = (),
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

    Runs on the driver. Costs one copy of the model's files into this host's cache and, unless the
    same was asked before, one load in a process of its own, with limits (`first_opening`).

    Args:
        uri: `models:/name@alias`, `models:/name/3`, `models:/m-…`, `runs:/run/path`, or a folder
            (an MLflow model, a saved Spark ML model) or file (`.joblib`, `.skops`, `.txt`, …; see
            `FLAVORS`), local or on `s3://`.
        name: The name of the model's output column; its own name by default.
        flavor: A row of `FLAVORS`; the first that reads the files by default.
        signature: The columns it takes or gives, where it does not tell or tells it wrong; an
            empty side is asked of the model.
        inputs: The table's columns in the order in which the model takes them, where it was trained
            without names (on an array) or with others.
        outputs: The names of the outputs, in order: `prediction`, `probability`, and what else
            the model can give (`margin`, `leaf`, `contributions`). Empty: its usual ones.
        nulls: One policy, or one per input column (`"*"`: the others); `{"fill": value}` is one.
        params: What the model is scored with besides the data: an MLflow pyfunc model's own, or
            `unknown_key` and `cache_mib` of a keyed one, or the rounds of boosted trees that
            score, in their library's words. NumPy's values and dates become plain.
        model_config: What it is opened with: an MLflow pyfunc model's own, or `providers`,
            `shapes`, `device`, `base_margin` and so on of the flavors that have such keys.
        trust: `always`, `promised` or `never`: whether formats that run code may be opened.
            Promised is what `digest` or the registry's tag says.
        environment: `ignore`, `warn` or `error`: when libraries differ from the recorded ones; or
            `match`: the workers run with those, from a folder of the host's cache that is made the
            first time (some seconds, and the package index).
        tracking_uri: MLflow's tracking server; its own setting by default.
        registry_uri: MLflow's registry; the tracking server by default.
        digest: The digest that the files must have; of a lone file also what `sha256sum` says.
        origin: The address of the model that `uri` holds a copy of; the description has this
            address and its version.

    Raises:
        ModelNotFound: no such model, version, alias, folder or file.
        RegistryUnreachable: the tracking server does not answer; within 10 s.
        DigestMismatch: the files are not those of `digest`, the tag or `model.sha256`.
        UnsupportedFlavor: no flavor reads these files.
        UntrustedModel: the trust policy refuses the format; nothing of it was loaded.
        EnvironmentMismatch: the libraries differ, and the policy is `error`; or they cannot be
            matched.
        ModelUnreadable: the library cannot open the files, or did not survive it.
        SignatureUnknown: neither the model nor the caller tells the columns.
        SignatureError: the given columns are not the model's, or it has no such output.
        ConfigError: a policy, a null policy, a param or a config key that does not exist, or a
            param of another type than the model declares.
        ExtraMissing: the flavor's library is not installed.
    """
    found = fetch(uri, tracking_uri=tracking_uri, registry_uri=registry_uri)
    check_promise(digest or "", found.digests, where=found.uri)
    promised = found.promised or bool(digest)
    site = present()
    if environment == "match":
        from sparkml.models.matched import match

        description = read_mlmodel(found.folder)
        site = match(
            found.folder,
            description,
            identify(found.folder, description, flavor, where=found.uri),
            where=found.uri,
            trust=trust,
            promised=promised,
        )
    question = Question(
        digest=found.digest,
        where=found.uri,
        promised=promised,
        trust=trust,
        environment=environment,
        flavor=flavor,
        signature=signature,
        inputs=(inputs,) if isinstance(inputs, str) else tuple(inputs),
        outputs=(outputs,) if isinstance(outputs, str) else tuple(outputs),
        params=plain_values(params, where="params", dates=True),
        model_config=plain_values(model_config, where="model_config", dates=False),
        site=site,
    )
    findings = inspect_first(question, found.folder)
    check_environment(environment, findings.differences, where=found.uri)
    columns = findings.signature
    return ModelSpec(
        name=name or found.name,
        version=version_of(origin) or found.version,
        uri=origin or found.uri,
        flavor=findings.flavor,
        digest=found.digest,
        signature=columns,
        nulls=null_policies(nulls, columns.inputs, takes_nan=findings.takes_nan),
        params=question.params,
        model_config=question.model_config,
        environment=site,
    )


def open_predictor(spec: ModelSpec, folder: Path | None = None) -> Predictor:
    """The model of `spec`, its files verified and opened now; on the driver or a worker.

    What `read_spec` checked of the model is not checked again: these are the same bytes.

    `folder` holds the files; by default they are in this host's cache. Costs one reading of the
    files for the digest, each time, and one load.

    Raises:
        ModelNotFound: this host's cache does not hold the files.
        DigestMismatch: the files are not those of the spec.
        EnvironmentMismatch: this process runs with other libraries than the model's own.
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
        EnvironmentMismatch: this process runs with other libraries than the model's own.
        ModelUnreadable: the library cannot open them.
        ExtraMissing: the library is not installed here.
        GpuMissing: it is told to use a GPU, and none is here.
    """
    check_present(spec.environment, where=spec.uri)
    description = read_mlmodel(folder)
    row = identify(folder, description, spec.flavor, where=spec.uri)
    flavor = module_of(row)
    runs_code = bool(flavor.runs_code(folder, description))
    code = own_code(folder, description, row.mlflow_key, runs_code=runs_code)
    with code.present() if code else nullcontext():
        model = flavor.open_model(folder, description, spec.model_config)
        predictor = model.predictor(spec.signature, spec.params)
    return code.around(predictor) if code else predictor
