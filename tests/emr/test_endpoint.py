"""The local EMR as a server: what it refuses, and that it answers as EMR's model wants."""

from __future__ import annotations

import urllib.error
import urllib.request

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.emr.endpoint import Settings
from tests.emr.endpoint.operations import OPERATIONS
from tests.emr.endpoint.protocol import ApiError, read_request, service_model, write_response
from tests.emr.small_cluster import shell, small_cluster

FLEETS = {
    "InstanceFleets": [
        {
            "InstanceFleetType": role,
            "TargetOnDemandCapacity": on_demand,
            "TargetSpotCapacity": spot,
            "InstanceTypeConfigs": [{"InstanceType": "m5.xlarge", "WeightedCapacity": 2}],
        }
        for role, on_demand, spot in (("MASTER", 2, 0), ("CORE", 2, 4))
    ]
}


@pytest.fixture
def client(emr_endpoint):
    """A client of a quick local EMR."""
    emr_endpoint(settings=Settings(pace=0.02, page_size=2))
    return boto3.client("emr")


def refusal(call, **request):
    """The code and the message that the call is refused with."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def post(url, operation, **headers):
    """The status that a bare POST gets, and the answer's text."""
    headers = {"X-Amz-Target": f"ElasticMapReduce.{operation}", **headers}
    request = urllib.request.Request(url, data=b"{}", headers=headers)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_every_operation_served_is_one_of_emrs():
    """A misspelt name would never be asked for."""
    assert set() == set(OPERATIONS) - set(service_model().operation_names)


def test_an_operation_that_emr_does_not_have_is_refused(emr_endpoint):
    """So that a typing error is not mistaken for something else."""
    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=a/b/c/elasticmapreduce/aws4_request"}
    status, told = post(emr_endpoint().url, "RunJobFlows", **signed)
    assert 400 == status
    assert "UnknownOperationException" in told


def test_an_operation_that_is_not_served_says_so(client):
    """EMR has it; this endpoint does not."""
    code, message = refusal(client.list_studios)
    assert ("UnknownOperationException", "'ListStudios' is not served here.") == (code, message)


def test_a_request_without_signature_is_refused(emr_endpoint):
    """No signature is verified, but one must be there."""
    emr = emr_endpoint()
    bare = boto3.client("emr", endpoint_url=emr.url, config=Config(signature_version=UNSIGNED))
    assert "MissingAuthenticationTokenException" == refusal(bare.list_clusters)[0]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"Name": 1, "Instances": {}}', "request.Name is int, not string"),
        (b'{"Instances": {}}', "request lacks 'Name'"),
        (b'{"Name": "a", "Instances": {}, "Colour": 1}', "no member 'Colour'"),
        (b'{"Name": "a", "Instances": {"TerminationProtected": 1}}', "not boolean"),
        (b'{"Name": "\\u0001", "Instances": {}}', "does not match"),
        (b'{"Name": "a", "Instances": {}, "ScaleDownBehavior": "X"}', "'X', which is none of"),
        (b'{"Name": "' + b"a" * 300 + b'", "Instances": {}}', "length or value 300"),
        (b"{", "not JSON"),
    ],
)
def test_a_request_must_keep_to_the_model(body, told):
    """Types, required members, unknown ones, patterns, choices and lengths: all are checked."""
    with pytest.raises(ApiError) as caught:
        read_request("RunJobFlow", body)
    assert told in caught.value.message


def test_a_response_must_keep_to_the_model():
    """A mistake of our own is an internal failure, not an answer that only we would give."""
    with pytest.raises(ApiError, match="InternalFailure") as caught:
        write_response("DescribeCluster", {"Cluster": {"State": "RUNNING"}})
    assert 500 == caught.value.status


