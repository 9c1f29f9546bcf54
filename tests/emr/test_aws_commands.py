"""The commands that a plan prints send what we send: `aws` runs them, a server compares."""

import os
import subprocess

import pytest

from emr.job_run import JobRun
from emr.request.aws_commands import aws_commands
from emr.request.cluster import cluster_request
from emr.request.security import security_configuration
from emr.request.steps import step_config, steps_request
from tests.emr.captured import capturing
from tests.emr.golden import PACKAGE, SPECS, shipped
from tests.emr.rich_cluster import ROLE, plain, rich


@pytest.fixture
def sent(aws_environment):
    """What the real `aws` sends when a shell runs these commands, as (operation, request)."""

    def run(commands):
        with capturing() as (url, came):
            environment = {**os.environ, "AWS_ENDPOINT_URL_EMR": url}
            for command in commands:
                argv = ["sh", "-eu", "-c", command]
                done = subprocess.run(
                    argv, env=environment, capture_output=True, text=True, check=False
                )
                assert (0, "") == (done.returncode, done.stderr)
        return [(name, request) for name, request in came if name != "DescribeCluster"]

    return run


def run_with(**changes):
    return JobRun.model_validate({"job": "score", "config": "conf/score.wine.yaml", **changes})


def with_defaults(request):
    """What `aws emr create-cluster` sends besides: AWS's own default."""
    return {**request, "VisibleToAllUsers": True}


def test_add_steps_sends_our_very_request(sent):
    """Commas, quotes, spaces and dollars in arguments arrive as they are."""
    odd = {"spark.odd": "a,b=c 'd' \"e\" $HOME {f} [g] \\ `h`", "spark.empty": ""}
    steps = [
        step_config(run_with(name="it's, odd", spark_conf=odd), rich(), PACKAGE),
        step_config(run_with(), rich(), PACKAGE),
    ]
    request = steps_request("j-1", steps, execution_role=ROLE)
    commands = aws_commands(region="us-east-1", steps=request)
    assert [("AddJobFlowSteps", request)] == sent(commands)


def test_a_step_too_long_for_its_settings_is_sent_as_it_is(sent):
    conf = {f"spark.sql.setting.number{n}": "x" * 100 for n in range(100)}
    step = step_config(run_with(spark_conf=conf), plain(), PACKAGE)
    request = steps_request("j-1", [step], execution_role=None)
    commands = aws_commands(region="us-east-1", steps=request)
    assert [("AddJobFlowSteps", request)] == sent(commands)


def test_create_security_configuration_sends_our_very_request(sent):
    made = security_configuration(rich())[1]
    commands = aws_commands(region="us-east-1", security=made)
    assert [("CreateSecurityConfiguration", made)] == sent(commands)


def test_create_cluster_sends_all_that_a_spec_can_say(sent):
    """Fleets, Spot, volumes, scaling, networks, CloudWatch, tags with spaces, a transient step."""
    spec = rich()
    step = step_config(run_with(), spec, PACKAGE)
    for transient, steps in ((False, []), (True, [step])):
        request = cluster_request(spec, run_id="r 1", transient=transient, steps=steps)
        commands = aws_commands(region="eu-central-1", cluster=request)
        assert [("RunJobFlow", with_defaults(request))] == sent(commands)


def test_create_cluster_sends_groups_on_spot_too(sent):
    spec = plain(task=[{"types": "m7g.xlarge", "spot": 2}], termination_protected=True)
    request = cluster_request(spec, run_id="r-1", transient=False)
    commands = aws_commands(region="us-east-1", cluster=request)
    assert [("RunJobFlow", with_defaults(request))] == sent(commands)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_create_cluster_sends_a_shipped_spec(sent, path):
    request = cluster_request(shipped(path), run_id="r-1", transient=False)
    commands = aws_commands(region="us-east-1", cluster=request)
    assert [("RunJobFlow", with_defaults(request))] == sent(commands)


def test_overrides_with_an_option_are_sent_and_others_are_told_in_a_comment(sent):
    overrides = {
        "OSReleaseLabel": "2023.6.20250218.2",
        "SessionEnabled": True,
        "PlacementGroupConfigs": [{"InstanceRole": "MASTER", "PlacementStrategy": "SPREAD"}],
        "SupportedProducts": ["none"],
        "Instances": {"UnhealthyNodeReplacement": True, "HadoopVersion": "3"},
    }
    request = cluster_request(plain(overrides=overrides), run_id="r-1", transient=False)
    comment, command = aws_commands(region="us-east-1", cluster=request)
    expected = "# aws emr create-cluster has no option for SupportedProducts, "
    assert f"{expected}Instances.HadoopVersion" == comment
    ((_, request_sent),) = sent([command])
    del request["SupportedProducts"], request["Instances"]["HadoopVersion"]
    assert with_defaults(request) == request_sent
