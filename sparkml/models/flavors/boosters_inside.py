"""The boosters inside a model of another kind: a pipeline's last step, a part of an ensemble."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, Any

from sparkml.errors import ModelUnreadable
from sparkml.models.flavors import catboost_trees, lightgbm_text, xgboost_trees

if TYPE_CHECKING:
    from collections.abc import Callable

CHECKS: dict[tuple[str, str], Callable[[Any], None]] = {
    ("lightgbm.basic", "Booster"): lightgbm_text.check_booster,
    ("xgboost.core", "Booster"): xgboost_trees.check_booster,
    ("catboost.core", "_CatBoostBase"): catboost_trees.check_booster,
}
"""Where a library's class is and its name → how its models are checked."""


def check_boosters(*, where: str) -> None:
    """Check every booster that this process holds, wherever a model has hidden it.

    Where a model is opened first, they are its own.

    Raises:
        ModelUnreadable: one is damaged.
    """
    checks = [
        (getattr(sys.modules[module], name), check)
        for (module, name), check in CHECKS.items()
        if module in sys.modules
    ]
    for part in gc.get_objects() if checks else ():
        for kind, check in checks:
            if not issubclass(type(part), kind):
                continue
            try:
                check(part)
            except (ValueError, KeyError, TypeError) as error:
                raise ModelUnreadable(
                    f"the {kind.__module__.partition('.')[0]} model inside is damaged: {error}",
                    where=where,
                    fix="store the model again, by the library's version that is installed here",
                ) from error
