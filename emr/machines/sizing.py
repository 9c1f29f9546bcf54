"""How many executors a node holds, and what each gets: a pure function of the instance type.

Three things share a core node: YARN's executors, the driver (cluster mode puts it there, and any
core node may be the one) and the system. What YARN may give away is EMR's own setting, which the
page "Task configuration" of the EMR Release Guide lists for each type: the memory that the node
sees, less a quarter of it, but never less than 2 GiB nor more than 8. What the node sees is the
type's memory on older types, 61/64 of it on newer ones and 15/16 on g6; this counts with 15/16 on
all, so that no executor is ever too big, and at most 6 % of a node stays unused.

YARN counts memory only, unless it is told to count processors too, which GPUs need. It is told so
as well where memory alone would let it crowd a node with tasks: where nodes differ, and the
smallest gave the executor its size. It is not for the one executor more that fits where the driver
is not: counting would cost an executor where the driver is.

A container is split between the JVM's heap and the overhead, and Spark's own split (10 %, EMR's
18.75 % overhead) is wrong here: the JVM reads Parquet and hands batches over, while the model, its
copy in each worker and the matrices live in Python, outside the heap. YARN would kill such a
container. So Python gets most of it. `spark.executor.pyspark.memory` stays unset: it limits the
address space of a worker, and libraries that map files or open a GPU need far more of that than
they use.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from emr.machines.instances import worker_instances
from sparkml.errors import ConfigError

if TYPE_CHECKING:
    from emr.machines.instances import Instance
    from emr.spec import ClusterSpec

Gpu = Literal["none", "rapids", "python"]

PYTHON_SHARE = 0.6
"""Of an executor's container, what lies outside the heap: the Python workers, Arrow, the system."""
EXECUTOR_CORES = 4
"""Cores of an executor without a GPU: enough to share a heap, few enough for its collector."""
RAPIDS_CORES = 16
"""The most cores beside a GPU that RAPIDS' tuning guide suggests."""
WORKER_GPU_MIB = 2_048
"""What a Python worker needs of a GPU at least: CUDA's own half a GiB, a model, a batch."""
MIN_HEAP_MIB = 1_024
MIN_CONTAINER_MIB = 2_048
CROWDED = 1.25
"""Tasks at once for each processor of a node that are borne at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """An executor, and how many of them a node holds beside the driver."""

    executors_per_node: int
    """On a node of the smallest type, by memory."""
    executor_cores: int
    executor_memory_mib: int
    """The JVM's heap."""
    overhead_mib: int
    """What else the executor's container holds: the Python workers above all."""
    driver_memory_mib: int
    driver_overhead_mib: int
    plugin_mib: int = 0
    """What of the overhead the GPU's SQL plugin takes: pinned memory, and what it spills."""
    executor_gpus: int = 0
    task_gpus: float = 0.0
    """The share of a GPU that a task takes, cut so that `executor_cores` shares fit in one."""
    counts_processors: bool = False
    """Whether YARN has to count processors besides memory."""

    @property
    def container_mib(self) -> int:
        """What YARN is asked for, an executor."""
        return self.executor_memory_mib + self.overhead_mib

    @property
    def worker_mib(self) -> int:
        """What one Python worker may take, when every core runs one."""
        return (self.overhead_mib - self.plugin_mib) // self.executor_cores

    def spark_conf(self) -> dict[str, str]:
        """The sizing as Spark settings; executors of other sizes, which EMR would try, are off."""
        conf = {
            "spark.executor.cores": str(self.executor_cores),
            "spark.executor.memory": f"{self.executor_memory_mib}m",
            "spark.executor.memoryOverhead": f"{self.overhead_mib}m",
            "spark.driver.memory": f"{self.driver_memory_mib}m",
            "spark.driver.memoryOverhead": f"{self.driver_overhead_mib}m",
            "spark.task.cpus": "1",
            "spark.yarn.heterogeneousExecutors.enabled": "false",
        }
        if self.executor_gpus:
            conf["spark.executor.resource.gpu.amount"] = str(self.executor_gpus)
            conf["spark.task.resource.gpu.amount"] = f"{self.task_gpus:g}"
        return conf


