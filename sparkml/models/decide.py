"""The signature of an open model: what the caller says, else MLflow, else the model itself."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from sparkml.errors import SignatureError, SignatureUnknown, did_you_mean
from sparkml.models.base import GivesInner, TakesMore
from sparkml.models.extra_outputs import check_outputs
from sparkml.models.mlmodel import MLmodel
from sparkml.spec import OPEN, Field, Signature

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sparkml.models.base import OpenModel

_VECTOR = re.compile(r"list<([^<>]+)>")


def decide(
    model: OpenModel,
    description: MLmodel | None,
    given: Signature | None,
    wanted: Sequence[str] = (),
    *,
    names: Sequence[str] = (),
    where: str,
) -> Signature:
    """The signature, each side from the caller, else from MLflow and the model.

    What the model tells about its outputs stands before what MLflow recorded: a recorded
    `predict` knows nothing of probabilities. `wanted` picks among them and the model's extras.
    `names` are those of the columns, in the model's order.

    Raises:
        SignatureUnknown: nobody tells one side.
        SignatureError: there is no output of a wanted name, or the names are not as many as the
            columns.
    """
    described = description or MLmodel(flavors={})
    inputs = (given.inputs if given else ()) or described.inputs or model.inputs
    if names:
        every = inputs or tuple(Field(name=name, type=OPEN) for name in names)
        inputs = _in_order(names, every, where)
    if not inputs:
        raise _unknown("takes", described, model, where)
    if isinstance(model, TakesMore):
        told = {f.name for f in inputs}
        inputs = (*inputs, *(f for f in model.more if f.name not in told))
    outputs = given.outputs if given else ()
    outputs = outputs or _asked(lambda columns: model.outputs(columns, described.outputs), inputs)
    extras = _asked(model.extras, inputs) if wanted else ()
    if not outputs and not (wanted and {*wanted} <= {f.name for f in extras}):
        raise _unknown("gives", described, model, where)
    if wanted:
        outputs = (*extras, *outputs)
        strange = [name for name in wanted if name not in {f.name for f in outputs}]
        if strange and isinstance(model, GivesInner):
            outputs = (*outputs, *_asked(partial(model.inner, strange), inputs))
        outputs = _picked(wanted, outputs, where)
    return Signature(inputs=inputs, outputs=outputs)


def _asked(
    of: Callable[[tuple[Field, ...]], tuple[Field, ...]], inputs: tuple[Field, ...]
) -> tuple[Field, ...]:
    """What the model answers for `inputs`, which seldom depends on the types that are open."""
    if not any(f.type == OPEN for f in inputs):
        return of(inputs)
    for guess in ("double", "string", "list<double>"):
        with suppress(SignatureError):
            columns = tuple(replace(f, type=guess) if f.type == OPEN else f for f in inputs)
            if answer := of(columns):
                return answer
    return ()


def _in_order(names: Sequence[str], inputs: tuple[Field, ...], where: str) -> tuple[Field, ...]:
    """The inputs by the names that the table has for them: one vector becomes its numbers."""
    if element := _VECTOR.fullmatch(inputs[0].type) if len(inputs) == 1 else None:
        number = Field(name="", type=element[1])
        inputs = (number,) * (inputs[0].length or len(names))
    if len(names) != len(inputs) or len(set(names)) < len(names):
        raise SignatureError(
            f"inputs names {len(set(names))} columns, the model takes {len(inputs)}",
            where=where,
            fix="name each column once, in the model's order",
        )
    known = {f.name: f for f in inputs}
    strange = [name for name in names if name not in known]
    if strange and len(strange) < len(names):
        raise SignatureError(
            f"the model has no input '{strange[0]}'",
            where=where,
            fix=did_you_mean(strange[0], known),
        )
    if not strange:
        return tuple(known[name] for name in names)
    return tuple(replace(f, name=name) for f, name in zip(inputs, names, strict=True))


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
