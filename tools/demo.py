"""`make demo`: train, register, store the input, run the main job as a user would, show the result.

python -m tools.demo            what it makes once stays in .demo; a second run only scores
"""

from __future__ import annotations

import subprocess
import sys
import time
import warnings
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from rich.console import Console

from sparkml.terminal import quiet_children
from tools.demo_models import ALIAS, MODELS, Trained, register

HOME = Path(".demo")
REGISTRY = HOME / "mlflow.db"
TABLES = HOME / "tables"
CONFIG = "conf/score.wine.yaml"
console = Console(highlight=False, soft_wrap=True)


def main() -> int:
    """Run the demo in the repository's root; the exit status is the job's."""
    began = time.monotonic()
    if not (HOME / "ready").exists():
        HOME.mkdir(exist_ok=True)
        console.print("training three models and registering them in .demo/mlflow.db …")
        log = HOME / "prepare.log"
        with log.open("a") as said, quiet_children(log):
            shown = Console(highlight=False, soft_wrap=True, file=sys.stdout)
            with redirect_stdout(said), redirect_stderr(said):  # MLflow tells what it does
                prepare(shown)
    command = ["spark-submit", "jobs/score.py", "--config", CONFIG]
    console.print(f"\n[bold]$ {' '.join(command)}[/bold]\n")
    log = HOME / "spark-submit.log"
    with log.open("wb") as stderr:
        status = subprocess.run(command, stderr=stderr, check=False).returncode
    if status:
        console.print(f"\nthe job failed with status {status}; Spark's own log is in {log}")
        return status
    console.print(
        f"\ndone in {time.monotonic() - began:.0f} s. Next:\n"
        "  . .venv/bin/activate\n"
        "  sparkml plan  --config conf/score.breast_cancer.yaml\n"
        "  sparkml score --config conf/score.breast_cancer.yaml\n"
        "  sparkml score --config conf/score.digits.yaml --set sink.path=.demo/scores/digits2\n"
    )
    return 0


def prepare(console: Console) -> None:
    """Train and register the models and write their input tables, once."""
    trained = [train() for train in MODELS]
    for one in trained:
        version = register(one, f"sqlite:///{REGISTRY}", HOME / "artifacts")
        console.print(
            f"registered {one.name} version {version} as {one.name}@{ALIAS}: "
            f"{type(one.model).__name__} on {len(one.features):,} rows × {one.features.shape[1]}"
        )
    write_tables(trained, console)
    (HOME / "ready").touch()


def write_tables(trained: list[Trained], console: Console) -> None:
    """Write each model's features, with an `id`, as a Delta table with column mapping."""
    from sparkml.spark.session import build_session

    spark = build_session("local[2]", {"spark.ui.enabled": "false"}, tuned=False)
    for one in trained:
        table = one.features.copy()
        table.insert(0, "id", range(len(table)))
        path = TABLES / one.name
        writer = spark.createDataFrame(table).coalesce(1).write.format("delta").mode("overwrite")
        # Names such as «mean radius» are legal in a Delta table with column mapping alone.
        writer.option("delta.columnMapping.mode", "name").save(str(path))
        console.print(f"wrote {path}: {len(table):,} rows")
    spark.stop()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
