"""The sandbox: what a child may not do, what becomes of one that dies, and what is paid once."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import pickle
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sparkml import read_spec
from sparkml.errors import ConfigError, ModelUnreadable, SetupError
from sparkml.models.sandbox import client
from sparkml.models.sandbox.client import Died, call_confined
from sparkml.models.sandbox.confine import Limits

LIMITS = Limits(memory_mib=700, time_s=2.0, file_mib=1)
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Landlock and seccomp are Linux's")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def ask(task: str, **argument):
    return call_confined(f"tests.unit.test_models_sandbox:{task}", argument, LIMITS)


# tasks, which run in the sandbox


def add(argument):
    return argument["a"] + argument["b"]


def read_line(argument):
    return Path(argument["path"]).read_text().strip()


def attempt(argument):
    """What the operation raised; `done` where it did not."""
    try:
        OPERATIONS[argument["name"]](argument.get("path"))
    except (OSError, MemoryError) as error:
        return "MemoryError" if isinstance(error, MemoryError) else type(error).__name__
    return "done"


def crash(argument):
    how = argument["how"]
    if how == "endless":
        while True:
            pass
    if how == "sleep":
        time.sleep(60)
    if how == "exit":
        os._exit(3)
    if how == "raise":
        raise SystemExit("I said so")
    if how == "memory":
        return len(np.ones(200_000_000).tolist())
    if how == "forks":  # whoever lives holds the lock
        fcntl.flock(os.open(argument["path"], os.O_RDONLY), fcntl.LOCK_SH)
        if os.fork():
            os.kill(os.getpid(), signal.SIGKILL)
        with suppress(OSError):
            os.setsid()
        time.sleep(60)
    if how == "connects":
        socket.create_connection(("127.0.0.1", 9), timeout=2)
    os.kill(os.getpid(), getattr(signal, how))
    return "survived"


def imports_slowly(_argument):
    """Longer than the limit, but never silent for long: as a large library is imported."""
    for name in ("wave", "colorsys", "chunk" if sys.version_info < (3, 13) else "cmd", "sndhdr"):
        time.sleep(0.8)
        with suppress(ImportError):
            __import__(name)
    return "imported"


def environment(_argument):
    return dict(os.environ)


def _connect(address: str) -> None:
    host, port = address.split(":")
    socket.create_connection((host, int(port)), timeout=2)


OPERATIONS = {
    "connect": _connect,
    "listen": lambda _: socket.socket(socket.AF_UNIX),
    "write": lambda path: Path(path).write_text("x"),
    "truncate": lambda path: os.truncate(path, 0),
    "append": lambda path: Path(path).open("a").close(),
    "remove": lambda path: Path(path).unlink(),
    "rename": lambda path: Path(path).rename(f"{path}.moved"),
    "folder": lambda path: Path(f"{path}.d").mkdir(),
    "link": lambda path: Path(f"{path}.l").symlink_to("/"),
    "signal the parent": lambda _: os.kill(os.getppid(), 0),
    "own file": lambda _: Path(os.environ["TMPDIR"], "own").write_text("x"),
    "large file": lambda _: Path(os.environ["TMPDIR"], "own").write_bytes(b"x" * 2_000_000),
    "many files": lambda _: [os.open(os.devnull, os.O_RDONLY) for _ in range(2000)],
    "much memory": lambda _: np.ones(1 << 28),
}


def test_a_call_is_answered_with_plain_values(tmp_path):
    """It can read, which a model's files need."""
    (tmp_path / "file").write_text("said\n")
    assert ask("add", a=1, b=2) == 3
    assert ask("read_line", path=str(tmp_path / "file")) == "said"


@LINUX
@pytest.mark.parametrize(
    "name", ["write", "truncate", "append", "remove", "rename", "folder", "link"]
)
def test_nothing_is_written_outside_of_its_folder(name, tmp_path):
    """Not even into a file that is there."""
    path = tmp_path / "file"
    path.write_text("mine")
    assert ask("attempt", name=name, path=str(path)) == "PermissionError"
    assert path.read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir() if p.name != "cache"] == ["file"]
    OPERATIONS[name](path)  # it is the sandbox that refuses it


@LINUX
def test_no_socket_is_opened():
    """Neither to the network nor to a server of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert ask("attempt", name="connect", path=address) == "PermissionError"
        OPERATIONS["connect"](address)
    assert ask("attempt", name="listen") == "PermissionError"


@LINUX
def test_other_processes_are_out_of_reach():
    """The process that forked it, which has the driver's rights."""
    assert ask("attempt", name="signal the parent") == "PermissionError"


@pytest.mark.parametrize(
    ("name", "raised"),
    [
        ("own file", "done"),
        ("large file", "OSError"),
        ("many files", "OSError"),
        ("much memory", "MemoryError"),
    ],
)
def test_what_it_may_use_is_bounded(name, raised):
    """Its own folder for temporary files, and limits of size, number and memory."""
    assert ask("attempt", name=name) == raised


