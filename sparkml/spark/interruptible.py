"""Runs a job in a thread of its own: a signal cancels its Spark jobs and lets it clean up.

A signal's exception that is raised inside a call into the JVM leaves that thread's connection with
an answer on its way: `spark.stop()` in a `finally` then waits for the job that was to be stopped.
And pyspark's own Ctrl-C handler calls the JVM over the very connection that it interrupted. So the
main thread only waits; when a signal comes it cancels over its own connection, the job's call
fails, and the job's thread ends in order.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

GIVE_UP_S = 30.0
"""How long a cancelled job may take to end; after that the process ends without it."""


def interruptible(job: Callable[[], T]) -> T:
    """What `job` returns; called on the driver, in the main thread.

    A job that ends well although it was interrupted, because it had just committed, has ended well.

    Raises:
        BaseException: what the job raised, or the signal's exception (such as KeyboardInterrupt)
            once the job's thread has ended. A second signal does not wait for that.
    """
    future: Future[T] = Future()
    thread = threading.Thread(target=_into, args=(future, job), name="sparkml-job", daemon=True)
    try:
        thread.start()
        wait([future])
    except BaseException:
        if thread.ident is None:  # not even begun
            raise
        _cancel(future)
        if future.done() and future.exception() is None:
            return future.result()
        raise
    return future.result()


def _into(future: Future[T], job: Callable[[], T]) -> None:
    try:
        future.set_result(job())
    except BaseException as error:  # noqa: BLE001  # raised again in the main thread
        future.set_exception(error)


def _cancel(future: Future[T]) -> None:
    """Cancel Spark's jobs, and those that start meanwhile, until the job's thread has ended."""
    end = time.monotonic() + GIVE_UP_S
    while not future.done() and time.monotonic() < end:
        with contextlib.suppress(Exception):  # the JVM may be starting, or gone
            _cancel_jobs()
        wait([future], timeout=0.5)


def _cancel_jobs() -> None:
    from pyspark import SparkContext

    logging.getLogger("py4j").setLevel(logging.CRITICAL)  # it logs what is expected here
    context = SparkContext._active_spark_context  # noqa: SLF001  # the session is the other thread's
    if context is not None:
        context.cancelAllJobs()
