"""The process that forks: one thread, a clean start, the libraries imported once for many calls.

It reads a call a line, forks a child that confines itself and answers, and says in a line how that
ended. It looks at nothing of what the call is about. Forking the caller instead would copy its
threads' locks, its JVM's pipes and its secrets; starting Python anew costs a second for each call.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NoReturn

from sparkml.models.sandbox.confine import Limits, confine

IDLE_S = 20.0
"""So long it waits for the next call; then it ends, and gives its memory back."""

LONGEST_S = 120.0
"""Whatever it imports or waits for, this much longer than its `time_s` a call never takes."""

LARGEST_ANSWER = 64 << 20

WORTH_KEEPING = frozenset(
    {"catboost", "joblib", "lightgbm", "mlflow", "numpy", "pandas", "pyarrow", "scipy", "skops"}
    | {"sklearn", "sparkml", "statsmodels", "xgboost"}
)
"""Packages whose modules are imported here, before a fork, once a call or a child has named them.

Here is where Python can also write their byte code down. None of them starts a thread, which a fork
would lose (ONNX Runtime does).
"""

_NO_MEMORY = ("bad_alloc", "memoryerror", "out of memory", "cannot allocate memory")


def serve() -> None:
    """Answer calls from stdin on stdout until stdin ends or nobody calls for a while."""
    calls, replies = os.dup(0), os.dup(1)
    _point_to_null(0, 1)
    learned: set[str] = set()
    with open(calls, "rb", buffering=0) as lines:  # noqa: PTH123 -- a descriptor
        buffer = b""
        while True:
            line, _, buffer = _next_line(lines, buffer)
            if not line:
                return
            call = json.loads(line)
            learned |= {name for name in call["imports"] if _worth_keeping(name)}
            for name in sorted(learned - sys.modules.keys()):
                with contextlib.suppress(Exception):  # then the child will import it, or fail
                    importlib.import_module(name)
            gc.freeze()  # what stands now is shared with every child, and stays so
            reply = _call(call, held=(calls, replies))
            imported = reply.pop("imported", ())
            if call["learns"]:
                learned |= {name for name in imported if _worth_keeping(name)}
            _write_all(replies, json.dumps(reply).encode() + b"\n")


def _next_line(lines: Any, buffer: bytes) -> tuple[bytes, bytes, bytes]:
    while b"\n" not in buffer:
        ready = select.select([lines], [], [], IDLE_S)[0]
        piece = lines.read(1 << 20) if ready else b""
        if not piece:
            return b"", b"", b""
        buffer += piece
    return buffer.partition(b"\n")


def _call(call: dict[str, Any], held: tuple[int, ...]) -> dict[str, Any]:
    """Fork, watch, and tell how it ended: `answer`, or `died` with what happened.

    `held` is what the child must not have: whoever writes there answers other calls than its own.
    """
    limits = Limits(**call["limits"])
    folder = Path(tempfile.mkdtemp(prefix="sparkml-sandbox-"))
    answers, answer = os.pipe()
    imports, imported = os.pipe()
    os.set_blocking(imported, False)  # a full pipe says enough
    try:
        child = os.fork()
        if not child:
            _close(*held)
            _in_child(call, limits, folder, answer, imported)
        _close(answer, imported)
        with contextlib.suppress(OSError):
            os.setpgid(child, child)
        text, ran_out = _watch(child, answers, imports, limits)
        with contextlib.suppress(OSError):
            os.killpg(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        with contextlib.suppress(ValueError, TypeError, LookupError, RecursionError):
            told = dict(json.loads(text))
            return {"answer": told["answer"], "imported": list(told["imported"])}
        return {"died": _what_happened(status, limits, folder, ran_out=ran_out)}
    finally:
        _close(answers, imports)
        shutil.rmtree(folder, ignore_errors=True)


def _watch(child: int, answers: int, imports: int, limits: Limits) -> tuple[bytes, bool]:
    """What the child wrote, and whether its time ran out first."""
    text = b""
    silent_since = time.monotonic()
    last = silent_since + LONGEST_S
    while not text.endswith(b"\n") and len(text) < LARGEST_ANSWER:
        until = silent_since + limits.time_s + min(_waited_s(child), limits.time_s / 2)
        left = min(until, last + limits.time_s) - time.monotonic()
        if left <= 0:
            return text, True
        ready = select.select([answers, imports], [], [], left)[0]
        if imports in ready and os.read(imports, 1 << 16):
            silent_since = time.monotonic()
        if answers in ready:
            piece = os.read(answers, 1 << 20)
            if not piece:
                break
            text += piece
    return text, False


def _waited_s(child: int) -> float:
    """How long it stood in line for a processor: on a crowded machine that is not its own time."""
    try:
        return int(Path(f"/proc/{child}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


def _what_happened(status: int, limits: Limits, folder: Path, *, ran_out: bool) -> dict[str, str]:
    said = _last_words(folder / "stderr")
    if ran_out:
        return {"kind": "time", "what": f"took longer than {limits.time_s:g} s"}
    if any(word in said.lower() for word in _NO_MEMORY):
        return {"kind": "memory", "what": f"needed more than {limits.memory_mib} MiB of memory"}
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return {"kind": "crash", "what": f"ended the process by {name}", "said": said}
    code = os.waitstatus_to_exitcode(status)
    return {"kind": "crash", "what": f"ended the process with status {code}", "said": said}


def _last_words(stderr: Path) -> str:
    try:
        with stderr.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 2000))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")[:300]


def _in_child(
    call: dict[str, Any], limits: Limits, folder: Path, answer: int, imported: int
) -> NoReturn:
    """Never returns: whatever happens, this process ends here."""
    try:
        os.setpgid(0, 0)
        os.dup2(os.open(folder / "stderr", os.O_WRONLY | os.O_CREAT, 0o600), 2)
        before = set(sys.modules)
        os.environ.clear()
        os.environ.update(call["environment"], TMPDIR=str(folder))
        tempfile.tempdir = None
        confine(limits, folder)
        sys.path[:] = call["path"]  # libraries of the model's own, perhaps
        sys.addaudithook(lambda event, _: _tell(imported) if event == "import" else None)
        module, _, name = call["task"].partition(":")
        made = getattr(importlib.import_module(module), name)(call["argument"])
        new = [name for name in sys.modules if name not in before and _worth_keeping(name)]
        _write_all(answer, json.dumps({"answer": made, "imported": new}).encode() + b"\n")
    except BaseException as error:  # noqa: BLE001 -- SystemExit too: the model may have raised it
        try:
            print(f"{type(error).__name__}: {error}"[:1000], file=sys.stderr, flush=True)
        finally:  # the text of an error may raise anything as well
            os._exit(1)
    os._exit(0)


def _worth_keeping(name: Any) -> bool:
    return str(name).partition(".")[0] in WORTH_KEEPING


def _tell(imported: int) -> None:
    with contextlib.suppress(OSError):
        os.write(imported, b".")


def _write_all(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _point_to_null(*descriptors: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in descriptors:
        os.dup2(null, descriptor)
