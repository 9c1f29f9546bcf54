"""The classes and functions that a skops file may name: those that models are made of.

Found in the libraries' own registries, never by how a name begins: modules re-export what they
import. A name counts only where the thing is defined there and called so. None of these opens a
file, imports by name or runs text, when it is restored or when it predicts.
"""

from __future__ import annotations

import importlib
import sys
from functools import cache
from types import FunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Name = tuple[str, str]
"""A module, and what it defines."""

EXPERIMENTAL = ("enable_halving_search_cv", "enable_iterative_imputer")
"""What brings the estimators in that `all_estimators` does not find by itself."""

BASES: tuple[Name, ...] = (
    ("sklearn.base", "BaseEstimator"),
    ("sklearn._loss.link", "BaseLink"),
    ("sklearn._loss.link", "Interval"),
    ("sklearn._loss.loss", "BaseLoss"),
    ("sklearn.calibration", "_CalibratedClassifier"),
    ("sklearn.cluster._bisect_k_means", "_BisectingTree"),
    ("sklearn.compose._column_transformer", "_RemainderColsList"),
    ("sklearn.compose._column_transformer", "make_column_selector"),
    ("sklearn.ensemble._hist_gradient_boosting.predictor", "TreePredictor"),
    ("sklearn.gaussian_process.kernels", "Kernel"),
    ("sklearn.metrics._dist_metrics", "DistanceMetric"),
    ("sklearn.metrics._scorer", "_BaseScorer"),
    ("sklearn.metrics._scorer", "_MultimetricScorer"),
    ("sklearn.metrics._scorer", "_PassthroughScorer"),
    ("sklearn.model_selection._split", "BaseCrossValidator"),
    ("sklearn.model_selection._split", "BaseShuffleSplit"),
    ("sklearn.model_selection._split", "_RepeatedSplits"),
    ("sklearn.neighbors._ball_tree", "BinaryTree32"),
    ("sklearn.neighbors._ball_tree", "BinaryTree64"),
    ("sklearn.neighbors._kd_tree", "BinaryTree32"),
    ("sklearn.neighbors._kd_tree", "BinaryTree64"),
    ("sklearn.neural_network._stochastic_optimizers", "BaseOptimizer"),
    ("sklearn.utils._metadata_requests", "MetadataRequest"),
    ("sklearn.utils._metadata_requests", "MethodMetadataRequest"),
    ("scipy.interpolate._bsplines", "BSpline"),
)
"""What fitted estimators are and hold; the subclasses that the same library defines count too."""

LOSSES: tuple[Name, ...] = (
    ("sklearn._loss._loss", "CyLossFunction"),
    ("sklearn._loss._loss", "CyHalfMultinomialLoss"),
    ("sklearn.linear_model._sgd_fast", "LossFunction"),
)
SPARSE: tuple[Name, ...] = (("scipy.sparse", "spmatrix"), ("scipy.sparse", "sparray"))
NAMED_TUPLES: tuple[Name, ...] = (
    ("sklearn.impute._iterative", "_ImputerTriplet"),
    ("sklearn.utils._metadata_requests", "MethodPair"),
)
LIGHTGBM: tuple[Name, ...] = (
    ("lightgbm.basic", "Booster"),
    ("lightgbm.sklearn", "LGBMClassifier"),
    ("lightgbm.sklearn", "LGBMRanker"),
    ("lightgbm.sklearn", "LGBMRegressor"),
)
"""LightGBM's models, which MLflow stores as skops; their texts are checked by themselves."""

FOR_TESTS = frozenset({"tests", "_mocking", "_testing", "_test_common", "estimator_checks"})
"""Parts of scikit-learn that are there only where somebody imported them."""

UFUNCS = (
    "numpy",
    "numpy._core.umath",
    "numpy._core._multiarray_umath",
    "numpy.core.umath",
    "numpy.core._multiarray_umath",
    "scipy.special",
    "scipy.special._special_ufuncs",
    "scipy.special._ufuncs",
)
"""Modules whose ufuncs may be named: a ufunc does not say where it was defined."""

OPTIONS = (
    "sklearn.feature_selection",
    "sklearn.metrics",
    "sklearn.metrics.pairwise",
    "sklearn.preprocessing",
)
"""Modules whose public functions are options of estimators: scores, metrics, kernels."""

FUNCTIONS: Mapping[str, tuple[str, ...]] = {
    "sklearn.cluster._kmeans": ("_kmeans_single_elkan", "_kmeans_single_lloyd"),
    "numpy": (
        "array", "asarray", "clip", "cumsum", "diff", "max", "mean", "median", "min", "nan_to_num",
        "ravel", "round", "sort", "std", "sum", "var",
    ),
    "scipy.special": ("log_softmax", "logsumexp", "softmax"),
    "sklearn.utils.validation": ("check_array",),
}  # fmt: skip
"""Single functions: of arrays, to arrays."""

