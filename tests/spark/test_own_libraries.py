"""`environment: match` on real workers: they run with the model's own library, and no others do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
import yaml
from pyspark.errors import PythonException

from sparkml import read_spec, register_sql, score, score_udf
from sparkml.config import load_config
from sparkml.errors import ConfigError
from sparkml.spark import run as runs
from sparkml.spark.own_libraries import own_libraries
from tests.matched_models import HOSTS, NOW, OLD, THEN, suffix_model
from tests.quiet import Silent
from tests.spark.test_clusters import ROOT, package, python

pytestmark = pytest.mark.spark

OLDER = "publicsuffixlist==0.10.0.20231002"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The model as it was logged with the old list, with an older one, and with what is here."""
    home = tmp_path_factory.mktemp("models")
    here = "publicsuffixlist>=0.10"
    pd.DataFrame({"id": [0, 1], "host": HOSTS}).to_parquet(home / "rows.parquet")
    for name, line in (("old", OLD), ("older", OLDER), ("here", here)):
        suffix_model(home / name, line)
    return home


@pytest.fixture(scope="module")
def old(models):
    return read_spec(str(models / "old"), name="m", environment="match")


@pytest.fixture
def rows(spark, models):
    return spark.read.parquet(str(models / "rows.parquet")).coalesce(1)


def scores(scored, name="m"):
    return [row[name].prediction for row in scored.orderBy("id").collect()]


def versions(batches):
    """Which libraries a worker runs with."""
    import importlib.metadata

    import pyspark

    for _ in batches:
        found = importlib.metadata.version("publicsuffixlist")
        yield pa.RecordBatch.from_pydict({"list": [found], "spark": [pyspark.__file__]})


def told(batches):
    """What a worker's environment says."""
    for _ in batches:
        yield pa.RecordBatch.from_pydict({"t": [os.environ.get("SPARKML_TEST")]})


def test_scores_are_those_of_the_recorded_library(rows, old, models):
    assert scores(score(rows, old, key="id")) == THEN
    here = read_spec(str(models / "here"), name="m", environment="match")
    assert here.environment == ""
    assert scores(score(rows, here, key="id")) == NOW
    assert scores(score(rows, old, key="id")) == THEN


def test_one_pass_has_one_environment_and_two_passes_have_two(rows, old, models):
    """What the error says to do is done: one job after the other."""
    others = [
        read_spec(str(models / name), name=name, environment="match") for name in ("older", "here")
    ]
    for other in others:
        with pytest.raises(ConfigError, match="score them in two jobs"):
            score(rows, old, other, key="id")
    both = score(score(rows, old, key="id").drop("error"), others[1], key="id")
    assert (scores(both), scores(both, "here")) == (THEN, NOW)


def test_other_functions_keep_the_libraries_of_the_driver(spark, rows, old):
    """And PySpark is the driver's in either."""
    import importlib.metadata

    schema = "list string, spark string"
    with own_libraries(spark, old.environment):
        own = rows.mapInArrow(versions, schema)
    usual = rows.mapInArrow(versions, schema)
    (own,), (usual,) = own.collect(), usual.collect()
    assert own["list"] == OLD.partition("==")[2]
    assert usual["list"] == importlib.metadata.version("publicsuffixlist")
    assert own["spark"] == usual["spark"]


def test_other_threads_keep_them_meanwhile(spark, rows, old, models):
    """Nor do they wait: each thread's functions have what it asked for."""
    import importlib.metadata

    older = read_spec(str(models / "older"), name="m", environment="match")

    def made(spec=None):
        with own_libraries(spark, spec.environment) if spec else nullcontext():
            return rows.mapInArrow(versions, "list string, spark string")

    with ThreadPoolExecutor(1) as other, own_libraries(spark, old.environment):
        usual = other.submit(made).result()
        theirs = other.submit(made, older).result(timeout=60)
        own = made()
    found = [one.collect()[0]["list"] for one in (usual, theirs, own)]
    installed = importlib.metadata.version("publicsuffixlist")
    assert found == [installed, *(line.partition("==")[2] for line in (OLDER, OLD))]
    spark.sparkContext.environment["SPARKML_TEST"] = "set later"  # as before
    assert rows.mapInArrow(told, "t string").collect()[0].t == "set later"
    del spark.sparkContext.environment["SPARKML_TEST"]


