"""`Cluster` and `Step`: what AWS says of them, as values."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from emr.request.steps import run_key_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

ALIVE = ("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING")
"""States of a cluster that takes steps."""
ENDED = ("TERMINATED", "TERMINATED_WITH_ERRORS")
STEP_ENDED = ("COMPLETED", "FAILED", "CANCELLED", "INTERRUPTED")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogGroup:
    """Where a cluster writes its logs in CloudWatch."""

    group: str
    prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster as DescribeCluster tells it; times are UTC."""

    id: str
    name: str
    state: str
    reason_code: str
    reason: str
    created: datetime | None
    ready: datetime | None
    ended: datetime | None
    release: str
    log_uri: str | None
    """`s3://…` without a slash at its end; None when the cluster keeps no logs."""
    cloudwatch: LogGroup | None
    ends_itself: bool
    protected: bool
    instance_hours: int
    primary: str | None
    tags: Mapping[str, str]

    @property
    def alive(self) -> bool:
        """Whether it takes steps."""
        return self.state in ALIVE

    @property
    def logs(self) -> str | None:
        """The folder of its logs."""
        return f"{self.log_uri}/{self.id}" if self.log_uri else None

    def to_json(self) -> dict[str, Any]:
        """The cluster as plain values; times in ISO format."""
        return {**_plain(asdict(self)), "logs": self.logs}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step as DescribeStep tells it; times are UTC."""

    id: str
    name: str
    state: str
    action_on_failure: str
    reason: str
    """What AWS gives as the reason: FailureDetails and StateChangeReason in one text."""
    log_file: str | None
    created: datetime | None
    started: datetime | None
    ended: datetime | None
    applications: tuple[str, ...]
    """YARN's ids, known from AdditionalInfo once it runs; older releases tell none."""
    log_uri: str | None
    role: str | None
    args: tuple[str, ...]

    @property
    def key(self) -> str | None:
        """The run's key, which the step's name ends in; None for a step that is not ours."""
        return run_key_of(self.name)

    @property
    def done(self) -> bool:
        """Whether it has ended, well or not."""
        return self.state in STEP_ENDED

    @property
    def seconds(self) -> float | None:
        """How long it ran."""
        both = self.started and self.ended
        return (self.ended - self.started).total_seconds() if both else None  # type: ignore[operator]

    def logs(self, cluster: Cluster) -> str | None:
        """The folder of its logs: its own place, or the cluster's."""
        root = f"{self.log_uri}/{cluster.id}" if self.log_uri else cluster.logs
        return f"{root}/steps/{self.id}" if root else None

    def to_json(self) -> dict[str, Any]:
        """The step as plain values; times in ISO format."""
        return {**_plain(asdict(self)), "key": self.key, "seconds": self.seconds}


def cluster_of(described: Mapping[str, Any]) -> Cluster:
    """A cluster from the `Cluster` of DescribeCluster, or from a summary of ListClusters."""
    status = described["Status"]
    changed, times = status.get("StateChangeReason", {}), status.get("Timeline", {})
    details = [d.get("ErrorMessage") or d.get("ErrorCode") for d in status.get("ErrorDetails", ())]
    said = [changed.get("Message"), *details]
    watch = described.get("MonitoringConfiguration", {}).get("CloudWatchLogConfiguration", {})
    return Cluster(
        id=described["Id"],
        name=described["Name"],
        state=status["State"],
        reason_code=changed.get("Code", ""),
        reason=_joined(said),
        created=times.get("CreationDateTime"),
        ready=times.get("ReadyDateTime"),
        ended=times.get("EndDateTime"),
        release=described.get("ReleaseLabel", ""),
        log_uri=s3_address(described.get("LogUri")),
        cloudwatch=_log_group(watch),
        ends_itself=described.get("AutoTerminate", False),
        protected=described.get("TerminationProtected", False),
        instance_hours=described.get("NormalizedInstanceHours", 0),
        primary=described.get("MasterPublicDnsName"),
        tags={tag["Key"]: tag.get("Value", "") for tag in described.get("Tags", ())},
    )


def step_of(described: Mapping[str, Any]) -> Step:
    """A step from the `Step` of DescribeStep, or from a summary of ListSteps."""
    status = described["Status"]
    times, failure = status.get("Timeline", {}), status.get("FailureDetails", {})
    changed = status.get("StateChangeReason", {})
    return Step(
        id=described["Id"],
        name=described["Name"],
        state=status["State"],
        action_on_failure=described.get("ActionOnFailure", ""),
        reason=_joined([failure.get("Reason"), failure.get("Message"), changed.get("Message")]),
        log_file=s3_address(failure.get("LogFile")),
        created=times.get("CreationDateTime"),
        started=times.get("StartDateTime"),
        ended=times.get("EndDateTime"),
        applications=tuple(
            described.get("AdditionalInfo", {}).get("ResourceManagerApplicationIds", ())
        ),
        log_uri=s3_address(described.get("LogUri")),
        role=described.get("ExecutionRoleArn"),
        args=tuple(described.get("Config", {}).get("Args", ())),
    )


def s3_address(uri: str | None) -> str | None:
    """An address of S3 as we write it: AWS may give `s3n://` back, and a slash at its end."""
    return re.sub(r"^s3[an]?://", "s3://", uri).rstrip("/") if uri else None


def _log_group(watch: Mapping[str, Any]) -> LogGroup | None:
    if not watch.get("Enabled"):
        return None
    return LogGroup(
        group=watch.get("LogGroupName", ""), prefix=watch.get("LogStreamNamePrefix", "")
    )


def _joined(said: list[str | None]) -> str:
    """Every reason once, as one text."""
    return ": ".join(dict.fromkeys(text.strip().rstrip(".") for text in said if text))


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {key: v.isoformat() if hasattr(v, "isoformat") else v for key, v in values.items()}
