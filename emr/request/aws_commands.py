"""The same requests as `aws emr …` commands, to read, to compare, to run by hand.

`aws emr create-cluster` takes no JSON of the whole request, so each part is an option of its own.
It also sends VisibleToAllUsers=true, which is AWS's default.
"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_TEXT = {
    "Name": "name",
    "ReleaseLabel": "release-label",
    "OSReleaseLabel": "os-release-label",
    "LogUri": "log-uri",
    "LogEncryptionKmsKeyId": "log-encryption-kms-key-id",
    "ServiceRole": "service-role",
    "AutoScalingRole": "auto-scaling-role",
    "AdditionalInfo": "additional-info",
    "SecurityConfiguration": "security-configuration",
    "CustomAmiId": "custom-ami-id",
    "RepoUpgradeOnBoot": "repo-upgrade-on-boot",
    "ScaleDownBehavior": "scale-down-behavior",
    "EbsRootVolumeSize": "ebs-root-volume-size",
    "EbsRootVolumeIops": "ebs-root-volume-iops",
    "EbsRootVolumeThroughput": "ebs-root-volume-throughput",
    "StepConcurrencyLevel": "step-concurrency-level",
    "StepExecutionRoleArn": "step-execution-role-arn",
}
_JSON = {
    "Applications": "applications",
    "Configurations": "configurations",
    "ManagedScalingPolicy": "managed-scaling-policy",
    "AutoTerminationPolicy": "auto-termination-policy",
    "MonitoringConfiguration": "monitoring-configuration",
    "PlacementGroupConfigs": "placement-group-configs",
    "KerberosAttributes": "kerberos-attributes",
}
_SWITCH = {"ExtendedSupport": "extended-support", "SessionEnabled": "session-enabled"}
_ATTRIBUTES = {
    "Ec2KeyName": "KeyName",
    "Ec2SubnetId": "SubnetId",
    "Ec2SubnetIds": "SubnetIds",
    "EmrManagedMasterSecurityGroup": "EmrManagedMasterSecurityGroup",
    "EmrManagedSlaveSecurityGroup": "EmrManagedSlaveSecurityGroup",
    "ServiceAccessSecurityGroup": "ServiceAccessSecurityGroup",
    "AdditionalMasterSecurityGroups": "AdditionalMasterSecurityGroups",
    "AdditionalSlaveSecurityGroups": "AdditionalSlaveSecurityGroups",
}


def aws_commands(
    *,
    region: str,
    security: Mapping[str, Any] | None = None,
    cluster: Mapping[str, Any] | None = None,
    steps: Mapping[str, Any] | None = None,
) -> list[str]:
    """The commands that send these requests, in their order, quoted for a shell.

    Args:
        region: where they go.
        security: the arguments of `create_security_configuration`.
        cluster: those of `run_job_flow`. What the command has no option for is told in a comment.
        steps: those of `add_job_flow_steps`.
    """
    commands: list[str] = []
    if security is not None:
        name, content = security["Name"], security["SecurityConfiguration"]
        argv = ["create-security-configuration", "--name", name]
        commands.append(_line(region, [*argv, "--security-configuration", content]))
    if cluster is not None:
        commands += _create_cluster(region, cluster)
    if steps is not None:
        argv = ["add-steps", "--cluster-id", steps["JobFlowId"]]
        if role := steps.get("ExecutionRoleArn"):
            argv += ["--execution-role-arn", role]
        commands.append(_line(region, [*argv, "--steps", _json(_steps(steps["Steps"]))]))
    return commands


def _line(region: str, argv: Sequence[str]) -> str:
    return shlex.join(["aws", "emr", *argv, "--region", region])


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _create_cluster(region: str, request: Mapping[str, Any]) -> Iterator[str]:
    argv, unknown = ["create-cluster"], []
    for key, value in request.items():
        if key in _TEXT:
            argv += [f"--{_TEXT[key]}", str(value)]
        elif key in _JSON:
            argv += [f"--{_JSON[key]}", _json(value)]
        elif key in _SWITCH:
            argv.append(f"--{_SWITCH[key]}" if value else f"--no-{_SWITCH[key]}")
        elif key in _PARTS:
            argv += _PARTS[key](value)
        elif key not in {"Instances", "JobFlowRole", "VisibleToAllUsers"}:
            unknown.append(key)
    instances = request["Instances"]
    known = {*_ATTRIBUTES, *_INSTANCES}
    unknown += [f"Instances.{key}" for key in instances if key not in known]
    if unknown:
        yield f"# aws emr create-cluster has no option for {', '.join(unknown)}"
    yield _line(region, [*argv, *_of_instances(instances, request.get("JobFlowRole"))])


def _of_instances(instances: Mapping[str, Any], profile: str | None) -> Iterator[str]:
    for key, options in _INSTANCES.items():
        if key in instances:
            yield from options(instances[key])
    attributes = {_ATTRIBUTES[key]: instances[key] for key in _ATTRIBUTES if key in instances}
    if profile:
        attributes["InstanceProfile"] = profile
    if attributes:
        yield from ("--ec2-attributes", _json(attributes))


def _groups(groups: Sequence[Mapping[str, Any]]) -> list[str]:
    """The command calls the role a type, and knows the market by whether there is a bid."""
    told = []
    for group in groups:
        one = {key: value for key, value in group.items() if key not in {"InstanceRole", "Market"}}
        one["InstanceGroupType"] = group["InstanceRole"]
        if group.get("Market") == "SPOT":
            one.setdefault("BidPrice", "OnDemandPrice")
        told.append(one)
    return ["--instance-groups", _json(told)]


def _bootstrap(actions: Sequence[Mapping[str, Any]]) -> list[str]:
    told = [{"Name": one["Name"], **one["ScriptBootstrapAction"]} for one in actions]
    return ["--bootstrap-actions", _json(told)]


def _steps(steps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Steps as the command takes them: of type Spark, it adds the runner and `spark-submit`."""
    told = []
    for step in steps:
        jar = step["HadoopJarStep"]
        one = {"Name": step["Name"], "ActionOnFailure": step["ActionOnFailure"]}
        argv = jar.get("Args", [])
        if jar["Jar"] == "command-runner.jar" and argv[:1] == ["spark-submit"]:
            one |= {"Type": "Spark", "Args": argv[1:]}
        else:
            one |= {"Type": "CUSTOM_JAR", "Jar": jar["Jar"], "Args": argv}
        told.append(one)
    return told


def _tags(tags: Sequence[Mapping[str, str]]) -> list[str]:
    return ["--tags", *(f"{tag['Key']}={tag['Value']}" for tag in tags)]


def _switch(option: str) -> Callable[[bool], list[str]]:
    return lambda wanted: [f"--{option}" if wanted else f"--no-{option}"]


_PARTS: dict[str, Callable[[Any], list[str]]] = {
    "Tags": _tags,
    "BootstrapActions": _bootstrap,
    "Steps": lambda steps: ["--steps", _json(_steps(steps))],
}
_INSTANCES: dict[str, Callable[[Any], list[str]]] = {
    "InstanceGroups": _groups,
    "InstanceFleets": lambda fleets: ["--instance-fleets", _json(fleets)],
    "KeepJobFlowAliveWhenNoSteps": lambda alive: [
        "--no-auto-terminate" if alive else "--auto-terminate"
    ],
    "TerminationProtected": _switch("termination-protected"),
    "UnhealthyNodeReplacement": _switch("unhealthy-node-replacement"),
}
