"""Files through the JVM's file systems, where only the JVM has the credentials for them.

EMR hands the credentials of a step's runtime role to S3A, and not to Python: a model on S3 is then
fetched, and a result file written, the way Spark itself would.
"""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext

from sparkml.errors import ModelNotFound
from sparkml.files import S3, scheme_of
from sparkml.spark.failures import java_failure
from sparkml.spark.s3 import unreadable

GATEWAY = "PYSPARK_GATEWAY_PORT"
"""Set where spark-submit started this driver: its JVM is there before the session is."""


def reached(address: str) -> bool:
    """Whether the JVM may reach an address that Python cannot: S3, and only under spark-submit."""
    return scheme_of(address) in S3 and (
        GATEWAY in os.environ or SparkContext._gateway is not None  # noqa: SLF001
    )


def fetched(address: str, folder: Path) -> str:
    """The address itself; or, where Python cannot look at it but the JVM can, a copy in `folder`.

    Runs on the driver, before the session. One request of Python's own, where the JVM is `reached`.

    Raises:
        ModelNotFound: neither can; what each of them is told. Their credentials may differ.
    """
    why = unreadable(address, None) if reached(address) else ""
    if not why:
        return address
    copy = folder / address.rstrip("/").rpartition("/")[2]
    try:
        system, path, local = _hadoop(address, copy)
        system.copyToLocalFile(False, path, local, True)
    except Py4JError as error:
        raise ModelNotFound(
            f"the model's files cannot be read: Spark is told {_said(error)}; Python {why}",
            where=address,
            fix="check the address, and that the role of the step may read it",
        ) from error
    return str(copy)


def unwritten(address: str, content: bytes) -> str:
    """Why the JVM cannot write `content` to the address; empty if it did, over what was there."""
    try:
        system, path, _ = _hadoop(address, Path.cwd())
        with closing(system.create(path, True)) as stream:
            stream.write(content)
    except Py4JError as error:
        return _said(error)
    return ""


def _said(error: Py4JError) -> str:
    return ": ".join(java_failure(error))


def _hadoop(address: str, local: Path) -> tuple[Any, Any, Any]:
    """Hadoop's file system of an address, by spark-submit's settings, and both as its paths."""
    SparkContext._ensure_initialized()  # noqa: SLF001 - the only way before a context
    jvm: Any = SparkContext._jvm  # noqa: SLF001 - the JVM is reached no other way
    settings = SparkConf()._jconf  # noqa: SLF001 - what Hadoop's configuration is made of
    conf = jvm.org.apache.spark.deploy.SparkHadoopUtil.get().newConfiguration(settings)
    path, here = (jvm.org.apache.hadoop.fs.Path(p) for p in (address, local.as_uri()))
    return path.getFileSystem(conf), path, here
