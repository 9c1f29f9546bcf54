"""What the same work costs through the other doors: EMR Serverless, and EMR on EKS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from emr.cost.inputs import Given, not_negative

if TYPE_CHECKING:
    from emr.cost.prices import Prices, Quote


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


def serverless_cost(
    prices: Prices,
    *,
    region: str,
    vcpu_hours: float,
    gb_hours: float,
    storage_gb_hours: float = 0.0,
    architecture: Literal["x86_64", "arm64"] = "x86_64",
) -> DoorCost:
    """What a run on EMR Serverless costs: everything, there is no EC2 price beside it.

    Args:
        prices: who knows them.
        region: where it runs.
        vcpu_hours: of all workers, the driver's included, from start to end of each.
        gb_hours: of their memory.
        storage_gb_hours: of their disks beyond the 20 GB that each has free.
        architecture: arm64 has prices of its own.

    Raises:
        PricesMissing: no price of one of them.
        ConfigError: a number below zero.
    """
    arm = "arm-" if architecture == "arm64" else ""
    used = [(f"{arm}vcpu", vcpu_hours), (f"{arm}gb", gb_hours)]
    if storage_gb_hours:
        used.append(("storage-gb", storage_gb_hours))
    priced = [(name, hours, prices.serverless(name, region)) for name, hours in used]
    return _cost("EMR Serverless", priced)


def eks_uplift(prices: Prices, *, region: str, vcpu_hours: float, gb_hours: float) -> DoorCost:
    """What EMR on EKS adds for the vCPUs and memory that pods ask for; nodes are paid besides.

    Raises:
        PricesMissing: no price of one of them.
        ConfigError: a number below zero.
    """
    used = (("vcpu", vcpu_hours), ("gb", gb_hours))
    priced = [(name, hours, prices.eks(name, region)) for name, hours in used]
    return _cost("EMR on EKS, without its nodes", priced)


def _cost(door: str, priced: list[tuple[str, float, Quote]]) -> DoorCost:
    inputs: list[Given] = []
    for name, hours, quote in priced:
        used = Given(
            name=name, value=hours, unit=f"{name}-hours", label="assumed", source="the caller"
        )
        not_negative(used)
        price = Given(
            name=f"price of {name}",
            value=quote.usd_per_hour,
            unit=f"USD/{name}-hour",
            label=quote.label,
            source=quote.source,
        )
        inputs += [used, price]
    usd = sum(hours * quote.usd_per_hour for _, hours, quote in priced)
    return DoorCost(door=door, usd=usd, inputs=tuple(inputs))
