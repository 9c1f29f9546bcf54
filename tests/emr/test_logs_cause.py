"""The one line that says why a step failed, out of all that it wrote."""

from __future__ import annotations

import pytest

from emr.aws.logs.cause import cause_of
from sparkml.redaction import printable


class TestCause:
    def test_our_own_last_line_comes_before_any_traceback(self):
        stderr = (
            "Traceback (most recent call last):\n  File 'x'\nKeyError: 'a'\n"
            "ERROR SINK_NOT_WRITABLE: no such bucket | s3://b | fix: make it\n"
        )
        assert "ERROR SINK_NOT_WRITABLE: no such bucket | s3://b | fix: make it" == cause_of(stderr)

    def test_it_may_stand_in_stdout(self):
        stdout = "ERROR MODEL_NOT_FOUND: no version 9\n"
        assert "ERROR MODEL_NOT_FOUND: no version 9" == cause_of("26/11/21 INFO x: y\n", stdout)

    def test_a_loggers_line_is_not_ours(self):
        assert "" == cause_of("26/11/21 10:00:00 ERROR Executor: lost\n")

    def test_a_tracebacks_last_line(self):
        stderr = (
            "Traceback (most recent call last):\n"
            '  File "a.py", line 1, in <module>\n    f()\n'
            "ValueError: the last one counts\nmore log\n"
        )
        assert "ValueError: the last one counts" == cause_of(stderr)

    def test_nothing_that_a_terminal_obeys_comes_out(self):
        stderr = (
            "Traceback (most recent call last):\n  f()\n"
            "ValueError: \x1b]0;title\x07\x1b[2J\x1b[31mbad\x1b[0m\u202e\x9b\n"
        )
        assert "ValueError: bad\ufffd\ufffd" == cause_of(stderr)
        assert "tab\tand newline\n" == printable("tab\tand newline\r\n")

    @pytest.mark.parametrize(
        "line",
        [
            "Required executor memory (9216 MB) is above the max threshold (6144 MB)!",
            "Container killed by YARN for exceeding physical memory limits. 5 GB of 5 GB used.",
            "Container killed on request. Exit code is 137",
        ],
    )
    def test_limits_of_yarn(self, line):
        assert line == cause_of(f"INFO Client: x\njava.lang.IllegalArgumentException: {line}\n")

    def test_yarns_diagnostics_when_nothing_else_is_said(self):
        stderr = "\t diagnostics: N/A\n\t diagnostics: User application exited with status 1\n"
        assert "User application exited with status 1" == cause_of(stderr)

    def test_a_java_exception(self):
        stderr = 'Exception in thread "main" org.apache.spark.SparkException: no\n\tat x\n'
        assert "org.apache.spark.SparkException: no" == cause_of(stderr)
