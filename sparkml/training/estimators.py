"""Scikit-learn pipelines to name in a training configuration, and how a name becomes an estimator.

They choose their columns by type, so they fit any table of texts and numbers.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from sparkml.errors import ConfigError, SparkMLError, did_you_mean
from sparkml.models.extras import need

if TYPE_CHECKING:
    from collections.abc import Mapping


def logistic_regression(**params: Any) -> Any:
    """An unfitted pipeline: one-hot categories, imputed and scaled numbers, logistic regression.

    An unknown category is all zeros, a missing one is a category of its own, a missing number is
    its column's median. `params` are those of scikit-learn's `LogisticRegression`.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_pipeline(_median(), StandardScaler())
    columns = _by_type(OneHotEncoder(handle_unknown="ignore"), numbers)
    return make_pipeline(columns, LogisticRegression(**{"max_iter": 1_000, **params}))


def gradient_boosting(**params: Any) -> Any:
    """An unfitted pipeline: histogram gradient boosting, categories in alphabetic order.

    Trees split that order as they split numbers, so a column may have any number of categories. An
    unknown one and a missing value of any kind are left to the trees. `params` are those of
    scikit-learn's `HistGradientBoostingClassifier`.
    """
    import numpy as np
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    columns = _by_type(codes, "passthrough")
    return make_pipeline(columns, HistGradientBoostingClassifier(**params))


def _by_type(texts: Any, numbers: Any) -> Any:
    from sklearn.compose import make_column_selector, make_column_transformer

    return make_column_transformer(
        (texts, make_column_selector(dtype_exclude="number")),
        (numbers, make_column_selector(dtype_include="number")),
    )


def _median() -> Any:
    from sklearn.impute import SimpleImputer

    return SimpleImputer(strategy="median")


def unfitted(name: str, params: Mapping[str, Any], *, probabilities: bool = True) -> Any:
    """What the function or class `package.module:name` returns for `params`.

    Raises:
        ConfigError: it cannot be imported, does not take the params, or returns no estimator; or,
            where `probabilities` are asked for, one that gives none.
        ExtraMissing: scikit-learn is not installed.
    """
    need("sklearn", extra="train", why=f"the estimator {name}")
    module_name, _, attribute = name.partition(":")
    where = f"model.estimator: {name}"
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        fix = "name an installed module, or put its folder on PYTHONPATH"
        raise ConfigError(f"it cannot be imported: {error}", where=where, fix=fix) from error
    except (Exception, SystemExit) as error:  # a user's module may raise anything
        what = f"it cannot be imported: {type(error).__name__}: {error}"
        raise ConfigError(what, where=where, fix=f"mend the module {module_name}") from error
    factory = getattr(module, attribute, None)
    if not callable(factory):
        fix = did_you_mean(attribute, [n for n in vars(module) if not n.startswith("_")])
        raise ConfigError(f"{module_name} has no function '{attribute}'", where=where, fix=fix)
    try:
        estimator = factory(**params)
    except SparkMLError:
        raise
    except Exception as error:
        what = f"it cannot be called with these params: {type(error).__name__}: {error}"
        raise ConfigError(what, where=where, fix="correct model.params") from error
    if not hasattr(estimator, "fit") or isinstance(estimator, type):
        what = f"it returns a {type(estimator).__name__}, not an estimator"
        raise ConfigError(what, where=where, fix="return the unfitted pipeline")
    if probabilities and not hasattr(estimator, "predict_proba"):
        what = f"a {type(estimator).__name__} of it gives no probabilities"
        raise ConfigError(what, where=where, fix="CalibratedClassifierCV around it gives them")
    return estimator


def seeded(estimator: Any, seed: int) -> Any:
    """The estimator, `seed` given to each `random_state` in it that is not set."""
    if hasattr(estimator, "get_params"):
        unset = [
            name
            for name, value in estimator.get_params(deep=True).items()
            if value is None and name.rpartition("__")[2] == "random_state"
        ]
        estimator.set_params(**dict.fromkeys(unset, seed))
    return estimator
