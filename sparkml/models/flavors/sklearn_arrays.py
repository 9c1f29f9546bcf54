"""Arrays that scikit-learn's compiled code follows without looking: whether they stay inside.

A fitted estimator is consistent with itself. One that was restored from a file is what the file
says, and its trees, neighbours and support vectors lead compiled code to whatever place they name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sparkml.errors import ModelUnreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LEAF = -1
ENCODERS = frozenset({"FunctionTransformer", "OrdinalEncoder", "str"})
"""What prepares the columns of a histogram booster, each for itself."""
BYTE_WORDS = 8
"""The words of 32 bits that hold the set of a byte's values."""


def check_arrays(model: Any, *, where: str, strangers: bool = False) -> None:
    """Look at every object in a restored estimator; costs one pass over its nodes and indices.

    With `strangers`, as in a pickle, only what is scikit-learn's and SciPy's own is looked at and
    into; what another version's attributes make impossible to tell is no damage then.

    Raises:
        ModelUnreadable: one of them leads out of its arrays, or round in a circle.
    """
    for part in _objects(model, strangers=strangers):
        for kind in type(part).__mro__:
            needs, check = CHECKS.get(kind.__name__, ("", None))
            try:
                if check is not None and (not needs or hasattr(part, needs)):
                    check(part)
            except Exception as error:
                if strangers and not isinstance(error, ValueError):
                    continue
                raise ModelUnreadable(
                    f"the {type(part).__name__} is damaged: {error}",
                    where=where,
                    fix="store the fitted model again",
                ) from error


def _is_known(part: Any) -> bool:
    return type(part).__module__.partition(".")[0] in ("sklearn", "scipy", "numpy")


def _objects(model: Any, *, strangers: bool = False) -> Iterator[Any]:
    """Every object in `model`, itself first, each once; with `strangers` those that are known."""
    seen: dict[int, Any] = {}  # held, so that no two have one id
    waiting = [model]
    while waiting:
        part = waiting.pop()
        if id(part) in seen or isinstance(part, str | bytes | int | float | type(None)):
            continue
        seen[id(part)] = part
        if isinstance(part, dict):
            waiting.extend(part.values())
        elif isinstance(part, list | tuple | set | frozenset):
            waiting.extend(part)
        elif isinstance(part, np.ndarray):
            waiting.extend(part.ravel().tolist() if part.dtype == object else ())
        elif not strangers or _is_known(part):
            yield part
            waiting.extend(vars(part).values() if hasattr(part, "__dict__") else ())


def _need(holds: Any, what: str) -> None:
    if not holds:
        raise ValueError(what)


def _within(values: Any, end: int, what: str) -> None:
    values = np.asarray(values)
    _need(not values.size or (values.min() >= 0 and values.max() < end), f"{what} lead out of it")


def _width(part: Any) -> int:
    width = part.n_features_in_
    _need(isinstance(width, int | np.integer) and width >= 0, "n_features_in_ is no number")
    return int(width)


def _tree(tree: Any) -> None:
    _need(0 < tree.node_count <= tree.capacity, f"it has {tree.node_count} nodes")
    places = np.arange(tree.node_count)
    left, right = tree.children_left, tree.children_right
    inner = left != LEAF
    for children in (left[inner], right[inner]):
        _need((children > places[inner]).all(), "nodes lead back")
        _within(children, tree.node_count, "nodes")
    _within(tree.feature[inner], tree.n_features, "features")
    children = np.concatenate([left[inner], right[inner]])
    _need(len(np.unique(children)) == len(children), "nodes have two parents")
    depth, level = -1, places[:1]
    while level.size:
        depth, level = depth + 1, level[inner[level]]
        level = np.concatenate([left[level], right[level]])
    _need(depth <= tree.max_depth, "it is deeper than it says")


def _decision_tree(part: Any) -> None:
    _need(type(part.tree_).__name__ == "Tree", "tree_ is no tree")
    _need(part.tree_.n_features == _width(part), "its tree takes other features")


