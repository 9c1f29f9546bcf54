"""What a run costs: all-in and marginal, by the run and by the million rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from emr.cost.inputs import CALLER, Given, above_zero, not_negative, share

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emr.cost.hourly import Cost
    from emr.cost.prices import Labelled

MINIMUM_BILLED_S = 60
"""EC2, EMR and EBS are billed by the second, and at least for a minute ("Amazon EMR pricing")."""

MILLION = 1_000_000


def _assumed(name: str, value: float, unit: str, source: str) -> Given:
    return Given(name=name, value=value, unit=unit, label="assumed", source=source)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """How a cluster works: how fast, and what it spends besides working.

    `work()` makes one with the defaults below; each input keeps its label and source.
    """

    rows_per_s: Given
    """Of one node, while it scores."""
    workers: Given
    """How many nodes score."""
    efficiency: Given
    """What is left of `workers` times their speed when they work together."""
    provisioning_s: Given
    """From the request until the nodes are ready, bootstrap actions aside."""
    bootstrap_s: Given
    """What bootstrap actions take."""
    startup_s: Given
    """From the step's start until Spark's first task."""
    model_load_s: Given
    """Until the model stands in the workers' memory."""
    idle_s: Given
    """Between the last row and the end of the bill."""
    interruption: Given
    """The probability that Spot nodes are taken away during the run."""
    rework: Given
    """The share of the work that an interruption costs again."""

    @property
    def inputs(self) -> tuple[Given, ...]:
        """Every input, in the order above."""
        return tuple(getattr(self, field.name) for field in fields(self))


ASSUMED: Mapping[str, tuple[str, float, str, str]] = {
    "efficiency": ("efficiency", 0.9, "", "no measurement here: a tenth lost to skew"),
    "provisioning_s": ("provisioning", 420.0, "s", "EMR takes 5 to 10 minutes; the middle"),
    "bootstrap_s": ("bootstrap", 0.0, "s", "no bootstrap action"),
    "startup_s": ("start of Spark", 30.0, "s", "from the step to the first task on YARN"),
    "model_load_s": ("model load", 10.0, "s", "a model of some megabytes, once per worker"),
    "idle_s": ("idle tail", 60.0, "s", "a transient cluster ends with its last step"),
    "interruption": ("interruption", 0.0, "", "no Spot node"),
    "rework": ("rework", 0.5, "", "an interruption comes half-way on average"),
}
"""What `work()` takes where nothing is said: name, value, unit, why."""
INPUTS = {field: (name, unit) for field, (name, _, unit, _) in ASSUMED.items()}
"""What may be known better: name, unit."""


def work(
    *,
    rows_per_s: float,
    workers: float,
    label: Labelled = "assumed",
    source: str = CALLER,
    **known: Given,
) -> Work:
    """A `Work` from numbers; what is not given is assumed, and says why.

    Args:
        rows_per_s: of one node, while it scores.
        workers: how many nodes work.
        label: what `rows_per_s` is: measured, quoted or assumed.
        source: where it is from.
        known: other fields of `Work`.

    Raises:
        ConfigError: a number that cannot be.
        TypeError: no such field.
    """
    if unknown := set(known) - set(ASSUMED):
        raise TypeError(f"no such input of a run: {sorted(unknown)}")
    unit = "rows/s per node"
    speed = Given(name="speed", value=rows_per_s, unit=unit, label=label, source=source)
    count = _assumed("workers", workers, "nodes", "the spec's size")
    rest = {field: known.get(field) or _assumed(*how) for field, how in ASSUMED.items()}
    made = Work(rows_per_s=speed, workers=count, **rest)
    above_zero(made.rows_per_s, made.workers, made.efficiency)
    share(made.efficiency, made.interruption, made.rework)
    not_negative(made.provisioning_s, made.bootstrap_s, made.startup_s, made.model_load_s)
    not_negative(made.idle_s)
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCost:
    """What one run costs."""

    name: str
    rows: int
    usd_per_hour: float
    working_s: float
    """Scoring alone, with what interruptions add."""
    billed_s: int
    """Everything from the first node to the last, as it is billed."""
    inputs: tuple[Given, ...]

    @property
    def usd(self) -> float:
        """The run, all-in: provisioning, start, work and idle tail."""
        return self.usd_per_hour * self.billed_s / 3_600

    @property
    def usd_per_million(self) -> float:
        """All-in, by the million rows."""
        return self.usd * MILLION / self.rows

    @property
    def marginal_usd_per_million(self) -> float:
        """What a million more rows cost while it runs anyway."""
        return self.usd_per_hour * self.working_s / 3_600 * MILLION / self.rows

    def to_json(self) -> dict[str, Any]:
        """The cost as plain values."""
        return {
            "name": self.name,
            "rows": self.rows,
            "usd_per_hour": self.usd_per_hour,
            "working_s": self.working_s,
            "billed_s": self.billed_s,
            "usd": self.usd,
            "usd_per_million": self.usd_per_million,
            "marginal_usd_per_million": self.marginal_usd_per_million,
            "inputs": [given.to_json() for given in self.inputs],
        }


def seconds_per_row(how: Work) -> float:
    """What one more row takes, with what interruptions add."""
    again = 1 + how.interruption.value * how.rework.value
    return again / (how.rows_per_s.value * how.workers.value * how.efficiency.value)


def fixed_s(how: Work) -> float:
    """Seconds that are billed whatever the rows."""
    besides = (how.provisioning_s, how.bootstrap_s, how.startup_s, how.model_load_s, how.idle_s)
    return sum(given.value for given in besides)


def run_cost(cost: Cost, how: Work, rows: int) -> RunCost:
    """What scoring so many rows costs on a cluster that is made for it and ends with it.

    Billed seconds = provisioning + bootstrap + start + model load + rows / (rows/s · workers ·
    efficiency) · (1 + interruption · rework) + idle tail; rounded up, a minute at least.

    Raises:
        ConfigError: no rows.
    """
    above_zero(Given(name="rows", value=rows, unit="rows", label="assumed", source="the caller"))
    working = rows * seconds_per_row(how)
    billed = max(MINIMUM_BILLED_S, math.ceil(fixed_s(how) + working))
    return RunCost(
        name=cost.name,
        rows=rows,
        usd_per_hour=cost.usd_per_hour,
        working_s=working,
        billed_s=billed,
        inputs=how.inputs,
    )
