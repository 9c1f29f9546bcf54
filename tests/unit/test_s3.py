"""Models, results and tables on an object store: an S3 server on loopback, Arrow's own client."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING
from urllib.parse import unquote

import joblib
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs
from sklearn.ensemble import RandomForestClassifier

from sparkml.config import load_config
from sparkml.errors import ConfigError, DigestMismatch, ModelNotFound, SinkNotWritable
from sparkml.files import open_address
from sparkml.models.promise import promise
from sparkml.models.read import open_predictor, read_spec
from sparkml.spark.parquet.layout import Layout, PartitionColumn
from sparkml.spark.parquet.writer import write_files
from sparkml.spark.report import Outcome, write_result
from sparkml.spark.s3 import _brief
from tests.s3_environment import find_s3

if TYPE_CHECKING:
    from pathlib import Path

X = np.random.default_rng(0).normal(size=(60, 3))
FOREST = RandomForestClassifier(5, max_depth=3, random_state=0).fit(X, X[:, 0] > 0)
ROWS = pa.RecordBatch.from_pydict({"features": list(X)})


@pytest.fixture(scope="session")
def server():
    """An S3 server of this process, on a port of its own."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"{host}:{port}"
    server.stop()


@pytest.fixture
def s3(server, monkeypatch) -> fs.S3FileSystem:
    """The store as Arrow sees it, found through the variables that Arrow itself reads."""
    find_s3(monkeypatch, f"http://{server}")
    return fs.S3FileSystem(endpoint_override=server, scheme="http", allow_bucket_creation=True)


@pytest.fixture
def bucket(s3, tmp_path, monkeypatch) -> str:
    """An empty bucket, and an empty cache of models."""
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))
    name = tmp_path.name.replace("_", "-").lower()[:50].strip("-")
    s3.create_dir(name)
    return name


@pytest.fixture
def file(tmp_path) -> Path:
    """A model file, with its promise beside it."""
    path = tmp_path / "forest.joblib"
    joblib.dump(FOREST, path)
    promise(path)
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    """A model's folder as MLflow saves it, with its promise in it."""
    import mlflow

    path = tmp_path / "saved"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.sklearn.save_model(FOREST, path, pip_requirements=[], serialization_format="pickle")
    promise(path)
    return path


def put(s3, source: Path, target: str) -> None:
    """Upload a file or a folder."""
    if source.is_dir():
        s3.create_dir(target)
    fs.copy_files(
        str(source), target, source_filesystem=fs.LocalFileSystem(), destination_filesystem=s3
    )


def scores(spec) -> list:
    return [column.to_pylist() for column in open_predictor(spec).predict(ROWS)]


NATIVE = [FOREST.predict(X).tolist(), FOREST.predict_proba(X).tolist()]


@pytest.mark.parametrize("scheme", ["s3", "s3a"])
def test_a_model_folder_is_read(scheme, s3, bucket, folder):
    """Every file of it: the digest is the one of the folder on disk, and the promise holds."""
    put(s3, folder, f"{bucket}/models/forest")
    digest = read_spec(str(folder)).digest
    spec = read_spec(f"{scheme}://{bucket}/models/forest/", trust="promised", digest=digest)
    assert digest == spec.digest
    assert (spec.name, spec.uri) == ("forest", f"{scheme}://{bucket}/models/forest/")
    assert scores(spec) == NATIVE


def test_a_model_file_is_read_and_its_promise_beside_it(s3, bucket, file):
    """`model.sha256` is compared on the store as it is on disk."""
    put(s3, file, f"{bucket}/m/forest.joblib")
    put(s3, file.with_name("model.sha256"), f"{bucket}/m/model.sha256")
    spec = read_spec(f"s3://{bucket}/m/forest.joblib")
    assert read_spec(str(file)).digest == spec.digest
    assert scores(spec) == NATIVE
    with s3.open_output_stream(f"{bucket}/m/model.sha256") as note:
        note.write(b"0" * 64)
    with pytest.raises(DigestMismatch):
        read_spec(f"s3://{bucket}/m/forest.joblib")


def test_a_key_is_taken_as_it_is_written(s3, bucket, file):
    """Spaces, percent signs and letters of any language: a key is no URI."""
    for key in ("a b/forest.joblib", "a%20b/forest.joblib", "é+=#/forest.joblib"):
        put(s3, file, f"{bucket}/{key}")
        assert scores(read_spec(f"s3://{bucket}/{key}")) == NATIVE
        assert open_address(f"s3://{bucket}/{key}")[1] == f"{bucket}/{key}"


def test_a_missing_key_names_the_nearest(s3, bucket, file):
    """A key, and a bucket, that are not there."""
    put(s3, file, f"{bucket}/m/forest.joblib")
    with pytest.raises(ModelNotFound, match=r"did you mean 'forest\.joblib'"):
        read_spec(f"s3://{bucket}/m/forrest.joblib")
    for address in (f"s3://{bucket}/n/forest.joblib", f"s3://{bucket}-none/m", "s3://none-at-all"):
        with pytest.raises(ModelNotFound):
            read_spec(address)


