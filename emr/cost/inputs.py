"""`Given`: a number that a cost is computed from, with its unit, its label and its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from emr.cost.prices import Labelled
from sparkml.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CALLER = "given by the caller"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One input of a cost."""

    name: str
    value: float
    unit: str
    label: Labelled
    source: str

    def to_json(self) -> dict[str, Any]:
        """The input as plain values."""
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "label": self.label,
            "source": self.source,
        }


def sourced(text: str, *, option: str) -> tuple[str, Labelled, str]:
    """A value as the command line says it: its text, its label, its source.

    `40000` is assumed, `40000@our cluster` was measured there, and `0.19@quoted:a page` says its
    label itself.

    Raises:
        ConfigError: nothing stands before or after the `@`.
    """
    value, at, where = text.partition("@")
    named, colon, rest = where.partition(":")
    label: Labelled = "measured" if at else "assumed"
    for known in get_args(Labelled):
        if colon and named == known:
            label, where = known, rest
    if not value or (at and not where):
        fix = "write VALUE@WHERE: 40000@our cluster, 0.19@quoted:a page"
        raise ConfigError(f"'{text}' lacks its value or its source", where=option, fix=fix)
    return value, label, where or CALLER


def number_of(text: str, *, name: str, unit: str, option: str) -> Given:
    """A number as the command line says it: `VALUE` or `VALUE@WHERE`.

    Raises:
        ConfigError: it is no number.
    """
    value, label, source = sourced(text, option=option)
    try:
        number = float(value)
    except ValueError:
        fix = "write a number, and where it is from: 240@our cluster"
        raise ConfigError(f"'{value}' is no number", where=option, fix=fix) from None
    return Given(name=name, value=number, unit=unit, label=label, source=source)


def named_numbers(
    texts: Iterable[str], known: Mapping[str, tuple[str, str]], *, option: str
) -> dict[str, Given]:
    """Numbers by their keys, from `KEY=VALUE` or `KEY=VALUE@WHERE`.

    Args:
        texts: as the command line says them.
        known: key → what tables call it, and its unit.
        option: the command line's name for them.

    Raises:
        ConfigError: an unknown key, or no number.
    """
    found = {}
    for text in texts:
        key, _, value = text.partition("=")
        if key not in known:
            near = did_you_mean(key, known)
            told = f"known: {', '.join(known)}"
            fix = f"{near} {told}" if near.startswith("did") else told
            raise ConfigError(f"there is no input '{key}'", where=option, fix=fix)
        name, unit = known[key]
        found[key] = number_of(value, name=name, unit=unit, option=f"{option} {key}")
    return found


def above_zero(*inputs: Given) -> None:
    """Refuses inputs that must be above zero and are not.

    Raises:
        ConfigError: one of them is zero, below it, or not a number.
    """
    _check(inputs, lambda value: 0 < value < float("inf"), "must be above 0")


def share(*inputs: Given) -> None:
    """Refuses inputs that must lie between 0 and 1 and do not.

    Raises:
        ConfigError: one of them does not.
    """
    _check(inputs, lambda value: 0 <= value <= 1, "must lie between 0 and 1")


def not_negative(*inputs: Given) -> None:
    """Refuses inputs below zero.

    Raises:
        ConfigError: one of them is.
    """
    _check(inputs, lambda value: 0 <= value < float("inf"), "must not be below 0")


def _check(inputs: tuple[Given, ...], fits: Any, rule: str) -> None:
    for given in inputs:
        if not fits(given.value):
            unit = f" {given.unit}" if given.unit else ""
            raise ConfigError(f"{given.name} is {given.value:g}{unit}", fix=f"it {rule}")
