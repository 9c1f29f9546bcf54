"""A scikit-learn model's file, read into the estimator: joblib, pickle, cloudpickle or skops."""

from __future__ import annotations

import pickle
import warnings
from typing import TYPE_CHECKING, Any

from sparkml.errors import ModelUnreadable, SparkMLError
from sparkml.models.extras import need
from sparkml.models.mlmodel import inside
from sparkml.models.skops_file import check_skops

if TYPE_CHECKING:
    from pathlib import Path

    from sparkml.models.mlmodel import MLmodel

SUFFIXES = {".joblib": "joblib", ".pkl": "joblib", ".skops": "skops"}
"""A bare file's suffix → how it is read; joblib reads plain pickles as well."""

METHODS = ("predict", "predict_proba", "predict_log_proba", "predict_joint_log_proba")
"""The methods that MLflow's wrapper of an estimator knows, but for `score`."""


def model_file(folder: Path, description: MLmodel | None) -> tuple[Path, str]:
    """The file that holds the estimator, and its format.

    Raises:
        ModelUnreadable: the `MLmodel` names none, or one that is not there.
        UntrustedModel: it names one outside the folder.
    """
    if description is None:
        path = next(p for p in sorted(folder.iterdir()) if p.suffix in SUFFIXES and p.is_file())
        return path, SUFFIXES[path.suffix]
    own = description.flavors["sklearn"]
    path = inside(folder, own.get("pickled_model"), key="pickled_model")
    return path, str(own.get("serialization_format", "pickle"))


def is_skops(folder: Path, description: MLmodel | None) -> bool:
    """Whether skops reads the file."""
    return model_file(folder, description)[1] == "skops"


def code_in(folder: Path, description: MLmodel | None) -> str:
    """Why reading the estimator runs code; empty for skops, which cannot."""
    path, kind = model_file(folder, description)
    if kind != "skops":
        return f"{path.name} is a pickle ({kind}), which runs code when it is loaded"
    if description and description.flavors["sklearn"].get("code"):
        return "the model brings Python modules of its own (code)"
    return ""


def read_estimator(folder: Path, description: MLmodel | None) -> tuple[Any, tuple[str, ...]]:
    """The object in the file, and how the library's version differs from the one that wrote it.

    Raises:
        ModelUnreadable: the file is damaged, or a class it needs is not installed.
        UntrustedModel: a skops file names something that models are not made of.
        ExtraMissing: the library is not installed.
    """
    need("sklearn", extra="sklearn", why="a scikit-learn model")
    path, kind = model_file(folder, description)
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            estimator = _read(path, kind)
    except SparkMLError:
        raise
    except ModuleNotFoundError as error:
        raise ModelUnreadable(
            f"the model needs a module that is not installed here: {error}",
            where=str(path),
            fix=f"install {error.name}, here and on the workers",
        ) from error
    except Exception as error:  # a damaged pickle raises whatever its bytes happen to ask for
        raise ModelUnreadable(
            f"{kind} cannot read the file: {type(error).__name__}: {error}",
            where=str(path),
            fix="store the model again, with the scikit-learn version that is installed here",
        ) from error
    return estimator, _differences(told)


def method_of(description: MLmodel | None, *, where: str) -> str:
    """The method that MLflow calls: what the model was logged with as `pyfunc_predict_fn`.

    Raises:
        ModelUnreadable: it gives no value for each row, or is none that MLflow would call.
    """
    own = description.flavors.get("python_function", {}) if description else {}
    method = str(own.get("predict_fn") or METHODS[0])
    if method not in METHODS:
        raise ModelUnreadable(
            f"it was logged to be scored by '{method}', which gives no value for each row",
            where=where,
            fix=f"log it again with pyfunc_predict_fn one of {', '.join(METHODS)}",
        )
    return method


def check_predicts(final: Any, method: str = "predict", *, where: str) -> None:
    """Refuse what is no fitted estimator that predicts, by `method`.

    Raises:
        ModelUnreadable: it is not, with the reason.
    """
    from sklearn.base import BaseEstimator
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    kind = type(final).__name__
    if isinstance(final, type) or not hasattr(final, "fit"):
        raise ModelUnreadable(
            f"the file holds a {kind}, not an estimator",
            where=where,
            fix="store the fitted estimator or pipeline itself",
        )
    try:
        if isinstance(final, BaseEstimator):
            check_is_fitted(final)
    except NotFittedError as error:
        raise ModelUnreadable(
            f"the {kind} is not fitted", where=where, fix="store it after fit()"
        ) from error
    if not hasattr(final, method):
        raise ModelUnreadable(
            f"a {kind} does not predict" if method == "predict" else f"a {kind} has no '{method}'",
            where=where,
            fix="store the pipeline that ends in the model",
        )


def _read(path: Path, kind: str) -> Any:
    if kind == "skops":
        skops = need("skops.io", extra="sklearn", why="a .skops file")
        return skops.load(path, trusted=check_skops(path, where=str(path)))
    if kind == "joblib":
        return need("joblib", extra="sklearn", why="a .joblib file").load(path)
    with path.open("rb") as file:
        return pickle.load(file)  # noqa: S301 -- the trust policy has decided before


def _differences(told: list[warnings.WarningMessage]) -> tuple[str, ...]:
    from sklearn.exceptions import InconsistentVersionWarning

    found: dict[str, None] = {}
    for warning in told:
        message = warning.message
        if isinstance(message, InconsistentVersionWarning):
            before, here = message.original_sklearn_version, message.current_sklearn_version
            found[f"scikit-learn {before} (here {here})"] = None
        else:
            warnings.warn_explicit(message, warning.category, warning.filename, warning.lineno)
    return tuple(found)