@pytest.mark.parametrize(
    ("how", "kind", "what"),
    [
        ("SIGSEGV", "crash", "ended the process by SIGSEGV"),
        ("SIGABRT", "crash", "ended the process by SIGABRT"),
        ("SIGFPE", "crash", "ended the process by SIGFPE"),
        ("exit", "crash", "ended the process with status 3"),
        ("raise", "crash", "ended the process with status 1"),
        ("endless", "time", "took longer than 2 s"),
        ("sleep", "time", "took longer than 2 s"),
        ("memory", "memory", "needed more than 700 MiB of memory"),
    ],
)
def test_a_child_that_dies_is_told_of(how, kind, what):
    """And the next call is answered, by a sandbox that is still there."""
    process = client._process().pid
    told = ask("crash", how=how)
    assert isinstance(told, Died)
    assert (told.kind, told.what) == (kind, what)
    assert "I said so" in told.said or how != "raise"
    assert ask("add", a=1, b=1) == 2
    assert client._process().pid == process


def test_what_a_child_started_ends_with_it(tmp_path):
    """It would go on without limits of time; and it may not leave the group."""
    lock = tmp_path / "lock"
    lock.touch()
    assert isinstance(ask("crash", how="forks", path=str(lock)), Died)
    with lock.open() as file:
        for _ in range(50):  # a process that was killed takes a moment to go
            with suppress(BlockingIOError):
                return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            time.sleep(0.1)
    pytest.fail("a process that the child started goes on")


def test_the_clock_stands_still_while_libraries_are_imported():
    """Else the first model after a start on a slow disk would be unreadable."""
    assert ask("imports_slowly") == "imported"


def test_the_environment_of_the_call_counts(monkeypatch):
    """As it is now, not as it was when the sandbox was started; one thread, and no GPU."""
    monkeypatch.setenv("SPARKML_TEST_OF_NOW", "set later")
    seen = ask("environment")
    assert seen["SPARKML_TEST_OF_NOW"] == "set later"
    assert (seen["OMP_NUM_THREADS"], seen["CUDA_VISIBLE_DEVICES"]) == ("1", "")


def test_a_sandbox_that_was_killed_is_started_again():
    """Whoever killed it."""
    before = client._process().pid
    os.kill(before, signal.SIGKILL)
    assert ask("add", a=2, b=2) == 4
    assert client._process().pid != before


def test_a_fork_of_the_caller_has_a_sandbox_of_its_own():
    """Two processes that read one pipe would take each other's answers."""
    ask("add", a=0, b=0)
    child = os.fork()
    if not child:
        fine = all(ask("add", a=n, b=n) == 2 * n for n in range(3))
        client.stop()
        os._exit(0 if fine else 1)
    assert [ask("add", a=n, b=1) for n in range(3)] == [1, 2, 3]
    assert os.waitpid(child, 0)[1] == 0


def test_a_path_that_python_passes_over_is_passed_over(monkeypatch):
    """Notebooks insert a `Path` into `sys.path`, and think it counts."""
    client.stop()
    monkeypatch.setattr(sys, "path", [Path("src"), *sys.path])
    assert ask("add", a=1, b=2) == 3


def test_no_python_is_told(monkeypatch):
    """A process that embeds Python has none to start."""
    client.stop()
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(SetupError, match="no Python"):
        ask("add", a=1, b=1)


@LINUX
@pytest.mark.parametrize("named", [["joblib", "numpy"], []], ids=["probable", "learned"])
def test_a_model_s_own_libraries_are_imported_within_alone(named, tmp_path):
    """Neither what is named beforehand nor what an earlier call imported is taken out of there."""
    reached, site = tmp_path / "reached", tmp_path / "site"
    site.mkdir()
    (site / "joblib.py").write_text(
        f"WHY = 'done'\ntry: open({str(reached)!r}, 'w')\nexcept OSError as e: WHY = str(e.errno)\n"
    )
    (site / "numpy.py").write_text("OWN = True\n")
    (site / "task.py").write_text(
        "import joblib, numpy\ndef told(_): return [joblib.WHY, hasattr(numpy, 'OWN')]\n"
    )
    assert ask("attempt", name="own file") == "done"  # which imports the NumPy of this process
    for _ in range(2):
        told = call_confined("task:told", {}, LIMITS, imports=named, ahead=str(site))
        assert told == [str(errno.EACCES), True]
    assert not reached.exists()


# models in it


class Ends:
    """Unpickled, it does something to the process."""

    def __init__(self, how: str) -> None:
        self.how = how

    def __reduce__(self):
        return crash, ({"how": self.how},)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("SIGSEGV", "opening it ended the process by SIGSEGV"),
        ("raise", "reading it failed: SystemExit: I said so"),
        pytest.param("connects", "fix: a model is opened without network", marks=LINUX),
        ("endless", "opening it took longer than .* s.*SPARKML_OPENING_TIME_S=60"),
    ],
)
def test_a_model_that_ends_its_process_is_unreadable(how, said, tmp_path):
    """The driver goes on; and it is not written down as one that passed."""
    path = tmp_path / "m.joblib"
    joblib.dump(Ends(how), path)
    for _ in range(1 if how == "endless" else 2):
        with pytest.raises(ModelUnreadable, match=said):
            read_spec(str(path))


