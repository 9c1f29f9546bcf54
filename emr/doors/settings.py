"""The Spark settings that a packed run needs where no YARN is: on EMR Serverless and Kubernetes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emr.request.cluster import log_uri
from emr.request.steps import SITE, name_of, run_key

if TYPE_CHECKING:
    from emr.job_run import JobRun
    from emr.package.manifest import Package
    from emr.spec import ClusterSpec


def packed_conf(
    run: JobRun, spec: ClusterSpec, package: Package, *, driver_env: str
) -> dict[str, str]:
    """The spec's settings, then the run's, then what the package needs.

    The archive is unpacked as `./environment` beside driver and executors, and `PYTHONPATH` finds
    it; the image's own interpreter runs it, which must be of the spec's Python.

    Args:
        run: what runs.
        spec: its Spark settings and its Python.
        package: where code and environment are stored.
        driver_env: how a setting begins that puts a variable into the driver's environment.
    """
    variables = {"PYTHONPATH": f"./{SITE}", "PYSPARK_PYTHON": f"python{spec.python}"}
    return {
        **spec.spark_conf,
        **run.spark_conf,
        "spark.archives": f"{package.archive}#{SITE}",
        "spark.submit.pyFiles": package.wheel,
        **{f"{driver_env}{name}": value for name, value in variables.items()},
        **{f"spark.executorEnv.{name}": value for name, value in variables.items()},
    }


def arguments(package: Package) -> list[str]:
    """What the job's script is called with: it reads its configuration where that is stored."""
    return ["--config", package.config]


def keyed_name(run: JobRun, spec: ClusterSpec, package: Package, *, longest: int) -> str:
    """The run's name, ending in its key: how a run that is there already is found again."""
    key = f" [{run_key(run, spec, package)}]"
    return name_of(run)[: longest - len(key)] + key


def s3_logs(spec: ClusterSpec) -> dict[str, str]:
    """Where a run's logs go on S3, as both services of AWS take it."""
    key = {"encryptionKeyArn": spec.logs.kms_key} if spec.logs.kms_key else {}
    return {"logUri": log_uri(spec), **key}
