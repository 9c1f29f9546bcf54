"""How far a running Spark job is, told to a reporter twice a second from a thread of its own."""

from __future__ import annotations

import threading
import uuid
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from py4j.protocol import Py4JError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark import StatusTracker
    from pyspark.sql import SparkSession

INTERVAL_S = 0.5


class Reporter(Protocol):
    """Whoever shows a run to a person; `sparkml.terminal` has those of the command line."""

    def stage(self, text: str) -> None:
        """A new part of the run begins."""
        ...

    def progress(self, done: int, total: int, failed: int) -> None:
        """So many tasks are done, of so many; so many attempts failed."""
        ...

    def close(self) -> None:
        """The run has ended, well or not."""
        ...


@contextmanager
def watched(spark: SparkSession, label: str, report: Reporter) -> Iterator[None]:
    """Report the tasks of the Spark jobs that the body starts; classic sessions only.

    Costs two small calls into the JVM each half second.
    """
    context = spark.sparkContext
    group = f"sparkml-{uuid.uuid4().hex[:8]}"
    context.setJobGroup(group, label, interruptOnCancel=True)
    ended = threading.Event()
    tracker = context.statusTracker()

    def watch() -> None:
        with suppress(Py4JError, OSError):  # the JVM died: the job's own error tells
            while not ended.wait(INTERVAL_S):
                report.progress(*_tasks(tracker, group))

    thread = threading.Thread(target=watch, name="sparkml-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        # The thread's job group would mark whatever the session runs next.
        with suppress(Py4JError, OSError):
            for key in ("spark.jobGroup.id", "spark.job.description"):
                context.setLocalProperty(key, None)  # type: ignore[arg-type]  # Spark's way to unset


def _tasks(tracker: StatusTracker, group: str) -> tuple[int, int, int]:
    done = total = failed = 0
    for job_id in tracker.getJobIdsForGroup(group):
        job = tracker.getJobInfo(job_id)
        for stage_id in job.stageIds if job else ():
            stage = tracker.getStageInfo(stage_id)
            if stage:
                done += stage.numCompletedTasks
                total += stage.numTasks
                failed += stage.numFailedTasks
    return done, total, failed
