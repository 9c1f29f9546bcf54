"""From a model's address to its files: fetched, digested, compared with what was promised.

Where they then are on this host: `host_cache`. How they travel to other hosts: `archive`.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from sparkml.errors import ModelNotFound, SparkMLError, did_you_mean
from sparkml.files import S3, open_address, scheme_of
from sparkml.models.address import Address, parse_address
from sparkml.models.archive import archive_name, pack, unpack
from sparkml.models.digest import (
    FILE,
    IGNORED,
    TAG,
    check_promise,
    digest_of,
    model_files,
    promised_in,
    sha256,
)
from sparkml.models.host_cache import admit, cache_root, cached_folder, staging
from sparkml.models.registry import Registered, download, resolve

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

__all__ = ["Fetched", "archive_name", "cache_root", "cached_folder", "fetch", "pack", "unpack"]

OPENED_HERE = frozenset({"", "file", *S3})
"""Schemes that need no MLflow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A model's files in this host's cache, and what they are.

    `promised`: somebody had written their digest down, and it is right.
    """

    name: str
    version: str
    uri: str
    folder: Path
    digest: str
    promised: bool


def fetch(
    uri: str,
    *,
    tracking_uri: str | None = None,
    registry_uri: str | None = None,
    compare: bool = True,
) -> Fetched:
    """Bring a model's files into this host's cache and compare their digest with its promise.

    Runs on the driver. Costs one copy and two readings of the files. `compare=False` leaves the
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
        note = _bring(known.source, empty, tracking_uri, registry_uri)
        digest = digest_of(empty)
        promised = known.tags.get(TAG, "").strip().lower() or note if compare else ""
        check_promise(promised, (digest, *_lone_file(empty)), where=known.uri)
        folder = admit(empty, digest)
    return Fetched(
        name=known.name,
        version=known.version or digest[:12],
        uri=known.uri,
        folder=folder,
        digest=digest,
        promised=bool(promised),
    )


def _locate(address: Address, tracking_uri: str | None, registry_uri: str | None) -> Registered:
    if address.kind != "path":
        return resolve(address, tracking_uri=tracking_uri, registry_uri=registry_uri)
    uri = address.path if scheme_of(address.path) else Path(address.path).absolute().as_uri()
    stem = PurePosixPath(unquote(urlsplit(uri).path)).stem
    return Registered(name=stem, version="", uri=uri, source=address.path)


def _bring(source: str, into: Path, tracking_uri: str | None, registry_uri: str | None) -> str:
    """Copy the files under `source` into a folder; the digest that its `model.sha256` promises."""
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


def _copy(source: str, into: Path) -> str:
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
        local = isinstance(files, LocalFileSystem)
        if info.type == FileType.Directory:
            if local:
                model_files(Path(path))  # refuses links that lead out, before they are followed
            copy_files(path, str(into), source_filesystem=files, destination_filesystem=here)
            return _settle(into)
        target = into / PurePosixPath(path).name
        copy_files(path, str(target), source_filesystem=files, destination_filesystem=here)
        return promised_in(_read_note(files, path), target.name)
    except SparkMLError:  # some of ours are OSErrors
        raise
    except OSError as error:
        raise ModelNotFound(
            f"the model's files cannot be read: {error}",
            where=source,
            fix="check the path, and that this user may read it",
        ) from error


def _read_note(files: FileSystem, path: str) -> str:
    from pyarrow.fs import FileType

    note = str(PurePosixPath(path).parent / FILE)
    if files.get_file_info(note).type != FileType.File:
        return ""
    with files.open_input_stream(note) as stream:
        return str(stream.read(4096), "utf-8", "replace")


def _settle(folder: Path) -> str:
    """Leave the model's own files alone in the folder; the digest that its `model.sha256` names."""
    note = folder / FILE
    promised = promised_in(note.read_text("utf-8", "replace")) if note.is_file() else ""
    for name in IGNORED:
        (folder / name).unlink(missing_ok=True)
    for made_by_python in list(folder.rglob("__pycache__")):
        shutil.rmtree(made_by_python)
    return promised


def _lone_file(folder: Path) -> tuple[str, ...]:
    """The digest of a lone file as `sha256sum` prints it, which its promise may hold as well."""
    files = list(folder.iterdir())
    return (sha256(files[0]),) if len(files) == 1 and files[0].is_file() else ()


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
