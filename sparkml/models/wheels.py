"""Libraries from wheels alone, by uv: which versions belong together, and their files in a folder.

The folder is a site folder, not a virtual environment: a Python that is there already runs it
through PYTHONPATH. So nothing in it names a path of this machine, no interpreter travels, and
another Python or processor than this machine's is served as well.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import sparkml

if TYPE_CHECKING:
    from collections.abc import Iterable

INDEX = "uv takes its index from UV_DEFAULT_INDEX or uv.toml, not from pip's settings"
"""To know where an installation failed."""
NO_UV = "there is no uv, which installs libraries"
LONGEST_S = 1_800

PROVIDED = frozenset({"pyspark", "py4j", "delta-spark"})
"""Spark's own: a second copy would hide it."""
HIDING = ("pyspark", "py4j", "delta")
"""Their modules, which a distribution of another name may bring as well."""


class UvFailed(Exception):
    """uv ended with an error: what it said, in one line, without addresses."""


class UvMissing(Exception):
    """There is no uv on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The Python that libraries are for: this one, or another version on another platform."""

    python: str = ""
    platform: str = ""

    @property
    def options(self) -> list[str]:
        """What uv is told of it."""
        chosen = {"--python-version": self.python, "--python-platform": self.platform}
        given = [part for option in chosen.items() if option[1] for part in option]
        return ["--quiet", "--only-binary", ":all:", "--python", sys.executable, *given]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A version that was chosen, and the distributions that need it; `asked`: the caller does."""

    name: str
    version: str
    by: frozenset[str]
    asked: bool

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


def resolve(
    wanted: Iterable[str], target: Target, *, preferred: Iterable[str], scratch: Path
) -> list[Chosen]:
    """Everything that is needed but for what is `PROVIDED`: what was preferred, where it fits.

    Asks the package index for descriptions (uv's cache holds them); some 0.5 s, no wheel is
    fetched. `scratch` is a folder for uv's files.

    Raises:
        UvFailed: no versions fit together, one has no wheel, or the index does not answer.
        UvMissing: there is no uv.
    """
    listed, found, never = (scratch / f"{name}.txt" for name in ("wanted", "found", "never"))
    listed.write_text("".join(f"{line}\n" for line in wanted), encoding="utf-8")
    found.write_text("".join(f"{line}\n" for line in preferred), encoding="utf-8")
    # uv's way to leave a need out: one that no machine has
    never.write_text("".join(f"{name}; os_name == 'none'\n" for name in PROVIDED), encoding="utf-8")
    shown = ["--no-header", "--annotation-style", "line", "--output-file", str(found)]
    _run([*uv(), "pip", "compile", *target.options, *shown, "--override", str(never), str(listed)])
    return [_chosen(*line) for line in _LINE.findall(found.read_text(encoding="utf-8"))]


_LINE = re.compile(r"^([\w.-]+)==(\S+)\s+# via (.+)$", re.MULTILINE)


def _chosen(name: str, version: str, via: str) -> Chosen:
    by = via.split(", ")
    return Chosen(name=name, version=version, by=frozenset(by), asked=by[-1].startswith("-r "))


def install(listed: Path, target: Target, *, into: Path, hashed: bool) -> None:
    """Install the lines of a requirements file into a folder, and nothing that they need besides.

    Raises:
        UvFailed: one has no wheel, another hash, or the index does not answer.
        UvMissing: there is no uv.
    """
    options = ["--no-deps", "--link-mode", "copy", "--target", str(into)]
    hashes = ["--require-hashes"] if hashed else []
    _run([*uv(), "pip", "install", *target.options, *options, *hashes, "-r", str(listed)])
    (into / ".lock").unlink(missing_ok=True)  # uv's own


def brought(site: Path, modules: Iterable[str]) -> dict[str, str]:
    """Those of the modules that a site folder holds → the distribution that brings each."""
    found = {
        name: "" for name in modules if (site / name).is_dir() or (site / f"{name}.py").is_file()
    }
    for record in site.glob("*.dist-info/RECORD") if found else ():
        text = "\n" + record.read_text(encoding="utf-8")
        of = record.parent.name.partition("-")[0]
        found |= {name: of for name in found if re.search(rf"\n{name}(/|\.py,)", text)}
    return found


def uv() -> list[str]:
    """The command that runs uv: the machine's own, this project's, or this Python's module.

    Raises:
        UvMissing: there is none.
    """
    root = project_folder()
    ours = root / ".cache" / "uv" / "bin" / "uv" if root else None
    found = shutil.which("uv") or (str(ours) if ours and ours.is_file() else None)
    if found:
        return [found]
    if importlib.util.find_spec("uv") is not None:
        return [sys.executable, "-m", "uv"]
    raise UvMissing(NO_UV)


def project_folder() -> Path | None:
    """The project that sparkml runs from; None where it is an installed package."""
    root = Path(sparkml.__file__).parents[1]
    return root if (root / "pyproject.toml").is_file() and (root / "jobs").is_dir() else None


def _run(argv: list[str]) -> None:
    try:
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=LONGEST_S)
    except subprocess.TimeoutExpired as error:
        raise UvFailed(f"it took longer than {LONGEST_S // 60} minutes") from error
    if done.returncode:
        # The index's address may hold a password, and is nobody's business in a log.
        said = re.sub(r"https?://\S+", "(address)", done.stderr)
        said = " ".join(said.split())
        raise UvFailed(said if len(said) <= 600 else f"{said[:300]} … {said[-300:]}")
