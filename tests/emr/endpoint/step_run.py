"""One step from RUNNING to its end: its command, its logs, what its failure does."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from . import step_logs
from .endings import ask_to_end, cancel_pending, end_by_fault
from .execute import execute
from .logs import split_uri
from .state import Cluster, Step, now

if TYPE_CHECKING:
    from pathlib import Path

    from .world import World

_APPLICATION = re.compile(rb"application_\d+_\d+")


def start(cluster: Cluster, step: Step, world: World) -> None:
    """Set the step running in a thread of its own; the store's lock is held."""
    step.state, step.started = "RUNNING", now()
    threading.Thread(target=_run, args=(cluster, step, world), name=step.id, daemon=True).start()


def _run(cluster: Cluster, step: Step, world: World) -> None:
    folder = world.runner.folder / cluster.id / step.id
    folder.mkdir(parents=True, exist_ok=True)
    for name in step_logs.FILES:
        (folder / name).touch()
    shipments = step_logs.ship(cluster, step, world, folder)
    timers = _strike_later(cluster, step, world)
    status = _execute(step, world, folder)
    for timer in timers:
        timer.cancel()
    for shipment in shipments:
        shipment.finish()
    with world.store.changed:
        _conclude(cluster, step, status)
        world.store.changed.notify_all()


def _execute(step: Step, world: World, folder: Path) -> int:
    """Run what the step's jar means; 1 where it means nothing here."""
    argv = _argv(step, world, folder)
    controller = _Controller(folder / "controller")
    if argv is None:
        controller.say("ERROR", f"Cannot run jar {step.config['HadoopJarStep']['Jar']}")
        return 1
    controller.say("INFO", f"startExec 'hadoop jar command-runner.jar {' '.join(argv)}'")
    controller.say("INFO", f"Working dir {folder / 'work'}")
    seen = _Applications(folder / "stderr", step)

    def wanted_to_end() -> float | None:
        seen.look()
        return step.grace_s if step.asked_to_end else None

    def started(pid: int) -> None:
        controller.say("INFO", f"ProcessRunner started child process {pid}")

    status = execute(
        argv,
        folder=folder,
        environment=world.runner.environment,
        wanted_to_end=wanted_to_end,
        started=started,
    )
    seen.look()
    controller.say("INFO", f"waitProcessCompletion ended with exit code {status}")
    level, told = ("INFO", "Step succeeded") if status == 0 else ("WARN", "Step failed")
    controller.say(level, f"{told} with exitCode {status}")
    return status


def _argv(step: Step, world: World, folder: Path) -> list[str] | None:
    """The command: command-runner's arguments, or a script that script-runner fetches from S3."""
    jar = step.config["HadoopJarStep"]["Jar"].rsplit("/", 1)[-1]
    args = list(step.config["HadoopJarStep"].get("Args", ()))
    if not args or jar not in ("command-runner.jar", "script-runner.jar"):
        return None
    if jar == "command-runner.jar":
        return args
    script = folder / "script"
    bucket, key = split_uri(args[0])
    try:
        script.write_bytes(world.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError:
        return None
    script.chmod(0o755)
    return [str(script), *args[1:]]


def _conclude(cluster: Cluster, step: Step, status: int) -> None:
    """The state that the step ends in, and what its failure does to the cluster."""
    step.ended = now()
    if step.asked_to_end == "interrupt":
        step.state = "INTERRUPTED"
    elif step.asked_to_end == "cancel":
        step.state, step.message = "CANCELLED", "Cancelled by user"
    elif status == 0:
        step.state = "COMPLETED"
    else:
        step.state = "FAILED"
        step.failure = {"Reason": "Unknown Error."}
        if step.log_uri:
            folder = f"{step.log_uri.rstrip('/')}/{cluster.id}/steps/{step.id}"
            step.failure["LogFile"] = f"{folder}/stderr.gz"
        _fail(cluster, step)


def _fail(cluster: Cluster, step: Step) -> None:
    """Do to the cluster what the step's ActionOnFailure says (API reference, StepConfig)."""
    # With steps side by side a failure touches neither the others nor the cluster.
    if step.action_on_failure == "CONTINUE" or cluster.concurrency > 1:
        return
    cancel_pending(cluster)
    if step.action_on_failure == "CANCEL_AND_WAIT":
        return
    if cluster.protected:  # "the instances persist in the event of an error"
        cluster.keep_alive = True
    else:
        ask_to_end(cluster, "TERMINATED_WITH_ERRORS", "STEP_FAILURE", "Shut down as step failed")


def _strike_later(cluster: Cluster, step: Step, world: World) -> list[threading.Timer]:
    """Timers of the faults that strike while this step runs."""
    timers = []
    if (fault := world.faults.take(["instance-failure"])) is not None:
        timers.append(threading.Timer(fault.after_s, end_by_fault, (cluster, fault, world)))
    if (fault := world.faults.take(["step-interrupted"])) is not None:
        timers.append(threading.Timer(fault.after_s, _interrupt, (step, world)))
    for timer in timers:
        timer.daemon = True
        timer.start()
    return timers


def _interrupt(step: Step, world: World) -> None:
    with world.store.changed:
        step.asked_to_end = "interrupt"


class _Controller:
    """The controller's log, in the manner of EMR's step runner."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def say(self, level: str, text: str) -> None:
        """One more line."""
        stamp = now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        with self._path.open("a") as log:
            log.write(f"{stamp} {level} {text}\n")


class _Applications:
    """The YARN applications that a step's stderr names, in the order it first names them."""

    def __init__(self, stderr: Path, step: Step) -> None:
        self._stderr, self._step, self._size = stderr, step, -1

    def look(self) -> None:
        """Note them, if there is more to read than before."""
        size = self._stderr.stat().st_size
        if size != self._size:
            self._size = size
            found = _APPLICATION.findall(self._stderr.read_bytes())
            self._step.applications = tuple(dict.fromkeys(name.decode() for name in found))
