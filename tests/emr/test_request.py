"""A spec becomes exactly what boto3's `run_job_flow` takes."""

import json

import pytest

from emr.errors import RequestRefused, SecretInRequest
from emr.request.cluster import bootstrap_files, cluster_request
from emr.request.guard_rails import check_cluster
from emr.request.merge import deep_merge
from emr.request.security import security_configuration
from sparkml.errors import ConfigError
from tests.emr.golden import PACKAGE, SPECS, shipped
from tests.emr.rich_cluster import KEY, ROLE, plain, rich

STEP = {
    "Name": "s",
    "ActionOnFailure": "CONTINUE",
    "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["true"]},
}


def request_of(spec, **known):
    return cluster_request(spec, **{"run_id": "r-1", "transient": False, **known})


def tags_of(request):
    return {tag["Key"]: tag["Value"] for tag in request["Tags"]}


def properties_of(request, classification):
    (found,) = [c for c in request["Configurations"] if c["Classification"] == classification]
    return found["Properties"]


def test_groups_have_a_type_a_market_and_a_count():
    task = [{"types": "m7g.2xlarge", "spot": 3}, {"types": "m7g.4xlarge", "on_demand": 1}]
    groups = request_of(plain(task=task))["Instances"]["InstanceGroups"]
    expected = [
        ("primary", "MASTER", "ON_DEMAND", "m7g.xlarge", 1),
        ("core", "CORE", "ON_DEMAND", "m7g.xlarge", 2),
        ("task-1", "TASK", "SPOT", "m7g.2xlarge", 3),
        ("task-2", "TASK", "ON_DEMAND", "m7g.4xlarge", 1),
    ]
    keys = ("Name", "InstanceRole", "Market", "InstanceType", "InstanceCount")
    assert expected == [tuple(group[key] for key in keys) for group in groups]


def test_a_fleet_has_weights_targets_and_strategies():
    primary, core, task = request_of(rich())["Instances"]["InstanceFleets"]
    assert "SpotSpecification" not in primary["LaunchSpecifications"]
    assert (2, 0) == (core["TargetOnDemandCapacity"], core["TargetSpotCapacity"])
    assert {
        "TimeoutDurationMinutes": 20,
        "TimeoutAction": "TERMINATE_CLUSTER",
        "AllocationStrategy": "capacity-optimized-prioritized",
    } == task["LaunchSpecifications"]["SpotSpecification"]
    first = {
        "InstanceType": "m7g.2xlarge",
        "WeightedCapacity": 1,
        "BidPriceAsPercentageOfOnDemandPrice": 80.0,
        "Priority": 1.0,
    }
    assert first == task["InstanceTypeConfigs"][0]
    assert 100.0 == task["InstanceTypeConfigs"][1]["BidPriceAsPercentageOfOnDemandPrice"]


def test_volumes_are_told_as_ebs():
    core = request_of(rich())["Instances"]["InstanceFleets"][1]["InstanceTypeConfigs"][0]
    specification = {"VolumeType": "gp3", "SizeInGB": 100, "Iops": 4_000, "Throughput": 250}
    expected = [{"VolumeSpecification": specification, "VolumesPerInstance": 2}]
    assert expected == core["EbsConfiguration"]["EbsBlockDeviceConfigs"]


def test_a_cluster_ends_itself_when_it_is_idle_unless_never_is_said():
    assert {"IdleTimeout": 3_600} == request_of(plain())["AutoTerminationPolicy"]
    assert {"IdleTimeout": 3_600} == request_of(plain(idle_timeout_s=None))["AutoTerminationPolicy"]
    never = plain(idle_timeout_s="never")
    assert "AutoTerminationPolicy" not in request_of(never)
    assert "never" == never.model_dump(mode="json")["idle_timeout_s"]


