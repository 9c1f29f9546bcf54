"""Text that no terminal and no log obeys: one line, in characters that are seen."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

_SEQUENCES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\))")
"""Colours and cursor movements (CSI), titles and links (OSC)."""

_BLANKS = re.compile(r"\s+")


def one_line(text: str, limit: int | None = None) -> str:
    r"""The text on one line of at most `limit` characters, each of which is seen.

    Line breaks and tabs, with what is blank around them, are one blank; control and format
    characters, lone surrogates and what turns the direction of writing stand as escapes.

    >>> one_line("a\n b\x1b[31m\u202e")
    'a b\\x1b[31m\\u202e'
    >>> one_line("rows  12\n   and")
    'rows  12 and'
    >>> one_line("abcdefgh", 5)
    'abcd…'
    """
    line = _BLANKS.sub(lambda run: " " if run[0].strip(" ") else run[0], text.strip())
    if not line.isprintable():
        line = "".join(c if c.isprintable() else _escaped(c) for c in line)
    return line if limit is None or len(line) <= limit else f"{line[: limit - 1]}…"


def printable(text: str) -> str:
    r"""Lines that others wrote, as they are: escape sequences are left out, the rest is `\ufffd`.

    >>> printable("a\x1b[31mb\x07\tc\nd")
    'ab\ufffd\tc\nd'
    """
    plain = _SEQUENCES.sub("", text.replace("\r\n", "\n"))
    return "".join(c if c.isprintable() or _is_blank(c) else "\ufffd" for c in plain)


def as_json(value: Any) -> str:
    r"""Plain values as JSON in which each character is seen; it reads back the same.

    >>> as_json({"name": "Zürich\u202e"})
    '{\n  "name": "Zürich\\u202e"\n}'
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    if text.replace("\n", "").isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _is_blank(character: str) -> bool:
    return character in "\n\t" or unicodedata.category(character) == "Zs"
