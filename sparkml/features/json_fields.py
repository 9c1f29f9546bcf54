"""Features of JSON texts: one field of a document."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import pyarrow as pa

from sparkml.errors import InputError

_STEP = r"\.([^.*\x27\x22\[\]()?@\s]+)|\[([0-9]{1,9})\]"
_PATH = rf"\$(?:{_STEP})*"
_NOT_A_PATH = "json_field: a path is written like $.a.b[0]"

# `get_json_object` alone also takes what is not JSON (single quotes, text after the end), and tells
# a null at the root or in an array by the text `null`. So the text is first parsed strictly, as one
# value of an array, whose next must be ours.
_END = "sparkml: end of text"
_IS_JSON = (
    f"""try_variant_get(try_parse_json(concat('[', text, ',"{_END}"]')), '$[1]', 'string')"""
    f" = '{_END}'"
)
JSON_FIELD = (
    rf"CASE WHEN NOT path RLIKE r'\A{_PATH}\z' THEN raise_error('{_NOT_A_PATH}')"
    f" WHEN {_IS_JSON} THEN nullif(get_json_object(text, path), 'null') END"
)

# How Jackson, Spark's JSON library, writes strings, and the digits that it reads at most.
_ESCAPES = {
    **{code: f"\\u{code:04X}" for code in range(32)},
    **str.maketrans({c: json.dumps(c)[1:-1] for c in '\b\t\n\f\r"\\'}),
}
_LONGEST_NUMBER = 1000
_SURROGATES = re.compile("[\ud800-\udfff\U00010000-\U0010ffff]")


class _Number(str):
    """A number of a JSON text, as Spark writes it."""

    __slots__ = ()


def json_field(text: pa.Array, *, path: str = "$") -> pa.Array:
    """One field of a JSON text, as text: what Spark's `get_json_object` gives for valid JSON.

    `path` is `$` with any number of `.name` and `[index]` (from 0) after it; the rest of JSONPath
    (RFC 9535: wildcards, filters, quoted names) is refused. A string gives its characters, `true`
    and `false` themselves, a whole number its digits, another number the nearest double as Java
    writes it (`1.10` is `1.1`, `1e9` is `1.0E9`; before Java 19 in rare cases with a digit more, in
    Spark only, for the same double), an object or an array its JSON without blanks.

    Null for a null, for a field that is not there or is JSON's null (or the text `null`), and for
    text that is not one JSON document (RFC 8259), whole and by itself; a name that stands twice in
    one object, some hundreds of levels, or a number of more than 1,000 digits make it bad as well.
    So does, from Spark 4.2 on, half of a surrogate pair (D83D alone); before, and in the kernel,
    it stays as it is written where it is within what is asked for.

    Raises:
        InputError: the path is of another kind. (In SQL: an error when the query runs.)

    >>> text = pa.array(['{"a": {"b": [1.50, "x"]}}', '{"a": {"b": 2}}', "{'a'", None])
    >>> json_field(text, path="$.a.b[0]").to_pylist(), json_field(text, path="$.a.b").to_pylist()
    (['1.5', None, None, None], ['[1.5,"x"]', '2', None, None])
    """
    if not re.fullmatch(_PATH, path):
        raise InputError(_NOT_A_PATH, where=path, fix="for other JSONPath, see get_json_object")
    steps: list[Any] = [name or int(index) for name, index in re.findall(_STEP, path)]
    return pa.array(
        [None if t is None else _field(t, steps) for t in text.to_pylist()], pa.string()
    )


def _field(text: str, steps: list[Any]) -> str | None:
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_whole,
            parse_float=_double,
            parse_constant=_refused,
        )
        for step in steps:
            kind = dict if isinstance(step, str) else list
            value = value[step] if isinstance(value, kind) else None
        found = value if isinstance(value, str) else _written(value)
        found.encode()
    except (ValueError, LookupError, RecursionError):
        return None
    return None if found == "null" else found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        msg = "a name stands twice"
        raise ValueError(msg)
    return fields


def _whole(number: str) -> _Number:
    _refuse_long(number)
    return _Number(int(number))


def _refuse_long(number: str) -> None:
    """Refuse a number that Jackson does not read; so no number costs more than a short one does."""
    digits = sum(map(number.count, "0123456789"))
    if number.lstrip("-").startswith("0") and not ("." in number and "e" in number.lower()):
        digits -= 1  # Jackson takes a part that is not there for -1 digits, after a zero only
    if digits > _LONGEST_NUMBER:
        msg = "no JSON number for Jackson"
        raise ValueError(msg)


def _double(number: str) -> _Number:
    """As `Double.toString` of Java 19 or later: the shortest digits that give the double back."""
    _refuse_long(number)
    value = float(number)
    if abs(value) == float("inf"):
        return _Number('"Infinity"' if value > 0 else '"-Infinity"')
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return _Number(format(Decimal(repr(value)), "f"))
    sign, tail, exponent = Decimal(repr(value)).normalize().as_tuple()
    first, *rest = map(str, tail)
    power = int(exponent) + len(rest)
    return _Number(f"{'-' * sign}{first}.{''.join(rest) or '0'}E{power}")


def _refused(constant: str) -> Any:
    msg = f"{constant} is not JSON"
    raise ValueError(msg)


def _written(value: Any) -> str:
    if isinstance(value, _Number):
        return value
    if isinstance(value, dict):
        return "{" + ",".join(f"{_written(k)}:{_written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    if isinstance(value, str):
        return '"' + _SURROGATES.sub(_escaped, value.translate(_ESCAPES)) + '"'
    return json.dumps(value)


def _escaped(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass").hex().upper()
    return re.sub("(....)", r"\\u\1", units)
