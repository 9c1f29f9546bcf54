"""Separate executors, and Spark Connect: the model travels, the numbers stay."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import joblib
import pytest
from sklearn.ensemble import RandomForestClassifier

from tests.models import table

pytestmark = pytest.mark.spark

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def forest(tmp_path_factory):
    """A forest in a file, the rows it scores in Parquet, and its labels."""
    home = tmp_path_factory.mktemp("cluster")
    x = table(200)
    model = RandomForestClassifier(n_estimators=5, random_state=0).fit(x, x["a"] > x["b"])
    joblib.dump(model, home / "forest.joblib")
    x.assign(id=range(200)).to_parquet(home / "rows.parquet")
    return home, model.predict_proba(x).tolist()


def package(folder: Path) -> Path:
    """The library as a zip for `--py-files`."""
    archive = folder / "sparkml.zip"
    with zipfile.ZipFile(archive, "w") as z:
        for file in (ROOT / "sparkml").rglob("*.py"):
            z.write(file, file.relative_to(ROOT))
    return archive


def python(script: str, *arguments: str, **environment: str) -> str:
    """What a script prints on standard output, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_separate_executors_score_with_the_package_shipped_as_a_zip(forest, tmp_path):
    """Two executor processes that have neither our package nor a filled cache of models."""
    home, expected = forest
    printed = python(
        """
        import json, sys
        from sparkml import read_spec, score
        from sparkml.spark.session import build_session
        home, package, cache = sys.argv[1:]
        conf = {
            "spark.submit.pyFiles": package, "spark.ui.enabled": "false",
            "spark.executorEnv.SPARKML_CACHE": cache, "spark.executor.memory": "512m",
        }
        spark = build_session("local-cluster[2,1,1024]", conf, tuned=True)
        spec = read_spec(f"{home}/forest.joblib", name="m")
        df = spark.read.parquet(f"{home}/rows.parquet").repartition(4)
        rows = score(df, spec, key="id", keep=[]).orderBy("id").collect()

        def where(batches):
            import os, pyarrow as pa, sparkml
            for _ in batches:
                yield pa.RecordBatch.from_pydict(
                    {"file": [sparkml.__file__], "cache": [str(os.listdir(cache))]}
                )

        found = spark.range(0, 4, 1, 4).mapInArrow(where, "file string, cache string").collect()
        print(json.dumps([r.m.probability for r in rows]))
        print(all("sparkml.zip" in r.file for r in found), spec.digest in found[0].cache)
        spark.stop()
        """,
        str(home),
        str(package(tmp_path)),
        str(tmp_path / "cache-of-the-executors"),
    )

    scores, shipped = printed.strip().splitlines()[-2:]
    assert str(expected) == scores
    assert "True True" == shipped


def test_the_job_runs_unchanged_on_separate_executors(forest, tmp_path):
    """Executors write the uncommitted files, the driver commits them."""
    home, _ = forest
    config = tmp_path / "job.yaml"
    config.write_text(
        f"""
        models: {{m: {{uri: {home}/forest.joblib}}}}
        source: {{format: parquet, path: {home}/rows.parquet}}
        key: id
        sink: {{format: delta, path: {tmp_path}/scores}}
        spark: {{master: "local-cluster[2,1,1024]", conf: {{spark.ui.enabled: false,
                 spark.executor.memory: 512m}}}}
        """
    )

    done = subprocess.run(
        [sys.executable, "-m", "sparkml", "score", "--config", str(config), "--json"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert '"rows": 200' in done.stdout


def test_spark_connect_gives_the_same_numbers(forest, tmp_path):
    """`score`, the column function and the SQL function, through a local Connect server."""
    pytest.importorskip("grpc", reason="the extra sparkml[connect] is not installed")
    home, expected = forest
    printed = python(
        """
        import json, sys, warnings
        home, cache = sys.argv[1:]
        from pyspark.sql import SparkSession
        spark = SparkSession.builder.remote("local[2]").getOrCreate()
        from sparkml import read_spec, register_sql, score, score_udf
        spec = read_spec(f"{home}/forest.joblib", name="m")
        df = spark.read.parquet(f"{home}/rows.parquet")
        rows = score(df, spec, key="id", keep=[]).orderBy("id").collect()
        print(json.dumps([r.m.probability for r in rows]))
        udf = score_udf(spec, spark=spark)
        rows = df.orderBy("id").select(udf("b", "a").alias("s")).collect()
        print(json.dumps([r.s.probability for r in rows]))
        df.createOrReplaceTempView("t")
        register_sql(spark, "f", spec)
        rows = spark.sql("SELECT f(b => b, a => a) AS s FROM t ORDER BY id").collect()
        print(json.dumps([r.s.probability for r in rows]))
        spark.stop()
        """,
        str(home),
        str(tmp_path),
    )

    assert [str(expected)] * 3 == printed.strip().splitlines()[-3:]