def test_a_transient_cluster_ends_with_its_step():
    spec = plain(termination_protected=True, step_concurrency=5)
    request = request_of(spec, transient=True, steps=[STEP])
    assert not request["Instances"]["KeepJobFlowAliveWhenNoSteps"]
    assert not request["Instances"]["TerminationProtected"]
    assert "TERMINATE_CLUSTER" == request["Steps"][0]["ActionOnFailure"]
    assert 1 == request["StepConcurrencyLevel"]
    assert "AutoTerminationPolicy" not in request
    assert "CONTINUE" == STEP["ActionOnFailure"]


def test_a_transient_cluster_needs_a_step():
    with pytest.raises(RequestRefused, match="has no step"):
        request_of(plain(), transient=True)


def test_no_default_gives_a_node_a_public_address_or_an_ssh_key():
    text = json.dumps(request_of(plain()))
    for key in ("Ec2KeyName", "Public", "Placement", "0.0.0.0/0"):
        assert key not in text


def test_the_role_and_the_tag_of_the_managed_policies_are_defaults():
    request = request_of(plain(), extra_tags={"sparkml:owner": "me"})
    assert "EMR_DefaultRole_V2" == request["ServiceRole"]
    expected = {
        "for-use-with-amazon-emr-managed-policies": "true",
        "sparkml:owner": "me",
        "sparkml:run": "r-1",
    }
    assert expected == tags_of(request)


def test_logs_go_below_the_artifacts_and_to_cloudwatch_when_asked():
    assert "s3://bucket/sparkml/logs/" == request_of(plain())["LogUri"]
    assert "MonitoringConfiguration" not in request_of(plain())
    request = request_of(rich())
    assert ("s3://bucket/sparkml/logs/", KEY) == (
        request["LogUri"],
        request["LogEncryptionKmsKeyId"],
    )
    expected = {
        "Enabled": True,
        "LogGroupName": "/sparkml/emr",
        "LogStreamNamePrefix": "wine",
        "LogTypes": {
            "STEP_LOGS": ["STDOUT", "STDERR"],
            "SPARK_EXECUTOR": ["STDOUT", "STDERR"],
        },
    }
    assert expected == request["MonitoringConfiguration"]["CloudWatchLogConfiguration"]


def test_8x_asks_for_spark_alone_and_for_delta_by_configuration():
    request = request_of(plain())
    assert [{"Name": "Spark"}] == request["Applications"]
    assert {"delta.enabled": "true"} == properties_of(request, "delta-defaults")
    defaults = properties_of(request, "spark-defaults")
    assert "io.delta.sql.DeltaSparkSessionExtension" == defaults["spark.sql.extensions"]
    assert "spark.executor.memory" in defaults


def test_applications_of_the_spec_stand_beside_spark():
    """Each once."""
    request = request_of(plain(applications=["Livy", "Spark", "AmazonCloudWatchAgent"]))
    expected = [{"Name": "Spark"}, {"Name": "Livy"}, {"Name": "AmazonCloudWatchAgent"}]
    assert expected == request["Applications"]


def test_the_specs_configurations_win_over_the_generated_ones():
    own = {"spark.executor.cores": "1", "spark.jars": "/else/delta.jar"}
    configurations = [{"Classification": "spark-defaults", "Properties": own}]
    defaults = properties_of(request_of(plain(configurations=configurations)), "spark-defaults")
    assert own == {key: defaults[key] for key in own}
    assert "spark.executor.memory" in defaults


def test_a_subnet_for_groups_and_several_for_fleets():
    one = plain(network={"subnets": ["subnet-0123456789abcdef0"]})
    assert "subnet-0123456789abcdef0" == request_of(one)["Instances"]["Ec2SubnetId"]
    assert 2 == len(request_of(rich())["Instances"]["Ec2SubnetIds"])


