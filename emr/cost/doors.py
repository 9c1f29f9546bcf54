"""What the same work costs through the other doors: EMR Serverless, and EMR on EKS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emr.cost.inputs import Given, not_negative
from emr.machines.instances import arch_of

if TYPE_CHECKING:
    from emr.cost.prices import Prices, Quote
    from emr.spec import ClusterSpec

INPUTS = {"storage_gb_hours": ("storage", "GB-hours")}
"""What may be told besides: name, unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorCost:
    """What used vCPUs and memory cost."""

    door: str
    usd: float
    inputs: tuple[Given, ...]

    def to_json(self) -> dict[str, Any]:
        """The cost as plain values."""
        inputs = [given.to_json() for given in self.inputs]
        return {"door": self.door, "usd": self.usd, "inputs": inputs}


def doors_cost(
    spec: ClusterSpec,
    prices: Prices,
    *,
    vcpu_hours: Given,
    gb_hours: Given,
    storage_gb_hours: Given | None = None,
) -> tuple[DoorCost, ...]:
    """What a run costs on EMR Serverless, and what EMR on EKS adds to the price of its nodes.

    Args:
        spec: its region and its processors: those of Graviton have prices of their own.
        prices: who knows them.
        vcpu_hours: of all workers, the driver's included, from start to end of each.
        gb_hours: of their memory.
        storage_gb_hours: of their disks beyond the 20 GB that each has free on EMR Serverless.

    Raises:
        PricesMissing: no price of one of them.
        ConfigError: a number below zero.
    """
    region, arm = spec.region, "arm-" if arch_of(spec) == "arm64" else ""
    serverless = [
        (vcpu_hours, prices.serverless(f"{arm}vcpu", region)),
        (gb_hours, prices.serverless(f"{arm}gb", region)),
    ]
    if storage_gb_hours is not None:
        serverless.append((storage_gb_hours, prices.serverless("storage-gb", region)))
    eks = [(vcpu_hours, prices.eks("vcpu", region)), (gb_hours, prices.eks("gb", region))]
    return _cost("EMR Serverless", serverless), _cost("EMR on EKS, without its nodes", eks)


def _cost(door: str, priced: list[tuple[Given, Quote]]) -> DoorCost:
    inputs: list[Given] = []
    for used, quote in priced:
        not_negative(used)
        price = Given(
            name=f"price of a {used.unit.removesuffix('s')}",
            value=quote.usd_per_hour,
            unit=f"USD/{used.unit.removesuffix('s')}",
            label=quote.label,
            source=" · ".join(part for part in (quote.source, str(quote.as_of or "")) if part),
        )
        inputs += [used, price]
    usd = sum(used.value * quote.usd_per_hour for used, quote in priced)
    return DoorCost(door=door, usd=usd, inputs=tuple(inputs))
