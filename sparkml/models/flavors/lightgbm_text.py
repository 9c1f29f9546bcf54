"""LightGBM's text of a model: checked before the library reads it, and what it says of itself.

The library reads the trees in threads, where a number too few ends the whole process: a damaged
file must not get that far.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt

NEWEST = 4
"""The newest format of text models (`version=v4`, LightGBM 4) that is known here."""

PER_LEAF = ("leaf_value",)
PER_SPLIT = ("split_feature", "threshold", "decision_type", "left_child", "right_child")


def check_text(text: str) -> None:
    """Look at every tree of a model's text: that each has what it needs, in number and in kind.

    Costs a tenth of a second for a thousand trees of a hundred leaves.

    Raises:
        ValueError: the text is not a whole LightGBM model, with the reason.
    """
    head, *trees = text.partition("\nend of trees")[0].split("\nTree=")
    said = _pairs(head)
    if not head.startswith("tree\n") or "feature_names" not in said:
        raise ValueError("it does not begin as a LightGBM model does")
    version = said.get("version", "").removeprefix("v")
    if version.isdecimal() and int(version) > NEWEST:
        raise ValueError(f"its format is v{version}, written by a LightGBM newer than {NEWEST}.x")
    if "\nend of trees" not in text:
        raise ValueError("it ends before its last tree")
    if len(said.get("tree_sizes", "").split()) != len(trees):
        raise ValueError(f"it announces another number of trees than {len(trees)}")
    features = int(said["max_feature_idx"]) + 1
    for tree in trees:
        try:
            _check_tree(_pairs(tree), features)
        except (KeyError, ValueError) as error:
            number = tree.partition("\n")[0]
            raise ValueError(f"its tree {number} is damaged: {error}") from error


def _check_tree(tree: Mapping[str, str], features: int) -> None:
    leaves = int(tree["num_leaves"])
    counts = dict.fromkeys(PER_LEAF, leaves) | dict.fromkeys(PER_SPLIT, leaves - 1)
    for name, wanted in counts.items():
        if leaves == 1 and name not in PER_LEAF:
            continue
        values = _numbers(tree[name])
        if len(values) != wanted:
            raise ValueError(f"{len(values)} values of {name}, not {wanted}")
        if name.endswith("_child") and not ((-leaves <= values) & (values < leaves - 1)).all():
            raise ValueError(f"{name} leads out of the tree")
        if name == "split_feature" and not ((values >= 0) & (values < features)).all():
            raise ValueError("it asks for a feature that there is not")
    if leaves > 1:
        _check_shape(tree, leaves)


def _check_shape(tree: Mapping[str, str], leaves: int) -> None:
    """Check that each leaf and inner node hangs on one other, and each category on its bits."""
    left, right, kinds = (_numbers(tree[n]) for n in ("left_child", "right_child", "decision_type"))
    children = np.sort(np.concatenate((left, right)))
    nodes = np.arange(-leaves, leaves - 1)
    if not np.array_equal(children, nodes[nodes != 0]):
        raise ValueError("its nodes are no tree: left_child and right_child name one twice")
    by_category = kinds.astype(np.int64) & 1 == 1
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
    chosen = _numbers(tree["threshold"])[by_category]
    if not ((chosen >= 0) & (chosen < sets)).all():
        raise ValueError("it asks for categories that there are not")


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
    return dict(_split(text))


def _split(text: str) -> Iterator[tuple[str, str]]:
    for line in text.split("\n"):
        name, equals, value = line.partition("=")
        if equals:
            yield name, value
