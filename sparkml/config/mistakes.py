"""Pydantic's errors as sentences: the key, what is wrong, what is allowed, the nearest match."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import groupby
from types import UnionType
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from sparkml.config.fields import Section, shown
from sparkml.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sparkml.config.yaml_text import Path

    Root = type[BaseModel]
    Config = TypeVar("Config", bound=Section)

TAGS = ("format", "flavor")
"""The keys that tell which of several sections one is."""


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


def required_keys(section: Root) -> list[str]:
    """The keys that a section must have, its own before those that it shares with its siblings."""
    fields = section.model_fields.items()
    needed = [f.alias or name for name, f in fields if f.is_required()]
    return sorted(needed, key=_keys(section).index)


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
    "string_pattern_mismatch": "must be a plain name: letters, digits and underscores",
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
        fix = f"one of {', '.join(_formats(root, at))}"
        return Mistake(at=at, what=f"'{key}.{_tag(root, at)}' is missing", fix=fix)
    if kind == "union_tag_invalid":
        return _not_one_of(_formats(root, at), context["tag"], (*at, _tag(root, at)))
    if kind == "literal_error":
        return _not_one_of(re.findall(r"'([^']*)'", context["expected"]), given, at)
    if kind == "value_error":
        return Mistake(at=at, what=f"'{key}' {context['error']}", fix=_FIXES.get(at, ""))
    if kind == "too_short":
        return Mistake(at=at, what=f"'{key}' must not be empty")
    must = _MUST.get(kind) or error["msg"].replace("Input should be", "must be")
    return Mistake(at=at, what=f"'{key}' {must}, not {shown(given)}", fix=_FIXES.get(at, ""))


def _not_one_of(words: list[str], given: object, at: Path) -> Mistake:
    what = f"'{dotted(at)}' must be one of {', '.join(words)}, not {shown(given)}"
    hint = did_you_mean(str(given), words)
    return Mistake(at=at, what=what, fix=hint if hint.startswith("did") else "choose one of them")


def _path(root: Root, loc: tuple[str | int, ...], kind: str) -> Path:
    """Where the error is in the user's terms: without the format that pydantic puts in between."""
    path: list[str | int] = []
    wanted = list(loc)
    while wanted:
        path.append(wanted.pop(0))
        if _is_union(root, tuple(path)) and wanted and not kind.startswith("union_tag"):
            wanted.pop(0)
        elif path[:1] == ["source"] and kind.startswith("union_tag") and len(path) == 1 and wanted:
            wanted.pop(0)  # a view of a query: only the outer format is in the way
    if path and path[-1] == "[key]":
        path.pop()
    return tuple(path)


def _is_union(root: Root, path: Path) -> bool:
    outer = len(path) == 1 and bool(_tag(root, path))
    return outer or (len(path) == 3 and path[:2] == ("source", "views"))


def _section(root: Root, loc: tuple[str | int, ...]) -> Root | None:
    """The model in which the last part of `loc` stands; `loc` names formats as pydantic does."""
    kinds: list[Any] = [root]
    for part in loc:
        kinds = [inner for kind in kinds for inner in _inside(kind, part)]
    sections = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return sections[0] if len(sections) == 1 else None


def _inside(kind: Any, part: str | int) -> list[Any]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        by_key = {f.alias or name: f.annotation for name, f in kind.model_fields.items()}
        if any(get_args(by_key.get(tag)) == (part,) for tag in TAGS):
            return [kind]
        return members_of(by_key[part]) if part in by_key else []
    arguments = [a for a in get_args(kind) if a is not ...]
    return members_of(arguments[-1]) if arguments else []


def members_of(annotation: Any) -> list[Any]:
    """What an annotation may hold: a union's members, without the wrapping of `Annotated`."""
    while hasattr(annotation, "__metadata__"):
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, UnionType):
        return [inner for member in get_args(annotation) for inner in members_of(member)]
    return [annotation]


def _keys(section: type[BaseModel]) -> list[str]:
    """The keys of a section, its own before those that it shares with its siblings."""
    fields = section.model_fields.items()
    own = sorted(fields, key=lambda item: item[0] not in section.__annotations__)
    return [f.alias or name for name, f in own]


def _near_key(root: Root, loc: tuple[str | int, ...], at: Path) -> str:
    """The key that was probably meant, whole as `--set` takes it; those that the section has."""
    section = _section(root, loc[:-1])
    if section is None:
        return ""
    key, known = str(loc[-1]), _keys(section)
    hint = did_you_mean(key, known)
    hint = re.sub(r"(?<=mean ')\w+", lambda near: dotted((*at[:-1], near[0])), hint)
    members = _by_format(root, str(loc[0])).items()
    others = [name for name, other in members if key in _keys(other)]
    if others:
        hint = f"it is a key of {_tag(root, loc)} {' and '.join(others)};"
    elif not hint.startswith("did"):
        hint = ""
    return f"{hint} known: {', '.join(known)}".strip()


def _missing_fix(root: Root, loc: tuple[str | int, ...]) -> str:
    section = _section(root, loc[:-1])
    return f"needed there: {', '.join(required_keys(section))}" if section else ""


def _tag(root: Root, path: Path) -> str:
    """The key that tells which of several sections the one at `path` is; "" where it is alone."""
    field = root.model_fields.get(str(path[0]))
    return str(field.discriminator or "") if field else ""


def _by_format(root: Root, section: str) -> dict[str, Root]:
    """The formats of the source or of the sink, the flavors of the model; nothing elsewhere."""
    tag = _tag(root, (section,))
    members = members_of(root.model_fields[section].annotation) if tag else []
    return {get_args(m.model_fields[tag].annotation)[0]: m for m in members}


def _formats(root: Root, path: Path) -> list[str]:
    """The formats that the source, the sink or the view at `path` may have."""
    return [name for name in _by_format(root, str(path[0])) if name != "sql" or len(path) == 1]


def _guess_formats(
    root: Root, data: Mapping[str, Any], found: list[Any]
) -> tuple[dict[str, Any], list[Any]]:
    """`data` with misspelt formats mended, and the errors that this mends."""
    guessed, mended = dict(data), []
    for error in found:
        if error["type"] != "union_tag_invalid" or len(error["loc"]) != 1:
            continue
        section = str(error["loc"][0])
        near = get_close_matches(str(error["ctx"]["tag"]).lower(), _formats(root, (section,)), n=1)
        if near:
            guessed[section] = {**data[section], _tag(root, (section,)): near[0]}
            mended.append(error)
    return guessed, mended
