"""What an end means: a cluster's or a step's last state as the error that names it (pure)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from emr.aws.observed import ENDED
from emr.errors import (
    BootstrapFailed,
    CapacityMissing,
    ClusterFailed,
    StepCancelled,
    StepFailed,
    StepInterrupted,
    ValidationFailed,
)

if TYPE_CHECKING:
    from emr.aws.observed import Cluster, Step

NO_LOGS = "no logs were kept: name logs.s3 in the spec"

_CAPACITY = re.compile(
    r"insufficient ?(instance ?)?capacity|no spot capacity|quota|vcpu|limit ?exceeded"
    r"|exceed\w* (the |your )?\w* ?limit|not enough capacity|unable to provision",
    re.IGNORECASE,
)
_BOOTSTRAP = re.compile(r"\((?P<instance>i-[0-9a-z]+)\).*bootstrap action (?P<number>\d+)")

_FAILED: dict[str, tuple[type[ClusterFailed], str, str]] = {
    "BOOTSTRAP_FAILURE": (
        BootstrapFailed,
        "a bootstrap action failed",
        "read its stderr.gz there, mend the script, and create the cluster again",
    ),
    "VALIDATION_ERROR": (
        ValidationFailed,
        "AWS refused the cluster's values",
        "mend the spec as the reason says; `emr doctor --spec FILE` checks roles and subnets",
    ),
    "INSTANCE_FLEET_TIMEOUT": (
        CapacityMissing,
        "AWS has no such instances now",
        "name more instance types and subnets (layout: fleets), or ask for fewer nodes",
    ),
    "INSTANCE_FAILURE": (
        ClusterFailed,
        "an instance failed",
        "run it again; keep the primary and core nodes On-Demand",
    ),
    "INTERNAL_ERROR": (ClusterFailed, "EMR had an error of its own", "run it again"),
    "STEP_FAILURE": (ClusterFailed, "a step failed and took the cluster with it", ""),
    "USER_REQUEST": (ClusterFailed, "somebody ended the cluster", "create another: emr up"),
}


def failed_cluster(cluster: Cluster, *, while_: str = "") -> ClusterFailed:
    """The error of a cluster that ends or has ended; `where` is its logs' place."""
    kind, what, fix = _FAILED.get(cluster.reason_code, (ClusterFailed, "the cluster ended", ""))
    launch = cluster.reason_code in {"VALIDATION_ERROR", "INSTANCE_FAILURE", "INTERNAL_ERROR"}
    if launch and _CAPACITY.search(cluster.reason):
        kind, what, fix = _FAILED["INSTANCE_FLEET_TIMEOUT"]
    reason = cluster.reason or f"no reason was given ({cluster.reason_code or 'no code'})"
    said = f"{cluster.id}: {what}{' ' + while_ if while_ else ''}: {reason}"
    return kind(said, where=_place_of(cluster), fix=fix)


def _place_of(cluster: Cluster) -> str:
    if cluster.logs is None:
        return NO_LOGS
    found = _BOOTSTRAP.search(cluster.reason)
    if found:
        return f"{cluster.logs}/node/{found['instance']}/bootstrap-actions/{found['number']}"
    return f"{cluster.logs}/node" if cluster.ready is None else cluster.logs


def failed_step(
    step: Step, cluster: Cluster, *, cause: str = ""
) -> StepFailed | ClusterFailed | None:
    """The error of a step as it stands beside its cluster; None while it may yet end well.

    `cause` is what its logs say. A cluster that failed before the step ran is the cluster's error.
    """
    dead = cluster.state in ENDED
    if step.state == "COMPLETED" or (not step.done and not dead):
        return None
    where = step.log_file or step.logs(cluster) or NO_LOGS
    reason = cause or step.reason or cluster.reason * dead or "no reason was given"
    logs = f"emr logs {cluster.id} {step.id}"
    if step.state == "FAILED":
        return StepFailed(f"step {step.id} failed: {reason}", where=where, fix=f"{logs} shows all")
    if step.started is None and step.state != "INTERRUPTED":
        if _broke(cluster):
            return failed_cluster(cluster, while_=f"before step {step.id} ran")
        what = f"step {step.id} was cancelled before it ran: {_why(step, cluster)}"
        return StepCancelled(what, where=where, fix="submit it again")
    if step.state == "CANCELLED" and not _broke(cluster):
        what = f"step {step.id} was cancelled while it ran: {_why(step, cluster)}"
        first = f"{driver_left(step)}; then " if cluster.alive else ""
        return StepCancelled(what, where=where, fix=f"{first}submit it again")
    what = f"step {step.id} was running when its cluster ended: {_why(step, cluster)}"
    fix = f"submit it again on another cluster; {logs} shows how far it came"
    return StepInterrupted(what, where=where, fix=fix)


def driver_left(step: Step) -> str:
    """What is to be done of a step that was cancelled while it ran, and its cluster lives.

    EMR ends spark-submit alone: in cluster mode the driver is YARN's, and may write on.
    """
    known = step.applications[-1] if step.applications else "APPLICATION"
    return f"its driver may run on: `yarn application -kill {known}` on the primary node ends it"


def _broke(cluster: Cluster) -> bool:
    """Whether a cluster ends because something failed, not because somebody or its work ended."""
    ending = (*ENDED, "TERMINATING")
    good = {"", "USER_REQUEST", "ALL_STEPS_COMPLETED", "STEP_FAILURE"}
    return cluster.state in ending and cluster.reason_code not in good


def _why(step: Step, cluster: Cluster) -> str:
    ending = cluster.state in (*ENDED, "TERMINATING")
    said = f"{cluster.id} ended: {cluster.reason or cluster.reason_code}" if ending else ""
    return step.reason or said or "no reason was given; somebody cancelled it"
