"""Files through the JVM's file systems, where only the JVM has the credentials for them.

EMR hands the credentials of a step's runtime role to S3A, and not to Python: a model on S3 is then
fetched, and a result file written, the way Spark itself would.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext

from sparkml.files import S3, scheme_of
from sparkml.spark.s3 import unreadable

GATEWAY = "PYSPARK_GATEWAY_PORT"
"""Set where spark-submit started this driver: its JVM is there before the session is."""


def fetched(address: str, folder: Path) -> str:
    """The address itself; or, where Python cannot look at it but the JVM can, a copy in `folder`.

    Runs on the driver, before the session. For S3 only, and only under spark-submit: one request
    of Python's own elsewhere. What neither reaches is told by whoever opens the address.
    """
    if scheme_of(address) not in S3 or not _has_jvm() or not unreadable(address, None):
        return address
    copy = folder / address.rstrip("/").rpartition("/")[2]
    try:
        system, path, local = _hadoop(address, copy)
        system.copyToLocalFile(False, path, local, True)
    except Py4JError:
        return address
    return str(copy)


def written(address: str, content: bytes) -> bool:
    """Whether the JVM wrote `content` to the address, replacing what was there; S3 only."""
    if scheme_of(address) not in S3 or not _has_jvm():
        return False
    try:
        system, path, _ = _hadoop(address, Path.cwd())
        stream = system.create(path, True)
        stream.write(content)
        stream.close()
    except Py4JError:
        return False
    return True


def _has_jvm() -> bool:
    return GATEWAY in os.environ or SparkContext._gateway is not None  # noqa: SLF001


def _hadoop(address: str, local: Path) -> tuple[Any, Any, Any]:
    """Hadoop's file system of an address, by spark-submit's settings, and both as its paths."""
    SparkContext._ensure_initialized()  # noqa: SLF001 - the only way before a context
    jvm: Any = SparkContext._jvm  # noqa: SLF001 - the JVM is reached no other way
    settings = SparkConf()._jconf  # noqa: SLF001 - what Hadoop's configuration is made of
    conf = jvm.org.apache.spark.deploy.SparkHadoopUtil.get().newConfiguration(settings)
    path, here = (jvm.org.apache.hadoop.fs.Path(p) for p in (address, local.as_uri()))
    return path.getFileSystem(conf), path, here