def yarn_memory_mib(instance: Instance) -> int:
    """What YARN may give away on a node, at least (EMR Release Guide, "Task configuration")."""
    return _yarn_mib(instance.memory_mib * 15 // 16)


def most_yarn_memory_mib(instance: Instance) -> int:
    """What it may give away at most: there the node sees all of its memory."""
    return _yarn_mib(instance.memory_mib)


def _yarn_mib(seen_mib: int) -> int:
    return seen_mib - min(8_192, max(2_048, seen_mib // 4))


def sizing_of(instance: Instance, *, gpu: Gpu = "none") -> Sizing:
    """The executors of a node of this type, with room for the driver on each.

    Without GPUs an executor has about four cores. With them it has one GPU, an equal part of the
    rest of the node, and one processor of the node is the driver's.

    Args:
        instance: the node's type.
        gpu: what the GPUs are for, as `ClusterSpec.gpu` says.

    Raises:
        ConfigError: the type has no GPU and one is needed, or too little memory for an executor.
    """
    if gpu != "none" and not instance.gpus:
        raise ConfigError(
            f"{instance.type} has no GPU, and the cluster is to use them ({gpu})",
            where="types",
            fix="choose a type such as g6.xlarge, or gpu: none",
        )
    yarn = yarn_memory_mib(instance)
    driver = min(6_144, max(2_048, yarn // 4))
    if gpu == "none":
        executors = max(1, instance.vcpu // EXECUTOR_CORES)
        cores = instance.vcpu // executors
    else:
        executors = instance.gpus
        most = RAPIDS_CORES if gpu == "rapids" else instance.gpu_memory_mib // WORKER_GPU_MIB
        cores = max(1, min((instance.vcpu - 1) // executors, most))
    container = (yarn - driver) // executors
    if container < MIN_CONTAINER_MIB:
        raise ConfigError(
            f"{instance.type} has {instance.memory_mib} MiB, too little for an executor of "
            f"{MIN_CONTAINER_MIB} MiB beside the driver and the system",
            where="types",
            fix="choose a larger type",
        )
    overhead = min(int(container * PYTHON_SHARE), container - MIN_HEAP_MIB)
    return Sizing(
        executors_per_node=executors,
        executor_cores=cores,
        executor_memory_mib=container - overhead,
        overhead_mib=overhead,
        driver_memory_mib=driver // 2,
        driver_overhead_mib=driver - driver // 2,
        plugin_mib=overhead // 2 if gpu == "rapids" else 0,
        executor_gpus=0 if gpu == "none" else 1,
        task_gpus=0.0 if gpu == "none" else _share(cores),
        counts_processors=gpu != "none",
    )


def sizing_of_spec(spec: ClusterSpec) -> Sizing:
    """The executor that fits every core and task node of the cluster.

    Spark asks for executors of one size. A node with less would get none, so the type with the
    smallest container decides, and the fewest cores. Where YARN would start far too many of these
    on a larger node, it counts processors, of which the driver takes one, and an executor still
    fits beside it on the smallest node.

    Raises:
        ConfigError: a type that is not known, has no GPU where one is needed, or is too small.
    """
    instances = worker_instances(spec)
    sizings = [sizing_of(instance, gpu=spec.gpu) for instance in instances]
    smallest = min(sizings, key=lambda sizing: sizing.container_mib)
    cores = min(sizing.executor_cores for sizing in sizings)
    crowded = any(
        most_yarn_memory_mib(one) // smallest.container_mib * cores > CROWDED * one.vcpu
        for one in instances
    )
    if crowded:
        cores = min(cores, max(1, min(one.vcpu for one in instances) - 1))
    return replace(
        smallest,
        executor_cores=cores,
        task_gpus=_share(cores) if smallest.executor_gpus else 0.0,
        counts_processors=smallest.counts_processors or crowded,
        driver_memory_mib=min(sizing.driver_memory_mib for sizing in sizings),
        driver_overhead_mib=min(sizing.driver_overhead_mib for sizing in sizings),
    )


def _share(tasks: int) -> float:
    """One part of `tasks`, in whole ten-thousandths, rounded down: Spark adds them up again."""
    return 10_000 // tasks / 10_000
