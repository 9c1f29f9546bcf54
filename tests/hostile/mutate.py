"""Damage for a model's file: pure functions from bytes and a random.Random to other bytes."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    Mutation = Callable[[bytes, Random], bytes]

WHOLE = [b"0", b"-1", b"1", b"2", b"3", b"7", b"-5", b"2147483647", b"-2147483648", b"900000000"]
WHOLE += [b"100000000", b"1000000", b"4294967295", b"1099511627776", b"9223372036854775807"]
OTHERS = [b"1E308", b"-1E308", b"1E-45", b"0E0", b"nan", b"NaN", b"inf", b"", b"x", b"null", b"[]"]
WORDS = [0, 1, 2, 255, 127, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**24, 900_000_000, 2**32 - 5, 64]
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
KEY = re.compile(rb"[A-Za-z_]{3,}")


def flip(data: bytes, rng: Random) -> bytes:
    """A few bytes are others."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        out[rng.randrange(len(out))] = rng.choice([0, 255, 10, 32, rng.randrange(256)])
    return bytes(out)


def flip_bit(data: bytes, rng: Random) -> bytes:
    """One bit is another."""
    out = bytearray(data)
    out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def word(data: bytes, rng: Random) -> bytes:
    """A whole number of four or eight bytes, at a place that is a multiple of four, is extreme."""
    if len(data) < 16:
        return flip(data, rng)
    at = rng.randrange(len(data) // 4 - 2) * 4
    value = rng.choice(WORDS)
    if rng.random() < 0.5:
        value = (struct.unpack_from("<I", data, at)[0] + rng.choice([-4, -1, 1, 4, 64])) % 2**32
    made = struct.pack("<I", value) if rng.random() < 0.8 else struct.pack("<Q", value << 20)
    return data[:at] + made + data[at + len(made) :]


def cut(data: bytes, rng: Random) -> bytes:
    """It ends early."""
    return data[: rng.randrange(len(data))]


def repeat(data: bytes, rng: Random) -> bytes:
    """A part of it stands there several times."""
    start = rng.randrange(len(data))
    part = data[start : start + rng.choice([1, 4, 16, 200])]
    return data[:start] + part * rng.randint(2, 20) + data[start:]


def splice(data: bytes, rng: Random) -> bytes:
    """A part of it stands where another did."""
    size = rng.choice([1, 4, 8, 40, 300])
    here, there = rng.randrange(len(data)), rng.randrange(len(data))
    return data[:here] + data[there : there + size] + data[here + size :]


def number(data: bytes, rng: Random) -> bytes:
    """A number in a text is an extreme one, or near what it was."""
    found = list(NUMBER.finditer(data))
    if not found:
        return flip(data, rng)
    return _with_number(data, rng.choice(found), rng)


def first_number(data: bytes, rng: Random) -> bytes:
    """The same behind a word drawn first, so that short lists and long ones have equal chances."""
    words = sorted({match.group() for match in KEY.finditer(data)})
    if not words:
        return number(data, rng)
    places = [m.end() for m in re.finditer(re.escape(rng.choice(words)), data)]
    found = NUMBER.search(data, rng.choice(places))
    if found is None:
        return number(data, rng)
    following = [found, *list(NUMBER.finditer(data, found.start(), found.end() + 60))[1:]]
    return _with_number(data, rng.choice(following), rng)


def _with_number(data: bytes, found: re.Match[bytes], rng: Random) -> bytes:
    text = found.group()
    whole = text.lstrip(b"-").isdigit() and len(text) < 18
    made = rng.choice(WHOLE if whole == (rng.random() < 0.9) else OTHERS)
    if whole and rng.random() < 0.4:
        made = str(int(text) + rng.choice([-2, -1, 1, 2, 5])).encode()
    return data[: found.start()] + made + data[found.end() :]


def line(data: bytes, rng: Random) -> bytes:
    """A line is gone, twice there, or stands elsewhere, perhaps behind an empty one."""
    lines = data.split(b"\n")
    if len(lines) < 3:
        return splice(data, rng)
    at, to = rng.randrange(len(lines)), rng.randrange(len(lines))
    how = rng.choice(["gone", "twice", "moved", "empty"])
    taken = lines[at]
    if how in ("gone", "moved"):
        del lines[at]
    if how in ("twice", "moved"):
        lines.insert(to if rng.random() < 0.5 else at + 1, taken)
    if how == "empty":
        lines.insert(at, b"")
    return b"\n".join(lines)


def key(data: bytes, rng: Random) -> bytes:
    """A word has become another of the words of the text."""
    found = list(KEY.finditer(data))
    if not found:
        return flip_bit(data, rng)
    here, there = rng.choice(found), rng.choice(found)
    return data[: here.start()] + there.group() + data[here.end() :]


MUTATIONS: Mapping[str, tuple[Mutation, ...]] = {
    "text": (
        number,
        number,
        first_number,
        first_number,
        first_number,
        line,
        key,
        flip,
        cut,
        splice,
    ),
    "binary": (word, word, word, word, flip, flip_bit, flip_bit, cut, repeat, splice, key),
}
"""Kind of file → its damages, the likely ones several times."""


def mutated(data: bytes, rng: Random, kind: str) -> bytes:
    """One to three damages, one after the other."""
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        data = rng.choice(MUTATIONS[kind])(data, rng) or b"\0"
    return data
