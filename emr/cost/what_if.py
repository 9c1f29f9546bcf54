"""`what_if`: the same cluster of other instance types, from speeds that are known of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from emr.cost.break_even import line_of
from emr.cost.hourly import hourly_cost, worst_label
from emr.cost.run import MILLION
from emr.cost.working import work_on, workers_of
from emr.spec import Choice

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from emr.cost.hourly import Cost
    from emr.cost.inputs import Given
    from emr.cost.prices import Labelled, Prices
    from emr.cost.rate import Rate
    from emr.spec import ClusterSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """A million rows more on a cluster of one instance type, as a run's cost counts them."""

    instance_type: str
    rate: Rate
    cost: Cost
    """By the hour: the primary node as the spec says, all others of this type."""
    usd_per_million: float
    lowest_usd_per_million: float
    """At the fastest repetition."""
    highest_usd_per_million: float
    """At the slowest repetition."""

    @property
    def price_label(self) -> Labelled:
        """What the least certain price is."""
        return worst_label(self.cost.rows)

    def to_json(self) -> dict[str, Any]:
        """The answer as plain values."""
        return {
            "instance_type": self.instance_type,
            "usd_per_million": self.usd_per_million,
            "lowest_usd_per_million": self.lowest_usd_per_million,
            "highest_usd_per_million": self.highest_usd_per_million,
            "cluster_usd_per_hour": self.cost.usd_per_hour,
            "nodes": workers_of(self.cost),
            "rows_per_s": self.rate.rows_per_s,
            "repetitions": self.rate.repetitions,
            "label": self.rate.label,
            "source": self.rate.source,
            "price_label": self.price_label,
            "oldest_price": self.cost.oldest.isoformat() if self.cost.oldest else None,
        }


def what_if(
    spec: ClusterSpec,
    rates: Iterable[tuple[str, Rate]],
    prices: Prices,
    known: Mapping[str, Given] | None = None,
) -> list[WhatIf]:
    """The marginal price of a million rows on each instance type, cheapest first.

    Args:
        spec: the cluster; its core and task nodes become as many of the type as fill its units.
        rates: each type with a node's speed.
        prices: who knows them.
        known: inputs of a run that are known better than what the spec tells.

    Raises:
        PricesMissing: no price of one of the types.
        ConfigError: a number that cannot be.
    """
    found = []
    for type_, rate in rates:
        there = _of_type(spec, type_)
        cost = hourly_cost(there, prices)
        speeds = (rate.rows_per_s, rate.fastest_rows_per_s, rate.slowest_rows_per_s)
        hows = [work_on(there, cost, replace(rate, rows_per_s=speed), known) for speed in speeds]
        usual, lowest, highest = (MILLION * line_of(cost, how).usd_per_row for how in hows)
        found.append(
            WhatIf(
                instance_type=type_,
                rate=rate,
                cost=cost,
                usd_per_million=usual,
                lowest_usd_per_million=lowest,
                highest_usd_per_million=highest,
            )
        )
    return sorted(found, key=lambda answer: answer.usd_per_million)


def _of_type(spec: ClusterSpec, type_: str) -> ClusterSpec:
    """The spec with this type alone; one of its own types keeps its weight and what it has."""
    own = (choice for nodes in (spec.core, *spec.task) for choice in nodes.types)
    choice = next((one for one in own if one.type == type_), Choice(type=type_))
    only = {"types": (choice,)}
    task = tuple(nodes.model_copy(update=only) for nodes in spec.task)
    return spec.model_copy(update={"core": spec.core.model_copy(update=only), "task": task})
