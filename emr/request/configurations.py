"""The EMR configuration objects that a spec's cluster gets, the spec's own laid upon them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emr.machines.sizing import sizing_of_spec
from emr.request.gpu import gpu_configurations
from emr.request.merge import merge_configurations

if TYPE_CHECKING:
    from emr.spec import ClusterSpec

DELTA_DEFAULTS = {"Classification": "delta-defaults", "Properties": {"delta.enabled": "true"}}
"""Installs the release's own Delta, which fits its Spark (EMR Release Guide, "Use a cluster with
Delta Lake installed"; the page tells it for 6.9 and later, and 8.1 lists the classification)."""

BY_PROCESSORS = {
    "Classification": "capacity-scheduler",
    "Properties": {
        "yarn.scheduler.capacity.resource-calculator": (
            "org.apache.hadoop.yarn.util.resource.DominantResourceCalculator"
        )
    },
}
"""Makes YARN count processors besides memory, and GPUs."""

DELTA_SESSION = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}

DELTA_JARS = (
    "/usr/share/aws/delta/lib/delta-spark.jar",
    "/usr/share/aws/delta/lib/delta-storage.jar",
)
"""Where that page says the jars are, on the primary node. **Unproven on a real node of 8.x**:
should they be elsewhere, the spec's `configurations` say so (spark-defaults, `spark.jars`)."""

DELTA_LISTS = {
    "spark.jars": ",".join(DELTA_JARS),
    "spark.sql.extensions": DELTA_SESSION["spark.sql.extensions"],
}
"""Settings that are lists, with Delta's part of each."""


def delta_list(spec: ClusterSpec, key: str) -> str:
    """Delta's part of a list as this cluster has it: the spec's `configurations` may move jars."""
    return str(own_properties(spec, "spark-defaults").get(key, DELTA_LISTS[key]))


def own_properties(spec: ClusterSpec, classification: str) -> dict[str, str]:
    """What the spec's own `configurations` say, all together, for one classification."""
    given = {one["Classification"]: one for one in merge_configurations(spec.configurations)}
    return dict(given.get(classification, {}).get("Properties", {}))


def listed(*lists: str) -> str:
    """Several comma-separated lists as one, each item once."""
    items = (item.strip() for text in lists for item in text.split(","))
    return ",".join(dict.fromkeys(filter(None, items)))


def configurations_of(spec: ClusterSpec) -> list[dict[str, Any]]:
    """The Configurations of RunJobFlow.

    Executors sized for the smallest node, Delta of the release, GPU settings; then the spec's own,
    merged by classification and property. `spark_conf` is not among them: it goes with each step.

    Raises:
        ConfigError: an instance type is not known, or too small.
    """
    sizing = sizing_of_spec(spec)
    defaults = {
        **sizing.spark_conf(),
        **DELTA_SESSION,
        "spark.jars": ",".join(DELTA_JARS),
    }
    spark_defaults = {"Classification": "spark-defaults", "Properties": defaults}
    scheduler = [BY_PROCESSORS] if sizing.counts_processors else []
    gpu = [*gpu_configurations(spec), *scheduler]
    made = merge_configurations([spark_defaults, DELTA_DEFAULTS], gpu, spec.configurations)
    for one in made:
        if one["Classification"] == "spark-defaults":
            key = "spark.sql.extensions"  # the spec's own stand beside Delta's
            one["Properties"][key] = listed(one["Properties"][key], DELTA_SESSION[key])
    return made
