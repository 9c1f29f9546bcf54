"""The table of instance types says what AWS's own answers say, which moto keeps."""

from __future__ import annotations

import gzip
import json
from importlib.resources import files

import pytest

from emr.machines.instances import INSTANCES, arch_of, instance_of, worker_instances
from emr.machines.sizing import sizing_of_spec
from emr.request.checks import check_spec
from emr.request.cluster import cluster_request
from emr.spec import ClusterSpec
from sparkml.errors import ConfigError


def told(*path: str):
    """What a file of moto's resources holds."""
    return json.loads(gzip.decompress(files("moto").joinpath(*path).read_bytes()))


def spec_of(core, *task) -> ClusterSpec:
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


def test_the_table_says_what_ec2_says():
    """Processors, memory, architecture and GPUs, of DescribeInstanceTypes."""
    ec2 = told("ec2", "resources", "instance_types.json.gz")
    old = {"p3.2xlarge", "p3.8xlarge", "p3.16xlarge"}  # no longer in that copy
    assert old == {ours.type for ours in INSTANCES} - set(ec2)
    for ours in (one for one in INSTANCES if one.type in ec2):
        theirs = ec2[ours.type]
        gpus = theirs.get("GpuInfo", {}).get("Gpus", [])
        expected = (
            theirs["VCpuInfo"]["DefaultVCpus"],
            theirs["MemoryInfo"]["SizeInMiB"],
            theirs["ProcessorInfo"]["SupportedArchitectures"],
            [(gpu["Count"], gpu["Name"], gpu["MemoryInfo"]["SizeInMiB"]) for gpu in gpus],
        )
        gpu = [(ours.gpus, ours.gpu, ours.gpu_memory_mib)] if ours.gpus else []
        assert expected == (ours.vcpu, ours.memory_mib, [ours.arch], gpu), ours.type


def test_emr_takes_every_type_of_the_table():
    """ListSupportedInstanceTypes of the default release."""
    taken = set(told("emr", "resources", "instance-types-emr-spark-8.1.0.json.gz"))
    assert sorted({ours.type for ours in INSTANCES} - taken) == []
    assert len({ours.type for ours in INSTANCES}) == len(INSTANCES)


def test_an_unknown_type_is_refused_with_the_nearest():
    """And with how to say what it has."""
    said = r"m7g\.xxlarge.*did you mean 'm7g\.\S*xlarge'\?.*machine: \{vcpu"
    with pytest.raises(ConfigError, match=said):
        instance_of("m7g.xxlarge")


NEWER = {
    "type": "g9.2xlarge",
    "machine": {
        "vcpu": 8,
        "memory_gib": 30.5,
        "arch": "x86_64",
        "gpus": 1,
        "gpu_memory_gib": 48,
    },
}


def test_a_type_that_is_not_in_the_table_says_what_it_has():
    """Then a cluster of it is sized, checked and requested like any other."""
    spec = spec_of([NEWER])
    (node,) = worker_instances(spec)
    assert (8, 31_232, 1, 49_152) == (node.vcpu, node.memory_mib, node.gpus, node.gpu_memory_mib)
    gpu = spec.model_copy(update={"gpu": "python", "primary": spec_of("m7i.xlarge").core})
    request = cluster_request(gpu, run_id="r", transient=False)
    core = request["Instances"]["InstanceGroups"][1]
    assert "g9.2xlarge" == core["InstanceType"]
    assert 7 == sizing_of_spec(gpu).executor_cores


def test_what_a_known_type_has_is_not_said_again():
    """It would be a second truth."""
    with pytest.raises(ConfigError, match=r"'m7g\.xlarge' is known, and its machine is not read"):
        check_spec(spec_of([{**NEWER, "type": "m7g.xlarge"}]))


def test_the_nodes_that_run_python_are_of_one_architecture():
    """The packed environment is built for one; the primary node runs none of it."""
    assert arch_of(spec_of("m7i.xlarge")) == "x86_64"
    assert arch_of(spec_of(["m7g.xlarge", "m6g.xlarge"], "r7g.xlarge")) == "arm64"
    with pytest.raises(ConfigError, match=r"m7i\.xlarge is x86_64, m7g\.xlarge is arm64"):
        arch_of(spec_of("m7i.xlarge", "m7g.xlarge"))
