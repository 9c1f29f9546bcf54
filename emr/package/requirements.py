"""What an environment holds: the chosen extras' libraries at the locked versions, without Spark.

Which libraries an extra needs is read from the metadata of what is installed here; at which
version, and with which hashes, from the project's lock. Where sparkml runs from a wheel there is
no lock, and the versions are those installed here.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from emr.errors import PackageError
from emr.machines.instances import arch_of
from sparkml.errors import ConfigError, did_you_mean
from sparkml.models.recorded import LEFT_OUT, needs
from sparkml.models.wheels import PROVIDED, project_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from emr.spec import ClusterSpec

ALWAYS = "spark"
"""The extra that every job on a cluster needs, but for what is `PROVIDED`: pandas."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """`text` is a requirements file for uv; `names` are its `name==version`.

    `own` is the user's further file, whose lines have hashes. Where models' own versions are
    matched, `wanted` holds these and what sparkml needs, `names` has them in their places, and what
    is installed is resolved when it is built; only the lock's versions have hashes then.
    """

    text: str
    names: tuple[str, ...]
    hashed: bool
    own: bytes = b""
    wanted: tuple[str, ...] = ()

    @property
    def distributions(self) -> frozenset[str]:
        """The names of what is installed, the user's own among them."""
        listed = (re.split(r"[^\w.-]", name, maxsplit=1)[0] for name in self.names)
        return frozenset({*map(normal, listed), *_named_in(self.own)})

    @property
    def digest(self) -> str:
        """One SHA-256 over both files, and what is wanted."""
        own = "\n".join([hashlib.sha256(self.own).hexdigest(), *self.wanted])
        return hashlib.sha256(f"{self.text}\n{own}".encode()).hexdigest()


def requirements_of(
    extras: Iterable[str],
    own: str | None,
    *,
    python: str,
    machine: str,
    recorded: Iterable[str] = (),
) -> Requirements:
    """The requirements of sparkml with these extras, for a Python version and a processor.

    Offline; some 100 ms. `own` is the path of a further requirements file; `recorded` are those of
    models, which come before the lock's versions.

    Raises:
        ConfigError: an unknown extra; the file is missing or not pinned by hashes.
        PackageError: a library is not installed here, so that its needs are unknown.
    """
    wanted = frozenset({*extras, ALWAYS})
    known = _metadata("sparkml", "extra of sparkml").extras
    for extra in sorted(wanted - set(known)):
        raise ConfigError(
            f"sparkml has no extra '{extra}'",
            where="environment.extras",
            fix=did_you_mean(extra, known),
        )
    target = _target(python, machine)
    names = _closure(wanted, target)
    locked = _locked()
    lines = [locked.get(name) or f"{name}=={_metadata(name, name).version}" for name in names]
    chosen = {name: line.split()[0] for name, line in zip(names, lines, strict=True)}
    recorded = tuple(recorded)
    return Requirements(
        text="".join(f"{line}\n" for line in lines),
        names=tuple(dict(sorted({**chosen, **_by_name(recorded)}.items())).values()),
        hashed=all("--hash" in line for line in lines),
        own=_own(own),
        wanted=(*recorded, *needs(*wanted, target=target)) if recorded else (),
    )


def _by_name(lines: Iterable[str]) -> dict[str, str]:
    return {normal(re.split(r"[^\w.-]", line, maxsplit=1)[0]): line for line in lines}


def extra_that_brings(names: Iterable[str], *, among: Iterable[str]) -> str:
    """The first of these extras of sparkml that asks for one of the distributions, else empty.

    One whose own name it is comes first: `torch` before `transformers`.
    """
    wanted = {normal(name) for name in names}
    needs = _metadata("sparkml", "sparkml").needs
    for extra in sorted(among, key=lambda extra: extra not in wanted):
        brought = {
            normal(re.match(r"[\w.-]+", need)[0])  # type: ignore[index]
            for need in needs
            if re.search(rf"extra == ['\"]{re.escape(extra)}['\"]", need)
        }
        if wanted & brought:
            return extra
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Metadata:
    version: str
    needs: tuple[str, ...]
    extras: tuple[str, ...]


