"""The shape of a configuration: the keys of its sections, and which of several a section is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from pydantic import BaseModel

from sparkml.config.fields import Free, Options

if TYPE_CHECKING:
    from sparkml.config.yaml_text import Path

    Root = type[BaseModel]

TAGS = ("format", "flavor")
"""The keys that tell which of several sections one is."""


def required_keys(section: Root) -> list[str]:
    """The keys that a section must have, its own before those that it shares with its siblings."""
    fields = section.model_fields.items()
    needed = [f.alias or name for name, f in fields if f.is_required()]
    return sorted(needed, key=keys_of(section).index)


def section_at(root: Root, loc: tuple[str | int, ...]) -> Root | None:
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


def keys_of(section: type[BaseModel]) -> list[str]:
    """The keys of a section, its own before those that it shares with its siblings."""
    fields = section.model_fields.items()
    own = sorted(fields, key=lambda item: item[0] not in section.__annotations__)
    return [f.alias or name for name, f in own]


def tag_of(root: Root, path: Path) -> str:
    """The key that tells which of several sections the one at `path` is; "" where it is alone."""
    field = root.model_fields.get(str(path[0]))
    return str(field.discriminator or "") if field else ""


def by_format(root: Root, section: str) -> dict[str, Root]:
    """The formats of the source or of the sink, the flavors of the model; nothing elsewhere."""
    tag = tag_of(root, (section,))
    members = members_of(root.model_fields[section].annotation) if tag else []
    return {get_args(m.model_fields[tag].annotation)[0]: m for m in members}


def formats_of(root: Root, path: Path) -> list[str]:
    """The formats that the source, the sink or the view at `path` may have."""
    return [name for name in by_format(root, str(path[0])) if name != "sql" or len(path) == 1]


def is_union(root: Root, path: Path) -> bool:
    """Whether pydantic names a format after `path`: several sections may stand there."""
    outer = len(path) == 1 and bool(tag_of(root, path))
    return outer or (len(path) == 3 and path[:2] == ("source", "views"))


def settings_in(section: BaseModel, path: Path = ()) -> Iterator[Path]:
    """The paths of the mappings whose keys are not ours: settings, options, parameters."""
    for name, field in type(section).model_fields.items():
        value, here = getattr(section, name), (*path, field.alias or name)
        if field.annotation in (Options, Free):
            yield here
        for key, inner in value.items() if isinstance(value, Mapping) else [(None, value)]:
            if isinstance(inner, BaseModel):
                yield from settings_in(inner, here if key is None else (*here, key))
