"""The one place that asks which Spark this is, and whether Spark, Delta and pandas fit together."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from typing import TYPE_CHECKING, Any

from sparkml.errors import ExtraMissing, VersionsIncompatible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import SparkSession

DELTA_FOR_SPARK = {"4.0": ("4.0",), "4.1": ("4.1", "4.2"), "4.2": ("4.4",)}
"""Spark's minor version -> the Delta minor versions built for it."""


def minor(version: str) -> str:
    """`4.1` of `4.1.1`."""
    return ".".join(version.split(".")[:2])


def check_versions(installed: Mapping[str, str]) -> None:
    """Refuse a Spark, Delta and pandas that do not belong together, by name.

    `installed` maps distribution names to versions; those absent are not checked.

    Raises:
        ExtraMissing: there is no pyspark.
        VersionsIncompatible: two of them do not fit.
    """
    if "pyspark" not in installed:
        raise ExtraMissing("pyspark is not installed", fix="pip install 'sparkml[spark]'")
    spark = installed["pyspark"]
    deltas = DELTA_FOR_SPARK.get(minor(spark))
    if deltas is None:
        raise VersionsIncompatible(
            f"Spark {spark} is not supported",
            where="pyspark",
            fix=f"install one of Spark {', '.join(DELTA_FOR_SPARK)}",
        )
    delta = installed.get("delta-spark")
    if delta is not None and minor(delta) not in deltas:
        raise VersionsIncompatible(
            f"Delta {delta} was not built for Spark {spark}",
            where="delta-spark",
            fix=f"pip install 'delta-spark=={deltas[-1]}.*'",
        )
    pandas = installed.get("pandas")
    if pandas is not None and int(pandas.split(".")[0]) >= 3:
        raise VersionsIncompatible(
            f"Spark {spark} does not support pandas {pandas}",
            where="pandas",
            fix="pip install 'pandas>=2.2,<3'",
        )


def installed_versions() -> dict[str, str]:
    """The versions of the distributions that must fit together, as far as they are installed."""
    found = {}
    for name in ("pyspark", "delta-spark", "pandas"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    if "pyspark" not in found and importlib.util.find_spec("pyspark") is not None:
        import pyspark  # a cluster's own: spark-submit puts it on the path without its metadata

        found["pyspark"] = pyspark.__version__
    return found


def spark_version() -> tuple[int, int]:
    """The running PySpark's version, e.g. `(4, 1)`."""
    import pyspark

    major, second = pyspark.__version__.split(".")[:2]
    return int(major), int(second)


def has_arrow_udf() -> bool:
    """Whether PySpark has `arrow_udf` (4.1 and later)."""
    return spark_version() >= (4, 1)


def has_unix_sockets() -> bool:
    """Whether Spark can talk to its workers through Unix sockets (4.1 and later)."""
    return spark_version() >= (4, 1)


def timezone_option() -> dict[str, Any]:
    """What `to_arrow_type` must be told for timestamps: from 4.2 on, in which zone they travel."""
    return {"timezone": "UTC"} if spark_version() >= (4, 2) else {}


def is_connect(spark: SparkSession) -> bool:
    """Whether the session is a Spark Connect client: no JVM in this process."""
    return type(spark).__module__.startswith("pyspark.sql.connect")
