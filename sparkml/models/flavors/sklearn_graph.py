"""A loaded estimator as a graph of objects: what is in it, and what is set before it scores."""

from __future__ import annotations

from functools import partial, update_wrapper
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkml.models.flavors.sklearn_labels import public_name
from sparkml.models.pools import pool_threads

if TYPE_CHECKING:
    from collections.abc import Iterator


def parts_of(model: Any) -> Iterator[Any]:
    """Every estimator and scikit-learn object inside `model`, itself first, each once."""
    seen: set[int] = set()
    waiting = [model]
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, dict):
            waiting.extend(part.values())
        elif isinstance(part, (list, tuple, set)) or _is_object_array(part):
            waiting.extend(part.ravel() if isinstance(part, np.ndarray) else part)
        elif _is_part(part):
            yield part
            waiting.extend(vars(part).values())


def _is_part(value: Any) -> bool:
    if isinstance(value, type) or not hasattr(value, "__dict__"):
        return False
    return type(value).__module__.split(".")[0] == "sklearn" or hasattr(value, "get_params")


def _is_object_array(value: Any) -> bool:
    # Labels and categories are arrays of objects too: no need to look at each of them.
    if not isinstance(value, np.ndarray) or value.dtype != object or not value.size:
        return False
    return not isinstance(value.flat[0], (str, bytes, int, float, type(None)))


def is_catboost(part: Any) -> bool:
    """Whether it is one of CatBoost's own estimators."""
    return type(part).__module__.partition(".")[0] == "catboost"


def _cap_predictions(part: Any) -> None:
    for name in ("predict", "predict_proba", "predict_log_proba"):
        if hasattr(part, name) and name not in vars(part):  # once
            method = getattr(part, name)
            capped = partial(method, thread_count=pool_threads())
            setattr(part, name, update_wrapper(capped, method))  # scikit-learn reads `__name__`


def chosen(loaded: Any) -> Any:
    """The estimator that a finished search found best, or what was loaded."""
    while public_name(type(loaded)).startswith("sklearn.model_selection.") and hasattr(
        loaded, "best_estimator_"
    ):
        loaded = loaded.best_estimator_
    return loaded


def taken_apart(estimator: Any) -> tuple[tuple[Any, ...], Any]:
    """The transforming steps of a pipeline, and its last step; nested pipelines likewise."""
    if public_name(type(estimator)) != "sklearn.pipeline.Pipeline":
        return (), estimator
    steps = [step for _, step in estimator.steps]
    last, final = taken_apart(chosen(steps[-1]))
    before = [step for step in steps[:-1] if step is not None and step != "passthrough"]
    return (*before, *last), final


def takes_matrix(model: Any) -> bool:
    """Whether every step takes a plain matrix: no columns by name, no code of others.

    A `FunctionTransformer` may do anything with a DataFrame (none or a NumPy function: it does
    not); a `ColumnTransformer` may choose by name; a class outside scikit-learn may do either.
    """
    for part in parts_of(model):
        if type(part).__module__.split(".")[0] != "sklearn":
            return False
        kind = type(part).__name__
        if kind == "FunctionTransformer" and not isinstance(part.func, np.ufunc | None):
            return False
        if kind == "ColumnTransformer" and any(_by_name(c) for c in part._columns):  # noqa: SLF001
            return False
    return True


def holds_texts(model: Any) -> bool:
    """Whether an encoder of the model was trained on texts, so that its columns are not numbers."""
    for part in parts_of(model):
        categories = getattr(part, "categories_", None)
        if isinstance(categories, list) and any(c.dtype.kind in "OUS" for c in categories):
            return True
    return False


def _by_name(columns: Any) -> bool:
    if isinstance(columns, str) or callable(columns):
        return True
    if isinstance(columns, slice):
        return isinstance(columns.start, str) or isinstance(columns.stop, str)
    return any(isinstance(column, str) for column in np.atleast_1d(columns).tolist())


def missing_text(model: Any) -> float | None:
    """What stands for a missing text: None where the model was trained with None, else NaN."""
    for part in parts_of(model):
        categories = getattr(part, "categories_", None)
        if isinstance(categories, list) and any(None in c.tolist() for c in categories):
            return None
        if type(part).__name__ == "SimpleImputer" and part.missing_values is None:
            return None
    return float("nan")


def settle(model: Any, *, as_matrix: bool) -> None:
    """Set what scoring needs, once; no number changes.

    One thread (the worker's cores belong to Spark) and no printing; CatBoost, which asks no
    environment, gets the cap of the process. Where the model gets a matrix,
    the names it was trained with are forgotten, with which it would warn about every batch that
    `X does not have valid feature names`, and its steps pass matrices on instead of DataFrames.
    """
    for part in parts_of(model):
        own = vars(part)
        if "n_jobs" in own:
            part.n_jobs = 1
        if own.get("verbose"):
            part.verbose = 0
        if is_catboost(part):
            _cap_predictions(part)
        if as_matrix and type(part).__module__.split(".")[0] == "sklearn":
            own.pop("feature_names_in_", None)
            own.pop("_sklearn_output_config", None)
