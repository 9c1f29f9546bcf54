"""AWS's model of a request, as botocore ships it, checked to the last constraint."""

import datetime as dt

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel

from emr.errors import RequestRefused
from emr.request.service_model import _compiled, check_request, check_response

STEP = {"Name": "s", "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["true"]}}


def refusal(operation, kwargs, service="emr"):
    with pytest.raises(RequestRefused) as caught:
        check_request(service, operation, kwargs)
    return str(caught.value)


def test_what_the_model_allows_passes():
    check_request("emr", "AddJobFlowSteps", {"JobFlowId": "j-1", "Steps": [STEP]})
    check_request("emr", "ListReleaseLabels", {})


def test_a_misspelt_or_missing_key_is_told():
    said = refusal("AddJobFlowSteps", {"JobFlowId": "j-1", "Stepps": [STEP]})
    assert 'Missing required parameter in input: "Steps"' in said
    assert "Stepps" in said


def test_a_value_outside_its_enumeration_is_told_with_the_nearest():
    step = {**STEP, "ActionOnFailure": "TERMINATE_CLUSTR"}
    said = refusal("AddJobFlowSteps", {"JobFlowId": "j-1", "Steps": [step]})
    assert "Steps[0].ActionOnFailure: 'TERMINATE_CLUSTR' is none of its values" in said
    assert "did you mean 'TERMINATE_CLUSTER'?" in said


def test_what_is_longer_or_larger_than_the_model_allows_is_told():
    """botocore itself checks minimums only."""
    step = {**STEP, "Name": "n" * 257}
    said = refusal("AddJobFlowSteps", {"JobFlowId": "j-1", "Steps": [step]})
    assert "Steps[0].Name: has length 257, at most 256 is allowed" in said
    policy = {"ComputeLimits": {}, "UtilizationPerformanceIndex": 101}
    policy["ComputeLimits"] = {
        "UnitType": "VCPU",
        "MinimumCapacityUnits": 1,
        "MaximumCapacityUnits": 2,
    }
    said = refusal("PutManagedScalingPolicy", {"ClusterId": "j-1", "ManagedScalingPolicy": policy})
    assert "ManagedScalingPolicy.UtilizationPerformanceIndex: is 101, at most 100" in said


def test_a_character_that_the_pattern_forbids_is_told():
    step = {**STEP, "HadoopJarStep": {"Jar": "a.jar", "Args": ["fine", "bell\a"]}}
    said = refusal("AddJobFlowSteps", {"JobFlowId": "j-1", "Steps": [step]})
    assert "Steps[0].HadoopJarStep.Args[1]: does not match the pattern" in said


def test_letters_of_every_script_pass_the_pattern():
    """The model writes characters above U+FFFF as pairs of surrogates, which Python's do not."""
    step = {**STEP, "Name": "Würfel 骰子 🎲\tund mehr"}
    check_request("emr", "AddJobFlowSteps", {"JobFlowId": "j-1", "Steps": [step]})


def test_the_keys_and_values_of_a_map_are_checked():
    logs = {"S3LoggingConfiguration": {"LogTypeUploadPolicy": {"system-logs": "never"}}}
    kwargs = {"Name": "c", "Instances": {}, "MonitoringConfiguration": logs}
    assert "'never' is none of its values" in refusal("RunJobFlow", kwargs)


def test_every_mistake_is_told_at_once():
    steps = [{**STEP, "ActionOnFailure": "STOP"}, {**STEP, "Name": "n" * 300}]
    said = refusal("AddJobFlowSteps", {"JobFlowId": "j-1", "Steps": steps})
    assert "2 mistakes" in said
    assert "Steps[0].ActionOnFailure" in said
    assert "Steps[1].Name" in said


def test_an_unknown_operation_or_service_is_told_with_the_nearest():
    assert "did you mean 'RunJobFlow'?" in refusal("RunJobFlows", {})
    assert "there is no service 'emrr'" in refusal("RunJobFlow", {}, service="emrr")


def test_an_answer_is_checked_by_its_own_shape():
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    status = {"State": "RUNNING", "Timeline": {"CreationDateTime": now}}
    check_response("emr", "DescribeStep", {"Step": {"Id": "s-1", "Status": status}})
    with pytest.raises(RequestRefused, match="'RUNING' is none of its values"):
        check_response("emr", "DescribeStep", {"Step": {"Status": {"State": "RUNING"}}})


@pytest.mark.parametrize("service", ["emr", "emr-serverless", "emr-containers"])
def test_every_pattern_of_our_services_can_be_read(service):
    raw = Loader(include_default_search_paths=True).load_service_model(service, "service-2")
    model = ServiceModel(raw, service)
    patterns = {
        pattern
        for name in model.shape_names
        if (pattern := model.shape_for(name).metadata.get("pattern"))
    }
    assert patterns
    for pattern in patterns:
        _compiled(pattern)
