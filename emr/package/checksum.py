"""SHA-256 as S3 computes it: of a whole file, or of its parts' where it goes up in several."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PART_BYTES = 16 * 1024 * 1024
"""A larger file goes up in parts of this size. It decides the checksum, so it never changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checksums:
    """`sha256` as `sha256sum` prints it; `s3` as S3 tells it for the object."""

    sha256: str
    s3: str
    bytes: int


def checksums(path: Path) -> Checksums:
    """The checksums of a file; costs one reading."""
    whole = hashlib.sha256()
    digests, size = [], 0
    for part in parts(path):
        whole.update(part)
        digests.append(hashlib.sha256(part).digest())
        size += len(part)
    return Checksums(sha256=whole.hexdigest(), s3=_of_parts(digests), bytes=size)


def checksums_of(data: bytes) -> Checksums:
    """The checksums of bytes that are one part."""
    digest = hashlib.sha256(data)
    return Checksums(sha256=digest.hexdigest(), s3=base64(digest.digest()), bytes=len(data))


def parts(path: Path) -> Iterator[bytes]:
    """The parts in which a file goes up; one empty part for an empty file."""
    with path.open("rb") as file:
        yield file.read(PART_BYTES)
        while part := file.read(PART_BYTES):
            yield part


def base64(digest: bytes) -> str:
    """A digest as S3 writes it."""
    return b64encode(digest).decode("ascii")


def _of_parts(digests: list[bytes]) -> str:
    # AWS, «Checking object integrity»: a composite checksum is that of the parts' checksums.
    if len(digests) == 1:
        return base64(digests[0])
    return base64(hashlib.sha256(b"".join(digests)).digest())
