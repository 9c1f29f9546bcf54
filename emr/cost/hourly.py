"""`hourly_cost`: what a cluster costs by the hour, row by row: EC2 or Spot, EMR's fee, EBS."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from emr.cost.volumes import volume_prices, volumes_of
from emr.machines.instances import machine_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from emr.cost.prices import Labelled, Prices, Quote
    from emr.spec import Choice, ClusterSpec, Nodes, Scaling

Market = Literal["On-Demand", "Spot"]
OLD_DAYS = 365
"""A price that is older is worth a note: AWS changes some every year."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the bill: so many units of one price."""

    role: str
    """`MASTER`, `CORE`, `TASK`: as EMR calls them."""
    item: str
    """`EC2 On-Demand`, `EC2 Spot`, `EMR`, `EBS gp3`."""
    instance_type: str
    units: float
    unit: str
    """`node`, or `GiB`, `IOPS`, `MiB/s` of EBS."""
    quote: Quote

    @property
    def usd_per_hour(self) -> float:
        """Units times price."""
        return self.units * self.quote.usd_per_hour


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a cluster costs by the hour while all of it runs."""

    name: str
    region: str
    rows: tuple[Row, ...]
    """The bill; where a role has a choice of types, with its dearest."""
    lowest_usd_per_hour: float
    """With the cheapest type of each role."""
    scaled_usd_per_hour: tuple[float, float] | None
    """Under managed scaling: at its minimum, cheapest; and at its maximum, dearest."""
    ceiling_usd_per_hour: float
    """At full size, dearest types, all On-Demand: what `limits.hourly_usd` is held against."""

    @property
    def usd_per_hour(self) -> float:
        """The sum of the rows: at the spec's size, and never too low."""
        return sum(row.usd_per_hour for row in self.rows)

    def of(self, item: str) -> float:
        """The hourly price of one kind of row: `EC2`, `EMR`, `EBS`."""
        return sum(row.usd_per_hour for row in self.rows if row.item.startswith(item))

    @property
    def oldest(self) -> dt.date | None:
        """The day of the oldest price in it; None where no source has one."""
        return oldest(self.rows)

    def line(self, *, today: dt.date | None = None) -> str:
        """The cost in one line, with the day of its oldest price, and a note when that is long ago.

        Args:
            today: the day its age is counted to; this day when None.
        """
        parts = ", ".join(f"{item} {self.of(item):.2f}" for item in ("EC2", "EMR", "EBS"))
        assumed = sum(row.quote.label == "assumed" for row in self.rows)
        text = f"USD {self.usd_per_hour:.2f} an hour ({parts})"
        if self.lowest_usd_per_hour < 0.995 * self.usd_per_hour:
            text += f"; from {self.lowest_usd_per_hour:.2f}, by the types that AWS picks"
        if self.scaled_usd_per_hour:
            low, high = self.scaled_usd_per_hour
            text += f"; {low:.2f} to {high:.2f} as it scales"
        if self.oldest:
            age = ((today or dt.datetime.now(tz=dt.UTC).date()) - self.oldest).days
            old = f", older than {OLD_DAYS} days" if age > OLD_DAYS else ""
            text += f"; oldest price of {self.oldest}{old}"
        return text + (f"; {assumed} of {len(self.rows)} prices assumed" if assumed else "")

    def to_json(self) -> dict[str, Any]:
        """The cost as plain values."""
        return {
            "name": self.name,
            "region": self.region,
            "usd_per_hour": self.usd_per_hour,
            "lowest_usd_per_hour": self.lowest_usd_per_hour,
            "scaled_usd_per_hour": self.scaled_usd_per_hour,
            "ceiling_usd_per_hour": self.ceiling_usd_per_hour,
            "oldest_price": self.oldest.isoformat() if self.oldest else None,
            "rows": [row_json(row) for row in self.rows],
        }


def row_json(row: Row) -> dict[str, Any]:
    """A row as plain values."""
    return {
        "role": row.role,
        "item": row.item,
        "instance_type": row.instance_type,
        "units": row.units,
        "unit": row.unit,
        "usd_per_unit_hour": row.quote.usd_per_hour,
        "usd_per_hour": row.usd_per_hour,
        "label": row.quote.label,
        "source": row.quote.source,
        "as_of": row.quote.as_of.isoformat() if row.quote.as_of else None,
        "reason": row.quote.reason,
    }


def hourly_cost(spec: ClusterSpec, prices: Prices) -> Cost:
    """What the cluster of a spec costs by the hour while all of it runs.

    Runs on the client; asks AWS nothing unless `prices` does. Transfer and requests are not in it.

    Raises:
        PricesMissing: no price for a type of the spec.
        ConfigError: an instance type that is not known (only where scaling counts vCPUs).

    Source: "Amazon EMR pricing": EC2, EMR's fee for every node, and EBS, each by the second.
    """
    dearest: list[Row] = []
    lowest = ceiling = 0.0
    for role, nodes in spec.roles_of_nodes:
        bills = [_bill(spec, role, nodes, choice, prices) for choice in nodes.types]
        dearest += max(bills, key=total)
        lowest += min(map(total, bills))
        if spec.scaling is None or role == "MASTER":
            ceiling += _dearest(spec, nodes, "On-Demand", prices, nodes.units)
    scaled = _scaled(spec, spec.scaling, prices) if spec.scaling else None
    return Cost(
        name=spec.name,
        region=spec.region,
        rows=tuple(dearest),
        lowest_usd_per_hour=lowest,
        scaled_usd_per_hour=scaled,
        ceiling_usd_per_hour=ceiling + _scaled_ceiling(spec, prices),
    )