@cache
def _metadata(name: str, why: str) -> _Metadata:
    """The lines of a distribution's metadata that matter here, without parsing the others."""
    try:
        text = importlib.metadata.distribution(name).read_text("METADATA") or ""
    except importlib.metadata.PackageNotFoundError as error:
        raise PackageError(
            f"{name} is not installed here, so nobody knows what the environment needs",
            where=why,
            fix="install the extras that the run names, such as pip install 'sparkml[sklearn]'",
        ) from error
    fields: dict[str, list[str]] = {"Version": [], "Requires-Dist": [], "Provides-Extra": []}
    for line in text.partition("\n\n")[0].splitlines():
        field, _, value = line.partition(": ")
        if field in fields:
            fields[field].append(value)
    return _Metadata(
        version=fields["Version"][0],
        needs=tuple(fields["Requires-Dist"]),
        extras=tuple(fields["Provides-Extra"]),
    )


def _closure(extras: frozenset[str], target: Mapping[str, str]) -> list[str]:
    """Everything that sparkml with these extras needs, without itself."""
    seen: dict[str, frozenset[str]] = {}
    todo = [("sparkml", extras, "sparkml")]
    while todo:
        name, wanted, by = todo.pop()
        if name in PROVIDED | LEFT_OUT or (name in seen and wanted <= seen[name]):
            continue
        seen[name] = seen.get(name, frozenset()) | wanted
        for need in _metadata(name, f"needed by {by}").needs:
            found = _needed(need, seen[name], target)
            if found is not None:
                todo.append((*found, name))
    return sorted(set(seen) - {"sparkml"})


def _needed(
    need: str, extras: frozenset[str], target: Mapping[str, str]
) -> tuple[str, frozenset[str]] | None:
    """The name and extras of a `Requires-Dist`, or None where the target does not need it."""
    from packaging.requirements import Requirement

    if not extras and "extra ==" in need:
        return None
    parsed = Requirement(need)
    chosen = extras or {""}
    if parsed.marker and not any(parsed.marker.evaluate({**target, "extra": e}) for e in chosen):
        return None
    return normal(parsed.name), frozenset(parsed.extras)


def target_of(spec: ClusterSpec) -> dict[str, str]:
    """What the markers of requirements are compared with on a cluster."""
    return _target(spec.python, {"x86_64": "x86_64", "arm64": "aarch64"}[arch_of(spec)])


def _target(python: str, machine: str) -> dict[str, str]:
    return {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "platform_machine": machine,
        "platform_system": "Linux",
        "sys_platform": "linux",
        "os_name": "posix",
    }


def _locked() -> dict[str, str]:
    """Name → its line of the project's lock, hashes and all; empty without a project."""
    root = project_folder()
    lock = root / "requirements.lock" if root else None
    if lock is None or not lock.is_file():
        return {}
    text = re.sub(r"^\s*#.*\n", "", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return {
        normal(line.partition("==")[0]): " ".join(line.split()) for line in lines if "==" in line
    }


def _own(path: str | None) -> bytes:
    if path is None:
        return b""
    file = Path(path)
    if not file.is_file():
        raise ConfigError(
            "no such file", where=path, fix="correct environment.requirements of the run"
        )
    data = file.read_bytes()
    if b"--hash=" not in data:
        raise ConfigError(
            "its lines have no hashes",
            where=path,
            fix="pin it: uv pip compile --generate-hashes requirements.in -o requirements.txt",
        )
    return data


def _named_in(own: bytes) -> frozenset[str]:
    """The distributions that a requirements file names, by their names or their wheels'."""
    found = set()
    for line in own.decode("utf-8", "replace").splitlines():
        wheel = re.search(r"([\w.]+)-[\w.!+]+(?:-[\w.]+){3,4}\.whl", line)
        name = re.match(r"\s*([A-Za-z0-9][\w.-]*)\s*(?:[\[=<>~!@;#]|$)", line)
        found |= {normal(one[1]) for one in (wheel, name) if one}
    return frozenset(found)


def normal(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
