"""Whether an XGBoost model holds together: what the library understood of it, never the file."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

UNNAMED = 2**20
"""As many features may have no name: whoever wrote the file gave each one that has a name."""


def check_booster(booster: Any) -> None:
    """Check that no row leads out of the model, nor needs more memory than its file tells.

    Costs the time of writing and parsing the model as JSON, some tenths of a second for 20 MB.

    Raises:
        ValueError: it does not hold together, with the reason.
    """
    learner = json.loads(booster.save_raw("json"))["learner"]
    said = learner["learner_model_param"]
    features = int(said["num_feature"])
    groups = max(int(said["num_class"]), int(said.get("num_target", 1)), 1)
    _check_head(learner, features, groups)
    grown = learner["gradient_booster"]
    if grown["name"] == "gblinear":
        _need(len(grown["model"]["weights"]) == (features + 1) * groups, "its weights are others")
        return
    model = grown.get("gbtree", grown)["model"]  # dart has both
    trees = model["trees"]
    _need(
        "weight_drop" not in grown or len(grown["weight_drop"]) == len(trees),
        "its weights are others",
    )
    _check_categories(model.get("cats", {}), features)
    _check_rounds(model, len(trees), booster.attr("best_iteration"))
    vectors = {int(tree["tree_param"]["size_leaf_vector"]) for tree in trees} - {0, 1}
    _need(vectors in (set(), {groups}), "its leaves are no vectors of its targets")
    told, wanted = set(model["tree_info"]), 1 if vectors or not trees else groups
    _need(told == {*range(wanted)} or not trees, "its trees are not those of its classes")
    _need(trees or groups == 1, f"it has no tree, for {groups} classes")
    for number, tree in enumerate(trees):
        try:
            _check_tree(tree, features, max(vectors, default=1))
        except ValueError as error:
            raise ValueError(f"its tree {number}: {error}") from error


def _check_head(learner: Mapping[str, Any], features: int, groups: int) -> None:
    named, kinds = learner["feature_names"], learner["feature_types"]
    _need(0 < features <= max(UNNAMED, len(named)), f"it cannot have {features} features")
    for told in (named, kinds):
        _need(len(told) in (0, features), f"it tells of {len(told)} features, not {features}")
    starts = learner["learner_model_param"]["base_score"].strip("[]").split(",")
    _need(len(starts) in (1, groups), "it has base scores of other groups")
    for params in learner["objective"].values():
        own = params.get("num_class") if isinstance(params, dict) else None
        _need(own is None or max(int(own), 1) == groups, "its objective is of other classes")


def _check_rounds(model: Mapping[str, Any], trees: int, best: str | None) -> None:
    _need(len(model["tree_info"]) == trees, "its trees are not those of its groups")
    rounds = model.get("iteration_indptr", [0, trees])
    _check_segments(rounds, trees, "its rounds do not part its trees")
    _need(best is None or 0 <= int(best) < len(rounds) - 1, f"it has no round {best}, its best")


def _check_categories(cats: Mapping[str, Any], features: int) -> None:
    """Check the features' categories, which are handed out by these places."""
    stored = cats.get("enc", [])
    if not stored:
        return
    for each in stored:
        if each.get("offsets"):
            _check_segments(
                each["offsets"], len(each["values"]), "its categories' texts do not part"
            )
    sizes = [len(c["offsets"] or [0]) - 1 if "offsets" in c else len(c["values"]) for c in stored]
    starts = np.cumsum([0, *sizes]).tolist()
    _need(
        len(stored) == features and cats["feature_segments"] == starts, "its categories are others"
    )
    _need(len(cats["sorted_idx"]) == starts[-1], "its categories have no order")
    for size, start in zip(sizes, starts, strict=False):
        _need(
            sorted(cats["sorted_idx"][start : start + size]) == [*range(size)],
            "its categories have no order",
        )


def _check_tree(tree: Mapping[str, Any], features: int, width: int) -> None:
    left, right, split = (
        np.array(tree[name], dtype=np.int64)
        for name in ("left_children", "right_children", "split_indices")
    )
    inner = left != -1  # a leaf's right child may be its place among the leaves
    children = np.concatenate((left[inner], right[inner]))
    _need(len(left) > 0, "it has no node")
    _need(((children > 0) & (children < len(left))).all(), "a child leads out of the tree")
    _need(len(np.unique(children)) == len(children), "two of its nodes have one child")
    asked = split[inner]
    _need(((asked >= 0) & (asked < features)).all(), "it asks for a feature that there is not")
    if width > 1 and "leaf_weights" in tree:
        places = np.sort(right[~inner])
        leaves = len(tree["leaf_weights"]) // width
        _need(((places >= 0) & (places < leaves)).all(), "a leaf has no values")


def _check_segments(bounds: Sequence[int], end: int, what: str) -> None:
    _need(bounds[0] == 0 and bounds[-1] == end, what)
    _need(all(a <= b for a, b in pairwise(bounds)), what)


def _need(holds: object, what: str) -> None:
    if not holds:
        raise ValueError(what)
