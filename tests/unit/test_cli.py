"""The `sparkml` command, as far as it goes without Spark: help, version, errors, last lines."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sparkml import errors
from sparkml.cli import EXIT_STATUSES, driver
from sparkml.errors import ConfigError, JobFailed, SinkNotWritable, SparkMLError
from sparkml.last_line import INTERRUPTED, TERMINATED, last_line

ROOT = Path(__file__).parents[2]
HEAVY = ("numpy", "pyarrow", "pandas", "pyspark", "py4j", "mlflow", "sklearn")


def sparkml(*arguments, cwd=ROOT, **env):
    return subprocess.run(
        [sys.executable, "-m", "sparkml", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        timeout=60,
        check=False,
    )


def imported_by(*arguments):
    """The top-level names of the modules that a command imports."""
    code = (
        "import sys\n"
        "from sparkml.cli import main\n"
        f"sys.argv = ['sparkml', *{list(arguments)!r}]\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    print(end.code)\n"
        "print('MODULES', *{m.partition('.')[0] for m in sys.modules})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    return set(done.stdout.rpartition("MODULES")[2].split())


def test_help_lists_the_commands():
    """`sparkml --help` says what there is."""
    done = sparkml("--help")
    assert done.returncode == 0
    assert "score" in done.stdout
    assert "plan" in done.stdout


def test_help_of_a_command_documents_options_and_statuses():
    """Every option, and every exit status of the error tree."""
    for command in ("score", "plan"):
        done = sparkml(command, "--help")
        assert done.returncode == 0
        for option in ("--config", "--set", "--json", "--debug", "--verbose"):
            assert option in done.stdout
        assert "ERROR <CODE>" in done.stdout
    for command in ("score", "features", "train"):
        assert "--plan" in sparkml(command, "--help").stdout


def test_the_documented_statuses_are_those_of_the_errors():
    """Help and code cannot drift apart."""
    documented = {int(n) for n in re.findall(r"^ +(\d+)  ", EXIT_STATUSES, flags=re.MULTILINE)}
    tree = {
        kind.exit_status
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, SparkMLError)
    }
    assert documented == tree | {0, INTERRUPTED, TERMINATED}


def test_version_is_told():
    """One word and the version."""
    done = sparkml("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"sparkml \d+\.\d+\.\d+\S*\n", done.stdout)


@pytest.mark.parametrize(
    "arguments",
    [("score", "--help"), ("--version",), ("score", "--config", "conf/no.yaml")],
    ids=["help", "version", "error"],
)
def test_help_and_configuration_errors_import_nothing_heavy(arguments):
    """No JVM, no Arrow, no MLflow: the answer is there at once."""
    loaded = imported_by(*arguments)
    assert "sparkml" in loaded
    assert not loaded & set(HEAVY)


def test_help_does_not_even_need_the_configuration():
    """The file's reader and the terminal's tables are for those who have a configuration."""
    assert not imported_by("score", "--help") & {"yaml", "rich"}


def test_a_missing_file_is_one_line():
    """What, where, and the file that was probably meant."""
    done = sparkml("score", "--config", "conf/score.win.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "ERROR CONFIG_INVALID: there is no such file | conf/score.win.yaml | "
        "fix: did you mean 'score.wine.yaml'?\n"
    )


def test_a_wrong_key_is_one_line():
    """`--set` with a slip: the nearest key, without a JVM."""
    done = sparkml("plan", "--config", "conf/score.wine.yaml", "--set", "sink.pth=x")
    assert done.returncode == 2
    assert done.stderr.startswith("ERROR CONFIG_INVALID: unknown key 'sink.pth' | --set | fix: did")
    assert done.stderr.count("\n") == 1


def test_several_mistakes_are_listed_before_the_last_line():
    """One line each, then the count."""
    done = sparkml(
        "score", "--config", "conf/score.wine.yaml", "--set", "sink.mode=replac", SPARKML__KEEEP="a"
    )
    *problems, last = done.stderr.splitlines()
    assert done.returncode == 2
    assert len(problems) == 2
    assert problems[0].startswith("'sink.mode' must be one of replace, append, not 'replac' |")
    assert problems[1].startswith("unknown key 'keeep' | environment SPARKML__KEEEP |")
    assert last.startswith("ERROR CONFIG_INVALID: 2 problems | conf/score.wine.yaml | fix: ")


def test_debug_adds_the_traceback_before_the_last_line():
    """The last line stays the last."""
    done = sparkml("score", "--config", "conf/no.yaml", "--debug")
    assert "Traceback (most recent call last)" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("ERROR CONFIG_INVALID: ")
    assert "Traceback" not in sparkml("score", "--config", "conf/no.yaml").stderr


@pytest.mark.parametrize("arguments", [("score",), ("score", "--confg", "x"), ("scor",)])
def test_usage_errors_are_status_2(arguments):
    """A wrong command line ends like a wrong configuration: in one line that says why."""
    done = sparkml(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("ERROR CONFIG_INVALID: ")
    assert "| the command line | fix: --help" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_command_alone_shows_its_help():
    """Nobody asked for anything, so nothing failed; the status says that nothing was done."""
    done = sparkml()
    assert done.returncode == 2
    assert "Usage: sparkml" in done.stdout + done.stderr
    assert "ERROR" not in done.stdout + done.stderr


def test_the_job_script_is_the_same_command():
    """`jobs/score.py` gives the same last line and the same status, as spark-submit runs it."""
    done = subprocess.run(
        [sys.executable, "jobs/score.py", "--config", "conf/score.win.yaml"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.endswith("fix: did you mean 'score.wine.yaml'?\n")


def test_a_driver_gives_its_status_back(capsys):
    """The status is a value, for whoever calls the driver from Python."""
    assert driver(["--help"]) == 0
    assert "--config" in capsys.readouterr().out
    assert driver(["--config", "/no/such/folder/job.yaml"]) == 2
    assert driver(["--nonsense"]) == 2


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (SinkNotWritable("no", where="sink", fix="x"), 6, "ERROR SINK_NOT_WRITABLE: no | sink |"),
        (JobFailed("Spark\ngave up"), 8, "ERROR JOB_FAILED: Spark gave up"),
        (ConfigError("one", problems=("one",)), 2, "ERROR CONFIG_INVALID: one"),
        (KeyboardInterrupt(), 130, "ERROR INTERRUPTED: "),
        (ZeroDivisionError("by 0\nmore"), 1, "ERROR INTERNAL: ZeroDivisionError: by 0 | fix: "),
        (ZeroDivisionError(), 1, "ERROR INTERNAL: ZeroDivisionError | fix: "),
    ],
)
def test_each_end_has_its_line_and_status(capsys, error, status, line):
    """Whatever is raised: one line, and the status that the help documents."""
    with pytest.raises(SystemExit) as end, last_line(debug=False):
        raise error
    assert end.value.code == status
    shown = capsys.readouterr().err
    assert shown.startswith(line)
    assert shown.count("\n") == 1


def test_a_sigterm_is_an_end_like_any_other(capsys):
    """The block's `finally` runs, so that Spark is stopped; then status 143."""
    cleaned = []
    before = signal.getsignal(signal.SIGTERM)

    def stop():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.sigtimedwait([], 5)
        finally:
            cleaned.append(True)

    with pytest.raises(SystemExit) as end, last_line(debug=False):
        stop()
    assert (end.value.code, cleaned) == (143, [True])
    assert capsys.readouterr().err.startswith("ERROR TERMINATED: ")
    assert signal.getsignal(signal.SIGTERM) is before
