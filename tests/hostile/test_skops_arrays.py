"""Estimators whose arrays would lead compiled code out of them: refused before they predict."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import skops.io
from scipy import sparse
from sklearn import (
    cluster,
    ensemble,
    feature_extraction,
    linear_model,
    naive_bayes,
    neighbors,
    pipeline,
    preprocessing,
    svm,
    tree,
)

from sparkml.errors import ModelUnreadable
from sparkml.models.read import read_spec
from tests.hostile.skops_files import X, Y, array_bytes, attributes, rewritten, scalar, write

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))


THREE = (X[:, 0] * 2).astype(int) % 3
MODELS: dict[str, Any] = {
    "tree": tree.DecisionTreeClassifier(max_depth=3).fit(X, Y),
    "forest": ensemble.RandomForestClassifier(2, max_depth=3).fit(X, Y),
    "boosting": ensemble.GradientBoostingClassifier(n_estimators=2, max_depth=2).fit(X, THREE),
    "histogram": ensemble.HistGradientBoostingClassifier(
        max_iter=2, categorical_features=[0], min_samples_leaf=2
    ).fit(X.round(), Y),
    "kd tree": neighbors.KNeighborsClassifier(algorithm="kd_tree", leaf_size=5).fit(X, Y),
    "ball tree": neighbors.KNeighborsClassifier(
        algorithm="ball_tree", leaf_size=5, metric="seuclidean", metric_params={"V": np.ones(4)}
    ).fit(X, Y),
    "svm": svm.SVC().fit(X, THREE),
    "kmeans": cluster.KMeans(2, n_init=1).fit(X),
    "bisecting": cluster.BisectingKMeans(3).fit(X),
    "isolation": ensemble.IsolationForest(n_estimators=2).fit(X),
    "spline": pipeline.make_pipeline(
        preprocessing.SplineTransformer(), linear_model.LogisticRegression()
    ).fit(X, Y),
    "one hot": pipeline.make_pipeline(
        preprocessing.OneHotEncoder(handle_unknown="ignore"), linear_model.LogisticRegression()
    ).fit(X.round(), Y),
    "words": pipeline.make_pipeline(
        feature_extraction.text.CountVectorizer(), naive_bayes.MultinomialNB()
    ).fit(["a word", "no word"], [0, 1]),
}


def arrays(change: Callable[[Any], Any], dtype: Any = None, *, field: str = "") -> Any:
    """A change of the arrays of a type, or of those that have a field."""

    def members(name: str, content: bytes) -> bytes:
        if not name.endswith(".npy"):
            return content
        array = np.load(io.BytesIO(content))
        mine = field in (array.dtype.names or ()) if field else array.dtype == dtype
        return array_bytes(change(array)) if mine else content

    return members


def setting(field: str, value: Any, at: Any = 0) -> Any:
    """The nodes with another value in a field."""

    def change(nodes: Any) -> Any:
        nodes = nodes.copy()
        nodes[field][at] = value
        return nodes

    return arrays(change, field=field)


def everywhere(name: str, value: Any) -> Callable[[Any], None]:
    """A change of a schema: every attribute of a name has another value."""

    def change(part: Any) -> None:
        if isinstance(part, dict):
            for key, inner in part.items():
                if key == name:
                    part[key] = scalar(value)
                else:
                    change(inner)
        elif isinstance(part, list):
            for inner in part:
                change(inner)

    return change


def gone(name: str) -> Callable[[Any], None]:
    """A change of a schema: the estimator lacks an attribute."""

    def change(schema: Any) -> None:
        del attributes(schema)[name]
        schema["content"]["key_types"]["content"].pop()

    return change


CASES: dict[str, tuple[str, Any, Any]] = {
    "children beyond the tree": ("tree", None, setting("left_child", 10**6)),
    "children before the tree": ("tree", None, setting("left_child", -7)),
    "a child that is its parent": ("tree", None, setting("right_child", 0)),
    "a leaf on one side only": ("tree", None, setting("right_child", -1)),
    "a feature beyond the row": ("tree", None, setting("feature", 10**6)),
    "a feature before the row": ("forest", None, setting("feature", -3)),
    "fewer nodes than its nodes lead to": ("tree", everywhere("node_count", 2), None),
    "no nodes": ("tree", everywhere("node_count", 0), None),
    "fewer than no nodes": ("tree", everywhere("node_count", -5), None),
    "deeper than it says": ("tree", everywhere("max_depth", 1), None),
    "a row of no known width": ("tree", gone("n_features_in_"), None),
    "a forest of narrower rows": ("forest", everywhere("n_features_in_", 2), None),
    "an isolation tree of wider rows": ("isolation", None, setting("feature", 9)),
    "a table of trees that is wider": (
        "boosting",
        lambda s: everywhere("init_", "zero")(s) or everywhere("n_trees_per_iteration_", 1)(s),
        None,
    ),
    "a boosted tree's child": ("boosting", None, setting("left_child", 10**6)),
    "a histogram's child": ("histogram", None, setting("left", 10**6)),
    "a histogram in a circle": ("histogram", None, setting("right", 0)),
    "a histogram's feature": ("histogram", None, setting("feature_idx", 99)),
    "a histogram's categories": ("histogram", None, setting("is_categorical", 1, slice(None))),
    "a histogram that is being fitted": (
        "histogram",
        lambda s: (
            attributes(s).update(_in_fit=scalar(True))
            or s["content"]["key_types"]["content"].append(s["content"]["key_types"]["content"][0])
        ),
        None,
    ),
    "a histogram of category sets": (
        "histogram",
        None,
        arrays(lambda a: a[:, :4].copy() if a.ndim == 2 else a, np.uint32),
    ),
    "neighbours beyond the rows": ("kd tree", None, setting("idx_end", 10**6)),
    "neighbours before the rows": ("kd tree", None, setting("idx_start", -5)),
    "no leaves": ("kd tree", None, setting("is_leaf", 0, slice(None))),
    "neighbours of other rows": ("kd tree", None, arrays(lambda a: a + 10**6, np.int64)),
    "a ball tree's rows": ("ball tree", None, setting("idx_end", 10**6)),
    "a metric of narrower rows": (
        "ball tree",
        None,
        arrays(lambda a: a[:1] if a.shape == (4,) else a, np.float64),
    ),
    "support vectors without number": ("svm", None, arrays(lambda a: a * 1000, np.int32)),
    "too few intercepts": (
        "svm",
        None,
        arrays(lambda a: a[:1] if a.shape == (3,) else a, np.float64),
    ),
    "narrow support vectors": (
        "svm",
        None,
        arrays(lambda a: a[:, :1] if a.ndim == 2 and a.shape[1] == 4 else a, np.float64),
    ),
    "narrow centers": (
        "kmeans",
        None,
        arrays(lambda a: a[:, :1] if a.ndim == 2 else a, np.float64),
    ),
    "threads without number": ("kmeans", everywhere("_n_threads", 10**6), None),
    "narrow centers of a bisection": (
        "bisecting",
        None,
        arrays(lambda a: a[:1] if a.shape == (4,) else a, np.float64),
    ),
    "knots of another spline": (
        "spline",
        None,
        arrays(lambda a: a[:2] if a.ndim == 1 and len(a) > 6 else a, np.float64),
    ),
    "categories of another encoder": (
        "one hot",
        everywhere("_n_features_outs", 1),
        None,
    ),
    "a vocabulary of one word": ("words", everywhere("word", 10**6), None),
}


@pytest.mark.parametrize("case", CASES)
def test_arrays_that_lead_out_are_refused(case, tmp_path):
    """Each of these segfaults, writes where it must not, or turns for ever, for some row."""
    name, change, members = CASES[case]
    data = skops.io.dumps(MODELS[name])
    changed = rewritten(data, change, **({"members": members} if members else {}))
    with pytest.raises(ModelUnreadable):
        read_spec(write(tmp_path, changed), trust="never")


@pytest.mark.parametrize("name", MODELS)
def test_the_same_models_unharmed_are_opened(name, tmp_path):
    """So the cases above are refused for what was changed."""
    data = rewritten(skops.io.dumps(MODELS[name]))
    assert read_spec(write(tmp_path, data), trust="never").flavor == "sklearn"


def test_a_sparse_matrix_that_leads_out_is_refused(tmp_path):
    """Its indices are followed without a look."""
    model = linear_model.LogisticRegression().fit(X, Y)
    model.sparsify()
    matrix = model.coef_.copy()
    matrix.indices = matrix.indices + 10**6
    out = io.BytesIO()
    np.savez(
        out, indices=matrix.indices, indptr=matrix.indptr, format=b"csr", shape=matrix.shape,
        data=matrix.data,
    )  # fmt: skip
    assert sparse.issparse(model.coef_)
    data = rewritten(
        skops.io.dumps(model),
        members=lambda name, content: out.getvalue() if name.endswith(".npz") else content,
    )
    with pytest.raises(ModelUnreadable, match="is damaged"):
        read_spec(write(tmp_path, data))
