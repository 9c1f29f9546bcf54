"""The places in nested values that hold a secret: requests, specs, configurations."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sparkml.redaction.addresses import credentials
from sparkml.redaction.names import (
    is_about,
    is_secret,
    is_secret_name,
    says_nothing,
    without_placeholders,
    words,
)
from sparkml.redaction.text import encoded_in, named_in
from sparkml.redaction.tokens import commands_in, tokens_in

if TYPE_CHECKING:
    from collections.abc import Iterator

BY_NAME = "a value that its name calls secret"

_OF_COLUMNS = words(
    "rename schema nulls models views signature inputs outputs columns dtypes partition casts"
)
"""Keys below which stand names of columns, of models and of views: `schema: {token: string}`."""
_OF_A_FIELD = words("name type nullable metadata description title format items")
"""Keys that describe a column in a schema: `{"password": {"type": "string"}}`."""
_OPTION = re.compile(r"--?(?P<name>[A-Za-z][\w.-]*)")
_WHOLE = re.compile(
    r"--?(?P<flag>[A-Za-z][\w.-]*)=(?P<said>.*)|(?P<key>[\w.-]+)=(?P<value>.*)", re.DOTALL
)


def secrets_in(value: Any, place: str = "", name: str = "") -> Iterator[tuple[str, str]]:
    """The places in a value that hold something like a secret, as (where, what).

    Args:
        value: a request, a spec, a configuration, or a part of one.
        place: where the part stands in it.
        name: what the part is called: whatever is nested in a `password` is one as well.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, Mapping):
        yield from _in_mapping(value, place, name)
    elif isinstance(value, list | tuple | set | frozenset):
        yield from _in_list(list(value), place, name)
    elif isinstance(value, bytes):
        yield from secrets_in(value.decode("utf-8", "replace"), place, name)
    elif isinstance(value, str) and is_secret(name, value):
        yield place, BY_NAME
    elif isinstance(value, str):
        yield from ((f"{place}{inside}", what) for inside, what in _in_text(value))


def _in_mapping(values: Mapping[Any, Any], place: str, name: str) -> Iterator[tuple[str, str]]:
    columns = re.split(r"[.\[]", place)[-1] in _OF_COLUMNS
    # {"Key": "DB_PASSWORD", "Value": "…"}, as AWS writes tags and properties
    pair = {str(key).lower(): item for key, item in values.items()}
    field = isinstance(pair.get("type"), str)
    for key, item in values.items():
        inner, own = f"{place}.{key}".lstrip("."), str(key)
        paired = _name_beside(own.lower(), pair)
        if isinstance(paired, str):
            inner, own = f"{inner} (of {paired})", paired
        elif columns or (field and own in _OF_A_FIELD):
            own = ""
        elif name and (says_nothing(own) or not (is_secret_name(own) or is_about(own, of=name))):
            own = name if is_secret_name(name) else own
        yield from secrets_in(item, inner, own)


def _name_beside(key: str, pair: Mapping[str, Any]) -> Any:
    """What is named by the key beside this one: `VariableName` beside `VariableValue`."""
    for ending, names in _PAIRS.items():
        if key.endswith(ending) and (key == ending or len(ending) > 1):
            stem = key.removesuffix(ending)
            return next((pair[stem + name] for name in names if stem + name in pair), None)
    return None


_PAIRS = {"values": ("key", "name"), "value": ("key", "name"), "v": ("k",)}


def _in_list(values: list[Any], place: str, name: str) -> Iterator[tuple[str, str]]:
    """Items, where an option's value may be the next one: `--password`, `hunter2`."""
    texts = [item for item in values if isinstance(item, str)]
    if len(texts) == len(values) > 1:  # a command, word by word
        yield from ((place, what) for *_, what in commands_in(" ".join(texts)))
    if values and all(_is_pair(item) for item in values):
        values = [dict([item]) for item in values]
    option = ""
    for position, item in enumerate(values):
        at = f"{place}[{position}]"
        if option and isinstance(item, str) and is_secret(option, item):
            yield f"{at} (after --{option})", BY_NAME
        else:
            yield from secrets_in(item, at, name)
        named = _OPTION.fullmatch(item) if isinstance(item, str) else None
        option = named["name"] if named else ""


def _is_pair(item: Any) -> bool:
    """Whether it is a name and a value; two plain words may be a column and its new name."""
    if not isinstance(item, list | tuple) or len(item) != 2 or not isinstance(item[0], str):
        return False
    return item[0].isupper() or not re.fullmatch("[a-z_]+", str(item[1]))


def _in_text(text: str) -> Iterator[tuple[str, str]]:
    """What a text holds, as (which part of it, what)."""
    whole = _WHOLE.fullmatch(text)
    if whole:
        name, said = whole["flag"] or whole["key"], whole["said"] or whole["value"] or ""
        if is_secret(name, said):
            yield f" ({name}=…)", BY_NAME
            return
    if text.lstrip()[:1] in ("{", "["):
        try:
            read = json.loads(text)
        except (ValueError, RecursionError):  # then it is a text
            read = None
        yield from ((f" ({inside})", what) for inside, what in secrets_in(read))
    marked = without_placeholders(text)
    found = (*credentials(marked), *tokens_in(marked), *encoded_in(marked))
    yield from (("", what) for *_, what in found)
    yield from ((f" ({name}=…)", BY_NAME) for *_, name in named_in(marked))
