"""A skops file, checked before skops gets it: every name in it, and how much it unpacks to.

skops restores objects by calling what the file names, with arguments from the file. So each part
of its `schema.json` must be of a kind that is described here, with no field more, and each name
must be on the list of what models are made of (`skops_types.py`). Nothing that the file names is
imported for that. Of parts with one id skops restores only the first, so no two may differ.
"""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

from sparkml.errors import ModelUnreadable, UntrustedModel
from sparkml.models.documents import json_of
from sparkml.models.skops_parts import LOADERS, Part, Strange, name_of, text_of
from sparkml.models.skops_types import allowed

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

SCHEMA = "schema.json"
SPARSE = ".npz"
"""The suffix of a sparse matrix, which is an archive in the archive."""
PROTOCOL = 2
"""The version of the format whose parts mean what is described here."""

MIB = 1 << 20
SCHEMA_BYTES = 256 * MIB
RATIO, SMALL = 200, 64 * MIB
"""A member may unpack to so many times its size, and any member to this."""
WHOLE_RATIO, WHOLE_SMALL = 100, 256 * MIB

COMMON = frozenset({"__class__", "__module__", "__loader__", "__id__"})
PASSING = frozenset({"__id__", "file"})
ROOT = frozenset({"protocol", "_skops_version"})


def check_skops(source: Path | BinaryIO, *, where: str) -> list[str]:
    """The names in a skops file, all of which may be restored: what skops is to trust.

    The list in the model's own `MLmodel` is never looked at: whoever wrote the model wrote it.
    Costs one parse of the file's schema.

    Raises:
        UntrustedModel: it names something that models are not made of.
        ModelUnreadable: it is no skops file, or unpacks to far more than it is.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            _bounded(archive)
            walk = Walk(frozenset(archive.namelist()))
            schema = _schema(archive)
        walk.visit(schema)
    except Strange as error:
        raise UntrustedModel(
            f"the skops file holds {error}",
            where=where,
            fix="leave it out of the model, or store the model as a pickle and trust that",
        ) from error
    except Exception as error:  # whatever damaged bytes make of it
        raise _unreadable(error, where) from error
    return sorted(walk.names)


def _bounded(archive: zipfile.ZipFile, *, packs: str = SPARSE) -> int:
    """How much it unpacks to, with the archives in it whose names end in `packs`."""
    members = archive.infolist()
    if len({member.filename for member in members}) < len(members):
        raise ValueError("a member stands in it twice")
    for member in members:
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{member.filename} is compressed in a way that has no bound")
        if member.file_size > max(SMALL, RATIO * member.compress_size):
            raise ValueError(f"{member.filename} unpacks to {member.file_size:,} bytes")
    if any(m.filename == SCHEMA and m.file_size > SCHEMA_BYTES for m in members):
        raise ValueError(f"its {SCHEMA} is larger than {SCHEMA_BYTES // MIB} MiB")
    packed, unpacked = sum(m.compress_size for m in members), 0
    for member in members:
        unpacked += member.file_size
        if packs and member.filename.endswith(packs):
            with zipfile.ZipFile(io.BytesIO(archive.read(member))) as inner:
                unpacked += _bounded(inner, packs="")
        if unpacked > WHOLE_RATIO * packed + WHOLE_SMALL:
            raise ValueError(f"{packed:,} bytes unpack to {unpacked:,} and more")
    return unpacked


def _schema(archive: zipfile.ZipFile) -> Part:
    with archive.open(SCHEMA) as file:
        text = file.read(SCHEMA_BYTES)
    schema = json_of(text)
    if not isinstance(schema, dict) or type(schema.get("protocol")) is not int:
        raise ValueError("its schema names no protocol")
    if schema["protocol"] != PROTOCOL:
        raise ValueError(f"it is of protocol {schema['protocol']}, not {PROTOCOL}")
    return {key: value for key, value in schema.items() if key not in ROOT}


def _unreadable(error: Exception, where: str) -> ModelUnreadable:
    return ModelUnreadable(
        f"skops cannot read the file: {type(error).__name__}: {error}",
        where=where,
        fix="store the model again with skops.io.dump",
    )


class Walk:
    """Every part of one file; those with one id are one thing to skops, so they must be equal."""

    def __init__(self, members: frozenset[str]) -> None:
        self.members = members
        self.names: set[str] = set()
        self._known: dict[int, Part] = {}

    def visit(self, part: Any) -> None:
        """Check a part and all inside it."""
        if not isinstance(part, dict):
            raise TypeError("a value stands where a part belongs")
        key = part.get("__id__")
        if key is not None and type(key) is not int:
            raise TypeError("an id is no number")
        if key is not None and not _same(self._known.setdefault(key, part), part):
            raise Strange(f"{name_of(part)} with the id of another part")
        loader = LOADERS.get(text_of(part, "__loader__"))
        if loader is None:
            raise Strange(f"{name_of(part)}, stored by the loader {part['__loader__']!r}")
        if more := part.keys() - COMMON - loader.fields:
            raise Strange(f"{name_of(part)} with the field {min(more)!r}")
        self.name(part, loader.names)
        for inner in loader.parts(part):
            self.visit(inner)
        if loader.rule is not None:
            loader.rule(self, part)

    def name(self, part: Part, names: str) -> None:
        """Refuse a name that is not on the list."""
        name = (text_of(part, "__module__"), text_of(part, "__class__"))
        if name not in allowed()[names]:
            raise Strange(f"{name_of(part)}: nothing that models are made of")
        self.names.add(name_of(part))


def _same(first: Any, other: Any) -> bool:
    """Whether two parts are equal but for ids and files, which skops makes anew each time."""
    if first is other:
        return True
    if isinstance(first, dict) and isinstance(other, dict):
        keys = first.keys() - PASSING
        same = keys == other.keys() - PASSING
        return same and all(_same(first[key], other[key]) for key in keys)
    if isinstance(first, list) and isinstance(other, list):
        return len(first) == len(other) and all(map(_same, first, other))
    return type(first) is type(other) and bool(first == other)
