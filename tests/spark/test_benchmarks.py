"""The benchmark runs, small: every contender, and figures that its table can be made of."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.contenders import CONTENDERS, TASK_COSTS
from benchmarks.run import LIMIT
from benchmarks.table import ratio, render

pytestmark = pytest.mark.spark

ROOT = Path(__file__).parents[2]


def test_every_contender_runs_and_the_table_holds_them(tmp_path):
    """One small round of each; no figure of it means anything."""
    out = tmp_path / "figures.json"
    options = ["--rows", "8000", "--rounds", "1", "--warm-ups", "0", "--models", "LR"]
    options += ["--keys", "4"]

    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.run", *options, "--out", out, "--home", tmp_path],
        cwd=ROOT, env={**os.environ, "COLUMNS": "200"}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text())
    assert {*CONTENDERS, LIMIT} == set(figures["seconds"]["LR"])
    assert set(TASK_COSTS) == set(figures["ms_per_empty_task"])
    assert all(name in done.stdout for name in CONTENDERS)
    assert "| one model per key, thousand rows/s | train | score |" in done.stdout


def test_a_ratio_is_the_median_of_paired_runs():
    """Round by round, so that a machine that slows down does not decide it."""
    times = {"a": [2.0, 40.0, 6.0], "b": [1.0, 10.0, 3.0]}

    assert 2.0 == ratio(times, "a", "b")


def test_the_committed_figures_reach_the_floors():
    """What the README shows: 3 x on the linear model, 1.6 x on trees, Delta within 1.3 x."""
    figures = json.loads((ROOT / "benchmarks" / "results.json").read_text())
    seconds = figures["seconds"]
    ours, peer, delta = "sparkml, no-op sink", "mlflow.pyfunc.spark_udf", "sparkml, into Delta"

    for model, floor in {"LR": 3.0, "GBT": 1.6, "HGB": 1.6, "RF": 1.6}.items():
        assert ratio(seconds[model], peer, ours) >= floor, model
        assert ratio(seconds[model], delta, ours) <= 1.3, model
    tasks = figures["ms_per_empty_task"]
    assert tasks["sparkml"] - tasks["JVM only"] <= 15
    assert "| thousand rows/s |" in render(figures)
