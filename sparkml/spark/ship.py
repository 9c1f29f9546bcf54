"""A model's files on their way to the workers: once per executor, verified where they arrive.

Its own libraries go along, where it has some (`own_libraries`).
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from pyspark import SparkFiles

from sparkml.errors import DigestMismatch, ModelNotFound
from sparkml.models.artifact import archive_name, cached_folder, pack, unpack
from sparkml.spark._versions import is_connect
from sparkml.spark.own_libraries import runs_here, ship_libraries

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

    from sparkml.spec import ModelSpec


def ship(spark: SparkSession, spec: ModelSpec) -> None:
    """Make the model's files reachable from every worker of `spark`; runs on the driver.

    Workers on the driver's own machine (`local[…]`) read the host's cache, so nothing moves; and
    they run the driver's Python, unless `PYSPARK_PYTHON` names another, whoever built the session.
    All others fetch one zip per executor, through Spark.

    Raises:
        EnvironmentMismatch: the session cannot give its workers the model's own libraries.
    """
    ship_libraries(spark, spec.environment)
    if is_connect(spark):
        spark.addArtifacts(str(pack(spec.digest)), file=True)
        return
    context = spark.sparkContext
    if runs_here(context):
        if "PYSPARK_PYTHON" not in os.environ:  # PySpark's default is any `python3` on PATH
            context.pythonExec = sys.executable
        return
    if not any(path.endswith(archive_name(spec.digest)) for path in context.listFiles):
        context.addFile(str(pack(spec.digest)))


def arrived(digest: str) -> Path:
    """The folder of a model's files on this host; runs in the worker, once per model and process.

    What was shipped is unpacked where the host's cache lacks the files, or holds damaged ones.
    Costs one reading of the files for the digest, which is then proven.

    Raises:
        ModelNotFound: nothing was shipped: the spec was used without `score` or `score_udf`.
        DigestMismatch: nothing was shipped, and the files in the host's cache were changed.
    """
    archive = SparkFiles.get(archive_name(digest))
    try:
        return unpack(archive, digest)
    except FileNotFoundError:
        if cached_folder(digest) is not None:
            raise DigestMismatch(
                f"the files of {digest[:16]}… in this host's cache were changed",
                where="worker",
                fix="read the spec again",
            ) from None
        raise ModelNotFound(
            f"the model's files did not reach this worker ({archive_name(digest)})",
            where="worker",
            fix="pass the spec to score(), score_udf() or register_sql() of the session in use",
        ) from None
