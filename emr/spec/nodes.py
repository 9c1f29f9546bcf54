"""The nodes of a cluster: their types, their number, their markets and volumes. Values only."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from sparkml.config.fields import AsTuple, Section, Text

Count = Annotated[int, Field(ge=0)]
Strategy = Literal[
    "price-capacity-optimized",
    "capacity-optimized",
    "capacity-optimized-prioritized",
    "diversified",
    "lowest-price",
]


def _choices(value: object) -> object:
    """A list of choices from one instance type, a list of them, or mappings with weights."""
    listed = value if isinstance(value, list | tuple) else [value]
    return tuple({"type": item} if isinstance(item, str) else item for item in listed)


class Volume(Section):
    """The EBS volumes that each node gets besides its root."""

    gib: Annotated[int, Field(ge=10, le=16_384)]
    type: Literal["gp3", "gp2", "io1", "io2", "st1", "sc1"] = "gp3"
    iops: Annotated[int, Field(ge=100)] | None = None
    throughput_mib_s: Annotated[int, Field(ge=125, le=1_000)] | None = None
    per_node: Annotated[int, Field(ge=1, le=25)] = 1


class Machine(Section):
    """What an instance type has, where `emr` does not know the type."""

    vcpu: Annotated[int, Field(ge=1)]
    memory_gib: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    arch: Literal["x86_64", "arm64"]
    gpus: Count = 0
    gpu_memory_gib: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Of each GPU."""

    @model_validator(mode="after")
    def _gpus_have_memory(self) -> Machine:
        if bool(self.gpus) != bool(self.gpu_memory_gib):
            raise ValueError("needs gpus and gpu_memory_gib together, or neither")
        return self


class Choice(Section):
    """One instance type that a role of nodes may have."""

    type: Text
    machine: Machine | None = None
    """What it has, for a type that `emr` does not know."""
    weight: Annotated[int, Field(ge=1, le=999)] = 1
    """How many units of the target capacity one such node fills (fleets only)."""
    bid_percent: Annotated[float, Field(gt=0)] | None = None
    """The highest Spot price, in per cent of On-Demand; On-Demand's own price when null."""
    priority: Annotated[float, Field(ge=0)] | None = None
    """Lower comes first, with a prioritized strategy."""


class Nodes(Section):
    """One role of nodes: which types, how many On-Demand and how many Spot."""

    types: Annotated[tuple[Choice, ...], BeforeValidator(_choices), Field(min_length=1)]
    on_demand: Count = 0
    """Units (nodes, where no weight says otherwise) bought On-Demand."""
    spot: Count = 0
    volumes: Annotated[tuple[Volume, ...], AsTuple] = ()
    on_demand_strategy: Literal["lowest-price", "prioritized"] = "lowest-price"
    spot_strategy: Strategy = "price-capacity-optimized"
    spot_timeout_minutes: Annotated[int, Field(ge=5, le=1_440)] = 20
    spot_timeout_action: Literal["switch-to-on-demand", "terminate-cluster"] = "switch-to-on-demand"

    @property
    def units(self) -> int:
        """The target capacity: units On-Demand and Spot together."""
        return self.on_demand + self.spot


class Scaling(Section):
    """Managed scaling of core and task nodes; the unit must suit the layout."""

    unit: Literal["instances", "vcpu", "fleet-units"]
    minimum: Annotated[int, Field(ge=1)]
    maximum: Annotated[int, Field(ge=1)]
    maximum_on_demand: Count | None = None
    maximum_core: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Scaling:
        if self.minimum > self.maximum:
            raise ValueError(f"has minimum {self.minimum} above maximum {self.maximum}")
        return self
