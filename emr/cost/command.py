"""`cost_command`: the answers of `emr cost`, as text and as plain values; the CLI only wires it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from emr.cost.break_even import break_even, line_of
from emr.cost.hourly import hourly_cost
from emr.cost.run import run_cost
from emr.cost.service import always_on
from emr.cost.table import (
    as_text,
    cost_table,
    door_table,
    run_table,
    service_table,
    what_if_table,
)
from emr.cost.what_if import what_if
from emr.cost.working import work_on
from sparkml.errors import ConfigError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

    from emr.cost.doors import DoorCost
    from emr.cost.hourly import Cost
    from emr.cost.inputs import Given
    from emr.cost.prices import Prices
    from emr.cost.rate import Rate
    from emr.cost.run import Work
    from emr.cost.service import Service
    from emr.spec import ClusterSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A cluster whose cost is asked for, and what is known of a run on it."""

    spec: ClusterSpec
    rate: Rate | None = None
    """Of one core or task node; without it there is the hourly cost alone."""
    known: Mapping[str, Given] = field(default_factory=dict)
    """Inputs of `emr.cost.run.work` that are known better (`bootstrap_s`, `idle_s`, …)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What `emr cost` has to say."""

    text: str
    json: dict[str, Any]


def cost_command(
    asked: Asked,
    prices: Prices,
    *,
    rows: int | None = None,
    against: Asked | None = None,
    plot: str | os.PathLike[str] | None = None,
    types: Sequence[tuple[str, Rate]] = (),
    service: Service | None = None,
    doors: Sequence[DoorCost] = (),
) -> Answer:
    """What a cluster costs by the hour, a run on it, and from how many rows another is cheaper.

    Args:
        asked: the cluster.
        prices: `snapshot()` or `PriceList(aws=…)`.
        rows: how many rows a run scores; without it, only the hourly cost is told.
        against: another cluster, to compare with.
        plot: a picture of both costs over rows, to draw.
        types: speeds on other instance types, whose prices of a million rows are compared.
        service: one that answers day and night, to be told by the month.
        doors: what the same work costs through other doors.

    Raises:
        ConfigError: a number is wrong, or one is missing; the plot cannot be written.
        PricesMissing: no price for a type.
        ExtraMissing: a plot was asked for, and matplotlib is not installed.
    """
    if (rows is not None or plot or against) and asked.rate is None:
        fix = "give --rows-per-s, measured on this kind of node if you can"
        raise ConfigError("the cost of a run needs its speed", fix=fix)
    if against is not None and against.rate is None:
        fix = "give --against-rows-per-s"
        raise ConfigError("a comparison needs the other cluster's speed", fix=fix)
    clusters = [_priced(one, prices) for one in (asked, against) if one is not None]
    shown: list[RenderableType] = [cost_table(cost) for cost, _ in clusters]
    values: dict[str, Any] = {"clusters": [cost.to_json() for cost, _ in clusters]}
    working = [(cost, how) for cost, how in clusters if how is not None]
    if rows is not None:
        runs = [run_cost(cost, how, rows) for cost, how in working]
        shown += [run_table(run) for run in runs]
        values["runs"] = [run.to_json() for run in runs]
    lines = [line_of(cost, how) for cost, how in working]
    if len(lines) > 1:
        even = break_even(lines[0], lines[1])
        shown.append(even.text())
        values["break_even"] = {"rows": even.rows, "text": even.text()}
    if types:
        answers = what_if(asked.spec, types, prices, asked.known)
        shown.append(what_if_table(answers))
        values["what_if"] = [answer.to_json() for answer in answers]
    if service is not None:
        month = always_on(service)
        shown.append(service_table(month))
        values["always_on"] = month.to_json()
    if doors:
        shown += [door_table(door) for door in doors]
        values["doors"] = [door.to_json() for door in doors]
    if plot is not None:
        from emr.cost.plot import plot_costs  # here, so that only a plot pays for it

        values["plot"] = str(plot_costs(lines, plot))
        shown.append(f"drawn: {values['plot']}")
    return Answer(text=as_text(*shown), json=values)


def _priced(asked: Asked, prices: Prices) -> tuple[Cost, Work | None]:
    cost = hourly_cost(asked.spec, prices)
    if asked.rate is None:
        return cost, None
    return cost, work_on(asked.spec, cost, asked.rate, asked.known)
