"""The libraries that a model's files record, as requirements that can be installed.

What MLflow writes is read: `requirements.txt`, where there is none the `pip` part of `conda.yaml`;
conda's own dependencies; the `MLmodel`'s versions of what none of these pins. The versions of Spark
and MLflow are nobody's to choose: a worker's PySpark is the driver's, and MLflow is what opens the
model here.
"""

from __future__ import annotations

import importlib.metadata
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sparkml.errors import EnvironmentMismatch, UntrustedModel
from sparkml.models.conda import pip_line
from sparkml.models.digest import digest_of
from sparkml.models.documents import text_of, yaml_of
from sparkml.models.environment import recorded_versions
from sparkml.models.wheels import PROVIDED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sparkml.models.mlmodel import MLmodel

OURS = PROVIDED | {"mlflow", "mlflow-skinny", "mlflow-tracing", "sparkml"}
"""Distributions that stay as they are here, whatever a model records."""
LEFT_OUT = frozenset({"nvidia-nccl-cu12"})
"""What XGBoost asks for to train on several GPUs, 300 MB. It scores without, so a cluster's
environment and the lock leave it out (`tools/lock.sh`), and no model is given it."""
PYTHONS = ("3.11", "3.12", "3.13")
"""The versions of Python that sparkml runs on."""

MOST_LINES, LONGEST_LINE = 2_000, 2_000

