"""What is wrong with the nodes of a spec: their layout, their markets, their volumes, scaling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emr.machines.instances import is_known, machine_of
from sparkml.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emr.spec import ClusterSpec, Nodes, Volume
    from sparkml.config.file import Problem

MAX_FLEET_TYPES = 30
"""With an allocation strategy, which ours always has, and through the API; the console takes 5."""
MAX_TASK_GROUPS = 48

FLEETS_ONLY = ("spot_strategy", "on_demand_strategy", "spot_timeout_minutes", "spot_timeout_action")
_IOPS = {"gp3": (3_000, 16_000), "io1": (100, 64_000), "io2": (100, 256_000)}
_SMALLEST_GIB = {"st1": 125, "sc1": 125}


def node_problems(spec: ClusterSpec) -> Iterator[Problem]:
    """Each problem as what, where and the fix."""
    places = ["primary", "core", *(f"task[{number}]" for number in range(len(spec.task)))]
    for place, (role, nodes) in zip(places, spec.roles_of_nodes, strict=True):
        yield from _size_problems(role, nodes, place)
        if spec.layout == "groups":
            yield from _group_problems(nodes, place)
        else:
            yield from _fleet_problems(role, nodes, place)
        for number, volume in enumerate(nodes.volumes):
            yield from _volume_problems(volume, f"{place}.volumes[{number}]")
    most = 1 if spec.layout == "fleets" else MAX_TASK_GROUPS
    if len(spec.task) > most:
        what = f"{len(spec.task)} kinds of task nodes, {spec.layout} allow {most}"
        yield what, "task", "put all types into one fleet" if most == 1 else "use fewer"
    yield from _scaling_problems(spec)


def _size_problems(role: str, nodes: Nodes, place: str) -> Iterator[Problem]:
    if nodes.units == 0:
        yield "it has no node", place, "set on_demand or spot to 1 or more"
    elif role == "MASTER" and nodes.units not in {1, 3}:
        what = f"{nodes.units} primary nodes, where EMR has 1, or 3 of which two stand by"
        yield what, place, "set on_demand: 1"
    for choice in nodes.types:
        if choice.machine and is_known(choice.type):
            what = f"'{choice.type}' is known, and its machine is not read"
            yield what, f"{place}.types", "leave machine out"
    types = [choice.type for choice in nodes.types]
    for twice in sorted({one for one in types if types.count(one) > 1}):
        yield f"the type '{twice}' stands twice", f"{place}.types", "keep one"


def _group_problems(nodes: Nodes, place: str) -> Iterator[Problem]:
    if len(nodes.types) > 1:
        what = f"an instance group has one type, {len(nodes.types)} are given"
        yield what, f"{place}.types", "keep one, or take layout: fleets"
    if nodes.on_demand and nodes.spot:
        fix = "keep one of them, or take layout: fleets"
        yield "an instance group is either On-Demand or Spot", place, fix
    for choice in nodes.types:
        if choice.weight != 1 or choice.priority is not None or choice.bid_percent is not None:
            what = "an instance group knows no weight, no priority and no bid in per cent"
            yield what, f"{place}.types", "leave them out, or take layout: fleets"
    for key in FLEETS_ONLY:
        if key in nodes.model_fields_set:
            fix = "leave it out, or take layout: fleets"
            yield f"an instance group knows no {key}", f"{place}.{key}", fix


def _fleet_problems(role: str, nodes: Nodes, place: str) -> Iterator[Problem]:
    if len(nodes.types) > MAX_FLEET_TYPES:
        what = f"{len(nodes.types)} types, a fleet has at most {MAX_FLEET_TYPES}"
        yield what, f"{place}.types", "keep those that you would take"
    if role == "MASTER" and any(choice.weight != 1 for choice in nodes.types):
        yield "the primary fleet has units of one node", f"{place}.types", "leave weight out"
    if role == "MASTER" and nodes.on_demand and nodes.spot:
        fix = "keep on_demand: losing the primary node is losing the cluster"
        yield "the primary fleet is either On-Demand or Spot", place, fix
    if not nodes.spot and any(choice.bid_percent is not None for choice in nodes.types):
        yield "bid_percent without a Spot unit", f"{place}.types", "set spot, or leave it out"
    prioritized = [
        strategy
        for strategy, units in (
            (nodes.on_demand_strategy, nodes.on_demand),
            (nodes.spot_strategy, nodes.spot),
        )
        if units and strategy.endswith("prioritized")
    ]
    given = [choice.priority is not None for choice in nodes.types]
    if prioritized and not all(given):
        fix = "give every type a priority; 0 comes first"
        yield f"the strategy {prioritized[0]} needs priorities", f"{place}.types", fix
    elif any(given) and not prioritized:
        fix = "take a prioritized strategy, or leave them out"
        yield "priorities, and no strategy that reads them", f"{place}.types", fix


def _volume_problems(volume: Volume, place: str) -> Iterator[Problem]:
    kind = volume.type
    if volume.gib < _SMALLEST_GIB.get(kind, 0):
        yield f"{kind} has at least {_SMALLEST_GIB[kind]} GiB", f"{place}.gib", "make it larger"
    if volume.throughput_mib_s is not None and kind != "gp3":
        what = f"{kind} has no throughput to choose"
        yield what, f"{place}.throughput_mib_s", "leave it out, or take type: gp3"
    if kind in {"io1", "io2"} and volume.iops is None:
        yield f"{kind} needs iops", f"{place}.iops", "give it, or take type: gp3"
    if volume.iops is None:
        return
    if kind not in _IOPS:
        yield f"{kind} has no iops to choose", f"{place}.iops", "leave it out, or take type: gp3"
    elif not _IOPS[kind][0] <= volume.iops <= _IOPS[kind][1]:
        low, high = _IOPS[kind]
        yield f"{kind} has {low:,} to {high:,} iops", f"{place}.iops", "choose among them"


def _scaling_problems(spec: ClusterSpec) -> Iterator[Problem]:
    scaling = spec.scaling
    if scaling is None:
        return
    if (scaling.unit == "fleet-units") != (spec.layout == "fleets"):
        units = "fleet-units" if spec.layout == "fleets" else "instances or vcpu"
        what = f"{spec.layout} do not scale in {scaling.unit}"
        yield what, "scaling.unit", f"take {units}, or the other layout"
    for key in ("maximum_on_demand", "maximum_core"):
        limit = getattr(scaling, key)
        if limit is not None and limit > scaling.maximum:
            what = f"{limit} is above the maximum of {scaling.maximum}"
            yield what, f"scaling.{key}", "lower it, or leave it out"
    if scaling.unit == "vcpu":
        yield from _vcpu_problems(spec, scaling.maximum)
        return
    if scaling.maximum_core is not None and scaling.maximum_core < spec.core.units:
        what = f"the core has {spec.core.units} units, above maximum_core {scaling.maximum_core}"
        yield what, "scaling.maximum_core", "raise it, or make the core smaller"
    at_start = spec.core.units + sum(nodes.units for nodes in spec.task)
    if at_start > scaling.maximum:
        what = f"core and task nodes start with {at_start} units, above {scaling.maximum}"
        yield what, "scaling.maximum", "raise it, or begin with fewer"


def _vcpu_problems(spec: ClusterSpec, maximum: int) -> Iterator[Problem]:
    try:
        at_start = sum(
            nodes.units * max(machine_of(one).vcpu for one in nodes.types)
            for nodes in (spec.core, *spec.task)
        )
    except ConfigError:  # told as the type's problem
        return
    if at_start > maximum:
        what = f"core and task nodes start with {at_start} vCPUs, above {maximum}"
        yield what, "scaling.maximum", "raise it, or begin with fewer"
