"""A declared signature or null policy, as text or as a mapping, to the values of `sparkml.spec`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import get_args

from sparkml.config.fields import shown
from sparkml.errors import did_you_mean
from sparkml.spec import OPEN, Field, NullKind, NullPolicy, Signature, map_type, struct_type

NULL_KINDS: tuple[str, ...] = get_args(NullKind)

# Arrow's names, and the names that people who come from Python, NumPy or SQL write instead.
TYPES: dict[str, str] = {
    **{name: name for name in ("bool", "float", "double", "string", "binary", OPEN)},
    **{name: name for name in ("int8", "int16", "int32", "int64")},
    **{name: name for name in ("date32[day]", "timestamp[us]", "timestamp[us, tz=UTC]")},
    "boolean": "bool",
    "tinyint": "int8",
    "smallint": "int16",
    "int": "int32",
    "integer": "int32",
    "bigint": "int64",
    "long": "int64",
    "float32": "float",
    "float64": "double",
    "str": "string",
    "date": "date32[day]",
    "timestamp": "timestamp[us, tz=UTC]",
    "timestamp_ntz": "timestamp[us]",
}

_LIST = re.compile(r"(?:list|array)<\s*(?:item:\s*)?(.+)>")
_DECIMAL = re.compile(r"decimal(?:128)?\(\s*(\d{1,2})\s*,\s*(\d{1,2})\s*\)")
_STRUCT = re.compile(r"struct<(.+)>", re.DOTALL)
_MAP = re.compile(r"map<\s*([^,<>]+),(.+)>", re.DOTALL)
_COLUMN = re.compile(
    r"(?:`(?P<quoted>(?:[^`]|``)+)`|(?P<json>\"(?:[^\"\\]|\\.)+\")|(?P<bare>[^:`\"]+?))"
    r"(?P<optional>\??)\s*:\s*(?P<type>.+)",
    re.DOTALL,
)
_LENGTH = re.compile(r"(?P<type>.+>)\[(?P<length>[1-9]\d{0,6})\]")


def type_name(text: str) -> str:
    """Arrow's own name of a type, from that name or a common synonym.

    Raises:
        ValueError: there is no such type; the message holds the nearest one.
    """
    text = text.strip()
    if found := _LIST.fullmatch(text):
        return f"list<{type_name(found[1])}>"
    if found := _MAP.fullmatch(text):
        return map_type(type_name(found[1]), type_name(found[2]))
    if found := _STRUCT.fullmatch(text):
        fields = [_from_text(part) for part in _split(found[1], ",")]
        return struct_type((f.name, f.type, not f.required) for f in fields)
    if found := _DECIMAL.fullmatch(text.lower()):
        precision, scale = int(found[1]), int(found[2])
        if not 1 <= precision <= 38 or scale > precision:
            raise ValueError(f"type {shown(text)}: a decimal has 1 to 38 digits and fewer after it")
        return f"decimal128({precision}, {scale})"
    known = TYPES.get(text) or TYPES.get(text.lower())
    if known is None:
        raise ValueError(f"unknown type {shown(text)}; {did_you_mean(text, TYPES)}")
    return known


def parse_signature(value: object) -> Signature | None:
    """The signature that `inputs: […]`, `outputs: […]` or a line of text declares.

    The text reads `age: double, city: string? -> risk: double`. A `?` marks an input that may be
    left out, backquotes hold a name with punctuation, `list<double>[64]` is a vector of length 64,
    and the outputs may be left to the model.

    Raises:
        ValueError: the text or the mapping cannot be read; the message says where.
    """
    if value is None or isinstance(value, Signature):
        return value
    if isinstance(value, str):
        sides = list(_split(value, "->"))
        if len(sides) > 2:
            raise ValueError("has more than one '->'")
        return _signature([[_from_text(c) for c in _split(side, ",")] for side in sides])
    if not isinstance(value, Mapping):
        raise ValueError(f"must be text or a mapping with inputs and outputs, not {shown(value)}")
    _only(value, ("inputs", "outputs"))
    declared = [value.get("inputs"), value.get("outputs") or []]
    fields = [[_from_mapping(c) for c in _list(side)] for side in declared]
    return _signature(fields)


def parse_nulls(value: object) -> dict[str, NullPolicy] | None:
    """The null policy per input column; the key `"*"` is the rest. None leaves it to the model.

    Raises:
        ValueError: a policy is unknown; the message holds the nearest one.
    """
    if value is None:
        return None
    if isinstance(value, Mapping) and set(value) != {"fill"}:
        return {str(column): _policy(policy) for column, policy in value.items()}
    return {"*": _policy(value)}


def nulls_as_written(nulls: Mapping[str, NullPolicy] | None) -> dict[str, object] | None:
    """The policies as a configuration writes them: a word each, or `{fill: VALUE}`."""
    if nulls is None:
        return None
    return {c: {"fill": p.value} if p.kind == "fill" else p.kind for c, p in nulls.items()}


def _policy(value: object) -> NullPolicy:
    if isinstance(value, NullPolicy):
        return value
    if isinstance(value, Mapping) and set(value) == {"fill"}:
        filler = value["fill"]
        if not isinstance(filler, str | int | float | bool):
            raise ValueError(f"fill takes one value, not {shown(filler)}")
        return NullPolicy(kind="fill", value=filler)
    allowed = "propagate, model, quarantine, fail or {fill: VALUE}"
    if not isinstance(value, str) or value not in NULL_KINDS or value == "fill":
        near = f"; {did_you_mean(value, NULL_KINDS)}" if isinstance(value, str) else ""
        raise ValueError(f"{shown(value)} is no null policy{near} (allowed: {allowed})")
    return NullPolicy(kind=value)  # type: ignore[arg-type]  # one of NullKind, checked above


def _signature(sides: list[list[Field]]) -> Signature:
    if not sides or not sides[0]:
        raise ValueError("names no input")
    for side in sides:
        names = [f.name for f in side]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"names {shown(twice[0])} twice")
    return Signature(inputs=tuple(sides[0]), outputs=tuple(sides[1]) if len(sides) > 1 else ())


def _from_text(text: str) -> Field:
    found = _COLUMN.fullmatch(text.strip())
    if not found:
        raise ValueError(f"column {shown(text.strip())} must read NAME: TYPE")
    quoted = (found["quoted"] or "").replace("``", "`")
    name = quoted or (json.loads(found["json"]) if found["json"] else found["bare"].strip())
    declared = found["type"].strip()
    required = not (declared.endswith("?") or found["optional"])
    declared = declared.removesuffix("?").strip()
    sized = _LENGTH.fullmatch(declared)
    return Field(
        name=name,
        type=type_name(sized["type"] if sized else declared),
        required=required,
        length=int(sized["length"]) if sized else None,
    )


def _from_mapping(value: object) -> Field:
    if not isinstance(value, Mapping):
        raise ValueError(f"a column must be {{name, type}}, not {shown(value)}")
    _only(value, ("name", "type", "required", "length", "blanks"))
    name, declared = value.get("name"), value.get("type")
    if not isinstance(name, str) or not name or not isinstance(declared, str):
        raise ValueError(f"a column must have a name and a type: {shown(dict(value))}")
    required, length = value.get("required", True), value.get("length")
    if not isinstance(required, bool):
        raise ValueError(f"column '{name}': required must be true or false")
    if length is not None and (type(length) is not int or length < 1):
        raise ValueError(f"column '{name}': length must be a whole number, at least 1")
    blanks = value.get("blanks", False)
    if type(blanks) is not bool:
        raise ValueError(f"column '{name}': blanks must be true or false")
    return Field(
        name=name, type=type_name(declared), required=required, length=length, blanks=blanks
    )


def _list(value: object) -> list[object]:
    if not isinstance(value, list | tuple):
        raise ValueError("must have inputs, and may have outputs: lists of {name, type}")
    return list(value)


def _only(value: Mapping[str, object], keys: tuple[str, ...]) -> None:
    for key in value:
        if key not in keys:
            raise ValueError(f"unknown key '{key}'; {did_you_mean(key, keys)}")


def _split(text: str, mark: str) -> Iterator[str]:
    """The parts of `text` between the marks that stand outside brackets and backquotes."""
    depth, quoted, start, at = 0, False, 0, 0
    while at < len(text):
        char = text[at]
        quoted ^= char == "`"
        if not quoted and depth == 0 and text.startswith(mark, at):
            yield text[start:at]
            start = at = at + len(mark)
            continue
        if not quoted:
            depth += (char in "<([") - (char in ">)]")
        at += 1
    yield text[start:]
