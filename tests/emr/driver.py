"""A program called `spark-submit` that is no Spark: it does what a test tells it, and writes logs.

The endpoint runs it as a step's command. It tells an application's id as YARN's client does, and
writes its driver's logs where a node manager would.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import boto3
import yaml

from tests.emr.endpoint import Runner, folder_logs

if TYPE_CHECKING:
    from pathlib import Path

_PROGRAM = """#!{python}
import json, os, pathlib, signal, sys, time
home = pathlib.Path({home!r})
told = json.loads((home / "told.json").read_text())
with (home / "runs.txt").open("a") as runs:
    runs.write(" ".join(sys.argv[1:]) + "\\n")
number = len((home / "runs.txt").read_text().splitlines())
app = f"application_1700000000000_{{number:04d}}"
print(f"INFO Client: Submitted application {{app}}", file=sys.stderr, flush=True)
for attempt in (1, 2)[: told["attempts"]]:
    name = f"container_1700000000000_{{number:04d}}_{{attempt:02d}}_000001"
    container = home / "yarn" / app / name
    container.mkdir(parents=True)
    (container / "stdout").write_text(f"attempt {{attempt}}\\n" + told["stdout"])
    (container / "stderr").write_text(told["stderr"])
    (container.with_name(container.name[:-1] + "2")).mkdir()
    (container.with_name(container.name[:-1] + "2") / "stdout").write_text("an executor\\n")
end = time.monotonic() + told["seconds"]
while time.monotonic() < end and not (home / "go").exists():
    time.sleep(0.05)
sys.exit(told["status"])
"""


class Driver:
    """The stand-in for `spark-submit`, and what it is to do next time."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "bin").mkdir(parents=True)
        program = home / "bin" / "spark-submit"
        program.write_text(_PROGRAM.format(python=sys.executable, home=str(home)))
        program.chmod(0o755)
        self.does()

    def does(self, *, stdout="scored 3 rows\n", stderr="", seconds=0.0, status=0, attempts=1):
        """What every run from now on writes, how long it takes, and how it ends."""
        told = {"stdout": stdout, "stderr": stderr, "seconds": seconds, "status": status}
        (self.home / "told.json").write_text(json.dumps({**told, "attempts": attempts}))

    def go(self):
        """Let a run that takes its time come to its end now."""
        (self.home / "go").touch()

    @property
    def runs(self):
        """The arguments of every run there was."""
        file = self.home / "runs.txt"
        return file.read_text().splitlines() if file.exists() else []

    def runner(self) -> Runner:
        """What the endpoint runs commands with."""
        path = f"{self.home / 'bin'}:{os.environ['PATH']}"
        return Runner(
            folder=self.home / "steps",
            environment={"PATH": path, "LANG": "C.UTF-8"},
            container_logs=folder_logs(self.home / "yarn"),
        )


def write_job(folder: Path, bucket: str) -> list[str]:
    """A script with its configuration, an environment on S3: the options that submit it."""
    (folder / "count.py").write_text("print('scored 3 rows')\n")
    (folder / "count.yaml").write_text("rows: 3\n")
    boto3.client("s3").put_object(Bucket=bucket, Key="env.tar.gz", Body=b"an environment")
    return [
        str(folder / "count.py"),
        "--config",
        str(folder / "count.yaml"),
        "--run-set",
        f"environment.archive=s3://{bucket}/env.tar.gz",
    ]


def write_spec(folder: Path, bucket: str, **changes) -> str:
    """A small cluster whose artifacts and logs go to the bucket."""
    spec = {
        "name": "small",
        "artifacts": f"s3://{bucket}/sparkml",
        "primary": {"types": "m7g.xlarge", "on_demand": 1},
        "core": {"types": "m7g.xlarge", "on_demand": 1},
        "idle_timeout_s": None,
        **changes,
    }
    file = folder / "small.yaml"
    file.write_text(yaml.safe_dump(spec))
    return str(file)


def last(text: str) -> str:
    """The last line that a command said."""
    return text.strip().splitlines()[-1]
