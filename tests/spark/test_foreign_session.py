"""Sessions that a person built with `SparkSession.builder` alone, in a notebook for one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import joblib
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

pytestmark = pytest.mark.spark

SCRIPT = """
import json, sys
from pyspark.sql import SparkSession
from sparkml import read_spec, register_sql, score, score_udf

spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", False).getOrCreate()
spec = read_spec(sys.argv[1], name="m")
df = spark.range(1, 3).selectExpr("id", "2D * id - 1 AS x")
register_sql(spark, "half", spec)
ways = [
    score(df, spec),
    df.select("id", score_udf(spec)("x").alias("m")),
    spark.sql("SELECT id, half(x => x) AS m FROM {df}", df=df),
]
print(json.dumps([[round(r.m.prediction, 6) for r in way.orderBy("id").collect()] for way in ways]))
spark.stop()
"""


@pytest.mark.parametrize("activated", [True, False])
def test_a_plain_session_scores_with_the_driver_s_own_python(activated, tmp_path):
    """Without Delta, and in an environment that is not on PATH, where `python3` is another."""
    x = pd.DataFrame({"x": [0.0, 1.0, 2.0]})
    joblib.dump(LinearRegression().fit(x, x["x"] / 2), tmp_path / "m.joblib")
    (tmp_path / "elsewhere").mkdir()
    other = tmp_path / "elsewhere" / "python3"
    other.write_text("#!/bin/sh\nexit 3\n")
    other.chmod(0o755)
    kept = ("HOME", "JAVA_HOME", "PYTHONPATH", "SPARKML_CACHE", "TMPDIR")
    env = {name: os.environ[name] for name in kept if name in os.environ}
    first = Path(sys.executable).parent if activated else tmp_path / "elsewhere"

    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "m.joblib")],
        env={**env, "PATH": f"{first}:{os.environ['PATH']}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == [[0.5, 1.5]] * 3
