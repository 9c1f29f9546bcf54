"""The features as column functions: `import sparkml.functions as sf; sf.month_as_int("month")`.

One function a row of `sparkml.features.FEATURES`, with the columns in their order or by their
names, each a column's name or a `Column`, and the options by their names:

    df.withColumn("grey", sf.image_gray("image", width=8, height=8))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from sparkml.errors import SignatureError, did_you_mean
from sparkml.features import FEATURES

if TYPE_CHECKING:
    from pyspark.sql import Column

    from sparkml.features.table import Constant, Feature


class ColumnFunction(Protocol):
    """A feature as a function from columns to a column."""

    def __call__(self, *columns: Column | str, **named: Any) -> Column:
        """The feature's column; it is registered in the active session.

        Raises:
            SignatureError: the arguments are not the feature's.
            InputError: an option makes no sense.
        """
        ...


def __getattr__(name: str) -> ColumnFunction:
    for feature in FEATURES:
        if feature.name == name:
            return _function(feature)
    hint = did_you_mean(name, [feature.name for feature in FEATURES])
    msg = f"sparkml.functions has no '{name}'; {hint}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return [feature.name for feature in FEATURES]


def _function(feature: Feature) -> ColumnFunction:
    def function(*columns: Column | str, **named: Any) -> Column:
        from pyspark.sql import SparkSession
        from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it

        from sparkml.spark.features import register_features, try_out
        from sparkml.spark.types import column

        given = _given(feature, columns, named)
        options = {name: given[name] for name in feature.constants}
        try_out(feature, {n: v for n, v in options.items() if not hasattr(v, "alias")})
        register_features(SparkSession.active(), feature.name)
        arguments = [
            column(value) if name in feature.columns and isinstance(value, str) else value
            for name, value in given.items()
        ]
        parts = [a if hasattr(a, "alias") else F.lit(a) for a in arguments]
        return F.call_function(feature.name, *parts)

    function.__name__ = function.__qualname__ = feature.name
    function.__doc__ = feature.kernel.__doc__
    return function


def _given(
    feature: Feature, columns: tuple[Column | str, ...], named: dict[str, Any]
) -> dict[str, Any]:
    """Every parameter's argument, in the feature's own order.

    Raises:
        SignatureError: an argument too many, of no such name, given twice, a column left out, or an
            option of another type.
    """
    wanted = list(feature.columns)
    known = [*wanted, *feature.constants]
    call = f"{feature.name}({', '.join(known)})"
    if len(columns) > len(wanted):
        what = f"{len(columns)} columns for {len(wanted)}"
        raise SignatureError(what, where=call, fix="give the options by their names")
    given = dict(zip(wanted, columns, strict=False))
    for name, value in named.items():
        if name not in known:
            raise SignatureError(f"it takes no '{name}'", where=call, fix=did_you_mean(name, known))
        if name in given:
            raise SignatureError(f"'{name}' is given twice", where=call, fix="give it once")
        if name in feature.constants and not _fits(value, feature.constants[name]):
            kind = type(feature.constants[name]).__name__
            raise SignatureError(f"'{name}' is {value!r}", where=call, fix=f"give it as {kind}")
        given[name] = value
    missing = [name for name in wanted if name not in given]
    if missing:
        raise SignatureError(
            f"no column for {', '.join(missing)}", where=call, fix="name one for each"
        )
    return {name: given.get(name, feature.constants.get(name)) for name in known}


def _fits(value: Any, default: Constant) -> bool:
    """Whether an option may be this: a column, or a value of the default's type."""
    if hasattr(value, "alias"):
        return True
    wanted = (int, float) if isinstance(default, float) else type(default)
    return isinstance(value, wanted) and isinstance(value, bool) == isinstance(default, bool)
