"""A compressed file as what it unpacks to, a piece at a time: what joblib's `compress` makes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from typing import Any, BinaryIO

PIECE = 1 << 16
MOST_LZMA = 128 << 20
"""Bytes of memory; what is packed as tightly as can be takes half of it."""


def unpacked(file: BinaryIO, start: bytes) -> BinaryIO:
    """What a file unpacks to, by how it begins; the file itself where it is not compressed."""
    for magic, opened in _PACKED.items():
        if start.startswith(magic):
            return opened(file)  # type: ignore[no-any-return]
    return file


class _Inflated(io.RawIOBase):
    """What a zlib stream unpacks to, a piece at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._zlib, self._rest = file, zlib.decompressobj(), b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = b""
        while not data and not self._zlib.eof:
            self._rest = self._rest or self._file.read(PIECE)
            if not self._rest:
                break
            data = self._zlib.decompress(self._rest, len(buffer))
            self._rest = self._zlib.unconsumed_tail
        buffer[: len(data)] = data
        return len(data)


class _Unxz(io.RawIOBase):
    """What an xz or lzma stream unpacks to: it asks for as much memory as its header says."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._lzma = file, lzma.LZMADecompressor(memlimit=MOST_LZMA)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = b""
        while not data and not self._lzma.eof:
            piece = self._file.read(PIECE) if self._lzma.needs_input else b""
            if self._lzma.needs_input and not piece:
                break
            data = self._lzma.decompress(piece, len(buffer))
        buffer[: len(data)] = data
        return len(data)


def check_bounded(member: zipfile.ZipInfo) -> None:
    """Refuse a member of an archive that `zipfile` unpacks whole, whatever is read of it.

    Raises:
        ValueError: it is one.
    """
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{member.filename} is compressed in a way that has no bound")


_PACKED: dict[bytes, Any] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ": lambda file: io.BufferedReader(_Unxz(file)),
    b"\x5d\x00\x00": lambda file: io.BufferedReader(_Unxz(file)),
    **{
        bytes([0x78, level]): lambda file: io.BufferedReader(_Inflated(file))
        for level in (0x01, 0x5E, 0x9C, 0xDA)
    },
}
"""How a compressed file begins → what unpacks it: those of joblib's that Python itself brings."""
