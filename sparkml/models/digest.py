"""The digest of a model, one SHA-256 over every file, and the promise that it is compared with."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sparkml.errors import DigestMismatch, UntrustedModel

if TYPE_CHECKING:
    from collections.abc import Iterable

TAG = "sparkml.digest"
"""The tag of a registered model version that promises its digest."""
FILE = "model.sha256"
"""The file beside a model file, or in a model's folder, that promises it."""
IGNORED = frozenset({"registered_model_meta", FILE})
"""At the top of a model's folder: what MLflow writes at download, and the promise."""
MADE_BY_PYTHON = "__pycache__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One file of a model: its path inside the folder, its size and the SHA-256 of its content."""

    name: str
    size: int
    sha256: str


def digest_of_parts(parts: Iterable[Part]) -> str:
    """The SHA-256 over every file, in hexadecimal: a line for each, in the order of the paths."""
    total = hashlib.sha256()
    for part in sorted(parts, key=lambda part: part.name):
        total.update(b"%b\0%d\0%b\n" % (os.fsencode(part.name), part.size, part.sha256.encode()))
    return total.hexdigest()


def digest_of(folder: Path) -> str:
    """The digest of the files in `folder`: see `digest_of_parts`.

    Empty folders do not count. Costs one reading of the files.

    Raises:
        UntrustedModel: a link leads out of the folder.
    """
    return digest_of_files(model_files(folder))


def digest_of_files(files: Iterable[tuple[str, Path]]) -> str:
    """The digest of files, each with its name: see `digest_of_parts`."""
    return digest_of_parts(_parts(files))


def parts_of(folder: Path) -> list[Part]:
    """The files in `folder`, read once each.

    Raises:
        UntrustedModel: a link leads out of the folder.
    """
    return _parts(model_files(folder))


def _parts(files: Iterable[tuple[str, Path]]) -> list[Part]:
    return [Part(name=name, size=path.stat().st_size, sha256=sha256(path)) for name, path in files]


def sha256(path: Path) -> str:
    """The SHA-256 of one file's content, as `sha256sum` prints it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def model_files(folder: Path) -> list[tuple[str, Path]]:
    """Every file of a model, sorted by its path inside the folder.

    Raises:
        UntrustedModel: a link leads out of the folder, or to a folder.
    """
    root = folder.resolve()
    found: list[tuple[str, Path]] = []
    for where, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(where, name)
            relative = path.relative_to(folder).as_posix()
            if path.is_symlink():
                _refuse_strange_link(path, root)
            if name in files and relative not in IGNORED:
                found.append((relative, path))
    return sorted(found)


def _refuse_strange_link(path: Path, root: Path) -> None:
    target = path.resolve()
    if not target.is_relative_to(root) or not target.is_file():
        raise UntrustedModel(
            f"'{path.name}' links to {target}, which is not a file of the model",
            where=str(path),
            fix="put a copy of the file in its place",
        )


def promised_in(text: str, name: str = "") -> str:
    """The digest that a `model.sha256` holds for the file `name`; empty where it has none.

    Lines as `sha256sum` writes them: the digest, then perhaps the file's name.
    """
    for line in text.splitlines():
        digest, _, of = line.strip().partition(" ")
        of = of.strip().lstrip("*")
        if digest and (not of or not name or Path(of).name == name):
            return digest.lower()
    return ""


def check_promise(promised: str, found: Iterable[str], *, where: str) -> None:
    """Compare the promised digest with those of the files.

    Raises:
        DigestMismatch: it is none of them.
    """
    found = tuple(found)
    if promised and promised not in found:
        raise DigestMismatch(
            f"the files have the digest {found[0]}, {promised} was promised",
            where=where,
            fix="find out who changed the model; if it is right, promise the new digest",
        )
