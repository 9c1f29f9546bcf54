"""`Sending`: one run on its way to exactly one step, on a given cluster or on one of its own."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from emr.aws.claims import claim_uri, once
from emr.aws.clusters import find
from emr.aws.launch import create, wanted_of
from emr.aws.steps_sent import REMEMBERED, add_step, counts, find_step, steps_of
from emr.aws.waiting import describe, look, looks
from emr.errors import AwsUnreachable, NotFound
from emr.request.steps import steps_request
from emr.request.tags import KEY_TAG

if TYPE_CHECKING:
    from collections.abc import Callable

    from emr.aws.client import Aws
    from emr.aws.launch import Wanted
    from emr.aws.observed import Cluster, Step
    from emr.aws.pace import Pace
    from emr.aws.waiting import Report
    from emr.spec import ClusterSpec

KEPT = timedelta(days=1)
"""`emr reap` may end a cluster that was made for one run and kept, after so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a run's step is, and how it came there."""

    cluster_id: str
    step_id: str
    """Empty of a cluster that was just made with it: RunJobFlow does not tell it."""
    attached: bool
    """Whether the step was there before."""
    done: datetime | None = None
    """When it had ended, if it was done before: nothing runs anew."""
    made: bool = False
    """Whether this client made the cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """One run on its way to one step."""

    aws: Aws
    config: dict[str, Any]
    key: str
    role: str | None
    again: bool
    artifacts: str
    """Under which clients that send the same run at once agree who does it."""
    kms_key: str | None
    on_made: Callable[[str], None]
    """Told the id of a cluster that was made, at once."""
    pace: Pace
    report: Report

    def on(self, cluster_id: str) -> Place:
        """The run's step on a cluster: the one that is there, or a new one."""
        if self.again:
            return self._add(cluster_id)
        return self._once(
            f"{cluster_id}-{self.key}",
            look=lambda made: self._claimed(made) if made else self._there(cluster_id),
            make=lambda renew: self._add(cluster_id, renew),
        )

    def on_its_own(self, spec: ClusterSpec, *, keep: bool, owner: str) -> Place:
        """The run's step on a cluster of its own: there, done lately, or a new one."""
        wanted = wanted_of(
            spec,
            run_id=f"{self.key}-{secrets.token_hex(4)}" if self.again else self.key,
            key=self.key,
            transient=not keep,
            steps=[self.config],
            execution_role=self.role,
            owner=owner,
            until=datetime.now(UTC) + KEPT if keep else None,
        )
        if self.again:
            return self._with_step(self._create(wanted))
        kept = find(self.aws, tag=KEY_TAG, value=self.key)
        if kept is not None and not kept.ends_itself:
            # It was kept, perhaps after its step had failed: the run is taken up there.
            self._first_step(kept.id)
            return self.on(kept.id)
        # The claim names the cluster before its step is asked for: whatever becomes of that, the
        # next client finds it.
        return self._with_step(
            self._once(self.key, look=self._own, make=lambda renew: self._create(wanted, renew))
        )

    def _once(
        self,
        name: str,
        *,
        look: Callable[[str], Place | None],
        make: Callable[[Callable[[], None]], Place],
    ) -> Place:
        return once(
            self.aws,
            claim_uri(self.artifacts, self.aws.region, name),
            look=look,
            make=make,
            name_of=lambda place: f"{place.cluster_id} {place.step_id}",
            kms_key=self.kms_key,
            pace=self.pace,
            report=self.report,
        )

    def _add(self, cluster_id: str, renew: Callable[[], None] = lambda: None) -> Place:
        """A new step on a cluster."""
        cluster = describe(self.aws, cluster_id)
        if not cluster.alive:
            raise NotFound(
                f"cluster {cluster_id} takes no steps: it is {cluster.state}",
                where=cluster.reason,
                fix="`emr list --state WAITING` shows others, `emr up` makes one",
            )
        request = steps_request(cluster_id, [self.config], execution_role=self.role)
        step = add_step(
            self.aws, request, key=self.key, renew=renew, pace=self.pace, report=self.report
        )
        self.report(f"step {step} added to {cluster_id}")
        return Place(cluster_id=cluster_id, step_id=step, attached=False)

    def _create(self, wanted: Wanted, renew: Callable[[], None] = lambda: None) -> Place:
        """A new cluster with this step."""
        made = create(
            self.aws,
            wanted,
            renew=renew,
            on_made=self.on_made,
            pace=self.pace,
            report=self.report,
        )
        return Place(cluster_id=made, step_id="", attached=False, made=True)

    def _with_step(self, place: Place) -> Place:
        if place.step_id:
            return place
        return replace(place, step_id=self._first_step(place.cluster_id).id)

    def _first_step(self, cluster_id: str) -> Step:
        """The step that a new cluster was made with; a list may be late to tell of it."""
        ask = lambda: list(steps_of(self.aws, cluster_id))  # noqa: E731
        often = replace(self.pace, poll_s=min(5.0, self.pace.poll_s))
        for steps in looks(ask, timeout_s=self.pace.lost_s, pace=often, report=self.report):
            for step in steps:
                if step.key == self.key:
                    return step
        raise AwsUnreachable(
            f"cluster {cluster_id} was made, and ListSteps tells of no step there",
            where=f"cluster {cluster_id}",
            fix=f"emr describe {cluster_id}; submit the same again to wait on",
        )

    def _own(self, made: str) -> Place | None:
        """The run's step on a cluster of its own that lives, or that did it lately and ended."""
        if made:
            return self._claimed(made)
        alive = find(self.aws, tag=KEY_TAG, value=self.key)
        there = self._taken_up(alive) if alive else None
        if there is not None:
            return there
        past = find(
            self.aws,
            tag=KEY_TAG,
            value=self.key,
            states=("TERMINATING", "TERMINATED"),
            ended_after=datetime.now(UTC) - REMEMBERED,
        )
        return self._there(past.id) if past else None

    def _taken_up(self, cluster: Cluster) -> Place | None:
        """The run's step on a cluster that was made with it."""
        if cluster.alive:
            self._first_step(cluster.id)
        return self._there(cluster.id)

    def _there(self, cluster_id: str) -> Place | None:
        """The run's step on a cluster, if it waits, runs or was done lately."""
        step = find_step(self.aws, cluster_id, self.key)
        return self._place(cluster_id, step) if step else None

    def _claimed(self, made: str) -> Place | None:
        """The same of what another client says it made: asked by its id, never late."""
        cluster_id, _, step_id = made.partition(" ")
        try:
            if not step_id:
                return self._taken_up(describe(self.aws, cluster_id))
            step, _ = look(self.aws, cluster_id, step_id)
        except NotFound:
            return None
        return self._place(cluster_id, step)

    def _place(self, cluster_id: str, step: Step) -> Place | None:
        if not step.done and not describe(self.aws, cluster_id).alive:
            # It may have ended, and its cluster with it, since it was looked at.
            step, _ = look(self.aws, cluster_id, step.id)
            if not step.done:
                return None  # a cluster that has died leaves its steps pending
        if not counts(step):
            return None
        self.report(f"step {step.id} on {cluster_id} is this run ({step.state.lower()})")
        done = step.ended if step.state == "COMPLETED" else None
        return Place(cluster_id=cluster_id, step_id=step.id, attached=True, done=done)
