"""A run of the wine model, packed as `emr submit` packs it, and its spark-submit argv."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from emr.job_run import JobRun
from emr.package import pack, upload
from emr.request.steps import spark_submit_argv
from emr.spec import ClusterSpec
from sparkml.config import load_as
from tests.emr.yarn.jars import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from emr.package import Package
    from tests.emr.yarn.s3 import S3
    from tools.demo_models import Trained

BUCKET = "sparkml-tests"
ENVIRONMENTS = ROOT / ".cache" / "emr"
"""Where the packed environment stays from one run of the tests to the next."""

SMALL = {
    "spark.driver.memory": "700m",
    "spark.driver.memoryOverhead": "512m",
    "spark.executor.memory": "512m",
    "spark.executor.memoryOverhead": "512m",
    "spark.executor.cores": "2",
    "spark.executor.instances": "1",
    "spark.dynamicAllocation.enabled": "false",
    "spark.task.cpus": "1",
}
"""The spec's executors would not fit this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wine:
    """The wine table on S3 as Delta, the model's folder, and what scikit-learn itself predicts."""

    s3: S3
    trained: Trained
    model: str

    @property
    def expected(self) -> dict[int, str]:
        """The label of each row, by its id."""
        return dict(enumerate(self.trained.model.predict(self.trained.features).tolist()))

    def stored(self, table: str) -> dict[int, str]:
        """The labels that a Delta table on S3 holds, read by deltalake."""
        rows = self._rows(table)
        labels = rows.column("wine").combine_chunks().field("prediction").to_pylist()
        assert len(rows) == len(set(rows.column("id").to_pylist()))
        return dict(zip(rows.column("id").to_pylist(), labels, strict=True))

    def values(self, table: str, column: str) -> set[Any]:
        """What a column of the stored table holds."""
        return set(self._rows(table).column(column).to_pylist())

    def writers(self, table: str, *, arrow: bool = True) -> set[str]:
        """The keys that put the table's data files: from Python, or from the JVM."""
        return {
            request.key
            for request in self.s3.door.seen
            if request.by_arrow is arrow
            and request.method == "PUT"
            and f"/{table}/" in request.path
            and "part-" in request.path
        }

    def _rows(self, table: str) -> Any:
        from deltalake import DeltaTable

        found = DeltaTable(f"s3://{BUCKET}/{table}", storage_options=self.s3.storage_options())
        return found.to_pyarrow_table()


def make_wine(s3: S3, registered: tuple[Trained, Path]) -> Wine:
    """The bucket with the source table in it."""
    from deltalake import write_deltalake

    trained, model = registered
    s3.client().create_bucket(Bucket=BUCKET)
    table = trained.features.copy()
    table.insert(0, "id", range(len(table)))
    # All S3 servers of a process hold the same buckets: another module's table may be there.
    options = s3.storage_options()
    write_deltalake(f"s3://{BUCKET}/tables/wine", table, mode="overwrite", storage_options=options)
    return Wine(s3=s3, trained=trained, model=str(model))


def packed(
    folder: Path, s3: S3, config: Mapping[str, Any], spark_conf: Mapping[str, str]
) -> tuple[JobRun, ClusterSpec, Package]:
    """The run, uploaded to the bucket."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "score.yaml"
    file.write_text(yaml.safe_dump(dict(config)))
    spec = load_as(
        ClusterSpec,
        ROOT / "conf" / "clusters" / "cpu-small.yaml",
        sets=[
            f"artifacts=s3://{BUCKET}/sparkml",
            "core.types=m7i.xlarge",
            "primary.types=m7i.xlarge",
        ],
        env={},
    ).config
    run = JobRun(job="score", config=str(file), spark_conf=SMALL | dict(spark_conf))
    local = pack(run, spec, cache=ENVIRONMENTS, allow_local=True)
    upload(local, s3.client())
    return run, spec, local.package


def argv_of(run: JobRun, spec: ClusterSpec, package: Package) -> list[str]:
    """The step's own argv: unchanged."""
    return spark_submit_argv(run, spec, package)


def plain_argv(folder: Path, config: Mapping[str, Any], conf: Mapping[str, str]) -> list[str]:
    """The same job with this project's own Python on the node: nothing to pack and to unpack."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "score.yaml"
    file.write_text(yaml.safe_dump(dict(config)))
    kinds = ("spark.yarn.appMasterEnv", "spark.executorEnv")
    python = {f"{kind}.PYSPARK_PYTHON": sys.executable for kind in kinds}
    settings = SMALL | python | dict(conf)
    said = [part for key, value in settings.items() for part in ("--conf", f"{key}={value}")]
    job = str(ROOT / "jobs" / "score.py")
    return ["spark-submit", "--deploy-mode", "cluster", *said, job, "--config", str(file)]


def config_of(wine: Wine, table: str, **changes: Any) -> dict[str, Any]:
    """A scoring job on the wine table, `s3://` from end to end."""
    return {
        "models": {"wine": {"uri": wine.model}},
        "source": {"format": "delta", "path": f"s3://{BUCKET}/tables/wine"},
        "key": ["id"],
        "keep": [],
        "sink": {"format": "delta", "path": f"s3://{BUCKET}/{table}", "mode": "replace"},
        **changes,
    }
