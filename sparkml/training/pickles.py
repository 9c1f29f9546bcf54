"""Pickles whose bytes follow from the values in them: equal estimators give equal bytes.

Pickle writes a string again, or refers to where it was written, by whether it is the same object;
and which equal strings of a process are one object is an accident of what ran there before.
"""

from __future__ import annotations

import pickletools
from typing import TYPE_CHECKING, Any

from sparkml.models.extras import need

if TYPE_CHECKING:
    from collections.abc import Iterator

PROTOCOL = 5
"""Fixed, so that another Python with another default gives the same bytes."""
_ARGUMENTS = {ord(op.code): op.arg.n if op.arg else 0 for op in pickletools.opcodes}
"""Operation -> the bytes of its argument, or how many bytes before it tell their number."""
_LENGTHS = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
_TEXTS = frozenset(b"\x8cX\x8d")
_GETS = frozenset(b"hj")
_MEMOIZE, _FRAME = 0x94, 0x95


def pickled(value: Any) -> bytes:
    """The value as a pickle, functions and classes of a `__main__` in it by their code.

    Raises:
        ExtraMissing: cloudpickle is not installed.
        Exception: whatever the value's own pickling raises.
    """
    cloudpickle = need("cloudpickle", extra="sklearn", why="a keyed model")
    return canonical(cloudpickle.dumps(value, protocol=PROTOCOL))


def canonical(raw: bytes) -> bytes:
    """A pickle of protocol 4 or 5 that gives an equal value, each text in it written once.

    It has no frames, which only matter to whoever reads a pickle from a file bit by bit.
    """
    out = bytearray()
    texts: dict[bytes, int] = {}  # a text as it is written -> its place in the new memo
    places: list[int] = []  # place in the old memo -> place in the new one
    size = 0
    text: int | None = None  # the place of the text that was just written
    for operation, code in _operations(raw):
        if operation == _MEMOIZE:
            if text is None:
                out += code
                size += 1
            places.append(size - 1 if text is None else text)
        elif operation in _TEXTS:
            if code in texts:
                out += _get(texts[code])
            else:
                out += code
                out.append(_MEMOIZE)
                texts[code], size = size, size + 1
        elif operation in _GETS:
            out += _get(places[int.from_bytes(code[1:], "little")])
        elif operation != _FRAME:
            out += code
        text = texts[code] if operation in _TEXTS else None
    return bytes(out)


def _operations(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Each operation, and it with its argument as they are written."""
    at = 0
    while at < len(raw):
        operation = raw[at]
        size = _ARGUMENTS[operation]
        if size < 0:
            width = _LENGTHS[size]
            size = width + int.from_bytes(raw[at + 1 : at + 1 + width], "little")
        end = at + 1 + size
        yield operation, raw[at:end]
        at = end


def _get(place: int) -> bytes:
    return b"h" + bytes([place]) if place < 256 else b"j" + place.to_bytes(4, "little")
