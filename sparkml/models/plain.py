"""Params and config as plain values: what travels in a spec, to the sandbox and the workers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np

from sparkml.errors import ConfigError


def plain_mapping(given: Any, where: str) -> dict[str, Any]:
    """What a caller gave for a mapping by names; None is an empty one.

    Raises:
        ConfigError: it is none.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise ConfigError(
            f"{given!r} is no mapping by names", where=where, fix='give {"name": value}'
        )
    return dict(given)


def plain_values(given: Mapping[str, Any] | None, *, where: str, dates: bool) -> dict[str, Any]:
    """`given` as texts, numbers, booleans, nulls, and lists and mappings of these.

    NumPy's scalars and arrays become numbers and lists. Dates and times become ISO text where
    `dates` says that the model gets them back as such, which MLflow does for a param that is
    declared as `datetime`; those with a zone become UTC, as in MLflow.

    Raises:
        ConfigError: a value is something else; `where` leads to it.
    """
    try:
        return _mapping(given, where, dates)
    except RecursionError:
        raise ConfigError(
            "a value in it is not plain: it has no end", where=where, fix=_FIX
        ) from None


_NANOSECONDS = (np.dtype("M8[ns]"), np.dtype("m8[ns]"))
"""Times and spans of which NumPy makes integers."""
_MOST_BITS = 10_000
"""Python writes no number of 4,300 digits, nor does it read one."""
_FIX = "give texts, numbers, booleans, nulls, and lists and mappings of these"


def _mapping(given: Any, where: str, dates: bool) -> dict[str, Any]:
    named = plain_mapping(given, where)
    return {
        _encodable(name, where): _plain(value, f"{where}.{name}", dates)
        for name, value in named.items()
    }


def _writable(value: Any, where: str) -> Any:
    if isinstance(value, str):
        return _encodable(value, where)
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        what = f"a number of {value.bit_length():,} bits is no plain value"
        raise ConfigError(what, where=where, fix=_FIX)
    return value


def _encodable(text: str, where: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        what = "a text with half a character in it is no plain value"
        raise ConfigError(what, where=where, fix="write whole characters") from error
    return text


def _plain(value: Any, where: str, dates: bool) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        if value.dtype in _NANOSECONDS:
            value = value.astype(f"{value.dtype.kind}8[us]")
        value = value.tolist()
    if value is None or isinstance(value, str | bool | int | float):
        return _writable(value, where)
    if isinstance(value, list | tuple):
        return [_plain(one, f"{where}[{i}]", dates) for i, one in enumerate(value)]
    if isinstance(value, Mapping):  # MLflow hands it on as it is: it would make no date of text
        return _mapping(value, where, dates=False)
    if isinstance(value, dt.date) and dates:
        try:
            return _iso(value)
        except (OverflowError, ValueError) as error:
            what = f"its UTC time is no date of Python's: {error}"
            raise ConfigError(what, where=where, fix="give it without a zone") from error
    raise ConfigError(f"a {type(value).__name__} is no plain value", where=where, fix=_FIX)


def _iso(value: dt.date) -> str:
    if not isinstance(value, dt.datetime):
        return value.isoformat()
    if value.tzinfo is not None:
        value = value.astimezone(dt.UTC).replace(tzinfo=None)
    return value.isoformat(timespec="microseconds" if value.microsecond else "seconds")