def test_the_limit_can_be_raised_as_the_error_says(tmp_path, monkeypatch):
    """`fix` names the variable; with it the model that needs more is opened."""
    path = tmp_path / "m.joblib"
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    model.ballast_ = np.zeros((1 << 28) + 1)  # 2 GiB that compress to almost nothing
    joblib.dump(model, path, compress=3)
    with pytest.raises(ModelUnreadable, match="SPARKML_OPENING_MEMORY_MIB=8192"):
        read_spec(str(path))
    monkeypatch.setenv("SPARKML_OPENING_MEMORY_MIB", "8192")
    monkeypatch.setenv("SPARKML_OPENING_TIME_S", "60")
    assert read_spec(str(path)).flavor == "sklearn"


class Forges:
    """Tells, from where it is opened, that it passed as what does not exist."""

    def __init__(self, flavor, column):
        self.flavor, self.column = flavor, column

    def __reduce__(self):
        told = {"flavor": self.flavor, "takes_nan": True, "differences": []}
        told["signature"] = {"inputs": self.column, "outputs": self.column}
        line = json.dumps({"answer": told, "imported": []}) + "\n"
        code = f"import os\nfor at in range(3, 30):\n try: os.write(at, {line.encode()!r})\n"
        return exec, (code + " except OSError: pass\nos._exit(0)",)


@pytest.mark.parametrize(
    ("flavor", "column"),
    [
        ("\x1b[31m", []),
        ("sklearn", [{"name": 5, "type": "double"}]),
        ("sklearn", [{"name": "a", "type": None}]),
        ("sklearn", [{"name": "a", "type": ["double"]}]),
        ("sklearn", [{"name": "a", "type": "double", "length": "2"}]),
    ],
)
def test_an_answer_of_the_model_itself_is_looked_at(flavor, column, tmp_path):
    path = tmp_path / "m.joblib"
    joblib.dump(Forges(flavor, column), path)
    with pytest.raises(ModelUnreadable, match="makes no sense"):
        read_spec(str(path))


@pytest.mark.parametrize("given", ["inf", "nan", "much"])
def test_a_limit_is_a_number(given, tmp_path, monkeypatch):
    path = tmp_path / "m.joblib"
    joblib.dump(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), path)
    monkeypatch.setenv("SPARKML_OPENING_MEMORY_MIB", given)
    with pytest.raises(ConfigError, match="SPARKML_OPENING_MEMORY_MIB"):
        read_spec(str(path))


def test_params_without_end_are_refused(tmp_path):
    path = tmp_path / "m.joblib"
    joblib.dump(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), path)
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(ConfigError, match="not plain"):
        read_spec(str(path), params={"a": endless})


def test_what_passed_is_not_asked_again(tmp_path, monkeypatch):
    """The same question of the same bytes, with the same libraries; any other is asked anew."""
    path = tmp_path / "m.joblib"
    joblib.dump(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), path)
    first = read_spec(str(path))
    client.stop()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "")  # so nothing can be started
        assert read_spec(str(path)) == first
        assert read_spec(str(path), name="other").name == "other"
        with pytest.raises(SetupError):
            read_spec(str(path), outputs=["probability"])
        (tmp_path / "library-2.0.dist-info").mkdir()
        patch.syspath_prepend(tmp_path)
        with pytest.raises(SetupError):
            read_spec(str(path))
    assert read_spec(str(path), outputs=["probability"]).signature.outputs[0].name == "probability"


def test_a_note_of_another_form_counts_nothing(tmp_path, cache):
    """An earlier sparkml may have written it."""
    path = tmp_path / "m.joblib"
    joblib.dump(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), path)
    first = read_spec(str(path))
    (note,) = cache.glob("*.json")
    for other in ("{}", "[]", '{"flavor": "sklearn"}', "no"):
        note.write_text(other)
        assert read_spec(str(path)) == first
        assert "takes_nan" in note.read_text()


def test_a_note_for_which_there_is_no_room_is_not_needed(tmp_path, cache):
    """A full disk, a place that something else has."""
    path = tmp_path / "m.joblib"
    joblib.dump(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), path)
    first = read_spec(str(path))
    (note,) = cache.glob("*.json")
    note.unlink()
    note.mkdir()
    assert read_spec(str(path)) == first


def test_a_warning_of_the_environment_is_told_each_time(tmp_path):
    """Also where nothing is opened."""
    folder = tmp_path / "m"
    folder.mkdir()
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    (folder / "m.pkl").write_bytes(pickle.dumps(model))
    (folder / "requirements.txt").write_text("scikit-learn==0.1\n")
    (folder / "MLmodel").write_text(
        "flavors:\n  sklearn: {pickled_model: m.pkl, serialization_format: pickle}\n"
    )
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"scikit-learn 0\.1"):
            read_spec(str(folder))
