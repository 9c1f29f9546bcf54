"""What the endpoint remembers: clusters, their steps and nodes, security configurations."""

from __future__ import annotations

import secrets
import string
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .protocol import ApiError, invalid_request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ACTIVE_STEPS = ("PENDING", "RUNNING", "CANCEL_PENDING")
ALIVE = ("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING")
ENDED = ("TERMINATED", "TERMINATED_WITH_ERRORS")

_ALPHABET = string.digits + string.ascii_uppercase


def new_id(prefix: str) -> str:
    """An id as EMR's look: the prefix and 13 letters or digits at random."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(13))


def new_instance_id() -> str:
    """An EC2 instance's id."""
    return f"i-{secrets.token_hex(9)[:17]}"


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


@dataclass(slots=True, kw_only=True, eq=False)
class Step:
    """One step, and how far it has come."""

    id: str
    config: Mapping[str, Any]
    """The StepConfig as it was sent."""
    execution_role: str | None
    log_uri: str | None
    """Where its logs go, the cluster's id not yet in it."""
    log_key: str | None
    state: str = "PENDING"
    message: str = ""
    created: datetime = field(default_factory=now)
    started: datetime | None = None
    ended: datetime | None = None
    failure: dict[str, str] | None = None
    applications: tuple[str, ...] = ()
    asked_to_end: str | None = None
    """`cancel` or `interrupt`, as soon as somebody wants it to stop."""
    grace_s: float = 5.0
    """How long its process has between SIGTERM and SIGKILL."""

    @property
    def active(self) -> bool:
        """Whether it waits, runs or is being cancelled."""
        return self.state in ACTIVE_STEPS

    @property
    def action_on_failure(self) -> str:
        """What its failure does to the cluster; the API's default ends it."""
        return str(self.config.get("ActionOnFailure", "TERMINATE_CLUSTER"))


@dataclass(slots=True, kw_only=True, eq=False)
class Node:
    """One instance of a cluster."""

    id: str
    ec2_id: str
    collection: str
    """The id of its instance group or fleet."""
    role: str
    type: str
    market: str


@dataclass(slots=True, kw_only=True, eq=False)
class Cluster:
    """One cluster, and how far it has come."""

    id: str
    request: Mapping[str, Any]
    """RunJobFlow's own, as it was sent."""
    collections: list[dict[str, Any]]
    """Its instance groups or fleets as requested, each with an `Id`."""
    nodes: list[Node]
    keep_alive: bool
    protected: bool
    concurrency: int
    tags: dict[str, str]
    log_uri: str | None
    scaling: Mapping[str, Any] | None = None
    idle_timeout_s: int | None = None
    state: str = "STARTING"
    reason: dict[str, str] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    created: datetime = field(default_factory=now)
    ready: datetime | None = None
    ended: datetime | None = None
    ending: tuple[str, str, str] | None = None
    """The state it is to end in, the reason's code and message, as soon as it is to end."""
    logs_late_s: float = 0.0

    @property
    def fleets(self) -> bool:
        """Whether it has instance fleets rather than groups."""
        return "InstanceFleets" in self.request["Instances"]

    @property
    def primary(self) -> str:
        """The EC2 id of its primary node."""
        return next(node.ec2_id for node in self.nodes if node.role == "MASTER")

    @property
    def active_steps(self) -> list[Step]:
        """Its steps that have not ended, oldest first."""
        return [step for step in self.steps if step.active]

    def step(self, step_id: str) -> Step:
        """The step of that id; ApiError when it has none."""
        for step in self.steps:
            if step.id == step_id:
                return step
        raise invalid_request(f"Step id '{step_id}' is not valid.")


class Store:
    """All of it behind one lock; whoever changes anything notifies `changed`."""

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.clusters: dict[str, Cluster] = {}
        self.security: dict[str, tuple[str, datetime]] = {}

    def cluster(self, cluster_id: str, error: ApiError | None = None) -> Cluster:
        """The cluster of that id; the given ApiError, or DescribeCluster's, when there is none."""
        found = self.clusters.get(cluster_id)
        if found is None:
            raise error or invalid_request(f"Cluster id '{cluster_id}' is not valid.")
        return found

    def newest_first(self) -> Iterator[Cluster]:
        """Every cluster, as ListClusters orders them."""
        return reversed(list(self.clusters.values()))
