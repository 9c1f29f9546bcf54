"""`Tail`: a log that is stored whole again while it grows, read by what is new in it (pure)."""

from __future__ import annotations

import codecs
import zlib

KEPT = 256 * 1024
"""Characters of a log's end that are kept, to look for a cause in."""


class Tail:
    """One log. EMR uploads it whole each time, so what counts is the offset after unpacking."""

    def __init__(self) -> None:
        self.end = ""
        """The last characters that were read."""
        self.whole = False
        """Whether the last upload was a complete file."""
        self._read = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def add(self, body: bytes) -> str:
        """The text of the new upload that the ones before did not have."""
        unpacked, self.whole = gunzipped(body)
        new = self._decoder.decode(unpacked[self._read :])
        self._read = max(self._read, len(unpacked))
        self.end = (self.end + new)[-KEPT:]
        return new


def gunzipped(body: bytes) -> tuple[bytes, bool]:
    """What a gzip file holds, as far as it goes, and whether it is complete.

    A file that is cut off gives what can be unpacked of it; one that is no gzip gives itself.
    """
    if not body.startswith(b"\x1f\x8b"):
        return body, True
    parts: list[bytes] = []
    rest = body
    while rest:
        unpacker = zlib.decompressobj(wbits=31)
        try:
            parts.append(unpacker.decompress(rest))
        except zlib.error:
            return b"".join(parts), False
        if not unpacker.eof:
            return b"".join(parts), False
        rest = unpacker.unused_data
    return b"".join(parts), True
