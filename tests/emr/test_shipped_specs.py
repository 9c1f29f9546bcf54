"""The specs that ship: they load, they fit AWS, and they say what a first-time reader needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from emr.advice import advice
from emr.machines.instances import arch_of, instance_of
from emr.machines.releases import release_of, supported
from emr.machines.sizing import sizing_of_spec
from emr.request.gpu import gpu_problems
from emr.spec import ClusterSpec
from sparkml.config.layers import load_as

FOLDER = Path(__file__).parents[2] / "conf" / "clusters"
SPECS = ("cpu-small", "cpu-spot-fleet", "gpu-python", "gpu-rapids")


def load(name: str, *sets: str) -> ClusterSpec:
    """A shipped spec."""
    return load_as(ClusterSpec, FOLDER / f"{name}.yaml", sets=sets, env={}).config


def test_these_ship():
    """No other, and none is missing."""
    assert SPECS == tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


@pytest.mark.parametrize("name", SPECS)
def test_a_shipped_spec_could_be_made(name):
    """Its release runs sparkml, its types exist and hold an executor, and it ends itself."""
    spec = load(name, "artifacts=s3://mine/here")
    assert spec.artifacts == "s3://mine/here"
    assert load(name).artifacts == "s3://example-bucket/sparkml"
    assert supported(release_of(spec.release))
    assert arch_of(spec)
    assert sizing_of_spec(spec).executors_per_node >= 1
    assert gpu_problems(spec) == []
    assert spec.idle_timeout_s
    assert not spec.termination_protected
    assert spec.primary.on_demand == 1
    assert not spec.primary.spot
    assert not spec.core.spot
    most = spec.scaling.maximum if spec.scaling else sum(n.units for _, n in spec.roles_of_nodes)
    assert most <= spec.limits.nodes


@pytest.mark.parametrize("name", SPECS)
def test_a_shipped_spec_explains_itself(name):
    """It opens with what it is for and the command that plans it; no line is too long to read."""
    text = (FOLDER / f"{name}.yaml").read_text()
    assert text.startswith("# ")
    assert f"emr plan score --spec conf/clusters/{name}.yaml" in text
    assert max(map(len, text.splitlines())) <= 100
    said = sum(line.lstrip().startswith("#") for line in text.splitlines())
    assert said >= 12


@pytest.mark.parametrize("name", SPECS)
def test_a_shipped_spec_calls_for_no_word_on_spot(name):
    """What a colleague would mend at once is mended."""
    said = " ".join(advice(load(name)))
    assert "Spot" not in said
    assert "idle" not in said
    assert "stays unused" not in said


def test_the_fleets_weights_are_in_step_with_the_nodes():
    """A node of twice the weight has twice the processors: a unit is as much work everywhere."""
    spec = load("cpu-spot-fleet")
    for nodes in (spec.core, *spec.task):
        assert len(nodes.types) >= 3
        assert {instance_of(c.type).vcpu // c.weight for c in nodes.types} == {8}


def test_the_gpu_specs_say_what_their_gpus_are_for():
    """One runs SQL on them, the other Python."""
    assert load("gpu-rapids").gpu == "rapids"
    assert load("gpu-python").gpu == "python"
    assert sizing_of_spec(load("gpu-python")).executor_cores == 7  # as its comment says
