"""The model files that this host holds: one folder per digest, filled by one atomic rename."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sparkml.errors import DigestMismatch, SetupError
from sparkml.models.digest import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_DIGEST = re.compile(r"[0-9a-f]{64}")


def cache_root() -> Path:
    """The folder of the host's cache: `$SPARKML_CACHE`, or `<temp>/sparkml-<uid>/models`.

    It is created for its owner alone. Whoever can write there chooses which model is opened, so a
    folder that another user owns or may write is refused.

    Raises:
        SetupError: the folder is not ours, or cannot be made.
    """
    configured = os.environ.get("SPARKML_CACHE")
    if configured:
        return _private(Path(configured).absolute())
    home = _private(Path(tempfile.gettempdir(), f"sparkml-{os.getuid()}"))
    return _private(home / "models")


def _private(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise SetupError(
            f"the model cache cannot be made: {error}",
            where=str(folder),
            fix="set SPARKML_CACHE to a folder that you can write",
        ) from error
    if folder.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise SetupError(
            "the model cache is a link, belongs to another user, or others may write to it",
            where=str(folder),
            fix="chmod 700 it, or set SPARKML_CACHE to a folder of your own",
        )
    return folder


def cached_folder(digest: str) -> Path | None:
    """The folder of a digest's files on this host, not verified; None where it has none."""
    folder = _place(digest)
    return folder if folder.is_dir() else None


def _place(digest: str) -> Path:
    if not _DIGEST.fullmatch(digest):
        raise DigestMismatch(f"'{digest}' is not a SHA-256 in hexadecimal")
    return cache_root() / digest


@contextmanager
def staging() -> Iterator[Path]:
    """An empty folder beside the cached ones, gone at the end unless `admit` moved it."""
    folder = Path(tempfile.mkdtemp(prefix=".staging-", dir=cache_root()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def admit(folder: Path, digest: str) -> Path:
    """Give `folder`, whose digest the caller has computed, its place in the cache.

    Any number of processes may do so at once: a rename is atomic and the first one wins. A folder
    that is there already is kept only if its digest is right.
    """
    place = _place(digest)
    for _ in range(10):
        if place.is_dir():
            if digest_of(place) == digest:
                return place
            _clear(place)
        try:
            folder.rename(place)
        except OSError:
            continue  # another process was faster; look at what it put there
        return place
    raise SetupError(
        "another process keeps changing the model cache", where=str(place), fix="remove it"
    )


def _clear(place: Path) -> None:
    """Take a damaged folder out of the way by a rename, so that nobody sees it half removed."""
    aside = Path(tempfile.mkdtemp(prefix=".damaged-", dir=place.parent))
    try:
        place.rename(aside / "folder")
    except FileNotFoundError:
        pass
    finally:
        shutil.rmtree(aside, ignore_errors=True)
