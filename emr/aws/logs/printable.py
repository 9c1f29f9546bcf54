"""`printable`: text that others wrote, without what a terminal would obey (pure)."""

from __future__ import annotations

import re

_SEQUENCES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\))")
"""Colours and cursor movements (CSI), titles and links (OSC)."""
_OTHERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters but tab and newline, and those that turn the direction of writing."""


def printable(text: str) -> str:
    """The text, its escape sequences left out and what else a terminal obeys shown as `\ufffd`."""
    return _OTHERS.sub("\ufffd", _SEQUENCES.sub("", text.replace("\r\n", "\n")))
