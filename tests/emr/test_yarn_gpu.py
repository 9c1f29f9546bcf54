"""GPUs by YARN's own scheduling: the node says it has two, and each task is given one address.

YARN's GPU plugin runs as on EMR (discovery by `nvidia-smi`, which here only talks; the dominant
resource calculator), but for its cgroups: they need root and the LinuxContainerExecutor.
"""

from __future__ import annotations

import json

import pytest

from tests.emr import yarn as real
from tests.emr.yarn import gpu, packed

pytest_plugins = ["tests.emr.yarn.fixtures"]
pytestmark = [
    pytest.mark.yarn,
    pytest.mark.spark,
    pytest.mark.skipif(bool(real.missing()), reason=real.missing() or "here"),
]

JOB = """
import json, sys, time
from pyspark import TaskContext
from pyspark.sql import SparkSession

def address(rows):
    time.sleep(3)  # so that two tasks stand side by side
    yield list(TaskContext.get().resources()["gpu"].addresses)

spark = SparkSession.builder.getOrCreate()
found = spark.sparkContext.parallelize(range(2), 2).mapPartitions(address).collect()
open(sys.argv[1], "w").write(json.dumps(found))
"""


@pytest.fixture
def yarn(guarded_s3, tmp_path):
    with real.Yarn(tmp_path / "yarn", s3_endpoint=guarded_s3.url, gpus=2) as cluster:
        yield cluster


def test_each_task_is_given_a_gpu_of_its_own(yarn, tmp_path):
    job, script, result = (tmp_path / name for name in ("job.py", "gpus.sh", "result.json"))
    job.write_text(JOB)
    script.write_text(gpu.DISCOVERY)
    script.chmod(0o755)
    conf = packed.SMALL | {
        "spark.executor.resource.gpu.amount": "2",
        "spark.executor.resource.gpu.discoveryScript": str(script),
        "spark.task.resource.gpu.amount": "1",
    }
    said = [part for key, value in conf.items() for part in ("--conf", f"{key}={value}")]

    done = yarn.submit(["spark-submit", "--deploy-mode", "cluster", *said, str(job), str(result)])

    assert done.status == 0, done.driver[-6000:]
    assert [["0"], ["1"]] == sorted(json.loads(result.read_text()))
    node = (yarn.folder / "nodemanager.log").read_text()
    assert "yarn.io/gpu" in node
