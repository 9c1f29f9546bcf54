"""From what a caller declares about nulls to one `NullPolicy` per input column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import pyarrow as pa

from sparkml.errors import ConfigError, did_you_mean
from sparkml.models.plain import plain_mapping
from sparkml.spec import OPEN, NullKind, NullPolicy
from sparkml.type_names import to_arrow_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sparkml.spec import Field

KINDS: tuple[NullKind, ...] = get_args(NullKind)


def null_policies(
    declared: str | Mapping[str, Any] | None, inputs: tuple[Field, ...], *, takes_nan: bool
) -> dict[str, NullPolicy]:
    """The policies by column, with a default under `"*"`.

    `declared` is nothing, one policy for every column, or a policy per column (`"*"`: all others);
    a policy is a word or `{"fill": value}`. The default of the default: `model` where the model
    itself takes missing values and for a column that it does not require, `quarantine` otherwise.
    Where a type is open, only what is declared: the rest is for later.

    Raises:
        ConfigError: an unknown column or policy, or a value of the wrong type.
    """
    entries = {"*": declared} if isinstance(declared, str) else plain_mapping(declared, "nulls")
    names = [f.name for f in inputs]
    for name in entries:
        if name != "*" and name not in names:
            raise ConfigError(
                f"the model has no input '{name}'",
                where=f"nulls.{name}",
                fix=did_you_mean(name, names),
            )
    default = NullPolicy(kind="model" if takes_nan else "quarantine")
    if any(f.type == OPEN for f in inputs):  # the model cannot be asked yet
        return {name: _policy(entry, name) for name, entry in entries.items()}
    policies = {"*": _policy(entries["*"], "*") if "*" in entries else default}
    if "*" not in entries:
        policies |= {f.name: NullPolicy(kind="model") for f in inputs if not f.required}
    policies |= {name: _policy(entry, name) for name, entry in entries.items() if name != "*"}
    for column in inputs:
        _check_fill(policies.get(column.name, policies["*"]), column)
    return policies


def _policy(entry: Any, name: str) -> NullPolicy:
    where = f"nulls.{name}"
    if isinstance(entry, NullPolicy):
        return entry
    if isinstance(entry, dict):
        if list(entry) != ["fill"] or entry["fill"] is None:
            raise ConfigError(f"{entry!r} is no policy", where=where, fix="write {fill: value}")
        return NullPolicy(kind="fill", value=entry["fill"])
    known = [kind for kind in KINDS if kind != "fill"]
    if entry == "fill":
        raise ConfigError("fill needs a value", where=where, fix="write {fill: value}")
    for kind in known:
        if entry == kind:
            return NullPolicy(kind=kind)
    raise ConfigError(f"unknown policy {entry!r}", where=where, fix=did_you_mean(str(entry), known))


def _check_fill(policy: NullPolicy, column: Field) -> None:
    if policy.kind != "fill":
        return
    dtype = to_arrow_type(column.type)
    try:
        if pa.types.is_boolean(dtype) != isinstance(policy.value, bool):
            raise pa.ArrowInvalid("a boolean where a number stands, or the other way round")
        if pa.types.is_integer(dtype) and not isinstance(policy.value, int):
            raise pa.ArrowInvalid("not an integer")
        pa.scalar(policy.value, dtype)
    except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{policy.value!r} cannot fill a column of type {column.type}: {error}",
            where=f"nulls.{column.name}",
            fix="give a value of the column's type, or another policy for this column",
        ) from error
