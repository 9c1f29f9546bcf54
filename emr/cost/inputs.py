"""`Given`: a number that a cost is computed from, with its unit, its label and its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkml.errors import ConfigError

if TYPE_CHECKING:
    from emr.cost.prices import Labelled


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
