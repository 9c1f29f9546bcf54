"""An XGBoost model's file: which it is, and what it may not be written by."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sparkml.errors import ModelUnreadable
from sparkml.models.mlmodel import inside

if TYPE_CHECKING:
    from pathlib import Path

    from sparkml.models.mlmodel import MLmodel

_TAIL_BYTES = 200
_VERSION = (
    re.compile(rb'"version"\s*:\s*\[\s*(\d+)\s*,\s*(\d+)'),
    re.compile(rb"version\[#L\0{7}\x03i(.)i(.)", re.DOTALL),
)
"""Where the file tells the library's version: near its end, as JSON or as UBJSON."""


def model_file(folder: Path, description: MLmodel | None) -> Path:
    """The file that holds the model."""
    if description is not None:
        return inside(folder, description.flavors["xgboost"].get("data", ""), key="data")
    return next(p for p in sorted(folder.iterdir()) if p.suffix in (".json", ".ubj"))


def unreadable(error: Exception, path: Path) -> ModelUnreadable:
    """The library's error, or ours, in one line."""
    first = re.sub(r"^\[[\d:]+\] \S+: ", "", str(error).partition("\n")[0])
    return ModelUnreadable(
        f"XGBoost cannot read the file: {first}",
        where=str(path),
        fix="store it again with save_model (.json or .ubj)",
    )


def refuse_newer(path: Path, here: str) -> None:
    """Refuse a file of a later minor version: earlier ones may read it and give other numbers.

    Raises:
        ModelUnreadable: it is from one.
    """
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        tail = file.read()
    for pattern in _VERSION:
        if found := pattern.search(tail):
            parts = [int(p) if p.isdigit() else p[0] for p in found.groups()]
            if parts > [int(part) for part in here.split(".")[:2]]:
                written = ".".join(map(str, parts))
                raise ModelUnreadable(
                    f"the model was written by XGBoost {written}, here is {here}",
                    where=str(path),
                    fix=f"install xgboost>={written}, here and on the workers",
                )
