"""`cost_command`: the answers of `emr cost`, as text and as plain values; the CLI only wires it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from emr.cost.break_even import break_even, line_of
from emr.cost.hourly import hourly_cost
from emr.cost.inputs import Given
from emr.cost.run import run_cost, work
from emr.cost.service import always_on
from emr.cost.table import as_text, cost_table, run_table, service_table, what_if_table
from emr.cost.what_if import what_if
from emr.spec import ClusterSpec
from sparkml.config.layers import load_as
from sparkml.errors import ConfigError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rich.console import RenderableType

    from emr.cost.hourly import Cost
    from emr.cost.prices import Labelled, Prices
    from emr.cost.run import Work
    from emr.cost.service import Service
    from emr.cost.what_if import Measured

_BOOTSTRAP_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """How fast rows are scored, as the caller knows it."""

    rows_per_s: float
    worker: Literal["node", "executor"] = "node"
    executors_per_node: int = 1
    """How many run on a node, where the speed is an executor's."""
    label: Labelled = "assumed"
    source: str = "given by the caller"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What `emr cost` has to say."""

    text: str
    json: dict[str, Any]
    plot: Path | None


def cost_command(
    spec: str | os.PathLike[str] | ClusterSpec,
    prices: Prices,
    *,
    rows: int | None = None,
    speed: Speed | None = None,
    against: str | os.PathLike[str] | ClusterSpec | None = None,
    against_speed: Speed | None = None,
    plot: str | os.PathLike[str] | None = None,
    known: Mapping[str, float | Given] | None = None,
    types: Sequence[Measured] = (),
    service: Service | None = None,
) -> Answer:
    """What a cluster costs by the hour, a run on it, and from how many rows another is cheaper.

    Args:
        spec: `conf/clusters/*.yaml`, or its value.
        prices: `snapshot()` or `PriceList(aws=…)`.
        rows: how many rows a run scores; without it, only the hourly cost is told.
        speed: of one node or executor of `spec`.
        against: another cluster, to compare with.
        against_speed: its speed.
        plot: a picture of both costs over rows, to draw.
        known: inputs of `emr.cost.run.work` that are known better (`bootstrap_s`, `idle_s`, …).
        types: speeds on other instance types, whose prices of a million rows are compared.
        service: one that answers day and night, to be told by the month.

    Raises:
        ConfigError: a spec or a number is wrong, or one is missing.
        PricesMissing: no price for a type.
        ExtraMissing: a plot was asked for, and matplotlib is not installed.
    """
    if (rows is not None or plot or against) and speed is None:
        fix = "give --rows-per-s, measured on this kind of node if you can"
        raise ConfigError("the cost of a run needs its speed", fix=fix)
    if against is not None and against_speed is None:
        raise ConfigError("a comparison needs the other cluster's speed", fix="give it too")
    known = known or {}
    clusters = [_priced(spec, speed, prices, known)]
    if against is not None:
        clusters.append(_priced(against, against_speed, prices, known))
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
        answers = what_if(types, prices, region=clusters[0][0].region)
        shown.append(what_if_table(answers))
        values["what_if"] = [answer.to_json() for answer in answers]
    if service is not None:
        month = always_on(service)
        shown.append(service_table(month))
        values["always_on"] = month.to_json()
    drawn = None
    if plot is not None:
        from emr.cost.plot import plot_costs  # here, so that only a plot pays for it

        drawn = plot_costs(lines, plot)
        values["plot"] = str(drawn)
        shown.append(f"drawn: {drawn}")
    return Answer(text=as_text(*shown), json=values, plot=drawn)


def workers_of(cost: Cost, speed: Speed) -> int:
    """How many nodes or executors score: those of the core and task roles, as they were priced."""
    nodes = sum(
        row.units for row in cost.rows if row.role != "MASTER" and row.item.startswith("EC2")
    )
    return round(nodes) * (speed.executors_per_node if speed.worker == "executor" else 1)


def _priced(
    spec: str | os.PathLike[str] | ClusterSpec,
    speed: Speed | None,
    prices: Prices,
    known: Mapping[str, float | Given],
) -> tuple[Cost, Work | None]:
    value = spec if isinstance(spec, ClusterSpec) else load_as(ClusterSpec, spec, env={}).config
    cost = hourly_cost(value, prices)
    if speed is None:
        return cost, None
    how = work(
        rows_per_s=speed.rows_per_s,
        workers=workers_of(cost, speed),
        label=speed.label,
        source=speed.source,
        worker=speed.worker,
        **{**_of_this(value, cost, speed), **known},
    )
    return cost, how


def _of_this(spec: ClusterSpec, cost: Cost, speed: Speed) -> dict[str, Given]:
    """What a spec tells about a run on it, for inputs that nobody has measured."""
    found: dict[str, Given] = {}
    if workers_of(cost, speed) == 1:
        found["efficiency"] = _assumed("efficiency", 1, "", "one worker waits for no other")
    if actions := len(spec.bootstrap) + (spec.gpu != "none"):
        why = f"{actions} × bootstrap action, {_BOOTSTRAP_S} s each"
        found["bootstrap_s"] = _assumed("bootstrap", actions * _BOOTSTRAP_S, "s", why)
    if any(row.item == "EC2 Spot" for row in cost.rows):
        why = "the lowest band of AWS's Spot Instance Advisor ends at 5 %"
        found["interruption"] = _assumed("interruption", 0.05, "", why)
    return found


def _assumed(name: str, value: float, unit: str, source: str) -> Given:
    return Given(name=name, value=value, unit=unit, label="assumed", source=source)
