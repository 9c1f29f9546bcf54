"""`break_even`: from how many rows on one cluster is cheaper than another, all-in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emr.cost.run import fixed_s, seconds_per_row

if TYPE_CHECKING:
    from emr.cost.hourly import Cost
    from emr.cost.run import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A cost as a straight line over rows: what a run costs before its first row, and per row."""

    name: str
    fixed_usd: float
    usd_per_row: float

    def at(self, rows: float) -> float:
        """The cost of so many rows in USD."""
        return self.fixed_usd + self.usd_per_row * rows


def line_of(cost: Cost, how: Work) -> Line:
    """The all-in cost over rows, without the rounding to seconds and without the first minute."""
    per_s = cost.usd_per_hour / 3_600
    return Line(
        name=cost.name,
        fixed_usd=per_s * fixed_s(how),
        usd_per_row=per_s * seconds_per_row(how),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """Where two all-in lines cross."""

    rows: int | None
    """From so many rows on the other one is cheaper; None where they never cross."""
    same: bool = False
    """Whether they cost the same everywhere."""
    cheaper_below: str
    """Which one is cheaper for fewer rows."""
    cheaper_above: str
    """Which one is cheaper for more."""

    def text(self) -> str:
        """The answer in one line."""
        if self.same:
            return f"{self.cheaper_below} and {self.cheaper_above} cost the same"
        if self.rows is None:
            return f"{self.cheaper_below} is cheaper at any number of rows: they never break even"
        return (
            f"break-even at {self.rows:,} rows: {self.cheaper_below} is cheaper below, "
            f"{self.cheaper_above} above"
        )


def break_even(one: Line, other: Line) -> BreakEven:
    """Where the all-in costs of two clusters cross: with fewer rows, with more."""
    first, second = sorted((one, other), key=lambda line: (line.fixed_usd, line.usd_per_row))
    gained = first.usd_per_row - second.usd_per_row
    if gained <= 0:
        same = gained == 0 and first.fixed_usd == second.fixed_usd
        dearer = second.name if same else first.name
        return BreakEven(rows=None, same=same, cheaper_below=first.name, cheaper_above=dearer)
    rows = math.ceil((second.fixed_usd - first.fixed_usd) / gained)
    return BreakEven(rows=rows, cheaper_below=first.name, cheaper_above=second.name)
