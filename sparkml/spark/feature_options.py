"""The options of features in SQL texts, tried on the driver before a task meets them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from py4j.protocol import Py4JJavaError

from sparkml.errors import ConfigError, InputError
from sparkml.spark._versions import is_connect
from sparkml.spark.features import BY_NAME, called_in, try_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

    from sparkml.features.table import Constant, Feature


def check_options(spark: SparkSession, expression: str, *, where: str) -> None:
    """Refuse a SQL expression that calls a feature with an option that makes no sense.

    Options that stand there as constants are tried on a table without rows. Others, and all of them
    in a Connect session, whose driver has no parser, fail when the query runs. Costs some
    milliseconds where a feature with options is called, nothing elsewhere. An expression that does
    not parse passes: Spark refuses it.

    Raises:
        ConfigError: such an option.
    """
    if is_connect(spark) or not any(BY_NAME[n].constants for n in called_in([expression])):
        return
    parser = spark._jsparkSession.sessionState().sqlParser()  # noqa: SLF001 -- there is no other
    try:
        parsed = parser.parseExpression(expression)
    except Py4JJavaError:
        return
    for feature, options in _calls(parsed):
        try:
            try_out(feature, options)
        except InputError as error:
            raise ConfigError(
                f"{feature.name}: {error.what}", where=where, fix=error.fix
            ) from error


def _calls(node: Any) -> Iterator[tuple[Feature, dict[str, Constant]]]:
    """The features that a parsed expression calls, each with its constant options."""
    inner = _listed(node.children())
    if _kind(node) == "UnresolvedFunction":
        feature = BY_NAME.get(node.nameParts().mkString(".").lower())
        if feature is not None and feature.constants:
            yield feature, _options(feature, inner)
    for child in inner:
        yield from _calls(child)


def _options(feature: Feature, arguments: list[Any]) -> dict[str, Constant]:
    names = [*feature.columns, *feature.constants]
    given = {}
    for place, argument in enumerate(arguments):
        named = _kind(argument) == "NamedArgumentExpression"
        name = argument.key().lower() if named else names[place] if place < len(names) else ""
        if name in feature.constants:
            value = _constant(argument.value() if named else argument, feature.constants[name])
            if value is not None:
                given[name] = value
    return given


def _constant(argument: Any, default: Constant) -> Constant | None:
    """An argument's value, as the type of the option's default; None where it is no such constant.

    A value that Spark would first cast to another type is left to Spark.
    """
    try:
        value = argument.eval(None) if argument.foldable() else None
        if value is None or isinstance(value, bool) != isinstance(default, bool):
            return None
        return value if isinstance(default, bool) else type(default)(str(value))
    except (Py4JJavaError, ValueError):
        return None


def _kind(node: Any) -> str:
    return str(node.getClass().getSimpleName())


def _listed(sequence: Any) -> list[Any]:
    return [sequence.apply(place) for place in range(sequence.size())]
