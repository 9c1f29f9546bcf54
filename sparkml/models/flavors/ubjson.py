"""A UBJSON file walked through before a library reads it: XGBoost's reader trusts every length.

Half a file ends the process there. The format is draft 12 of https://ubjson.org, as far as XGBoost
uses it.
"""

from __future__ import annotations

SIZES = {
    **dict.fromkeys(b"ZNTF", 0),
    **dict.fromkeys(b"iUC", 1),
    ord("I"): 2,
    **dict.fromkeys(b"ld", 4),
    **dict.fromkeys(b"LD", 8),
}
"""The mark of a value → its bytes."""

DEEPEST = 50


def check_ubjson(data: bytes) -> None:
    """Follow every length in `data` to its end; costs little, arrays of numbers are stepped over.

    Raises:
        ValueError: it is not one whole value.
    """
    try:
        end = _value(data, 0, 0)
    except IndexError:
        raise ValueError("it ends in the middle") from None
    if end != len(data):
        raise ValueError(f"it is {len(data)} bytes long and should be {end}")


def _value(data: bytes, at: int, depth: int) -> int:
    """The place after the value at `at`."""
    mark = data[at]
    if mark in SIZES:
        return at + 1 + SIZES[mark]
    if mark == ord("S"):
        return _text(data, at + 1)
    if mark not in b"[{" or depth > DEEPEST:
        raise ValueError(f"no value can begin with {bytes([mark])!r}, at byte {at}")
    return _container(data, at + 1, depth + 1, keyed=mark == ord("{"))


def _container(data: bytes, at: int, depth: int, *, keyed: bool) -> int:
    size = None
    if data[at] == ord("$"):
        size = SIZES.get(data[at + 1])
        if size is None or keyed:
            raise ValueError(f"unknown type of elements, at byte {at}")
        at += 2
    if data[at] == ord("#"):
        count, at = _length(data, at + 1)
        if size is not None:
            return at + count * size
        for _ in range(count):
            at = _value(data, _text(data, at) if keyed else at, depth)
        return at
    while data[at] != ord("}" if keyed else "]"):
        at = _value(data, _text(data, at) if keyed else at, depth)
    return at + 1


def _text(data: bytes, at: int) -> int:
    length, at = _length(data, at)
    return at + length


def _length(data: bytes, at: int) -> tuple[int, int]:
    """The whole number at `at`, big-endian, and the place after it."""
    size = SIZES.get(data[at], 0) if data[at] in b"iUIlL" else 0
    end = at + 1 + size
    if not size or end > len(data):
        raise ValueError(f"no length where one must be, at byte {at}")
    length = int.from_bytes(data[at + 1 : end], "big", signed=data[at] != ord("U"))
    if length < 0:
        raise ValueError(f"a length of {length}, at byte {at}")
    return length, end
