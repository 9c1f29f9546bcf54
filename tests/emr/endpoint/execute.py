"""One command in a process group of its own: started, watched, ended by SIGTERM, then SIGKILL."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ContainerLogs = Callable[[str], Mapping[str, Mapping[str, bytes]]]
"""From a YARN application's id to its containers' ids, and each container's files by name."""

_WATCH_S = 0.05


def _bare_environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Where and with what the commands of steps and bootstrap actions run."""

    folder: Path
    """Scratch: each step works in `<folder>/<cluster>/<step>/work`, its logs lie beside."""
    environment: Mapping[str, str] = field(default_factory=_bare_environment)
    """The whole environment of every command; PATH alone unless given."""
    container_logs: ContainerLogs | None = None
    """Fetches what YARN's containers wrote; nothing is stored of them when None."""


def folder_logs(folder: Path) -> ContainerLogs:
    """Containers' logs out of a node manager's log folder: `<folder>/<app>/<container>/<file>`."""

    def fetch(application: str) -> dict[str, dict[str, bytes]]:
        containers = sorted(folder.glob(f"**/{application}/container_*"))
        return {
            container.name: {
                file.name: file.read_bytes() for file in container.iterdir() if file.is_file()
            }
            for container in containers
        }

    return fetch


def execute(
    argv: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    wanted_to_end: Callable[[], float | None],
    started: Callable[[int], None] = lambda pid: None,
) -> int:
    """Run a command in `folder/work`, its output in `folder/stdout` and `folder/stderr`.

    Args:
        argv: The program and its arguments; no shell sees them.
        folder: Where it works and writes.
        environment: All of its environment; the program is looked for on its PATH.
        wanted_to_end: None while it may run on, else the seconds between SIGTERM and SIGKILL.
        started: Told the process's id.

    Returns:
        The exit status; negative, the signal that ended it; 127 if there is no such program.
    """
    (folder / "work").mkdir(parents=True, exist_ok=True)
    with (folder / "stdout").open("ab") as stdout, (folder / "stderr").open("ab") as stderr:
        try:
            process = subprocess.Popen(
                list(argv),
                cwd=folder / "work",
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
        except OSError as why:
            stderr.write(f'Cannot run program "{argv[0]}": {why.strerror}\n'.encode())
            return 127
        started(process.pid)
        while process.poll() is None:
            grace_s = wanted_to_end()
            if grace_s is not None:
                _end(process, grace_s)
            time.sleep(_WATCH_S)
        return process.returncode


def _end(process: subprocess.Popen[bytes], grace_s: float) -> None:
    """SIGTERM to the whole group, SIGKILL to what is left of it after the grace, if any."""
    if grace_s > 0:
        _signal(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace_s)
    _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
