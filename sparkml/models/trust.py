"""Which models may be opened: the policy, and the types that a skops file may hold."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from sparkml.errors import ConfigError, UntrustedModel, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

POLICIES = {
    "always": "open any format",
    "promised": "open a format that runs code only if the model's digest was promised and matched",
    "never": "open no format that runs code",
}
SAFE_FORMATS = "skops (mlflow.sklearn.log_model(…, serialization_format='skops'), or a .skops file)"

SKOPS_LIBRARIES = (
    "sklearn.",
    "scipy.sparse.",
    "scipy.interpolate.",
    "scipy.spatial.",
    "numpy.dtypes.",
    "numpy.random.",
)
"""Whose classes a skops file may hold. Only classes: a function could be any, `numpy.load` too.

Not `scipy.stats`: its distributions hold a Python text that `__setstate__` executes.
"""

SKOPS_CLASSES = frozenset(
    {"collections.OrderedDict", "lightgbm.basic.Booster"}
    | {f"lightgbm.sklearn.LGBM{kind}" for kind in ("Classifier", "Ranker", "Regressor")}
)
"""Single classes that it may hold: LightGBM's models, which MLflow stores as skops."""

SKOPS_FUNCTIONS = frozenset(
    f"sklearn.cluster._kmeans._kmeans_single_{algorithm}" for algorithm in ("lloyd", "elkan")
)
"""The functions that fitted estimators of scikit-learn hold."""


def check_trust(policy: str, reason: str, *, promised: bool, digest: str, where: str) -> None:
    """Refuse a model by `policy`; `reason` says why opening it runs code (empty: it does not).

    `promised`: its `digest` is the one that the caller or the registry's tag says.

    Runs on the driver, before any loader.

    Raises:
        UntrustedModel: the policy refuses it.
        ConfigError: no such policy.
    """
    if policy not in POLICIES:
        raise ConfigError(
            f"unknown policy '{policy}'", where="trust", fix=did_you_mean(policy, POLICIES)
        )
    if not reason or policy == "always" or (policy == "promised" and promised):
        return
    if policy == "promised":
        what = f"{reason}, and nobody promised its digest (trust: promised)"
        fix = (
            f"if you know that the files are right, write digest: {digest} into the configuration, "
            f"or promise the registered version; or store the model as {SAFE_FORMATS}"
        )
    else:
        what = f"{reason} (trust: never)"
        fix = f"store the model in a format that runs no code: {SAFE_FORMATS}"
    raise UntrustedModel(what, where=where, fix=fix)


def trusted_types(untrusted: Iterable[str], *, where: str) -> list[str]:
    """The types of a skops file that may be constructed, out of those that skops asks about.

    The list in the model's own `MLmodel` is never looked at: whoever wrote the model wrote it.

    Raises:
        UntrustedModel: the file holds another type, or a function.
    """
    found = list(untrusted)
    strange = sorted(name for name in found if not _is_trusted(name))
    if strange:
        raise UntrustedModel(
            f"the skops file holds {', '.join(strange)}: "
            "no class of scikit-learn, SciPy, NumPy or LightGBM",
            where=where,
            fix="leave it out of the model, or store the model as a pickle and trust that",
        )
    return found


def _is_trusted(name: str) -> bool:
    if name in SKOPS_FUNCTIONS:
        return True
    if name not in SKOPS_CLASSES and not name.startswith(SKOPS_LIBRARIES):
        return False
    module, _, attribute = name.rpartition(".")
    try:
        return isinstance(getattr(importlib.import_module(module), attribute, None), type)
    except ImportError:
        return False
