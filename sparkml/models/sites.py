"""The environments of models' own libraries, as this host holds them (`matched` makes them).

Each is a folder with the versions that a model records, as far as they differ from what is
installed; a Python that runs with it ahead of its own libraries has the model's. Its name is a
digest of all that it is made from.
"""

from __future__ import annotations

import json
import re
import sys
from importlib.machinery import BYTECODE_SUFFIXES, EXTENSION_SUFFIXES, SOURCE_SUFFIXES
from pathlib import Path

from sparkml.errors import EnvironmentMismatch, SparkMLError
from sparkml.models.archive import zipped
from sparkml.models.digest import MADE_BY_PYTHON, digest_of_files, model_files
from sparkml.models.host_cache import cache_root, place_once, private

PREFIX = "sparkml-site-"
"""How the folders' names begin: by them a process knows with which one it runs."""
NOTE = "site.json"
_IMPORTED = (*SOURCE_SUFFIXES, *BYTECODE_SUFFIXES, *EXTENSION_SUFFIXES, ".so", ".pth")
_NAME = re.compile(PREFIX + "[0-9a-f]{40}")


def present() -> str:
    """The name of the environment with which this process runs; empty where it has none."""
    names = (Path(place).name for place in sys.path if isinstance(place, str))
    return next((name for name in names if name.startswith(PREFIX)), "")


def check_present(name: str, *, where: str) -> None:
    """Refuse to open a model in a process that runs with other libraries than its own.

    Raises:
        EnvironmentMismatch: it does.
    """
    if name == present():
        return
    site = _place(name) / name if name else None
    what = "with the libraries of its own environment" if name else "without another model's"
    fix = "score() and the jobs start such workers, and one query has one environment"
    if site and site.is_dir():
        fix += f"; here: start Python with PYTHONPATH={site}"
    raise EnvironmentMismatch(
        f"the model is to be opened {what}, and this process runs otherwise", where=where, fix=fix
    )


def site_folder(name: str) -> Path:
    """The folder to put ahead of the others on `sys.path`.

    Raises:
        EnvironmentMismatch: this host's cache does not hold it.
    """
    site = _place(name) / name
    if not site.is_dir():
        raise EnvironmentMismatch(
            f"this host does not hold the environment {name}",
            where=str(site.parent),
            fix="call read_spec() on this host",
        )
    return site


def libraries(name: str) -> tuple[str, ...]:
    """What an environment brings, each as `name==version`; empty where this host lacks it."""
    try:
        return tuple(json.loads((_place(name) / NOTE).read_text(encoding="utf-8"))["libraries"])
    except (OSError, ValueError, LookupError, TypeError):
        return ()


def packed(name: str) -> Path:
    """The environment as a zip, for the way to other hosts; made the first time it is asked for.

    Raises:
        EnvironmentMismatch: this host's cache does not hold it.
    """
    archive = _place(name) / f"{name}.zip"
    return archive if archive.exists() else zipped(_files(site_folder(name)), archive)


def admit_site(made: Path, name: str, libraries: list[str]) -> None:
    """Give an environment in `made`, a folder that holds the one of its name, its place.

    Of several processes that do so at once, the first one's stays.
    """
    files = _files(made / name)
    note = {
        "content": digest_of_files(files),
        "files": [file for file, _ in files],
        "libraries": libraries,
    }
    (made / NOTE).write_text(json.dumps(note), encoding="utf-8")
    place_once(made, _place(name), _is_right)


def holds_site(name: str) -> bool:
    """Whether this host holds an environment, as it was built; one reading of its files.

    What a library has written beside its modules, and Python could not import, is no change.
    """
    return _is_right(_place(name))


def site_is_there(name: str) -> bool:
    """Whether this host has a folder of that name, right or not."""
    return _place(name).is_dir()


def _place(name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise EnvironmentMismatch(
            f"'{name}' is no environment's name", where="environment", fix="read the spec again"
        )
    return private(cache_root() / "environments") / name.removeprefix(PREFIX)


def _is_right(place: Path) -> bool:
    """Whether the environment is there as it was built."""
    try:
        told = json.loads((place / NOTE).read_text(encoding="utf-8"))
        known = set(told["files"])
        found = [
            (name, path)
            for name, path in _files(place / f"{PREFIX}{place.name}")
            if name in known or path.suffix in _IMPORTED
        ]
        return bool(told["content"] == digest_of_files(found))
    except (OSError, ValueError, LookupError, TypeError, SparkMLError):
        return False


def _files(site: Path) -> list[tuple[str, Path]]:
    """The files of an environment but for those that Python writes beside them."""
    found = model_files(site)
    return [(name, path) for name, path in found if MADE_BY_PYTHON not in Path(name).parts]
