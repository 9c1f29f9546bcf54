"""`always_on`: what a service costs by the month at a request rate, on how many machines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emr.cost.hourly import node_bill, total
from emr.cost.inputs import Given, above_zero, share
from emr.cost.run import MILLION
from emr.machines.instances import instance_of

if TYPE_CHECKING:
    from emr.cost.prices import Prices
    from emr.spec import Choice, ClusterSpec

HOURS_PER_MONTH = 730
"""8 760 hours a year, by twelve, as AWS's own calculator counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service that answers requests day and night."""

    requests_per_s: Given
    """At the time for which it is sized."""
    seconds_per_request: Given
    """What one request takes on one of a machine's slots."""
    concurrency: Given
    """How many requests one machine answers at a time at that speed."""
    utilisation: Given
    """How busy machines may be; the rest is for peaks."""
    minimum_machines: Given
    """As many at least: two, where one may fail."""
    machine_usd_per_hour: Given

    @property
    def inputs(self) -> tuple[Given, ...]:
        """Every input."""
        return (
            self.requests_per_s,
            self.seconds_per_request,
            self.concurrency,
            self.utilisation,
            self.minimum_machines,
            self.machine_usd_per_hour,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlwaysOn:
    """What the service costs."""

    machines: int
    busy: float
    """The share of their slots that requests keep busy."""
    usd_per_month: float
    usd_per_million_requests: float
    """At this rate around the clock."""
    inputs: tuple[Given, ...]

    def to_json(self) -> dict[str, Any]:
        """The cost as plain values."""
        return {
            "machines": self.machines,
            "busy": self.busy,
            "usd_per_month": self.usd_per_month,
            "usd_per_million_requests": self.usd_per_million_requests,
            "inputs": [given.to_json() for given in self.inputs],
        }


def always_on(service: Service) -> AlwaysOn:
    """Machines = requests/s · seconds per request / (concurrency · utilisation), rounded up.

    Requests/s times seconds is how many are under way on average (Little's law).

    Raises:
        ConfigError: an input that is not above zero, or a utilisation above one.
    """
    above_zero(*service.inputs)
    share(service.utilisation)
    rate = service.requests_per_s.value
    under_way = rate * service.seconds_per_request.value
    slots = service.concurrency.value
    needed = math.ceil(round(under_way / (slots * service.utilisation.value), 9))
    machines = max(needed, math.ceil(service.minimum_machines.value))
    hourly = machines * service.machine_usd_per_hour.value
    return AlwaysOn(
        machines=machines,
        busy=under_way / (machines * slots),
        usd_per_month=hourly * HOURS_PER_MONTH,
        usd_per_million_requests=hourly / 3_600 / rate * MILLION,
        inputs=service.inputs,
    )


def service_on(
    spec: ClusterSpec,
    prices: Prices,
    *,
    requests_per_s: float,
    seconds_per_request: float,
    concurrency: float | None = None,
    utilisation: float = 0.6,
) -> Service:
    """A service on machines like the spec's core nodes, On-Demand and without EMR's fee.

    Args:
        spec: of its core types, the dearest is taken.
        prices: who knows them.
        requests_per_s: at the time for which it is sized.
        seconds_per_request: what one takes.
        concurrency: how many one machine answers at a time; as many as it has vCPUs when None.
        utilisation: how busy machines may be.

    Raises:
        PricesMissing: no price for a type.
        ConfigError: a type that is not known, where its vCPUs are asked for.
    """

    def given(name: str, value: float, unit: str, source: str = "given by the caller") -> Given:
        return Given(name=name, value=value, unit=unit, label="assumed", source=source)

    def hourly(choice: Choice) -> float:
        bill = node_bill(spec, spec.core, choice, "On-Demand", prices)
        return total(row for row in bill if row.item != "EMR")

    dearest = max(spec.core.types, key=hourly)
    slots, why = concurrency, "given by the caller"
    if slots is None:
        slots, why = instance_of(dearest.type).vcpu, f"one for each vCPU of {dearest.type}"
    price_of = f"{dearest.type} On-Demand with its volumes, without EMR's fee"
    return Service(
        requests_per_s=given("requests", requests_per_s, "requests/s"),
        seconds_per_request=given("a request", seconds_per_request, "s"),
        concurrency=given("concurrency", slots, "requests", why),
        utilisation=given("utilisation", utilisation, ""),
        minimum_machines=given("at least", 2, "machines", "one may fail"),
        machine_usd_per_hour=given("a machine", hourly(dearest), "USD/h", price_of),
    )
