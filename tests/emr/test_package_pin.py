"""A run's model is pinned when it is packed, and travels where the cluster cannot ask for it.

The registry is MLflow's own, in a SQLite file; the store is a real S3 server.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import joblib
import numpy as np
import pyarrow as pa
import pytest
import yaml
from pydantic import ValidationError
from sklearn.linear_model import LogisticRegression

from emr.errors import PackageDamaged
from emr.job_run import Environment, JobRun
from emr.package import (
    PackedFile,
    environment_stored_in,
    pack,
    plan_package,
    upload,
    verify,
)
from emr.package.kept import keep
from emr.spec import ClusterSpec
from sparkml.config import JobConfig
from sparkml.errors import ConfigError, DigestMismatch, ModelNotFound, UntrustedModel
from sparkml.models.promise import promise
from sparkml.models.read import open_predictor, read_spec
from sparkml.models.register import log_sklearn, set_alias, tracked_run
from sparkml.spark.run import resolve
from sparkml.spec import Field, Signature

X = np.random.default_rng(0).normal(size=(60, 2))
SIGNATURE = Signature(
    inputs=(Field(name="a", type="double"), Field(name="b", type="double")),
    outputs=(Field(name="prediction", type="int64"),),
)


@pytest.fixture(scope="module")
def registered(tmp_path_factory):
    """A registry with two versions of a model; `champion` is the second."""
    folder = tmp_path_factory.mktemp("registry")
    tracking = f"sqlite:///{folder / 'mlflow.db'}"
    artifacts = str(folder / "artifacts")
    with tracked_run("pin", artifacts=artifacts, tracking_uri=tracking):
        for c in (1.0, 2.0):
            model = LogisticRegression(C=c).fit(X, X[:, 0] > 0)
            logged = log_sklearn(model, SIGNATURE, name="wine")
        set_alias("wine", "champion", logged.version)
    return folder


@pytest.fixture
def registry(registered, tmp_path, monkeypatch):
    """That registry's address; and an empty cache of models."""
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "models"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return f"sqlite:///{registered / 'mlflow.db'}"


@pytest.fixture
def packed(tmp_path, registry, bucket):
    """A factory of packages of a scoring run; the environment is one that is stored already."""
    node = {"types": "m7i.xlarge", "on_demand": 1}
    artifacts = f"s3://{bucket}/sparkml"
    spec = ClusterSpec.model_validate(
        {"name": "test", "artifacts": artifacts, "primary": node, "core": node}
    )

    def make(uri="models:/wine@champion", *, ship="auto", tracking=registry, trust="always", **own):
        environment = own.pop("environment", {})
        stored = own.pop("stored", _stored(bucket))
        config = {
            "models": {"wine": {"uri": uri, **own}},
            "registry": {"tracking_uri": tracking},
            "trust": trust,
            "source": {"format": "parquet", "path": "s3://bkt/in"},
            "key": ["id"],
            "sink": {"format": "parquet", "path": "s3://bkt/out"},
        }
        file = tmp_path / "score.yaml"
        file.write_text(yaml.safe_dump(config))
        run = JobRun(job="score", config=str(file), ship_model=ship, environment=environment)
        local = pack(run, spec, cache=tmp_path / "cache", stored=stored)
        assert plan_package(run, spec).wheel == local.package.wheel
        return local

    return make


def _stored(bucket):
    def stored(key):
        name = key.removeprefix(f"s3://{bucket}/")
        boto3.client("s3").put_object(Bucket=bucket, Key=name, Body=b"environment")
        return PackedFile(role="archive", key=key, sha256="", bytes=11, checksum="")

    return stored


def config_of(local):
    """The configuration that travels."""
    (path,) = [file.path for file in local.package.files if file.role == "config"]
    return JobConfig.model_validate(yaml.safe_load(path.read_text()))


def on_the_cluster(config, monkeypatch, tmp_path):
    """The models as a driver sees them that has neither this machine's cache nor its registry."""
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "driver"))
    return resolve(config)


