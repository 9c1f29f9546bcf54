"""XGBoost, LightGBM and CatBoost files: numbers that a library follows blindly."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import lightgbm

from tests.hostile.outcomes import RIGHT, Case, Given
from tests.hostile.tabular import (
    SPLIT,
    VECTORS,
    X,
    Y,
    catboost_bytes,
    lightgbm_text,
    mlflow_folder,
    put,
    scored,
    xgboost_json,
    xgboost_ubj,
)

if TYPE_CHECKING:
    from pathlib import Path


UNREADABLE = "MODEL_UNREADABLE"
EITHER = f"{UNREADABLE} {RIGHT} SIGNATURE_UNKNOWN SIGNATURE_MISMATCH"
"""Refused, or as if nothing had been changed: the library does not look at it."""
ONES = [1, 0, 1]
"""What the small models say of the three rows."""


def xgboost_with(path: str, value: Any):
    """A maker of an XGBoost model with another value at a path such as `trees.0.parents`."""

    def make(folder: Path) -> Given:
        model = xgboost_json()
        at = model["learner"]
        inner = {
            "trees": ("gradient_booster", "model"),
            "tree_info": ("gradient_booster", "model"),
            "gbtree_model_param": ("gradient_booster", "model"),
            "name": ("gradient_booster",),
        }
        *keys, last = path.split(".")
        for key in (*inner.get(path.partition(".")[0], ()), *keys):
            at = at[int(key)] if isinstance(at, list) else at[key]
        at[int(last) if isinstance(at, list) else last] = value
        return scored(put(json.dumps(model), "m.json")(folder), right=ONES)

    return make


def ubj_with(old: bytes, new: bytes):
    """A maker of the binary model with some bytes changed."""

    def make(folder: Path) -> Given:
        assert old in xgboost_ubj()
        return scored(put(xgboost_ubj().replace(old, new, 1), "m.ubj")(folder), right=ONES)

    return make


def text_with(old: str, new: str):
    """A maker of LightGBM's text with what a pattern finds changed."""

    def make(folder: Path) -> Given:
        changed, count = re.subn(old, lambda _: new, lightgbm_text(), count=1, flags=re.MULTILINE)
        assert count, old
        return scored(put(changed, "m.txt")(folder), right=ONES)

    return make


def xgboost_scores(folder: Path, data: bytes, name: str) -> Given:
    """An XGBoost model, and what it gives."""
    return scored(put(data, name)(folder), right=ONES)


def lightgbm_scores(text: str):
    """A maker of LightGBM's text, and what it gives."""

    def make(folder: Path) -> Given:
        return scored(put(text, "m.txt")(folder), right=ONES)

    return make


def linear_trees(**changed: str):
    """A maker of a LightGBM model with linear leaves, some of its lines changed."""

    def make(folder: Path) -> Given:
        data = lightgbm.Dataset(
            X, Y.astype(float), params={"linear_tree": True}, feature_name=["a", "b"]
        )
        params = {
            "objective": "regression",
            "linear_tree": True,
            "verbose": -1,
            "num_leaves": 4,
            "num_threads": 1,
        }
        booster = lightgbm.train(params, data, 2)
        text = booster.model_to_string()
        for key, value in changed.items():
            text = re.sub(rf"^{key}=.*$", f"{key}={value}", text, count=1, flags=re.MULTILINE)
        return scored(put(text, "m.txt")(folder), right=booster.predict(SPLIT))

    return make


def catboost_with(at: int, new: bytes):
    """A maker of a CatBoost model with other bytes at a place."""

    def make(folder: Path) -> Given:
        data = catboost_bytes()
        place = at % len(data)
        data = data[:place] + new + data[place + len(new) :]
        return scored(put(data, "m.cbm")(folder), VECTORS, ONES)

    return make


def in_mlflow(flavor: str, name: str, data: Any, **keys: Any):
    """A maker of a booster as MLflow stores it."""

    def make(folder: Path) -> Given:
        told = {"flavors": {flavor: {"data": name, **keys}}}
        return scored(
            mlflow_folder(folder, json.dumps(told), **{name.replace(".", "__"): data()}), right=ONES
        )

    return make


HUGE = ("0", "-1", "2000000000", "99999999999999999999", "2.5", "")

