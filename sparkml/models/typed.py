"""Types that no model tells: taken from the table that it scores, before the first task."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from sparkml.errors import ModelNotFound, SignatureUnknown
from sparkml.models.artifact import cached_folder
from sparkml.models.first_opening import inspect_first
from sparkml.models.inspection import Question
from sparkml.models.null_policy import null_policies
from sparkml.spec import OPEN
from sparkml.type_names import type_name
from sparkml.zones import without_zone

if TYPE_CHECKING:
    from sparkml.spec import ModelSpec


def typed(spec: ModelSpec, schema: pa.Schema) -> ModelSpec:
    """`spec` with the types of `schema` for the inputs whose type is open; else `spec` itself.

    Costs one opening of the model in the sandbox, once for the same bytes and types: it is asked
    now what `read_spec` could not ask. A column that the table lacks is left to `bind`.

    Raises:
        ModelNotFound: this host's cache does not hold the model's files.
        SignatureError: the model does not take such types.
        ModelUnreadable: it does not survive them.
    """
    if not spec.signature.open:
        return spec
    spec = with_types(spec, schema)
    inputs, present = spec.signature.inputs, {*schema.names}
    if any(f.required and f.name not in present for f in inputs):
        return spec
    folder = cached_folder(spec.digest)
    if folder is None:
        raise ModelNotFound(
            "its files are not in this host's cache", where=spec.uri, fix="read_spec() it here"
        )
    findings = inspect_first(
        Question(
            digest=spec.digest,
            where=spec.uri,
            promised=True,  # the policies were asked when the spec was read: these are its bytes
            trust="always",
            environment="ignore",
            flavor=spec.flavor,
            signature=spec.signature,
            inputs=(),
            outputs=(),
            params=spec.params,
            model_config=spec.model_config,
            site=spec.environment,
        ),
        folder,
    )
    nulls = null_policies(spec.nulls, inputs, takes_nan=findings.takes_nan)
    return replace(spec, signature=findings.signature, nulls=nulls)


def with_types(spec: ModelSpec, schema: pa.Schema) -> ModelSpec:
    """`spec` with the types of `schema`, as yet without the null policies that go by them.

    A column that is not there, or that has no type as all of it is null, is one of texts: None is
    what pandas has there. Instants are given as a clock in their zone shows them, as by Spark.
    """
    known = (f for f in schema if not pa.types.is_null(f.type))
    types = {f.name: type_name(without_zone(f.type)) for f in known}
    inputs = tuple(
        replace(f, type=types.get(f.name, "string")) if f.type == OPEN else f
        for f in spec.signature.inputs
    )
    return replace(spec, signature=replace(spec.signature, inputs=inputs))


def refuse_open(spec: ModelSpec) -> None:
    """Refuse a spec with open types where no table can tell them.

    Raises:
        SignatureUnknown: it has some.
    """
    if spec.signature.open:
        names = ", ".join(f"'{name}'" for name in spec.signature.open[:8])
        raise SignatureUnknown(
            f"nobody says of which type the model's columns are: {names}",
            where=spec.uri,
            fix="declare them: read_spec(…, signature=Signature(inputs=(Field(name=…, type=…), "
            "…))), or score a table, whose types are taken",
        )
