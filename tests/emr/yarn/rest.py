"""What a YARN tells from outside: its REST interface, and its containers' log folders."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import Request, urlopen

if TYPE_CHECKING:
    from pathlib import Path


def get(url: str) -> dict[str, Any]:
    """A page of the REST interface."""
    with urlopen(Request(url, headers={"Accept": "application/json"}), timeout=10) as answer:
        page: dict[str, Any] = json.load(answer)
    return page


def running_nodes(rest_url: str) -> int:
    """How many nodes have joined; 0 as well where nobody answers yet."""
    try:
        return int(get(f"{rest_url}/metrics")["activeNodes"])
    except (URLError, OSError, LookupError):
        return 0


def state(rest_url: str, number: str) -> str:
    """An application's state: ACCEPTED, RUNNING, FINISHED, FAILED, KILLED …

    (`/apps/…` itself has no such fields here: Spark's Hadoop jars hide JAXB from the daemons.)
    """
    return str(get(f"{rest_url}/apps/{number}/state")["state"])


def logs_link(rest_url: str, number: str) -> str:
    """Where the NodeManager shows the log of the last attempt's driver."""
    return str(get(f"{rest_url}/apps/{number}/appattempts")["attempts"][-1]["logsLink"])


def final_status(stderr: str) -> str:
    """SUCCEEDED or FAILED, as YARN told spark-submit at the end; empty if it told nothing."""
    return (re.findall(r"final status: (\w+)", stderr) or [""])[-1]


def application_in(stderr: str) -> str:
    """The application that a spark-submit started, by what it prints; empty if none."""
    found = re.search(r"application_\d+_\d+", stderr)
    return found[0] if found else ""


def container_logs(logs: Path, number: str) -> dict[str, str]:
    """Each log file of an application, by `container/file`."""
    files = sorted((logs / number).glob("container_*/*"))
    kept = [f for f in files if f.name in {"stdout", "stderr"}]
    return {f"{f.parent.name}/{f.name}": f.read_text(errors="replace") for f in kept}
