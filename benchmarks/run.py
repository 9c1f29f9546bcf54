"""`make bench`: ours beside the peers, interleaved, medians; writes JSON with machine and versions.

python -m benchmarks.run                                   2 million rows, 3 rounds
python -m benchmarks.run --rows 200000 --rounds 1 --models LR --out /tmp/quick.json
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks import limit, many_models
from benchmarks.contenders import CONTENDERS, EMPTY_TASKS, NOT_FOR, TASK_COSTS
from benchmarks.data import make_models, model_folder, table_folder
from benchmarks.table import TITLES, render

HOME = Path(".cache/benchmarks")
RESULTS = Path("benchmarks/results.json")
LIMIT = "limit: pyarrow + predict"
ALL = ",".join(TITLES)


class Session:
    """A benchmark session in a process of its own."""

    def __init__(self, kind: str, home: Path) -> None:
        self._log = (home / f"{kind}.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.session", kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def seconds(self, kind: str, name: str, table: Path, model: Path) -> float:
        """The wall time of one run."""
        order = {"set": kind, "name": name, "table": str(table), "model": str(model)}
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith('{"seconds"'):
                return float(json.loads(line)["seconds"])
        raise SystemExit(f"{name} failed: see {self._log.name}")

    def close(self) -> None:
        """End the process."""
        self._process.communicate()
        self._log.close()


def bench(
    rows: Annotated[int, typer.Option(help="Rows of the table.")] = 2_000_000,
    rounds: Annotated[int, typer.Option(help="Counted runs of each contender.")] = 3,
    warm_ups: Annotated[int, typer.Option(help="Runs before those, not counted.")] = 2,
    models: Annotated[str, typer.Option(help="Comma-separated; all of them by default.")] = ALL,
    keys: Annotated[int, typer.Option(help="Keys of the many-model table.")] = 2_000,
    out: Annotated[Path, typer.Option(help="Where the figures go, as JSON.")] = RESULTS,
    home: Annotated[Path, typer.Option(help="Where table and models are kept.")] = HOME,
) -> None:
    """Compare; print the table and write the figures, beside those of other models there."""
    home = home.absolute()
    home.mkdir(parents=True, exist_ok=True)
    table = table_folder(home, rows)
    chosen = [name for name in make_models() if name in models.split(",")]
    sessions = {kind: Session(kind, home) for kind in ("ours", "stock")}
    workers = limit.pool()
    results: dict[str, Any] = {}
    for name in chosen:
        model = model_folder(home, name)
        ways = {c: way for c, way in CONTENDERS.items() if c not in NOT_FOR.get(name, ())}
        times: dict[str, list[float]] = {c: [] for c in [*ways, LIMIT]}
        for round_ in range(1 - warm_ups, rounds + 1):  # those up to 0 are warm-ups, not counted
            for contender, (kind, _) in ways.items():
                taken = sessions[kind].seconds("scoring", contender, table, model)
                _keep(times[contender], taken, round_, f"{name} {contender}")
            started = time.perf_counter()
            assert limit.run(workers, table, model) == rows
            _keep(times[LIMIT], time.perf_counter() - started, round_, f"{name} {LIMIT}")
        results[name] = times
    tasks = _task_costs(sessions, table, model_folder(home, chosen[0]), rounds)
    for session in sessions.values():
        session.close()
    workers.shutdown()
    figures = {
        "machine": _machine(),
        "rows": rows,
        "rounds": rounds,
        "seconds": _beside(out, rows, rounds) | results,
        "ms_per_empty_task": tasks,
    }
    figures["many_models"] = many_models.measure(home, keys=keys, rounds=rounds, warm_ups=warm_ups)
    out.write_text(json.dumps(figures, indent=2) + "\n")
    print(render(figures))


def _beside(out: Path, rows: int, rounds: int) -> dict[str, Any]:
    """The figures of other models that the file holds, if they were measured alike."""
    held = json.loads(out.read_text()) if out.exists() else {}
    then, now = held.get("machine", {}), _machine()
    alike = all(then.get(key) == now[key] for key in ("cpu", "cores", "python", "pyspark"))
    same = alike and (rows, rounds) == (held["rows"], held["rounds"])
    return dict(held["seconds"]) if same else {}


def _keep(times: list[float], taken: float, round_: int, what: str) -> None:
    label = f"round {round_}" if round_ > 0 else "warm-up"
    print(f"{label}  {what}: {taken:.2f} s", file=sys.stderr)
    if round_ > 0:
        times.append(taken)


def _task_costs(
    sessions: dict[str, Session], table: Path, model: Path, rounds: int
) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in TASK_COSTS}
    for round_ in range(rounds + 1):
        for name, (kind, _) in TASK_COSTS.items():
            seconds = sessions[kind].seconds("tasks", name, table, model)
            _keep(taken[name], seconds, round_, f"{EMPTY_TASKS} empty tasks, {name}")
    cores = os.cpu_count() or 1
    return {
        name: round(statistics.median(times) * 1_000 * cores / EMPTY_TASKS, 1)
        for name, times in taken.items()
    }


def _machine() -> dict[str, Any]:
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    names = (
        "pyspark",
        "delta-spark",
        "mlflow-skinny",
        "scikit-learn",
        "lightgbm",
        "xgboost",
        "onnxruntime",
        "pyarrow",
        "numpy",
        "pandas",
    )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "python": platform.python_version(),
        **{name: version(name) for name in names},
    }


if __name__ == "__main__":
    typer.run(bench)
