"""The signature of an open model: what the caller says, else MLflow, else the model itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkml.errors import SignatureError, SignatureUnknown
from sparkml.models.extra_outputs import check_outputs
from sparkml.models.mlmodel import MLmodel
from sparkml.spec import Signature

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparkml.models.base import OpenModel
    from sparkml.spec import Field


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
