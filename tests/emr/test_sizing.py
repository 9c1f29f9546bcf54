"""An executor fits wherever it is asked for: laws of the sizing, over any node."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr.machines.instances import INSTANCES, Instance, instance_of
from emr.machines.sizing import (
    CROWDED,
    MIN_HEAP_MIB,
    RAPIDS_CORES,
    most_yarn_memory_mib,
    sizing_of,
    sizing_of_spec,
    yarn_memory_mib,
)
from emr.request.configurations import configurations_of
from emr.spec import ClusterSpec
from sparkml.errors import ConfigError

# yarn.nodemanager.resource.memory-mb of EMR's "Task configuration" page (2026), from old and new
# generations, the smallest and the largest sizes.
EMR_TASK_CONFIGURATION = {
    "g4dn.2xlarge": 24_576,
    "g4dn.4xlarge": 57_344,
    "g4dn.12xlarge": 188_416,
    "g4dn.16xlarge": 253_952,
    "g5.xlarge": 11_712,
    "g5.2xlarge": 23_424,
    "g5.4xlarge": 54_272,
    "g5.48xlarge": 741_376,
    "g6.xlarge": 11_520,
    "g6.2xlarge": 23_040,
    "g6.4xlarge": 53_248,
    "g6.8xlarge": 115_712,
    "g6.12xlarge": 177_152,
    "g6.16xlarge": 239_616,
    "g6.24xlarge": 364_544,
    "g6.48xlarge": 737_280,
    "g6e.xlarge": 23_424,
    "g6e.48xlarge": 1_490_944,
    "gr6.4xlarge": 115_712,
    "i4i.16xlarge": 491_520,
    "i7i.xlarge": 23_424,
    "m5d.8xlarge": 122_880,
    "m5d.24xlarge": 385_024,
    "m5n.xlarge": 11_712,
    "m7a.48xlarge": 741_376,
    "m7g.xlarge": 11_712,
    "m7g.2xlarge": 23_424,
    "m7g.4xlarge": 54_272,
    "m7g.16xlarge": 241_664,
    "m7i.2xlarge": 23_424,
}

GPU = st.sampled_from(["none", "rapids", "python"])


@st.composite
def nodes(draw) -> Instance:
    """A node as AWS may build one: 7 GiB, and 2 for each processor, at least; up to eight GPUs."""
    vcpu = draw(st.integers(2, 448))
    gpus = draw(st.sampled_from([0, 1, 1, 2, 4, 8]))
    memory = draw(st.integers(max(7 * 1_024, vcpu * 2_048, gpus * 8_192), 4_096 * 1_024))
    gpu_memory = draw(st.sampled_from([16_384, 22_888, 81_920])) if gpus else 0
    return Instance(
        type=f"x{gpus}.{vcpu}",
        vcpu=max(vcpu, gpus + 1),
        memory_mib=memory,
        arch="x86_64",
        gpus=gpus,
        gpu="G" if gpus else "",
        gpu_memory_mib=gpu_memory,
    )


@given(node=nodes(), gpu=GPU)
def test_executors_and_the_driver_fit_on_the_node(node, gpu):
    """Memory, heap, processors and GPUs, whatever the node is."""
    if gpu != "none" and not node.gpus:
        with pytest.raises(ConfigError, match="no GPU"):
            sizing_of(node, gpu=gpu)
        return
    sizing = sizing_of(node, gpu=gpu)
    driver = sizing.driver_memory_mib + sizing.driver_overhead_mib
    yarn = yarn_memory_mib(node)

    assert sizing.executors_per_node >= 1
    assert sizing.executors_per_node * sizing.container_mib + driver <= yarn <= node.memory_mib
    assert sizing.executor_memory_mib >= MIN_HEAP_MIB
    assert sizing.executor_cores >= 1
    assert sizing.executors_per_node * sizing.executor_cores <= node.vcpu
    if gpu == "none":
        assert sizing.executor_gpus == sizing.task_gpus == 0
    else:
        assert sizing.executors_per_node == node.gpus
        assert sizing.executor_gpus == 1
        # YARN counts processors here, and the driver takes one.
        assert sizing.executors_per_node * sizing.executor_cores + 1 <= node.vcpu
        # Spark runs as many tasks as shares fit: one for each core, neither more nor fewer.
        share = Fraction(sizing.spark_conf()["spark.task.resource.gpu.amount"])
        assert int(1 / share) == sizing.executor_cores


@pytest.mark.parametrize("name", EMR_TASK_CONFIGURATION)
def test_yarn_has_at_least_what_is_counted_with(name):
    """EMR's own number for the type is never below ours, nor much above it."""
    ours, theirs = yarn_memory_mib(instance_of(name)), EMR_TASK_CONFIGURATION[name]
    assert ours <= theirs <= ours * 1.09


@pytest.mark.parametrize("gpu", ["none", "rapids", "python"])
def test_every_type_of_the_table_has_a_sizing(gpu):
    """None of those that clusters use is too small."""
    for instance in INSTANCES:
        if instance.gpus or gpu == "none":
            sizing = sizing_of(instance, gpu=gpu)
            assert sizing.worker_mib >= (250 if gpu == "rapids" else 500), instance.type
            assert sizing.overhead_mib >= sizing.executor_memory_mib, instance.type


