"""What EMR refuses beyond its model: limits, exclusions, names that do not exist."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .catalogue import applications_of, instance_types_of, release_labels
from .protocol import validation_error
from .state import ALIVE, Cluster, Store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ACTIVE_STEPS_MAX = 256
STEPS_PER_REQUEST_MAX = 100
STEP_CHARACTERS_MAX = 10_240
BOOTSTRAP_ACTIONS_MAX = 16
TAGS_MAX = 50


def check_cluster(request: Mapping[str, Any], store: Store) -> None:
    """Refuse a RunJobFlow that EMR would refuse at once, and not only at launch."""
    label = request.get("ReleaseLabel")
    if label not in release_labels():
        raise validation_error(f"The supplied release label is invalid: {label}.")
    for role, told in (("JobFlowRole", "InstanceProfile"), ("ServiceRole", "ServiceRole")):
        if not request.get(role):
            raise validation_error(f"{told} is required for creating cluster.")
    _check_applications(request, label)
    _check_instances(request["Instances"], label)
    _check_policies(request)
    named = request.get("SecurityConfiguration")
    if named is not None and named not in store.security:
        raise validation_error(f"Security configuration with name '{named}' does not exist.")
    if len(request.get("BootstrapActions", ())) > BOOTSTRAP_ACTIONS_MAX:
        raise validation_error(f"More than {BOOTSTRAP_ACTIONS_MAX} bootstrap actions.")
    check_tags(request.get("Tags", ()))


def check_steps(
    steps: Sequence[Mapping[str, Any]],
    *,
    active: int,
    concurrency: int,
    runtime_roles: bool,
    execution_role: str | None,
) -> None:
    """Refuse steps that break a limit, the cluster's concurrency or its rule for runtime roles."""
    if len(steps) > STEPS_PER_REQUEST_MAX:
        raise validation_error(f"More than {STEPS_PER_REQUEST_MAX} steps in one request.")
    if active + len(steps) > ACTIVE_STEPS_MAX:
        raise validation_error(
            "Maximum number of active steps(State = 'Running', 'Pending' or 'Cancel_Pending') "
            "for cluster exceeded."
        )
    for step in steps:
        _check_step(step, concurrency)
    if steps and runtime_roles and execution_role is None:
        raise validation_error(
            "Runtime roles are required for this cluster. Please specify the role using the "
            "ExecutionRoleArn parameter."
        )
    if execution_role is not None and not runtime_roles:
        raise validation_error("Runtime roles are not enabled for this cluster.")


def check_modifiable(cluster: Cluster) -> None:
    """Refuse to change a cluster that ends or has ended."""
    if cluster.state not in ALIVE:
        raise validation_error(
            "A job flow that is shutting down, terminated, or finished may not be modified."
        )


def check_tags(tags: Sequence[Mapping[str, str]], had: int = 0) -> None:
    """Refuse tags that AWS keeps for itself, too long ones, too many."""
    if had + len(tags) > TAGS_MAX:
        raise validation_error(f"More than {TAGS_MAX} tags.")
    for tag in tags:
        key, value = tag.get("Key", ""), tag.get("Value", "")
        if not 1 <= len(key) <= 128 or len(value) > 256 or key.lower().startswith("aws:"):
            raise validation_error(f"The tag '{key}' is invalid.")


def runtime_roles(request: Mapping[str, Any], store: Store) -> bool:
    """Whether the cluster's security configuration asks for a role per step."""
    named = request.get("SecurityConfiguration")
    if named is None:
        return False
    read = json.loads(store.security[named][0])
    iam = read.get("AuthorizationConfiguration", {}).get("IAMConfiguration", {})
    return bool(iam.get("EnableApplicationScopedIAMRole", False))


