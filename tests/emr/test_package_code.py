"""The code that travels: a wheel that any installer takes, the job's door, the configuration."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
import yaml

import sparkml
from emr.errors import PackageError, SecretInRequest
from emr.job_run import JobRun
from emr.package import plan_package
from emr.package.config import check_reach, config_bytes, resolved_config
from emr.package.requirements import requirements_of
from emr.package.script import JOBS, script_of
from emr.package.wheel import wheel_bytes, wheel_name
from emr.spec import ClusterSpec
from sparkml import config as kinds
from sparkml.errors import ConfigError
from sparkml.models.wheels import project_folder, uv

ROOT = Path(__file__).parents[2]


@pytest.fixture
def spec():
    node = {"types": "m7i.xlarge", "on_demand": 1}
    values = {"name": "test", "artifacts": "s3://bucket/sparkml", "primary": node, "core": node}
    return ClusterSpec.model_validate(values)


@pytest.fixture
def run():
    return JobRun(job="score", config=str(ROOT / "conf/score.wine.yaml"))


def names_in(wheel):
    return zipfile.ZipFile(io.BytesIO(wheel)).namelist()


def test_the_wheel_is_the_same_each_time_and_tells_nothing_of_this_machine():
    assert wheel_bytes() == wheel_bytes()
    assert {(1980, 1, 1, 0, 0, 0)} == {
        entry.date_time for entry in zipfile.ZipFile(io.BytesIO(wheel_bytes())).infolist()
    }
    assert str(ROOT).encode() not in wheel_bytes()
    assert not [name for name in names_in(wheel_bytes()) if "__pycache__" in name]


def test_the_wheel_holds_what_the_build_backend_packs(tmp_path):
    """hatchling packs `emr` besides, which no cluster needs; sparkml's files are the same."""
    argv = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(argv, cwd=ROOT, check=True, capture_output=True)
    (built,) = tmp_path.glob("*.whl")
    theirs = zipfile.ZipFile(built)
    ours = zipfile.ZipFile(io.BytesIO(wheel_bytes()))
    expected = {n: theirs.read(n) for n in theirs.namelist() if n.startswith("sparkml/")}
    assert expected == {n: ours.read(n) for n in ours.namelist() if n.startswith("sparkml/")}


def test_an_installer_takes_the_wheel_and_checks_its_record(tmp_path):
    wheel = tmp_path / wheel_name()
    wheel.write_bytes(wheel_bytes())
    site = tmp_path / "site"
    argv = [*uv(), "pip", "install", "-q", "--no-deps", "--offline", "--python"]
    argv += [sys.executable, "--target", str(site), str(wheel)]
    subprocess.run(argv, check=True, capture_output=True)
    assert (site / "sparkml" / "cli.py").read_bytes() == (ROOT / "sparkml/cli.py").read_bytes()


def test_python_imports_it_as_it_is(tmp_path):
    """`--py-files` puts the wheel itself on the path."""
    wheel = tmp_path / wheel_name()
    wheel.write_bytes(wheel_bytes())
    code = "import sparkml, sparkml.cli; print(sparkml.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(wheel), "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert f"{wheel}/sparkml/__init__.py" == done.stdout.strip()


@pytest.mark.parametrize("job", JOBS)
def test_a_job_by_its_name_is_its_door_in_jobs(job):
    file = ROOT / "jobs" / f"{job.replace('-', '_')}.py"
    script = script_of(job)
    assert (file.name, file.read_bytes(), job) == (script.name, script.data, script.job)
    assert script == script_of(str(file))


@pytest.mark.parametrize("job", JOBS)
def test_without_a_project_the_doors_are_made(job, tmp_path, monkeypatch):
    """As where sparkml was installed from a wheel: no jobs/, and no lock. The code is the same."""
    installed = tmp_path / "site" / "sparkml" / "__init__.py"
    monkeypatch.setattr(sparkml, "__file__", str(installed))
    assert project_folder() is None
    made = script_of(job).data.decode()
    monkeypatch.undo()
    ours = script_of(job).data.decode()
    code = made[made.index("import sys") :]
    expected = ours[ours.index("import sys") :]
    # score is the driver's default, and its door does not name it
    assert expected.replace("argv[1:])", 'argv[1:], command="score")') == code


def test_without_a_project_the_versions_are_those_installed(tmp_path, monkeypatch):
    locked = requirements_of((), None, python="3.11", machine="x86_64")
    monkeypatch.setattr(sparkml, "__file__", str(tmp_path / "site/sparkml/__init__.py"))
    found = requirements_of((), None, python="3.11", machine="x86_64")
    assert (True, False) == (locked.hashed, found.hashed)
    assert locked.names == found.names


def test_an_unknown_job_is_told_with_the_near_one():
    with pytest.raises(ConfigError, match="did you mean 'score'"):
        script_of("scores")


def test_the_requirements_hold_what_the_extras_need_and_no_spark():
    names = {
        name.partition("==")[0]
        for name in requirements_of(
            ("sklearn", "mlflow"), None, python="3.11", machine="x86_64"
        ).names
    }
    assert {"numpy", "pyarrow", "pandas", "pydantic", "scikit-learn", "skops", "scipy"} <= names
    assert {"mlflow-skinny", "sqlalchemy"} <= names
    assert set() == {"pyspark", "py4j", "delta-spark", "pip", "sparkml", "pytest", "boto3"} & names


@pytest.mark.parametrize("extra", ["all", "xgboost"])
def test_what_training_on_several_gpus_needs_is_left_out(extra):
    """The lock leaves it out, too, so it is not installed here; and `all` can be packed."""
    found = requirements_of((extra,), None, python="3.11", machine="x86_64")
    assert {"xgboost"} == {
        name for each in found.names if (name := each.partition("==")[0]) in XGBOOST
    }
    assert found.hashed