def test_beside_rapids_the_workers_have_half_of_the_overhead():
    """The plugin pins a quarter of it, and spills into another."""
    instance = instance_of("g6.4xlarge")
    with_plugin = sizing_of(instance, gpu="rapids")
    half = with_plugin.overhead_mib // 2
    assert half == with_plugin.plugin_mib
    assert half // with_plugin.executor_cores in (
        with_plugin.worker_mib,
        with_plugin.worker_mib - 1,
    )
    assert 0 == sizing_of(instance, gpu="python").plugin_mib


def test_a_type_too_small_for_an_executor_is_refused():
    """m1.small, say."""
    tiny = Instance(type="m1.small", vcpu=1, memory_mib=1_740, arch="x86_64")
    with pytest.raises(ConfigError, match=r"m1\.small has 1740 MiB, too little.*larger"):
        sizing_of(tiny)


def test_a_known_node_by_hand():
    """m7g.xlarge: a quarter of YARN's 11.25 GiB is the driver's, 60 % of the rest is Python's."""
    expected = {
        "spark.executor.cores": "4",
        "spark.executor.memory": "3456m",
        "spark.executor.memoryOverhead": "5184m",
        "spark.driver.memory": "1440m",
        "spark.driver.memoryOverhead": "1440m",
        "spark.task.cpus": "1",
        "spark.yarn.heterogeneousExecutors.enabled": "false",
    }
    assert expected == sizing_of(instance_of("m7g.xlarge")).spark_conf()


def test_gpu_workers_are_as_many_as_their_memory_holds():
    """16 processors, but a GPU of 23 GiB: eleven workers at 2 GiB. SQL is not bound by that."""
    assert sizing_of(instance_of("g5.4xlarge"), gpu="python").executor_cores == 11
    assert sizing_of(instance_of("g5.4xlarge"), gpu="rapids").executor_cores == 15
    assert sizing_of(instance_of("g5.16xlarge"), gpu="rapids").executor_cores == RAPIDS_CORES
    assert sizing_of(instance_of("g5.12xlarge"), gpu="python").executors_per_node == 4


def cluster(core, *task) -> ClusterSpec:
    """A cluster of these types."""
    return ClusterSpec.model_validate(
        {
            "name": "x",
            "artifacts": "s3://bucket/x",
            "primary": {"types": "m7g.xlarge", "on_demand": 1},
            "core": {"types": core, "on_demand": 1},
            "task": [{"types": types, "on_demand": 1} for types in task],
        }
    )


NAMES = st.lists(st.sampled_from([i.type for i in INSTANCES]), min_size=1, max_size=4)


@given(core=NAMES, task=NAMES)
def test_a_clusters_executor_fits_each_of_its_nodes(core, task):
    """Spark asks for one size, so the smallest node decides, wherever it stands."""
    sizing = sizing_of_spec(cluster(core, task))
    driver = sizing.driver_memory_mib + sizing.driver_overhead_mib
    for node in map(instance_of, core + task):
        assert sizing.container_mib + driver <= yarn_memory_mib(node)
        assert sizing.executor_cores <= node.vcpu


@given(core=NAMES, task=NAMES)
def test_no_node_is_crowded_with_tasks(core, task):
    """Whatever YARN has of a node's memory at most; and beside a driver an executor still fits."""
    spec = cluster(core, task)
    cores, container = executor_of(spec)
    counted = counts_processors(spec)
    for node in map(instance_of, core + task):
        executors = most_yarn_memory_mib(node) // container
        if counted:
            executors = min(executors, node.vcpu // cores)
            assert cores + 1 <= node.vcpu
        assert 1 <= executors
        assert executors * cores <= (node.vcpu if counted else CROWDED * node.vcpu)


def executor_of(spec) -> tuple[int, int]:
    """Its cores, and the MiB that YARN is asked for."""
    conf = properties(spec, "spark-defaults")
    keys = ("spark.executor.memory", "spark.executor.memoryOverhead")
    return int(conf["spark.executor.cores"]), sum(int(conf[key].rstrip("m")) for key in keys)


def counts_processors(spec) -> bool:
    """Whether YARN is told to."""
    calculator = "yarn.scheduler.capacity.resource-calculator"
    told = properties(spec, "capacity-scheduler").get(calculator, "")
    return told.endswith(".DominantResourceCalculator")


def properties(spec, classification):
    """What the cluster is configured with; nothing where it is not."""
    made = {one["Classification"]: one["Properties"] for one in configurations_of(spec)}
    return made.get(classification, {})


@pytest.mark.parametrize(
    ("types", "counted", "cores"),
    [
        (["m7g.xlarge"], False, 4),
        (["m7g.xlarge", "m7g.2xlarge"], False, 4),
        (["m7g.2xlarge", "r7g.2xlarge"], True, 4),  # 24 tasks on 8 processors by memory alone
        (["m7g.2xlarge", "m7g.4xlarge"], True, 4),
        (["m7g.xlarge", "r7g.xlarge"], True, 3),
        (["c7g.4xlarge"], False, 4),  # a fifth executor fits where the driver is not: it is borne
    ],
)
def test_yarn_counts_processors_where_memory_alone_would_crowd_a_node(types, counted, cores):
    """And nowhere else: on a node of four processors the driver would cost an executor's core."""
    spec = cluster(types)
    assert counted == counts_processors(spec)
    assert cores == executor_of(spec)[0]