def _forest(part: Any) -> None:
    for tree in part.estimators_:
        _need(hasattr(tree, "tree_") and _width(tree) == _width(part), "its trees take other rows")


def _bagging(part: Any) -> None:
    for tree, features in zip(part.estimators_, part.estimators_features_, strict=True):
        if hasattr(tree, "tree_"):
            _need(_width(tree) <= len(features) <= _width(part), "its trees take other rows")


def _boosting(part: Any) -> None:
    trees = part.estimators_
    _need(trees.ndim == 2 and trees.size, "its trees are no table")
    for tree in trees.ravel():
        _need(hasattr(tree, "tree_") and _width(tree) == _width(part), "its trees take other rows")
        _need(tree.tree_.n_outputs == tree.tree_.max_n_classes == 1, "its trees are no regressors")
    parts = [p for p in _objects(part.init_) if hasattr(p, "fit")] if part.init_ != "zero" else []
    _need(len(parts) <= 1, "its initial estimator holds others")
    made = part._raw_predict_init(np.zeros((1, _width(part)), dtype=np.float32))  # noqa: SLF001
    _need(made.shape == (1, trees.shape[1]), "its trees are not those of its classes")


def _hist_boosting(part: Any) -> None:
    _need(not hasattr(part, "_in_fit"), "it is not fitted")
    mapper, inner = part._bin_mapper, part._preprocessor  # noqa: SLF001
    categorical = np.asarray(mapper.is_categorical_).astype(bool)
    _need(categorical.shape == (_width(part),), "its features are not those of its bins")
    for place in np.flatnonzero(categorical):
        _within(mapper.bin_thresholds_[place], 32 * BYTE_WORDS, "categories")
    for step in (step for _, step, _ in inner.transformers_) if inner is not None else ():
        _need(type(step).__name__ in ENCODERS, "its encoder is another")
        made = getattr(step, "func", None)
        _need(made is None or made.func.__name__ == "check_array", "its encoder is another")
    for predictor in (p for round_ in part._predictors for p in round_):  # noqa: SLF001
        _histogram_tree(predictor, categorical)


def _histogram_tree(predictor: Any, categorical: Any) -> None:
    nodes, sets = predictor.nodes, predictor.raw_left_cat_bitsets
    _need(nodes.ndim == 1 and nodes.size, "it has no nodes")
    inner = nodes[nodes["is_leaf"] == 0]
    for children in (inner["left"], inner["right"]):
        _need((children > np.flatnonzero(nodes["is_leaf"] == 0)).all(), "nodes lead back")
        _within(children, len(nodes), "nodes")
    _within(inner["feature_idx"], len(categorical), "features")
    chosen = inner[inner["is_categorical"] != 0]
    _need(categorical[chosen["feature_idx"]].all(), "a feature has no categories")
    _need(sets.ndim == 2 and sets.shape[1] == BYTE_WORDS, "its categories are no sets")
    _within(chosen["bitset_idx"], len(sets), "categories")


