"""The job's configuration as it travels: every layer resolved, and no place out of reach."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from emr.package.places import PLACES, check_addresses, texts
from emr.package.script import JOBS
from emr.request.secrets import refuse_secrets
from sparkml.errors import ConfigError
from sparkml.files import scheme_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emr.job_run import JobRun
    from sparkml.config.fields import Section
    from sparkml.config.layers import Loaded

_SECTIONS = frozenset({"source", "steps", "sink", "result", "predictions", "registry"})
_SAME_MACHINE = frozenset({"", "file", "sqlite"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A job's configuration; `loaded` is None for a user's own script, which reads `data`."""

    loaded: Loaded[Any] | None
    data: bytes = b""


def resolved_config(
    run: JobRun, job: str | None, *, env: Mapping[str, str] | None = None
) -> Resolved:
    """The run's configuration: file, environment (`SPARKML__…`) and sets, checked; no network.

    Raises:
        ConfigError: anything in it is wrong; or sets are given to a script of the user's own.
        SecretInRequest: a line of such a script's configuration looks like a secret.
    """
    from sparkml import config as kinds

    if job is not None:
        kind = getattr(kinds, JOBS[job])
        loaded = kinds.load_as(kind, run.config, sets=run.sets, env=env)
        check_addresses(loaded.config)
        return Resolved(loaded=loaded)
    if run.sets:
        raise ConfigError(
            "--set changes the configuration of our jobs, and this script is none of them",
            where="--set",
            fix="write the values into the file",
        )
    file = Path(run.config)
    if not file.is_file():
        raise ConfigError("no such file", where=run.config, fix="correct config of the run")
    data = file.read_bytes()
    # Whatever its format is, it is text that lies on S3.
    lines = enumerate(data.decode("utf-8", "replace").splitlines(), start=1)
    refuse_secrets({f"line {number}": line for number, line in lines}, where=run.config)
    return Resolved(loaded=None, data=data)


def config_bytes(config: Section) -> bytes:
    """The configuration as YAML, every default written out.

    Raises:
        SecretInRequest: it holds what looks like a key, a token or a password.
    """
    values = config.model_dump(mode="json", by_alias=True)
    refuse_secrets(values, where="config")
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100).encode()


def check_reach(config: Section) -> None:
    """Refuse a configuration with places of this machine.

    Raises:
        ConfigError: names every one, with its fix; `problems` holds one line each.
    """
    problems = out_of_reach(config)
    if problems:
        text = "; ".join(what for what, _ in problems)
        fix = " ".join(f"--set {set_}" for _, set_ in problems if set_)
        raise ConfigError(
            f"a cluster cannot reach what is on this machine: {text}",
            where="config",
            fix=fix or "name places on s3://",
            problems=tuple(what for what, _ in problems),
        )


def out_of_reach(config: Section) -> list[tuple[str, str]]:
    """The places of this machine that a configuration names, each with the `--set` that mends it.

    A scoring job's local registry is no such place: the models in it travel with the run.
    """
    values = config.model_dump(mode="json", by_alias=True)
    found = []
    for key, value in texts({k: v for k, v in values.items() if k in _SECTIONS}):
        name = key.rpartition(".")[2]
        registry = key == "registry.tracking_uri"
        if name not in PLACES or (registry and "models" in values):
            continue
        if scheme_of(value) in _SAME_MACHINE and not value.startswith("databricks"):
            tail = "/".join(part for part in Path(value).parts[-2:] if part != "/")
            instead = "https://…" if registry else f"s3://bucket/{tail}"
            found.append((f"{key} is {value}", f"{key}={instead}"))
    if (values.get("spark") or {}).get("master"):
        found.append((f"spark.master is {values['spark']['master']}", "spark.master=null"))
    if values.get("output") and not values.get("register"):
        found.append((f"output is {values['output']}, on the driver", "register.name=NAME"))
    return found
