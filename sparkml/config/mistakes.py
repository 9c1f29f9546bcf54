"""Pydantic's errors as sentences: the key, what is wrong, what is allowed, the nearest match."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from sparkml.config.fields import shown
from sparkml.config.job import JobConfig
from sparkml.config.sinks import Sink
from sparkml.config.sources import Source
from sparkml.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sparkml.config.yaml_text import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One thing that is wrong; `at` is the value, which may be the section that lacks a key."""

    at: Path
    what: str
    fix: str = ""


def check(data: Mapping[str, Any]) -> tuple[JobConfig | None, list[Mistake]]:
    """The configuration that `data` holds, or every mistake in it.

    A misspelt `format` hides what else is wrong in its section, so the section is checked again as
    the format that was probably meant.
    """
    try:
        return JobConfig.model_validate(data), []
    except ValidationError as error:
        found = error.errors(include_url=False)
    guessed, sure = _guess_formats(data, found)
    if not sure:
        return None, [_mistake(e) for e in found]
    formats = [_mistake(e) for e in sure]
    try:
        JobConfig.model_validate(guessed)
    except ValidationError as error:
        formats += [_mistake(e) for e in error.errors(include_url=False)]
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
    "string_pattern_mismatch": "must be a plain name: letters, digits and underscores",
}
_FIXES: dict[Path, str] = {
    ("max_quarantine",): "it is a share of the rows, 0 to 1: 0.01 is one row in a hundred",
}


def _mistake(error: Any) -> Mistake:  # noqa: PLR0911  # one return per kind of error
    kind, given, context = error["type"], error.get("input"), error.get("ctx", {})
    at = _path(error["loc"], kind)
    key = dotted(at)
    if kind == "extra_forbidden":
        return Mistake(at=at, what=f"unknown key '{key}'", fix=_near_key(error["loc"]))
    if kind == "missing":
        return Mistake(at=at[:-1], what=f"'{key}' is missing", fix=_missing_fix(error["loc"]))
    if kind == "union_tag_not_found":
        fix = f"one of {', '.join(_formats(at))}"
        return Mistake(at=at, what=f"'{key}.format' is missing", fix=fix)
    if kind == "union_tag_invalid":
        return _not_one_of(_formats(at), context["tag"], (*at, "format"))
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


def _path(loc: tuple[str | int, ...], kind: str) -> Path:
    """Where the error is in the user's terms: without the format that pydantic puts in between."""
    path: list[str | int] = []
    wanted = list(loc)
    while wanted:
        path.append(wanted.pop(0))
        if _is_union(tuple(path)) and wanted and not kind.startswith("union_tag"):
            wanted.pop(0)
        elif path[:1] == ["source"] and kind.startswith("union_tag") and len(path) == 1 and wanted:
            wanted.pop(0)  # a view of a query: only the outer format is in the way
    if path and path[-1] == "[key]":
        path.pop()
    return tuple(path)


def _is_union(path: Path) -> bool:
    return path in (("source",), ("sink",)) or (len(path) == 3 and path[:2] == ("source", "views"))


def _section(loc: tuple[str | int, ...]) -> type[BaseModel] | None:
    """The model in which the last part of `loc` stands; `loc` names formats as pydantic does."""
    kinds: list[Any] = [JobConfig]
    for part in loc:
        kinds = [inner for kind in kinds for inner in _inside(kind, part)]
    sections = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return sections[0] if len(sections) == 1 else None


def _inside(kind: Any, part: str | int) -> list[Any]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        by_key = {f.alias or name: f.annotation for name, f in kind.model_fields.items()}
        if "format" in by_key and get_args(by_key["format"]) == (part,):
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


def _near_key(loc: tuple[str | int, ...]) -> str:
    section = _section(loc[:-1])
    if section is None:
        return ""
    key, known = str(loc[-1]), _keys(section)
    hint = did_you_mean(key, known)
    others = [name for name, other in _by_format(str(loc[0])).items() if key in _keys(other)]
    if others:
        hint = f"it is a key of format {' and '.join(others)};"
    elif not hint.startswith("did"):
        hint = ""
    return f"{hint} known: {', '.join(known)}".strip()


def _missing_fix(loc: tuple[str | int, ...]) -> str:
    section = _section(loc[:-1])
    if section is None:
        return ""
    needed = [f.alias or n for n, f in section.model_fields.items() if f.is_required()]
    return f"needed there: {', '.join(sorted(needed, key=_keys(section).index))}"


def _by_format(section: str) -> dict[str, type[BaseModel]]:
    """The formats of the source or of the sink; nothing elsewhere."""
    union = {"source": Source, "sink": Sink}.get(section)
    members = members_of(union) if union else []
    return {get_args(m.model_fields["format"].annotation)[0]: m for m in members}


def _formats(path: Path) -> list[str]:
    """The formats that the source, the sink or the view at `path` may have."""
    return [name for name in _by_format(str(path[0])) if name != "sql" or len(path) == 1]


def _guess_formats(data: Mapping[str, Any], found: list[Any]) -> tuple[dict[str, Any], list[Any]]:
    """`data` with misspelt formats mended, and the errors that this mends."""
    guessed, mended = dict(data), []
    for error in found:
        if error["type"] != "union_tag_invalid" or len(error["loc"]) != 1:
            continue
        section = str(error["loc"][0])
        near = get_close_matches(str(error["ctx"]["tag"]).lower(), _formats((section,)), n=1)
        if near:
            guessed[section] = {**data[section], "format": near[0]}
            mended.append(error)
    return guessed, mended
