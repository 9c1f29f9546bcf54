"""Writes and reads one Delta table, with a Python worker between: do this Spark and Delta fit?"""

import sys
import tempfile
from collections.abc import Iterator

import pyarrow as pa
from pyspark import __version__ as spark_version
from pyspark.sql import SparkSession


def unchanged(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches as they came, by way of a Python worker."""
    yield from batches


with tempfile.TemporaryDirectory() as folder:
    spark = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config(
            "spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog"
        )
        .config("spark.sql.warehouse.dir", folder)
        .getOrCreate()
    )
    spark.range(10).mapInArrow(unchanged, "id long").write.format("delta").save(f"{folder}/t")
    rows = spark.read.format("delta").load(f"{folder}/t").count()
    history = spark.sql(f"DESCRIBE HISTORY delta.`{folder}/t`").count()
    spark.stop()
python_version = ".".join(map(str, sys.version_info[:3]))
print(f"Spark {spark_version}, Python {python_version}: {rows} rows, {history} commit")
sys.exit(rows != 10)
