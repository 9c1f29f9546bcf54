"""The stages of a Spark ML model, loaded by Spark from where its executors can read them."""

from __future__ import annotations

import importlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sparkml.errors import ModelUnreadable, SetupError
from sparkml.models.flavors.spark_ml_stages import read_stages
from sparkml.models.host_cache import cached_folder
from sparkml.spark._versions import is_connect
from sparkml.spark.failures import FROM_SPARK, brief

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    from sparkml.models.flavors.spark_ml import SparkMLPredictor
    from sparkml.spec import ModelSpec

COMPLETE = "_COMPLETE"
"""The empty file that says that a copy is whole: object stores rename file by file."""
REMOTE = ".sparkml/models"
"""Where models lie in the cluster's file system, under the user's home there."""
CAPACITY = 8
"""The models whose stages a running Spark keeps loaded on the driver."""
_loaded: WeakKeyDictionary[SparkContext, OrderedDict[tuple[str, tuple[int, ...]], list[Any]]] = (
    WeakKeyDictionary()
)
"""By the context, since a stage may hold broadcasts: those of one that was stopped are gone."""


def load_stages(spark: SparkSession, spec: ModelSpec, model: SparkMLPredictor) -> list[Any]:
    """The stages that the spec's outputs need, as PySpark's own objects, in their order.

    Runs on the driver; costs a small Spark job or two per stage, the first time that a running
    Spark scores the model. The stages are the caller's to change.

    Raises:
        ModelUnreadable: Spark cannot load one.
        SetupError: the session is Spark Connect.
    """
    if is_connect(spark):
        raise SetupError(
            "a Spark ML model needs a classic Spark session, this one is Spark Connect",
            where=spec.uri,
            fix="score it in a job, or in a session with a JVM of its own",
        )
    kept = _loaded.setdefault(spark.sparkContext, OrderedDict())
    key = (spec.digest, model.stages)
    if key not in kept:
        kept[key] = _load(spark, spec, model)
    kept.move_to_end(key)
    stages = [stage.copy() for stage in kept[key]]
    while len(kept) > CAPACITY:
        kept.popitem(last=False)
    return stages


def _load(spark: SparkSession, spec: ModelSpec, model: SparkMLPredictor) -> list[Any]:
    described = read_stages(model.home)
    root = cached_folder(spec.digest) or model.home  # it is there: the model was just read from it
    address = _reachable(spark, root, spec.digest)
    loaded = []
    for stage in (described[place] for place in model.stages):
        module, _, name = stage.class_name.replace("org.apache.", "py").rpartition(".")
        path = f"{address}/{stage.folder.relative_to(root).as_posix()}"
        try:
            loaded.append(getattr(importlib.import_module(module), name).load(path))
        except (ImportError, AttributeError, *FROM_SPARK) as error:
            raise ModelUnreadable(
                f"Spark cannot load the stage {stage.uid}: {brief(error)}",
                where=path,
                fix="save it with the Spark that runs here; on a cluster, the default file system "
                "must be one that every host reads",
            ) from error
    return loaded


def _reachable(spark: SparkSession, folder: Path, digest: str) -> str:
    """The folder's address for the executors; runs on the driver.

    In local mode, and where the cluster has no file system but its hosts' own, the host's cache as
    it is. Otherwise a copy under `.sparkml/models/<digest>` in the user's home in the default file
    system (HDFS, S3), made once; `_COMPLETE` is written last. Where another driver is still at it,
    or died at it, a copy of this application's own.
    """
    local = folder.as_uri()
    jvm: Any = spark._jvm  # noqa: SLF001 - Hadoop's file systems, no other way
    conf = spark.sparkContext._jsc.hadoopConfiguration()  # noqa: SLF001 - the same
    files = jvm.org.apache.hadoop.fs
    system = files.FileSystem.get(conf)
    master = spark.sparkContext.master or ""
    if master.split("[")[0] == "local" or system.getScheme() == "file":
        return local
    path = files.Path
    home = path(system.getHomeDirectory(), REMOTE)
    target, part = path(home, digest), path(home, f".{digest}.{spark.sparkContext.applicationId}")
    for copy in (target, part):
        if system.exists(path(copy, COMPLETE)):
            return str(copy.toString())
    system.mkdirs(home)
    system.delete(part, True)  # what an earlier try of this application left
    system.copyFromLocalFile(False, True, path(local), part)
    made = target if not system.exists(target) and system.rename(part, target) else part
    system.create(path(made, COMPLETE)).close()
    return str(made.toString())
