"""A cluster's request, exactly as boto3 takes it: `run_job_flow`, `create_security_configuration`.

Pure: nothing is sent, and the same spec always gives the same request.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from emr.machines.releases import release_of
from emr.request.capacity import instances_of_fleets, instances_of_groups, scaling_policy
from emr.request.checks import check_spec, script_file
from emr.request.configurations import configurations_of
from emr.request.gpu import gpu_bootstrap
from emr.request.guard_rails import check_cluster
from emr.request.merge import deep_merge
from emr.request.security import security_configuration
from emr.request.tags import MANAGED_TAG, RUN_TAG

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from emr.spec import Bootstrap, CloudWatch, ClusterSpec

__all__ = ["bootstrap_files", "cluster_request", "log_uri", "security_configuration"]

STREAMS = ("STDOUT", "STDERR")
LOG_TYPES = {"step": "STEP_LOGS", "driver": "SPARK_DRIVER", "executor": "SPARK_EXECUTOR"}


def cluster_request(
    spec: ClusterSpec,
    *,
    run_id: str,
    transient: bool,
    steps: Sequence[Mapping[str, Any]] = (),
    execution_role: str | None = None,
    extra_tags: Mapping[str, str] | None = None,
    bootstrap_uris: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The keyword arguments of boto3's `run_job_flow`, checked.

    Args:
        spec: the cluster.
        run_id: the tag `sparkml:run`, by which a create is found again before it is retried.
        transient: whether the cluster ends with its last step; a step that fails ends it, too.
        steps: StepConfigs that it starts with.
        execution_role: the role that these steps run as; `roles.runtime` when None.
        extra_tags: tags besides the spec's own.
        bootstrap_uris: where scripts of this repository were uploaded, by their paths; those that
            are not among them are taken to be where `bootstrap_files` says.

    Raises:
        ConfigError: the spec breaks a limit; every problem is told.
        RequestRefused: with its overrides the request breaks AWS's model or a rule of ours.
        SecretInRequest: a value looks like a secret.
    """
    check_spec(spec)
    tags = {**spec.tags, **(extra_tags or {}), RUN_TAG: run_id, MANAGED_TAG: "true"}
    request: dict[str, Any] = {
        "Name": spec.name,
        "ReleaseLabel": spec.release,
        "Applications": [{"Name": name} for name in _applications(spec)],
        "LogUri": log_uri(spec),
        "ServiceRole": spec.roles.service,
        "JobFlowRole": spec.roles.instance_profile,
        "SecurityConfiguration": _security_name(spec),
        "Instances": _instances(spec, transient=transient),
        "Configurations": configurations_of(spec),
        "EbsRootVolumeSize": spec.root_gib,
        "ScaleDownBehavior": "TERMINATE_AT_TASK_COMPLETION",
        "StepConcurrencyLevel": 1 if transient else spec.step_concurrency,
        "Tags": [{"Key": key, "Value": tags[key]} for key in sorted(tags)],
    }
    if actions := bootstrap_actions(spec):
        uris = {script: uri for script, (uri, _) in bootstrap_files(spec).items()}
        uris |= bootstrap_uris or {}
        request["BootstrapActions"] = [_bootstrap(one, uris) for one in actions]
    if spec.logs.kms_key:
        request["LogEncryptionKmsKeyId"] = spec.logs.kms_key
    if watch := spec.logs.cloudwatch:
        request["MonitoringConfiguration"] = _monitoring(watch)
    if (scaling := scaling_policy(spec)) is not None:
        request["ManagedScalingPolicy"] = scaling
    if not transient and spec.idle_timeout_s is not None:
        request["AutoTerminationPolicy"] = {"IdleTimeout": spec.idle_timeout_s}
    if steps:
        request["Steps"] = [_for_cluster(step, transient=transient) for step in steps]
        if role := execution_role or spec.roles.runtime:
            request["StepExecutionRoleArn"] = role
    request = deep_merge(request, spec.overrides)
    check_cluster(request, spec)
    return request


def log_uri(spec: ClusterSpec) -> str:
    """Where the cluster's logs go, with a slash at the end: `<artifacts>/logs/` by default."""
    return (spec.logs.s3 or f"{spec.artifacts.rstrip('/')}/logs").rstrip("/") + "/"


def bootstrap_actions(spec: ClusterSpec) -> tuple[Bootstrap, ...]:
    """The bootstrap actions of a spec, those that its GPUs need first."""
    return (*gpu_bootstrap(spec), *spec.bootstrap)


def bootstrap_files(spec: ClusterSpec) -> dict[str, tuple[str, Path]]:
    """The bootstrap scripts that must be uploaded before the cluster is made.

    Returns:
        The path that the spec names → (its address, named by its content, and the file here).

    Raises:
        ConfigError: a script is not there (`check_spec` tells it with all else).
    """
    found = {}
    for script in (action.script for action in bootstrap_actions(spec)):
        if not script.startswith("s3://"):
            file = script_file(script)
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            uri = f"{spec.artifacts.rstrip('/')}/bootstrap/{digest[:32]}/{file.name}"
            found[script] = (uri, file)
    return found


def _applications(spec: ClusterSpec) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*release_of(spec.release).applications, *spec.applications)))


def _security_name(spec: ClusterSpec) -> str:
    made = security_configuration(spec)
    return made[0] if made else str(spec.security.configuration)


def _instances(spec: ClusterSpec, *, transient: bool) -> dict[str, Any]:
    network = spec.network
    instances: dict[str, Any] = {
        "KeepJobFlowAliveWhenNoSteps": not transient,
        "TerminationProtected": spec.termination_protected and not transient,
    }
    if spec.layout == "groups":
        instances["InstanceGroups"] = instances_of_groups(spec)
    else:
        instances["InstanceFleets"] = instances_of_fleets(spec)
    if network.subnets and spec.layout == "groups":
        instances["Ec2SubnetId"] = network.subnets[0]
    elif network.subnets:
        instances["Ec2SubnetIds"] = list(network.subnets)
    groups = {
        "EmrManagedMasterSecurityGroup": network.primary_group,
        "EmrManagedSlaveSecurityGroup": network.core_group,
        "ServiceAccessSecurityGroup": network.service_group,
    }
    instances |= {key: group for key, group in groups.items() if group}
    if network.further_groups:
        instances["AdditionalMasterSecurityGroups"] = list(network.further_groups)
        instances["AdditionalSlaveSecurityGroups"] = list(network.further_groups)
    return instances


def _bootstrap(action: Bootstrap, uris: Mapping[str, str]) -> dict[str, Any]:
    script: dict[str, Any] = {"Path": uris.get(action.script, action.script)}
    if action.args:
        script["Args"] = list(action.args)
    return {"Name": action.name, "ScriptBootstrapAction": script}


def _monitoring(watch: CloudWatch) -> dict[str, Any]:
    """CloudWatch's part of MonitoringConfiguration: both streams of each kind of log."""
    config: dict[str, Any] = {
        "Enabled": True,
        "LogGroupName": watch.group,
        "LogTypes": {LOG_TYPES[kind]: list(STREAMS) for kind in watch.types},
    }
    if watch.prefix:
        config["LogStreamNamePrefix"] = watch.prefix
    if watch.kms_key:
        config["EncryptionKeyArn"] = watch.kms_key
    return {"CloudWatchLogConfiguration": config}


def _for_cluster(step: Mapping[str, Any], *, transient: bool) -> dict[str, Any]:
    """A step as the cluster starts with it: one of a transient cluster ends it when it fails."""
    return {**step, "ActionOnFailure": "TERMINATE_CLUSTER"} if transient else dict(step)
