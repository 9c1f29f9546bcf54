"""`environment: match`: the libraries that a model records, made once for a host (`sites`).

What is installed here stays where it fits, so that an environment holds the difference alone. Its
name stands for the recorded requirements, what sparkml needs, and everything installed here.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from itertools import count
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from sparkml.errors import EnvironmentMismatch, SetupError
from sparkml.models.environment import installed_here
from sparkml.models.host_cache import staging
from sparkml.models.recorded import OURS, check_trusted, needs, recorded, unmet
from sparkml.models.sites import PREFIX, admit_site, holds_site, present, site_is_there
from sparkml.models.wheels import (
    HIDING,
    INDEX,
    Chosen,
    Target,
    UvFailed,
    UvMissing,
    brought,
    install,
    resolve,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from sparkml.models import FlavorRow
    from sparkml.models.mlmodel import MLmodel

BUILDER = 1
"""Raised when the same inputs would give another folder."""
HERE = Target()


def match(
    folder: Path,
    description: MLmodel | None,
    row: FlavorRow,
    *,
    where: str,
    trust: str,
    promised: bool,
) -> str:
    """The name of the environment that a model's files record; empty where it is what runs here.

    Runs on the driver. Costs a look at what is installed; where something differs, one reading of
    the environment's files, or the first time its building: seconds, and the package index. Spark
    ML models have none: the driver's Spark scores them.

    Raises:
        EnvironmentMismatch: nothing is recorded, another Python is, or no wheels fit.
        UntrustedModel: it would be built, and the model may not run code.
        SetupError: there is no uv, or the cache is not ours alone.
    """
    if row.name == "spark":
        return present()
    found = recorded(folder, description, where=where)
    here = ".".join(platform.python_version_tuple()[:2])
    found.check_python(
        here, where=where, fix="run the job by Python {}, which its workers have too"
    )
    lacking = unmet(found.requirements)
    if not lacking:
        return present()
    check_trusted(folder, trust, promised=promised, where=where)
    wanted = tuple(dict.fromkeys((*found.requirements, *lacking, *needs("spark", row.extra))))
    inputs = [BUILDER, platform.machine(), sorted(wanted), installed_here()]
    # One that was changed stays: workers may be running with it.
    names = (_named([*inputs, number] if number else inputs) for number in count())
    name = next(one for one in names if not site_is_there(one) or holds_site(one))
    if not site_is_there(name):
        _build(name, wanted, where=where)
    return name


def _named(inputs: list[Any]) -> str:
    return PREFIX + hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:40]


def _build(name: str, wanted: Iterable[str], *, where: str) -> None:
    """Make the environment; of several processes that do so at once, the first one's stays."""
    here = _installed()
    with staging() as scratch:
        made = scratch / "made"
        site = made / name
        site.mkdir(parents=True)
        listed = scratch / "listed.txt"
        try:
            preferred = (f"{known}=={_public(version)}" for known, version in here.items())
            changed = changed_of(resolve(wanted, HERE, preferred=preferred, scratch=scratch), here)
            listed.write_text("\n".join(changed), encoding="utf-8")
            install(listed, HERE, into=site, hashed=False)
        except UvMissing as error:
            raise SetupError(str(error), where=where, fix="pip install uv") from error
        except UvFailed as error:
            raise EnvironmentMismatch(
                f"the libraries that the model was trained with cannot be installed: {error}",
                where=where,
                fix="each needs a wheel for this Python and processor that sparkml runs with: log "
                f"the model again with such versions, or set environment: warn; {INDEX}",
            ) from error
        for module, of in brought(site, (*HIDING, "sparkml", "mlflow")).items():
            raise EnvironmentMismatch(
                f"the model's requirements bring {module}, which would hide the one that runs here",
                where=where,
                fix=f"log the model without {of or module}, or set environment: warn",
            )
        admit_site(made, name, changed)


def _installed() -> dict[str, str]:
    """What is installed here: each distribution's version."""
    found: dict[str, str] = {}
    for one in importlib.metadata.distributions():
        if one.name:  # else a remnant
            found.setdefault(canonicalize_name(one.name), one.version)
    return found


def _public(version: str) -> str:
    """The version that a build such as `2.4.0+cpu` is of."""
    return version.partition("+")[0]


def changed_of(chosen: Iterable[Chosen], here: Mapping[str, str]) -> list[str]:
    """What is to be installed: other versions than those here, and what is new and they need.

    What is installed as it is needs nothing more than it has: a build for the CPU alone, say.
    """
    chosen = [one for one in chosen if one.name not in OURS]
    known = {name: (version, _public(version)) for name, version in here.items()}
    new = {one.name for one in chosen if one.version not in known.get(one.name, ())}
    wanted = {one.name for one in chosen if one.name in new and (one.asked or one.name in here)}
    while further := {o.name for o in chosen if o.name in new and o.by & wanted} - wanted:
        wanted |= further
    return [str(one) for one in chosen if one.name in wanted]
