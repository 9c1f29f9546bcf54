"""What no request may lack or break, raw overrides included: read from the finished request itself.

`check_spec` refuses a wrong spec; this refuses a wrong request, whoever wrote it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emr.errors import RequestRefused
from emr.request.capacity import scaling_policy
from emr.request.secrets import refuse_secrets
from emr.request.service_model import check_request
from emr.request.tags import MANAGED_TAG, MAX_TAGS, RUN_TAG

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from emr.spec import ClusterSpec

MAX_STEPS = 256
MAX_STEPS_PER_CALL = 100
"""On 8.x, for each add or cancel."""
MAX_STEP_CHARACTERS = 10_240
"""All strings of a HadoopJarStep together."""
MAX_BOOTSTRAPS = 16
IDLE_TIMEOUT_S = range(60, 604_801)


def check_cluster(request: Mapping[str, Any], spec: ClusterSpec) -> None:
    """Refuse a RunJobFlow that breaks AWS's model, a limit of EMR's or a rule of ours.

    Raises:
        RequestRefused: it does; every broken rule is told.
        SecretInRequest: it holds what looks like a secret.
    """
    check_request("emr", "RunJobFlow", request)
    refuse_secrets(request, where="RunJobFlow")
    _refuse([*_cluster_problems(request, spec), *step_problems(request)], "RunJobFlow")


def check_steps(request: Mapping[str, Any]) -> None:
    """Refuse an AddJobFlowSteps that breaks AWS's model, a limit of EMR's or a rule of ours.

    Raises:
        RequestRefused: it does; every broken rule is told.
        SecretInRequest: it holds what looks like a secret.
    """
    check_request("emr", "AddJobFlowSteps", request)
    refuse_secrets(request, where="AddJobFlowSteps")
    number = len(request["Steps"])
    problems = list(step_problems(request))
    if number > MAX_STEPS_PER_CALL:
        problems.append(f"{number} steps in one call, {MAX_STEPS_PER_CALL} are allowed")
    _refuse(problems, "AddJobFlowSteps")


def step_problems(request: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the steps of a request, and with the cluster's concurrency for them."""
    steps: Sequence[Mapping[str, Any]] = request.get("Steps", ())
    if len(steps) > MAX_STEPS:
        yield f"{len(steps)} steps, a cluster has at most {MAX_STEPS} pending and running"
    concurrency = request.get("StepConcurrencyLevel", 1)
    for step in steps:
        characters = step_characters(step)
        if characters > MAX_STEP_CHARACTERS:
            yield (
                f"the step '{step['Name']}' has {characters:,} characters, "
                f"{MAX_STEP_CHARACTERS:,} are allowed"
            )
        action = step.get("ActionOnFailure", "TERMINATE_CLUSTER")
        if concurrency > 1 and action != "CONTINUE":
            yield (
                f"the step '{step['Name']}' has ActionOnFailure {action}, and with "
                f"{concurrency} steps at a time EMR takes CONTINUE only"
            )


def step_characters(step: Mapping[str, Any]) -> int:
    """The characters of a HadoopJarStep's strings, which EMR limits together."""
    jar = step["HadoopJarStep"]
    pairs = jar.get("Properties", ())
    said = [jar["Jar"], jar.get("MainClass", ""), *jar.get("Args", ())]
    said += [pair.get("Key", "") + pair.get("Value", "") for pair in pairs]
    return sum(len(text) for text in said)


