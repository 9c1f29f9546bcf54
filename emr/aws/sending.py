"""`Sending`: one run on its way to exactly one step, on a given cluster or on one of its own."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from emr.aws.clusters import find
from emr.aws.launch import launch
from emr.aws.steps_sent import ATTACHABLE, add_step, find_step, steps_of
from emr.aws.waiting import describe
from emr.errors import NotFound
from emr.request.steps import steps_request

if TYPE_CHECKING:
    from emr.aws.client import Aws
    from emr.aws.pace import Pace
    from emr.aws.waiting import Report
    from emr.spec import ClusterSpec

REMEMBERED = timedelta(days=1)
"""How long after a transient cluster has done a run, the same run counts as done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a run's step is, and whether it was there before."""

    cluster_id: str
    step_id: str
    attached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """One run on its way to one step."""

    aws: Aws
    config: dict[str, Any]
    key: str
    role: str | None
    again: bool
    pace: Pace
    report: Report

    def on(self, cluster_id: str) -> Place:
        """The run's step on a cluster: the one that is there, or a new one."""
        there = None if self.again else find_step(self.aws, cluster_id, self.key)
        if there is not None:
            self.report(f"step {there.id} is this run already ({there.state.lower()})")
            return Place(cluster_id=cluster_id, step_id=there.id, attached=True)
        cluster = describe(self.aws, cluster_id)
        if not cluster.alive:
            raise NotFound(
                f"cluster {cluster_id} takes no steps: it is {cluster.state}",
                where=cluster.reason,
                fix="`emr list --state WAITING` shows others, `emr up` makes one",
            )
        request = steps_request(cluster_id, [self.config], execution_role=self.role)
        step = add_step(self.aws, request, key=self.key, pace=self.pace, report=self.report)
        self.report(f"step {step} added to {cluster_id}")
        return Place(cluster_id=cluster_id, step_id=step, attached=False)

    def on_its_own(self, spec: ClusterSpec, *, keep: bool, owner: str) -> Place:
        """The run's step on a cluster of its own: done lately, there, or a new one."""
        done = None if self.again else self._done_lately(spec)
        if done is not None:
            return done
        made = launch(
            self.aws,
            spec,
            run_id=f"{self.key}-{secrets.token_hex(4)}" if self.again else self.key,
            transient=not keep,
            steps=[self.config],
            execution_role=self.role,
            owner=owner,
            pace=self.pace,
            report=self.report,
        )
        steps = [s for s in steps_of(self.aws, made.cluster_id) if s.key == self.key]
        if made.found and not any(step.state in ATTACHABLE for step in steps):
            # It was kept after its step had failed: the run is taken up there.
            return self.on(made.cluster_id)
        return Place(cluster_id=made.cluster_id, step_id=steps[0].id, attached=made.found)

    def _done_lately(self, spec: ClusterSpec) -> Place | None:
        """The run's step on a cluster that has done it and ended; a killed client missed that."""
        past = find(
            self.aws,
            name=spec.overrides.get("Name", spec.name),
            run_id=self.key,
            states=("TERMINATING", "TERMINATED"),
            created_after=datetime.now(UTC) - REMEMBERED,
        )
        step = past and find_step(self.aws, past.id, self.key)
        if past is None or step is None or step.state != "COMPLETED":
            return None
        self.report(f"step {step.id} on {past.id} is this run, and is done")
        return Place(cluster_id=past.id, step_id=step.id, attached=True)
