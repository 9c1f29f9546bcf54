"""The GPU configuration is the documented one, key by key; its bootstrap action does as told."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from emr.machines.releases import RELEASES
from emr.machines.sizing import sizing_of_spec
from emr.request.configurations import DELTA_SESSION, configurations_of
from emr.request.gpu import DISCOVERY_SCRIPT, gpu_bootstrap, gpu_configurations
from emr.spec import ClusterSpec
from sparkml.errors import ConfigError

ROOT = Path(__file__).parents[2]

# "Use the Nvidia RAPIDS Accelerator for Apache Spark", EMR Release Guide, as read in 2026: the
# YARN part of its sample for 7.x, which 8.x gets as well.
YARN_SITE = {
    "yarn.nodemanager.resource-plugins": "yarn.io/gpu",
    "yarn.resource-types": "yarn.io/gpu",
    "yarn.nodemanager.resource-plugins.gpu.allowed-gpu-devices": "auto",
    "yarn.nodemanager.resource-plugins.gpu.path-to-discovery-executables": "/usr/bin",
    "yarn.nodemanager.linux-container-executor.cgroups.mount": "true",
    "yarn.nodemanager.linux-container-executor.cgroups.mount-path": "/spark-rapids-cgroup",
    "yarn.nodemanager.linux-container-executor.cgroups.hierarchy": "yarn",
    "yarn.nodemanager.container-executor.class": (
        "org.apache.hadoop.yarn.server.nodemanager.LinuxContainerExecutor"
    ),
}
CAPACITY_SCHEDULER = {
    "yarn.scheduler.capacity.resource-calculator": (
        "org.apache.hadoop.yarn.util.resource.DominantResourceCalculator"
    )
}
# Its "required configurations" of Spark.
SPARK_REQUIRED = {
    "spark.plugins": "com.nvidia.spark.SQLPlugin",
    "spark.executor.resource.gpu.discoveryScript": (
        "/usr/lib/spark/scripts/gpu/getGpusResources.sh"
    ),
    "spark.executor.extraLibraryPath": (
        "/usr/local/cuda/targets/x86_64-linux/lib:/usr/local/cuda/extras/CUPTI/lib64:"
        "/usr/local/cuda/compat/lib:/usr/local/cuda/lib:/usr/local/cuda/lib64:"
        "/usr/lib/hadoop/lib/native:/usr/lib/hadoop-lzo/lib/native:"
        "/docker/usr/lib/hadoop/lib/native:/docker/usr/lib/hadoop-lzo/lib/native"
    ),
}
# What its sample tunes besides; the values follow from the node here. Of the sample are left out
# `spark.sql.shuffle.partitions`, Spark's default, and `spark.submit.pyFiles`, an old XGBoost's jar.
SPARK_TUNED = {
    "spark.rapids.sql.concurrentGpuTasks",
    "spark.executor.resource.gpu.amount",
    "spark.executor.cores",
    "spark.task.cpus",
    "spark.task.resource.gpu.amount",
    "spark.rapids.memory.pinnedPool.size",
    "spark.executor.memoryOverhead",
    "spark.locality.wait",
    "spark.sql.files.maxPartitionBytes",
}
# And what is ours: the rest of the sizing, and the spill's memory, which the overhead must hold.
SPARK_OURS = {
    "spark.driver.memory",
    "spark.driver.memoryOverhead",
    "spark.executor.memory",
    "spark.rapids.memory.host.spillStorageSize",
    "spark.yarn.heterogeneousExecutors.enabled",
}

DELTA = {"spark.jars", *DELTA_SESSION}


def spec_of(gpu="rapids", *, primary="m7i.xlarge", core="g6.4xlarge", **more) -> ClusterSpec:
    """A cluster with GPUs."""
    return ClusterSpec.model_validate(
        {
            "name": "x",
            "artifacts": "s3://bucket/x",
            "primary": {"types": primary, "on_demand": 1},
            "core": {"types": core, "on_demand": 1},
            "gpu": gpu,
            **more,
        }
    )


def by_classification(spec, label):
    """The configuration objects of a spec, each under its classification."""
    made = configurations_of(spec.model_copy(update={"release": label}))
    assert len(made) == len({each["Classification"] for each in made})
    return {each["Classification"]: each for each in made}


@pytest.mark.parametrize("label", [release.label for release in RELEASES])
@pytest.mark.parametrize("gpu", ["rapids", "python"])
def test_yarn_hands_out_gpus_as_documented(gpu, label):
    """The same for SQL and for Python, and for 7.x and 8.x."""
    root = "/spark-rapids-cgroup"
    made = by_classification(spec_of(gpu), label)
    assert made.keys() == {
        "spark",
        "yarn-site",
        "container-executor",
        "spark-defaults",
        "capacity-scheduler",
        "delta-defaults",
    }
    assert made["spark"]["Properties"] == {"enableSparkRapids": "true"}
    assert made["yarn-site"]["Properties"] == YARN_SITE
    assert made["capacity-scheduler"]["Properties"] == CAPACITY_SCHEDULER
    assert made["container-executor"] == {
        "Classification": "container-executor",
        "Properties": {},
        "Configurations": [
            {"Classification": "gpu", "Properties": {"module.enabled": "true"}},
            {"Classification": "cgroups", "Properties": {"root": root, "yarn-hierarchy": "yarn"}},
        ],
    }


def test_rapids_has_every_documented_key_and_no_unknown_one():
    """The required ones with their values, the tuned ones with ours."""
    made = by_classification(spec_of("rapids"), "emr-spark-8.1.0")["spark-defaults"]["Properties"]
    assert made.items() >= SPARK_REQUIRED.items()
    assert made.keys() - DELTA == SPARK_REQUIRED.keys() | SPARK_TUNED | SPARK_OURS


def test_python_loads_no_plugin():
    """Whose memory pool would be the whole GPU; Spark finds and shares the GPU all the same."""
    made = by_classification(spec_of("python"), "emr-spark-8.1.0")["spark-defaults"]["Properties"]
    assert [key for key in made if "rapids" in key or "plugins" in key] == []
    assert made["spark.executor.resource.gpu.discoveryScript"] == DISCOVERY_SCRIPT
    assert made["spark.executor.resource.gpu.amount"] == "1"
    cores, share = made["spark.executor.cores"], made["spark.task.resource.gpu.amount"]
    assert int(1 / float(share)) == int(cores) == 11


@pytest.mark.parametrize("core", ["g4dn.xlarge", "g5.xlarge", "g6.48xlarge", "p5.48xlarge"])
def test_the_plugins_memory_is_a_part_of_the_overhead(core):
    """Pinned and spilled take half of it at most; a task has what NVIDIA's tool gives one."""
    spec = spec_of("rapids", core=core)
    made = by_classification(spec, "emr-spark-8.1.0")["spark-defaults"]["Properties"]
    taken = [
        int(made[f"spark.rapids.memory.{key}"].removesuffix("m"))
        for key in ("pinnedPool.size", "host.spillStorageSize")
    ]
    assert 2 * sum(taken) <= sizing_of_spec(spec).overhead_mib
    assert made["spark.rapids.sql.concurrentGpuTasks"] == {"g4": "2", "g5": "3", "g6": "3"}.get(
        core[:2], "4"
    )


