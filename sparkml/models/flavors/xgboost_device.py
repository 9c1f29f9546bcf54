"""Where an XGBoost model runs: put on a GPU, and not silently on the CPU instead."""

from __future__ import annotations

import json
import warnings
from typing import Any

from sparkml.models.gpu import check_device, gpu_missing, number_of


def put_on(booster: Any, device: str) -> None:
    """Let a booster run on `cpu`, `cuda` or `cuda:1`; the library itself would fall back silently.

    Raises:
        GpuMissing: the library sees no such GPU, or was built without CUDA.
        ConfigError: it is no device of XGBoost.
    """
    check_device(device)
    if device == "cpu":
        return
    wanted = f"cuda:{number_of(device) or 0}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that it falls back: an error here
        booster.set_param({"device": wanted})
        given = device_of_booster(booster)
    if given != wanted:
        raise gpu_missing(device, "XGBoost does not see it here")


def device_of_booster(booster: Any) -> str:
    """`cpu` or `cuda:0`, as the library tells it."""
    return str(json.loads(booster.save_config())["learner"]["generic_param"]["device"])
