"""A model that is told to use a GPU: which one, and a clear refusal where there is none."""

from __future__ import annotations

import numpy as np
import pytest
import xgboost

from sparkml import load_scorer, read_spec
from sparkml.errors import ConfigError, GpuMissing
from sparkml.models.gpu import device_of, number_of, on_cpu, refuse_missing
from sparkml.spark.gpu import number_here, on_own_gpu

CUDA = "CUDAExecutionProvider"


@pytest.fixture
def booster(tmp_path):
    """An XGBoost model's file."""
    x = np.random.default_rng(0).normal(size=(40, 2))
    model = xgboost.XGBClassifier(n_estimators=2, n_jobs=1).fit(x, x[:, 0] > 0)
    model.save_model(tmp_path / "m.json")
    return str(tmp_path / "m.json")


@pytest.mark.parametrize(
    ("config", "device"),
    [
        ({}, "cpu"),
        ({"device": "cuda"}, "cuda"),
        ({"device": "cuda:1"}, "cuda:1"),
        ({"providers": ["CPUExecutionProvider"]}, "cpu"),
        ({"providers": [CUDA, "CPUExecutionProvider"]}, "cuda"),
        ({"providers": [CUDA], "device": "cuda:2"}, "cuda:2"),
    ],
)
def test_a_config_says_where_a_model_runs(config, device):
    """By `device`, or by a provider that runs on GPUs; without them it is the CPU."""
    assert device == device_of(config)
    assert "cpu" == device_of(on_cpu(config))


def test_the_number_of_a_gpu():
    """Left open, named, or nonsense."""
    assert [None, None, 0, 12] == [number_of(d) for d in ("cpu", "cuda", "cuda:0", "cuda:12")]
    for strange in ("cuda:", "cuda:one", "cuda:-1", "cuda:²"):
        with pytest.raises(ConfigError, match="is no device"):
            number_of(strange)


def test_too_few_gpus_are_told():
    """None, or fewer than the number named; the CPU and what is there are fine."""
    for device, there in (("cpu", 0), ("mps", 0), ("cuda", 1), ("cuda:1", 2)):
        refuse_missing(device, there=there, library="torch")
    with pytest.raises(GpuMissing, match=r"a GPU \(cuda\), and torch sees none here"):
        refuse_missing("cuda", there=0, library="torch")
    with pytest.raises(GpuMissing, match=r"a GPU \(cuda:2\), and torch sees 2 here"):
        refuse_missing("cuda:2", there=2, library="torch")


@pytest.mark.parametrize(
    ("address", "visible", "number"),
    [("0", None, 0), ("3", None, 3), ("3", "2,3", 1), ("3", "3", 0), ("GPU-ab", "GPU-ab, 1", 0)],
)
def test_an_address_is_a_number_among_those_that_cuda_sees(address, visible, number):
    """All of them, or the ones that `CUDA_VISIBLE_DEVICES` lists."""
    assert number == number_here(address, visible)


@pytest.mark.parametrize(
    ("address", "visible", "said"),
    [
        ("0", "", "CUDA_VISIBLE_DEVICES= hides"),
        ("1", "0,2", "CUDA_VISIBLE_DEVICES=0,2 hides"),
        ("GPU-ab", None, "chosen by its number.*getGpusResources"),
    ],
)
def test_an_address_that_cuda_does_not_know_is_refused(address, visible, said):
    """Rather than scoring on another task's GPU."""
    with pytest.raises(GpuMissing, match=said):
        number_here(address, visible)


def test_a_driver_without_a_gpu_describes_a_model_that_will_run_on_one(booster):
    """The spec keeps what was asked for; whoever opens it to score needs the GPU."""
    spec = read_spec(booster, model_config={"device": "cuda:63"})
    assert {"device": "cuda:63"} == dict(spec.model_config)
    with pytest.raises(GpuMissing, match="XGBoost does not see it here"):
        load_scorer(spec)


@pytest.mark.parametrize("device", ["cuda:one", "gpu", "mps"])
def test_a_device_that_is_none_is_refused(booster, device):
    """By the driver, when the model is read."""
    with pytest.raises(ConfigError, match="is no device"):
        read_spec(booster, model_config={"device": device})


def test_only_an_open_number_is_the_tasks_to_fill(booster):
    """Without a GPU asked for, or with one named, the spec stays as it is, given a task or not."""
    for config in ({}, {"device": "cpu"}, {"device": "cuda:63"}):
        spec = read_spec(booster, model_config=config)
        assert on_own_gpu(spec, None) is spec
    with pytest.raises(GpuMissing, match=r"Spark gave this task none.*device: cuda:0"):
        on_own_gpu(read_spec(booster, model_config={"device": "cuda"}), None)
