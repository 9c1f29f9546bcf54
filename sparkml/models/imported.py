"""What opening a model imports, read from its files: nothing is opened, imported or run.

A pickle tells it by itself, and so do skops' schema and the imports of a model that is a script.
What a pyfunc model or modules of its own import besides is known only from the requirements that
MLflow recorded.
"""

from __future__ import annotations

import ast
import re
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sparkml.errors import SparkMLError
from sparkml.models.documents import json_of, text_of
from sparkml.models.mlmodel import inside
from sparkml.models.pickled import imported_by
from sparkml.models.unpacked import check_bounded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sparkml.models import FlavorRow
    from sparkml.models.mlmodel import MLmodel

SCHEMA_BYTES = 16 << 20
SCRIPT_BYTES = 1 << 20
"""A script takes hundreds of times its size while it is parsed."""
MAIN = ("__main__", "__mp_main__")
"""The modules of a script or a notebook, which no other process has."""

_MODULE_KEYS = ("__module__", "module_path")
_LIBRARIES = {"pytorch": "torch", "spark": "pyspark"}
"""MLflow's loaders that are not named like their library."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imports:
    """What a model needs where it is opened.

    `extra` of sparkml brings its flavor. `modules`: each module that is imported → a name in it.
    `recorded`: distributions that MLflow recorded, where the model runs code that nobody read;
    empty where its files tell all.
    """

    extra: str
    modules: Mapping[str, str] = field(default_factory=dict)
    recorded: tuple[str, ...] = ()


def imports_of(place: Path, description: MLmodel | None, row: FlavorRow) -> Imports:
    """What opening these files imports; a file that cannot be read tells nothing.

    Costs one pass over the instructions of its pickles (some 0.1 s for a forest), within bounds.

    Args:
        place: a model's folder, or its only file.
        description: its `MLmodel`, where there is one.
        row: the flavor that opens it.
    """
    own = dict(description.flavors.get(row.mlflow_key, {})) if description else {}
    modules: dict[str, str] = {}
    for path in _files(place, own, row):
        modules |= _modules_of(path, many=path.name == "models.bin")
    loader = own.get("loader_module")
    if isinstance(loader, str):
        modules[loader] = ""
        library = loader.removeprefix("mlflow.").partition(".")[0]
        if loader.startswith("mlflow.") and library in (description.flavors if description else ()):
            modules[_LIBRARIES.get(library, library)] = ""
    brought = _brought(place, own)
    return Imports(
        extra=row.extra,
        modules={m: n for m, n in modules.items() if m.partition(".")[0] not in brought},
        recorded=_recorded(place) if loader or brought else (),
    )


def _files(place: Path, own: Mapping[str, Any], row: FlavorRow) -> Iterator[Path]:
    """The files that the flavor opens."""
    if place.is_file():
        yield place
    elif row.name == "keyed":
        yield place / "models.bin"
    elif not own:
        yield from (path for path in sorted(place.iterdir()) if path.suffix in row.suffixes)
    for key, value in own.items():
        if key != "code" and isinstance(value, str) and not place.is_file():
            try:
                named = inside(place, value, key=key, kind="either")
            except SparkMLError:
                continue
            yield from sorted(named.iterdir()) if named.is_dir() else [named]


def _modules_of(path: Path, *, many: bool) -> Mapping[str, str]:
    if not path.is_file():  # a pipe would be waited for
        return {}
    try:
        if path.suffix == ".py":
            if path.stat().st_size > SCRIPT_BYTES:
                return {}
            return dict.fromkeys(_imports_in(text_of(path)), "")
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if "schema.json" in archive.namelist():
                    return dict.fromkeys(_in_schema(archive), "")
    except Exception:  # noqa: BLE001 -- damaged bytes raise what they like; opening it tells that
        return {}
    return imported_by(path, many=many)


def _imports_in(text: str) -> Iterator[str]:
    """The modules that a script imports in any case: not those of its functions and branches."""
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            yield statement.module


def _in_schema(archive: zipfile.ZipFile) -> Iterator[str]:
    """The modules that skops' schema names."""
    check_bounded(archive.getinfo("schema.json"))
    with archive.open("schema.json") as file:
        text = file.read(SCHEMA_BYTES + 1)
    todo: list[Any] = [json_of(text)] if len(text) <= SCHEMA_BYTES else []
    while todo:
        part = todo.pop()
        if isinstance(part, dict):
            yield from (part[key] for key in _MODULE_KEYS if isinstance(part.get(key), str))
            todo.extend(part.values())
        elif isinstance(part, list):
            todo.extend(part)


def _brought(place: Path, own: Mapping[str, Any]) -> frozenset[str]:
    """The modules that travel in the model's own folder of code."""
    if not own.get("code"):
        return frozenset()
    try:
        folder = inside(place, own["code"], key="code", kind="folder")
    except SparkMLError:
        return frozenset()
    return frozenset(
        path.stem for path in folder.iterdir() if path.is_dir() or path.suffix == ".py"
    )


def _recorded(place: Path) -> tuple[str, ...]:
    """The names of the distributions in `requirements.txt`."""
    path = place / "requirements.txt"
    if not path.is_file():
        return ()
    try:
        lines = text_of(path).splitlines()
    except SparkMLError:
        return ()
    found = (re.match(r"[A-Za-z0-9][\w.-]*", line.strip()) for line in lines)
    return tuple(dict.fromkeys(one[0] for one in found if one))
