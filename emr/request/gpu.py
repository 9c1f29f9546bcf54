"""What a cluster with GPUs needs besides: EMR's configuration, key by key, and a bootstrap action.

Source: EMR Release Guide, "Use the Nvidia RAPIDS Accelerator for Apache Spark", which tells it for
7.x. Releases 8.x ship the same components and classifications on the same operating system, so they
get the same recipe: **unproven on a real cluster of 8.x**.

`gpu: rapids` is the whole of that page, with `configurations.BY_PROCESSORS`, which clusters without
GPUs may need too. `gpu: python` leaves out the SQL plugin and its settings, so that the GPU's
memory belongs to the Python workers; `enableSparkRapids` stays, because it brings the driver, CUDA
and the script that finds the GPUs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emr.machines.instances import machine_of, worker_instances
from emr.machines.sizing import sizing_of_spec
from emr.spec import Bootstrap
from sparkml.config.file import config_error

if TYPE_CHECKING:
    from emr.machines.sizing import Sizing
    from emr.spec import ClusterSpec
    from sparkml.config.file import Problem

PLUGIN = "com.nvidia.spark.SQLPlugin"
DISCOVERY_SCRIPT = "/usr/lib/spark/scripts/gpu/getGpusResources.sh"
LIBRARIES = (
    "/usr/local/cuda/targets/x86_64-linux/lib:"
    "/usr/local/cuda/extras/CUPTI/lib64:"
    "/usr/local/cuda/compat/lib:"
    "/usr/local/cuda/lib:"
    "/usr/local/cuda/lib64:"
    "/usr/lib/hadoop/lib/native:"
    "/usr/lib/hadoop-lzo/lib/native:"
    "/docker/usr/lib/hadoop/lib/native:"
    "/docker/usr/lib/hadoop-lzo/lib/native"
)
CGROUP_ROOT = "/spark-rapids-cgroup"
SCRIPT = "conf/bootstrap/gpu_cgroup_v1.sh"

TASK_GPU_MIB = 7_500
"""What a SQL task on a GPU needs of its memory, by NVIDIA's own tuning tool; four run at most."""
MAX_PINNED_MIB = 4_096


def gpu_configurations(spec: ClusterSpec) -> list[dict[str, Any]]:
    """EMR's configuration objects for the GPUs of a spec; empty where it uses none.

    They hold the sizing as well: the plugin's memory is a part of the executor's overhead.

    Raises:
        ConfigError: node types that cannot do it; every one is told.
    """
    if spec.gpu == "none":
        return []
    if problems := gpu_problems(spec):
        raise config_error(problems, spec.name)
    return [
        _object("spark", {"enableSparkRapids": "true"}),
        _object("yarn-site", _yarn_site()),
        _object("container-executor", {}) | {"Configurations": _container_executor()},
        _object("spark-defaults", _spark_defaults(spec)),
    ]


def gpu_bootstrap(spec: ClusterSpec) -> list[Bootstrap]:
    """The bootstrap actions that the GPUs of a spec need; none where it uses none."""
    if spec.gpu == "none":
        return []
    return [Bootstrap(name="Control groups for GPUs", script=SCRIPT)]


def gpu_problems(spec: ClusterSpec) -> list[Problem]:
    """What keeps the nodes of a spec from using GPUs as it says: what, where and the fix of each.

    Raises:
        ConfigError: a type that is not known.
    """
    if spec.gpu == "none":
        return []
    problems = []
    for role, nodes in spec.roles_of_nodes:
        for choice in nodes.types:
            instance, where = machine_of(choice), _where(role)
            if instance.arch == "arm64":
                what = f"{instance.type} is arm64, where EMR has no GPU software"
                problems.append((what, where, "choose an x86_64 type, such as m7i.xlarge"))
            elif not instance.gpus and role != "MASTER":
                what = f"{instance.type} has no GPU, and gpu: {spec.gpu} needs one on each node"
                problems.append((what, where, "choose a type such as g6.xlarge, or gpu: none"))
    return problems


def _where(role: str) -> str:
    return {"MASTER": "primary.types", "CORE": "core.types", "TASK": "task.types"}[role]


def _object(classification: str, properties: dict[str, str]) -> dict[str, Any]:
    return {"Classification": classification, "Properties": properties}


def _yarn_site() -> dict[str, str]:
    gpu = "yarn.nodemanager.resource-plugins.gpu"
    cgroups = "yarn.nodemanager.linux-container-executor.cgroups"
    return {
        "yarn.nodemanager.resource-plugins": "yarn.io/gpu",
        "yarn.resource-types": "yarn.io/gpu",
        f"{gpu}.allowed-gpu-devices": "auto",
        f"{gpu}.path-to-discovery-executables": "/usr/bin",
        f"{cgroups}.mount": "true",
        f"{cgroups}.mount-path": CGROUP_ROOT,
        f"{cgroups}.hierarchy": "yarn",
        "yarn.nodemanager.container-executor.class": (
            "org.apache.hadoop.yarn.server.nodemanager.LinuxContainerExecutor"
        ),
    }


def _container_executor() -> list[dict[str, Any]]:
    return [
        _object("gpu", {"module.enabled": "true"}),
        _object("cgroups", {"root": CGROUP_ROOT, "yarn-hierarchy": "yarn"}),
    ]


def _spark_defaults(spec: ClusterSpec) -> dict[str, str]:
    sizing = sizing_of_spec(spec)
    shared = {
        "spark.executor.resource.gpu.discoveryScript": DISCOVERY_SCRIPT,
        "spark.executor.extraLibraryPath": LIBRARIES,
        **sizing.spark_conf(),
    }
    return shared | (_rapids(spec, sizing) if spec.gpu == "rapids" else {})


def _rapids(spec: ClusterSpec, sizing: Sizing) -> dict[str, str]:
    """The plugin and its memory.

    Pinned memory and what is spilled from the GPU are the executor's overhead, a quarter of it
    each: the other half is the Python workers'.
    """
    gpu_memory_mib = min(instance.gpu_memory_mib for instance in worker_instances(spec))
    quarter = sizing.plugin_mib // 2
    return {
        "spark.plugins": PLUGIN,
        "spark.rapids.sql.concurrentGpuTasks": str(min(4, max(1, gpu_memory_mib // TASK_GPU_MIB))),
        "spark.rapids.memory.pinnedPool.size": f"{min(MAX_PINNED_MIB, quarter)}m",
        "spark.rapids.memory.host.spillStorageSize": f"{quarter}m",
        "spark.locality.wait": "0s",
        "spark.sql.files.maxPartitionBytes": "512m",
    }