def test_without_gpus_there_is_nothing_to_configure():
    """Not even for a type that has one."""
    spec = spec_of("none")
    assert gpu_configurations(spec) == []
    assert gpu_bootstrap(spec) == []


@pytest.mark.parametrize("gpu", ["rapids", "python"])
def test_nodes_that_cannot_do_it_are_all_told_at_once(gpu):
    """ARM anywhere, and a worker without a GPU."""
    spec = spec_of(
        gpu,
        primary="m7g.xlarge",
        core=["g6.xlarge", "m7i.xlarge"],
        task=[{"types": "c7g.xlarge", "on_demand": 1}],
        layout="fleets",
    )
    with pytest.raises(ConfigError) as caught:
        gpu_configurations(spec)
    assert [problem.split(" | ")[:2] for problem in caught.value.problems] == [
        ["m7g.xlarge is arm64, where EMR has no GPU software", "primary.types"],
        [f"m7i.xlarge has no GPU, and gpu: {gpu} needs one on each node", "core.types"],
        ["c7g.xlarge is arm64, where EMR has no GPU software", "task.types"],
    ]


def test_the_bootstrap_action_runs_the_documented_commands(tmp_path):
    """A real bash, with a `sudo` that notes what it is given instead of doing it."""
    (action,) = gpu_bootstrap(spec_of())
    noted = tmp_path / "noted"
    (tmp_path / "sudo").write_text(f'#!/bin/bash\necho "$*" >> {noted}\n')
    (tmp_path / "sudo").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    subprocess.run(
        ["bash", ROOT / action.script], env={"PATH": path}, check=True, capture_output=True
    )
    expected = [
        "mkdir -p /spark-rapids-cgroup/devices",
        "mount -t cgroup -o devices cgroupv1-devices /spark-rapids-cgroup/devices",
        "chmod a+rwx -R /spark-rapids-cgroup",
    ]
    assert expected == noted.read_text().splitlines()
    assert action.args == ()