def test_columns_and_sql_have_them_too(clean_spark, rows, old):
    column = score_udf(old)
    assert [r.p for r in rows.orderBy("id").select(column("host").prediction.alias("p")).collect()
            ] == THEN  # fmt: skip
    rows.createOrReplaceTempView("hosts")
    register_sql(clean_spark, "suffix_labels", old)
    found = clean_spark.sql(
        "SELECT suffix_labels(host => host).prediction AS p FROM hosts ORDER BY id"
    )
    assert [r.p for r in found.collect()] == THEN


def test_columns_that_share_a_worker_never_score_with_another_s_libraries(rows, old, models):
    here = read_spec(str(models / "here"), name="h")
    both = rows.select(score_udf(old)("host").alias("a"), score_udf(here)("host").alias("b"))
    with pytest.raises(PythonException, match="this process runs otherwise"):
        both.collect()


@pytest.fixture
def job(models, tmp_path):
    def make(**entry):
        file = tmp_path / "job.yaml"
        file.write_text(yaml.safe_dump({
            "models": {"m": {"uri": str(models / "old"), **entry}},
            "source": {"format": "parquet", "path": str(models / "rows.parquet")}, "key": "id",
            "sink": {"format": "delta", "path": str(tmp_path / "scores")},
        }))  # fmt: skip
        return load_config(str(file))

    return make


def test_a_job_says_which_environment_it_scores_with(spark, job, old):
    """In its plan, in its outcome; and the stored scores are the old list's."""
    config = job(environment="match")
    (planned,) = runs.plan(config).models
    assert (planned["environment"], planned["libraries"]) == (old.environment, OLD)
    outcome = runs.run(config, report=Silent())
    assert outcome.models == [planned]
    assert [row["m"]["prediction"] for row in sorted(outcome.sample, key=lambda r: r["id"])] == THEN
    assert OLD in runs.plan(config).text()


def test_separate_executors_get_the_folder(models, tmp_path):
    """Two executors with caches of their own; the job's tasks score and write there."""
    config = tmp_path / "job.yaml"
    config.write_text(
        f"""
        models: {{m: {{uri: {models}/old, environment: match}}}}
        source: {{format: parquet, path: {models}/rows.parquet}}
        key: id
        sink: {{format: delta, path: {tmp_path}/scores}}
        result: {tmp_path}/result.json
        spark: {{master: "local-cluster[2,1,1024]", conf: {{spark.ui.enabled: false,
                 spark.submit.pyFiles: {package(tmp_path)},
                 spark.executorEnv.SPARKML_CACHE: {tmp_path}/cache-of-the-executors,
                 spark.executor.memory: 512m}}}}
        """
    )
    done = subprocess.run(
        [sys.executable, "-m", "sparkml", "score", "--config", str(config)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    outcome = json.loads((tmp_path / "result.json").read_text())
    assert [row["m"]["prediction"] for row in sorted(outcome["sample"], key=lambda r: r["id"])] == (
        THEN
    )
    assert not Path(tmp_path / "cache-of-the-executors" / "environments").exists()


def test_spark_connect_is_refused_before_any_task(models):
    pytest.importorskip("grpc", reason="the extra sparkml[connect] is not installed")
    printed = python(
        """
        import sys
        from pyspark.sql import SparkSession
        spark = SparkSession.builder.remote("local[2]").getOrCreate()
        from sparkml import read_spec, score
        from sparkml.errors import EnvironmentMismatch
        home = sys.argv[1]
        rows = spark.read.parquet(f"{home}/rows.parquet")
        try:
            score(rows, read_spec(f"{home}/old", name="m", environment="match"), key="id")
        except EnvironmentMismatch as error:
            print(error.line())
        spark.stop()
        """,
        str(models),
    )
    assert "ERROR MODEL_ENVIRONMENT: a Spark Connect client cannot give workers" in printed
