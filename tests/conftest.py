"""What several folders share: one Spark session, a registry with the demo's models."""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path

import pytest

# Nothing that a test does may reach the user's own cache of models, or a registry set up elsewhere.
_JARS = Path(__file__).parents[1] / ".jars"
_HOME = Path(tempfile.mkdtemp(prefix="sparkml-tests-"))
os.environ["SPARKML_CACHE"] = str(_HOME / "models")
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
for _name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
    os.environ.pop(_name, None)
# Nor may the machine's own number of threads share out the sums that are compared bit for bit.
os.environ.pop("OMP_NUM_THREADS", None)
# A JVM of ours lives for seconds: its second compiler, which pays after minutes, and a collector of
# many threads cost half of the processor time of the whole suite.
os.environ["SPARK_SUBMIT_OPTS"] = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"

LONGEST = ("test_docs.py", "test_benchmarks.py", "test_clusters.py", "test_entry_points.py")


def pytest_sessionfinish() -> None:
    """Leave nothing behind."""
    import shutil

    shutil.rmtree(_HOME, ignore_errors=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow files first, so that the quick ones fill up what they leave of the processes."""
    items.sort(
        key=lambda item: (
            item.path.name not in LONGEST,
            not item.get_closest_marker("spark"),
            "emr" not in item.path.parts,
        )
    )


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable():
    """What a hostile text left in a report's log, in characters that travel between processes."""
    return _sendable((yield))


def _sendable(value):
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {key: _sendable(item) for key, item in value.items()}
    return type(value)(map(_sendable, value)) if isinstance(value, list | tuple) else value


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    """One local session for all tests of this process, as our entry points build it.

    With Iceberg's jar for its Spark, where that was fetched.
    """
    import pyspark

    from sparkml.spark.session import build_session

    home = tmp_path_factory.mktemp("spark")
    spark_version = pyspark.__version__.rpartition(".")[0]
    iceberg = _JARS.glob(f"iceberg-*/*iceberg-spark-runtime-{spark_version}_*.jar")
    session = build_session(
        "local[2]",
        {
            "spark.ui.enabled": "false",
            "spark.jars": ",".join(map(str, iceberg)),
            "spark.driver.memory": "2g",
            "spark.sql.shuffle.partitions": "2",
            "spark.default.parallelism": "2",
            "spark.databricks.delta.snapshotPartitions": "1",
            "spark.sql.warehouse.dir": str(home / "warehouse"),
            "spark.driver.extraJavaOptions": f"-Dderby.system.home={home}",
            "spark.sql.session.timeZone": "UTC",
        },
        tuned=True,
    )
    yield session
    session.stop()


@pytest.fixture
def clean_spark(spark):
    """The shared session, its temporary views and cached tables dropped after the test."""
    yield spark
    for table in spark.catalog.listTables():
        if table.isTemporary:
            spark.catalog.dropTempView(table.name)
    spark.catalog.clearCache()


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The demo's models in a SQLite registry: name -> Trained, and the registry's URI."""
    from tools.demo_models import MODELS, register

    home = tmp_path_factory.mktemp("registry")
    uri = f"sqlite:///{home}/mlflow.db"
    trained = {}
    for train in MODELS:
        one = train()
        with warnings.catch_warnings():  # how MLflow logs a model is not what is tested
            warnings.simplefilter("ignore")
            register(one, uri, home / "artifacts")
        trained[one.name] = one
    return trained, uri
