"""`Finding`: one thing that `emr doctor` looked at, and what is to be done about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    name: str
    mark: Literal["ok", "warn", "fail"]
    said: str
    fix: str = ""
