"""What a column function is called with, and which features its arguments are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it

from sparkml.binding import Columns, joined
from sparkml.errors import SignatureError, did_you_mean
from sparkml.lists import is_list
from sparkml.spark._versions import has_arrow_udf
from sparkml.spark.names import alike
from sparkml.spark.types import column
from sparkml.spec import OPEN
from sparkml.type_names import to_arrow_type

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sparkml.spec import ModelSpec


def lone_argument(
    names: Sequence[str | Column], spec: ModelSpec, *, fold_case: bool
) -> Column | None:
    """A lone argument that is no feature: a struct of them, or the one that a model takes.

    Raises:
        SignatureError: it is a text that is nearly a feature's name, and so a slip.
    """
    if len(names) != 1:
        return None
    (name,) = names
    if not isinstance(name, str):
        return name
    if _meanings(spec, fold_case=fold_case)(name) or as_vector({name: name}, spec):
        return None
    hint = did_you_mean(name, spec.signature.names)
    if hint.startswith("did"):
        raise SignatureError(
            f"'{name}' is not a feature of the model",
            where=spec.uri,
            fix=f"{hint} A struct column of this name is given as F.col({name!r})",
        )
    return column(name)


def _meanings(spec: ModelSpec, *, fold_case: bool) -> Callable[[str], list[str]]:
    """From a name to the features that it may mean: none, one, or several."""
    features = Columns(spec.signature.names, fold_case=fold_case)
    blanks = {f.name for f in spec.signature.inputs if f.blanks}
    return lambda name: features.of(name) or [f for f in features.of(joined(name)) if f in blanks]


def told_by_type(names: Sequence[str | Column], spec: ModelSpec) -> bool:
    """Whether only the worker, which sees its type, can tell what a lone argument is."""
    one = len(spec.signature.inputs) == 1 and not isinstance(names[0], str)
    return has_arrow_udf() and (one or any(f.blanks for f in spec.signature.inputs))


def named_columns(
    names: Sequence[str | Column], lone: Column | None, spec: ModelSpec, *, fold_case: bool
) -> dict[str, Any]:
    """The columns by the names that they are given under, those of a struct by its fields'."""
    texts = [name for name in names if isinstance(name, str)]
    if lone is None and len(texts) < len(names):
        raise SignatureError(
            "a column that is no name, among others, does not tell which feature it is",
            where=spec.uri,
            fix="say feature=column for each, or give one struct that has them all",
        )
    if lone is None:
        return {name: name for name in texts}
    if fold_case:
        refuse_alike(spec.signature.names, spec)
    return {name: lone.getField(name) for name in spec.signature.names}


def refuse_alike(names: Sequence[str], spec: ModelSpec) -> None:
    """Refuse names of columns that Spark takes for one, though they are two."""
    twice = alike(names, list(dict.fromkeys(names)))
    if twice:
        told = " and ".join(map(repr, twice))
        raise SignatureError(
            f"Spark does not tell the columns {told} apart",
            where=spec.uri,
            fix="rename one of them and say feature=column for both, or set "
            "spark.sql.caseSensitive to true",
        )


def as_vector(given: dict[str, Any], spec: ModelSpec) -> dict[str, Any]:
    """The columns in their order as the one vector that a model takes; empty where it does not."""
    first, *others = spec.signature.inputs
    if others or first.type == OPEN or not is_list(to_arrow_type(first.type)):
        return {}
    if first.name in given or len(given) != (first.length or len(given)) or not given:
        return {}
    return {first.name: F.array(*[column(name) for name in given])}


def checked(given: dict[str, Any], spec: ModelSpec, *, fold_case: bool) -> dict[str, Any]:
    """What is given for each feature, under the feature's own name."""
    meanings = _meanings(spec, fold_case=fold_case)
    named: dict[str, Any] = {}
    for name, value in given.items():
        found = meanings(name)
        if len(found) > 1:
            told = " or ".join(map(repr, found))
            raise SignatureError(
                f"'{name}' may be the feature {told}", where=spec.uri, fix="name it as it is"
            )
        if not found:
            raise SignatureError(
                f"'{name}' is not a feature of the model",
                where=spec.uri,
                fix=did_you_mean(name, spec.signature.names),
            )
        if found[0] in named:
            raise SignatureError(
                f"the feature '{found[0]}' is named twice", where=spec.uri, fix="name it once"
            )
        named[found[0]] = value
    left_out = [f.name for f in spec.signature.inputs if f.required and f.name not in named]
    if left_out:
        raise SignatureError(
            f"features without a column: {', '.join(left_out)}",
            where=spec.uri,
            fix="name every feature's column",
        )
    return named
