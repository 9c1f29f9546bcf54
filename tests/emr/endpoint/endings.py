"""How clusters come to end, and what becomes of their steps then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .faults import ENDINGS, Fault
from .state import Cluster, now

if TYPE_CHECKING:
    from .world import World


def ask_to_end(cluster: Cluster, state: str, code: str, message: str) -> None:
    """Note how the cluster is to end, unless it is ending already; the store's lock is held."""
    if cluster.ending is None:
        cluster.ending = (state, code, message)


def end_by_fault(cluster: Cluster, fault: Fault, world: World) -> None:
    """End the cluster with errors, as the table of endings says of this fault."""
    ending = ENDINGS[fault.kind]
    message = ending.message.format(primary=cluster.primary)
    with world.store.changed:
        ask_to_end(cluster, "TERMINATED_WITH_ERRORS", ending.code, message)
        if ending.error_code:
            detail(cluster, ending.error_code, message)
        world.store.changed.notify_all()


def detail(cluster: Cluster, code: str, message: str) -> None:
    """Add to the cluster's `ErrorDetails`."""
    data = [{"primary-instance-id": cluster.primary}]
    cluster.errors.append({"ErrorCode": code, "ErrorData": data, "ErrorMessage": message})


def cancel_pending(cluster: Cluster) -> None:
    """Cancel every step that has not begun; the store's lock is held."""
    for step in cluster.steps:
        if step.state == "PENDING":
            step.state, step.ended = "CANCELLED", now()
            step.message = "Job terminated"


def interrupt_running(cluster: Cluster) -> None:
    """Ask every step that runs to end at once, interrupted; the store's lock is held."""
    for step in cluster.active_steps:
        step.asked_to_end, step.grace_s = "interrupt", 0.2
