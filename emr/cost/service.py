"""`always_on`: what a service costs by the month at a request rate, on how many machines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emr.cost.hourly import node_bill, oldest, total, worst_label
from emr.cost.inputs import Given, above_zero, share
from emr.cost.run import MILLION
from emr.machines.instances import machine_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emr.cost.hourly import Row
    from emr.cost.prices import Prices
    from emr.spec import Choice, ClusterSpec

HOURS_PER_MONTH = 730
"""8 760 hours a year, by twelve, as AWS's own calculator counts."""

INPUTS = {
    "concurrency": ("concurrency", "requests"),
    "utilisation": ("utilisation", ""),
    "minimum_machines": ("at least", "machines"),
    "machine_usd_per_hour": ("a machine", "USD/h"),
}
"""What may be known better than `service_on` assumes it: name, unit."""


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
    requests_per_s: Given,
    seconds_per_request: Given,
    known: Mapping[str, Given],
) -> Service:
    """A service on machines like the spec's core nodes, On-Demand and without EMR's fee.

    Args:
        spec: of its core types, the dearest is taken.
        prices: who knows them; not asked where the machine's price is known.
        requests_per_s: at the time for which it is sized.
        seconds_per_request: what one takes.
        known: the others, by the keys of `INPUTS`, where they are known.

    Raises:
        PricesMissing: no price for a type.
        ConfigError: a type that is not known, where its vCPUs are asked for.
    """

    def bill(choice: Choice) -> list[Row]:
        rows = node_bill(spec, spec.core, choice, "On-Demand", prices)
        return [row for row in rows if row.item != "EMR"]

    def assumed(key: str, value: float, source: str) -> Given:
        name, unit = INPUTS[key]
        return Given(name=name, value=value, unit=unit, label="assumed", source=source)

    if "machine_usd_per_hour" in known:
        dearest, machine = spec.core.types[0], known["machine_usd_per_hour"]
    else:
        dearest = max(spec.core.types, key=lambda choice: total(bill(choice)))
        machine = _machine(dearest.type, bill(dearest))
    slots = machine_of(dearest).vcpu
    given = {
        "concurrency": assumed("concurrency", slots, f"one for each vCPU of {dearest.type}"),
        "utilisation": assumed("utilisation", 0.6, "the rest is for peaks"),
        "minimum_machines": assumed("minimum_machines", 2, "one may fail"),
        "machine_usd_per_hour": machine,
    }
    return Service(
        requests_per_s=requests_per_s,
        seconds_per_request=seconds_per_request,
        **{**given, **known},
    )


def _machine(type_: str, rows: list[Row]) -> Given:
    """The price of a machine: as sure as the least sure price in it, as old as the oldest."""
    name, unit = INPUTS["machine_usd_per_hour"]
    source = f"{type_} On-Demand with its volumes, without EMR's fee"
    day = oldest(rows)
    dated = f"{source}; oldest price of {day}" if day else source
    label = worst_label(rows)
    return Given(name=name, value=total(rows), unit=unit, label=label, source=dated)
