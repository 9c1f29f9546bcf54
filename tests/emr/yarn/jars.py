"""Where the jars of the daemons, of S3A, of Delta and of Spark are."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[3]
YARN, S3A = ROOT / ".jars" / "yarn-3.4.2", ROOT / ".jars" / "s3a-3.4.2"


def missing() -> str:
    """Why these tests cannot run here; empty where they can."""
    absent = [f.name for f in (YARN, S3A) if not any(f.glob("*.jar"))]
    return (
        f"{' and '.join(absent)} not there: python tools/jars_for_tests.py yarn s3a"
        if absent
        else ""
    )


def spark_home() -> Path:
    """The folder of pip's pyspark, found without importing it."""
    spec = importlib.util.find_spec("pyspark")
    assert spec is not None, "pyspark is not installed"
    assert spec.origin is not None
    return Path(spec.origin).parent


def delta() -> Path:
    """The folder of the Delta jars that `make setup` fetched for this Spark."""
    defaults = (spark_home() / "conf" / "spark-defaults.conf").read_text()
    line = next(x for x in defaults.splitlines() if x.startswith("spark.driver.extraClassPath"))
    return Path(line.split()[1]).parent


def daemon_class_path(conf: Path) -> str:
    """What ResourceManager and NodeManager run on: their own jars before Spark's."""
    return ":".join([str(conf), f"{YARN}/*", f"{spark_home()}/jars/*"])
