"""A process with one Spark session that runs contenders on command, a JSON line each.

The peers run in a session as Spark makes it, ours in the one that our entry points build: two
processes, of which one works at a time.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

from benchmarks.contenders import CONTENDERS, TASK_COSTS

SHARED = {
    "spark.ui.enabled": "false",
    "spark.driver.memory": "4g",
    # Eight tasks, one a file, for everybody.
    "spark.sql.files.maxPartitionBytes": "64m",
    "spark.sql.files.openCostInBytes": "32m",
}


def main(kind: str) -> None:
    """Read `{"set", "name", "table", "model"}` lines, run them, answer `{"seconds"}` lines."""
    warnings.simplefilter("ignore")
    from pyspark.sql import SparkSession

    if kind == "ours":
        from sparkml.spark.session import build_session

        spark = build_session("local[*]", SHARED, tuned=True)
    else:
        builder = SparkSession.builder.master("local[*]")
        for key, value in SHARED.items():
            builder = builder.config(key, value)
        spark = builder.getOrCreate()
        spark.sparkContext.setLogLevel("ERROR")
    for line in sys.stdin:
        order = json.loads(line)
        _, run = {"scoring": CONTENDERS, "tasks": TASK_COSTS}[order["set"]][order["name"]]
        started = time.perf_counter()
        run(spark, Path(order["table"]), Path(order["model"]))
        print(json.dumps({"seconds": time.perf_counter() - started}), flush=True)
    spark.stop()


if __name__ == "__main__":
    main(sys.argv[1])
