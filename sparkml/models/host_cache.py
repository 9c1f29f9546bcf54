"""The model files that this host holds: one folder per digest, filled by one atomic rename.

Beside them stands what was found out about a digest (`note`), so that it is found out once.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkml.errors import DigestMismatch, SetupError
from sparkml.models.digest import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DIGEST = re.compile(r"[0-9a-f]{64}")


def cache_root() -> Path:
    """The folder of the host's cache: `$SPARKML_CACHE`, or `<temp>/sparkml-<uid>/models`.

    It is created for its owner alone. Whoever can write there, or rename a folder above it, chooses
    which model is opened, so a place where others can is refused.

    Raises:
        SetupError: the folder is not ours alone, or cannot be made.
    """
    configured = os.environ.get("SPARKML_CACHE")
    if configured:
        return private(Path(configured).absolute())
    home = private(Path(tempfile.gettempdir(), f"sparkml-{os.getuid()}"))
    return private(home / "models")


def private(folder: Path) -> Path:
    """The folder, made for its owner alone where it is not there.

    Raises:
        SetupError: it is not ours alone, or cannot be made.
    """
    try:
        for place in (*reversed(folder.parents), folder):
            place.mkdir(mode=0o700, exist_ok=True)  # `parents=True` would go by the umask
        status = folder.lstat()
        above = [(place, place.stat()) for place in folder.resolve().parents]
    except (OSError, ValueError) as error:
        raise SetupError(
            f"the model cache cannot be made: {error}",
            where=str(folder),
            fix="set SPARKML_CACHE to a folder that you can write",
        ) from error
    if folder.is_symlink() or status.st_uid != os.getuid() or status.st_mode & _OTHERS_WRITE:
        raise SetupError(
            "the model cache is a link, belongs to another user, or others may write to it",
            where=str(folder),
            fix="chmod 700 it, or set SPARKML_CACHE to a folder of your own",
        )
    for place, status in above:
        # In a folder with the sticky bit (/tmp) nobody renames what is another's.
        open_to_all = status.st_mode & _OTHERS_WRITE and not status.st_mode & stat.S_ISVTX
        if open_to_all or status.st_uid not in (os.getuid(), _owner_of_all()):
            raise SetupError(
                f"others may rename folders in {place}, and with them the model cache",
                where=str(folder),
                fix=f"chmod +t {place} where many may write, or set SPARKML_CACHE to a folder "
                "above which others cannot",
            )
    return folder


_OTHERS_WRITE = 0o022


def _owner_of_all() -> int:
    """The system's user: root, or who stands for it in a container."""
    return Path("/").stat().st_uid


def noted(digest: str, question: str) -> dict[str, Any] | None:
    """What `note` wrote down about a digest's files in answer to `question`; None if nothing."""
    try:
        return dict(json.loads(_note(digest, question).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def note(digest: str, question: str, answer: dict[str, Any]) -> None:
    """Write down an answer about a digest's files; `question` is any SHA-256 that stands for it.

    Where there is no room for it, it will be found out again.
    """
    place = _note(digest, question)
    with suppress(OSError), staging() as empty:
        made = empty / "note"
        made.write_text(json.dumps(answer), encoding="utf-8")
        made.rename(place)


def _note(digest: str, question: str) -> Path:
    return cache_root() / f"{_place(digest).name}-{question[:32]}.json"


def cached_folder(digest: str) -> Path | None:
    """The folder of a digest's files on this host, not verified; None where it has none."""
    folder = _place(digest)
    return folder if folder.is_dir() else None


def _place(digest: str) -> Path:
    if not _DIGEST.fullmatch(digest):
        raise DigestMismatch(
            f"'{digest}' is not a SHA-256 in hexadecimal",
            where="digest",
            fix="give the 64 digits that read_spec told",
        )
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

    A folder that is there already is kept only if its digest is right.
    """
    return place_once(folder, _place(digest), lambda place: digest_of(place) == digest)


def place_once(folder: Path, place: Path, is_right: Callable[[Path], bool]) -> Path:
    """Move `folder` to its `place`, unless a right one is there; a wrong one gives way.

    Any number of processes may do so at once: a rename is atomic and the first one wins.
    """
    for _ in range(10):
        if place.is_dir():
            if is_right(place):
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
