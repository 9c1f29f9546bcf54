"""LightGBM's text of a model: what it says of itself, and whether its trees are trees.

What is checked is what the library understood, its own text of the model that it opened: never the
file, which it may read by other rules than ours.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

NEWEST = 4
"""The newest format of text models (`version=v4`, LightGBM 4) that is known here."""

STRUCTURE = frozenset(
    {"num_leaves", "split_feature", "left_child", "right_child", "decision_type"}
    | {"num_cat", "cat_boundaries", "cat_threshold", "num_features", "leaf_features"}
)
"""What of a tree leads from node to node, and to features: all of it whole numbers."""


_PARAMETER = re.compile(r"\[\w+: ?[^\r\0]*\]|")


def check_parameters(text: str) -> None:
    """Check that a model's parameters are a list of names and values, with an end.

    The library follows a line of another form out of its memory, to another place each time: that
    it came through where the model was opened first says nothing.

    Raises:
        ValueError: they are not.
    """
    _, found, tail = text.partition("\nparameters:")
    listed, ended, _ = tail.partition("\nend of parameters")
    if (found and not ended) or not all(map(_PARAMETER.fullmatch, listed.split("\n"))):
        raise ValueError("its parameters are no list of names and values with an end")


def check_same(file: str, understood: str) -> None:
    """Compare the trees' structure in a file with that in the library's text of what it read.

    The library may read fewer trees than there are, or from memory that is not the file's.

    Raises:
        ValueError: they differ, or the file is of a later format.
    """
    version = _pairs(file.partition("\nTree=")[0]).get("version", "").removeprefix("v")
    if version.isdecimal() and int(version) > NEWEST:
        raise ValueError(f"its format is v{version}, written by a LightGBM newer than {NEWEST}.x")
    if _structure(file) != _structure(understood):
        raise ValueError("its trees are not those that the library makes of it")
    check_parameters(file)


def _structure(text: str) -> list[list[str]]:
    lines = (line.partition("=") for line in text.partition("\nend of trees")[0].splitlines())
    return [[name, *value.split()] for name, _, value in lines if name in STRUCTURE and value]


def check_booster(booster: Any) -> None:
    """Check what LightGBM knows of a model: that no row leads it out of the model.

    Costs a tenth of a second for a thousand trees of a hundred leaves.

    Raises:
        ValueError: one would, with the reason.
    """
    text = booster.model_to_string(num_iteration=-1)
    head, *trees = text.partition("\nend of trees")[0].split("\nTree=")
    said = _pairs(head)
    classes, each = int(said["num_class"]), int(said["num_tree_per_iteration"])
    features = int(said["max_feature_idx"]) + 1
    told = [word for word in said.get("objective", "").split() if word.startswith("num_class:")]
    if not 0 < classes == each or told not in ([], [f"num_class:{classes}"]):
        raise ValueError("it contradicts itself about its number of classes")
    if features < 1 or len(trees) % each:
        raise ValueError(f"{len(trees)} trees of {features} features are none for {each} classes")
    for number, tree in enumerate(trees):
        try:
            _check_tree(_pairs(tree), features)
        except KeyError as error:
            raise ValueError(f"its tree {number} has no {error}") from error
        except ValueError as error:
            raise ValueError(f"its tree {number} is damaged: {error}") from error


def _check_tree(tree: Mapping[str, str], features: int) -> None:
    leaves = int(tree["num_leaves"])
    if leaves > 1:
        _check_shape(tree, leaves)
        _refuse_strange(_numbers(tree["split_feature"]), features, "a feature")
        _check_categories(tree)
    if int(tree.get("is_linear", 0)):
        counts, asked = _numbers(tree["num_features"]), _numbers(tree["leaf_features"])
        if len(counts) != leaves or counts.sum() != len(asked):
            raise ValueError("leaf_features are not as many as its leaves have")
        _refuse_strange(asked, features, "a feature")


def _check_shape(tree: Mapping[str, str], leaves: int) -> None:
    """Check that each leaf and each inner node but the first hangs on one other."""
    children = np.concatenate([_numbers(tree["left_child"]), _numbers(tree["right_child"])])
    nodes = np.arange(-leaves, leaves - 1)
    if not np.array_equal(np.sort(children), nodes[nodes != 0]):
        raise ValueError("its nodes are no tree: left_child and right_child name one twice")


def _check_categories(tree: Mapping[str, str]) -> None:
    """Check that each split by categories has its bits."""
    by_category = _numbers(tree["decision_type"]).astype(np.int64) & 1 == 1
    sets = int(tree.get("num_cat", 0))
    if not sets and not by_category.any():
        return
    bounds = _numbers(tree["cat_boundaries"])
    words = len(tree["cat_threshold"].split())
    if (
        sets < 1
        or len(bounds) != sets + 1
        or [bounds[0], bounds[-1]] != [0, words]
        or (np.diff(bounds) < 0).any()
    ):
        raise ValueError("cat_boundaries do not part cat_threshold")
    _refuse_strange(_numbers(tree["threshold"])[by_category], sets, "a set of categories")


def _refuse_strange(asked: npt.NDArray[np.float64], count: int, what: str) -> None:
    if not ((asked >= 0) & (asked < count)).all():
        raise ValueError(f"it asks for {what} that there is not")


def _numbers(text: str) -> npt.NDArray[np.float64]:
    return np.array(text.split(), dtype=np.float64)


def objective_of(text: str) -> str:
    """The objective's name, as LightGBM spells it; empty for one of the trainer's own."""
    return _pairs(text.partition("\nTree=")[0]).get("objective", "").partition(" ")[0]


def infos_of(text: str) -> list[str]:
    """What each feature was trained on: `[min:max]`, the codes `-1:0:2` of a category, `none`."""
    return _pairs(text.partition("\nTree=")[0]).get("feature_infos", "").split()


def holds_codes(info: str, count: int) -> bool:
    """Whether a feature's info is that of a category of so many values, -1 the missing one."""
    if info == "none":
        return True
    codes = info.split(":")
    return all(c.removeprefix("-").isdecimal() and -1 <= int(c) < count for c in codes)


def categorical_of(text: str) -> list[int]:
    """The features that were trained as unordered categories."""
    _, _, tail = text.partition("\nparameters:")
    for line in tail.splitlines():
        name, _, value = line.strip("[]").partition(": ")
        if name == "categorical_feature":
            return [int(index) for index in value.split(",") if index]
    return []


def _pairs(text: str) -> dict[str, str]:
    lines = (line.partition("=") for line in text.split("\n"))
    return {name: value for name, equals, value in lines if equals}