def test_a_script_of_the_repository_is_named_by_its_content(tmp_path):
    script = tmp_path / "setup.sh"
    script.write_text("#!/bin/sh\n")
    spec = plain(bootstrap=[{"name": "Set up", "script": str(script)}])
    ((uri, file),) = bootstrap_files(spec).values()
    assert (uri, file) == bootstrap_files(spec)[str(script)]
    (action,) = request_of(spec)["BootstrapActions"]
    assert {"Path": uri} == action["ScriptBootstrapAction"]
    script.write_text("#!/bin/sh\ntrue\n")
    assert uri != bootstrap_files(spec)[str(script)][0]
    given = request_of(spec, bootstrap_uris={str(script): "s3://elsewhere/setup.sh"})
    assert {"Path": "s3://elsewhere/setup.sh"} == given["BootstrapActions"][0][
        "ScriptBootstrapAction"
    ]


def test_the_runtime_role_goes_with_the_clusters_own_steps_only():
    assert "StepExecutionRoleArn" not in request_of(rich())
    assert ROLE == request_of(rich(), steps=[STEP])["StepExecutionRoleArn"]


def security_of(spec):
    name, kwargs = security_configuration(spec)
    assert name == kwargs["Name"] == request_of(spec)["SecurityConfiguration"]
    return json.loads(kwargs["SecurityConfiguration"])


def test_nodes_answer_imds_v2_only_and_no_container_reaches_it():
    expected = {"MinimumInstanceMetadataServiceVersion": 2, "HttpPutResponseHopLimit": 1}
    assert expected == security_of(plain())["InstanceMetadataServiceConfiguration"]


def test_s3_is_encrypted_always_and_disks_and_wires_when_keys_are_there():
    least = security_of(plain())["EncryptionConfiguration"]
    assert {"S3EncryptionConfiguration": {"EncryptionMode": "SSE-S3"}} == least[
        "AtRestEncryptionConfiguration"
    ]
    assert not least["EnableInTransitEncryption"]
    most = security_of(rich())["EncryptionConfiguration"]
    at_rest = most["AtRestEncryptionConfiguration"]
    assert {"EncryptionMode": "SSE-KMS", "AwsKmsKey": KEY} == at_rest["S3EncryptionConfiguration"]
    assert at_rest["LocalDiskEncryptionConfiguration"]["EnableEbsEncryption"]
    assert "s3://bucket/certificates.zip" in json.dumps(most["InTransitEncryptionConfiguration"])


def test_runtime_roles_are_enabled_where_one_is_named():
    assert "AuthorizationConfiguration" not in security_of(plain())
    expected = {"IAMConfiguration": {"EnableApplicationScopedIAMRole": True}}
    assert expected == security_of(rich())["AuthorizationConfiguration"]


def test_the_name_of_a_security_configuration_is_its_content():
    assert security_configuration(plain())[0] == security_configuration(plain(name="other"))[0]
    assert security_configuration(plain())[0] != security_configuration(rich())[0]
    theirs = plain(security={"configuration": "theirs"})
    assert security_configuration(theirs) is None
    assert "theirs" == request_of(theirs)["SecurityConfiguration"]


def test_overrides_are_merged_last():
    overrides = {"OSReleaseLabel": "2023.1", "Instances": {"UnhealthyNodeReplacement": True}}
    request = request_of(plain(overrides=overrides))
    assert "2023.1" == request["OSReleaseLabel"]
    assert request["Instances"]["UnhealthyNodeReplacement"]
    assert 2 == len(request["Instances"]["InstanceGroups"])