def test_characters_beyond_sixteen_bits_are_allowed(client):
    """The model writes them as Java does, in surrogate pairs."""
    made = client.run_job_flow(**small_cluster(Tags=[{"Key": "mood", "Value": "🙂"}]))
    cluster = client.describe_cluster(ClusterId=made["JobFlowId"])["Cluster"]
    assert [{"Key": "mood", "Value": "🙂"}] == cluster["Tags"]


GROUPS = small_cluster()["Instances"]["InstanceGroups"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"ReleaseLabel": "emr-spark-9.9.9"}, "release label is invalid"),
        ({"JobFlowRole": ""}, "InstanceProfile is required"),
        ({"ServiceRole": ""}, "ServiceRole is required"),
        ({"Applications": [{"Name": "Hive"}]}, "application 'Hive' is invalid"),
        ({"SecurityConfiguration": "none"}, "'none' does not exist"),
        ({"StepConcurrencyLevel": 257}, "257 is not in 1..256"),
        ({"AutoTerminationPolicy": {"IdleTimeout": 59}}, "between 60 and 604800"),
        ({"Tags": [{"Key": "aws:x", "Value": ""}]}, "tag 'aws:x' is invalid"),
        ({"Instances": {**FLEETS, "InstanceGroups": GROUPS}}, "groups or instance fleets"),
        ({"Instances": {"InstanceGroups": [*GROUPS, *GROUPS]}}, "exactly one master"),
        (
            {"Instances": {"InstanceGroups": [{**GROUPS[0], "InstanceType": "m5.tiny"}]}},
            "'m5.tiny' is not supported",
        ),
        (
            {
                "ManagedScalingPolicy": {
                    "ComputeLimits": {
                        "UnitType": "InstanceFleetUnits",
                        "MinimumCapacityUnits": 1,
                        "MaximumCapacityUnits": 2,
                    }
                }
            },
            "does not suit",
        ),
        ({"Steps": [shell("true")] * 101}, "More than 100 steps"),
        ({"Steps": [shell("x" * 10_250)]}, "longer than 10240 characters"),
        (
            {"StepConcurrencyLevel": 2, "Steps": [shell("true", on_failure="CANCEL_AND_WAIT")]},
            "CANCEL_AND_WAIT is not valid",
        ),
        (
            {"StepExecutionRoleArn": "arn:aws:iam::123456789012:role/runtime"},
            "Runtime roles are not enabled",
        ),
    ],
)
def test_a_cluster_that_emr_would_refuse_is_refused(client, changes, told):
    """At once and with EMR's code, so that a bad spec does not only fail on AWS."""
    code, message = refusal(client.run_job_flow, **small_cluster(**changes))
    assert "ValidationException" == code
    assert told in message
    assert [] == client.list_clusters()["Clusters"]


def test_groups_and_fleets_are_shown_as_they_were_asked_for(client):
    """A cluster has one or the other, and its nodes belong to them."""
    groups = client.run_job_flow(**small_cluster())["JobFlowId"]
    fleets = client.run_job_flow(**small_cluster(instances=FLEETS))["JobFlowId"]
    assert [("MASTER", 1)] == [
        (group["InstanceGroupType"], group["RequestedInstanceCount"])
        for group in client.list_instance_groups(ClusterId=groups)["InstanceGroups"]
    ]
    assert [("MASTER", 2, 0), ("CORE", 2, 4)] == [
        (f["InstanceFleetType"], f["TargetOnDemandCapacity"], f["TargetSpotCapacity"])
        for f in client.list_instance_fleets(ClusterId=fleets)["InstanceFleets"]
    ]
    pages = client.get_paginator("list_instances").paginate(ClusterId=fleets)
    nodes = [node["Market"] for page in pages for node in page["Instances"]]
    assert ["ON_DEMAND", "ON_DEMAND", "SPOT", "SPOT"] == nodes
    code, _ = refusal(client.list_instance_groups, ClusterId=fleets)
    assert "InvalidRequestException" == code


