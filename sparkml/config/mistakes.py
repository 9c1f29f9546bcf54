"""Pydantic's errors as sentences: the key, what is wrong, what is allowed, the nearest match."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from sparkml.config.fields import Section, shown
from sparkml.config.shape import (
    by_format,
    formats_of,
    is_union,
    keys_of,
    required_keys,
    section_at,
    tag_of,
)
from sparkml.errors import did_you_mean
from sparkml.redaction import wrong_value

if TYPE_CHECKING:
    from sparkml.config.shape import Root
    from sparkml.config.yaml_text import Path

    Config = TypeVar("Config", bound=Section)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One thing that is wrong; `at` is the value, which may be the section that lacks a key."""

    at: Path
    what: str
    fix: str = ""


def check(root: type[Config], data: Mapping[str, Any]) -> tuple[Config | None, list[Mistake]]:
    """The configuration that `data` holds, or every mistake in it; `root` is what it should be.

    A misspelt `format` hides what else is wrong in its section, so the section is checked again as
    the format that was probably meant.
    """
    try:
        return root.model_validate(data), []
    except ValidationError as error:
        found = _folded(error.errors(include_url=False))
    guessed, sure = _guess_formats(root, data, found)
    if not sure:
        return None, [_mistake(root, e) for e in found]
    formats = [_mistake(root, e) for e in sure]
    try:
        root.model_validate(guessed)
    except ValidationError as error:
        formats += [_mistake(root, e) for e in _folded(error.errors(include_url=False))]
    return None, formats


def dotted(path: Path) -> str:
    """A path as `--set` takes it: `rename."mean.radius"`; positions in lists read `steps[0]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        plain = part and not any(c in part for c in '."=[')
        escaped = part.replace("\\", "\\\\").replace('"', '\\"')
        text += ("." if text else "") + (part if plain else f'"{escaped}"')
    return text


_MUST = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "mapping_type": "must be a mapping of keys to values",
    "dict_type": "must be a mapping of keys to values",
    "tuple_type": "must be a list",
    "string_too_short": "must not be empty",
    "finite_number": "must be a finite number",
}
_FIXES: dict[Path, str] = {
    ("max_quarantine",): "it is a share of the rows, 0 to 1: 0.01 is one row in a hundred",
}


_PLAIN = {
    "string_type": ("str", "text"),
    "int_type": ("int", "a whole number"),
    "float_type": ("float", "a number"),
    "bool_type": ("bool", "true or false"),
}
"""Pydantic's error -> the member of a union that it names in the path, and our word for it."""


def _folded(errors: list[Any]) -> list[Any]:
    """The errors, those of one plain union (`str | int`), an error for each member, made one."""
    folded: list[Any] = []
    for loc, group in groupby(errors, key=_of_union):
        alike = list(group)
        if len(alike) == 1 or loc is None:
            folded += alike
            continue
        words = [_PLAIN[e["type"]][1] for e in alike]
        if "a number" in words and "a whole number" in words:
            words.remove("a whole number")
        told = f"must be {', '.join(words)}"
        folded.append({**alike[0], "type": "plain_union", "loc": loc, "msg": told})
    return folded


def _of_union(error: Any) -> tuple[str | int, ...] | None:
    """Where the union stands, if the error is that of one of its members."""
    *outer, last = error["loc"] or ("",)
    return tuple(outer) if last == _PLAIN.get(error["type"], ("",))[0] else None


