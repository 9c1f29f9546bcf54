"""A whole environment, run by a Python that has nothing else; and one for Graviton.

It installs some 500 MB and compresses it, which takes a minute: `make emr-test` runs it.
"""

from __future__ import annotations

import importlib.util
import struct
import subprocess
import sys
import tarfile
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from emr.package.archive import MACHINES
from emr.package.environment import build_environment
from emr.package.requirements import requirements_of
from emr.package.wheel import wheel_bytes, wheel_name
from sparkml.models.digest import sha256

pytestmark = pytest.mark.yarn

DRIVER = """
import sys
import numpy, pyarrow, sparkml, mlflow, pandas

assert sys.flags.no_site
for module in (numpy, pyarrow, pandas, mlflow):
    assert "/environment/" in module.__file__, module.__file__
assert sparkml.__file__.startswith(sys.argv[2]), sparkml.__file__
spec = sparkml.read_spec(sys.argv[1], name="m", origin="models:/m/3")
scorer = sparkml.load_scorer(spec)
rows = pyarrow.RecordBatch.from_pydict({"features": [[0.5, 0.1], [-0.5, 0.1]]})
print(spec.version, [row["prediction"] for row in scorer(rows).to_pylist()])

sys.path.append(sys.argv[3])
from sparkml.spark._versions import check_versions, installed_versions
check_versions(installed_versions())
import sparkml.spark.run, pyspark
print(installed_versions()["pyspark"] == pyspark.__version__)
"""


def machines(archive):
    with tarfile.open(archive) as tar:
        heads = [tar.extractfile(e).read(20) for e in tar if ".so" in e.name]
    return {struct.unpack_from("<H", h, 18)[0] for h in heads if h[:4] == b"\x7fELF"}


def names_in(archive):
    with tarfile.open(archive) as tar:
        return {name.partition("/")[0] for name in tar.getnames()}


def built(tmp_path, *, extras, arch, machine):
    requirements = requirements_of(extras, None, python="3.11", machine=machine)
    cache = tmp_path / "cache"
    return build_environment(requirements, python="3.11", arch=arch, cache=cache, report=print)


def test_a_bare_python_scores_with_it(tmp_path):
    """Its own site-packages are switched off, and it scores without Spark. The cluster's pyspark
    comes to the path afterwards: as there, without the metadata that pip would have left."""
    archive = built(tmp_path, extras=("sklearn", "mlflow"), arch="x86_64", machine="x86_64").path
    assert set() == {"pyspark", "py4j", "delta", "pip", "bin"} & names_in(archive)
    assert {MACHINES["x86_64"]} == machines(archive)
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "environment", filter="data")
    wheel = tmp_path / wheel_name()
    wheel.write_bytes(wheel_bytes())
    spark = tmp_path / "spark"
    spark.mkdir()
    for name in ("pyspark", "py4j"):
        (origin,) = importlib.util.find_spec(name).submodule_search_locations
        (spark / name).symlink_to(origin)
    x = np.random.default_rng(0).normal(size=(60, 2))
    model = tmp_path / "m.joblib"
    joblib.dump(LogisticRegression().fit(x, x[:, 0] > 0), model)
    (tmp_path / "model.sha256").write_text(f"{sha256(model)}  m.joblib\n")
    (tmp_path / "driver.py").write_text(DRIVER)
    bare = Path(sys.base_prefix, "bin", "python3.11")
    done = subprocess.run(
        [bare, "-S", "-s", "driver.py", str(model), str(wheel), str(spark)],
        cwd=tmp_path,
        env={
            "PYTHONPATH": f"{tmp_path}/environment:{wheel}",
            "SPARKML_CACHE": str(tmp_path / "models"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(tmp_path),
        },
        check=False,
        capture_output=True,
        text=True,
    )
    assert "3 [True, False]\nTrue\n" == done.stdout, done.stderr


def test_gravitons_environment_is_built_here(tmp_path):
    archive = built(tmp_path, extras=("sklearn",), arch="arm64", machine="aarch64").path
    assert {MACHINES["arm64"]} == machines(archive)