XGBOOST = {"xgboost", "nvidia-nccl-cu12"}


def test_fewer_extras_are_fewer_requirements():
    small = requirements_of((), None, python="3.11", machine="x86_64").names
    large = requirements_of(("sklearn",), None, python="3.11", machine="x86_64").names
    assert set(small) < set(large)
    assert not [name for name in small if name.startswith(("scikit-learn", "mlflow"))]


def test_an_unknown_extra_is_told_with_the_near_one():
    with pytest.raises(ConfigError, match="did you mean 'sklearn'"):
        requirements_of(("sklern",), None, python="3.11", machine="x86_64")


def test_a_library_that_is_not_installed_here_is_told():
    """torch is in no lock: nobody here knows what it needs."""
    with pytest.raises(PackageError, match="torch is not installed here"):
        requirements_of(("torch",), None, python="3.11", machine="x86_64")


def test_own_requirements_must_bear_hashes(tmp_path):
    own = tmp_path / "own.txt"
    with pytest.raises(ConfigError, match="no such file"):
        requirements_of((), str(own), python="3.11", machine="x86_64")
    own.write_text("holidays==0.50\n")
    with pytest.raises(ConfigError, match="no hashes"):
        requirements_of((), str(own), python="3.11", machine="x86_64")


def test_the_configuration_travels_with_every_layer_in_it(run):
    """File, then the environment, then sets; and what is written reads back as the same value."""
    changed = run.model_copy(update={"sets": ("sink.path=s3://bkt/out",)})
    found = resolved_config(changed, "score", env={"SPARKML__SOURCE__PATH": "s3://bkt/in"})
    data = config_bytes(found.loaded.config)
    values = yaml.safe_load(data)
    assert ("s3://bkt/in", "s3://bkt/out") == (values["source"]["path"], values["sink"]["path"])
    assert 0.01 == values["max_quarantine"]
    assert found.loaded.config == kinds.JobConfig.model_validate(values)


@pytest.mark.parametrize("file", sorted((ROOT / "conf").glob("*.yaml")), ids=lambda f: f.stem)
def test_every_shipped_configuration_travels(file):
    """None of them looks like a secret, and each reads back as it was."""
    job = next(job for job in ("train-many", *JOBS) if file.stem.startswith(job.replace("-", "_")))
    run = JobRun(job=job, config=str(file))
    config = resolved_config(run, job, env={}).loaded.config
    assert config == type(config).model_validate(yaml.safe_load(config_bytes(config)))


def test_places_of_this_machine_are_all_told_with_their_fix(run):
    config = resolved_config(run, "score", env={}).loaded.config
    with pytest.raises(ConfigError) as error:
        check_reach(config)
    fix = error.value.fix
    assert 3 == len(error.value.problems)
    for key in ("source.path", "sink.path", "result"):
        assert f"--set {key}=s3://bucket/" in fix
    sets = tuple(part for part in fix.split() if "=" in part)
    mended = resolved_config(run.model_copy(update={"sets": sets}), "score", env={})
    check_reach(mended.loaded.config)


def test_a_training_jobs_registry_and_session_must_be_in_reach():
    """Its model would be registered in a file that is gone with the driver's container."""
    run = JobRun(
        job="train",
        config=str(ROOT / "conf/train.bank.yaml"),
        sets=("source.path=s3://bkt/bank", "predictions=s3://bkt/p", "spark.master='local[2]'"),
    )
    with pytest.raises(ConfigError) as error:
        check_reach(resolved_config(run, "train", env={}).loaded.config)
    assert {"registry.tracking_uri", "registry.artifacts", "spark.master"} == {
        problem.split(" is ")[0] for problem in error.value.problems
    }


def test_a_password_in_the_configuration_is_refused(run):
    sets = ("registry.tracking_uri=https://me:hunter2secret@host",)
    config = resolved_config(run.model_copy(update={"sets": sets}), "score", env={}).loaded.config
    with pytest.raises(SecretInRequest) as error:
        config_bytes(config)
    assert "hunter2secret" not in str(error.value)


def test_an_own_script_reads_its_configuration_as_it_is(tmp_path, run, spec):
    script, config = tmp_path / "mine.py", tmp_path / "mine.yaml"
    script.write_text("print()\n")
    config.write_text("anything: 1\n")
    own = JobRun(job=str(script), config=str(config))
    package = plan_package(own, spec)
    digest = hashlib.sha256(b"anything: 1\n").hexdigest()
    assert f"s3://bucket/sparkml/code/{digest[:32]}/config.yaml" == package.config
    with pytest.raises(ConfigError, match="this script is none of them"):
        plan_package(own.model_copy(update={"sets": ("a=1",)}), spec)


def test_a_plan_is_the_same_each_time_and_changes_with_its_inputs(run, spec):
    first = plan_package(run, spec)
    assert first == plan_package(run, spec)
    other = plan_package(run.model_copy(update={"sets": ("max_quarantine=0.5",)}), spec)
    assert first.digest != other.digest
    assert first.config != other.config
    assert (first.wheel, first.archive) == (other.wheel, other.archive)
    node = {"types": ({"type": "m7g.xlarge"},), "on_demand": 1}
    arm = ClusterSpec.model_validate({**spec.model_dump(), "primary": node, "core": node})
    assert first.archive != plan_package(run, arm).archive


def test_a_plan_is_quick(run, spec):
    """`emr plan` has two seconds for everything, Python's start included."""
    plan_package(run, spec)
    began = time.perf_counter()
    plan_package(run, spec)
    assert 0.5 > time.perf_counter() - began
