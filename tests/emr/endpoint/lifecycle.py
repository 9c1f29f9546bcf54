"""A cluster's life: STARTING, BOOTSTRAPPING, RUNNING and WAITING in turn, TERMINATING, ended."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from . import bootstrap, step_run
from .endings import ask_to_end, cancel_pending, end_by_fault, interrupt_running
from .state import Cluster, now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .faults import Kind
    from .world import World

_STARTING: Sequence[Kind] = ("validation-error", "fleet-timeout", "no-capacity")
_LOOK_AGAIN_S = 0.5
_STEPS_END_S = 10.0


def launch(cluster: Cluster, world: World) -> None:
    """Let the cluster live in a thread of its own."""
    threading.Thread(target=_live, args=(cluster, world), name=cluster.id, daemon=True).start()


def _live(cluster: Cluster, world: World) -> None:
    _pause(cluster, world)
    if (fault := world.faults.take(_STARTING)) is not None:
        end_by_fault(cluster, fault, world)
    if _enter(cluster, world, "BOOTSTRAPPING"):
        _pause(cluster, world)
        bootstrap.run(cluster, world)
    if _enter(cluster, world, "RUNNING"):
        _work(cluster, world)
    _terminate(cluster, world)


def _enter(cluster: Cluster, world: World, state: str) -> bool:
    """Whether the cluster came into the state; not if it is to end."""
    with world.store.changed:
        if cluster.ending is not None:
            return False
        cluster.state, cluster.reason = state, {}
        world.store.changed.notify_all()
        return True


def _pause(cluster: Cluster, world: World) -> None:
    """Stay in the state for as long as a transition takes, or until the cluster is to end."""
    with world.store.changed:
        world.store.changed.wait_for(lambda: cluster.ending is not None, world.settings.pace)


def _work(cluster: Cluster, world: World) -> None:
    """Start steps as they come due, until the cluster is to end."""
    changed = world.store.changed
    with changed:
        cluster.ready = now()
        idle_since = time.monotonic()
        while cluster.ending is None:
            _start_steps(cluster, world)
            if cluster.active_steps:
                cluster.state, cluster.reason = "RUNNING", {"Message": "Running step"}
                idle_since = time.monotonic()
            elif not cluster.keep_alive:
                _end_of_steps(cluster)
                break
            else:
                cluster.state = "WAITING"
                cluster.reason = {"Message": "Cluster ready to run steps."}
                _end_if_idle(cluster, world, time.monotonic() - idle_since)
            if cluster.ending is None:
                changed.wait(min(_LOOK_AGAIN_S, max(world.settings.pace, 0.02)))


def _start_steps(cluster: Cluster, world: World) -> None:
    """Start the oldest steps that wait, as many as may run side by side."""
    running = [step for step in cluster.active_steps if step.state != "PENDING"]
    waiting = [step for step in cluster.active_steps if step.state == "PENDING"]
    for step in waiting[: max(0, cluster.concurrency - len(running))]:
        step_run.start(cluster, step, world)
    world.store.changed.notify_all()


def _end_of_steps(cluster: Cluster) -> None:
    well = all(step.state == "COMPLETED" for step in cluster.steps)
    told = "Steps completed" if well else "Steps completed with errors"
    ask_to_end(cluster, "TERMINATED", "ALL_STEPS_COMPLETED", told)


def _end_if_idle(cluster: Cluster, world: World, idle_s: float) -> None:
    """Auto-termination: minutes of the policy are as short as the settings say."""
    limit_s = cluster.idle_timeout_s
    if limit_s is not None and idle_s >= limit_s / 60 * world.settings.idle_minute_s:
        ask_to_end(cluster, "TERMINATED", "USER_REQUEST", "Terminated by the idle timeout")


def _terminate(cluster: Cluster, world: World) -> None:
    """End the cluster as was asked: waiting steps are cancelled, running ones interrupted."""
    changed = world.store.changed
    with changed:
        state, code, message = cluster.ending or ("TERMINATED", "USER_REQUEST", "")
        cluster.state, cluster.reason = "TERMINATING", {"Code": code, "Message": message}
        cancel_pending(cluster)
        interrupt_running(cluster)
        changed.notify_all()
        changed.wait_for(lambda: not cluster.active_steps, _STEPS_END_S)
        changed.wait_for(lambda: False, world.settings.pace)
        cluster.state, cluster.ended = state, now()
        changed.notify_all()
