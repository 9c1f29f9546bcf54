"""The caller's side of the sandbox: a call to one function there, and what came of it."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sparkml.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sparkml.models.sandbox.confine import Limits

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.stdin.buffer.raw.readline()); "
    "from sparkml.models.sandbox.zygote import serve; serve()"
)
_ONE_THREAD = {
    **dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
    ),
    # Arrow's own allocators reserve a gigabyte, or start a thread.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "CUDA_VISIBLE_DEVICES": "",  # a driver only looks at the model
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""What is different in the sandbox's environment: one thread, no GPU, no background work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Died:
    """The call had no answer. `kind`: `time`, `memory` or `crash`; `said`: the last it wrote."""

    kind: str
    what: str
    said: str = ""


def call_confined(
    task: str,
    argument: Mapping[str, Any],
    limits: Limits,
    imports: Sequence[str] = (),
    *,
    ahead: str = "",
) -> Any:
    """What the function `task` (`module:name`) returns for `argument` there; or `Died`.

    Both are plain values, as JSON has them. Runs on the driver; the first call, and one after a
    pause, costs the start of a Python. `imports` are modules that the task will want: imported
    before the fork, they are there for the next call as well. `ahead` is a folder of libraries that
    come before this process's own: code of others, which the child alone imports, confined, forked
    from a process that has imported no library. Calls of several threads wait for each other.

    Raises:
        SetupError: the sandbox cannot be started, or ended itself.
    """
    call = {
        "task": task,
        "argument": argument,
        "limits": asdict(limits),
        "environment": {**os.environ, **_ONE_THREAD},
        "path": [ahead, *_path()] if ahead else _path(),
        "imports": [] if ahead else list(imports),
        "learns": not ahead,
    }
    with _lock:
        reply = _exchange(json.dumps(call).encode() + b"\n", bare=bool(ahead))
    return Died(**reply["died"]) if "died" in reply else reply["answer"]


_lock = threading.Lock()
_running: dict[tuple[int, bool], subprocess.Popen[bytes]] = {}
"""This process's sandboxes by the process's number: a fork of it must not use the same ones. The
`bare` one imports nothing for its children."""


def start() -> None:
    """Start the sandbox now, so that it is there when it is called."""
    with _lock:
        _process()


def _exchange(line: bytes, *, bare: bool) -> dict[str, Any]:
    for _ in range(2):  # one that had waited long enough ends by itself, perhaps just now
        process = _process(bare=bare)
        assert process.stdin is not None  # noqa: S101
        assert process.stdout is not None  # noqa: S101
        try:
            process.stdin.write(line)
            process.stdin.flush()
            reply = process.stdout.readline()
        except OSError:
            reply = b""
        except BaseException:  # Ctrl-C in the middle: what comes later is nobody's answer
            _end(bare=bare)
            raise
        if reply.endswith(b"\n"):
            return dict(json.loads(reply))
        _end(bare=bare)
    raise SetupError(
        "the process in which models are opened first cannot be started, or was ended",
        where=sys.executable,
        fix="look whether memory and the temporary folder have room, and whether this Python can "
        "import sparkml",
    )


def _process(*, bare: bool = False) -> subprocess.Popen[bytes]:
    found = _running.get((os.getpid(), bare))
    if found is not None and found.poll() is None:
        return found
    _end(bare=bare)
    if not sys.executable:
        raise SetupError(
            "this process has no Python to start the one in which models are opened first",
            where="sys.executable",
            fix="run it with a Python of its own",
        )
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _START],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **_ONE_THREAD},
        start_new_session=True,  # Ctrl-C is ours to hear
    )
    assert process.stdin is not None  # noqa: S101
    process.stdin.write(json.dumps(_path()).encode() + b"\n")
    process.stdin.flush()
    _running[os.getpid(), bare] = process
    return process


@atexit.register
def stop() -> None:
    """End the sandboxes; the next call starts a new one."""
    for process, bare in list(_running):
        if process == os.getpid():
            _end(bare=bare)


def _end(*, bare: bool) -> None:
    process = _running.pop((os.getpid(), bare), None)
    if process is None:
        return
    process.kill()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(BrokenPipeError):  # what it never read
                stream.close()
    process.wait()


def _path() -> list[str]:
    """Where modules are found here; the empty entry, which is the current folder, by its name.

    What is no text there (a `Path`), Python itself passes over.
    """
    return [place or os.getcwd() for place in sys.path if isinstance(place, str)]  # noqa: PTH109
