"""The recorded environment against the running one."""

from __future__ import annotations

import importlib.metadata
import pickle
import platform
import warnings

import pytest
import sklearn
import yaml
from sklearn.linear_model import LinearRegression

from sparkml.errors import EnvironmentMismatch
from sparkml.models.environment import (
    EnvironmentWarning,
    check_environment,
    environment_differences,
    recorded_versions,
)
from sparkml.models.mlmodel import MLmodel, read_mlmodel
from sparkml.models.read import read_spec

CLOUDPICKLED = MLmodel(
    flavors={
        "sklearn": {"serialization_format": "cloudpickle"},
        "python_function": {"python_model": "python_model.pkl"},
    }
)
SKOPS = MLmodel(flavors={"sklearn": {"serialization_format": "skops"}})


def differences(folder, requirements, description=CLOUDPICKLED, flavor="sklearn"):
    (folder / "requirements.txt").write_text("\n".join(requirements))
    return environment_differences(folder, description, flavor)


def test_the_same_versions_do_not_differ(tmp_path):
    """What was recorded here is right here."""
    assert differences(tmp_path, [f"scikit-learn=={sklearn.__version__}"]) == ()


def test_a_difference_that_matters_is_named_with_both_versions(tmp_path):
    """The minor version of scikit-learn, the major one of NumPy; never a patch release."""
    major, minor, *_ = sklearn.__version__.split(".")
    assert differences(tmp_path, [f"scikit-learn=={major}.{minor}.99"]) == ()
    found = differences(
        tmp_path, ["scikit-learn==1.2.0", "numpy[x] == 1.26.4 ; python_version>'3'"]
    )
    assert found[0] == f"scikit-learn 1.2.0 (here {sklearn.__version__})"
    assert found[1].startswith("numpy 1.26.4 (here 2.")


def test_packages_that_change_nothing_are_passed_over(tmp_path):
    """Unlisted packages, ranges, comments and options."""
    lines = ["cloudpickle==1.0", "rich==1.0", "scikit-learn>=0.1", "# numpy==1.0", "-r other.txt"]
    assert differences(tmp_path, lines) == ()


def test_a_missing_package_is_a_difference(tmp_path):
    """It was there when the model was trained."""
    found = differences(tmp_path, ["tensorflow==2.15.0"], flavor="pyfunc")
    assert found == ("tensorflow 2.15.0 (not installed here)",)


def test_pythons_minor_version_counts_for_byte_code_alone(tmp_path):
    """cloudpickle stores byte code, skops stores none."""
    (tmp_path / "python_env.yaml").write_text("python: 3.8.10\n")
    here = platform.python_version()
    assert differences(tmp_path, [], CLOUDPICKLED) == (f"Python 3.8.10 (here {here})",)
    assert differences(tmp_path, [], SKOPS) == ()
    (tmp_path / "python_env.yaml").write_text("python: 2.7.18\n")
    assert differences(tmp_path, [], SKOPS) == (f"Python 2.7.18 (here {here})",)


def test_every_file_that_mlflow_writes_is_read(tmp_path):
    """What the MLmodel file says stands first, then requirements, then conda."""
    (tmp_path / "conda.yaml").write_text(
        "dependencies: [python=3.10.1, numpy=1.25.0, {pip: [pandas==1.5.3, scipy==1.9.0]}]"
    )
    (tmp_path / "python_env.yaml").write_text("python: 3.10.2")
    description = MLmodel(flavors={}, versions={"scikit-learn": "1.2.0"})
    assert recorded_versions(tmp_path, description) == {
        "scikit-learn": "1.2.0",
        "python": "3.10.1",
        "numpy": "1.25.0",
        "pandas": "1.5.3",
        "scipy": "1.9.0",
    }


def test_the_policy_decides_who_hears_of_it():
    """A warning of one line, an error of one line, or nothing."""
    found = ("numpy 1.0 (here 2.0)", "Python 3.8 (here 3.11)")
    line = r"models:/wine/3: trained with numpy 1\.0 \(here 2\.0\), Python 3\.8 \(here 3\.11\)"
    with pytest.warns(EnvironmentWarning, match=line) as told:
        check_environment("warn", found, where="models:/wine/3")
    assert "\n" not in str(told[0].message)
    with pytest.raises(EnvironmentMismatch, match="trained with numpy"):
        check_environment("error", found, where="models:/wine/3")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_environment("ignore", found, where="")
        check_environment("warn", (), where="")
        check_environment("error", (), where="")


def test_what_the_pickle_itself_tells_is_told_beside_what_was_recorded(tmp_path, monkeypatch):
    """The files speak of NumPy alone, the pickle of scikit-learn: both are heard."""
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "m"
    folder.mkdir()
    model = LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
    with monkeypatch.context() as patch:
        patch.setattr("sklearn.base.__version__", "1.0.0")
        (folder / "model.pkl").write_bytes(pickle.dumps(model))
    flavors = {"sklearn": {"pickled_model": "model.pkl", "serialization_format": "pickle"}}
    (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": flavors}))
    (folder / "requirements.txt").write_text("numpy==1.0.0\n")
    with pytest.warns(EnvironmentWarning) as told:
        read_spec(str(folder))
    said = " ".join(str(warning.message) for warning in told)
    assert "numpy 1.0.0 (here" in said
    assert "scikit-learn 1.0.0 (here" in said


@pytest.mark.parametrize("package", ["lightgbm", "xgboost", "catboost"])
def test_the_version_that_a_booster_s_flavor_records_is_compared(package, tmp_path):
    """MLflow writes it beside the model; each library's own files have a row of their own."""
    key = {"lightgbm": "lgb", "xgboost": "xgb"}.get(package, package)
    (tmp_path / "MLmodel").write_text(
        yaml.safe_dump({"flavors": {package: {f"{key}_version": "0.1"}}})
    )
    (found,) = environment_differences(tmp_path, read_mlmodel(tmp_path), package)
    assert found == f"{package} 0.1 (here {importlib.metadata.version(package)})"


def test_a_pickled_wrapper_of_lightgbm_is_byte_code_too(tmp_path):
    """Then Python's minor version counts; a text has none."""
    (tmp_path / "python_env.yaml").write_text("python: 3.1.7")
    for form, found in (("cloudpickle", True), ("skops", False)):
        described = MLmodel(flavors={"lightgbm": {"serialization_format": form}})
        assert found == any(environment_differences(tmp_path, described, "lightgbm"))
