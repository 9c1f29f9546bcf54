"""A model's files on this machine, copied: each is read once, and digested while it is copied.

Nothing is looked at by its name twice, so nothing can be swapped in between: a file is opened
without following a link, and what was opened is what is checked and copied.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sparkml.errors import ModelUnreadable, UntrustedModel
from sparkml.models.digest import IGNORED, MADE_BY_PYTHON, Part

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_FILES = 100_000
DEEPEST = 100

_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC  # a FIFO is opened at once, and then refused
_PIECE = 1 << 20
_Identity = tuple[int, int]
"""Which file it is, whatever its name: its device and inode."""


def copy_local(source: Path, into: Path) -> list[Part]:
    """Copy a model's file, or the files of its folder, into the empty folder `into`.

    A link inside the folder to another of its files becomes a copy of that file. What MLflow, a
    promise and Python leave beside a model is left out.

    Raises:
        UntrustedModel: a link leads out of the folder, or to a folder.
        ModelUnreadable: something there is no regular file, there are too many files, or folders
            in folders without end.
        OSError: a file cannot be read.
    """
    if not source.is_dir():
        return [_copied(os.open(source, _READ), source, source.name, into)[0]]
    source = source.resolve()  # a link to a model's folder is that folder
    parts: list[Part] = []
    copied: dict[_Identity, Part] = {}
    links: list[tuple[str, _Identity]] = []
    for name, descriptor in _files(source):
        if descriptor < 0:
            links.append((name, _target_of(source / name)))
        else:
            part, identity = _copied(descriptor, source / name, name, into)
            parts.append(part)
            copied[identity] = part
    return [*parts, *(_copy_again(copied.get(of), source, name, into) for name, of in links)]


def _files(source: Path) -> Iterator[tuple[str, int]]:
    """The path of each file in the folder, and its descriptor; -1 for a link."""
    count = 0
    for where, folders, names, here in os.fwalk(source, onerror=_fail):
        if len(Path(where).parts) - len(source.parts) > DEEPEST:
            raise ModelUnreadable(
                f"its folders are nested deeper than {DEEPEST}",
                where=str(source),
                fix="give the model's own folder",
            )
        folders[:] = [name for name in folders if name != MADE_BY_PYTHON]
        linked = [name for name in folders if _is_link(name, here)]
        for name in [*names, *linked]:
            relative = Path(where, name).relative_to(source).as_posix()
            if relative in IGNORED:
                continue
            count += 1
            if count > MOST_FILES:
                raise ModelUnreadable(
                    f"the folder holds more than {MOST_FILES:,} files",
                    where=str(source),
                    fix="give the model's own folder",
                )
            try:
                yield relative, os.open(name, _READ | os.O_NOFOLLOW, dir_fd=here)
            except OSError as error:
                if error.errno == errno.ENXIO:  # a socket cannot be opened
                    raise _no_regular_file(source / relative, stat.S_IFSOCK) from None
                if error.errno != errno.ELOOP:
                    raise
                yield relative, -1


def _fail(error: OSError) -> NoReturn:
    raise error  # a folder that cannot be read: `fwalk` would leave it out


def _is_link(name: str, here: int) -> bool:
    return stat.S_ISLNK(os.stat(name, dir_fd=here, follow_symlinks=False).st_mode)


def _target_of(link: Path) -> _Identity:
    try:
        status = link.stat()
    except OSError as error:
        raise _leads_out(link, f"nothing that can be read ({error.strerror})") from error
    return status.st_dev, status.st_ino


def _copied(descriptor: int, path: Path, name: str, into: Path) -> tuple[Part, _Identity]:
    """Copy what is open to its place: its size and SHA-256, and which file it was."""
    with open(descriptor, "rb", buffering=0) as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _no_regular_file(path, stat.S_IFMT(status.st_mode))
        target = into / name
        target.parent.mkdir(parents=True, exist_ok=True)
        digest, size = hashlib.sha256(), 0
        with target.open("xb") as made:
            while piece := file.read(_PIECE):
                digest.update(piece)
                size += made.write(piece)
    part = Part(name=name, size=size, sha256=digest.hexdigest())
    return part, (status.st_dev, status.st_ino)


def _copy_again(part: Part | None, source: Path, name: str, into: Path) -> Part:
    """The copy of a file that was copied before, under the name of the link that led to it."""
    if part is None:
        raise _leads_out(source / name, "another place")
    target = into / name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(into / part.name, target)
    return Part(name=name, size=part.size, sha256=part.sha256)


def _no_regular_file(path: Path, kind: int) -> ModelUnreadable:
    return ModelUnreadable(
        f"'{path.name}' is {_KINDS.get(kind, 'no file')}",
        where=str(path),
        fix="put a regular file in its place",
    )


_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


def _leads_out(link: Path, what: str) -> UntrustedModel:
    return UntrustedModel(
        f"'{link.name}' links to {what}, which is not a file of the model",
        where=str(link),
        fix="put a copy of the file in its place",
    )
