"""Files that come with `emr`: bootstrap scripts and prices, of `conf/` in its repository."""

from __future__ import annotations

from pathlib import Path

_EMR = Path(__file__).parents[1]


def shipped(name: str) -> Path:
    """Where `conf/…` lies that came with this very `emr`, whatever the working folder holds.

    An installed package has it inside, a working tree beside; the file may be missing.
    """
    inside = _EMR / "_conf" / Path(name).relative_to("conf")
    return inside if inside.is_file() else _EMR.parent / name