def _check_step(step: Mapping[str, Any], concurrency: int) -> None:
    jar = step["HadoopJarStep"]
    told = [jar["Jar"], jar.get("MainClass", ""), *jar.get("Args", ())]
    for pair in jar.get("Properties", ()):
        told += [pair.get("Key", ""), pair.get("Value", "")]
    if sum(len(text) for text in told) > STEP_CHARACTERS_MAX:
        raise validation_error(
            f"The step '{step['Name']}' is longer than {STEP_CHARACTERS_MAX} characters."
        )
    if concurrency > 1 and step.get("ActionOnFailure") not in (None, "CONTINUE"):
        raise validation_error(
            f"The ActionOnFailure setting {step['ActionOnFailure']} is not valid where "
            "StepConcurrencyLevel is above 1."
        )


def _check_applications(request: Mapping[str, Any], label: str) -> None:
    known = applications_of(label)
    for application in request.get("Applications", ()):
        if known and application["Name"] not in known:
            raise validation_error(
                f"The supplied application '{application['Name']}' is invalid for {label}."
            )


def _check_instances(instances: Mapping[str, Any], label: str) -> None:
    groups, fleets = instances.get("InstanceGroups"), instances.get("InstanceFleets")
    plain = instances.get("MasterInstanceType")
    if sum(way is not None for way in (groups, fleets, plain)) != 1:
        raise validation_error("Give either instance groups or instance fleets, not both.")
    if groups and instances.get("Ec2SubnetIds"):
        raise validation_error("Ec2SubnetIds goes with instance fleets; use Ec2SubnetId.")
    roles = [g["InstanceRole"] for g in groups or ()]
    roles += [f["InstanceFleetType"] for f in fleets or ()]
    if plain is None and roles.count("MASTER") != 1:
        raise validation_error("There must be exactly one master instance group or fleet.")
    if roles.count("CORE") > 1:
        raise validation_error("There must be at most one core instance group or fleet.")
    for fleet in fleets or ():
        if not fleet.get("TargetOnDemandCapacity", 0) + fleet.get("TargetSpotCapacity", 0):
            raise validation_error(f"The fleet {fleet['InstanceFleetType']} has no capacity.")
    _check_types(groups or (), fleets or (), label)


def _check_types(
    groups: Sequence[Mapping[str, Any]], fleets: Sequence[Mapping[str, Any]], label: str
) -> None:
    supported = instance_types_of(label)
    types = [group["InstanceType"] for group in groups]
    types += [c["InstanceType"] for fleet in fleets for c in fleet.get("InstanceTypeConfigs", ())]
    for name in types:
        if name not in supported:
            raise validation_error(f"Instance type '{name}' is not supported by {label}.")


def _check_policies(request: Mapping[str, Any]) -> None:
    concurrency = request.get("StepConcurrencyLevel", 1)
    if not 1 <= concurrency <= ACTIVE_STEPS_MAX:
        raise validation_error(f"StepConcurrencyLevel {concurrency} is not in 1..256.")
    check_idle_timeout(request.get("AutoTerminationPolicy", {}))
    if "ManagedScalingPolicy" in request:
        check_scaling(request["ManagedScalingPolicy"], "InstanceFleets" in request["Instances"])


def check_idle_timeout(policy: Mapping[str, Any]) -> None:
    """Refuse an idle timeout outside a minute to a week."""
    if not 60 <= policy.get("IdleTimeout", 3_600) <= 604_800:
        raise validation_error("IdleTimeout must be between 60 and 604800 seconds.")


def check_scaling(policy: Mapping[str, Any], fleets: bool) -> None:
    """Refuse a managed scaling policy whose unit does not suit the cluster, or empty bounds."""
    limits = policy.get("ComputeLimits", {})
    if limits and (limits["UnitType"] == "InstanceFleetUnits") != fleets:
        raise validation_error(f"UnitType {limits['UnitType']} does not suit this cluster.")
    if limits and limits["MinimumCapacityUnits"] > limits["MaximumCapacityUnits"]:
        raise validation_error("MinimumCapacityUnits is above MaximumCapacityUnits.")
