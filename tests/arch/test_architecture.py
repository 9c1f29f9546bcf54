"""The house stands as ARCHITECTURE.md says: imports go one way, files are small, names are true."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST = 300
PAGE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
ROOMS = sorted(
    path.name
    for path in (ROOT / "sparkml").iterdir()
    if path.suffix == ".py" or (path / "__init__.py").is_file()
)


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """The contracts of pyproject.toml over the tree in `folder`."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    # The working folder comes before the installed package on the path, with or without -P.
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path):
    """A copy of the package with the contracts."""
    ours = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "sparkml", tmp_path / "sparkml", ignore=ours)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_imports_go_one_way(copy):
    """Every contract is kept."""
    done = lint_imports(copy)

    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_an_upward_import_is_found(copy):
    """One planted line breaks the layers, and the report names the chain."""
    with (copy / "sparkml/scoring/nulls.py").open("a") as file:
        file.write("\nimport sparkml.spark\n")

    done = lint_imports(copy)

    assert done.returncode != 0
    assert "One way inside sparkml BROKEN" in done.stdout
    assert re.search(r"sparkml\.scoring\.nulls -> sparkml\.spark\b", done.stdout), done.stdout


def test_a_second_owner_of_a_heavy_library_is_found(copy):
    """Spark is known in one room, wherever in a function the import hides."""
    with (copy / "sparkml/arrow.py").open("a") as file:
        file.write("\ndef sneak() -> None:\n    import pyspark\n")

    done = lint_imports(copy)

    assert done.returncode != 0
    assert "Spark is known in one room BROKEN" in done.stdout


@pytest.mark.parametrize(
    "file", sorted((ROOT / "sparkml").rglob("*.py")), ids=lambda f: str(f.relative_to(ROOT))
)
def test_a_file_is_short_and_says_its_reason(file):
    """At most 300 lines, and the first says why the file exists."""
    lines = file.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LONGEST
    assert lines[0].startswith('"""')


@pytest.mark.parametrize("room", [r for r in ROOMS if not r.startswith("__")])
def test_every_room_is_on_the_map(room):
    """Each module and package of the top level has its place in ARCHITECTURE.md."""
    table = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
    assert any(re.search(rf"(?<![\w.]){re.escape(room)}(?![\w.])", row) for row in table)


def test_the_files_that_the_map_names_exist():
    """Paths in backquotes and links; what is only planned is named in its last paragraph."""
    built = PAGE.partition("Rooms that are planned")[0]
    named = set(re.findall(r"`([\w.]+/[\w./]*)`", built))
    assert len(named) > 20
    for path in sorted(named):
        assert any((ROOT / base / path).exists() for base in ("", "sparkml", "emr")), path