def _binary_tree(tree: Any) -> None:
    data, order, nodes, bounds, _, levels, count, *_, metric, weights = tree.__getstate__()
    rows, width = data.shape
    _need(
        0 < levels < 64 and count == len(nodes) == 2**levels - 1,
        "its nodes are not those of its levels",
    )
    _need(order.shape == (rows,) and bounds.shape[1:] == (count, width), "its arrays differ")
    _need(len(bounds) == (2 if "KD" in type(tree).__name__ else 1), "its bounds are another tree's")
    _within(order, rows, "its rows")
    start, end = nodes["idx_start"], nodes["idx_end"]
    _need((start >= 0).all() and (start <= end).all() and (end <= rows).all(), "nodes lead out")
    _need((nodes["is_leaf"][count // 2 :] != 0).all(), "nodes lead out of it")
    _need(weights is None or weights.shape == (rows,), "its weights are of other rows")
    _, vector, matrix, *_ = metric.__getstate__()
    name = type(metric).__name__
    _need(not name.startswith("SEuclidean") or len(vector) == width, "its metric is another's")
    _need(not name.startswith("Minkowski") or len(vector) in (0, width), "its metric is another's")
    wide = not name.startswith("Mahalanobis") or matrix.shape == (width, width)
    _need(wide, "its metric is another's")


def _libsvm(part: Any) -> None:
    vectors, counts = part.support_vectors_, np.asarray(part._n_support)  # noqa: SLF001
    coefficients, rows, classes = part._dual_coef_, len(part.support_), len(counts)
    pairs = classes * (classes - 1) // 2
    own = counts.sum() if part._impl in ("c_svc", "nu_svc") else max(counts)  # noqa: SLF001
    _need(classes > 1 and min(counts) >= 0 and own == rows, "its vectors differ")
    _need(coefficients.shape == (classes - 1, rows), "its coefficients differ")
    kernels = part.kernel == "precomputed" or callable(part.kernel)  # then no vectors are kept
    if part._sparse:  # noqa: SLF001
        _need(not kernels and coefficients.nnz == (classes - 1) * rows, "its coefficients differ")
    _need(kernels or vectors.shape == (rows, _width(part)), "its vectors have other features")
    _within(part.support_, part.shape_fit_[0], "its vectors")
    _need(len(part._intercept_) == pairs, "its intercepts differ")
    for chances in (part._probA, part._probB):  # noqa: SLF001
        _need(len(chances) in (0, pairs), "its probabilities differ")


def _kmeans(part: Any) -> None:
    _need(part.cluster_centers_.shape[1:] == (_width(part),), "its centers have other features")
    _need(0 < part._n_threads < 1 << 12, "it wants threads without number")  # noqa: SLF001
    for node in _objects(getattr(part, "_bisecting_tree", None)):
        _need(np.shape(node.center) == (_width(part),), "its centers have other features")


def _vocabulary(part: Any) -> None:
    places = part.vocabulary_
    _need({*places.values()} == {*range(len(places))}, "its vocabulary leads out of itself")


def _one_hot(part: Any) -> None:
    told = part._n_features_outs  # noqa: SLF001
    _need(list(told) == list(part._compute_n_features_outs()), "its categories differ")  # noqa: SLF001


def _spline(part: Any) -> None:
    type(part)(part.t, part.c, part.k)  # looks at its knots, which restoring one does not


def _sparse(part: Any) -> None:
    if part.format in ("csr", "csc", "bsr"):
        part.check_format(full_check=True)
    elif part.format == "coo":
        for places, end in zip(part.coords, part.shape, strict=True):
            _within(places, end, "its places")


def _random(part: Any) -> None:
    _need(0 <= part.get_state(legacy=False)["state"].get("pos", 0) <= 624, "its state leads out")


CHECKS: dict[str, tuple[str, Callable[[Any], None]]] = {
    "BSpline": ("", _spline),
    "BaseBagging": ("estimators_", _bagging),
    "BaseDecisionTree": ("tree_", _decision_tree),
    "BaseForest": ("estimators_", _forest),
    "BaseGradientBoosting": ("estimators_", _boosting),
    "BaseHistGradientBoosting": ("_predictors", _hist_boosting),
    "BaseLibSVM": ("support_vectors_", _libsvm),
    "BinaryTree32": ("", _binary_tree),
    "BinaryTree64": ("", _binary_tree),
    "CountVectorizer": ("vocabulary_", _vocabulary),
    "DictVectorizer": ("vocabulary_", _vocabulary),
    "OneHotEncoder": ("_n_features_outs", _one_hot),
    "RandomState": ("", _random),
    "Tree": ("", _tree),
    "_BaseKMeans": ("cluster_centers_", _kmeans),
    "sparray": ("", _sparse),
    "spmatrix": ("", _sparse),
}
"""A class → what its compiled code cannot do without, and what holds for its objects then."""
