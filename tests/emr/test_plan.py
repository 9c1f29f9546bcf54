"""A plan says all that would be sent, and sends nothing."""

import json
import subprocess
import sys
import time

import pytest
import yaml

from emr.errors import PricesMissing
from emr.job_run import JobRun
from emr.plan import plan_of
from sparkml.errors import ConfigError
from tests.emr.golden import PACKAGE, PROJECT, SPECS, shipped
from tests.emr.rich_cluster import ROLE, plain, rich

RUN = JobRun(job="score", config=str(PROJECT / "conf" / "score.wine.yaml"))


def test_a_plan_holds_requests_commands_uploads_cost_and_advice():
    told = plan_of(shipped(PROJECT / "conf/clusters/gpu-rapids.yaml"), RUN, package=PACKAGE)
    values = json.loads(json.dumps(told.to_json()))
    assert "sparkml-rapids" == values["run_job_flow"]["Name"]
    assert values["create_security_configuration"]["Name"].startswith("sparkml-")
    assert "j-CLUSTERID" == values["add_job_flow_steps"]["JobFlowId"]
    verbs = [command.split()[2] for command in values["commands"]]
    assert ["create-security-configuration", "create-cluster", "add-steps"] == verbs
    assert PACKAGE.archive in values["uploads"]
    assert [uri for uri in values["uploads"] if uri.endswith("/gpu_cgroup_v1.sh")]
    assert 0 < values["cost"]["usd_per_hour"]
    assert any("Delta" in line for line in values["advice"])


def test_the_text_begins_with_the_requests_as_yaml():
    text = plan_of(rich(), RUN, package=PACKAGE).text()
    first = text.partition("# The same by the aws command")[0]
    requests = yaml.safe_load(first)
    assert plan_of(rich(), RUN, package=PACKAGE).cluster == requests["run_job_flow"]
    assert ROLE == requests["add_job_flow_steps"]["ExecutionRoleArn"]
    assert text.endswith("Nothing was sent.")


def test_a_transient_plan_carries_its_step_with_it():
    told = plan_of(rich(), RUN, transient=True, package=PACKAGE)
    assert told.steps is None
    assert ROLE == told.cluster["StepExecutionRoleArn"]
    assert 1 == len(told.cluster["Steps"])


def test_a_plan_without_a_run_is_the_clusters():
    told = plan_of(plain())
    assert told.steps is None
    assert () == told.uploads
    assert 2 == len(told.commands)


def test_a_run_costs_its_time_and_what_stands_around_it():
    told = plan_of(plain())
    short, long = told.runs
    assert (600, 3_600) == (short.working_s, long.working_s)
    assert short.billed_s > 600
    assert short.usd == pytest.approx(told.cost.usd_per_hour * short.billed_s / 3_600)


def test_a_region_without_prices_is_planned_all_the_same():
    told = plan_of(plain(region="ap-south-2"))
    assert told.cost is None
    assert () == told.runs
    assert any("The cost is not known" in line for line in told.advice)


def test_what_a_spec_tells_of_a_run_is_in_its_cost():
    """As in `emr cost`: bootstrap actions, and the work that Spot costs again."""
    specs = {path.stem: plan_of(shipped(path)) for path in SPECS}
    told = {
        name: {given.name: given.value for given in planned.runs[0].inputs}
        for name, planned in specs.items()
    }
    assert (30, 0) == (told["gpu-python"]["bootstrap"], told["cpu-small"]["bootstrap"])
    assert (0.05, 0) == (
        told["cpu-spot-fleet"]["interruption"],
        told["cpu-small"]["interruption"],
    )
    assert 600 * 1.025 == pytest.approx(specs["cpu-spot-fleet"].runs[0].working_s)
    assert "a run that works 60 min" in specs["cpu-spot-fleet"].text()


def test_a_limit_without_prices_to_hold_it_against_is_refused_as_by_up():
    """A region without prices is planned only where nobody limits them."""
    with pytest.raises(PricesMissing, match="no prices of ap-south-2"):
        plan_of(plain(region="ap-south-2", limits={"hourly_usd": 0.01}))


def test_a_scoring_plan_says_what_submit_will_pin():
    """Its addresses are those before the model is looked up."""
    told = plan_of(plain(), RUN, package=PACKAGE)
    assert any("wine (models:/wine@champion)" in line for line in told.advice)
    assert not any("pins" in line for line in plan_of(plain()).advice)


def test_a_cluster_above_its_price_is_refused():
    plan_of(plain(limits={"hourly_usd": 100.0}))
    with pytest.raises(ConfigError, match=r"an hour, 0\.01 is allowed"):
        plan_of(plain(limits={"hourly_usd": 0.01}))


PROBE = """
import sys, pathlib
from sparkml.config.layers import load_as
from emr.job_run import JobRun
from emr.plan import plan_of
from emr.spec import ClusterSpec

spec = load_as(ClusterSpec, sys.argv[1], env={}).config
print(len(plan_of(spec, JobRun(job="score", config=sys.argv[2])).text()))
heavy = {"boto3", "pyspark", "mlflow", "pandas", "sklearn"} & set(sys.modules)
assert not heavy, heavy
"""


def test_the_whole_process_takes_less_than_two_seconds_and_loads_nothing_heavy():
    """The best of three: the machine may be busy."""
    took = []
    for path in SPECS[:3]:
        began = time.perf_counter()
        argv = [sys.executable, "-c", PROBE, str(path), RUN.config]
        subprocess.run(argv, check=True, cwd=PROJECT, capture_output=True)
        took.append(time.perf_counter() - began)
    assert min(took) < 2.0, took
