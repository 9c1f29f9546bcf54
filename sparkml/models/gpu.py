"""Which GPU a model is opened on: what its `model_config` says, and what is there.

`device: cuda` leaves the number open: inside a Spark task it becomes the task's own
(`sparkml.spark.gpu`), elsewhere the first. `device: cuda:1` names one, whoever asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparkml.errors import ConfigError, GpuMissing

if TYPE_CHECKING:
    from collections.abc import Mapping

FLAVORS_ON_GPUS = frozenset({"onnx", "torch", "transformers", "xgboost"})
"""The flavors that take `device`; a pyfunc model's own key of that name is its own affair."""

GPU_PROVIDERS = ("CUDAExecutionProvider", "TensorrtExecutionProvider")
"""ONNX Runtime's execution providers that run on NVIDIA's GPUs."""


def device_of(model_config: Mapping[str, Any]) -> str:
    """`cpu`, `cuda` or `cuda:1`, whether `device` or ONNX Runtime's `providers` say so.

    Other devices of torch (`mps`) are given as they are.
    """
    if "device" in model_config:
        return str(model_config["device"])
    providers = model_config.get("providers", ())
    return "cuda" if any(name in GPU_PROVIDERS for name in providers) else "cpu"


def number_of(device: str) -> int | None:
    """The number in `cuda:1`; None where it is left open, and for other devices.

    Raises:
        ConfigError: something else stands after `cuda:`.
    """
    kind, colon, number = device.partition(":")
    if kind != "cuda" or not colon:
        return None
    if not (number.isascii() and number.isdecimal()):
        raise _no_device(device)
    return int(number)


def _no_device(device: str) -> ConfigError:
    return ConfigError(
        f"{device!r} is no device that the model can run on",
        where="model_config.device",
        fix="write cpu, cuda or, for a certain GPU, cuda:0",
    )


def check_device(device: str) -> None:
    """Refuse what is neither `cpu` nor a GPU of NVIDIA's; torch alone knows others.

    Raises:
        ConfigError: it is something else.
    """
    if device not in ("cpu", "cuda") and number_of(device) is None:
        raise _no_device(device)


def on_cpu(model_config: Mapping[str, Any]) -> dict[str, Any]:
    """The same without a GPU: how a driver that has none looks at a model."""
    kept = {key: value for key, value in model_config.items() if key != "device"}
    if "providers" in kept:
        rest = [name for name in kept["providers"] if name not in GPU_PROVIDERS]
        kept["providers"] = rest or ["CPUExecutionProvider"]
    return kept


def refuse_missing(device: str, *, there: int, library: str) -> None:
    """Refuse a device that is not among the `there` GPUs that a library sees.

    Raises:
        GpuMissing: there are too few.
        ConfigError: the device is none.
    """
    if device.startswith("cuda") and (number_of(device) or 0) >= there:
        raise gpu_missing(device, f"{library} sees {there or 'none'} here")


def gpu_missing(device: str, why: str) -> GpuMissing:
    """The error for a model that is told to use a GPU which is not there."""
    return GpuMissing(
        f"the model is told to use a GPU ({device}), and {why}",
        where="model_config",
        fix="run it where a GPU, its driver and a library built for CUDA are, or leave the GPU out",
    )
