"""What a colleague who knows EMR would say of a plan: true, and no reason to refuse it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from emr.machines.instances import worker_instances
from emr.machines.releases import release_of
from emr.machines.sizing import sizing_of_spec
from emr.package.config import out_of_reach
from emr.request.configurations import DELTA_JARS, own_properties

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emr.machines.releases import Release
    from emr.machines.sizing import Sizing
    from emr.spec import ClusterSpec, Nodes
    from sparkml.config.fields import Section

FEW_TYPES = 3
"""With fewer types than this, a Spot fleet has hardly a choice."""
SMALL_WORKER_MIB = 1_024


def advice(spec: ClusterSpec, config: Section | None = None) -> tuple[str, ...]:
    """What to know of a cluster, and of a job on it, before paying for it; a sentence or two each.

    Pure: calls nothing, reads no file.

    Args:
        spec: a cluster that could be made.
        config: the job's configuration (`JobConfig`, `TrainConfig`, …), where a run is planned.

    Raises:
        ConfigError: an unknown release or instance type, or one that the sizing refuses.
    """
    release, sizing = release_of(spec.release), sizing_of_spec(spec)
    return (
        *_of_gpus(spec, release, sizing, config),
        *_of_spot(spec),
        *_of_memory(spec, sizing),
        *_of_security(spec),
        *_of_time(spec),
        *_of_settings(spec),
        *_of_places(config),
        *_of_models(config),
        *_of_tables(spec, config),
    )


def _of_gpus(
    spec: ClusterSpec, release: Release, sizing: Sizing, config: Section | None
) -> Iterator[str]:
    asking = _models_on_gpus(config)
    if spec.gpu == "none":
        if asking:
            yield f"The model '{asking[0]}' asks for a GPU, and gpu: none gives no task one."
        if unused := next((i for i in worker_instances(spec) if i.gpus), None):
            yield f"{unused.type} has GPUs, which gpu: none leaves idle while they are paid for."
        return
    if release.family == "8.x":
        yield (
            f"The GPU configuration is the one that AWS tells for 7.x. {release.label} ships the "
            "same components, but it is unproven there on a real cluster: begin with one node."
        )
    if spec.gpu == "rapids":
        yield from _of_rapids(release, config, asking)
    else:
        gpu = worker_instances(spec)[0]
        yield (
            f"{sizing.executor_cores} Python workers share each {gpu.gpu or 'GPU'} "
            f"({gpu.gpu_memory_mib} MiB): each has its own copy of the model there, besides half a "
            "GiB for CUDA."
        )
        if config is not None and not asking:
            yield (
                "No model of this job is told to use a GPU, so they would idle: set model_config "
                "{device: cuda} (PyTorch, XGBoost) or {providers: [CUDAExecutionProvider]} (ONNX)."
            )


def _of_rapids(release: Release, config: Section | None, asking: list[str]) -> Iterator[str]:
    formats = {getattr(getattr(config, side, None), "format", "") for side in ("source", "sink")}
    if config is None or "delta" in formats:
        yield (
            f"RAPIDS {release.rapids} of {release.label} neither reads nor writes Delta "
            f"{release.delta} on the GPU: such scans and writes run on the CPU. Stage the rows as "
            "Parquet where they matter."
        )
    if asking:
        yield (
            f"The model '{asking[0]}' asks for a GPU whose memory the SQL plugin has taken: choose "
            "gpu: python, or give the plugin less (spark.rapids.memory.gpu.allocFraction, "
            "spark.rapids.memory.gpu.maxAllocFraction)."
        )
    else:
        yield (
            "RAPIDS speeds up Spark's SQL around the model. Models are scored in Python workers on "
            "the CPU, and rows go there and back; for the model on the GPU choose gpu: python."
        )


def _of_spot(spec: ClusterSpec) -> Iterator[str]:
    if spec.primary.spot:
        yield "The primary node is on Spot: when AWS takes it back, the cluster and its runs end."
    if spec.core.spot:
        yield (
            "Core nodes are on Spot: when AWS takes one back, its part of HDFS is lost, and so is "
            "the run whose driver stood there. Put Spot into task nodes."
        )
    on_spot = any(nodes.spot for nodes in spec.task)
    if on_spot and not spec.core.spot and not _drivers_stay_on_core(spec):
        yield (
            "A driver may stand on a Spot task node and be lost with it: EMR sets no node labels "
            "since 6.0. Set yarn.node-labels.enabled=true and "
            "yarn.node-labels.am.default-node-label-expression=CORE in yarn-site."
        )
    narrow = next((n for n in _spot_nodes(spec) if len(n.types) < FEW_TYPES), None)
    if narrow and spec.layout == "fleets":
        yield (
            f"A Spot fleet chooses among {len(narrow.types)} types only: the more there are, the "
            "rarer one is taken back."
        )


def _of_memory(spec: ClusterSpec, sizing: Sizing) -> Iterator[str]:
    if sizing.worker_mib < SMALL_WORKER_MIB:
        yield (
            f"Each Python worker has {sizing.worker_mib} MiB for its libraries, the model and a "
            f"batch. For more choose a type with more memory for each processor."
        )
    sizes = {instance.memory_mib // instance.vcpu for instance in worker_instances(spec)}
    if len(sizes) > 1 and sizing.counts_processors:
        yield (
            "Core and task nodes differ in memory for each processor: executors are sized for the "
            "least. YARN counts processors there, and the others' memory beyond that stays unused."
        )


def _of_security(spec: ClusterSpec) -> Iterator[str]:
    if not spec.network.subnets:
        yield (
            "No subnet is named, so AWS takes its default one, which is often public: name a "
            "private subnet that has an S3 gateway endpoint."
        )
    ours = spec.security.configuration is None
    if ours and spec.roles.runtime and not spec.security.in_transit_certificates:
        yield (
            "Steps run as a role of their own, and EMR wants encryption between nodes for that: "
            "set security.in_transit_certificates."
        )
    if ours and not spec.security.at_rest_kms_key:
        yield (
            "Rows that Spark spills to local disks are encrypted only where the account or the "
            "instance type does so by itself: set security.at_rest_kms_key."
        )


def _of_time(spec: ClusterSpec) -> Iterator[str]:
    if spec.idle_timeout_s is None:
        yield "Nothing ends the cluster when it is idle: it costs until somebody ends it."
    if spec.gpu != "none" and spec.scaling:
        yield (
            "Managed scaling looks at YARN's memory, not at GPUs: it may add no node while tasks "
            "wait for one."
        )


def _of_settings(spec: ClusterSpec) -> Iterator[str]:
    jars = own_properties(spec, "spark-defaults").get("spark.jars", "")
    if jars and not all(Path(ours).stem in jars for ours in DELTA_JARS):
        yield (
            f"spark.jars of `configurations` takes the place of Delta's jars: name {DELTA_JARS[0]} "
            f"and {DELTA_JARS[1]} there, too, or say it in spark_conf, which adds to them."
        )


def _of_places(config: Section | None) -> Iterator[str]:
    for what, instead in out_of_reach(config) if config is not None else ():
        yield (
            f"{what}: a cluster cannot reach what is on this machine, and submit refuses it. Set "
            f"it for this run: --set {instead}"
        )


def _of_models(config: Any) -> Iterator[str]:
    models = getattr(config, "models", None) or {}
    if models:
        named = ", ".join(f"{name} ({entry.uri})" for name, entry in models.items())
        yield (
            f"submit pins what it finds then: the version and digest of {named} enter the "
            "configuration. So config.yaml, manifest.json and the run's key will have other hashes "
            "than here, and a model that the cluster cannot reach is stored besides. What a model "
            "of a registry imports is read by submit, too, and the environment must have it."
        )


def _of_tables(spec: ClusterSpec, config: Section | None) -> Iterator[str]:
    if getattr(getattr(config, "sink", None), "format", "") != "delta":
        return
    if spec.step_concurrency > 1:
        yield (
            "Steps run side by side, and Delta on S3 is safe with one writing driver for a table: "
            "let no two of them write the same one."
        )


def _models_on_gpus(config: Any) -> list[str]:
    """The output columns whose models are told to use a GPU."""
    models = getattr(config, "models", None) or {}
    return [name for name, entry in models.items() if _on_gpu(entry.model_config_)]


def _on_gpu(opened_with: Any) -> bool:
    from sparkml.models.gpu import device_of

    # ONNX Runtime takes a provider with its options, too: ["CUDAExecutionProvider", {…}].
    given = opened_with.get("providers", ())
    names = [one if isinstance(one, str) else one[0] for one in given if one]
    plain = {**opened_with, **({"providers": names} if names else {})}
    return device_of(plain).startswith("cuda")


def _spot_nodes(spec: ClusterSpec) -> list[Nodes]:
    return [nodes for _, nodes in spec.roles_of_nodes if nodes.spot]


def _drivers_stay_on_core(spec: ClusterSpec) -> bool:
    yarn = own_properties(spec, "yarn-site")
    label = yarn.get("yarn.node-labels.am.default-node-label-expression")
    return (yarn.get("yarn.node-labels.enabled"), label) == ("true", "CORE")
