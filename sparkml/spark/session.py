"""The session that our entry points build: what belongs together checked, workers without waste."""

from __future__ import annotations

import atexit
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from py4j.protocol import Py4JError
from pyspark.logger import PySparkLogger
from pyspark.sql import SparkSession

from sparkml.errors import JavaMissing, SetupError, VersionsIncompatible
from sparkml.spark import jvm
from sparkml.spark._versions import (
    DELTA_FOR_SPARK,
    check_versions,
    has_unix_sockets,
    installed_versions,
    minor,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sparkml.config import SparkSection, Workers

DEFAULTS = {
    "spark.app.name": "sparkml",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # A batch is bounded by its bytes: the model's batch is cut from it without a copy.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "65536",
    "spark.sql.execution.arrow.maxBytesPerBatch": "16m",
    # The state of a small log is computed by this many tasks; Delta's own default is 50.
    "spark.databricks.delta.snapshotPartitions": "2",
    # Spark's own pattern, and the keys that it lets stand in its UI and its event log.
    "spark.redaction.regex": r"(?i)secret|password|token|access[.]?key|passw|passphrase|credential"
    r"|(account|api|auth|encryption|private|shared)[._-]?key|pgpass|_pass|_pwd",
}
"""Our settings where the job's config, spark-submit and spark-defaults.conf say nothing else."""

SOCKETS = "spark.python.unix.domain.socket"
LONGEST_SOCKET_PATH = 100
JAVA = range(17, 24)
"""Spark 4 needs 17; with 24 the security manager went, and Hadoop's client does not start."""


def build_session(
    master: str | None = None, conf: Mapping[str, str] | None = None, *, tuned: bool = True
) -> SparkSession:
    """The Spark session of a job: Delta's, and with fast workers; a running one if there is one.

    Runs on the driver; starting a JVM costs some seconds. `conf` wins over what spark-submit and
    spark-defaults.conf say, and that over `DEFAULTS`. `master` is what they say, else `local[*]`.
    `tuned` sets Unix sockets to the workers where Spark has them. Any other session scores as well.

    Raises:
        JavaMissing: no Java that Spark runs on.
        SetupError: the environment asks for Spark Connect.
        VersionsIncompatible: Spark, Delta and pandas that do not belong together.
    """
    check_versions(installed_versions())
    if os.environ.get("SPARK_REMOTE"):
        raise SetupError(
            "a job needs a classic Spark session, SPARK_REMOTE asks for Spark Connect",
            where="SPARK_REMOTE",
            fix="unset it; score(), score_udf() and register_sql() work through Connect",
        )
    conf = conf or {}
    if not jvm.is_running():
        check_java()
    # A shell's default is a progress bar, which a JVM of ours gets, too.
    given = jvm.launch({"spark.ui.showConsoleProgress": "false", **conf})
    master = master or given.get("spark.master")
    local = (master or "local").startswith("local")
    if local:
        # Workers on this machine run the driver's Python, not whichever `python3` is first on PATH.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    settings = {k: v for k, v in DEFAULTS.items() if not given.contains(k)}
    if tuned and has_unix_sockets() and not given.contains(f"{SOCKETS}.enabled"):
        settings |= _sockets(local=local)
    builder = SparkSession.builder.master(master or "local[*]")
    for key, value in {**settings, **conf}.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


@contextmanager
def job_session(spark: SparkSection, workers: Workers) -> Iterator[SparkSession]:
    """The session of a job's configuration, stopped at the end unless it was running before."""
    # PySpark prints a page of JSON on stderr about each query that is wrong; we tell it in a line.
    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        PySparkLogger.getLogger(name).setLevel(logging.CRITICAL)
    foreign = SparkSession.getActiveSession() is not None
    session = build_session(spark.master, spark.conf, tuned=workers.tuned)
    try:
        yield session
    finally:
        if not foreign:
            with suppress(Py4JError, OSError):  # a JVM that died has stopped already
                session.stop()


def _sockets(*, local: bool) -> dict[str, str]:
    """Unix sockets instead of loopback TCP, which costs 40 ms a task in delayed acknowledgements.

    A socket's path is limited to about 107 bytes, which the temporary folders of YARN containers
    exceed: the sockets get a short folder. On one machine it is private and goes with the process;
    elsewhere it must exist on every host, so it is the system's own.
    """
    folder = Path("/tmp")  # noqa: S108 - exists everywhere; the socket itself is the owner's only
    if local:
        folder = Path(tempfile.mkdtemp(prefix="sk-"))
        if len(str(folder)) + len("/.") + 36 + len(".sock") > LONGEST_SOCKET_PATH:
            shutil.rmtree(folder)
            folder = Path(tempfile.mkdtemp(prefix="sk-", dir="/tmp"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return {f"{SOCKETS}.enabled": "true", f"{SOCKETS}.dir": str(folder)}


def check_java() -> None:
    """Refuse to start without a Java that Spark runs on; runs `java -version`, some 50 ms.

    Raises:
        JavaMissing: none is found, or it is too old or too new.
    """
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else "java"
    where = f"JAVA_HOME={home}" if home else "PATH"
    fix = "install it (make setup does it, or: apt-get install openjdk-17-jre-headless)"
    try:
        done = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    except OSError:
        raise JavaMissing("Java 17 is not found", where=where, fix=fix) from None
    found = re.search(r'version "(\d+)', done.stderr + done.stdout)
    if not found or int(found[1]) not in JAVA:
        version = found[1] if found else "an unknown version"
        raise JavaMissing(
            f"Spark runs on Java {JAVA[0]} to {JAVA[-1]}, this is {version}", where=where, fix=fix
        )


def require_delta(spark: SparkSession) -> None:
    """Refuse a session that cannot read Delta tables, or whose Delta is not for its Spark.

    Raises:
        SetupError: Delta's classes are not on the class path.
        VersionsIncompatible: they are for another Spark.
    """
    java: Any = spark._jvm.java  # type: ignore[union-attr]  # noqa: SLF001 - reached no other way
    deltas = DELTA_FOR_SPARK.get(minor(spark.version), ())
    loader = java.lang.Thread.currentThread().getContextClassLoader()
    try:
        package = java.lang.Class.forName("io.delta.package$", True, loader)
        version = str(package.getField("MODULE$").get(None).VERSION())
    except Exception:  # noqa: BLE001 - py4j wraps every Java exception in one of its own
        scala = "2.13" if minor(spark.version) == "4.0" else f"{minor(spark.version)}_2.13"
        package = f"io.delta:delta-spark_{scala}:{deltas[-1] if deltas else '…'}.0"
        raise SetupError(
            "Delta Lake is not on Spark's class path",
            where=f"Spark {spark.version}",
            fix=f"make setup, or spark-submit --packages {package}",
        ) from None
    if minor(version) not in deltas:
        raise VersionsIncompatible(
            f"Delta {version} was not built for Spark {spark.version}",
            where="Spark's class path",
            fix=f"use Delta {' or '.join(deltas)}",
        )
