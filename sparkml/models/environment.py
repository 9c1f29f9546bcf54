"""The libraries that a model was trained with, compared with those that run here."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import sys
import warnings
from typing import TYPE_CHECKING, Any, TypeVar

from sparkml.errors import ConfigError, EnvironmentMismatch, did_you_mean
from sparkml.models import FLAVORS, MAJOR, MINOR
from sparkml.models.documents import text_of, yaml_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from sparkml.models.mlmodel import MLmodel

POLICIES = ("ignore", "warn", "error", "match")
Kind = TypeVar("Kind", list[Any], dict[str, Any])

_LONGEST_LINE = 500
_PIN = re.compile(r"^\s*([A-Za-z0-9._-]+)\s*(?:\[[^]]*\])?\s*===?\s*([^\s;,#]+)")


class EnvironmentWarning(UserWarning):
    """The libraries here differ from those that the model was trained with."""


def environment_differences(
    folder: Path, description: MLmodel | None, flavor: str
) -> tuple[str, ...]:
    """What differs between the recorded environment and this one, e.g. `numpy 1.26.4 (here 2.1.0)`.

    Reads `requirements.txt`, `python_env.yaml`, `conda.yaml` and the `MLmodel` file; exact pins
    only, since a range says nothing about what was there. Nothing recorded: nothing differs.
    """
    recorded = recorded_versions(folder, description)
    found = []
    for package, parts in _libraries(flavor).items():
        if package in recorded:
            found.append(_compare(package, recorded[package], _installed(package), parts))
    if "python" in recorded:
        # Byte code changes with Python's minor version, and pickles by cloudpickle hold it.
        parts = MINOR if _holds_byte_code(description, flavor) else MAJOR
        found.append(_compare("Python", recorded["python"], platform.python_version(), parts))
    return tuple(filter(None, found))


def _libraries(flavor: str) -> Mapping[str, int]:
    return next((row.libraries for row in FLAVORS if row.name == flavor), {})


def check_environment(policy: str, differences: Iterable[str], *, where: str) -> None:
    """Tell about `differences` in one line, by `policy`: a warning, an error, or nothing.

    Under `match` these are what could not be matched, such as MLflow's own version: a warning.

    Raises:
        EnvironmentMismatch: the policy is `error`.
        ConfigError: no such policy.
    """
    if policy not in POLICIES:
        raise ConfigError(
            f"unknown policy '{policy}'", where="environment", fix=did_you_mean(policy, POLICIES)
        )
    found = ", ".join(differences)
    if not found or policy == "ignore":
        return
    what = f"trained with {found}"
    if policy == "error":
        raise EnvironmentMismatch(
            what,
            where=where,
            fix="set environment: match, or warn, or install those versions",
        )
    warnings.warn(f"{where}: {what}", EnvironmentWarning, stacklevel=3)


def recorded_versions(folder: Path, description: MLmodel | None) -> dict[str, str]:
    """Package → exact version, as far as the model's files record it; `python` among them."""
    found = dict(description.versions) if description else {}
    conda = _of(list, _yaml(folder / "conda.yaml").get("dependencies"))
    lines = [line.replace("=", "==", 1) for line in conda if isinstance(line, str)]
    lines = [line.replace("====", "==") for line in lines]
    for entry in conda:
        lines += map(str, _of(list, _of(dict, entry).get("pip")))
    if (folder / "requirements.txt").is_file():
        lines += text_of(folder / "requirements.txt").splitlines()
    for line in lines:
        if pinned := _PIN.match(line[:_LONGEST_LINE]):
            found.setdefault(pinned[1].lower().replace("_", "-"), pinned[2])
    python = _yaml(folder / "python_env.yaml").get("python")
    if python:
        found.setdefault("python", str(python))
    return found


def installed_here() -> list[str]:
    """The versions of everything that is installed here, by the names of what pip leaves behind."""
    found = {platform.python_version()}
    for place in sys.path:
        try:
            found.update(n for n in os.listdir(place or ".") if n.endswith("-info"))  # noqa: PTH208
        except OSError:  # a zip, whose name tells its version, or not there
            found.add(os.path.basename(place))  # noqa: PTH119
    return sorted(found)


def _of(kind: type[Kind], value: Any) -> Kind:
    """The value where it is of that kind, else an empty one."""
    return value if isinstance(value, kind) else kind()


def _compare(package: str, recorded: str, here: str | None, parts: int) -> str:
    if here is None:
        return f"{package} {recorded} (not installed here)"
    if recorded.split(".")[:parts] == here.split(".")[:parts]:
        return ""
    return f"{package} {recorded} (here {here})"


def _installed(package: str) -> str | None:
    # One distribution or the other brings the same library.
    twins = {"mlflow": "mlflow-skinny", "mlflow-skinny": "mlflow"}
    for name in (package, twins.get(package, "")):
        try:
            return importlib.metadata.version(name) if name else None
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def _holds_byte_code(description: MLmodel | None, flavor: str) -> bool:
    if description is None:
        return False
    if flavor in ("sklearn", "lightgbm"):
        own = description.flavors.get(flavor, {})
        return str(own.get("serialization_format", "pickle")) == "cloudpickle"
    if flavor == "keyed":
        return True
    return "python_model" in description.flavors.get("python_function", {})


def _yaml(path: Path) -> Mapping[str, Any]:
    return yaml_of(path) if path.is_file() else {}
