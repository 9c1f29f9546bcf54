"""`environment: match`: what a model records, the folder that is made of it, and what is refused.

A small library of pure Python stands for all here, so that little is fetched.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import textwrap
import warnings
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from sparkml import load_scorer, read_spec
from sparkml.errors import EnvironmentMismatch, ModelUnreadable, SetupError, UntrustedModel
from sparkml.models import FLAVORS
from sparkml.models.conda import pip_line
from sparkml.models.environment import EnvironmentWarning
from sparkml.models.matched import changed_of, match
from sparkml.models.mlmodel import MLmodel
from sparkml.models.recorded import recorded, unmet
from sparkml.models.sites import libraries, site_folder
from sparkml.models.wheels import Chosen
from tests.matched_models import HOSTS, NOW, OLD, THEN, suffix_model

ROOT = Path(__file__).parents[2]
PYFUNC, SPARK = (next(r for r in FLAVORS if r.name == name) for name in ("pyfunc", "spark"))
HERE = ".".join(platform.python_version_tuple()[:2])


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def no_uv(monkeypatch):
    """Takes uv away, so that nothing can be built from then on."""

    def take_away():
        monkeypatch.setenv("PATH", "/nowhere")
        monkeypatch.setattr("sparkml.models.wheels.project_folder", lambda: None)

    return take_away


ALWAYS = {"trust": "always", "promised": False}


def name_of(folder, *requirements):
    """The name of the environment of a model that records these requirements."""
    folder.mkdir(exist_ok=True)
    (folder / "requirements.txt").write_text("\n".join(requirements))
    return match(folder, None, PYFUNC, where="m", **ALWAYS)


def lines(folder, text, description=None, **options):
    (folder / "requirements.txt").write_text(text)
    return recorded(folder, description, where="m", **options).requirements


def process(script, *arguments, **environment):
    """What a script prints in a Python of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        text=True,
    )


def built(cache):
    return sorted(path.name for path in (cache / "environments").glob("*"))


# what is recorded


def test_requirements_are_read_as_pip_reads_them(tmp_path):
    """Comments, continued lines, hashes and markers; Spark and MLflow stay as they are here.

    What XGBoost names for training on GPUs is left out, as a cluster's environment leaves it out.
    """
    text = f"""
        # pinned by hand
        --extra-index-url https://example.com/simple
        numpy == 2.0.1 \\
            --hash=sha256:{"0" * 64} \\
            --hash=sha256:{"1" * 64}
        scikit_learn[alldeps]==1.6.0 ; python_version >= "3.8"  # ours
        pywin32==306; sys_platform == "win32"
        category-encoders>=2.5,<3
        mlflow==2.9.2
        pyspark==3.5.0
        mlflow-skinny[databricks]==2.9.2
        nvidia_nccl-cu12==2.20.5
    """
    assert lines(tmp_path, textwrap.dedent(text)) == (
        "numpy==2.0.1",
        "scikit_learn[alldeps]==1.6.0",
        "category-encoders<3,>=2.5",
    )
    windows = {"sys_platform": "win32", "python_version": "3.7"}
    assert lines(tmp_path, textwrap.dedent(text), target=windows) == (
        "numpy==2.0.1",
        "pywin32==306",
        "category-encoders<3,>=2.5",
    )


