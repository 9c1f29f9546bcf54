"""What a fitted scikit-learn estimator can give besides: margin, leaf, contributions.

Wrappers of LightGBM, XGBoost and CatBoost give them by their own libraries; trees and forests by
`apply`, and linear models their contributions in closed form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sparkml.models.extra_outputs import CONTRIBUTIONS, LEAF, MARGIN, per_tree
from sparkml.models.flavors.sklearn_labels import public_name
from sparkml.models.pools import pool_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sparkml.models.extra_outputs import Extras

LINEAR = (
    "sklearn.linear_model.",
    "sklearn.svm.Linear",
    "sklearn.discriminant_analysis.LinearDiscriminantAnalysis",
)
"""Public names begin so where the margin is `X @ coef_.T + intercept_`, if there are both."""


def extras_of(final: Any) -> Extras:
    """Output → a function of the `X` that the estimator's `predict` takes.

    Whether it works for this very model is for the caller to try.
    """
    name, library = type(final).__name__, type(final).__module__.partition(".")[0]
    for prefix, module, of_wrapper in WRAPPERS:
        if name.startswith(prefix) and library == module:
            return of_wrapper(final)
    made: dict[str, Callable[[Any], Any]] = {}
    if hasattr(final, "decision_function"):
        made[MARGIN] = final.decision_function
    if hasattr(final, "apply"):
        made[LEAF] = lambda x: per_tree(final.apply(x))
    if public_name(type(final)).startswith(LINEAR) and _has_coefficients(final):
        made[CONTRIBUTIONS] = lambda x: linear_contributions(final, x)
    return made


def linear_contributions(final: Any, x: Any) -> Any:
    """What each feature adds to a linear model's margin: its coefficient times its value.

    The baseline is 0 in the space that the model sees, which is the training mean after a
    `StandardScaler`; there these are the SHAP values of independent features (Lundberg and Lee
    2017, corollary 1). The intercept is the expected value.
    """
    coefficients = np.atleast_2d(_dense(final.coef_))
    values = _dense(x)
    made = np.empty((len(values), len(coefficients), coefficients.shape[1] + 1))
    with np.errstate(over="ignore", invalid="ignore"):  # a row's infinity is that row's error
        np.multiply(values[:, None, :], coefficients, out=made[..., :-1])
    made[..., -1] = final.intercept_
    return made[:, 0] if len(coefficients) == 1 else made


def names_after(steps: Sequence[Any], trained: Sequence[str], final: Any) -> list[str]:
    """The names of the columns that the last step gets, as the steps themselves tell them.

    Empty where one does not tell.
    """
    names: Any = list(trained) or None
    try:
        for step in steps:
            names = step.get_feature_names_out(names)
    except (AttributeError, ValueError, NotImplementedError):
        return []
    if names is None:
        own = getattr(final, "feature_name_", getattr(final, "feature_names_", None))
        names = own if own is not None else ()
    return [str(name) for name in names]


def _has_coefficients(final: Any) -> bool:
    # A one-class SVM has an offset, whose sign is the other one.
    return all(hasattr(final, a) for a in ("coef_", "intercept_")) and not hasattr(final, "offset_")


def _dense(values: Any) -> Any:
    if hasattr(values, "toarray"):
        return values.toarray()
    return np.asarray(values, dtype=np.float64)


def _of_lightgbm(final: Any) -> Extras:
    width = final.n_features_in_ + 1

    def contributions(x: Any) -> Any:
        values = final.predict(x, pred_contrib=True)
        return values if values.shape[1] == width else values.reshape(len(values), -1, width)

    return {
        MARGIN: lambda x: final.predict(x, raw_score=True),
        LEAF: lambda x: per_tree(final.predict(x, pred_leaf=True)),
        CONTRIBUTIONS: contributions,
    }


def _of_xgboost(final: Any) -> Extras:
    def contributions(x: Any, **more: Any) -> Any:
        from xgboost import DMatrix

        booster = final.get_booster()
        names = booster.feature_names
        rows = DMatrix(
            x, missing=final.missing, enable_categorical=True, feature_names=names, **more
        )
        best = booster.attr("best_iteration")
        rounds = (0, int(best) + 1 if best is not None and final.booster != "gblinear" else 0)
        return booster.predict(rows, pred_contribs=True, iteration_range=rounds)

    return {
        MARGIN: lambda x, **more: final.predict(x, output_margin=True, **more),
        LEAF: lambda x, **_: per_tree(final.apply(x)),
        CONTRIBUTIONS: contributions,
    }


def _of_catboost(final: Any) -> Extras:
    def contributions(x: Any) -> Any:
        from catboost import Pool

        rows = Pool(x, cat_features=final.get_cat_feature_indices())
        return final.get_feature_importance(rows, type="ShapValues", thread_count=pool_threads())

    return {
        MARGIN: lambda x: final.predict(
            x, prediction_type="RawFormulaVal", thread_count=pool_threads()
        ),
        LEAF: lambda x: per_tree(final.calc_leaf_indexes(x, thread_count=pool_threads())),
        CONTRIBUTIONS: contributions,
    }


WRAPPERS: tuple[tuple[str, str, Callable[[Any], Extras]], ...] = (
    ("LGBM", "lightgbm", _of_lightgbm),
    ("XGB", "xgboost", _of_xgboost),
    ("CatBoost", "catboost", _of_catboost),
)
"""How a wrapper's class begins, its library, and its further outputs by its own methods."""
