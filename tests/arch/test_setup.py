"""The set-up keeps its promises on paper: the lock is pinned, complete and free of addresses."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = sorted([ROOT / "requirements.lock", *(ROOT / "tools" / "locks").glob("*.txt")])
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def entries(lock: Path) -> list[str]:
    """Each locked requirement with its continuation lines, comments left out."""
    lines = [line for line in lock.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    return [line for line in joined.split("\n") if line]


def locked_versions() -> dict[str, str]:
    pins = (entry.split(" ")[0].split("==") for entry in entries(ROOT / "requirements.lock"))
    return {canonicalize_name(name): version for name, version in pins}


def wanted() -> list[Requirement]:
    """What pyproject.toml asks for, with the extras that `all` names and the development group."""
    project = PROJECT["project"]
    optional = project["optional-dependencies"]
    named = Requirement(optional["all"][0]).extras
    extras = [line for extra in named for line in optional[extra]]
    lines = project["dependencies"] + extras + PROJECT["dependency-groups"]["dev"]
    return [Requirement(line) for line in lines + PROJECT["build-system"]["requires"]]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_locked_package_has_one_version_and_hashes(lock: Path) -> None:
    for entry in entries(lock):
        assert re.fullmatch(r"[a-z0-9.-]+==\S+( --hash=sha256:[0-9a-f]{64})+", entry), entry


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_names_no_address_and_no_folder_of_a_machine(lock: Path) -> None:
    text = lock.read_text()
    assert not re.search(r"http|file:|--find-links|--index|@ |(?<![\w.])/\w", text)


@pytest.mark.parametrize("requirement", wanted(), ids=str)
def test_the_lock_satisfies_pyproject(requirement: Requirement) -> None:
    version = locked_versions().get(canonicalize_name(requirement.name))
    assert version is not None, f"{requirement.name} is not locked: make lock"
    assert version in requirement.specifier, f"{version} locked, {requirement} wanted: make lock"


def test_the_locked_spark_is_the_one_of_its_row() -> None:
    constraints = (ROOT / "tools/matrix/spark-4.1.txt").read_text().splitlines()
    for pin in [line for line in constraints if "==" in line]:
        name, version = pin.split("==")
        assert locked_versions()[name] == version


def test_every_row_of_the_matrix_has_its_constraints_and_its_jars_sums() -> None:
    rows = (ROOT / "tools/matrix/rows.txt").read_text().splitlines()
    for _, _, constraints, coordinate in (row.split() for row in rows if not row.startswith("#")):
        delta = coordinate.rsplit(":", 1)[1]
        pins = (ROOT / "tools/matrix" / constraints).read_text().splitlines()
        sums = (ROOT / "tools/locks" / f"delta-{delta}.sha256").read_text()
        assert f"delta-spark=={delta}" in pins
        assert re.search(r"^[0-9a-f]{64}  io\.delta_delta-spark_\S+\.jar$", sums, re.MULTILINE)


def test_make_alone_lists_every_target() -> None:
    declared = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert declared is not None
    shown = subprocess.run(["make", "-C", ROOT], capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^  make ([\w-]+) +\S", shown, re.MULTILINE) == declared[1].split()[1:] == [
        "setup", "demo", "test", "emr-test", "lint", "fmt", "notebooks", "bench", "matrix",
            "lock", "clean",
    ]  # fmt: skip


def test_the_package_is_built_by_pinned_tools_only() -> None:
    """setup.sh installs without build isolation, so the builder must come from the lock."""
    assert PROJECT["build-system"]["build-backend"] == "hatchling.build"
    assert {"hatchling", "editables"} <= locked_versions().keys()