def test_conda_s_file_and_the_mlmodel_stand_in_for_what_no_line_pins(tmp_path):
    described = MLmodel(flavors={}, versions={"scikit-learn": "1.2.0", "python": "3.12.1"})
    found = recorded(tmp_path, described, where="m")
    assert (found.requirements, found.python) == (("scikit-learn==1.2.0",), "3.12.1")
    assert lines(tmp_path, "mlflow==2.9.2\nscikit-learn", described) == (
        "scikit-learn",
        "scikit-learn==1.2.0",
    )
    assert lines(tmp_path, "scikit-learn==1.3.0", described) == ("scikit-learn==1.3.0",)
    (tmp_path / "conda.yaml").write_text("dependencies: [python=3.11.2, pip<=24, numpy=2.0]")
    assert lines(tmp_path, "mlflow==2.9.2", described) == ("numpy==2.0.*", "scikit-learn==1.2.0")
    (tmp_path / "requirements.txt").unlink()
    (tmp_path / "conda.yaml").write_text("dependencies: [numpy=2.0, {pip: [a==1]}]")
    assert recorded(tmp_path, None, where="m").requirements == ("a==1", "numpy==2.0.*")


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ("numpy", "numpy"),
        ("scipy=1.14.1=py311h", "scipy==1.14.1"),
        ("scipy 1.14.1 py311h_0", "scipy==1.14.1"),
        ("scipy==1.14.1", "scipy==1.14.1"),
        ("scipy 1.14", "scipy==1.14"),
        ("conda-forge::lightgbm=3.3", "lightgbm==3.3.*"),
        ("conda-forge/linux-64::lightgbm=3.3", "lightgbm==3.3.*"),
        ("scikit-learn=1.2.*", "scikit-learn==1.2.*"),
        ("scikit-learn>=1.2,<1.3", "scikit-learn>=1.2,<1.3"),
        ("scikit-learn >=1.2, !=1.2.1", "scikit-learn>=1.2, !=1.2.1"),
        ("pytorch=2.1", "torch==2.1.*"),
        ("Python>=3.8", ""),
        ("pip", ""),
    ],
)
def test_a_dependency_of_conda_s_is_the_same_for_pip(entry, line):
    assert pip_line(entry) == line


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("libgcc-ng=12", "may be another library for pip"),
        ("mkl", "may be another library for pip"),
        ("numpy=1.2|1.4", "only conda understands"),
        ("numpy[version='>=1']", "only conda understands"),
        ("{'conda': ['numpy=2.0']}", "is no dependency"),
    ],
)
def test_a_dependency_that_only_conda_knows_is_refused(entry, why, tmp_path):
    """Also where there is a requirements.txt: it was there when the model was trained."""
    (tmp_path / "conda.yaml").write_text(yaml.safe_dump({"dependencies": [entry]}))
    with pytest.raises(EnvironmentMismatch, match=why) as error:
        lines(tmp_path, "numpy==2.0.1")
    assert "in pip's requirements" in error.value.fix


@pytest.mark.parametrize(
    "line",
    [
        "-r other.txt",
        "git+https://example.com/x",
        "x @ https://example.com/x",
        "./x.whl",
        f"x=={'1' * 3000}",
        f"x==1; {'(' * 900}os_name == 'a'{')' * 900}",
        "x==1; nonsense == '1'",
        "x==1\n" * 2_001,
    ],
    ids=lambda line: line[:20],
)
def test_what_no_index_has_is_refused(line, tmp_path):
    with pytest.raises(EnvironmentMismatch, match="no library of a package index"):
        lines(tmp_path, f"numpy==2.0.1\n{line}")


@pytest.mark.parametrize("text", ["", "numpy\npandas", "# numpy==2.0", "mlflow==3.1"])
def test_a_model_that_records_nothing_is_refused(text, tmp_path):
    with pytest.raises(EnvironmentMismatch, match=r"no versions.*log it by MLflow"):
        lines(tmp_path, text)


