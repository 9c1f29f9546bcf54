"""From a model's address to its files: fetched, digested, compared with what was promised.

Where they then are on this host: `host_cache`. How they travel to other hosts: `archive`.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from sparkml.errors import ModelNotFound, SparkMLError, UntrustedModel, did_you_mean
from sparkml.files import S3, open_address, scheme_of
from sparkml.models.address import Address, parse_address
from sparkml.models.archive import archive_name, pack, unpack
from sparkml.models.digest import (
    FILE,
    IGNORED,
    MADE_BY_PYTHON,
    TAG,
    Part,
    check_promise,
    digest_of_parts,
    parts_of,
    promised_in,
)
from sparkml.models.host_cache import admit, cache_root, cached_folder, staging
from sparkml.models.local_copy import copy_local
from sparkml.models.registry import Registered, download, resolve

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

__all__ = ["Fetched", "archive_name", "cache_root", "cached_folder", "fetch", "pack", "unpack"]

OPENED_HERE = frozenset({"", "file", *S3})
"""Schemes that need no MLflow."""
_LONGEST_NOTE = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A model's files in this host's cache, and what they are.

    `digests` are what a promise may say: the model's digest and, of a lone file, the one that
    `sha256sum` prints. `promised`: the registry's tag says their digest. A `model.sha256` that lies
    beside the files is compared as well, but whoever can change the files can change it.
    """

    name: str
    version: str
    uri: str
    folder: Path
    digests: tuple[str, ...]
    promised: bool

    @property
    def digest(self) -> str:
        """The model's digest."""
        return self.digests[0]


def fetch(
    uri: str,
    *,
    tracking_uri: str | None = None,
    registry_uri: str | None = None,
    compare: bool = True,
) -> Fetched:
    """Bring a model's files into this host's cache and compare their digest with its promise.

    Runs on the driver. Costs one copy of the files. `compare=False` leaves the
    promise unread.

    Raises:
        ModelNotFound: no such model, version, alias, folder or file.
        RegistryUnreachable: the tracking server does not answer.
        DigestMismatch: the files are not those that were promised.
        UntrustedModel: a link leads out of the model's folder.
    """
    address = parse_address(uri)
    known = _locate(address, tracking_uri, registry_uri)
    with staging() as empty:
        parts, note = _bring(known.source, empty, tracking_uri, registry_uri)
        digest = digest_of_parts(parts)
        promised = known.tags.get(TAG, "").strip().lower()
        digests = (digest, parts[0].sha256) if len(parts) == 1 else (digest,)
        if compare:
            for said in (promised, note):
                check_promise(said, digests, where=known.uri)
        folder = admit(empty, digest)
    return Fetched(
        name=known.name,
        version=known.version or digest[:12],
        uri=known.uri,
        folder=folder,
        digests=digests,
        promised=bool(promised),
    )


def _locate(address: Address, tracking_uri: str | None, registry_uri: str | None) -> Registered:
    if address.kind != "path":
        return resolve(address, tracking_uri=tracking_uri, registry_uri=registry_uri)
    uri = address.path if scheme_of(address.path) else Path(address.path).absolute().as_uri()
    stem = PurePosixPath(unquote(urlsplit(uri).path)).stem
    return Registered(name=stem, version="", uri=uri, source=address.path)


def _bring(
    source: str, into: Path, tracking_uri: str | None, registry_uri: str | None
) -> tuple[list[Part], str]:
    """Copy the files under `source` into a folder; with the digest that a note beside them says."""
    if scheme_of(source) in OPENED_HERE:
        return _copy(source, into)
    with staging() as elsewhere:
        made = download(source, elsewhere, tracking_uri=tracking_uri, registry_uri=registry_uri)
        made.rename(into if made.is_dir() else into / made.name)  # an empty folder gives way
    # MLflow takes what is not there for a folder without files.
    if not any(path.is_file() for path in into.rglob("*")):
        raise ModelNotFound(
            "the artifact store has no files there",
            where=source,
            fix="look whether they were deleted or moved",
        )
    return _settle(into)


def _copy(source: str, into: Path) -> tuple[list[Part], str]:
    from pyarrow.fs import FileType, LocalFileSystem, copy_files

    try:
        files, path = open_address(source)
    except (ValueError, OSError) as error:
        raise ModelNotFound(
            f"no model address: {error}", where=source, fix="forms: a path, file://, s3://"
        ) from error
    here = LocalFileSystem()
    try:
        info = files.get_file_info(path)
        if info.type == FileType.NotFound:
            raise _no_such_path(source, files, path)
        whole = info.type == FileType.Directory
        name = "" if whole else PurePosixPath(path).name
        note = promised_in(
            _read_note(files, path if whole else str(PurePosixPath(path).parent)), name
        )
        if isinstance(files, LocalFileSystem):
            return copy_local(Path(path), into), note
        if whole:
            _refuse_climbing(files, path)
        copy_files(path, str(into / name), source_filesystem=files, destination_filesystem=here)
        return _settle(into)[0], note
    except SparkMLError:  # some of ours are OSErrors
        raise
    except (OSError, ValueError) as error:
        raise ModelNotFound(
            f"the model's files cannot be read: {error}",
            where=source,
            fix="check the path, and that this user may read it",
        ) from error


def _read_note(files: FileSystem, folder: str) -> str:
    from pyarrow.fs import FileType

    note = f"{folder.rstrip('/')}/{FILE}"
    if files.get_file_info(note).type != FileType.File:
        return ""
    with files.open_input_stream(note) as stream:
        return str(stream.read(_LONGEST_NOTE), "utf-8", "replace")


def _refuse_climbing(files: FileSystem, path: str) -> None:
    """Refuse keys of an object store that would be files outside of the folder."""
    from pyarrow.fs import FileSelector

    for info in files.get_file_info(FileSelector(path, recursive=True)):
        if ".." in PurePosixPath(info.path).parts:
            raise UntrustedModel(
                f"'{info.path}' leads out of the model's folder",
                where=path,
                fix="store the model again",
            )


def _settle(folder: Path) -> tuple[list[Part], str]:
    """Leave the model's own files alone in the folder; with what its `model.sha256` promises."""
    note = folder / FILE
    promised = promised_in(note.read_text("utf-8", "replace")) if note.is_file() else ""
    for made_beside in (folder / name for name in IGNORED):
        if made_beside.is_file():
            made_beside.unlink()
    for made_by_python in list(folder.rglob(MADE_BY_PYTHON)):
        shutil.rmtree(made_by_python)
    return parts_of(folder), promised


def _no_such_path(source: str, files: FileSystem, path: str) -> ModelNotFound:
    from pyarrow.fs import FileSelector

    parent = str(PurePosixPath(path).parent)
    found = files.get_file_info(FileSelector(parent, allow_not_found=True))
    names = [info.base_name for info in found]
    return ModelNotFound(
        "no such folder or file",
        where=source,
        fix=did_you_mean(PurePosixPath(path).name, names) if names else f"{parent} is empty",
    )
