"""A Spark ML model on its way to executors through a real object store: S3A, and moto's S3."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from pyspark.ml import Pipeline
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import StringIndexer, VectorAssembler

from sparkml import read_spec
from tests.models import stored, table

ROOT = Path(__file__).parents[2]
JARS = ROOT / ".jars" / "s3a-3.4.2"

pytestmark = [
    pytest.mark.spark,
    pytest.mark.yarn,  # of what that needs, S3A
    pytest.mark.skipif(
        not any(JARS.glob("*.jar")), reason="no S3A: python tools/jars_for_tests.py s3a"
    ),
]


@pytest.fixture
def store(monkeypatch):
    """An empty bucket `home` in an S3 server of this process, by boto3."""
    import boto3
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Handler(WSGIRequestHandler):
        def log(self, *_):
            pass

        def run_wsgi(self):
            del self.headers["Expect"]  # S3A takes werkzeug's `100 Continue` for the answer
            super().run_wsgi()

    app = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    client = boto3.client(
        "s3", endpoint_url=f"http://127.0.0.1:{server.port}", region_name="us-east-1",
        aws_access_key_id="key", aws_secret_access_key="secret",
    )  # fmt: skip
    client.create_bucket(Bucket="home")
    yield client
    client.close()
    server.shutdown()
    thread.join()
    server.server_close()


DRIVER = """
import sys
from sparkml import read_spec, score
from sparkml.spark.session import build_session
endpoint, jars, model, home = sys.argv[1:]
s3a = "spark.hadoop.fs.s3a."
conf = {
    "spark.ui.enabled": "false", "spark.executor.memory": "512m",
    "spark.driver.extraClassPath": f"{jars}/*", "spark.executor.extraClassPath": f"{jars}/*",
    "spark.sql.warehouse.dir": f"file://{home}/warehouse",
    "spark.hadoop.fs.defaultFS": "s3a://home",
    s3a + "endpoint": endpoint, s3a + "endpoint.region": "us-east-1",
    s3a + "path.style.access": "true", s3a + "retry.limit": "2", s3a + "attempts.maximum": "2",
    s3a + "access.key": "key", s3a + "secret.key": "secret",
}
spark = build_session("local-cluster[1,1,1024]", conf, tuned=True)
df = spark.sql("SELECT 1D a, 2D b, 'x' c")
[row] = score(df, read_spec(model), keep=[]).collect()
print(row.m.prediction, row.m.probability)
spark.stop()
"""


def objects(store) -> dict[str, str]:
    """What lies in the folder of models: path in it → key."""
    listed = store.list_objects_v2(Bucket="home").get("Contents", [])
    keys = [o["Key"] for o in listed if not o["Key"].endswith("/")]
    return {key.partition("/.sparkml/models/")[2]: key for key in keys}


def test_a_copy_that_is_not_whole_is_not_read(spark, store, tmp_path):
    """Another driver died while the store renamed it file by file: this one makes its own."""
    x = table(60).assign(c="x")
    x["label"] = (x["a"] > x["b"]).astype(float)
    rows = spark.createDataFrame(x)
    stages = [
        StringIndexer(inputCol="c", outputCol="ci"),
        VectorAssembler(inputCols=["a", "b", "ci"], outputCol="features"),
        LogisticRegression(maxIter=3),
    ]
    path = str(tmp_path / "m")
    model = stored(Pipeline(stages=stages).fit(rows), path)
    given = spark.sql("SELECT 1D a, 2D b, 'x' c")
    [expected] = model.transform(given).select("prediction", "probability").collect()
    said = f"{expected.prediction} {expected.probability.toArray().tolist()}"
    digest = read_spec(path).digest

    assert said == scored(store, path, tmp_path)
    first = objects(store)
    assert {digest} == {key.partition("/")[0] for key in first}
    assert f"{digest}/_COMPLETE" in first
    [data] = (key for key in first if "/0_" in key and "/data/part-" in key)
    for key in (f"{digest}/_COMPLETE", data):
        store.delete_object(Bucket="home", Key=first[key])

    assert said == scored(store, path, tmp_path)
    own = {key.partition("/")[2] for key in objects(store) if key.startswith(f".{digest}.app-")}
    assert {key.partition("/")[2] for key in first} == own


def scored(store, model: str, home: Path) -> str:
    """What a driver and an executor of their own print for one row."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, store.meta.endpoint_url, str(JARS), model, str(home)],
        env=os.environ, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr
    return done.stdout.splitlines()[-1]