SCALARS: tuple[type, ...] = (bool, bytes, complex, float, int, str)


@cache
def allowed() -> Mapping[str, Mapping[Name, Any]]:
    """What a file may name, by what it is named for; costs what `all_estimators` does, once."""
    import numpy as np
    from sklearn.utils import Bunch

    numbers = {kind for kind in np.sctypeDict.values() if kind not in (np.void, np.object_)}
    functions = {**_own(_functions()), **_ufuncs()}
    keys = _own([*SCALARS, *numbers])
    dicts = [dict, _named("collections", "OrderedDict")]
    kinds = [np.number, np.integer, np.floating, np.inexact, np.generic]  # of columns to select
    types = _own(
        [*SCALARS, *numbers, *kinds, np.object_, *dicts, frozenset, list, object, set, tuple]
    )
    masked = np.ma.MaskedArray
    return {
        "array": _own([np.ndarray, *numbers]),
        "bytes": _own([bytes, bytearray]),
        "dict": _own([*dicts, Bunch]),
        "defaultdict": _own([_named("collections", "defaultdict")]),
        "dtype": {("numpy", "dtype"): np.dtype},
        "function": functions,
        "generator": _own([np.random.Generator]),
        "json": _own([str]),
        "list": _own([list]),
        "loss": _own(_below(LOSSES)),
        "made": _own([frozenset, range, complex]),
        "masked": {("numpy.ma", "MaskedArray"): masked, ("numpy.ma.core", "MaskedArray"): masked},
        "object": {**_own(_below(BASES)), **dict.fromkeys(LIGHTGBM)},
        "partial": _own([_named("functools", "partial")]),
        "random": _own([np.random.RandomState]),
        "set": _own([set]),
        "slice": _own([slice]),
        "sparse": _own(_below(SPARSE)),
        "tree": _own([_named("sklearn.tree._tree", "Tree")]),
        "tuple": _own([tuple, *filter(None, (_named(*name) for name in NAMED_TUPLES))]),
        "type": {**types, **functions},
        "key": keys,
    }


def defined(name: Name) -> Any:
    """A class of objects on the list."""
    return allowed()["object"][name] or _named(*name)


BIT_GENERATORS = frozenset({"MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"})
"""What NumPy looks up by its name, and calls, to restore a random generator."""


def _own(things: Iterable[Any]) -> dict[Name, Any]:
    """Things by the name under which their own module defines them; aliases have none."""
    named = {(str(thing.__module__), str(thing.__name__)): thing for thing in things}
    return {name: thing for name, thing in named.items() if _named(*name) is thing}


def _named(module: str, name: str) -> Any:
    """What a module defines; None where this version of the library does not."""
    try:
        return getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None


def _below(bases: Iterable[Name]) -> Iterator[type]:
    """The classes and all their subclasses in the same library, once it is imported."""
    from sklearn.utils import all_estimators

    for switch in EXPERIMENTAL:
        importlib.import_module(f"sklearn.experimental.{switch}")
    all_estimators()
    for module, name in bases:
        base = _named(module, name)
        waiting = [base] if base is not None else []
        while waiting:
            found = waiting.pop()
            waiting.extend(type.__subclasses__(found))
            parts = found.__module__.split(".")
            if parts[0] == module.split(".")[0] and not FOR_TESTS.intersection(parts):
                yield found


def _functions() -> Iterator[Any]:
    for module in OPTIONS:
        for name in vars(importlib.import_module(module)):
            found = _named(module, name)
            public = isinstance(found, FunctionType) and not name.startswith("_")
            if public and found.__module__.split(".")[:2] == module.split(".")[:2]:
                yield found
    for module, names in FUNCTIONS.items():
        yield from filter(None, (_named(module, name) for name in names))
    # A spline holds the `asarray` of its array library, which SciPy wraps anew for each.
    yield from (held for held in vars(_spline()).values() if isinstance(held, FunctionType))


def _ufuncs() -> dict[Name, Any]:
    from numpy import ufunc

    held = {module: sys.modules[module] for module in UFUNCS if module in sys.modules}
    return {
        (module, name): found
        for module, there in held.items()
        for name, found in vars(there).items()
        if isinstance(found, ufunc)
    }


def _spline() -> Any:
    return _named("scipy.interpolate", "BSpline")([0.0, 0.0, 1.0, 1.0], [0.0, 1.0], 1)