def test_a_changed_file_is_refused(s3, bucket, file, folder):
    """The digest is not the promised one: in a file, and in a folder to which one was added."""
    put(s3, file.with_name("model.sha256"), f"{bucket}/m/model.sha256")
    joblib.dump(RandomForestClassifier(2).fit(X, X[:, 1] > 0), file)
    put(s3, file, f"{bucket}/m/forest.joblib")
    with pytest.raises(DigestMismatch, match="was promised"):
        read_spec(f"s3://{bucket}/m/forest.joblib")
    put(s3, folder, f"{bucket}/saved")
    with s3.open_output_stream(f"{bucket}/saved/extra.py") as stream:
        stream.write(b"1")
    with pytest.raises(DigestMismatch, match="was promised"):
        read_spec(f"s3://{bucket}/saved")


def test_a_store_holds_no_promise_of_ours(s3, bucket, file):
    """`promise` writes on disk or in the registry; it says so."""
    put(s3, file, f"{bucket}/forest.joblib")
    with pytest.raises(ConfigError, match="nothing can be written down"):
        promise(f"s3://{bucket}/forest.joblib")


@pytest.mark.parametrize("scheme", ["s3", "s3a"])
def test_the_result_is_written(scheme, s3, bucket):
    """Of a run that ended well, and of one that did not; again replaces."""
    address, key = f"{scheme}://{bucket}/results/wine 1.json", f"{bucket}/results/wine 1.json"
    outcome = Outcome(models=[], table=f"s3://{bucket}/t", rows=3, scored=3)
    write_result(address, outcome)
    with s3.open_input_stream(key) as stream:
        assert outcome.to_json() == json.loads(stream.read())
    write_result(address, ModelNotFound("no model", where="here", fix="look"))
    with s3.open_input_stream(key) as stream:
        assert "MODEL_NOT_FOUND" == json.loads(stream.read())["error"]["code"]


def test_a_result_that_cannot_be_written_says_where(s3, bucket):
    """No such bucket."""
    with pytest.raises(SinkNotWritable, match="none-at-all"):
        write_result("s3://none-at-all/r.json", Outcome(models=[], table=""))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("AWS Error ACCESS_DENIED during HeadObject: no\nmore", "ACCESS_DENIED"),
        ("\nno such host\nmore", "no such host"),
        ("", "OSError"),
        ("\n", "OSError"),
    ],
    ids=["code", "first-line", "empty", "blank"],
)
def test_why_a_store_cannot_be_reached_is_never_empty(said, told):
    """An empty reason would mean that it can."""
    assert told == _brief(OSError(said))


SCHEMA = pa.schema([("id", pa.int64()), ("score", pa.float64())])


def test_parquet_files_are_written(s3, bucket):
    """One per partition, under its folder; size, rows and path in the reports are the store's."""
    day = PartitionColumn(name="d", physical="d", type=pa.string(), in_rows=True)
    root = f"s3a://{bucket}/a table"
    layout = Layout(root=root, logical=SCHEMA, physical=SCHEMA, partitions=(day,))
    rows = [{"id": i, "score": i / 2, "d": "x /é%"[: i % 6]} for i in range(12)]
    batch = pa.RecordBatch.from_pylist(rows, SCHEMA.append(pa.field("d", pa.string())))
    reports = list(write_files([batch], layout, task="0"))
    found = {i.path: i.size for i in listed(s3, f"{bucket}/a table")}
    assert {f"{bucket}/a table/{unquote(r.path)}": r.size for r in reports} == found
    read = [pq.read_table(path, filesystem=s3, partitioning=None) for path in found]
    assert sorted(pa.concat_tables(read).to_pylist(), key=lambda row: row["id"]) == [
        {"id": row["id"], "score": row["score"]} for row in rows
    ]


def test_files_that_nobody_reported_are_deleted(s3, bucket):
    """The task fails midway: nothing of it stays."""

    def batches():
        yield pa.RecordBatch.from_pylist([{"id": 1, "score": 1.0}], SCHEMA)
        raise OSError("the source went away")

    layout = Layout(root=f"s3://{bucket}/t", logical=SCHEMA, physical=SCHEMA)
    with pytest.raises(OSError, match="went away"):
        list(write_files(batches(), layout, task="0"))
    assert [] == listed(s3, f"{bucket}/t")


def listed(s3, folder: str) -> list[fs.FileInfo]:
    selector = fs.FileSelector(folder, recursive=True, allow_not_found=True)
    return [info for info in s3.get_file_info(selector) if info.is_file]


def test_a_configuration_on_a_store_is_read_as_one_on_disk(s3) -> None:
    """A driver without a copy of the file, as on EMR Serverless, reads it where it is stored."""
    s3.create_dir("confs")
    text = "models: {m: {uri: models:/m/1}}\nsource: {format: delta, path: a}\nkey: [id]\n"
    with s3.open_output_stream("confs/job one.yaml") as stream:
        stream.write(f"{text}sink: {{format: delta, path: b}}\n".encode())
    loaded = load_config("s3://confs/job one.yaml", env={}, sets=["key=[other]"])
    assert ("other",) == loaded.config.key
    assert "s3://confs/job one.yaml:1" == loaded.origins["models.m.uri"]
    with pytest.raises(ConfigError, match=r"there is no such file \| s3://confs/none.yaml"):
        load_config("s3://confs/none.yaml", env={})
