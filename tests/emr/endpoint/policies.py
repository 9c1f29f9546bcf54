"""The operations that change a cluster that exists, and those of security configurations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from . import rules
from .paging import page
from .protocol import invalid_request, validation_error
from .state import ALIVE, Cluster, now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .world import World


def add_tags(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """AddTags."""
    cluster = world.store.cluster(request["ResourceId"])
    tags = {tag["Key"]: tag.get("Value", "") for tag in request["Tags"]}
    rules.check_tags(request["Tags"], had=len(set(cluster.tags) - set(tags)))
    cluster.tags.update(tags)
    return {}


def remove_tags(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """RemoveTags."""
    cluster = world.store.cluster(request["ResourceId"])
    for key in request["TagKeys"]:
        cluster.tags.pop(key, None)
    return {}


def get_managed_scaling(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """GetManagedScalingPolicy: nothing where there is none."""
    scaling = world.store.cluster(request["ClusterId"]).scaling
    return {} if scaling is None else {"ManagedScalingPolicy": dict(scaling)}


def put_managed_scaling(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """PutManagedScalingPolicy."""
    cluster = _alive(world, request["ClusterId"])
    rules.check_scaling(request["ManagedScalingPolicy"], cluster.fleets)
    cluster.scaling = request["ManagedScalingPolicy"]
    return {}


def remove_managed_scaling(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """RemoveManagedScalingPolicy."""
    _alive(world, request["ClusterId"]).scaling = None
    return {}


def get_auto_termination(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """GetAutoTerminationPolicy: nothing where there is none."""
    idle_s = world.store.cluster(request["ClusterId"]).idle_timeout_s
    return {} if idle_s is None else {"AutoTerminationPolicy": {"IdleTimeout": idle_s}}


def put_auto_termination(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """PutAutoTerminationPolicy."""
    cluster = _alive(world, request["ClusterId"])
    policy = request.get("AutoTerminationPolicy", {})
    rules.check_idle_timeout(policy)
    cluster.idle_timeout_s = policy.get("IdleTimeout", 3_600)
    return {}


def remove_auto_termination(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """RemoveAutoTerminationPolicy."""
    _alive(world, request["ClusterId"]).idle_timeout_s = None
    return {}


def set_termination_protection(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """SetTerminationProtection."""
    for cluster in [_alive(world, cluster_id) for cluster_id in request["JobFlowIds"]]:
        cluster.protected = request["TerminationProtected"]
    return {}


def set_keep_alive(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """SetKeepJobFlowAliveWhenNoSteps."""
    for cluster in [_alive(world, cluster_id) for cluster_id in request["JobFlowIds"]]:
        cluster.keep_alive = request["KeepJobFlowAliveWhenNoSteps"]
    return {}


def modify_cluster(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """ModifyCluster: its step concurrency."""
    cluster = world.store.cluster(request["ClusterId"])
    if cluster.state not in ALIVE:
        raise invalid_request(f"Cluster '{cluster.id}' is terminating or terminated.")
    concurrency = request.get("StepConcurrencyLevel", cluster.concurrency)
    if not 1 <= concurrency <= rules.ACTIVE_STEPS_MAX:
        raise invalid_request(f"StepConcurrencyLevel {concurrency} is not in 1..256.")
    cluster.concurrency = concurrency
    return {"StepConcurrencyLevel": concurrency}


def create_security_configuration(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """CreateSecurityConfiguration; its document must be JSON and its name new."""
    name, document = request["Name"], request["SecurityConfiguration"]
    try:
        json.loads(document)
    except ValueError:
        raise invalid_request("The security configuration is not valid JSON.") from None
    if name in world.store.security:
        raise invalid_request(f"Security configuration with name '{name}' already exists.")
    world.store.security[name] = (document, now())
    return {"Name": name, "CreationDateTime": world.store.security[name][1]}


def describe_security_configuration(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """DescribeSecurityConfiguration."""
    document, created = _security(world, request["Name"])
    return {
        "Name": request["Name"],
        "SecurityConfiguration": document,
        "CreationDateTime": created,
    }


def list_security_configurations(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """ListSecurityConfigurations."""
    told = [{"Name": n, "CreationDateTime": c} for n, (_, c) in world.store.security.items()]
    entries, marker = page(told, request.get("Marker"), world.settings.page_size)
    return {"SecurityConfigurations": entries} | ({"Marker": marker} if marker else {})


def delete_security_configuration(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """DeleteSecurityConfiguration."""
    _security(world, request["Name"])
    del world.store.security[request["Name"]]
    return {}


def _security(world: World, name: str) -> tuple[str, Any]:
    found = world.store.security.get(name)
    if found is None:
        raise invalid_request(f"Security configuration with name '{name}' does not exist.")
    return found


def _alive(world: World, cluster_id: str) -> Cluster:
    unknown = validation_error("Specified job flow ID does not exist.")
    cluster = world.store.cluster(cluster_id, unknown)
    rules.check_modifiable(cluster)
    return cluster