_OF_THE_INDEX = re.compile(r"-(i|f|-[a-z-]*(index|host|links|binary|pre))\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a model's files record; `requirements` are lines of a requirements file.

    `python` is the version under which it was logged, empty where nobody says.
    """

    requirements: tuple[str, ...]
    python: str = ""

    def check_python(
        self, python: str, *, where: str, fix: str, known: Sequence[str] = PYTHONS
    ) -> None:
        """Refuse a Python (`3.11`) of another minor version.

        Raises:
            EnvironmentMismatch: it is another; `fix` says how to have the recorded one (`{}`),
                where it is one of `known`.
        """
        recorded = ".".join(self.python.split(".")[:2])
        if not recorded or recorded == python:
            return
        fix = fix.format(recorded)
        if recorded not in known:
            fix = f"log the model again under Python {' or '.join(known)}"
        raise EnvironmentMismatch(
            f"the model was logged under Python {recorded}, and is to be scored by {python}",
            where=where,
            fix=f"{fix}, or set environment: warn",
        )


def recorded(
    folder: Path,
    description: MLmodel | None,
    *,
    where: str,
    target: Mapping[str, str] | None = None,
) -> Recorded:
    """The requirements that a model's files record.

    Reads small files only. Options that choose an index are passed over: this machine's own decide.
    `target` holds the values of markers for another Python and processor than those here.

    Raises:
        EnvironmentMismatch: nothing is recorded, or a line that no index has: an address, a path,
            another file.
        ModelUnreadable: a file is too large, or no YAML.
    """
    lines = [*_lines(folder), *_of_conda(folder, where)]
    if len(lines) > MOST_LINES:
        raise _no_library(f"{len(lines):,} lines", where)
    marked = {"extra": "", **(target or {})}
    found = [one for line in lines if (one := _parsed(line, marked, where))]
    pinned = {canonicalize_name(one.name) for one in found if one.specifier}
    for name, version in (description.versions if description else {}).items():
        if name not in {"python", *pinned}:
            found += filter(None, [_parsed(f"{name}=={version}", marked, where)])
    kept = [one for one in found if canonicalize_name(one.name) not in OURS | LEFT_OUT]
    if not any(one.specifier for one in kept):
        raise EnvironmentMismatch(
            "the model records no versions of the libraries that it was trained with",
            where=where,
            fix="log it by MLflow, which writes requirements.txt, or set environment: warn",
        )
    python = recorded_versions(folder, description).get("python", "")
    return Recorded(requirements=tuple(dict.fromkeys(map(str, kept))), python=python)


def check_trusted(folder: Path, trust: str, *, promised: bool, where: str) -> None:
    """Refuse to install what a model's files name, which is code that will run.

    Reads them once where it refuses, to tell their digest.

    Raises:
        UntrustedModel: the policy `trust` lets this model run none.
    """
    if trust == "always" or (trust == "promised" and promised):
        return
    raise UntrustedModel(
        "environment: match installs and runs the libraries that the model's files name, which "
        "trust allows to those whose digest is promised",
        where=where,
        fix="if you know that the files are right, set trust: promised and write digest: "
        f"{digest_of(folder)} into the configuration; or set environment: warn",
    )


def unmet(requirements: Iterable[str]) -> tuple[str, ...]:
    """Those of the requirements that what is installed here does not meet.

    Where a library is met and its extras are not, it is what they need.
    """
    found = (lack for line in requirements for lack in _unmet(Requirement(line), frozenset()))
    return tuple(dict.fromkeys(found))


def needs(*extras: str, target: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """What sparkml with these extras needs besides Spark, as requirements; MLflow as it is here.

    Empty where sparkml runs without its metadata, from a zip of its modules. `target` as above.
    """
    try:
        lines = importlib.metadata.requires("sparkml") or []
    except importlib.metadata.PackageNotFoundError:
        return ()
    found = []
    for need in map(Requirement, lines):
        chosen = ({**(target or {}), "extra": one} for one in ("", *extras))
        if need.marker and not any(map(need.marker.evaluate, chosen)):
            continue
        name, need.marker = canonicalize_name(need.name), None
        if name in OURS - PROVIDED and (version := installed_version(name)):
            found.append(f"{name}=={version}")
        elif name not in PROVIDED:
            found.append(str(need))
    return tuple(dict.fromkeys(found))


def installed_version(name: str) -> str | None:
    """The version of a distribution that is installed here; None where it is not."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _unmet(requirement: Requirement, asked: frozenset[str]) -> Iterator[str]:
    version = installed_version(requirement.name)
    if version is None or not requirement.specifier.contains(version, prereleases=True):
        yield str(requirement)
        return
    lines = importlib.metadata.requires(requirement.name) if requirement.extras else []
    for need in map(Requirement, lines or []):
        marker, need.marker = need.marker, None
        if not marker or marker.evaluate({"extra": ""}):
            continue  # whatever stands here has what it needs
        of_extra = any(marker.evaluate({"extra": one}) for one in requirement.extras)
        if of_extra and str(need) not in asked and canonicalize_name(need.name) not in OURS:
            yield from _unmet(need, asked | {str(need)})


def _parsed(line: str, target: Mapping[str, str], where: str) -> Requirement | None:
    """The requirement without its marker; None where the marker says that it is for others."""
    try:
        parsed = Requirement(line[: LONGEST_LINE + 1])
        marker, parsed.marker = parsed.marker, None
        applies = marker is None or marker.evaluate(dict(target))
    except (ValueError, LookupError, RecursionError):  # as packaging raises them
        raise _no_library(repr(line[:80]), where) from None
    if parsed.url or len(line) > LONGEST_LINE:
        raise _no_library(repr(line[:80]), where)
    return parsed if applies else None


def _no_library(
    named: str, where: str, *, what: str = "is no library of a package index"
) -> EnvironmentMismatch:
    return EnvironmentMismatch(
        f"the model's requirements name {named}, which {what}",
        where=where,
        fix="log the model with a released version of it in pip's requirements, or set "
        "environment: warn",
    )


def _lines(folder: Path) -> list[str]:
    """`requirements.txt`, else `conda.yaml`'s part for pip; without comments, hashes, options."""
    file = folder / "requirements.txt"
    if file.is_file():
        text = re.sub(r"\\\s*\n", " ", text_of(file))
        lines = (re.split(r"(?:^|\s)(?:#|--hash)", line, maxsplit=1) for line in text.splitlines())
        found = [line[0].strip() for line in lines]
    else:
        found = [str(line).strip() for one in _conda(folder) for line in _for_pip(one) or ()]
    return [line for line in found if line and not _OF_THE_INDEX.match(line)]


def _conda(folder: Path) -> list[Any]:
    file = folder / "conda.yaml"
    found = yaml_of(file).get("dependencies") if file.is_file() else []
    return found if isinstance(found, list) else []


def _of_conda(folder: Path, where: str) -> Iterator[str]:
    """The dependencies of conda's own, as lines for pip."""
    for entry in _conda(folder):
        if _for_pip(entry) is None:
            try:
                yield from filter(None, [pip_line(str(entry)[:LONGEST_LINE])])
            except ValueError as error:
                raise _no_library(repr(str(entry)[:80]), where, what=str(error)) from None


def _for_pip(entry: Any) -> list[Any] | None:
    """The lines for pip, where an entry of conda's holds them."""
    pip = entry.get("pip") if isinstance(entry, dict) else None
    return pip if isinstance(pip, list) else None