def _mistake(root: Root, error: Any) -> Mistake:  # noqa: PLR0911  # one return per kind of error
    kind, given, context = error["type"], error.get("input"), error.get("ctx", {})
    at = _path(root, error["loc"], kind)
    key = dotted(at)
    if kind == "extra_forbidden":
        return Mistake(at=at, what=f"unknown key '{key}'", fix=_near_key(root, error["loc"], at))
    if kind == "missing":
        fix = _missing_fix(root, error["loc"])
        return Mistake(at=at[:-1], what=f"'{key}' is missing", fix=fix)
    if kind == "union_tag_not_found":
        fix = f"one of {', '.join(formats_of(root, at))}"
        return Mistake(at=at, what=f"'{key}.{tag_of(root, at)}' is missing", fix=fix)
    if kind == "union_tag_invalid":
        return _not_one_of(formats_of(root, at), context["tag"], (*at, tag_of(root, at)))
    if kind == "literal_error":
        words = re.findall(r"'[^']*'|True|False", context["expected"])
        return _not_one_of([w.strip("'") if "'" in w else w.lower() for w in words], given, at)
    if kind == "value_error":
        return Mistake(at=at, what=f"'{key}' {context['error']}", fix=_FIXES.get(at, ""))
    if kind in ("credentials", "address"):
        return Mistake(at=at, what=f"'{key}' {error['msg']}", fix=context["fix"])
    if kind == "too_short":
        return Mistake(at=at, what=f"'{key}' must not be empty")
    must = _MUST.get(kind) or error["msg"].replace("Input should be", "must be")
    fix = context.get("fix") or _FIXES.get(at, "")
    return Mistake(at=at, what=f"'{key}' {must}{_not(key, given)}", fix=fix)


def _not_one_of(words: list[str], given: object, at: Path) -> Mistake:
    must = f"must be {'one of ' * (len(words) > 1)}{', '.join(words)}"
    hint = did_you_mean(str(given), words)
    near = hint.startswith("did")
    said = f", not {shown(given)}" if near else _not(dotted(at), given)
    what = f"'{dotted(at)}' {must}{said}"
    if len(words) == 1:
        return Mistake(at=at, what=what, fix="leave it out")
    return Mistake(at=at, what=what, fix=hint if near else "choose one of them")


def _not(key: str, given: object) -> str:
    """What stands there instead, where it can be no secret: passwords get into wrong lines."""
    if isinstance(given, Mapping):
        return ", not a mapping"
    said = wrong_value(key, given)
    return "" if said is None else f", not {shown(said)}"


def _path(root: Root, loc: tuple[str | int, ...], kind: str) -> Path:
    """Where the error is in the user's terms: without the format that pydantic puts in between."""
    path: list[str | int] = []
    wanted = list(loc)
    while wanted:
        path.append(wanted.pop(0))
        if is_union(root, tuple(path)) and wanted and not kind.startswith("union_tag"):
            wanted.pop(0)
        elif path[:1] == ["source"] and kind.startswith("union_tag") and len(path) == 1 and wanted:
            wanted.pop(0)  # a view of a query: only the outer format is in the way
    if path and path[-1] == "[key]":
        path.pop()
    return tuple(path)


def _near_key(root: Root, loc: tuple[str | int, ...], at: Path) -> str:
    """The key that was probably meant, whole as `--set` takes it; those that the section has."""
    section = section_at(root, loc[:-1])
    if section is None:
        return ""
    key, known = str(loc[-1]), keys_of(section)
    hint = did_you_mean(key, known)
    hint = re.sub(r"(?<=mean ')\w+", lambda near: dotted((*at[:-1], near[0])), hint)
    members = by_format(root, str(loc[0])).items()
    others = [name for name, other in members if key in keys_of(other)]
    if others:
        hint = f"it is a key of {tag_of(root, loc)} {' and '.join(others)};"
    elif not hint.startswith("did"):
        hint = ""
    return f"{hint} known: {', '.join(known)}".strip()


def _missing_fix(root: Root, loc: tuple[str | int, ...]) -> str:
    section = section_at(root, loc[:-1])
    return f"needed there: {', '.join(required_keys(section))}" if section else ""


def _guess_formats(
    root: Root, data: Mapping[str, Any], found: list[Any]
) -> tuple[dict[str, Any], list[Any]]:
    """`data` with misspelt formats mended, and the errors that this mends."""
    guessed, mended = dict(data), []
    for error in found:
        if error["type"] != "union_tag_invalid" or len(error["loc"]) != 1:
            continue
        section = str(error["loc"][0])
        near = get_close_matches(
            str(error["ctx"]["tag"]).lower(), formats_of(root, (section,)), n=1
        )
        if near:
            guessed[section] = {**data[section], tag_of(root, (section,)): near[0]}
            mended.append(error)
    return guessed, mended
