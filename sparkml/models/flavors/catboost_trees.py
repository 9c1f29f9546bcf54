"""Whether a CatBoost model holds together: what the library understood of it, never the file."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

EMPTY = str(2**64 - 1)
"""The key of a free place in a table of categories: where there is none, a search has no end."""
UNNAMED = 2**20
"""As many features as a model may have: one number in the file says so, names or none."""


def check_booster(model: Any) -> None:
    """Check that no row leads out of the model.

    Costs the time of writing and parsing the model as JSON, some tenths of a second for 20 MB.

    Raises:
        ValueError: one would, with the reason.
    """
    if not model.is_fitted():  # a part of a search
        return
    bound = model._object  # noqa: SLF001 -- what plot_tree asks, and nothing public tells
    leaves = bound._get_tree_leaf_counts()  # noqa: SLF001
    bias = model.get_scale_and_bias()[1]
    width = len(bias) if isinstance(bias, list) else 1
    names = len(model.feature_names_)
    _need(names <= UNNAMED, f"it cannot have {names} features")
    _need(sum(leaves) * width == len(model.get_leaf_values()), "its values are not its leaves'")
    if not bound._is_oblivious():  # noqa: SLF001
        for number, count in enumerate(leaves):
            steps = bound._get_tree_step_nodes(number)  # noqa: SLF001
            places = bound._get_tree_node_to_leaf(number)  # noqa: SLF001
            _check_steps(number, steps, places, count)
    if not model.get_text_feature_indices():  # which CatBoost cannot write as JSON
        _check_splits(_as_json(model), leaves)


def _check_steps(
    number: int, steps: Sequence[tuple[int, int]], places: Sequence[int], count: int
) -> None:
    """Check that each step leads to a later node, or, being 0, to the leaf of its own node."""
    _need(len(steps) == len(places), f"its tree {number} has other nodes than leaves tell")
    for node, step in enumerate(steps):
        _need(node + max(step) < len(steps), f"a child in its tree {number} leads out of the tree")
        _need(all(step) or places[node] < count, f"a leaf of its tree {number} has no value")


def _check_splits(model: Mapping[str, Any], leaves: Sequence[int]) -> None:
    """Check that each split is one of the borders and values that the features have."""
    told = model["features_info"]
    bins = sum(
        len(each.get("borders") or each.get("values") or ())
        for kind in ("float_features", "categorical_features", "ctrs")
        for each in told.get(kind) or ()
    )
    categories = len(told.get("categorical_features") or ())
    floats = len(told.get("float_features") or ())
    for number, tree in enumerate(model.get("oblivious_trees") or ()):
        depth = len(tree["splits"] or ())
        _need(leaves[number] == 2**depth, f"its tree {number} of depth {depth} has other leaves")
    for split in _splits(model.get("oblivious_trees") or model.get("trees")):
        _need(0 <= split["split_index"] < bins, "it asks for a split that there is not")
        _need(0 <= split.get("float_feature_index", 0) < max(floats, 1), "it asks for a feature")
        _need(0 <= split.get("cat_feature_index", 0) < max(categories, 1), "it asks for a category")
    for counter in told.get("ctrs") or ():
        for part in counter["elements"]:
            place = part.get("cat_feature_index", 0)
            _need(0 <= place < categories, "it counts a category that there is not")
    for table in (model.get("ctr_data") or {}).values():
        keys = table["hash_map"][:: table["hash_stride"]]
        _need(EMPTY in keys, "a table of its categories has no free place")


def _splits(part: Any) -> Iterator[Mapping[str, Any]]:
    """Every split, at any depth of the trees."""
    waiting = [part]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if "split_index" in part:
                yield part
            waiting += [part[key] for key in ("splits", "split", "left", "right") if key in part]
        elif isinstance(part, list):
            waiting += part


def _as_json(model: Any) -> Mapping[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        made: Mapping[str, Any] = json.loads(path.read_bytes())
    return made


def _need(holds: object, what: str) -> None:
    if not holds:
        raise ValueError(what)
