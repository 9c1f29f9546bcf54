"""Which flavor reads a model's files."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

from sparkml.errors import UnsupportedFlavor, did_you_mean
from sparkml.models import FLAVORS, FlavorRow

if TYPE_CHECKING:
    from pathlib import Path

    from sparkml.models.base import Flavor
    from sparkml.models.mlmodel import MLmodel


def identify(
    folder: Path, description: MLmodel | None, flavor: str | None, *, where: str
) -> FlavorRow:
    """The first row of `FLAVORS` that reads these files, or the row `flavor` if it does.

    Raises:
        UnsupportedFlavor: none does.
    """
    known = [row.name for row in FLAVORS]
    if flavor is not None and flavor not in known:
        raise UnsupportedFlavor(
            f"unknown flavor '{flavor}'", where=where, fix=did_you_mean(flavor, known)
        )
    files = [path for path in folder.iterdir() if path.is_file()]
    for row in FLAVORS:
        if flavor not in (None, row.name):
            continue
        if description is not None and row.mlflow_key in description.flavors:
            return row
        mine = [path for path in files if path.suffix in row.suffixes]
        if description is None and len(mine) == 1 and (row.data_beside or len(files) == 1):
            return row
        if description is None and row.folder_with and any(folder.glob(row.folder_with)):
            return row
    holds = description.flavors if description else sorted(path.name for path in files)[:8]
    suffixes = ", ".join(suffix for row in FLAVORS for suffix in row.suffixes)
    raise UnsupportedFlavor(
        f"no flavor reads this model ({', '.join(holds) or 'an empty folder'})"
        if flavor is None
        else f"the flavor {flavor} does not read this model ({', '.join(holds)})",
        where=where,
        fix=f"give an MLflow model with one of {', '.join(r.mlflow_key for r in FLAVORS)}, "
        f"one file {suffixes}, or what PipelineModel.save wrote",
    )


def module_of(row: FlavorRow) -> Flavor:
    """The module of a flavor, imported now."""
    return cast("Flavor", importlib.import_module(row.module))
