"""`environment: match` on a cluster: the packed environment has what the models record.

What an error tells to do is done, and then the run is planned.
"""

from __future__ import annotations

import re

import pytest
import yaml

from emr.commands.options import run_from
from emr.package import PackedFile, pack, plan_package
from emr.package.requirements import requirements_of
from sparkml.errors import ConfigError, EnvironmentMismatch, UntrustedModel
from sparkml.models.recorded import recorded
from tests.emr.rich_cluster import plain

PIN = "threadpoolctl==3.5.0"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "models"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


@pytest.fixture
def model(home):
    """A factory of MLflow models that record these requirements."""

    def make(name, *requirements, python="3.11.9"):
        folder = home / name
        folder.mkdir()
        own = {"loader_module": "mlflow.sklearn", "python_version": python}
        (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": {"python_function": own}}))
        (folder / "requirements.txt").write_text("\n".join(requirements))
        return folder

    return make


@pytest.fixture
def packed(home):
    def make(*models, by="plan", run_sets=(), spec=None, **changes):
        entries = [
            one if isinstance(one, dict) else {"uri": str(one), "environment": "match"}
            for one in models
        ]
        file = home / "job.yaml"
        file.write_text(yaml.safe_dump({
            "models": {f"m{at}": {"signature": "a: double", **entry}
                       for at, entry in enumerate(entries)},
            "source": {"format": "parquet", "path": "s3://tables/in"}, "key": "id",
            "sink": {"format": "delta", "path": "s3://tables/out"}, **changes,
        }))  # fmt: skip
        run = run_from("score", str(file), [], list(run_sets))
        spec = spec or plain()
        if by == "plan":
            return plan_package(run, spec)
        stored = lambda key: PackedFile(role="archive", key=key, sha256="", bytes=1, checksum="x")  # noqa: E731
        return pack(run, spec, cache=home / "cache", stored=stored)

    return make


def test_another_version_is_another_archive(packed, model):
    """For the model that asks for it, or for all; at the same address in `plan` and `submit`."""
    folder = model("m", PIN, "mlflow==2.9.0", "pyspark==3.5.0")
    usual = packed({"uri": str(folder)}).archive
    asked = packed(folder).archive
    assert asked not in (usual, packed(model("n", "threadpoolctl==3.6.0")).archive)
    assert packed({"uri": str(folder)}, environment="match").archive == asked
    submitted = packed(folder, by="submit")
    assert submitted.package.archive == asked
    assert PIN in submitted.requirements
    assert not any(name.startswith("threadpoolctl==3.8") for name in submitted.requirements)


def test_what_is_left_out_is_neither_packed_nor_missed(packed, model):
    """There the job asks again whether what is recorded is met."""
    folder = model("m", PIN, "nvidia-nccl-cu12==2.20.5")
    assert not any("nccl" in name for name in packed(folder, by="submit").requirements)
    found = recorded(folder, None, where="m").requirements
    assert found == (PIN,)


def test_what_a_model_records_is_there_for_what_it_imports(packed, model):
    """No extra brings the library: the model's own requirements do."""
    folder = model("m", PIN, "acme-features==1.2.3")
    assert not any("acme" in note for note in packed(folder, by="submit").notes)
    assert any("acme" in note for note in packed({"uri": str(folder)}, by="submit").notes)


def test_two_models_that_record_different_versions_are_refused(packed, model):
    first, second = model("a", PIN), model("b", "Threadpoolctl == 3.6.0")
    with pytest.raises(ConfigError, match=r"m0 records .*==3\.5\.0, m1 ==3\.6\.0"):
        packed(first, second)
    assert packed(first, {"uri": str(second), "environment": "warn"})


def test_an_archive_is_not_looked_into(packed, model):
    folder, archive = model("m", PIN), "environment.archive=s3://bucket/e.tar.gz"
    with pytest.raises(ConfigError, match="the run names an archive, into which nobody looks"):
        packed(folder, run_sets=[archive])
    assert packed(folder)
    assert packed({"uri": str(folder), "environment": "error"}, run_sets=[archive])


def test_a_model_of_another_python_is_told_the_cluster_s_key(packed, model):
    folder = model("m", PIN, python="3.13.1")
    with pytest.raises(EnvironmentMismatch, match=r"set python: '3\.13' of the cluster"):
        packed(folder)
    assert packed(folder, spec=plain(python="3.13"))
    with pytest.raises(EnvironmentMismatch, match=r"log the model again under Python 3\.11 or"):
        packed(model("n", PIN, python="3.12.1"))


@pytest.mark.parametrize("by", ["plan", "submit"])
def test_only_a_trusted_model_chooses_what_is_packed(packed, model, by):
    folder = model("m", PIN)
    for trust in ("never", "promised"):
        with pytest.raises(UntrustedModel, match="environment: match installs") as error:
            packed(folder, trust=trust, by=by)
    digest = re.search("write digest: ([0-9a-f]{64}) into", error.value.fix)[1]
    entry = {"uri": str(folder), "environment": "match", "digest": digest}
    assert packed(entry, trust="promised", by=by)


def test_a_file_that_records_nothing_is_refused(packed, home):
    (home / "m.joblib").write_bytes(b"\x80\x04N.")
    with pytest.raises(EnvironmentMismatch, match="records no versions"):
        packed(home / "m.joblib")


def test_what_is_resolved_is_what_the_extras_need_and_the_models_record():
    found = requirements_of(
        ("sklearn",), None, python="3.11", machine="x86_64", recorded=(PIN, "acme>=1")
    )
    usual = requirements_of(("sklearn",), None, python="3.11", machine="x86_64")
    assert found.wanted[:2] == (PIN, "acme>=1")
    assert {"numpy>=2.0", "scikit-learn>=1.5"} <= set(found.wanted)
    assert not any(line.startswith(("pyspark", "delta-spark")) for line in found.wanted)
    assert {PIN, "acme>=1"} == set(found.names) - set(usual.names)
    assert "acme" in found.distributions
    assert usual.wanted == ()
