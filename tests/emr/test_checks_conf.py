"""Settings that have no form, and executors that no node could hold, are told before any call."""

import pytest

from emr.job_run import JobRun
from emr.request.checks import check_fit, check_spec
from sparkml.errors import ConfigError
from tests.emr.golden import PACKAGE, SPECS, shipped
from tests.emr.rich_cluster import plain, rich


def told(spec):
    """The one problem of a spec."""
    with pytest.raises(ConfigError) as caught:
        check_spec(spec)
    (line,) = caught.value.problems
    return line


def in_spark_defaults(**properties):
    return [{"Classification": "spark-defaults", "Properties": properties}]


NO_OBJECT = [
    ({"Properties": ["a"]}, "must be a mapping", "configurations[0].Properties"),
    ({"Properties": "a"}, "must be a mapping", "configurations[0].Properties"),
    ({"Configurations": {"a": 1}}, "must be a list", "configurations[0].Configurations"),
    ({"Configurations": ["a"]}, "'a' is no config", "configurations[0].Configurations[0]"),
    ({"Properties": {"a": None}}, "null is no text", "configurations[0].Properties.a"),
    ({"Properties": {"a": [1]}}, "[1] is no text", "configurations[0].Properties.a"),
]


@pytest.mark.parametrize(("given", "what", "where"), NO_OBJECT)
def test_a_configuration_of_another_shape_is_refused_with_its_place(given, what, where):
    """These ended in a traceback, or went to AWS as Python's own words."""
    line = told(plain(configurations=[{"Classification": "core-site", **given}]))
    assert line.startswith(what)
    assert f"| {where} | fix: " in line


def test_a_property_may_be_a_number_or_true():
    """As YAML reads them without quotes."""
    check_spec(plain(configurations=in_spark_defaults(**{"spark.x": 1, "spark.y": True})))


TOO_LARGE = [
    ({"spark.executor.memory": "64g"}, "the executor takes 70,720 MiB with its overhead"),
    ({"spark.executor.memory": "65536"}, "YARN has 12,288 on a node"),
    ({"spark.executor.memoryOverhead": "9GB"}, "the executor takes 12,672 MiB"),
    ({"spark.executor.pyspark.memory": "4g"}, "the executor takes 12,736 MiB"),
    ({"spark.driver.memory": "12g"}, "the driver takes 13,728 MiB"),
    ({"spark.executor.cores": "5"}, "the executor takes 5 cores, and a node has 4"),
    ({"spark.driver.cores": "8"}, "the driver takes 8 cores, and a node has 4"),
    ({"spark.executor.resource.gpu.amount": "1"}, "and gpu: none hands out none"),
    ({"spark.executor.memory": "64 gigs"}, "'64 gigs' is no amount | spark.executor.memory"),
    ({"spark.executor.cores": "four"}, "'four' is no amount | spark.executor.cores"),
]


@pytest.mark.parametrize(("conf", "said"), TOO_LARGE)
def test_an_executor_that_no_node_could_hold_is_refused_wherever_it_is_said(conf, said):
    """A step would fail minutes later, or wait for ever."""
    assert said in told(plain(spark_conf=conf))
    assert said in told(plain(configurations=in_spark_defaults(**conf)))
    with pytest.raises(ConfigError) as caught:
        check_fit(JobRun(job="score", config="c.yaml", spark_conf=conf), plain())
    assert said in str(caught.value)


def test_a_step_that_no_node_could_run_is_not_made():
    """The check stands where the step is made, for `plan` and `submit` alike."""
    from emr.request.steps import step_config

    run = JobRun(job="score", config="c.yaml", spark_conf={"spark.executor.memory": "64g"})
    with pytest.raises(ConfigError, match="70,720 MiB"):
        step_config(run, plain(), PACKAGE)


def test_more_gpus_than_a_node_has_are_refused():
    """YARN would look for such a node for ever."""
    gpu = {
        "gpu": "python",
        "primary": {"types": "m7i.xlarge", "on_demand": 1},
        "core": {"types": "g5.2xlarge", "on_demand": 1},
    }
    check_spec(plain(**gpu))
    two = {"spark.executor.resource.gpu.amount": "2"}
    assert "an executor takes 2 GPUs, and a node has 1" in told(plain(**gpu, spark_conf=two))


def test_what_may_run_is_not_refused():
    """The most that EMR may give, and the role of nodes with the most room, decide."""
    for spec in (plain(), rich(), *map(shipped, SPECS)):
        check_fit(JobRun(job="score", config="c.yaml"), spec)
    all_of_it = {"spark.executor.memory": "12288m", "spark.executor.memoryOverhead": "0"}
    check_spec(plain(spark_conf=all_of_it))
    large = {"types": "m7g.16xlarge", "on_demand": 1}
    check_spec(plain(spark_conf={"spark.executor.memory": "64g"}, task=[large]))
    either = {"types": ["m7g.16xlarge", "m7g.xlarge"], "on_demand": 1}
    fleets = plain(layout="fleets", spark_conf={"spark.executor.memory": "64g"}, task=[either])
    assert "YARN has 12,288 on a node" in told(fleets)


def test_what_the_spec_itself_lets_yarn_give_decides():
    """Where `yarn-site` says more than EMR would give, larger executors run."""
    conf = {"spark.executor.memory": "13g", "spark.executor.cores": "8"}
    given = {"memory-mb": "24576", "cpu-vcores": "8"}
    yarn = {f"yarn.nodemanager.resource.{key}": text for key, text in given.items()}
    site = [{"Classification": "yarn-site", "Properties": yarn}]
    check_spec(plain(spark_conf=conf, configurations=site))
    assert "YARN has 24,576" in told(
        plain(spark_conf={**conf, "spark.executor.memory": "23g"}, configurations=site)
    )


def test_a_run_elsewhere_takes_none_of_the_nodes():
    """EMR Serverless and the others have machines of their own."""
    spec = plain(spark_conf={"spark.executor.memory": "64g"})
    check_spec(spec, nodes=False)