@pytest.mark.parametrize(
    ("python", "fix"),
    [
        ("3.13.1" if HERE != "3.13" else "3.12.1", "run the job by Python 3.1"),
        ("3.8.10", "log the model again under Python 3.11 or 3.12 or 3.13"),
    ],
)
def test_another_python_is_refused(python, fix, cache, tmp_path):
    """PySpark's workers have the driver's: no folder of libraries changes that."""
    model = suffix_model(tmp_path / "m", OLD)
    (tmp_path / "m" / "python_env.yaml").write_text(f"python: {python}")
    (tmp_path / "m" / "conda.yaml").unlink()
    mlmodel = yaml.safe_load((tmp_path / "m" / "MLmodel").read_text())
    del mlmodel["flavors"]["python_function"]["python_version"]
    (tmp_path / "m" / "MLmodel").write_text(yaml.safe_dump(mlmodel))
    with pytest.raises(EnvironmentMismatch, match=fix) as error:
        read_spec(model, environment="match")
    assert error.value.fix.endswith(", or set environment: warn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert read_spec(model, environment="warn").environment == ""


# what is made of it


def test_nothing_is_built_where_nothing_differs(cache, tmp_path, no_uv):
    """A range that is met is no difference, nor are Spark and MLflow."""
    no_uv()
    model = suffix_model(tmp_path / "m", "publicsuffixlist>=1.0,<9", "mlflow==2.0", "pyspark==3.4")
    with pytest.warns(EnvironmentWarning, match="mlflow 2.0"):  # what is not matched is told
        spec = read_spec(model, environment="match")
    assert spec.environment == ""
    assert built(cache) == []
    (made,) = load_scorer(spec)(pa.RecordBatch.from_pydict({"host": HOSTS})).columns[:1]
    assert made.to_pylist() == NOW


def test_the_folder_holds_what_differs_and_is_made_once(cache, tmp_path, no_uv):
    """The second time neither uv nor an index is asked; what is the same here is not copied."""
    name = name_of(tmp_path / "m", OLD, "numpy>=2.0")
    assert libraries(name) == (OLD,)
    assert sorted(p.name for p in site_folder(name).iterdir() if p.name != "bin") == [
        "publicsuffixlist",
        "publicsuffixlist-0.10.0.20231214.dist-info",
    ]
    assert (cache / "environments").stat().st_mode & 0o077 == 0
    no_uv()
    assert name_of(tmp_path / "again", "numpy>=2.0", OLD) == name
    assert built(cache) == [name.rpartition("-")[2]]


def test_what_the_extras_of_an_installed_library_need_is_installed(cache, tmp_path):
    here = version("requests")
    assert unmet([f"requests=={here}"]) == ()
    made = name_of(tmp_path / "m", f"requests[socks]=={here}")
    assert [one.partition("==")[0] for one in libraries(made)] == ["pysocks"]


def test_extras_may_name_extras_in_a_circle(tmp_path, monkeypatch):
    """What the library itself needs is not asked again, whatever is missing."""
    info = tmp_path / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: acme\nVersion: 1.0\nRequires-Dist: base>=1\n"
        "Requires-Dist: gpu; os_name == 'posix'\nRequires-Dist: acme[b-c]; extra == 'a'\n"
        "Requires-Dist: acme[a]; extra == 'b-c'\nRequires-Dist: more>=2; extra == 'b-c'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert unmet(["acme==1.0"]) == ()
    assert unmet(["acme[a]==1.0", "acme[B_C]"]) == ("more>=2",)


def test_what_stays_as_it_is_needs_nothing_more():
    """A build for the CPU alone, a library without one that it asks for in vain."""

    def chosen(name, version, *by):
        return Chosen(name=name, version=version, by=frozenset(by), asked=not by)

    here = {"torch": "2.4.0+cpu", "xgboost": "3.2.0", "a": "1.0", "mlflow-skinny": "3.1"}
    found = [
        chosen("torch", "2.4.0"),
        chosen("nvidia-cublas", "12", "torch"),
        chosen("nvidia-nccl", "2", "xgboost", "torch"),
        chosen("xgboost", "3.2.0", "a"),
        chosen("mlflow-skinny", "3.2"),
        chosen("a", "2.0"),
        chosen("b", "1.0", "a"),
        chosen("c", "1.0", "b"),
        chosen("d", "1.0"),
    ]
    assert changed_of(found, here) == ["a==2.0", "b==1.0", "c==1.0", "d==1.0"]
    assert changed_of([chosen("torch", "2.4.0+cu121")], here) == ["torch==2.4.0+cu121"]


def test_the_model_is_opened_first_with_its_own_libraries(cache, tmp_path):
    """One that needs a library which is not installed here cannot be opened without."""
    model = suffix_model(tmp_path / "m", "roman==4.2", needs="roman")
    with pytest.raises(ModelUnreadable, match="roman"):
        read_spec(model, environment="ignore")
    with_other = suffix_model(tmp_path / "other", "roman==4.2", "scikit-learn==1.2", needs="roman")
    with pytest.raises(ModelUnreadable, match=r"with scikit-learn 1\.2.*set environment: match"):
        read_spec(with_other, environment="ignore")
    spec = read_spec(model, environment="match")
    assert libraries(spec.environment) == ("roman==4.2",)


def test_two_processes_may_build_at_once(cache, tmp_path):
    (tmp_path / "requirements.txt").write_text(OLD)
    script = """
        import pathlib, sys
        from sparkml.models import FLAVORS
        from sparkml.models.matched import match
        from tests.unit.test_models_matched import ALWAYS
        print(match(pathlib.Path(sys.argv[1]), None, FLAVORS[-1], where="m", **ALWAYS))
    """
    both = [process(script, str(tmp_path)) for _ in range(2)]
    names = {one.communicate()[0].strip() for one in both}
    assert [one.returncode for one in both] == [0, 0]
    (name,) = names
    assert built(cache) == [name.rpartition("-")[2]]
    assert list(cache.glob(".staging-*")) == []


@pytest.mark.parametrize("damage", ["changed", "added", "gone", "note"])
def test_beside_a_folder_that_was_changed_another_is_built(damage, cache, tmp_path):
    """Workers may be running with the old one: it stays where it is, as it is."""
    name = name_of(tmp_path, OLD)
    module = site_folder(name) / "publicsuffixlist" / "__init__.py"
    right = module.read_bytes()
    if damage == "changed":
        module.write_text("raise SystemExit('changed')")
    elif damage == "added":
        (module.parent / "numpy.py").write_text("")
    elif damage == "gone":
        module.unlink()
    else:
        (site_folder(name).parent / "site.json").write_text("{")
    left = sorted(site_folder(name).parent.rglob("*"))
    other = name_of(tmp_path, OLD)
    assert other != name
    assert (site_folder(other) / "publicsuffixlist" / "__init__.py").read_bytes() == right
    assert not (site_folder(other) / "publicsuffixlist" / "numpy.py").exists()
    assert sorted(site_folder(name).parent.rglob("*")) == left
    assert name_of(tmp_path, OLD) == other


def test_what_a_library_writes_beside_its_modules_is_no_change(cache, tmp_path, no_uv):
    name = name_of(tmp_path, OLD)
    (site_folder(name) / "publicsuffixlist" / "downloaded.dat").write_text("x")
    no_uv()
    assert name_of(tmp_path, OLD) == name


def test_byte_code_that_python_leaves_there_is_no_damage(cache, tmp_path, no_uv):
    name = name_of(tmp_path, OLD)
    made = site_folder(name) / "publicsuffixlist" / "__pycache__"
    made.mkdir(exist_ok=True)
    (made / "x.cpython-311.pyc").write_bytes(b"x")
    no_uv()
    assert name_of(tmp_path, OLD) == name


# what is refused


@pytest.mark.parametrize(
    "line", ["publicsuffixlist==0.0.1", "docopt==0.6.2", "numpy==1.26.4"], ids=str
)
def test_a_version_that_cannot_be_had_is_told(line, cache, tmp_path):
    """There is none; it has no wheel; sparkml does not run with it. The policy `warn` goes on."""
    with pytest.raises(EnvironmentMismatch, match="cannot be installed") as error:
        name_of(tmp_path, line)
    assert line.partition("==")[0] in error.value.what
    assert "://" not in error.value.what
    assert "environment: warn" in error.value.fix
    assert built(cache) == []


def test_a_machine_without_uv_is_told_what_to_install(cache, tmp_path, no_uv):
    no_uv()
    with pytest.raises(SetupError, match="pip install uv"):
        name_of(tmp_path, OLD)


def test_only_a_trusted_model_chooses_what_is_installed(cache, tmp_path):
    """Whoever names the libraries chooses code that runs."""
    model = suffix_model(tmp_path / "m", OLD)
    for trust in ("never", "promised"):
        with pytest.raises(UntrustedModel, match="environment: match installs") as error:
            read_spec(model, environment="match", trust=trust)
    assert built(cache) == []
    digest = re.search("[0-9a-f]{64}", error.value.fix)[0]
    assert read_spec(model, environment="match", trust="promised", digest=digest).environment


def test_spark_s_own_models_have_the_driver_s_libraries(tmp_path):
    assert match(tmp_path, None, SPARK, where="m", **ALWAYS) == ""


def test_a_process_with_other_libraries_opens_nothing(cache, tmp_path):
    """`load_scorer` says how to start one that has them; there the old list decides."""
    spec = read_spec(suffix_model(tmp_path / "m", OLD), environment="match")
    with pytest.raises(EnvironmentMismatch, match="start Python with PYTHONPATH=") as error:
        load_scorer(spec)
    site = error.value.fix.partition("PYTHONPATH=")[2]
    script = """
        import json, sys
        import pyarrow as pa
        from sparkml import ModelSpec, load_scorer
        spec = ModelSpec.from_json(sys.argv[1])
        scores = load_scorer(spec)(pa.RecordBatch.from_pydict({"host": json.loads(sys.argv[2])}))
        print(scores.column("prediction").to_pylist())
    """
    there = process(
        script, spec.to_json(), json.dumps(HOSTS), PYTHONPATH=f"{site}{os.pathsep}{ROOT}"
    )
    assert there.communicate()[0].strip() == str(THEN)