def node_bill(
    spec: ClusterSpec, nodes: Nodes, choice: Choice, market: Market, prices: Prices
) -> list[Row]:
    """The bill of one node, whichever its role: instance, fee and volumes."""

    def row(item: str, units: float, unit: str, quote: Quote) -> Row:
        kind = choice.type
        return Row(role="", item=item, instance_type=kind, units=units, unit=unit, quote=quote)

    priced = prices.spot if market == "Spot" else prices.ec2_usd_per_hour
    rows = [
        row(f"EC2 {market}", 1, "node", priced(choice.type, spec.region)),
        row("EMR", 1, "node", prices.emr_fee(choice.type, spec.region)),
    ]
    for volume in volumes_of(choice.type, nodes.volumes, spec.root_gib):
        for kind, units, quote in volume_prices(volume, prices, spec.region):
            unit = {"iops": "IOPS", "mib-s": "MiB/s"}.get(kind.partition("-")[2], "GiB")
            rows.append(row(f"EBS {kind}", units, unit, quote))
    return rows


def total(rows: Iterable[Row]) -> float:
    """The hourly price of rows together."""
    return sum(row.usd_per_hour for row in rows)


def oldest(rows: Iterable[Row]) -> dt.date | None:
    """The day of the oldest price; None where no source has one."""
    return min((row.quote.as_of for row in rows if row.quote.as_of), default=None)


def worst_label(rows: Iterable[Row]) -> Labelled:
    """What the least certain price is: a sum is no better than that."""
    order: tuple[Labelled, ...] = ("assumed", "measured", "quoted")
    return min((row.quote.label for row in rows), key=order.index)


def _bill(spec: ClusterSpec, role: str, nodes: Nodes, choice: Choice, prices: Prices) -> list[Row]:
    """The bill of a role were all its nodes of one type."""
    markets: tuple[tuple[Market, int], ...] = (
        ("On-Demand", nodes.on_demand),
        ("Spot", nodes.spot),
    )
    rows: list[Row] = []
    for market, units in markets:
        count = math.ceil(units / choice.weight)
        one = node_bill(spec, nodes, choice, market, prices) if count else []
        rows += [replace(row, role=role, units=row.units * count) for row in one]
    return _merged(rows)


def _merged(rows: Sequence[Row]) -> list[Row]:
    """Rows of one price as one row."""
    by: dict[tuple[str, str], Row] = {}
    for row in rows:
        key = (row.item, row.unit)
        known = by.get(key)
        by[key] = replace(row, units=known.units + row.units) if known else row
    return list(by.values())


def _dearest(spec: ClusterSpec, nodes: Nodes, market: Market, prices: Prices, units: int) -> float:
    return max(
        math.ceil(units / choice.weight) * total(node_bill(spec, nodes, choice, market, prices))
        for choice in nodes.types
    )


def _per_unit(
    spec: ClusterSpec, scaling: Scaling, market: Market, prices: Prices
) -> tuple[float, float]:
    """The cheapest and the dearest price of one unit of managed scaling."""
    each = []
    for _role, nodes in spec.roles_of_nodes[1:]:
        for choice in nodes.types:
            size = {"instances": 1, "fleet-units": choice.weight}.get(scaling.unit)
            size = machine_of(choice).vcpu if size is None else size
            each.append(total(node_bill(spec, nodes, choice, market, prices)) / size)
    return min(each), max(each)


def _scaled(spec: ClusterSpec, scaling: Scaling, prices: Prices) -> tuple[float, float]:
    """The hourly price at managed scaling's minimum and at its maximum, the primary with it."""
    primary = spec.primary
    bills = [total(_bill(spec, "MASTER", primary, choice, prices)) for choice in primary.types]
    cheap, dear = _per_unit(spec, scaling, "On-Demand", prices)
    any_spot = any(nodes.spot for _, nodes in spec.roles_of_nodes[1:])
    capped = scaling.maximum_on_demand
    on_demand = scaling.maximum if capped is None else min(capped, scaling.maximum)
    low, high = scaling.minimum * cheap, on_demand * dear
    if any_spot or on_demand < scaling.maximum:
        cheap_spot, dear_spot = _per_unit(spec, scaling, "Spot", prices)
        bought = min(_on_demand_units(spec, scaling), scaling.minimum)
        low = bought * cheap + (scaling.minimum - bought) * min(cheap, cheap_spot)
        high += (scaling.maximum - on_demand) * dear_spot
    return min(bills) + low, max(bills) + high


def _on_demand_units(spec: ClusterSpec, scaling: Scaling) -> int:
    """What core and task nodes buy On-Demand, in managed scaling's unit."""
    units = 0
    for _role, nodes in spec.roles_of_nodes[1:]:
        vcpu = scaling.unit == "vcpu" and nodes.on_demand
        size = min(machine_of(choice).vcpu for choice in nodes.types) if vcpu else 1
        units += nodes.on_demand * size
    return units


def _scaled_ceiling(spec: ClusterSpec, prices: Prices) -> float:
    if spec.scaling is None:
        return 0.0
    return spec.scaling.maximum * _per_unit(spec, spec.scaling, "On-Demand", prices)[1]
