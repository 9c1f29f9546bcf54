"""Each task learns the GPU that Spark gave it, and a model is opened on that one.

A made-up discovery script stands for GPUs, so that Spark's own scheduling is exercised on machines
without any. The test that scores on a real GPU is skipped, saying so, where there is none.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xgboost

from sparkml import read_spec, score
from sparkml.errors import GpuMissing
from sparkml.models.flavors.xgboost_device import put_on
from sparkml.spark.failures import explained

pytestmark = pytest.mark.spark

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """An XGBoost model's file, rows in Parquet, and their scores on the CPU."""
    home = tmp_path_factory.mktemp("gpu")
    x = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 2)), columns=["a", "b"])
    fitted = xgboost.XGBRegressor(n_estimators=5, n_jobs=1).fit(x, x["a"] * x["b"])
    fitted.save_model(home / "m.json")
    x.assign(id=range(200)).to_parquet(home / "rows.parquet")
    return home, fitted.predict(x).tolist()


def discovers(folder: Path, *addresses: str) -> Path:
    """A discovery script that finds these GPUs."""
    script = folder / "getGpus.sh"
    found = json.dumps({"name": "gpu", "addresses": addresses})
    script.write_text(f"#!/bin/bash\necho '{found}'\n")
    script.chmod(0o755)
    return script


def cluster(script: str, *arguments: object, gpus: Path, of_executor: int, cores: int):
    """What a script prints as JSON, run on an executor of its own that has GPUs."""
    conf = {
        "spark.ui.enabled": "false",
        "spark.executor.memory": "512m",
        "spark.worker.resource.gpu.amount": str(of_executor),
        "spark.worker.resource.gpu.discoveryScript": str(gpus),
        "spark.executor.resource.gpu.amount": str(of_executor),
        "spark.task.resource.gpu.amount": str(of_executor / cores),
    }
    head = f"""
        import json, sys
        from sparkml import read_spec, score
        from sparkml.spark.session import build_session
        spark = build_session("local-cluster[1,{cores},1024]", {conf!r}, tuned=True)
    """
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            textwrap.dedent(head) + textwrap.dedent(script),
            *map(str, arguments),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


SEEN = """
    spec = read_spec(sys.argv[1], name="m", model_config={"device": "cuda"})

    def seen(batches):
        import os
        import pyarrow as pa
        from pyspark import TaskContext
        from sparkml.spark.gpu import on_own_gpu
        context = TaskContext.get()
        for _ in batches:
            own = on_own_gpu(spec, context).model_config["device"]
            given = ",".join(context.resources()["gpu"].addresses)
            order = os.environ["CUDA_DEVICE_ORDER"]
            yield pa.RecordBatch.from_pylist(
                [{"own": own, "given": given, "order": order, "pid": os.getpid()}]
            )

    rows = []
    for _ in range(4):
        df = spark.range(16, numPartitions=4)
        made = df.mapInArrow(seen, "own string, given string, order string, pid long")
        rows += [r.asDict() for r in made.collect()]
    print(json.dumps(rows))
    spark.stop()
"""


def test_each_task_opens_its_model_on_the_gpu_that_it_was_given(model, tmp_path):
    """Two GPUs in one executor: tasks hold one each, in few workers that are used again."""
    home, _ = model
    rows = cluster(
        SEEN, home / "m.json", gpus=discovers(tmp_path, "3", "5"), of_executor=2, cores=2
    )
    assert 16 == len(rows)
    assert {"3", "5"} == {row["given"] for row in rows}
    assert [f"cuda:{row['given']}" for row in rows] == [row["own"] for row in rows]
    assert {"PCI_BUS_ID"} == {row["order"] for row in rows}
    assert len({row["pid"] for row in rows}) < len(rows)


def test_tasks_that_share_a_gpu_all_get_it(model, tmp_path):
    """Half a GPU a task, as `gpu: python` of a cluster gives out: one address for both."""
    home, _ = model
    rows = cluster(SEEN, home / "m.json", gpus=discovers(tmp_path, "0"), of_executor=1, cores=2)
    assert {("cuda:0", "0")} == {(row["own"], row["given"]) for row in rows}


def test_a_task_without_a_gpu_says_so(clean_spark, model):
    """In one line, with its own code: the model is told to use one, and Spark gave none."""
    home, _ = model
    spec = read_spec(str(home / "m.json"), name="m", model_config={"device": "cuda"})
    rows = clean_spark.read.parquet(str(home / "rows.parquet"))
    with (
        pytest.raises(GpuMissing, match=r"'m' is told to use a GPU, and Spark gave this task none"),
        explained(),
    ):
        score(rows, spec, key="id").collect()


def test_a_gpu_that_is_not_there_is_no_silent_cpu(clean_spark, model):
    """The library's own way would be to score on the CPU and warn."""
    home, _ = model
    spec = read_spec(str(home / "m.json"), name="m", model_config={"device": "cuda:63"})
    rows = clean_spark.read.parquet(str(home / "rows.parquet"))
    with pytest.raises(GpuMissing, match="XGBoost does not see it here"), explained():
        score(rows, spec, key="id").collect()


def test_a_real_gpu_gives_the_cpus_scores(model, tmp_path):
    """XGBoost, on the GPU that Spark gave the task."""
    home, expected = model
    try:
        put_on(xgboost.Booster(model_file=str(home / "m.json")), "cuda")
    except GpuMissing as error:
        pytest.skip(f"no GPU here: {error.what}")
    script = """
        spec = read_spec(f"{sys.argv[1]}/m.json", name="m", model_config={"device": "cuda"})
        df = spark.read.parquet(f"{sys.argv[1]}/rows.parquet").repartition(4)
        rows = score(df, spec, key="id").orderBy("id").collect()
        print(json.dumps([[row.m.prediction, row.error] for row in rows]))
        spark.stop()
    """
    rows = cluster(script, home, gpus=discovers(tmp_path, "0"), of_executor=1, cores=2)
    assert [None] * len(expected) == [error for _, error in rows]
    np.testing.assert_allclose([value for value, _ in rows], expected, rtol=1e-5, atol=1e-6)
