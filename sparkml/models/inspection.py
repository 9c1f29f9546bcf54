"""What a model's files are found to be, by reading and opening them: a question and its answer.

This is where whatever the files hold is looked at for the first time, so nobody calls it but
`first_opening`, which does it in the sandbox.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkml.errors import GpuMissing, ModelUnreadable
from sparkml.models.base import ChecksItself
from sparkml.models.decide import decide
from sparkml.models.environment import check_environment, environment_differences
from sparkml.models.gpu import on_cpu
from sparkml.models.identify import identify, module_of
from sparkml.models.mlmodel import read_mlmodel
from sparkml.models.own_code import own_code
from sparkml.models.trust import check_trust

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sparkml.models.base import Flavor, OpenModel
    from sparkml.models.mlmodel import MLmodel
    from sparkml.spec import Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What `read_spec` was told of a model; `where` is its address, for errors.

    `site` names the environment in which it is asked (`sites`).
    """

    digest: str
    where: str
    promised: bool
    trust: str
    environment: str
    flavor: str | None
    signature: Signature | None
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    params: Mapping[str, Any]
    model_config: Mapping[str, Any]
    site: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the model was found to be; `differences` are those of the libraries' versions."""

    flavor: str
    signature: Signature
    takes_nan: bool
    differences: tuple[str, ...] = ()


def inspect(question: Question, folder: Path) -> Findings:
    """What the model in `folder` is: identified, trusted, opened, asked for its columns.

    Raises:
        UnsupportedFlavor: no flavor reads these files.
        UntrustedModel: the trust policy refuses the format; nothing of it was loaded.
        EnvironmentMismatch: the libraries differ, and the policy is `error`.
        ModelUnreadable: the library cannot open the files.
        SignatureUnknown: neither the model nor the caller tells the columns.
        SignatureError: the given columns are not the model's, or it has no such output.
        ConfigError: a policy, a param or a config key that does not exist.
        ExtraMissing: the flavor's library is not installed.
    """
    where = question.where
    description = read_mlmodel(folder)
    row = identify(folder, description, question.flavor, where=where)
    flavor = module_of(row)
    reason = flavor.runs_code(folder, description)
    check_trust(
        question.trust, reason, promised=question.promised, digest=question.digest, where=where
    )
    recorded = environment_differences(folder, description, row.name)
    check_environment(question.environment, recorded, where=where)
    code = own_code(folder, description, row.mlflow_key, runs_code=bool(reason))
    with code.present() if code else nullcontext():
        try:
            model = _opened_first(flavor, folder, description, question.model_config)
        except ModelUnreadable as error:
            if not recorded or question.environment == "match":
                raise
            raise _with_libraries(error, recorded) from error
        unsaid = tuple(seen for seen in model.differences if seen not in recorded)
        check_environment(question.environment, unsaid, where=where)
        columns = decide(
            model,
            description,
            question.signature,
            question.outputs,
            names=question.inputs,
            where=where,
        )
        differences = (*recorded, *unsaid)
        if columns.open:  # to be asked again when a table tells the types
            return Findings(
                flavor=row.name, signature=columns, takes_nan=False, differences=differences
            )
        predictor = model.predictor(columns, question.params)
        if isinstance(predictor, ChecksItself):
            predictor.check()
        return Findings(
            flavor=row.name,
            signature=columns,
            takes_nan=predictor.takes_nan,
            differences=differences,
        )


def _with_libraries(error: ModelUnreadable, differences: tuple[str, ...]) -> ModelUnreadable:
    """The error, with the difference of libraries that it probably comes of."""
    what = f"{error.what} (trained with {', '.join(differences)})"
    fix = f"set environment: match, or {error.fix}"
    return ModelUnreadable(what, where=error.where, fix=fix)


def _opened_first(
    flavor: Flavor, folder: Path, description: MLmodel | None, model_config: Mapping[str, Any]
) -> OpenModel:
    """The model, checked as far as its flavor can; on the CPU where its GPU is not here."""
    try:
        model = flavor.open_model(folder, description, model_config)
    except GpuMissing:  # the tasks' nodes have GPUs; the sandbox only looks at the model
        model = flavor.open_model(folder, description, on_cpu(model_config))
    if isinstance(model, ChecksItself):
        model.check()
    return model
