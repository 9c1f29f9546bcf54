"""The operations that add, list, describe and cancel steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import rules, views
from .paging import page
from .protocol import invalid_request, validation_error
from .state import Cluster, Step, new_id, now

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .world import World

_NO_CLUSTER = "Specified job flow ID does not exist."


def new_steps(
    cluster: Cluster, configs: Sequence[Mapping[str, Any]], role: str | None, world: World
) -> list[Step]:
    """Steps in PENDING, not yet the cluster's."""
    return [
        Step(
            id=new_id("s-"),
            config=config,
            execution_role=role,
            log_uri=_own_logs(config).get("LogUri", cluster.log_uri),
            log_key=_own_logs(config).get(
                "EncryptionKeyArn", cluster.request.get("LogEncryptionKmsKeyId")
            ),
            grace_s=world.settings.grace_s,
        )
        for config in configs
    ]


def _own_logs(config: Mapping[str, Any]) -> Mapping[str, Any]:
    own = config.get("StepMonitoringConfiguration", {}).get("S3MonitoringConfiguration", {})
    return dict(own)


def add_job_flow_steps(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """AddJobFlowSteps."""
    cluster = world.store.cluster(request["JobFlowId"], validation_error(_NO_CLUSTER))
    rules.check_modifiable(cluster)
    role = request.get("ExecutionRoleArn")
    rules.check_steps(
        request["Steps"],
        active=len(cluster.active_steps),
        concurrency=cluster.concurrency,
        runtime_roles=rules.runtime_roles(cluster.request, world.store),
        execution_role=role,
    )
    added = new_steps(cluster, request["Steps"], role, world)
    cluster.steps += added
    return {"StepIds": [step.id for step in added]}


def describe_step(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """DescribeStep."""
    cluster = world.store.cluster(request["ClusterId"])
    return {"Step": views.step(cluster.step(request["StepId"]))}


def list_steps(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """ListSteps: newest first, by state or by id; a filter by both is refused."""
    cluster = world.store.cluster(request["ClusterId"])
    states, ids = request.get("StepStates"), request.get("StepIds")
    if states and ids:
        raise invalid_request("Cannot filter by both StepStates and StepIds.")
    if ids and len(ids) > 10:
        raise invalid_request("More than 10 StepIds in one request.")
    steps = [cluster.step(step_id) for step_id in ids] if ids else list(reversed(cluster.steps))
    seen_until = world.seen_until("ListSteps")
    told = [
        views.step_summary(step)
        for step in steps
        if step.created <= seen_until and (not states or step.state in states)
    ]
    entries, marker = page(told, request.get("Marker"), world.settings.page_size)
    return {"Steps": entries} | ({"Marker": marker} if marker else {})


def cancel_steps(world: World, request: Mapping[str, Any]) -> dict[str, Any]:
    """CancelSteps: waiting steps at once, running ones by a signal to their process."""
    cluster = world.store.cluster(request["ClusterId"])
    forced = request.get("StepCancellationOption") == "TERMINATE_PROCESS"
    if len(request["StepIds"]) > rules.ACTIVE_STEPS_MAX:
        raise invalid_request(f"More than {rules.ACTIVE_STEPS_MAX} StepIds in one request.")
    steps = [cluster.step(step_id) for step_id in request["StepIds"]]
    return {"CancelStepsInfoList": [_cancel(step, forced=forced) for step in steps]}


def _cancel(step: Step, *, forced: bool) -> dict[str, str]:
    if not step.active:
        reason = f"Cannot cancel step; step is in state {step.state}"
        return {"StepId": step.id, "Status": "FAILED", "Reason": reason}
    if step.state == "PENDING":
        step.state, step.ended, step.message = "CANCELLED", now(), "Cancelled by user"
    elif step.asked_to_end is None:
        step.state, step.asked_to_end = "CANCEL_PENDING", "cancel"
        if forced:
            step.grace_s = 0.0
    return {"StepId": step.id, "Status": "SUBMITTED"}
