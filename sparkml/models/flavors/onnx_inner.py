"""Inner tensors of an ONNX graph as outputs: a layer's activations, an embedding, raw scores.

ONNX Runtime gives what the graph names as an output. A model's file is a protobuf message, and two
messages one after the other are merged, their lists joined: so a few bytes behind the file name
further outputs, and no package that writes ONNX is needed. Types and shapes are inferred.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from sparkml.errors import ModelUnreadable, SignatureError
from sparkml.models.flavors.onnx_tensors import output_field, port_of
from sparkml.models.flavors.sklearn_signature import probe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sparkml.models.flavors.onnx import OnnxModel
    from sparkml.spec import Field

GRAPH, OUTPUT, NAME = 7, 12, 1
"""The numbers of `ModelProto.graph`, `GraphProto.output` and `ValueInfoProto.name`."""


def as_outputs(names: Iterable[str]) -> bytes:
    """What behind the bytes of a model makes outputs of the tensors `names`."""
    texts = (name.encode(errors="replace") for name in names)
    return _field(GRAPH, b"".join(_field(OUTPUT, _field(NAME, text)) for text in texts))


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    groups = []
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])


def with_inner(model: OnnxModel, names: Sequence[str]) -> OnnxModel | None:
    """The model with the inner tensors `names` as further outputs; None where it has not all.

    Costs an opening of the model.
    """
    if {*names} & {port.name for port in model.results}:
        return None
    try:
        session = model.reopen(names)
    except ModelUnreadable:
        return None
    made = copy.copy(model)
    made.session = session
    made.results = tuple(port_of(node) for node in session.get_outputs())
    made.names = [*model.names, *(port.name for port in made.results[len(model.results) :])]
    return made


def inner_fields(
    model: OnnxModel, names: Sequence[str], inputs: tuple[Field, ...]
) -> tuple[Field, ...]:
    """The outputs that those of `names` are which the graph has as inner tensors.

    Raises:
        SignatureError: one is a single value, or of a type that no column has.
    """
    found = [name for name in names if with_inner(model, [name])]
    opened = with_inner(model, found) if found else None
    if opened is None:
        return ()
    run = opened.runner(inputs, found)
    seen = probe(run, inputs, missing=False) or []
    ports = {port.name: port for port in opened.results}
    shapes = {name: table.shape for name, table in zip(found, seen, strict=False)}
    made = []
    for name in found:
        port, shape = ports[name], shapes.get(name, ports[name].shape)
        field = output_field(name, port, shape) if port.dtype else None
        if field is None:
            raise SignatureError(
                f"the inner tensor '{name}' is nothing that a column can hold",
                where=model.where,
                fix="name a tensor whose first dimension is that of the rows",
            )
        made.append(field)
    return tuple(made)
