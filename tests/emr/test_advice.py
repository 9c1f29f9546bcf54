"""What a plan warns of: each thing where it is so, once, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from emr.advice import advice
from emr.package.config import out_of_reach
from emr.request.configurations import DELTA_JARS
from emr.spec import ClusterSpec
from sparkml.config.job import JobConfig
from sparkml.config.layers import load_as

CLUSTERS = Path(__file__).parents[2] / "conf" / "clusters"

ROWS = ("source.path=s3://bkt/in", "sink.path=s3://bkt/out")


def spec(name="cpu-small", *sets):
    """A shipped spec, changed."""
    return load_as(ClusterSpec, CLUSTERS / f"{name}.yaml", sets=sets, env={}).config


@pytest.fixture
def job(tmp_path):
    """A scoring job, changed."""

    def made(*sets):
        path = tmp_path / "job.yaml"
        path.write_text(
            "models: {m: {uri: 'models:/m/1'}}\nkey: [id]\n"
            "source: {format: parquet, path: in}\nsink: {format: delta, path: out}\n"
        )
        return load_as(JobConfig, path, sets=sets, env={}).config

    return made


CUDA = 'models={m: {uri: "models:/m/1", model_config: {device: "cuda"}}}'
ONNX = 'models={m: {uri: "models:/m/1", model_config: {providers: [CUDAExecutionProvider]}}}'

ONNX_SET = (
    'models={m: {uri: "models:/m/1", model_config: '
    "{providers: [[TensorrtExecutionProvider, {device_id: 0}], CPUExecutionProvider]}}}"
)
"""A provider with its options, as ONNX Runtime takes it as well."""


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (("cpu-small", "core={types: m7g.xlarge, spot: 1}"), "Core nodes are on Spot"),
        (("cpu-small", "primary={types: m7g.xlarge, spot: 1}"), "The primary node is on Spot"),
        (("cpu-spot-fleet", "configurations=[]"), "driver may stand on a Spot task node"),
        (("cpu-spot-fleet", "task=[{types: m7g.2xlarge, spot: 2}]"), "among 1 types only"),
        (("cpu-small", "core.types=c7g.xlarge"), "Each Python worker has 537 MiB"),
        (("cpu-small", "core.types=[m7g.xlarge, r7g.xlarge]"), "sized for the least"),
        (("cpu-small", "core.types=g5.xlarge"), "gpu: none leaves idle"),
        (("cpu-small", "roles.runtime=arn:aws:iam::1:role/x"), "in_transit_certificates"),
        (("gpu-rapids",), "neither reads nor writes Delta 4.2.0 on the GPU"),
        (("gpu-rapids",), "RAPIDS 26.04.2 of emr-spark-8.1.0"),
        (("gpu-python",), "7 Python workers share each A10G"),
        (("gpu-python",), "unproven there on a real cluster"),
    ],
)
def test_a_spec_that_calls_for_it_is_warned_of_it_once(of, said):
    """And the plain small cluster is not."""
    assert 1 == sum(said in each for each in advice(spec(*of)))
    assert 0 == sum(said in each for each in advice(spec()))


def test_what_is_set_right_is_not_warned_of():
    """A private subnet, encrypted disks, and nothing is left to say of the small cluster."""
    safe = ("network.subnets=[subnet-1]", "security.at_rest_kms_key=arn:aws:kms:x:1:key/k")
    assert advice(spec("cpu-small", *safe)) == ()
    ours = "security.configuration=ours"
    assert advice(spec("cpu-small", ours, "network.subnets=[subnet-1]")) == ()


def test_a_cluster_that_never_ends_is_warned_of():
    """`--set` cannot say null for a default, so the value is made."""
    endless = spec().model_copy(update={"idle_timeout_s": None})
    assert any("Nothing ends the cluster" in each for each in advice(endless))


@pytest.mark.parametrize(
    ("name", "sets", "said"),
    [
        ("cpu-small", (CUDA,), "'m' asks for a GPU, and gpu: none gives no task one"),
        ("cpu-small", (ONNX_SET,), "'m' asks for a GPU, and gpu: none gives no task one"),
        ("cpu-small", (ONNX,), "'m' asks for a GPU, and gpu: none gives no task one"),
        ("gpu-python", (), "No model of this job is told to use a GPU"),
        ("gpu-rapids", (CUDA,), "whose memory the SQL plugin has taken"),
        ("gpu-rapids", (), "scored in Python workers on the CPU"),
        ("gpu-rapids", (), "neither reads nor writes Delta"),
        ("cpu-small", ("source.path=.demo/in",), "source.path is .demo/in: a cluster cannot reach"),
        ("cpu-small", (), "the version and digest of m (models:/m/1) enter the configuration"),
    ],
)
def test_a_job_that_does_not_suit_the_cluster_is_warned_of_it(name, sets, said, job):
    """What the job's configuration asks for and the cluster does not give."""
    found = advice(spec(name), job(*ROWS, *sets))
    assert 1 == sum(said in each for each in found), found


