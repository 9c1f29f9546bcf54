"""A cached model as one zip, for the way to other hosts, and back into a folder there."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from sparkml.errors import DigestMismatch, ModelNotFound, SparkMLError, UntrustedModel
from sparkml.models.digest import digest_of, model_files
from sparkml.models.host_cache import admit, cache_root, cached_folder, staging

if TYPE_CHECKING:
    from collections.abc import Iterable

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that a zip can hold


def archive_name(digest: str) -> str:
    """The name of a digest's zip file."""
    return f"sparkml-{digest[:16]}.zip"


def pack(digest: str) -> Path:
    """The zip of a digest's files, made from the host's cache; the same bytes every time.

    Costs one reading and one writing of the files the first time, nothing afterwards.

    Raises:
        ModelNotFound: this host's cache has no such folder.
    """
    folder = cached_folder(digest)
    if folder is None:
        raise ModelNotFound(
            f"no files of {digest[:16]} in this host's cache",
            where=str(cache_root()),
            fix="call read_spec() on this host first",
        )
    archive = cache_root() / archive_name(digest)
    return archive if archive.exists() else zipped(model_files(folder), archive)


def zipped(files: Iterable[tuple[str, Path]], archive: Path) -> Path:
    """The files as a zip, each under its name and as it is; the same bytes every time."""
    descriptor, name = tempfile.mkstemp(prefix=".packing-", dir=archive.parent)
    try:
        with os.fdopen(descriptor, "wb") as file, zipfile.ZipFile(file, "w") as made:
            for relative, path in files:
                entry = zipfile.ZipInfo(relative, _EPOCH)
                entry.external_attr = (stat.S_IFREG | 0o644) << 16
                entry.file_size = path.stat().st_size
                with path.open("rb") as source, made.open(entry, "w") as target:
                    shutil.copyfileobj(source, target, 1 << 20)
        Path(name).rename(archive)
    finally:
        Path(name).unlink(missing_ok=True)
    return archive


def unpack(archive: str | Path, digest: str) -> Path:
    """Fill this host's cache from a zip that `pack` made; the verified folder.

    A folder that is there already and right is left alone.

    Raises:
        FileNotFoundError: there is no such zip.
        DigestMismatch: its files are not those of `digest`, or `pack` did not make it.
        UntrustedModel: an entry would leave the folder.
    """
    folder = cached_folder(digest)
    if folder is not None and digest_of(folder) == digest:
        return folder
    with staging() as empty:
        try:
            with open(archive, "rb", opener=_at_once) as file, zipfile.ZipFile(file) as packed:
                _refuse_growth(packed, os.fstat(file.fileno()).st_size, archive)
                for entry in packed.infolist():
                    _refuse_escape(entry, archive)
                packed.extractall(empty)
        except (FileNotFoundError, SparkMLError):
            raise
        except Exception as error:  # zipfile raises whatever the bytes happen to ask for
            raise DigestMismatch(
                f"not a zip that can be unpacked: {error}",
                where=str(archive),
                fix="read the spec again",
            ) from error
        found = digest_of(empty)
        if found != digest:
            raise DigestMismatch(
                f"the zip's files have the digest {found[:16]}…, not {digest[:16]}…",
                where=str(archive),
                fix="read the spec again",
            )
        return admit(empty, digest)


def _at_once(path: str, flags: int) -> int:
    """Open without waiting for the other end of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _refuse_growth(packed: zipfile.ZipFile, size: int, archive: str | Path) -> None:
    """Refuse what is packed: `pack` stores files as they are, so they are no larger than the zip.

    The digest is known only when all of them are there.
    """
    entries = packed.infolist()
    as_it_is = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
    if not as_it_is or sum(entry.file_size for entry in entries) > size:
        raise DigestMismatch(
            "the zip's files are compressed, or lie on each other",
            where=str(archive),
            fix="read the spec again",
        )


def _refuse_escape(entry: zipfile.ZipInfo, archive: str | Path) -> None:
    name = PurePosixPath(entry.filename)
    strange = name.is_absolute() or ".." in name.parts or "\\" in entry.filename
    if strange or stat.S_ISLNK(entry.external_attr >> 16):
        raise UntrustedModel(
            f"the entry {entry.filename!r} would leave the folder",
            where=str(archive),
            fix="do not use this archive",
        )