def test_listings_come_in_pages(client):
    """Newest first, two a page here."""
    made = [client.run_job_flow(**small_cluster(Name=f"c{i}"))["JobFlowId"] for i in range(5)]
    assert "Marker" in client.list_clusters()
    pages = list(client.get_paginator("list_clusters").paginate())
    assert [2, 2, 1] == [len(page["Clusters"]) for page in pages]
    assert made[::-1] == [cluster["Id"] for page in pages for cluster in page["Clusters"]]
    assert "InvalidRequestException" == refusal(client.list_clusters, Marker="nonsense")[0]


def test_releases_and_instance_types_can_be_looked_up(client):
    """The data are AWS's own, as moto's package carries them."""
    labels = client.list_release_labels(Filters={"Prefix": "emr-spark-8"})["ReleaseLabels"]
    assert ["emr-spark-8.1.0", "emr-spark-8.0.0"] == labels
    release = client.describe_release_label(ReleaseLabel="emr-spark-8.1.0")
    assert "Spark" in {application["Name"] for application in release["Applications"]}
    types, marker = [], {}
    while True:  # botocore has no paginator for it
        page = client.list_supported_instance_types(ReleaseLabel="emr-spark-8.1.0", **marker)
        types += [entry["Type"] for entry in page["SupportedInstanceTypes"]]
        if "Marker" not in page:
            break
        marker = {"Marker": page["Marker"]}
    assert 737 == len(types)
    assert {"m5.xlarge", "g5.xlarge"} <= set(types)
    access = client.get_block_public_access_configuration()
    assert access["BlockPublicAccessConfiguration"]["BlockPublicSecurityGroupRules"]


def test_policies_tags_and_protection_can_be_changed(client):
    """Each setter is seen by its getter."""
    cluster_id = client.run_job_flow(**small_cluster())["JobFlowId"]
    limits = {"UnitType": "Instances", "MinimumCapacityUnits": 1, "MaximumCapacityUnits": 3}
    policy = {"ComputeLimits": limits}
    client.put_managed_scaling_policy(ClusterId=cluster_id, ManagedScalingPolicy=policy)
    scaling = client.get_managed_scaling_policy(ClusterId=cluster_id)["ManagedScalingPolicy"]
    assert policy == scaling
    client.put_auto_termination_policy(
        ClusterId=cluster_id, AutoTerminationPolicy={"IdleTimeout": 7_200}
    )
    idle = client.get_auto_termination_policy(ClusterId=cluster_id)["AutoTerminationPolicy"]
    assert {"IdleTimeout": 7_200} == idle
    client.add_tags(ResourceId=cluster_id, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b"}])
    client.remove_tags(ResourceId=cluster_id, TagKeys=["b"])
    client.set_termination_protection(JobFlowIds=[cluster_id], TerminationProtected=True)
    assert (
        4
        == client.modify_cluster(ClusterId=cluster_id, StepConcurrencyLevel=4)[
            "StepConcurrencyLevel"
        ]
    )
    cluster = client.describe_cluster(ClusterId=cluster_id)["Cluster"]
    assert [{"Key": "a", "Value": "1"}] == cluster["Tags"]
    assert (True, 4) == (cluster["TerminationProtected"], cluster["StepConcurrencyLevel"])


def test_security_configurations_live_under_their_names(client):
    """Made once, described, listed, deleted."""
    made = {"Name": "safe", "SecurityConfiguration": '{"a": 1}'}
    client.create_security_configuration(**made)
    assert "already exists" in refusal(client.create_security_configuration, **made)[1]
    told = client.describe_security_configuration(Name="safe")
    assert '{"a": 1}' == told["SecurityConfiguration"]
    assert ["safe"] == [
        c["Name"] for c in client.list_security_configurations()["SecurityConfigurations"]
    ]
    client.delete_security_configuration(Name="safe")
    code, _ = refusal(client.describe_security_configuration, Name="safe")
    assert "InvalidRequestException" == code
