"""The story of a submit: package, upload, find or add the step, wait, tell how it ended.

The same run has the same key wherever it is submitted from: a client that was killed finds its
step again, and waits on.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emr.aws.client import translated
from emr.aws.clusters import end
from emr.aws.logs.following import collect
from emr.aws.outcome import failed_step
from emr.aws.sending import Sending
from emr.aws.store import store
from emr.aws.waiting import look, wait_for_step
from emr.errors import ClusterFailed, EmrError, StepFailed
from emr.package import environment_stored_in, pack, upload, verify
from emr.request.steps import run_key_of, step_config, step_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from emr.aws.client import Aws
    from emr.aws.logs.following import Said
    from emr.aws.observed import Cluster, Step
    from emr.aws.pace import Pace
    from emr.aws.waiting import Report
    from emr.job_run import JobRun
    from emr.package import Package
    from emr.spec import ClusterSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A run's one step, and how it came to be."""

    cluster_id: str
    step_id: str
    key: str
    attached: bool
    """Whether it was there before: this client waits on, and started nothing."""
    ours: bool
    """Whether the cluster was made for this run alone."""
    made: bool
    """Whether this client made it."""
    done: datetime | None
    """When the step had ended, if it was done before: nothing ran anew."""
    uploaded: int
    """How many files were new on S3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A run that ended well, and what its driver wrote."""

    sent: Sent
    step: Step
    cluster: Cluster
    said: Said

    def to_json(self) -> dict[str, Any]:
        """The outcome as plain values."""
        return {
            **told(self.sent),
            "state": self.step.state,
            "seconds": self.step.seconds,
            "applications": list(self.said.applications),
            "logs": self.step.logs(self.cluster),
            "driver_output": self.said.stdout,
            "logs_missing": self.said.missing,
        }


def told(sent: Sent) -> dict[str, Any]:
    """A step that was sent, as plain values."""
    return {
        "cluster": sent.cluster_id,
        "step": sent.step_id,
        "key": sent.key,
        "attached": sent.attached,
        "transient": sent.ours,
        "done_before": sent.done.isoformat() if sent.done else None,
        "uploaded": sent.uploaded,
    }


def send(
    aws: Aws,
    run: JobRun,
    spec: ClusterSpec,
    *,
    cluster_id: str | None,
    cache: Path,
    again: bool = False,
    keep: bool = False,
    allow_local: bool = False,
    owner: str = "",
    on_made: Callable[[str], None] = lambda _: None,
    pace: Pace,
    report: Report,
) -> Sent:
    """Package a run, upload what is new, and see to it that it has one step.

    Args:
        aws: the account and region.
        run: what runs.
        spec: what it runs on.
        cluster_id: a cluster that is there; one is made for this run alone when None.
        cache: where packed environments are kept on this machine.
        again: run it once more, although a step with its key waits, runs or was done within the
            last hour.
        keep: a cluster made for this run stays until it is idle for too long.
        allow_local: places of this machine may stand in the configuration.
        owner: for the tag `sparkml:owner` of a cluster made for this run.
        on_made: told the id of such a cluster as soon as it has one.
        pace: how long to wait before a lost answer's step or cluster is looked for.
        report: told of what happens.

    Raises:
        ConfigError, PackageError, RequestRefused: the run is wrong; nothing was sent to EMR.
        AwsRefused, AwsUnreachable: AWS says no, or does not answer.
    """
    package, new = packaged(aws, run, spec, cache=cache, allow_local=allow_local, report=report)
    config = step_config(run, spec, package)
    for uri, content in step_files(run, spec, package).items():
        store(aws, uri, content, kms_key=spec.security.at_rest_kms_key)
    sending = Sending(
        aws=aws,
        config=config,
        key=str(run_key_of(config["Name"])),
        role=run.runtime_role or spec.roles.runtime,
        again=again,
        artifacts=spec.artifacts,
        kms_key=spec.security.at_rest_kms_key,
        on_made=on_made,
        pace=pace,
        report=report,
    )
    if cluster_id is not None:
        found = sending.on(cluster_id)
    else:
        tagged = spec.model_copy(update={"tags": {**spec.tags, **run.tags}})
        found = sending.on_its_own(tagged, keep=keep, owner=owner)
    return Sent(
        cluster_id=found.cluster_id,
        step_id=found.step_id,
        key=sending.key,
        attached=found.attached,
        ours=cluster_id is None,
        made=found.made,
        done=found.done,
        uploaded=len(new),
    )


