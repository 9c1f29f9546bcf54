"""`environment: match` on a cluster: the packed environment has the versions that models record.

There the job finds that nothing differs. Spark and MLflow stay those of the cluster and of the
lock, and so does what no model records, as far as it fits.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from emr.machines.releases import release_of
from emr.package.requirements import normal, target_of
from sparkml.config.file import config_error
from sparkml.models.recorded import check_trusted, recorded

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from emr.spec import ClusterSpec
    from sparkml.config.file import Problem
    from sparkml.config.job import JobConfig
    from sparkml.models import FlavorRow
    from sparkml.models.mlmodel import MLmodel
    from sparkml.models.recorded import Recorded

Found = tuple["Path", "MLmodel | None", "FlavorRow"]
"""Where a model's files are, its `MLmodel`, and its flavor."""


def matched(
    config: JobConfig, found: Mapping[str, Found], spec: ClusterSpec, *, archive: str | None
) -> tuple[str, ...]:
    """The requirements that the models record which are to be matched; empty where none is.

    Args:
        config: the job's configuration.
        found: each model's name → its files, as far as they are known.
        spec: the cluster, with its Python and processors.
        archive: the one that the run names, if any.

    Raises:
        ConfigError: an archive is named, or two models record different versions.
        EnvironmentMismatch: a model records nothing, or another Python.
        UntrustedModel: its digest is not promised, and `trust` wants that.
    """
    asked = [
        name
        for name, entry in config.models.items()
        if (entry.environment or config.environment) == "match"
        and (name not in found or found[name][2].name != "spark")
    ]
    if not asked:
        return ()
    if archive:
        what = "environment: match needs the versions that the model records, and the run names an "
        what += "archive, into which nobody looks"
        fix = "leave environment.archive out of the run; or set environment: error, which compares"
        raise config_error([(what, f"models.{asked[0]}", fix)], "models")
    lines = {name: _recorded(name, found[name], spec) for name in asked if name in found}
    for name in lines:
        promised = config.models[name].digest is not None
        check_trusted(found[name][0], config.trust, promised=promised, where=f"models.{name}")
    problems = list(_conflicts({name: one.requirements for name, one in lines.items()}))
    if problems:
        raise config_error(problems, "models")
    return tuple(dict.fromkeys(line for one in lines.values() for line in one.requirements))


def _recorded(name: str, found: Found, spec: ClusterSpec) -> Recorded:
    place, description, _row = found
    where = f"models.{name}"
    noted = recorded(place, description, where=where, target=target_of(spec))
    known = release_of(spec.release).pythons
    noted.check_python(spec.python, where=where, fix="set python: '{}' of the cluster", known=known)
    return noted


def _conflicts(lines: Mapping[str, tuple[str, ...]]) -> list[Problem]:
    pins: dict[str, tuple[str, str]] = {}
    problems: list[Problem] = []
    for model, requirements in lines.items():
        for requirement in map(Requirement, requirements):
            version = str(requirement.specifier)
            if not re.fullmatch(r"==[^,*]+", version):
                continue
            first, known = pins.setdefault(normal(requirement.name), (model, version))
            if known != version:
                what = f"{first} records {requirement.name}{known}, {model} {version}"
                fix = "score them in two runs, or set environment: warn for one of them"
                problems.append((what, f"models.{model}", fix))
    return problems
