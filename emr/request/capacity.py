"""The nodes of a cluster: as RunJobFlow takes them, and the most of them there may come to be."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

from emr.machines.instances import machine_of

if TYPE_CHECKING:
    from emr.spec import Choice, ClusterSpec, Nodes, Volume

UNIT_TYPES = {"instances": "Instances", "vcpu": "VCPU", "fleet-units": "InstanceFleetUnits"}
"""A unit of `scaling` → ComputeLimits.UnitType."""


def instances_of_groups(spec: ClusterSpec) -> list[dict[str, Any]]:
    """The InstanceGroups: one type, one market and a number of nodes for each role."""
    return [
        {
            "Name": _name(spec, role, nodes),
            "InstanceRole": role,
            "Market": "SPOT" if nodes.spot else "ON_DEMAND",
            "InstanceType": nodes.types[0].type,
            "InstanceCount": nodes.units,
            **_ebs(nodes.volumes),
        }
        for role, nodes in spec.roles_of_nodes
    ]


def instances_of_fleets(spec: ClusterSpec) -> list[dict[str, Any]]:
    """The InstanceFleets: several types for each role, units On-Demand and Spot, and strategies."""
    return [
        {
            "Name": _name(spec, role, nodes),
            "InstanceFleetType": role,
            "TargetOnDemandCapacity": nodes.on_demand,
            "TargetSpotCapacity": nodes.spot,
            "InstanceTypeConfigs": [_type_config(choice, nodes) for choice in nodes.types],
            "LaunchSpecifications": _launch(nodes),
        }
        for role, nodes in spec.roles_of_nodes
    ]


def scaling_policy(spec: ClusterSpec) -> dict[str, Any] | None:
    """The ManagedScalingPolicy; None where the cluster keeps its size."""
    scaling = spec.scaling
    if scaling is None:
        return None
    limits: dict[str, Any] = {
        "UnitType": UNIT_TYPES[scaling.unit],
        "MinimumCapacityUnits": scaling.minimum,
        "MaximumCapacityUnits": scaling.maximum,
    }
    if scaling.maximum_on_demand is not None:
        limits["MaximumOnDemandCapacityUnits"] = scaling.maximum_on_demand
    if scaling.maximum_core is not None:
        limits["MaximumCoreCapacityUnits"] = scaling.maximum_core
    return {"ComputeLimits": limits}


def most_nodes(spec: ClusterSpec) -> int:
    """The most nodes that the cluster may come to have, by its size or by managed scaling.

    A fleet counts the fewest units that any of its types fills; a limit in processors, the smallest
    type.
    """
    at_start = sum(_most_of(nodes, spec) for _, nodes in spec.roles_of_nodes)
    if spec.scaling is None:
        return at_start
    workers = (spec.core, *spec.task)
    choices = [choice for nodes in workers for choice in nodes.types]
    per_node = {
        "instances": 1,
        "vcpu": min(machine_of(choice).vcpu for choice in choices),
        "fleet-units": min(choice.weight for choice in choices),
    }[spec.scaling.unit]
    return max(at_start, spec.primary.units + ceil(spec.scaling.maximum / per_node))


def _most_of(nodes: Nodes, spec: ClusterSpec) -> int:
    """Each market's target is filled on its own, and a last node may exceed it."""
    lightest = min(choice.weight for choice in nodes.types) if spec.layout == "fleets" else 1
    return ceil(nodes.on_demand / lightest) + ceil(nodes.spot / lightest)


def _name(spec: ClusterSpec, role: str, nodes: Nodes) -> str:
    name = {"MASTER": "primary", "CORE": "core", "TASK": "task"}[role]
    number = next((i for i, task in enumerate(spec.task, 1) if task is nodes), 0)
    return f"{name}-{number}" if len(spec.task) > 1 and number else name


def _type_config(choice: Choice, nodes: Nodes) -> dict[str, Any]:
    config: dict[str, Any] = {"InstanceType": choice.type, "WeightedCapacity": choice.weight}
    if nodes.spot:
        config["BidPriceAsPercentageOfOnDemandPrice"] = choice.bid_percent or 100.0
    if choice.priority is not None:
        config["Priority"] = choice.priority
    return config | _ebs(nodes.volumes)


def _launch(nodes: Nodes) -> dict[str, Any]:
    launch: dict[str, Any] = {
        "OnDemandSpecification": {"AllocationStrategy": nodes.on_demand_strategy}
    }
    if nodes.spot:
        launch["SpotSpecification"] = {
            "TimeoutDurationMinutes": nodes.spot_timeout_minutes,
            "TimeoutAction": nodes.spot_timeout_action.upper().replace("-", "_"),
            "AllocationStrategy": nodes.spot_strategy,
        }
    return launch


def _ebs(volumes: tuple[Volume, ...]) -> dict[str, Any]:
    if not volumes:
        return {}
    return {"EbsConfiguration": {"EbsBlockDeviceConfigs": [_volume(one) for one in volumes]}}


def _volume(volume: Volume) -> dict[str, Any]:
    specification: dict[str, Any] = {"VolumeType": volume.type, "SizeInGB": volume.gib}
    if volume.iops is not None:
        specification["Iops"] = volume.iops
    if volume.throughput_mib_s is not None:
        specification["Throughput"] = volume.throughput_mib_s
    return {"VolumeSpecification": specification, "VolumesPerInstance": volume.per_node}
