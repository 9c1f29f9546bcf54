"""From what is remembered to what a response tells: clusters, steps, groups, fleets, nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .state import Cluster, Node, Step

_ACCOUNT = "123456789012"

_FROM_REQUEST = (
    "ReleaseLabel", "LogEncryptionKmsKeyId", "Applications", "ServiceRole", "Configurations",
    "SecurityConfiguration", "AutoScalingRole", "ScaleDownBehavior", "CustomAmiId",
    "EbsRootVolumeSize", "EbsRootVolumeIops", "EbsRootVolumeThroughput", "RepoUpgradeOnBoot",
    "OSReleaseLabel", "MonitoringConfiguration", "SessionEnabled", "ExtendedSupport",
)  # fmt: skip
"""Members of RunJobFlow that DescribeCluster shows under the same name."""
_FROM_INSTANCES = (
    "Ec2KeyName", "Ec2SubnetId", "EmrManagedMasterSecurityGroup", "EmrManagedSlaveSecurityGroup",
    "ServiceAccessSecurityGroup", "AdditionalMasterSecurityGroups", "AdditionalSlaveSecurityGroups",
)  # fmt: skip
_NODE_STATES = {
    "STARTING": "PROVISIONING",
    "BOOTSTRAPPING": "BOOTSTRAPPING",
    "RUNNING": "RUNNING",
    "WAITING": "RUNNING",
    "TERMINATING": "RUNNING",
}


def arn(cluster: Cluster) -> str:
    """The cluster's ARN."""
    return f"arn:aws:elasticmapreduce:us-east-1:{_ACCOUNT}:cluster/{cluster.id}"


