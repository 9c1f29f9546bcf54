"""The operations that make, list, describe and end clusters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from . import lifecycle, rules, views
from .endings import ask_to_end
from .paging import page
from .protocol import invalid_request, validation_error
from .state import ALIVE, ENDED, Cluster, Node, new_id, new_instance_id
from .steps import new_steps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .world import World


def run_job_flow(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """RunJobFlow: a cluster in STARTING, which lives on by itself."""
    store = world.store
    rules.check_cluster(request, store)
    role = request.get("StepExecutionRoleArn")
    concurrency = request.get("StepConcurrencyLevel", 1)
    rules.check_steps(
        request.get("Steps", ()),
        active=0,
        concurrency=concurrency,
        runtime_roles=rules.runtime_roles(request, store),
        execution_role=role,
    )
    instances = request["Instances"]
    collections = _collections(instances)
    late = world.faults.take(["logs-late"])
    cluster = Cluster(
        id=new_id("j-"),
        request=request,
        collections=collections,
        nodes=_nodes(collections),
        keep_alive=instances.get("KeepJobFlowAliveWhenNoSteps", False),
        protected=instances.get("TerminationProtected", False),
        concurrency=concurrency,
        tags={tag["Key"]: tag.get("Value", "") for tag in request.get("Tags", ())},
        log_uri=None if world.faults.take(["logs-missing"]) else request.get("LogUri"),
        scaling=request.get("ManagedScalingPolicy"),
        idle_timeout_s=_idle_timeout_s(request.get("AutoTerminationPolicy")),
        logs_late_s=late.after_s if late else 0.0,
    )
    cluster.steps += new_steps(cluster, request.get("Steps", ()), role, world)
    store.clusters[cluster.id] = cluster
    lifecycle.launch(cluster, world)
    return {"JobFlowId": cluster.id, "ClusterArn": views.arn(cluster)}


def describe_cluster(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """DescribeCluster."""
    return {"Cluster": views.cluster(world.store.cluster(request["ClusterId"]))}


def list_clusters(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """ListClusters: newest first, those of the states and between the times asked for."""
    states = request.get("ClusterStates") or (*ALIVE, "TERMINATING", *ENDED)
    after, before = request.get("CreatedAfter"), request.get("CreatedBefore")
    seen_until = world.seen_until("ListClusters")
    found = [
        views.cluster_summary(cluster)
        for cluster in world.store.newest_first()
        if cluster.state in states
        and cluster.created <= seen_until
        and (after is None or cluster.created >= after)
        and (before is None or cluster.created <= before)
    ]
    clusters, marker = page(found, request.get("Marker"), world.settings.page_size)
    return {"Clusters": clusters} | ({"Marker": marker} if marker else {})


def terminate_job_flows(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """TerminateJobFlows: ends those that are not protected, then complains of those that are."""
    ids = request["JobFlowIds"]
    if len(ids) > 10:
        raise validation_error("More than 10 clusters in one request.")
    unknown = validation_error("Specified job flow ID does not exist.")
    clusters = [world.store.cluster(cluster_id, unknown) for cluster_id in ids]
    protected = [cluster for cluster in clusters if cluster.protected and cluster.state in ALIVE]
    for cluster in clusters:
        if cluster not in protected and cluster.state in ALIVE:
            ask_to_end(cluster, "TERMINATED", "USER_REQUEST", "Terminated by user request")
    if protected:
        raise validation_error(
            "Could not shut down one or more job flows since they are termination protected."
        )
    return {}


def list_instances(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """ListInstances, by group, fleet, role and state."""
    cluster = world.store.cluster(request["ClusterId"])
    roles = request.get("InstanceGroupTypes") or [request.get("InstanceFleetType")]
    collection = request.get("InstanceGroupId") or request.get("InstanceFleetId")
    states = request.get("InstanceStates")
    told = [
        views.node(cluster, node)
        for node in cluster.nodes
        if (roles == [None] or node.role in roles) and collection in (None, node.collection)
    ]
    told = [node for node in told if not states or node["Status"]["State"] in states]
    return _paged(world, request, "Instances", told)


def list_instance_groups(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """ListInstanceGroups; InvalidRequestException for a cluster of fleets."""
    cluster = _of_layout(world, request, fleets=False)
    told = [views.instance_group(cluster, group) for group in cluster.collections]
    return _paged(world, request, "InstanceGroups", told)


def list_instance_fleets(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """ListInstanceFleets; InvalidRequestException for a cluster of groups."""
    cluster = _of_layout(world, request, fleets=True)
    told = [views.instance_fleet(cluster, fleet) for fleet in cluster.collections]
    return _paged(world, request, "InstanceFleets", told)


def list_bootstrap_actions(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """ListBootstrapActions."""
    cluster = world.store.cluster(request["ClusterId"])
    told = [
        {
            "Name": action["Name"],
            "ScriptPath": action["ScriptBootstrapAction"]["Path"],
            "Args": action["ScriptBootstrapAction"].get("Args", []),
        }
        for action in cluster.request.get("BootstrapActions", ())
    ]
    return _paged(world, request, "BootstrapActions", told)


def _paged(
    world: World, request: Mapping[str, Any], member: str, told: Sequence[Any]
) -> dict[str, Any]:
    entries, marker = page(told, request.get("Marker"), world.settings.page_size)
    return {member: entries} | ({"Marker": marker} if marker else {})


def _of_layout(world: World, request: Mapping[str, Any], *, fleets: bool) -> Cluster:
    cluster = world.store.cluster(request["ClusterId"])
    if cluster.fleets != fleets:
        has, lacks = ("fleets", "groups") if cluster.fleets else ("groups", "fleets")
        raise invalid_request(f"Instance {has} and instance {lacks} are mutually exclusive.")
    return cluster


def _idle_timeout_s(policy: Mapping[str, Any] | None) -> int | None:
    return None if policy is None else int(policy.get("IdleTimeout", 3_600))


def _collections(instances: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Groups or fleets with ids; the oldest way of asking becomes groups."""
    if "InstanceFleets" in instances:
        return [{"Id": new_id("if-"), **fleet} for fleet in instances["InstanceFleets"]]
    groups = instances.get("InstanceGroups")
    if groups is None:
        count, primary = instances.get("InstanceCount", 1), instances["MasterInstanceType"]
        core = instances.get("SlaveInstanceType", primary)
        groups = [{"InstanceRole": "MASTER", "InstanceType": primary, "InstanceCount": 1}]
        if count > 1:
            groups += [{"InstanceRole": "CORE", "InstanceType": core, "InstanceCount": count - 1}]
    return [{"Id": new_id("ig-"), **group} for group in groups]


def _nodes(collections: Sequence[Mapping[str, Any]]) -> list[Node]:
    """The nodes of groups and fleets; a fleet's are all of its first type."""
    nodes = []
    for collection in collections:
        for market, count, kind in _wanted(collection):
            nodes += [
                Node(
                    id=new_id("ci-"),
                    ec2_id=new_instance_id(),
                    collection=collection["Id"],
                    role=collection.get("InstanceRole") or collection["InstanceFleetType"],
                    type=kind,
                    market=market,
                )
                for _ in range(count)
            ]
    return nodes


def _wanted(collection: Mapping[str, Any]) -> list[tuple[str, int, str]]:
    """Market, number of nodes and their type."""
    if "InstanceRole" in collection:
        market = collection.get("Market", "ON_DEMAND")
        return [(market, collection["InstanceCount"], collection["InstanceType"])]
    first = (collection.get("InstanceTypeConfigs") or [{"InstanceType": "m5.xlarge"}])[0]
    weight = first.get("WeightedCapacity", 1)
    targets = (("ON_DEMAND", "TargetOnDemandCapacity"), ("SPOT", "TargetSpotCapacity"))
    return [
        (market, math.ceil(collection.get(target, 0) / weight), first["InstanceType"])
        for market, target in targets
    ]
