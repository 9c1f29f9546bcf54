"""Ctrl-C and SIGTERM in the middle of a Spark job."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sparkml.spark.interruptible import interruptible

pytestmark = pytest.mark.spark

ROOT = Path(__file__).parents[2]

SLOW_JOB = """
import time
from sparkml.last_line import last_line
from sparkml.terminal import spark_log
from sparkml.spark.interruptible import interruptible

def slow(batches):
    for batch in batches:
        time.sleep(120)
        yield batch

def job():
    from pyspark.sql import SparkSession
    builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    spark = builder.getOrCreate()
    try:
        print("running", flush=True)
        spark.range(2).mapInArrow(slow, "id long").count()
    finally:
        spark.stop()
        print("stopped", flush=True)

with last_line(debug=False), spark_log(quiet=True):
    interruptible(job)
"""


@pytest.mark.parametrize(
    ("number", "status", "line"),
    [
        (signal.SIGTERM, 143, "ERROR TERMINATED: "),
        (signal.SIGINT, 130, "ERROR INTERRUPTED: "),
    ],
)
def test_a_signal_cancels_the_job_and_stops_spark(tmp_path, number, status, line):
    """The job's own clean-up runs, soon; stderr has no trace, and its last line says why."""
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_JOB],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        # A shell starts what it runs in the background deaf to Ctrl-C, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads
    )
    with process:
        assert process.stdout.readline() == "running\n"
        threading.Event().wait(2)  # until the worker sleeps
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert out == "stopped\n"
    *above, last = err.splitlines()
    assert last.startswith(line)
    assert all(text.startswith("Spark's log: ") for text in above)
    assert process.returncode == status


def test_a_job_gives_its_result_or_its_error():
    """Without a signal, it is a call like any other."""
    assert interruptible(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        interruptible(lambda: 1 // 0)


def test_a_job_that_ends_well_all_the_same_has_ended_well():
    """A commit that was made cannot be called off: the result is told, not the interruption."""
    begun = threading.Event()

    def job():
        begun.set()
        threading.Event().wait(0.3)
        return "committed"

    def interrupt():
        begun.wait()
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    assert interruptible(job) == "committed"
