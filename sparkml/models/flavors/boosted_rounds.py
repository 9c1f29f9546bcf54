"""The trees that score, where params name some of them: a booster of those alone.

The libraries take them at each call, and some outputs do not take them at all. A booster that has
no other trees gives every output by them.
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

from sparkml.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PARAMS = {
    "xgboost": ("iteration_range",),
    "lightgbm": ("start_iteration", "num_iteration"),
    "catboost": ("ntree_start", "ntree_end"),
}
"""A library → its own names of what says which trees score."""


def of_rounds(booster: Any, params: Mapping[str, Any], *, wrapped: bool = False) -> Any:
    """A booster of LightGBM, XGBoost or CatBoost with the trees that `params` name and no others.

    `wrapped`: the params are read as the library's scikit-learn wrapper reads them. Costs a copy of
    the model. CatBoost parts models of symmetric trees alone.

    Raises:
        ConfigError: a param that the library has not, or trees that the model has not.
    """
    library = _library(booster)
    for name in params:
        if name not in PARAMS[library]:
            raise ConfigError(
                f"the model takes no param '{name}'",
                where=f"params.{name}",
                fix=did_you_mean(name, PARAMS[library]),
            )
    given = {name: value for name, value in params.items() if value is not None}
    if not given:
        return booster
    count, part = _OF[library]
    rounds = count(booster)
    where = ", ".join(f"params.{name}" for name in given)
    try:
        start, end = _ROUNDS[library](booster, given, rounds, wrapped)
        named = type(start) is type(end) is int and 0 <= start < end <= rounds
    except (TypeError, ValueError):
        named = False
    if not named:
        told = ", ".join(f"{name}={value!r}" for name, value in given.items())
        raise ConfigError(
            f"{told} names no trees of the model, which has {rounds} rounds of them",
            where=where,
            fix=f"name whole numbers of rounds, from 0 to {rounds}",
        )
    try:
        return part(booster, start, end)
    except Exception as error:  # the libraries' own errors
        said = _SOURCE.sub("", str(error).partition("\n")[0])
        raise ConfigError(
            f"the library cannot part this model: {said}", where=where, fix="leave it out"
        ) from error


def wrapper_of_rounds(wrapper: Any, params: Mapping[str, Any]) -> Any:
    """The same of a library's scikit-learn wrapper.

    Raises:
        ConfigError: as above, or it is no such wrapper.
    """
    if _library(wrapper) == "catboost":
        return of_rounds(wrapper, params)
    inner = next((n for n in ("booster_", "get_booster") if hasattr(wrapper, n)), "")
    if _library(wrapper) not in PARAMS or not inner:
        raise ConfigError(
            "a scikit-learn model takes no params",
            where=", ".join(f"params.{name}" for name in params),
            fix="leave them out, or say flavor: pyfunc",
        )
    booster = getattr(wrapper, inner)
    made = copy.copy(wrapper)
    booster = booster() if callable(booster) else booster
    made._Booster = of_rounds(booster, params, wrapped=True)  # noqa: SLF001
    return made


def _library(model: Any) -> str:
    """The library whose own class, or its nearest base's, a model is."""
    names = (kind.__module__.partition(".")[0] for kind in type(model).__mro__)
    return next((name for name in names if name in PARAMS), "")


def _of_xgboost(
    booster: Any, given: Mapping[str, Any], rounds: int, wrapped: bool
) -> tuple[int, int]:
    start, end = given["iteration_range"]
    if end or not wrapped:
        return start, end or rounds
    if start:  # the wrapper would pass over it, and score from the first round on
        return start, 0
    best = booster.attr("best_iteration")
    return start, rounds if best is None else int(best) + 1


def _of_lightgbm(
    booster: Any, given: Mapping[str, Any], rounds: int, wrapped: bool
) -> tuple[int, int]:
    del wrapped
    start, several = given.get("start_iteration", 0), given.get("num_iteration")
    if several is None and start <= 0 and booster.best_iteration > 0:
        several = booster.best_iteration
    return start, start + several if several is not None and several > 0 else rounds


def _of_catboost(
    booster: Any, given: Mapping[str, Any], rounds: int, wrapped: bool
) -> tuple[int, int]:
    del booster, wrapped
    return given.get("ntree_start", 0), given.get("ntree_end", 0) or rounds


_SOURCE = re.compile(r"^(\[[\d:]+\] )?\S+:\d+: ")
"""Where in the library's own sources an error was raised."""
_ROUNDS: Mapping[str, Callable[[Any, Mapping[str, Any], int, bool], tuple[int, int]]] = {
    "xgboost": _of_xgboost,
    "lightgbm": _of_lightgbm,
    "catboost": _of_catboost,
}
"""A library → the first round, and that after the last, as the library itself reads the params."""


def _part_of_lightgbm(booster: Any, start: int, end: int) -> Any:
    text = booster.model_to_string(num_iteration=end - start, start_iteration=start)
    return type(booster)(model_str=text)


def _part_of_catboost(model: Any, start: int, end: int) -> Any:
    made = model.copy()
    made.shrink(end, start)
    return made


_OF: Mapping[str, tuple[Callable[[Any], int], Callable[[Any, int, int], Any]]] = {
    "xgboost": (lambda b: b.num_boosted_rounds(), lambda b, start, end: b[start:end]),
    "lightgbm": (lambda b: b.current_iteration(), _part_of_lightgbm),
    "catboost": (lambda m: m.tree_count_, _part_of_catboost),
}
"""A library → how many rounds a model has, and a model of some of them."""
