"""An XGBoost model's file: which it is, and what is looked at before the library follows it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkml.errors import ModelUnreadable
from sparkml.models.flavors.ubjson import check_ubjson
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


def check_file(path: Path) -> None:
    """Walk through the file if it is UBJSON, whatever its suffix.

    Raises:
        ModelUnreadable: it is not whole.
    """
    data = path.read_bytes()
    try:
        if data.startswith(b"{L"):
            check_ubjson(data)
    except ValueError as error:
        raise unreadable(error, path) from error


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


def check_trees(booster: Any) -> None:
    """Follow no child before all are known to be nodes: the library would end the process.

    Costs the time of writing and parsing the model as JSON, some tenths of a second for 20 MB.

    Raises:
        ValueError: a tree's nodes are no tree, or ask for a feature that there is not.
    """
    learner = json.loads(booster.save_raw("json"))["learner"]
    grown = learner["gradient_booster"].get("gbtree", learner["gradient_booster"])  # dart has both
    features = int(learner["learner_model_param"]["num_feature"])
    for number, tree in enumerate(grown["model"].get("trees", ())):
        left, right, split = (
            np.array(tree[name], dtype=np.int64)
            for name in ("left_children", "right_children", "split_indices")
        )
        inner = left != -1  # a leaf's right child may be its place among the leaves
        children = np.concatenate((left[inner], right[inner]))
        if not ((children > 0) & (children < len(left))).all():
            raise ValueError(f"a child in its tree {number} leads out of the tree")
        if len(np.unique(children)) != len(children):
            raise ValueError(f"two nodes of its tree {number} have one child")
        if not ((split[inner] >= 0) & (split[inner] < features)).all():
            raise ValueError(f"its tree {number} asks for a feature that there is not")


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
