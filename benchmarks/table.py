"""The benchmark's figures as a Markdown table; the README's is made by it.

python -m benchmarks.table            prints the table of the committed figures
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import many_models

OURS, DELTA, PEER = "sparkml, no-op sink", "sparkml, into Delta", "mlflow.pyfunc.spark_udf"
TITLES = {
    "LR": "scaler + logistic",
    "GBT": "GBT 100 × depth 3",
    "HGB": "HistGBT 100 × 31 leaves",
    "RF": "RF 100 × depth 10",
    "LGBM": "LightGBM 100 × 31 leaves",
    "XGB": "XGBoost 100 × depth 6",
    "ONNX": "ONNX: the GBT",
}


def render(figures: dict[str, Any]) -> str:
    """Thousand rows per second by way and model, then the ratios and the cost of a task."""
    seconds, rows = figures["seconds"], figures["rows"]
    models = list(seconds)
    ways = list(seconds[models[0]])
    lines = [
        "| thousand rows/s | " + " | ".join(TITLES[m] for m in models) + " |",
        "|---|" + "--:|" * len(models),
    ]
    for way in ways:
        cells = [
            f"{rows / median(seconds[m][way]) / 1_000:,.0f}" if way in seconds[m] else "fails"
            for m in models
        ]
        lines.append(f"| {_label(way)} | " + " | ".join(cells) + " |")
    for label, a, b in (
        (f"ours ÷ `{PEER}`", PEER, OURS),
        ("time into Delta ÷ time to no-op", DELTA, OURS),
    ):
        cells = [f"{ratio(seconds[m], a, b):.2f}" if a in seconds[m] else "" for m in models]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    tasks = ", ".join(f"{name} {ms:.0f} ms" for name, ms in figures["ms_per_empty_task"].items())
    machine = figures["machine"]
    note = (
        f"{rows:,} rows × 20 doubles in Parquet, medians of {figures['rounds']} interleaved "
        f"rounds; {machine['cpu']}, {machine['cores']} cores; Python {machine['python']}, "
        f"PySpark {machine['pyspark']}, MLflow {machine['mlflow-skinny']}, "
        f"scikit-learn {machine['scikit-learn']}, LightGBM {machine['lightgbm']}, "
        f"XGBoost {machine['xgboost']}, ONNX Runtime {machine['onnxruntime']}. "
        "Ours gives label and probability, the others the label. "
        f"A task that scores nothing costs, a core: {tasks}."
    )
    lines += ["", note]
    if "many_models" in figures:
        lines += ["", many_models.render(figures["many_models"])]
    return "\n".join(lines)


def ratio(times: dict[str, list[float]], a: str, b: str) -> float:
    """The median over the rounds of the time of `a` over the time of `b`."""
    return median(x / y for x, y in zip(times[a], times[b], strict=True))


def _label(way: str) -> str:
    return f"**{way}**" if way.startswith("sparkml") else way


if __name__ == "__main__":
    print(render(json.loads(Path("benchmarks/results.json").read_text())))