CASES = (
    Case(
        "benign: XGBoost, JSON",
        lambda folder: xgboost_scores(folder, json.dumps(xgboost_json()).encode(), "m.json"),
        RIGHT,
    ),
    Case(
        "benign: XGBoost, indented",
        lambda folder: xgboost_scores(
            folder, json.dumps(xgboost_json(), indent=2).encode(), "m.json"
        ),
        f"{RIGHT}",
    ),
    Case(
        "benign: XGBoost, UBJSON",
        lambda folder: xgboost_scores(folder, xgboost_ubj(), "m.ubj"),
        RIGHT,
    ),
    Case("benign: LightGBM", lightgbm_scores(lightgbm_text()), RIGHT),
    Case(
        "benign: LightGBM without parameters",
        lightgbm_scores(lightgbm_text().partition("\nparameters:")[0] + "\n"),
        RIGHT,
    ),
    Case("benign: LightGBM, linear trees", linear_trees(), RIGHT),
    Case(
        "benign: CatBoost",
        lambda folder: scored(put(catboost_bytes(), "m.cbm")(folder), VECTORS, ONES),
        RIGHT,
    ),
    Case(
        "benign: XGBoost of MLflow",
        in_mlflow("xgboost", "m.ubj", xgboost_ubj, model_class="xgboost.core.Booster"),
        RIGHT,
    ),
    Case("benign: LightGBM of MLflow", in_mlflow("lightgbm", "m.txt", lightgbm_text), RIGHT),
    # XGBoost
    *(
        Case(
            f"XGBoost: {key} is {value!r}",
            xgboost_with(f"learner_model_param.{key}", value),
            EITHER,
        )
        for key in ("num_feature", "num_class", "num_target")
        for value in HUGE
    ),
    *(
        Case(
            f"XGBoost: {path} is {str(value)[:24]}",
            xgboost_with(path, value),
            EITHER,
        )
        for path, value in (
            ("learner_model_param.base_score", "x"),
            ("learner_model_param.base_score", 5),
            ("learner_model_param", []),
            ("tree_info", [50_000_000] * 3),
            ("tree_info", [-50_000_000] * 3),
            ("tree_info", [0]),
            ("tree_info", {}),
            ("tree_info", [0] * 100_000),
            ("trees", []),
            ("trees", {}),
            ("trees", 5),
            ("trees.0", {}),
            ("trees.0", []),
            ("trees.0.left_children", [10**9] * 7),
            ("trees.0.left_children", [-(10**9)] * 7),
            ("trees.0.left_children", []),
            ("trees.0.right_children", [0] * 7),
            ("trees.0.left_children", [1.5] * 7),
            ("trees.0.parents", []),
            ("trees.0.split_indices", [10**9] * 7),
            ("trees.0.split_conditions", []),
            ("trees.0.split_type", [1] * 7),
            ("trees.0.categories_segments", [2**40]),
            ("trees.0.categories_nodes", [10**9]),
            ("trees.0.base_weights", ["x"]),
            ("trees.0.tree_param", {}),
            (
                "trees.0.tree_param",
                {
                    "num_nodes": "2000000000",
                    "size_leaf_vector": "1",
                    "num_feature": "2",
                    "num_deleted": "0",
                },
            ),
            ("trees.0.tree_param.size_leaf_vector", "1000000000"),
            ("gbtree_model_param.num_trees", "2000000000"),
            ("gbtree_model_param.num_parallel_tree", "0"),
            ("name", "x"),
            ("name", "gblinear"),
            ("name", "dart"),
            ("objective", {}),
            ("objective", {"name": "x"}),
            ("objective", {"name": "multi:softprob"}),
            ("feature_names", ["a"]),
            ("feature_names", [5, {}]),
            ("feature_names", ["a", "a"]),
            ("feature_types", ["x", "y"]),
            ("attributes", {"best_iteration": "x"}),
            ("attributes", {"best_iteration": "-5"}),
            ("attributes", {"best_iteration": str(10**12)}),
        )
    ),
    Case("XGBoost: deep JSON", put("[" * 5_000_000, "m.json"), UNREADABLE),
    Case("XGBoost: deep JSON of keys", put('{"a":' * 1_000_000, "m.json"), UNREADABLE),
    Case(
        "XGBoost: deep JSON in the model",
        put(lambda: json.dumps(xgboost_json())[:-1] + ', "x": ' + "[" * 1_000_000, "m.json"),
        UNREADABLE,
    ),
    Case(
        "XGBoost: deep UBJSON",
        put(b"{L" + bytes(7) + b"\x01a" + b"[" * 1_000_000, "m.ubj"),
        UNREADABLE,
    ),
    Case(
        "XGBoost: a length of 2^62",
        ubj_with(b"L" + bytes(7) + b"\x07learner", b"L\x3f" + bytes(7) + b"learner"),
        UNREADABLE,
    ),
    Case("XGBoost: an array of 2^62", ubj_with(b"#L" + bytes(7), b"#L\x3f" + bytes(6)), UNREADABLE),
    Case("XGBoost: a million numbers", put("1" * 1_000_000, "m.json"), UNREADABLE),
    Case(
        "XGBoost: a text never closed", put('{"learner": "' + "x" * 1_000_000, "m.json"), UNREADABLE
    ),
    Case("XGBoost: no UTF-8", put(b'{"learner": "\xff\xfe"}', "m.json"), UNREADABLE),
    Case(
        "XGBoost: of a newer version",
        put(lambda: json.dumps({**xgboost_json(), "version": [99, 0, 0]}), "m.json"),
        UNREADABLE,
    ),
    *(
        Case(f"XGBoost: {text!r}", put(text, "m.json"), UNREADABLE)
        for text in (
            "{}",
            "[]",
            "null",
            "5",
            '{"learner": 5}',
            '{"learner": {}}',
            '{"version": 5}',
            '{"learner": {"a": NaN}}',
            "\0",
        )
    ),
    # LightGBM
    *(
        Case(
            f"LightGBM: {old} becomes {new[:20]!r}",
            text_with(old, new),
            EITHER,
        )
        for old, new in (
            (r"^tree_sizes=\d+", "tree_sizes=7"),
            (r"^tree_sizes=\d+", "tree_sizes=99999999999"),
            (r"^tree_sizes=\d+", "tree_sizes=-5"),
            (r"^tree_sizes=.*", "tree_sizes="),
            (r"^num_class=1", "num_class=100000000"),
            (r"^num_class=1", "num_class=0"),
            (r"^num_class=1", "num_class=-1"),
            (r"^num_class=1", "num_class=1\nnum_class=9"),
            (r"^num_class=1", "num_class=1\n\nnum_class=99999999"),
            (r"^num_tree_per_iteration=1", "num_tree_per_iteration=0"),
            (r"^num_tree_per_iteration=1", "num_tree_per_iteration=1000000000"),
            (r"^objective=binary sigmoid:1", "objective=multiclass num_class:100000000"),
            (r"^objective=.*", "objective=x"),
            (r"^max_feature_idx=1", "max_feature_idx=2000000000"),
            (r"^max_feature_idx=1", "max_feature_idx=-7"),
            (r"^feature_names=a b", "feature_names=a\0b"),
            (r"^feature_names=a b", "feature_names=a"),
            (r"^feature_infos=.*", "feature_infos=[0:"),
            (r"^feature_infos=.*", "feature_infos="),
            (r"^tree$", "tree\0"),
            (r"^version=v4", "version=v99"),
            (r"^num_leaves=\d+", "num_leaves=2000000000"),
            (r"^num_leaves=\d+", "num_leaves=0"),
            (r"^num_leaves=\d+", "num_leaves=-1"),
            (r"^split_feature=\d+", "split_feature=9"),
            (r"^left_child=\S+", "left_child=0"),
            (r"^left_child=\S+", "left_child=900000000"),
            (r"^right_child=\S+", "right_child=-900000000"),
            (r"^threshold=\S+", "threshold=x"),
            (r"^decision_type=\d+", "decision_type=1"),
            (r"^num_cat=0", "num_cat=1000000000"),
            (r"^leaf_value=\S+", "leaf_value="),
            (r"^Tree=0", "Tree=5"),
            (r"^Tree=1", "Tree=0"),
            (r"^shrinkage=1", "shrinkage="),
            (r"^end of trees", "end of"),
            (r"^pandas_categorical:.*", "pandas_categorical:[[1"),
            (r"^pandas_categorical:.*", "pandas_categorical:" + "[" * 100_000),
            (r"^pandas_categorical:.*", "pandas_categorical:5"),
            (r"^is_linear=0", "is_linear=1"),
        )
    ),
    *(
        Case(f"LightGBM: linear {key} is {value[:20]}", linear_trees(**{key: value}), EITHER)
        for key, value in (
            ("leaf_features", "900000000 " * 4),
            ("num_features", "900000000 0 0 0"),
            ("leaf_coeff", ""),
            ("leaf_const", ""),
        )
    ),
    Case(
        "LightGBM: a line of 20 MB",
        put("tree\nversion=v4\nx=" + "y" * 20_000_000, "m.txt"),
        UNREADABLE,
    ),
    Case(
        "LightGBM: a million trees",
        put(
            "tree\nversion=v4\nfeature_names=a\nmax_feature_idx=0\n" + "Tree=0\n" * 1_000_000,
            "m.txt",
        ),
        UNREADABLE,
    ),
    Case(
        "LightGBM: Latin-1",
        put(
            lightgbm_text().replace("feature_names=a", "feature_names=ä").encode("latin-1"), "m.txt"
        ),
        UNREADABLE,
    ),
    Case("LightGBM: requirements", put("numpy==1.0\n", "requirements.txt"), UNREADABLE),
    # CatBoost
    *(
        Case(f"CatBoost: {len(new)} bytes at {at}", catboost_with(at, new), EITHER)
        for at, new in (
            (0, b"XXXX"),
            (4, b"\xff" * 4),
            (4, bytes(4)),
            (8, b"\xff" * 4),
            (12, b"\xff" * 8),
            (40, b"\xff" * 16),
            (100, b"\xff" * 64),
            (-4, b"\xff" * 4),
            (-100, b"\xff" * 100),
            (200, bytes(200)),
        )
    ),
    *(
        Case(
            f"CatBoost: {share} of 8",
            lambda folder, n=share: put(
                catboost_bytes()[: len(catboost_bytes()) * n // 8], "m.cbm"
            )(folder),
            UNREADABLE,
        )
        for share in (1, 3, 5, 7)
    ),
    Case(
        "CatBoost: twice",
        put(lambda: catboost_bytes() * 2, "m.cbm"),
        f"{UNREADABLE} {RIGHT}",
    ),
    Case(
        "CatBoost: JSON",
        in_mlflow("catboost", "m.json", lambda: b"{}", save_format="json"),
        UNREADABLE,
    ),
    Case(
        "CatBoost: Python",
        in_mlflow("catboost", "m.py", lambda: b"raise SystemExit", save_format="python"),
        UNREADABLE,
    ),
)