def _cluster_problems(request: Mapping[str, Any], spec: ClusterSpec) -> Iterator[str]:
    yield from _node_problems(request, spec)
    if request.get("ReleaseLabel") != spec.release:
        yield "ReleaseLabel is not the spec's: set `release`, so that its checks apply"
    for needed in ("SecurityConfiguration", "ServiceRole", "JobFlowRole", "LogUri"):
        if not request.get(needed):
            yield f"{needed} is missing"
    yield from _lifetime_problems(request, spec)
    tags = {tag.get("Key"): tag.get("Value") for tag in request.get("Tags", ())}
    if tags.get(MANAGED_TAG) != "true":
        yield f"the tag {MANAGED_TAG}=true is missing"
    if not tags.get(RUN_TAG):
        yield f"the tag {RUN_TAG} is missing: without it the cluster cannot be found again"
    if len(tags) > MAX_TAGS:
        yield f"{len(tags)} tags, {MAX_TAGS} are allowed"
    if len(request.get("BootstrapActions", ())) > MAX_BOOTSTRAPS:
        yield f"more than {MAX_BOOTSTRAPS} bootstrap actions"
    if not 1 <= request.get("StepConcurrencyLevel", 1) <= MAX_STEPS:
        yield f"StepConcurrencyLevel is not between 1 and {MAX_STEPS}"


def _node_problems(request: Mapping[str, Any], spec: ClusterSpec) -> Iterator[str]:
    """How many nodes there are and may come to be, whichever key says so."""
    instances = request["Instances"]
    for key in ("MasterInstanceType", "SlaveInstanceType", "InstanceCount"):
        if key in instances:
            yield f"Instances.{key} sizes the cluster past its groups and fleets"
    nodes_of = [*instances.get("InstanceGroups", ()), *instances.get("InstanceFleets", ())]
    roles = {one.get("InstanceRole", one.get("InstanceFleetType")) for one in nodes_of}
    if nodes_of and "CORE" not in roles:
        yield "it has no core nodes, which store HDFS and run the driver"
    if any("AutoScalingPolicy" in one for one in nodes_of):
        yield "a group has an AutoScalingPolicy, whose most nodes no limit of the spec counts"
    if request.get("ManagedScalingPolicy") != scaling_policy(spec):
        yield "ManagedScalingPolicy is not the spec's: set `scaling`, so that its limits apply"
    if ("InstanceGroups" in instances) == ("InstanceFleets" in instances):
        yield "Instances has either InstanceGroups or InstanceFleets, never both or neither"
    nodes = _nodes(instances)
    if nodes > spec.limits.nodes:
        yield f"it asks for {nodes} nodes, limits.nodes allows {spec.limits.nodes}"


def _lifetime_problems(request: Mapping[str, Any], spec: ClusterSpec) -> Iterator[str]:
    """A cluster ends itself: by its last step, or when it is idle, unless the spec says never."""
    instances = request["Instances"]
    idle = request.get("AutoTerminationPolicy", {}).get("IdleTimeout")
    if idle is not None and idle not in IDLE_TIMEOUT_S:
        yield f"IdleTimeout is {idle} s, between 60 and 604,800 are allowed"
    if not instances.get("KeepJobFlowAliveWhenNoSteps"):
        if instances.get("TerminationProtected"):
            yield "a transient cluster is termination-protected, and would never end"
        if not request.get("Steps"):
            yield "a transient cluster has no step, and would end at once"
    elif idle is None and spec.idle_timeout_s is not None:
        yield "AutoTerminationPolicy is missing; say `idle_timeout_s: never` in the spec"


def _nodes(instances: Mapping[str, Any]) -> int:
    """The nodes at the start; a fleet's are those of its lightest type."""
    total: int = sum(group["InstanceCount"] for group in instances.get("InstanceGroups", ()))
    for fleet in instances.get("InstanceFleets", ()):
        weights = [c.get("WeightedCapacity", 1) for c in fleet.get("InstanceTypeConfigs", ())]
        for units in (fleet.get("TargetOnDemandCapacity", 0), fleet.get("TargetSpotCapacity", 0)):
            total += -(-units // max(1, min(weights, default=1)))
    return total


def _refuse(problems: list[str], where: str) -> None:
    if problems:
        what = problems[0] if len(problems) == 1 else f"{len(problems)}: {'; '.join(problems)}"
        raise RequestRefused(what, where=where, fix="mend the spec or its overrides")
