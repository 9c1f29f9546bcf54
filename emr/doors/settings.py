"""The Spark settings that a packed run needs where no YARN is: on EMR Serverless and Kubernetes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emr.request.checks_conf import spark_conf_problems
from emr.request.cluster import log_uri
from emr.request.configurations import DELTA_SESSION, delta_list, listed
from emr.request.steps import SITE, name_of, run_key
from sparkml.config.file import config_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emr.job_run import JobRun
    from emr.package.manifest import Package
    from emr.spec import ClusterSpec

JARS, EXTENSIONS = "spark.jars", "spark.sql.extensions"


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

    Raises:
        ConfigError: a setting is given that the package, or the place, sets itself.
    """
    chosen = {**spec.spark_conf, **run.spark_conf}
    variables = {"PYTHONPATH": f"./{SITE}", "PYSPARK_PYTHON": f"python{spec.python}"}
    of_driver = {f"{driver_env}{name}": value for name, value in variables.items()}
    problems = list(spark_conf_problems(chosen, "spark_conf"))
    for key in sorted(chosen.keys() & of_driver.keys()):
        what = f"'{key}' is set by the submission itself"
        problems.append((what, f"spark_conf.{key}", "the packed environment stands there"))
    if problems:
        raise config_error(problems, name_of(run))
    return {
        **chosen,
        "spark.archives": f"{package.archive}#{SITE}",
        "spark.submit.pyFiles": package.wheel,
        **of_driver,
        **{f"spark.executorEnv.{name}": value for name, value in variables.items()},
    }


def with_delta(conf: Mapping[str, str], spec: ClusterSpec, *, scheme: str = "") -> dict[str, str]:
    """The settings with the release's own Delta, beside what they list themselves.

    Source: EMR Serverless User Guide, "Using Delta Lake OSS with EMR Serverless"; EMR on EKS
    Development Guide, "Using Delta Lake with Amazon EMR on EKS".

    Args:
        conf: a run's settings.
        spec: its `configurations` say where the jars are, if elsewhere.
        scheme: how a file of the image is written there.
    """
    files = listed(delta_list(spec, JARS)).split(",")
    jars = [f"{scheme}{file}" if file.startswith("/") else file for file in files]
    lists = {
        JARS: listed(conf.get(JARS, ""), *jars),
        EXTENSIONS: listed(conf.get(EXTENSIONS, ""), DELTA_SESSION[EXTENSIONS]),
    }
    return {**DELTA_SESSION, **conf, **lists}


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