def packaged(
    aws: Aws, run: JobRun, spec: ClusterSpec, *, cache: Path, allow_local: bool, report: Report
) -> tuple[Package, list[str]]:
    """The run's package, stored and verified, and the addresses that were new."""
    report("packing the code and the environment")
    with translated():
        local = pack(
            run,
            spec,
            cache=cache,
            allow_local=allow_local,
            report=report,
            stored=environment_stored_in(aws.s3),
        )
        for note in local.notes:
            report(note)
        new = upload(local, aws.s3, report=report)
        verify(local.package, aws.s3)
    report(f"uploaded {len(new)} new files" if new else "nothing to upload: all is there")
    return local.package, new


def finish(
    aws: Aws,
    sent: Sent,
    *,
    timeout_s: float,
    settle_s: float,
    keep: bool = False,
    waiting: AbstractContextManager[None] | None = None,
    fetching: Callable[[Step, Cluster], AbstractContextManager[None]] = lambda *_: nullcontext(),
    pace: Pace,
    report: Report,
) -> Outcome:
    """Wait for a sent step and fetch what its driver wrote.

    When it fails, a cluster that was made for it is ended first, unless `keep`: logs arrive
    minutes later, and it costs money. `waiting` is held around the wait alone, `fetching` around
    the fetching of the logs.

    Raises:
        StepFailed, StepCancelled, StepInterrupted: how it ended; with the cause its logs tell.
        ClusterFailed and its kinds: the cluster failed before the step ran.
        WaitTimeout, AwsUnreachable: it may run on; nothing was cancelled.
    """
    try:
        with waiting or nullcontext():
            step, cluster = wait_for_step(
                aws, sent.cluster_id, sent.step_id, timeout_s=timeout_s, pace=pace, report=report
            )
    except (StepFailed, ClusterFailed) as error:
        raise _explained(
            error,
            aws,
            sent,
            settle_s=settle_s,
            keep=keep,
            fetching=fetching,
            pace=pace,
            report=report,
        ) from None
    with fetching(step, cluster):
        said = collect(aws, step, cluster, settle_s=settle_s, pace=pace, report=report)
    return Outcome(sent=sent, step=step, cluster=cluster, said=said)


def _explained(
    error: StepFailed | ClusterFailed,
    aws: Aws,
    sent: Sent,
    *,
    settle_s: float,
    keep: bool,
    fetching: Callable[[Step, Cluster], AbstractContextManager[None]],
    pace: Pace,
    report: Report,
) -> EmrError:
    """The run's own error with the cause that its logs tell, its cluster ended first.

    Whatever else goes wrong here is reported, and never takes the place of the run's error.
    """
    try:
        step, cluster = look(aws, sent.cluster_id, sent.step_id)
    except EmrError as other:
        report(f"cluster {sent.cluster_id} cannot be looked at ({other.what}): it may live on")
        return error
    if not keep and may_end(sent, cluster):
        end_reported(aws, cluster, report)
    if step.started is None:
        return error
    try:
        with fetching(step, cluster):
            said = collect(aws, step, cluster, settle_s=settle_s, pace=pace, report=report)
    except EmrError as other:
        report(f"no logs: {other.what}")
        return error
    if said.missing:
        report(f"no logs: {said.missing}")
    return failed_step(step, cluster, cause=said.cause) or error


def may_end(sent: Sent, cluster: Cluster) -> bool:
    """Whether a run's end is the cluster's: this client made it for the run, or it ends by itself.

    One that another client made, and kept, is not this one's to end.
    """
    return sent.ours and cluster.alive and (sent.made or cluster.ends_itself)


def end_reported(aws: Aws, cluster: Cluster, report: Report) -> None:
    """End a cluster; a refusal is reported, not raised."""
    try:
        end(aws, [cluster], unprotect=True)
    except EmrError as other:
        report(
            f"cluster {cluster.id} could not be ended, and costs money: {other.what}; "
            f"end it: emr down {cluster.id} --unprotect"
        )
    else:
        report(f"cluster {cluster.id}: asked to end")