def _without_none(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _cluster_status(cluster: Cluster) -> dict[str, Any]:
    status: dict[str, Any] = {
        "State": cluster.state,
        "StateChangeReason": cluster.reason,
        "Timeline": _without_none(
            {
                "CreationDateTime": cluster.created,
                "ReadyDateTime": cluster.ready,
                "EndDateTime": cluster.ended,
            }
        ),
    }
    return status | ({"ErrorDetails": cluster.errors} if cluster.errors else {})


def cluster_summary(cluster: Cluster) -> dict[str, Any]:
    """ListClusters' entry."""
    return {
        "Id": cluster.id,
        "Name": cluster.request["Name"],
        "Status": _cluster_status(cluster),
        "NormalizedInstanceHours": 0,
        "ClusterArn": arn(cluster),
    }


def cluster(cluster: Cluster) -> dict[str, Any]:
    """DescribeCluster's."""
    request, instances = cluster.request, cluster.request["Instances"]
    subnets = instances.get("Ec2SubnetIds", ())
    attributes = {name: instances[name] for name in _FROM_INSTANCES if name in instances}
    attributes |= {"Ec2AvailabilityZone": "us-east-1a"}
    attributes |= {"IamInstanceProfile": request.get("JobFlowRole")}
    if subnets:
        attributes |= {"Ec2SubnetId": subnets[0], "RequestedEc2SubnetIds": subnets}
    return cluster_summary(cluster) | _without_none(
        {name: request.get(name) for name in _FROM_REQUEST}
        | {
            "Ec2InstanceAttributes": attributes,
            "InstanceCollectionType": "INSTANCE_FLEET" if cluster.fleets else "INSTANCE_GROUP",
            "LogUri": cluster.log_uri,
            "AutoTerminate": not cluster.keep_alive,
            "TerminationProtected": cluster.protected,
            "UnhealthyNodeReplacement": instances.get("UnhealthyNodeReplacement", False),
            "VisibleToAllUsers": True,
            "Tags": [{"Key": key, "Value": value} for key, value in cluster.tags.items()],
            "StepConcurrencyLevel": cluster.concurrency,
            "PlacementGroups": request.get("PlacementGroupConfigs"),
            "MasterPublicDnsName": "ip-10-0-0-10.ec2.internal" if cluster.ready else None,
        }
    )


def step_summary(step: Step) -> dict[str, Any]:
    """ListSteps' entry."""
    jar = step.config["HadoopJarStep"]
    properties = {pair["Key"]: pair.get("Value", "") for pair in jar.get("Properties", ())}
    timeline = {
        "CreationDateTime": step.created,
        "StartDateTime": step.started,
        "EndDateTime": step.ended,
    }
    status = {
        "State": step.state,
        "StateChangeReason": {"Message": step.message} if step.message else {},
        "FailureDetails": step.failure,
        "Timeline": _without_none(timeline),
    }
    config = {
        "Jar": jar["Jar"],
        "Properties": properties,
        "MainClass": jar.get("MainClass"),
        "Args": list(jar.get("Args", ())),
    }
    own = step.config.get("StepMonitoringConfiguration", {}).get("S3MonitoringConfiguration", {})
    ids = {"ResourceManagerApplicationIds": list(step.applications), "ResourceManager": "YARN"}
    return _without_none(
        {
            "Id": step.id,
            "Name": step.config["Name"],
            "Config": _without_none(config),
            "ActionOnFailure": step.action_on_failure,
            "Status": _without_none(status),
            "LogUri": own.get("LogUri"),
            "EncryptionKeyArn": own.get("EncryptionKeyArn"),
            "AdditionalInfo": ids if step.applications else None,
        }
    )


def step(step: Step) -> dict[str, Any]:
    """DescribeStep's: the summary, and who the step runs as."""
    return step_summary(step) | _without_none({"ExecutionRoleArn": step.execution_role})


def node(cluster: Cluster, node: Node) -> dict[str, Any]:
    """ListInstances' entry."""
    member = "InstanceFleetId" if cluster.fleets else "InstanceGroupId"
    return {
        "Id": node.id,
        "Ec2InstanceId": node.ec2_id,
        "PrivateDnsName": f"{node.ec2_id}.ec2.internal",
        "Status": {
            "State": _node_state(cluster),
            "StateChangeReason": {},
            "Timeline": {"CreationDateTime": cluster.created},
        },
        member: node.collection,
        "Market": node.market,
        "InstanceType": node.type,
        "EbsVolumes": [],
    }


def _node_state(cluster: Cluster) -> str:
    return _NODE_STATES.get(cluster.state, "TERMINATED")


def instance_group(cluster: Cluster, group: Mapping[str, Any]) -> dict[str, Any]:
    """ListInstanceGroups' entry."""
    running = _node_state(cluster) == "RUNNING"
    return _without_none(
        {
            "Id": group["Id"],
            "Name": group.get("Name", group["InstanceRole"]),
            "Market": group.get("Market", "ON_DEMAND"),
            "InstanceGroupType": group["InstanceRole"],
            "BidPrice": group.get("BidPrice"),
            "InstanceType": group["InstanceType"],
            "RequestedInstanceCount": group["InstanceCount"],
            "RunningInstanceCount": group["InstanceCount"] if running else 0,
            "Status": _collection_status(cluster),
            "Configurations": group.get("Configurations"),
            "EbsBlockDevices": _volumes(group.get("EbsConfiguration", {})),
        }
    )


def instance_fleet(cluster: Cluster, fleet: Mapping[str, Any]) -> dict[str, Any]:
    """ListInstanceFleets' entry."""
    running = _node_state(cluster) == "RUNNING"
    on_demand = fleet.get("TargetOnDemandCapacity", 0)
    spot = fleet.get("TargetSpotCapacity", 0)
    types = [
        {name: value for name, value in choice.items() if name != "EbsConfiguration"}
        | {"EbsBlockDevices": _volumes(choice.get("EbsConfiguration", {}))}
        for choice in fleet.get("InstanceTypeConfigs", ())
    ]
    return _without_none(
        {
            "Id": fleet["Id"],
            "Name": fleet.get("Name", fleet["InstanceFleetType"]),
            "Status": _collection_status(cluster),
            "InstanceFleetType": fleet["InstanceFleetType"],
            "TargetOnDemandCapacity": on_demand,
            "TargetSpotCapacity": spot,
            "ProvisionedOnDemandCapacity": on_demand if running else 0,
            "ProvisionedSpotCapacity": spot if running else 0,
            "InstanceTypeSpecifications": types,
            "LaunchSpecifications": fleet.get("LaunchSpecifications"),
            "ResizeSpecifications": fleet.get("ResizeSpecifications"),
        }
    )


def _collection_status(cluster: Cluster) -> dict[str, Any]:
    times = {"CreationDateTime": cluster.created, "ReadyDateTime": cluster.ready}
    return {
        "State": _node_state(cluster),
        "StateChangeReason": {},
        "Timeline": _without_none(times),
    }


def _volumes(configuration: Mapping[str, Any]) -> list[dict[str, Any]]:
    specifications = [
        volume["VolumeSpecification"]
        for volume in configuration.get("EbsBlockDeviceConfigs", ())
        for _ in range(volume.get("VolumesPerInstance", 1))
    ]
    return [
        {"VolumeSpecification": specification, "Device": f"/dev/sd{chr(ord('b') + number)}"}
        for number, specification in enumerate(specifications)
    ]