@pytest.mark.parametrize(
    ("name", "sets", "unsaid"),
    [
        ("gpu-python", (CUDA,), "No model of this job"),
        ("gpu-rapids", ("sink.format=parquet",), "Delta"),
        ("cpu-small", (), "a cluster cannot reach"),
        ("cpu-small", (), "asks for a GPU"),
    ],
)
def test_a_job_that_suits_is_not(name, sets, unsaid, job):
    """The same sentences, where they would be wrong."""
    assert 0 == sum(unsaid in each for each in advice(spec(name), job(*ROWS, *sets)))


def test_every_place_that_submit_refuses_is_told_with_its_set(job):
    """As `check_reach` would: a line each, none besides."""
    config = job("source.path=s3://bkt/in", "result=.demo/wine.json", "spark.master=local[2]")
    refused = out_of_reach(config)
    told = [each for each in advice(spec(), config) if "a cluster cannot reach" in each]
    assert 3 == len(refused) == len(told)
    for (what, instead), line in zip(refused, told, strict=True):
        assert line.startswith(f"{what}: ")
        assert line.endswith(f"--set {instead}")


YARN = "yarn.node-labels"


@pytest.mark.parametrize(
    ("classification", "enabled", "label", "stays"),
    [
        ("yarn-site", "true", "CORE", True),
        ("yarn-site", "false", "CORE", False),
        ("yarn-site", "true", "TASK", False),
        ("core-site", "true", "CORE", False),
    ],
)
def test_only_yarns_own_labels_keep_the_driver_on_core_nodes(classification, enabled, label, stays):
    """Enabled, in yarn-site, and CORE: anything else leaves it where it may be lost."""
    labels = {f"{YARN}.enabled": enabled, f"{YARN}.am.default-node-label-expression": label}
    objects = [{"Classification": classification, "Properties": {k: v}} for k, v in labels.items()]
    given = spec("cpu-spot-fleet").model_copy(update={"configurations": tuple(objects)})
    assert stays is not any("driver may stand on a Spot task" in each for each in advice(given))


@pytest.mark.parametrize(
    ("jars", "warned"),
    [("s3://bkt/mine.jar", True), (",".join((*DELTA_JARS, "s3://bkt/mine.jar")), False)],
    ids=["replaced", "named"],
)
def test_jars_that_take_the_place_of_deltas_are_warned_of(jars, warned):
    """`configurations` replace the list, where `spark_conf` adds to it."""
    own = {"Classification": "spark-defaults", "Properties": {"spark.jars": jars}}
    given = spec().model_copy(update={"configurations": (own,)})
    assert warned is any("takes the place of Delta's jars" in each for each in advice(given))


def test_steps_side_by_side_share_no_delta_table(job):
    """Delta on S3 is safe with one writing driver."""
    several = spec("cpu-small", "step_concurrency=4")
    assert any("one writing driver" in each for each in advice(several, job(*ROWS)))
    assert not any(
        "one writing driver" in e for e in advice(several, job(*ROWS, "sink.format=parquet"))
    )