def test_an_alias_becomes_a_version_whose_files_travel(packed, registry, tmp_path, monkeypatch):
    """And the output still tells that it was version 2 of wine, and not which folder it was in."""
    expected = read_spec("models:/wine/2", tracking_uri=registry)
    local = packed()
    s3 = boto3.client("s3")
    upload(local, s3)
    verify(local.package, s3)
    config = config_of(local)
    entry = config.models["wine"]
    assert local.package.model == entry.uri
    assert (expected.digest, "models:/wine/2") == (entry.digest, entry.origin)
    assert config.registry.tracking_uri is None
    (found,) = on_the_cluster(config, monkeypatch, tmp_path)
    assert ("models:/wine/2", "2") == (found.uri, found.version)
    assert expected == read_spec("models:/wine/2", tracking_uri=registry)
    rows = pa.RecordBatch.from_pydict({"a": X[:, 0], "b": X[:, 1]})
    scores = [column.to_pylist() for column in open_predictor(found).predict(rows)]
    theirs = [column.to_pylist() for column in open_predictor(expected).predict(rows)]
    assert theirs == scores


def test_the_run_keeps_its_version_when_the_alias_moves(packed, registry):
    first = packed()
    with tracked_run("pin", tracking_uri=registry):
        set_alias("wine", "champion", "1")
    moved = packed()
    with tracked_run("pin", tracking_uri=registry):
        set_alias("wine", "champion", "2")
    assert "models:/wine/1" == config_of(moved).models["wine"].origin
    assert first.package.digest != moved.package.digest
    assert first.package == packed().package


def test_files_that_were_changed_in_the_store_are_refused(packed, tmp_path, monkeypatch):
    """Between the upload and the start of the driver: the configuration holds their digest."""
    local = packed()
    s3 = boto3.client("s3")
    upload(local, s3)
    address = next(f.key for f in local.package.files if f.key.endswith("MLmodel"))
    bucket, _, key = address.removeprefix("s3://").partition("/")
    data = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    s3.put_object(Bucket=bucket, Key=key, Body=data + b"\n")
    with pytest.raises(DigestMismatch):
        on_the_cluster(config_of(local), monkeypatch, tmp_path)


def test_a_promise_travels_and_none_is_made_up(packed, tmp_path, monkeypatch):
    """`trust: promised` means on the cluster what it means here: a pickle needs its promise."""
    folder = tmp_path / "pickled"
    folder.mkdir()
    joblib.dump(LogisticRegression().fit(X, X[:, 0] > 0), folder / "model.joblib")

    def on_the_cluster_as_well(**own):
        local = packed(str(folder), trust="promised", **own)
        upload(local, boto3.client("s3"))
        with monkeypatch.context() as patch:
            return on_the_cluster(config_of(local), patch, tmp_path)

    with pytest.raises(UntrustedModel):
        on_the_cluster_as_well()
    digest = promise(folder)
    with pytest.raises(UntrustedModel):
        on_the_cluster_as_well()
    (found,) = on_the_cluster_as_well(digest=digest)
    assert ("sklearn", digest) == (found.flavor, found.digest)


def test_a_model_of_this_machine_travels(packed, tmp_path, monkeypatch):
    """A lone file: its folder on S3 is named by its digest, which is its version as well."""
    file = tmp_path / "forest.joblib"
    joblib.dump(LogisticRegression().fit(X, X[:, 0] > 0), file)
    local = packed(str(file), tracking=None)
    upload(local, boto3.client("s3"))
    config = config_of(local)
    (found,) = on_the_cluster(config, monkeypatch, tmp_path)
    assert config.models["wine"].uri.endswith(found.digest)
    assert (found.digest[:12], "wine") == (found.version, found.name)
    assert str(tmp_path) not in found.uri


def test_what_the_cluster_cannot_reach_must_travel(packed, tmp_path):
    with pytest.raises(ConfigError, match="cannot reach the model models:/wine/2"):
        packed(ship="never")


def test_a_missing_model_is_told_before_anything_is_stored(packed, bucket):
    with pytest.raises(ModelNotFound, match="no alias 'champ'"):
        packed("models:/wine@champ")
    assert not boto3.client("s3").list_objects_v2(Bucket=bucket).get("Contents")


def test_a_model_on_s3_stays_where_it_is_with_its_digest(packed, registered, bucket):
    """Unless the run ships it: then a copy is kept, which nobody replaces."""
    s3 = boto3.client("s3")
    folder = next(path.parent for path in (registered / "artifacts").rglob("MLmodel"))
    for path in folder.rglob("*"):
        if path.is_file():
            s3.upload_file(str(path), bucket, f"own/{path.relative_to(folder).as_posix()}")
    uri = f"s3://{bucket}/own"
    stays, ships, never = (packed(uri, ship=ship) for ship in ("auto", "always", "never"))
    entry = config_of(stays).models["wine"]
    assert uri == entry.uri
    assert ships.package.model is not None
    assert config_of(ships).models["wine"].digest == entry.digest
    assert stays.package.model is None
    assert never.package.model is None
    left = config_of(never).models["wine"]
    assert (uri, entry.digest) == (left.uri, left.digest)


