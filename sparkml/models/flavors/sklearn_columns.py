"""What the fitted parts of an estimator tell of the columns that it takes: types, categories.

An estimator that was trained on a DataFrame knows the names of its columns. Their types are known
to its parts: an encoder holds the texts it was fitted on, a vectorizer takes texts, a scaler
numbers, a booster the categories of pandas' columns. Code that is nobody's we know, such as a
function or a class of one's own, tells nothing.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkml.errors import ModelUnreadable
from sparkml.models.flavors.boosted_categories import (
    categories_of_lightgbm,
    categories_of_xgboost,
    category_type,
)
from sparkml.models.flavors.sklearn_graph import chosen, parts_of
from sparkml.models.flavors.sklearn_labels import public_name
from sparkml.spec import OPEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

VECTORIZERS = frozenset(
    f"sklearn.feature_extraction.text.{name}Vectorizer" for name in ("Count", "Hashing", "Tfidf")
)
"""The steps that take a list of texts and not a table."""

BOOSTERS = frozenset({"lightgbm", "xgboost", "catboost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is told of a column: its `type`, a value that fits, and what pandas' categories were.

    If `strict`, no other category is scored: XGBoost (3.2) takes it for one that it knows. Of what
    several parts tell, that of the greatest `weight` counts.
    """

    type: str
    example: Any = None
    categories: pa.Array | None = None
    strict: bool = False
    weight: int = 3


UNUSED = Told(type="", weight=0)
"""A column that no part looks at."""
PASSED = Told(type="double", weight=1)
"""A column that is only passed on: a number, unless somebody after it knows better."""
UNKNOWN = Told(type=OPEN, weight=2)
ANY = Told(type=OPEN, weight=4)
"""What CatBoost calls categories and texts: it takes whole numbers and booleans as well."""
NUMBER, TEXT = Told(type="double"), Told(type="string", example="", weight=4)


def names_of(first: Any) -> tuple[list[str], int | None]:
    """The names of the columns that an estimator was trained on, none for numbers, and how many.

    LightGBM and CatBoost number the columns of an array, and call the numbers names.
    """
    names = getattr(first, "feature_names_in_", None)
    if names is None and _library(type(first)) == "catboost" and first.is_fitted():
        names = first.feature_names_  # what it has of scikit-learn's is not stored
    names = [str(name) for name in names] if names is not None else []
    width = getattr(first, "n_features_in_", None) or len(names) or None
    for numbered in ("Column_{}", "{}"):
        if names == [numbered.format(i) for i in range(len(names))]:
            names = []
    return names, width


def columns_of(estimator: Any, names: Sequence[str], width: int) -> list[Told]:
    """What is told of each of the `width` columns; `names` are theirs, if they have some."""
    told = _told(estimator, width)
    parts, first = list(parts_of(estimator)), _first(estimator)
    for part in parts if names else ():
        told = _with_categories(told, part, names, first=part is first)
    if not all(_is_known(part) for part in parts):
        told = [UNKNOWN if one is PASSED else one for one in told]
    return told


def _told(part: Any, width: int) -> list[Told]:
    """What a part tells of the columns that it takes."""
    part = chosen(part)
    name = public_name(type(part))
    if _passes(part):
        return [PASSED] * width
    if name in _OF_SEVERAL:
        return _OF_SEVERAL[name](part, width)
    if name in VECTORIZERS:
        return [TEXT] * width
    values = _fitted_values(part, name)
    if values is not None and len(values) == width:
        return [_of_values(of_column) for of_column in values]
    return _of_class(part, width)


def _of_class(part: Any, width: int) -> list[Told]:
    if not _is_known(part):
        return [UNKNOWN] * width
    inner = [p for p in _inside(part) if getattr(p, "n_features_in_", None) == width]
    return _merged((_told(p, width) for p in inner), width) if inner else [NUMBER] * width


def _passes(part: Any) -> bool:
    if part is None or isinstance(part, str):
        return part in (None, "passthrough")
    kind = public_name(type(part))
    return kind == "sklearn.preprocessing.FunctionTransformer" and part.func is None


def _is_known(part: Any) -> bool:
    """Whether it is a library's own class, which takes numbers unless it says otherwise."""
    if _library(type(part)) not in {"sklearn", *BOOSTERS}:
        return False
    if type(part).__name__ != "FunctionTransformer":
        return True
    function = getattr(part.func, "func", part.func)  # a partial's own
    return isinstance(function, np.ufunc | None) or _library(function) == "sklearn"


def _library(thing: Any) -> str:
    return str(getattr(thing, "__module__", "")).partition(".")[0]


