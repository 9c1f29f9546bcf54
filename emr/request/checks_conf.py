"""What is wrong with the settings of a spec or a run: Spark's own, and EMR's configurations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sparkml.config.fields import shown
from sparkml.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emr.spec import ClusterSpec
    from sparkml.config.file import Problem

ARGV_OWNS = {
    "spark.master": "the place that the run is sent to",
    "spark.submit.deployMode": "cluster: only there the packed environment reaches the driver",
    "spark.files": "the configuration travels there; name addresses in the job's own",
    "spark.pyspark.python": "the spec's `python`",
    "spark.pyspark.driver.python": "the spec's `python`",
    "spark.archives": "the packed environment travels there",
    "spark.yarn.dist": "the packed environment and the code travel there",
    "spark.submit.pyFiles": "the code travels there",
    "spark.app.name": "the run's `name`",
    "spark.yarn.appMasterEnv.PYTHONPATH": "the packed environment stands there",
    "spark.executorEnv.PYTHONPATH": "the packed environment stands there",
    "spark.yarn.appMasterEnv.PYSPARK_PYTHON": "the spec's `python`",
    "spark.executorEnv.PYSPARK_PYTHON": "the spec's `python`",
}
"""Settings that the step's own arguments are made of."""

_GONE = {
    "emrfs-site": "EMRFS is gone: s3:// is S3A, which core-site configures",
    "spark-log4j": "it is spark-log4j2",
}
"""Classifications of 7.x that 8.x does not have."""

_OBJECT = ("Classification", "Properties", "Configurations")


def spark_conf_problems(conf: Mapping[str, Any], where: str) -> Iterator[Problem]:
    """Each problem of Spark settings as what, where and the fix."""
    for key in conf:
        owner = "spark.yarn.dist" if key.startswith("spark.yarn.dist.") else key
        if owner in ARGV_OWNS:
            yield f"'{key}' is set by the step itself", f"{where}.{key}", ARGV_OWNS[owner]
        elif not re.fullmatch(r"[\w.-]+", key):
            yield f"'{key}' is no name of a setting", where, "such as spark.sql.shuffle.partitions"


def configuration_problems(spec: ClusterSpec) -> Iterator[Problem]:
    """Each problem of the spec's `configurations` as what, where and the fix."""
    for position, one in enumerate(spec.configurations):
        yield from _object_problems(spec, one, f"configurations[{position}]")


def _object_problems(spec: ClusterSpec, given: object, where: str) -> Iterator[Problem]:
    """One of EMR's configuration objects, and those inside it."""
    if not isinstance(given, Mapping):
        fix = "write {Classification: …, Properties: {…}}"
        yield f"{shown(given)} is no configuration object", where, fix
        return
    for key in given:
        if key not in _OBJECT:
            yield f"there is no key '{key}'", where, did_you_mean(key, _OBJECT)
    name = str(given.get("Classification", ""))
    if not name:
        yield "it has no Classification", where, "name one, such as spark-defaults"
    if spec.release.startswith("emr-spark-") and (why := _GONE.get(name)):
        yield f"{spec.release} has no classification '{name}'", where, why
    yield from _property_problems(name, given.get("Properties") or {}, f"{where}.Properties")
    inside = given.get("Configurations") or ()
    if not isinstance(inside, list | tuple):
        yield "must be a list", f"{where}.Configurations", "put - before each Classification"
        return
    for position, inner in enumerate(inside):
        yield from _object_problems(spec, inner, f"{where}.Configurations[{position}]")


def _property_problems(name: str, properties: object, where: str) -> Iterator[Problem]:
    if not isinstance(properties, Mapping):
        yield "must be a mapping of keys to values", where, "write key: value, a line each"
        return
    for key, value in properties.items():
        if not isinstance(value, str | int | float):  # a bool is an int
            yield f"{shown(value)} is no text", f"{where}.{key}", "write one value, in quotes"
    if name == "spark-defaults":
        yield from spark_conf_problems(properties, where)
