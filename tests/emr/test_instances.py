"""The table of instance types says what AWS's own answers say, which moto keeps."""

from __future__ import annotations

import gzip
import json
from importlib.resources import files

import pytest

from emr.machines.instances import INSTANCES, arch_of, instance_of
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
    for ours in INSTANCES:
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
    """And with where a new one belongs."""
    with pytest.raises(ConfigError, match=r"m7g\.xxlarge.*did you mean 'm7g\.\S*xlarge'"):
        instance_of("m7g.xxlarge")


def test_the_nodes_that_run_python_are_of_one_architecture():
    """The packed environment is built for one; the primary node runs none of it."""
    assert arch_of(spec_of("m7i.xlarge")) == "x86_64"
    assert arch_of(spec_of(["m7g.xlarge", "m6g.xlarge"], "r7g.xlarge")) == "arm64"
    with pytest.raises(ConfigError, match=r"m7i\.xlarge is x86_64, m7g\.xlarge is arm64"):
        arch_of(spec_of("m7i.xlarge", "m7g.xlarge"))