BROKEN = [
    ({"Instances": {"InstanceGroups": [], "InstanceFleets": []}}, "either InstanceGroups or"),
    ({"AutoTerminationPolicy": None}, "AutoTerminationPolicy is missing"),
    ({"AutoTerminationPolicy": {"IdleTimeout": 5}}, "IdleTimeout is 5 s"),
    ({"SecurityConfiguration": None}, "SecurityConfiguration is missing"),
    ({"ReleaseLabel": "emr-7.14.0"}, "ReleaseLabel is not the spec's"),
    ({"Tags": []}, "for-use-with-amazon-emr-managed-policies=true is missing"),
    ({"Tags": []}, "sparkml:run is missing"),
    ({"StepConcurrencyLevel": 257}, "StepConcurrencyLevel is not between"),
    ({"Ec2SubnetId": "subnet-1"}, 'Unknown parameter in input: "Ec2SubnetId"'),
    ({"ScaleDownBehavior": "SOON"}, "'SOON' is none of its values"),
    (
        {
            "BootstrapActions": [{"Name": "n", "ScriptBootstrapAction": {"Path": "s3://bkt/a.sh"}}]
            * 17
        },
        "more than 16 bootstrap actions",
    ),
    (
        {
            "Instances": {
                "InstanceGroups": [
                    {"InstanceRole": "MASTER", "InstanceType": "m7g.xlarge", "InstanceCount": 99}
                ]
            }
        },
        "asks for 99 nodes, limits.nodes allows 50",
    ),
    (
        {
            "Instances": {
                "InstanceGroups": [
                    {"InstanceRole": "MASTER", "InstanceType": "m7g.xlarge", "InstanceCount": 1}
                ]
            }
        },
        "it has no core nodes",
    ),
    ({"Instances": {"InstanceCount": 900}}, "Instances.InstanceCount sizes the cluster past"),
    (
        {
            "ManagedScalingPolicy": {
                "ComputeLimits": {
                    "UnitType": "Instances",
                    "MinimumCapacityUnits": 1,
                    "MaximumCapacityUnits": 900,
                }
            }
        },
        "ManagedScalingPolicy is not the spec's",
    ),
]


@pytest.mark.parametrize(("changes", "said"), BROKEN)
def test_a_finished_request_is_checked_whoever_wrote_it(changes, said):
    with pytest.raises(RequestRefused) as caught:
        check_cluster(deep_merge(request_of(plain()), changes), plain())
    assert said in str(caught.value)


OWNED_OVERRIDES = [
    ({"Instances": {"InstanceGroups": []}}, "Instances.InstanceGroups", "primary, core and task"),
    ({"Instances": {"SlaveInstanceType": "p5.48xlarge"}}, "Instances.SlaveInstanceType", "core"),
    ({"ManagedScalingPolicy": {}}, "ManagedScalingPolicy", "scaling"),
    ({"SecurityConfiguration": "none"}, "SecurityConfiguration", "security"),
    ({"AutoTerminationPolicy": None}, "AutoTerminationPolicy", "idle_timeout_s"),
    ({"Applications": []}, "Applications", "applications"),
    ({"Tags": [{"Key": "sparkml:run", "Value": "another"}]}, "Tags", "tags"),
    ({"Configurations": []}, "Configurations", "configurations"),
    ({"Instances": None}, "Instances", "name the keys in it"),
]


@pytest.mark.parametrize(("overrides", "key", "ours"), OWNED_OVERRIDES)
def test_overrides_may_not_say_what_the_spec_says(overrides, key, ours):
    """Else a size would pass `limits.nodes` and the price, which are read from the spec."""
    with pytest.raises(ConfigError) as caught:
        request_of(plain(overrides=overrides))
    assert f"overrides.{key}" in str(caught.value)
    assert ours in str(caught.value)


def test_a_secret_in_the_configurations_is_refused():
    properties = {"spark.hadoop.fs.s3a.secret.key": "abcdefgh"}
    configurations = [{"Classification": "spark-defaults", "Properties": properties}]
    with pytest.raises(SecretInRequest) as caught:
        request_of(plain(configurations=configurations))
    assert "spark.hadoop.fs.s3a.secret.key" in str(caught.value)
    assert "abcdefgh" not in str(caught.value)


def test_a_wrong_spec_makes_no_request():
    with pytest.raises(ConfigError):
        request_of(plain(release="emr-7.14.0"))


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_a_shipped_spec_can_be_transient_as_well(path):
    step = {**STEP, "HadoopJarStep": {"Jar": "command-runner.jar", "Args": [PACKAGE.script]}}
    request = request_of(shipped(path), transient=True, steps=[step])
    assert not request["Instances"]["KeepJobFlowAliveWhenNoSteps"]
