"""Progress, clean stderr and the summary, without and with a terminal."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from sparkml.terminal import Terminal, print_summary

ROOT = Path(__file__).parents[2]

NOISY = """
import logging, subprocess, sys, warnings
from pathlib import Path
from sparkml.terminal import quiet_children
noise = ["sh", "-c", "echo child out; echo child err >&2"]
with quiet_children(Path(sys.argv[1])):
    subprocess.run(noise, check=True)
    print("ours out")
    print("ours err", file=sys.stderr)
    warnings.warn("a warning")
    logging.getLogger("x").warning("a record")
subprocess.run(noise, check=True)
print("after")
"""


def test_children_are_quiet_and_we_are_not(tmp_path):
    """What a child prints is in the log, what Python prints is not; then all is back."""
    log = tmp_path / "log"
    done = subprocess.run(
        [sys.executable, "-c", NOISY, str(log)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert done.stdout.splitlines() == ["ours out", "child out", "after"]
    assert done.stderr.splitlines() == ["ours err", "child err"]
    logged = log.read_text(encoding="utf-8")
    assert "child out\nchild err\n" in logged
    assert "a warning" in logged
    assert "a record" in logged


FAILING = """
import subprocess, sys
from sparkml.last_line import last_line
from sparkml.terminal import spark_log
from sparkml.errors import JobFailed
with last_line(debug=False), spark_log(quiet=True):
    if sys.argv[1] != "silent":
        subprocess.run([sys.executable, "-c", "print('java said')"], check=True)
    if sys.argv[1] != "fine":
        raise JobFailed("no")
"""


@pytest.mark.parametrize(("how", "kept"), [("noisy", True), ("silent", False), ("fine", False)])
def test_the_log_is_kept_and_named_after_a_failure_only(tmp_path, how, kept):
    """A log that says something is named before the last line; otherwise it is gone."""
    done = subprocess.run(
        [sys.executable, "-c", FAILING, how],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        check=False,
    )
    logs = list(tmp_path.glob("sparkml-*.log"))
    lines = ["ERROR JOB_FAILED: no"] if how != "fine" else []
    if kept:
        assert logs[0].read_text(encoding="utf-8") == "java said\n"
        lines.insert(0, f"Spark's log: {logs[0]}")
    assert done.stderr.splitlines() == lines
    assert len(logs) == kept
    assert done.returncode == (0 if how == "fine" else 8)


def test_without_a_terminal_there_is_a_line_every_thirty_seconds(capsys):
    """However often the run reports; and nothing at all for a short one."""
    now = [0.0]
    with Terminal(clock=lambda: now[0]) as terminal:
        terminal.stage("scoring")
        for second in range(95):
            now[0] = float(second)
            terminal.progress(second, 200, 3 if second > 80 else 0)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "30 s  scoring: 30 of 200 tasks",
        "60 s  scoring: 60 of 200 tasks",
        "90 s  scoring: 90 of 200 tasks, 3 failed and tried again",
    ]


LIVE = """
import sys, time
from sparkml.terminal import Terminal, print_summary
with Terminal() as terminal:
    terminal.stage("scoring [wine]")
    terminal.progress(3, 8, 1)
    time.sleep(0.3)
print_summary([("rows", "178"), ("table", "out")], [{"id": 1, "wine": {"prediction": 2}}])
"""


def _on_a_terminal(code, **env):
    ours, theirs = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=theirs,
        stderr=theirs,
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", **env},
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    assert done.wait(timeout=30) == 0
    return shown.decode()


def test_on_a_terminal_there_is_one_live_line():
    """Stage, tasks and failures in place, and then a table for the summary."""
    shown = _on_a_terminal(LIVE)
    assert "scoring [wine]" in shown
    assert "3/8 tasks, 1 failed and tried again" in shown
    assert "\x1b[2K" in shown  # the line is taken away again
    assert "prediction 2" in shown


def test_no_color_is_honoured():
    """Movement yes, colour no."""
    assert "\x1b[3" in _on_a_terminal(LIVE, NO_COLOR="")
    assert "\x1b[3" not in _on_a_terminal(LIVE, NO_COLOR="1")


def test_the_summary_is_aligned_text_without_a_terminal(capsys):
    """Readable in a log, and by a program that splits on two spaces."""
    sample = [
        {"id": 1, "wine": {"prediction": 2, "probability": [0.25, 1 / 3]}},
        {"id": 10, "wine": None},
    ]
    print_summary([("rows", "178"), ("quarantined", "0")], sample)
    assert capsys.readouterr().out.splitlines() == [
        "rows         178",
        "quarantined  0",
        "",
        "id  wine",
        "1   prediction 2, probability [0.25, 0.333333]",
        "10  null",
    ]
