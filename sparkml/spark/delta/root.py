"""The folder of a file sink: whether our tasks can write there, and what is in the way."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import fs

from sparkml.errors import SinkError, SinkNotWritable
from sparkml.files import S3, open_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparkml.files import S3Options

SCHEMES = (*sorted(S3), "gs", "hdfs", "abfss")
"""The stores that both Hadoop and Arrow can write."""

OURS = re.compile(r"part-[^/]*-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.zstd\.parquet")
"""Files of a run that did not come to its commit; a writer of Spark's has `.c000` in between."""


def root_of(scheme: str, rest: str, s3: S3Options | None = None) -> str:
    """A `Layout.root` for the address as Hadoop gives it.

    Raises:
        SinkError: Arrow cannot write there.
    """
    if scheme == "file":
        return rest
    fix = f"use a path of {', '.join(['this machine', *SCHEMES])}, or sink.format: table"
    if scheme not in SCHEMES:
        raise SinkError(f"the Delta sink cannot write to {scheme}:", where=rest, fix=fix)
    root = f"{scheme}:{rest}"
    try:
        open_address(root, s3)
    except (ValueError, OSError) as error:
        said = str(error).splitlines()[0]
        raise SinkError(f"Arrow cannot write to {scheme}: ({said})", where=root, fix=fix) from error
    return root


def check_root(root: str, *, table_exists: bool, s3: S3Options | None = None) -> None:
    """Refuse a folder that cannot be written, or that holds other things than a Delta table.

    Nothing is written. What a crashed run of ours left behind is no hindrance.

    Raises:
        SinkNotWritable: no permission, a file in the way, a folder of other files.
    """
    system, path = open_address(root, s3)
    try:
        if isinstance(system, fs.LocalFileSystem):
            check_permission(Path(path), root)
        if not table_exists:
            _check_not_inside(system, path, root)
            other = next(_others(system, path), None)
            if other is not None:
                raise SinkNotWritable(
                    f"the folder has files but no Delta table (e.g. {other})",
                    where=root,
                    fix="choose an empty folder, or convert it: CONVERT TO DELTA parquet.`…`",
                )
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, SinkNotWritable):
            raise
        said = str(error).splitlines()[0]
        fix = "check the address and the permissions"
        raise SinkNotWritable(
            f"the output cannot be reached: {said}", where=root, fix=fix
        ) from error


def check_permission(path: Path, root: str) -> None:
    """Refuse a folder of this machine that this user cannot write, or that a file bars.

    Raises:
        SinkNotWritable: the nearest folder that exists is no folder, or not writable.
    """
    existing = path
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        raise SinkNotWritable(
            f"{existing} is a file, not a folder", where=root, fix="choose another path"
        )
    if not os.access(existing, os.W_OK | os.X_OK):
        raise SinkNotWritable(
            f"no permission to write in {existing}",
            where=root,
            fix="choose another path, or ask its owner",
        )


def _check_not_inside(system: fs.FileSystem, path: str, root: str) -> None:
    parents = [str(p) for p in PurePosixPath(path).parents if str(p) not in {".", "/"}]
    for info in system.get_file_info([f"{p}/_delta_log" for p in parents]):
        if info.type == fs.FileType.Directory:
            outer = info.path.removesuffix("/_delta_log")
            raise SinkNotWritable(
                f"the path is inside the Delta table {outer}",
                where=root,
                fix="give the table's own path, and the partition as sink.partition",
            )


def _others(system: fs.FileSystem, path: str) -> Iterator[str]:
    """Files that are neither hidden nor ours; folder by folder, so that the first is found soon."""
    folders = [path]
    while folders:
        selector = fs.FileSelector(folders.pop(), allow_not_found=True)
        for info in system.get_file_info(selector):
            if info.base_name.startswith(("_", ".")):
                continue
            if info.type == fs.FileType.Directory:
                folders.append(info.path)
            elif not OURS.fullmatch(info.base_name):
                yield info.path.removeprefix(path).lstrip("/")