def test_a_digest_that_the_configuration_names_is_kept_to(packed, tmp_path, bucket):
    """Other bytes than the promised ones are refused, and nothing writes over the promise."""
    file = tmp_path / "forest.joblib"
    joblib.dump(LogisticRegression().fit(X, X[:, 0] > 0), file)
    with pytest.raises(DigestMismatch):
        packed(str(file), tracking=None, digest="0" * 64, origin="models:/wine/3")
    with pytest.raises(DigestMismatch):
        packed(digest="0" * 64)
    assert not boto3.client("s3").list_objects_v2(Bucket=bucket).get("Contents")


def test_the_origin_that_a_configuration_names_travels(packed, tmp_path):
    """A copy of a registered model, packed again: the output still tells which version it was."""
    file = tmp_path / "forest.joblib"
    joblib.dump(LogisticRegression().fit(X, X[:, 0] > 0), file)
    first = config_of(packed(str(file), tracking=None)).models["wine"]
    again = packed(str(file), tracking=None, digest=first.digest, origin="models:/wine/3")
    entry = config_of(again).models["wine"]
    assert ("models:/wine/3", first.digest) == (entry.origin, entry.digest)


def test_the_manifest_tells_every_file_of_the_run(packed):
    local = packed()
    s3 = boto3.client("s3")
    upload(local, s3)
    bucket, _, key = local.package.manifest.removeprefix("s3://").partition("/")
    manifest = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    assert local.package.digest == manifest["digest"]
    assert {f.key for f in local.package.files} == {f["key"] for f in manifest["files"]}
    assert any(line.startswith("numpy==") for line in manifest["requirements"])
    assert str(Path.home()) not in json.dumps(manifest)


def test_other_bytes_of_a_named_archive_are_another_run(packed, bucket, tmp_path):
    """Its address holds no hash: what is there is looked at, and belongs to the run's digest."""
    s3 = boto3.client("s3")
    file = tmp_path / "forest.joblib"
    joblib.dump(LogisticRegression().fit(X, X[:, 0] > 0), file)
    named = {"environment": {"archive": f"s3://{bucket}/own.tgz"}, "tracking": None}
    s3.put_object(Bucket=bucket, Key="own.tgz", Body=b"one")
    first = packed(str(file), stored=environment_stored_in(s3), **named)
    assert first.package == packed(str(file), stored=environment_stored_in(s3), **named).package
    upload(first, s3)
    verify(first.package, s3)
    s3.put_object(Bucket=bucket, Key="own.tgz", Body=b"two")
    second = packed(str(file), stored=environment_stored_in(s3), **named)
    assert first.package.digest != second.package.digest
    with pytest.raises(PackageDamaged):
        verify(first.package, s3)


def test_an_environment_that_cannot_open_the_model_is_refused_before_anything_is_stored(
    packed, bucket
):
    with pytest.raises(
        ConfigError, match=r"--run-set environment.extras=\[mlflow,lightgbm,sklearn\]"
    ):
        packed(environment={"extras": ["mlflow", "lightgbm"]})
    assert not boto3.client("s3").list_objects_v2(Bucket=bucket).get("Contents")
    packed(environment={"archive": f"s3://{bucket}/own.tgz"})


@pytest.mark.parametrize(
    "archive", ["own.tgz", "s3://bkt/own.rar", "s3://bkt/a b.zip", "s3://bkt/a#b.zip"]
)
def test_an_archive_is_named_as_spark_takes_it(archive):
    with pytest.raises(ValidationError):
        Environment(archive=archive)


def test_several_submits_may_keep_the_same_file(tmp_path):
    """None of them reads half of what another writes."""
    file = tmp_path / "code" / "wheel"
    sizes = [200_000 + number for number in range(40)]
    keep(file, b"x" * sizes[0])
    with ThreadPoolExecutor(8) as pool:
        written = [pool.submit(keep, file, b"x" * size) for size in sizes]
        read = [len(file.read_bytes()) for _ in range(200)]
        assert [None] * len(sizes) == [one.result() for one in written]
    assert set(read) <= set(sizes)
    assert ["wheel"] == [one.name for one in file.parent.iterdir()]
