"""`Tail`: a log that is stored whole again while it grows, read by what is new in it (pure)."""

from __future__ import annotations

import codecs
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KEPT = 256 * 1024
"""Characters of a log's end that are kept, to look for a cause in."""
LONGEST = 8 * 1024 * 1024
"""Bytes of new text that are shown at once; of more than that, the last ones."""
STEP = 1024 * 1024
"""Bytes that are fetched or unpacked at a time: a megabyte of gzip may hold a gigabyte."""


class Tail:
    """One log. EMR uploads it whole each time, so what counts is the offset after unpacking."""

    def __init__(self) -> None:
        self.end = ""
        """The last characters that were read."""
        self.whole = False
        """Whether the last upload was a complete file."""
        self._read = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def add(self, body: Iterable[bytes]) -> str:
        """The text of the new upload that the ones before did not have: its last `LONGEST` bytes.

        Args:
            body: the file in chunks. When reading them fails, nothing has been added.
        """
        unpacked, at, left_out = Unpacked(body), 0, 0
        new = bytearray()
        for part in unpacked:
            new += part[max(0, self._read - at) :]
            at += len(part)
            if len(new) > 2 * LONGEST:
                left_out += _cut(new)
        if len(new) > LONGEST:
            left_out += _cut(new)
        if left_out:
            self._decoder.reset()
        text = self._decoder.decode(bytes(new))
        self._read, self.whole = max(self._read, at), unpacked.whole
        self.end = (self.end + text)[-KEPT:]
        return without_start(left_out) + text


class Unpacked:
    """What a gzip file holds, piece by piece, as far as it goes; `whole` then tells whether all.

    A file that is cut off gives what can be unpacked of it; one that is no gzip gives itself.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.whole = True
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        rest = b""
        member = packed = None
        for chunk in self._chunks:
            rest += chunk
            if packed is None and len(rest) > 1:
                packed = rest.startswith(b"\x1f\x8b")
            if not packed:
                if packed is not None:
                    yield rest
                    rest = b""
                continue
            full = False
            while rest or full:
                member = member or zlib.decompressobj(wbits=31)
                self.whole = False
                try:
                    part = member.decompress(rest, STEP)
                except zlib.error:
                    return
                yield part
                full = len(part) == STEP  # it may hold back more, although it has taken all
                rest = member.unconsumed_tail
                if member.eof:
                    rest, member, full, self.whole = member.unused_data, None, False, True
        yield rest


def without_start(left_out: int) -> str:
    """A line that says how many bytes are missing before what follows; empty for none."""
    return f"[{left_out:,} bytes before this are left out]\n" if left_out else ""


def _cut(text: bytearray) -> int:
    """Leave the last `LONGEST` bytes, from the start of a line; how many were taken away."""
    first = len(text) - LONGEST
    first = text.find(b"\n", first, first + STEP) + 1 or first
    del text[:first]
    return first
