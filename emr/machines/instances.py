"""What the instance types of a spec have: by the table, or as the spec says itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emr.machines.instance_table import INSTANCES, Arch, Instance
from sparkml.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from emr.spec import Choice, ClusterSpec

__all__ = [
    "INSTANCES",
    "Arch",
    "Instance",
    "arch_of",
    "instance_of",
    "is_known",
    "machine_of",
    "worker_instances",
]

_BY_TYPE = {instance.type: instance for instance in INSTANCES}


def is_known(type_: str) -> bool:
    """Whether a type is in the table."""
    return type_ in _BY_TYPE


def instance_of(type_: str) -> Instance:
    """The instance type of a name.

    Raises:
        ConfigError: it is not in the table.
    """
    if type_ in _BY_TYPE:
        return _BY_TYPE[type_]
    raise ConfigError(
        f"the instance type '{type_}' is not known",
        where="types",
        fix=f"{did_you_mean(type_, _BY_TYPE)} Of a newer one say what it has: {{type: {type_}, "
        "machine: {vcpu: 8, memory_gib: 32, arch: x86_64}}",
    )


def machine_of(choice: Choice) -> Instance:
    """What a type has that a spec names: by the table, or as the spec says itself.

    Raises:
        ConfigError: it is not in the table, and the spec does not say.
    """
    told = choice.machine
    if told is None or choice.type in _BY_TYPE:
        return instance_of(choice.type)
    return Instance(
        type=choice.type,
        vcpu=told.vcpu,
        memory_mib=int(told.memory_gib * 1_024),
        arch=told.arch,
        gpus=told.gpus,
        gpu="GPU" if told.gpus else "",
        gpu_memory_mib=int(told.gpu_memory_gib * 1_024),
    )


def worker_instances(spec: ClusterSpec) -> tuple[Instance, ...]:
    """The types that core and task nodes may have, each once, in the spec's order.

    Raises:
        ConfigError: a type that is not in the table.
    """
    workers = (spec.core, *spec.task)
    return tuple(dict.fromkeys(machine_of(one) for nodes in workers for one in nodes.types))


def arch_of(spec: ClusterSpec) -> Arch:
    """The one architecture of the nodes that run Python: the packed environment is built for it.

    Raises:
        ConfigError: core and task nodes are of both architectures, or of a type not in the table.
    """
    found = {instance.arch: instance.type for instance in worker_instances(spec)}
    if len(found) == 1:
        return next(iter(found))
    raise ConfigError(
        f"core and task nodes are of two architectures: {found['x86_64']} is x86_64, "
        f"{found['arm64']} is arm64",
        where="core.types, task.types",
        fix="choose types of one: the packed Python environment is built for one",
    )
