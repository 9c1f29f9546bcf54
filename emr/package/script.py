"""The script that spark-submit starts: a job's door, or a script of the user's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sparkml.errors import ConfigError, did_you_mean
from sparkml.models.wheels import project_folder

JOBS = {
    "score": "JobConfig",
    "features": "FeaturesConfig",
    "train": "TrainConfig",
    "train-many": "TrainManyConfig",
}
"""Our jobs, and the class of `sparkml.config` that each one's file describes."""

_DOOR = '''"""The job `{command}` of sparkml."""

import sys

from sparkml.cli import driver

if __name__ == "__main__":
    sys.exit(driver(sys.argv[1:], command="{command}"))
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A script; `job` is the row of `JOBS` that it is the door of, None for a user's own."""

    name: str
    data: bytes
    job: str | None


def script_of(job: str) -> Script:
    """The script of a job by its name, or at a path.

    A job's door is the one in `jobs/` where sparkml runs from its project's folder, and else made
    here: it is four lines.

    Raises:
        ConfigError: no such job and no such file.
    """
    name = job.replace("_", "-")
    if name in JOBS:
        file = f"{name.replace('-', '_')}.py"
        ours = _doors() / file
        data = ours.read_bytes() if ours.is_file() else _DOOR.format(command=name).encode()
        return Script(name=file, data=data, job=name)
    path = Path(job)
    if path.suffix != ".py" or not path.is_file():
        raise ConfigError(
            f"no job '{job}'",
            where="job",
            fix=f"{did_you_mean(job, JOBS)} Or give the path of a script (.py)",
        )
    stem = path.stem.replace("_", "-")
    is_door = stem in JOBS and path.resolve() == (_doors() / path.name).resolve()
    return Script(name=path.name, data=path.read_bytes(), job=stem if is_door else None)


def _doors() -> Path:
    return (project_folder() or Path("/nonexistent")) / "jobs"
