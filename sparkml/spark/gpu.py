"""A task's own GPU: which one Spark gave it, as the number by which libraries choose a device.

The number goes to the library as its device (`cuda:1`, ONNX Runtime's `device_id`) and not through
`CUDA_VISIBLE_DEVICES`. CUDA reads that variable once, when a process first touches a GPU, and Spark
uses a Python worker again for tasks that hold another GPU: such a task would score on its
predecessor's. A device's number can be chosen anew for each model, so a worker that meets a second
GPU opens a second copy of the model there, and both stay cached.

Where the variable is set already (Slurm, a container), CUDA counts only the GPUs that it lists, and
the number is the address's place in that list. Spark's addresses are those that its discovery
script prints: `nvidia-smi`'s index, which goes by the bus, so CUDA is told to count by the bus too.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from sparkml.errors import GpuMissing
from sparkml.models.gpu import FLAVORS_ON_GPUS, device_of

if TYPE_CHECKING:
    from pyspark import TaskContext

    from sparkml.spec import ModelSpec

RESOURCE = "gpu"
"""The name of the resource in Spark's settings (`spark.task.resource.gpu.amount`)."""


def on_own_gpu(spec: ModelSpec, context: TaskContext | None) -> ModelSpec:
    """The model as this task opens it: `device: cuda` is the GPU that Spark gave the task.

    Runs in a Python worker, before the model's library is loaded. Costs nothing for a model that
    asks for no GPU, or names one itself (`cuda:0`); such a spec is given back as it is.

    Raises:
        GpuMissing: the task was given none, or one that this process cannot see.
    """
    if spec.flavor not in FLAVORS_ON_GPUS or device_of(spec.model_config) != "cuda":
        return spec
    given = context.resources().get(RESOURCE) if context else None
    if given is None or not given.addresses:
        raise GpuMissing(
            f"the model '{spec.name}' is told to use a GPU, and Spark gave this task none",
            where="model_config",
            fix="set spark.executor.resource.gpu.amount and spark.task.resource.gpu.amount, or "
            "name the GPU yourself: device: cuda:0",
        )
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    number = number_here(given.addresses[0], os.environ.get("CUDA_VISIBLE_DEVICES"))
    return replace(spec, model_config={**spec.model_config, "device": f"cuda:{number}"})


def number_here(address: str, visible: str | None) -> int:
    """The number by which CUDA knows a GPU in this process.

    Args:
        address: what Spark's discovery script calls it.
        visible: `CUDA_VISIBLE_DEVICES`; None where it is not set.

    Raises:
        GpuMissing: it is not among the visible ones, or its address is no number.
    """
    if visible is not None:
        listed = [each.strip() for each in visible.split(",")]
        if address in listed:
            return listed.index(address)
        raise GpuMissing(
            f"Spark gave the task the GPU {address}, which CUDA_VISIBLE_DEVICES={visible} hides",
            where="CUDA_VISIBLE_DEVICES",
            fix="unset it on the executors, or let the discovery script print what it lists",
        )
    if address.isascii() and address.isdecimal():
        return int(address)
    raise GpuMissing(
        f"Spark gave the task the GPU '{address}', and a device is chosen by its number",
        where="spark.executor.resource.gpu.discoveryScript",
        fix="let it print indices, as Spark's own getGpusResources.sh does",
    )
