"""The names of types in a `Field`: Arrow's own, with structs and maps so that they parse."""

from __future__ import annotations

import json
import re
from itertools import accumulate, repeat
from typing import TYPE_CHECKING

import pyarrow as pa

from sparkml.errors import SignatureError, did_you_mean
from sparkml.lists import is_list, is_vector
from sparkml.spec import map_type, struct_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SIMPLE = {
    "int": pa.int32(), "long": pa.int64(), "boolean": pa.bool_(), "date": pa.date32(),
    "bytes": pa.binary(), "timestamp": pa.timestamp("us", "UTC"),
    "timestamp_ntz": pa.timestamp("us"), "date32[day]": pa.date32(),
}  # fmt: skip
_LIST = re.compile(r"^(?:large_)?list<(?:(?:item|element): )?(.+?)(?: not null)?>$", re.DOTALL)
_STRUCT = re.compile(r"^struct<(.+)>$", re.DOTALL)
_MAP = re.compile(r"^map<(.+)>$", re.DOTALL)
_MARK = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[<(\[]|[>)\]]|,', re.DOTALL)
_BARE = re.compile(r"[^\"`:?<>,]+")
_DECIMAL = re.compile(r"^decimal(?:128)?\((\d+), ?(-?\d+)\)$")
_TIMESTAMP = re.compile(r"^timestamp\[(s|ms|us|ns)(?:, tz=([^]]+))?\]$")
_KNOWN = (
    *("double", "float", "int64", "int32", "int16", "int8", "bool", "string", "binary", "date"),
    *("timestamp", "timestamp_ntz", "decimal128(9, 2)", "list<double>", "map<string, double>"),
    'struct<"name": double>',
)
DEEPEST = 100
"""How many levels a type may have."""
_DEEPER = {"<": 1, ">": -1}
_OPTIONAL = {"optional": "true"}
"""What marks a field of a struct that rows may lack: the metadata of Arrow's field."""


def to_arrow_type(name: str) -> pa.DataType:
    """The Arrow type that a `Field.type` names, e.g. `double`, `list<double>`, `decimal128(9, 2)`.

    The fields of a struct have their names in JSON's quotes, or bare where these are plain; a `?`
    after it marks one that may be absent: `struct<"a b": double, c?: string>`.

    Raises:
        SignatureError: no such type.
    """
    try:
        return _parsed(name)
    except SignatureError:
        raise
    # Arrow's own: a precision of 99 digits, half a character in a name, nothing as a map's key.
    except (ValueError, OverflowError, RecursionError) as error:
        raise SignatureError(
            f"no type is called '{name[:200]}': {error}",
            where="signature",
            fix="write it as one of " + ", ".join(_KNOWN),
        ) from error


def _parsed(name: str) -> pa.DataType:
    if name in _SIMPLE:
        return _SIMPLE[name]
    if name.count("<") > DEEPEST and max(accumulate(map(_DEEPER.get, name, repeat(0)))) > DEEPEST:
        raise ValueError(f"it has more than {DEEPEST} levels")
    for pattern, make in _PATTERNS:
        if found := pattern.match(name):
            return make(*found.groups())
    try:
        return pa.type_for_alias(name)
    except ValueError:
        raise SignatureError(
            f"unknown type '{name}'", where="signature", fix=did_you_mean(name, _KNOWN)
        ) from None


def type_name(dtype: pa.DataType) -> str:
    """The name of a type, which `to_arrow_type` reads; a Spark ML vector is `list<double>`."""
    if is_vector(dtype):
        return "list<double>"
    if is_list(dtype):
        return f"list<{type_name(dtype.value_type)}>"
    if pa.types.is_map(dtype):
        return map_type(type_name(dtype.key_type), type_name(dtype.item_type))
    if pa.types.is_struct(dtype):
        return struct_type((f.name, type_name(f.type), is_optional(f)) for f in dtype)
    return str(dtype)


def is_optional(field: pa.Field) -> bool:
    """Whether a struct's field may be absent."""
    return b"optional" in (field.metadata or {})


def _parts(text: str) -> Iterator[str]:
    """What commas part; one in a name or in a type parts nothing."""
    start, depth = 0, 0
    for mark in [*_MARK.finditer(text), None]:
        if mark is None or (mark[0] == "," and not depth):
            yield text[start : mark.start() if mark else None].strip()
            start = mark.end() if mark else 0
        elif mark[0] in "<([":
            depth += 1
        elif mark[0] in ">)]":
            depth -= 1


def _struct_field(text: str) -> pa.Field:
    name, rest = _name_and_rest(text)
    optional = rest.startswith("?")
    colon, dtype = rest[optional : optional + 1], rest[optional + 1 :].strip()
    if not name or colon != ":" or not dtype:
        raise SignatureError(
            f"a struct cannot have the field {text}",
            where="signature",
            fix='write struct<"name": double, …>',
        )
    return pa.field(name, to_arrow_type(dtype), metadata=_OPTIONAL if optional else None)


def _map(text: str) -> pa.MapType:
    parts = list(_parts(text))
    if len(parts) != 2:
        raise SignatureError(
            f"a map of {len(parts)} types: map<{text}>",
            where="signature",
            fix="write map<string, double>",
        )
    return pa.map_(*map(to_arrow_type, parts))


def _name_and_rest(text: str) -> tuple[str, str]:
    if bare := _BARE.match(text):
        return bare[0].strip(), text[bare.end() :]
    try:
        name, end = json.JSONDecoder().raw_decode(text)
    except json.JSONDecodeError:
        return "", text
    return (name, text[end:]) if isinstance(name, str) else ("", text)


_PATTERNS: tuple[tuple[re.Pattern[str], Callable[..., pa.DataType]], ...] = (
    (_LIST, lambda element: pa.list_(to_arrow_type(element))),
    (_STRUCT, lambda fields: pa.struct([_struct_field(part) for part in _parts(fields)])),
    (_MAP, _map),
    (_DECIMAL, lambda precision, scale: pa.decimal128(int(precision), int(scale))),
    (_TIMESTAMP, lambda _, zone: pa.timestamp("us", zone)),
)