def _first(part: Any) -> Any:
    """What gets the columns as they are: a pipeline's first step that does more than pass them."""
    part = chosen(part)
    if public_name(type(part)) != "sklearn.pipeline.Pipeline":
        return part
    steps = [step for _, step in part.steps]
    return _first(next((step for step in steps if not _passes(step)), steps[-1]))


def _of_pipeline(part: Any, width: int) -> list[Told]:
    return _told(_first(part), width)


def _of_union(part: Any, width: int) -> list[Told]:
    return _merged((_told(p, width) for _, p in part.transformer_list if p != "drop"), width)


def _of_columns(part: Any, width: int) -> list[Told]:
    made = [UNUSED] * width
    for name, inner, _ in part.transformers_:
        places = part._transformer_to_input_indices.get(name, [])  # noqa: SLF001
        if isinstance(inner, str) and inner == "drop":
            continue
        for place, one in zip(places, _told(inner, len(places)), strict=True):
            made[place] = max(made[place], one, key=_weight)
    return made


_OF_SEVERAL: Mapping[str, Callable[[Any, int], list[Told]]] = {
    "sklearn.pipeline.Pipeline": _of_pipeline,
    "sklearn.pipeline.FeatureUnion": _of_union,
    "sklearn.compose.ColumnTransformer": _of_columns,
}


def _merged(several: Iterable[list[Told]], width: int) -> list[Told]:
    made = [UNUSED] * width
    for told in several:
        made = [max(one, other, key=_weight) for one, other in zip(made, told, strict=True)]
    return made


def _weight(told: Told) -> int:
    return told.weight


def _inside(part: Any) -> Iterator[Any]:
    """The estimators right inside a part, however it keeps them."""
    within: set[int] = set()
    for inner in parts_of(part):
        if inner is part or id(inner) in within:
            continue
        if hasattr(inner, "n_features_in_"):
            within.update(map(id, parts_of(inner)))
            yield inner


def _fitted_values(part: Any, name: str) -> list[Any] | None:
    """For each column, values that an encoder or an imputer has kept of it."""
    categories = getattr(part, "categories_", None)
    if isinstance(categories, list):
        return categories
    if name == "sklearn.impute.SimpleImputer":
        return [[value] for value in part.statistics_]
    return None


def _of_values(values: Any) -> Told:
    array = np.asarray(values)
    if array.dtype.kind == "M":  # nanoseconds would become integers
        array = array.astype("datetime64[us]")
    kept = [v for v in array.tolist() if v is not None and v == v]  # noqa: PLR0124 -- not NaN
    if not kept:
        return PASSED
    if all(isinstance(value, str) for value in kept):
        return Told(type="string", example=kept[0], weight=4)
    if all(isinstance(value, bool) for value in kept):
        return Told(type="bool", example=kept[0], weight=4)
    if all(isinstance(value, dt.datetime) for value in kept):
        return Told(type="timestamp[us]", example=kept[0], weight=4)
    if all(isinstance(value, int | float) for value in kept):
        return Told(type="double", example=float(kept[0]))
    return UNKNOWN


def _with_categories(
    told: list[Told], part: Any, names: Sequence[str], *, first: bool
) -> list[Told]:
    """`told` and what a booster knows of the categories of columns that reach it as they are."""
    if _library(type(part)) not in BOOSTERS:
        return told
    try:
        own, categories = _of_booster(part)
    except ModelUnreadable:
        if first:
            raise
        return told  # a step before it may have made them
    made = list(told)
    place_of = {name: place for place, name in enumerate(names)}
    for place, known in categories.items():
        name = str(own[place])
        # A `ColumnTransformer` puts its part's name before that of a column that it passes on.
        for at in (place_of[n] for n in (name, name.rpartition("__")[2]) if n in place_of):
            if made[at].weight <= NUMBER.weight:
                made[at] = _of_categories(known, strict=hasattr(part, "get_booster"))
            break
    return made


def _of_booster(part: Any) -> tuple[Sequence[str], Mapping[int, pa.Array | None]]:
    """The names of a booster's features, and the categories of some; None where any text is one."""
    if hasattr(part, "booster_"):  # one that is not fitted has none
        return part.booster_.feature_name(), categories_of_lightgbm(part.booster_)
    if hasattr(part, "get_booster") and part.__sklearn_is_fitted__():
        booster = part.get_booster()
        return booster.feature_names or [], categories_of_xgboost(booster)
    if hasattr(part, "get_cat_feature_indices") and part.is_fitted():
        texts = [*part.get_cat_feature_indices(), *part.get_text_feature_indices()]
        return part.feature_names_, dict.fromkeys(texts)
    return [], {}


def _of_categories(known: pa.Array | None, *, strict: bool) -> Told:
    if known is None:
        return ANY
    return Told(
        type=category_type(known),
        example=known[0].as_py(),
        categories=known,
        strict=strict,
        weight=4,
    )
