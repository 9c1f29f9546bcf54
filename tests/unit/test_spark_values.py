"""What the Spark room does without a JVM: no job through Connect, errors out of a text."""

from __future__ import annotations

import pytest

from sparkml.errors import JobFailed, NullInputError, SetupError, SignatureError
from sparkml.spark.failures import from_worker
from sparkml.spark.session import build_session


def test_a_job_does_not_run_through_connect(monkeypatch):
    """Its commit needs a JVM of its own; the error says what does work."""
    monkeypatch.setenv("SPARK_REMOTE", "sc://somewhere")

    with pytest.raises(SetupError, match="SPARK_REMOTE"):
        build_session()


TRACE = """An exception was thrown from the Python worker. Please see the stack trace below.
Traceback (most recent call last):
  File "worker.py", line 10, in main
    process()
{raised}
"""


@pytest.mark.parametrize("kind", [NullInputError, SignatureError])
def test_our_own_error_comes_back_from_a_worker_whole(kind):
    """Kind, what, where and fix, although Spark made a text of it."""
    error = kind("column 'a'\nis null", where="models:/m/1", fix="declare a policy")
    text = TRACE.format(raised=f"{kind.__module__}.{kind.__name__}: {error}")

    back = from_worker(text)

    assert type(back) is kind
    assert back.line() == error.line()


def test_any_other_error_is_told_by_its_own_line():
    """Not by Spark's introduction to it, whatever the class is called."""
    text = TRACE.format(raised="pyarrow.lib.ArrowInvalid: Integer value 300 not in range")

    back = from_worker(text)

    assert type(back) is JobFailed
    assert "pyarrow.lib.ArrowInvalid: Integer value 300 not in range" == back.what
