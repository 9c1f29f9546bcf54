"""`make demo`: train, register, store the input, run the main job as a user would, show the result.

python -m tools.demo            what it makes once stays in .demo; a second run only scores
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import warnings
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from rich.console import Console

from sparkml.terminal import quiet_children
from tools.bank import placed
from tools.demo_models import ALIAS, MODELS, Trained, as_png, register

HOME = Path(".demo")
REGISTRY = HOME / "mlflow.db"
TABLES = HOME / "tables"
READY = HOME / "ready-2"
"""There when all is prepared; another name whenever there is more to prepare."""
TRAIN = ["sparkml", "train", "--config", "conf/train.bank_sklearn.yaml"]
SHOWN = (
    ["spark-submit", "jobs/score.py", "--config", "conf/score.wine.yaml"],
    ["sparkml", "score", "--config", "conf/score.bank.yaml"],
)
"""What the demo runs each time, as a user would: a table in Delta, a CSV file with features."""

console = Console(highlight=False, soft_wrap=True)


def main() -> int:
    """Run the demo in the repository's root; the exit status is the job's."""
    began = time.monotonic()
    # JVMs that live for seconds: a second compiler pays after minutes, and costs as much again.
    os.environ.setdefault("SPARK_SUBMIT_OPTS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
    if not READY.exists():
        HOME.mkdir(exist_ok=True)
        console.print("training four models and registering them in .demo/mlflow.db …")
        log = HOME / "prepare.log"
        with log.open("a") as said, quiet_children(log):
            shown = Console(highlight=False, soft_wrap=True, file=sys.stdout)
            with redirect_stdout(said), redirect_stderr(said):  # MLflow tells what it does
                prepare(shown)
        if status := start(TRAIN, log):
            return status
        console.print(
            "trained bank and registered it as bank@champion: conf/train.bank_sklearn.yaml"
        )
        READY.touch()
    for command in SHOWN:
        console.print(f"\n[bold]$ {' '.join(command)}[/bold]\n")
        if status := start(command, None):
            return status
    console.print(
        f"\ndone in {time.monotonic() - began:.0f} s. Next:\n"
        "  . .venv/bin/activate\n"
        "  sparkml plan  --config conf/score.breast_cancer.yaml\n"
        "  sparkml score --config conf/score.digits_png.yaml\n"
        "  sparkml features --config conf/features.bank.yaml\n"
    )
    return 0


def start(command: list[str], output: Path | None) -> int:
    """Run a command; its exit status. Spark's log goes to a file, what it prints to `output`."""
    log = output or HOME / "spark-submit.log"
    with log.open("ab") as said:
        stdout = said if output else None
        status = subprocess.run(command, stdout=stdout, stderr=said, check=False).returncode
    if status:
        console.print(f"\n{' '.join(command)} failed with status {status}; its log is in {log}")
    return status


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
    placed(HOME / "bank.csv")


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
    digits = next(one for one in trained if one.name == "digits")
    images = spark.createDataFrame(
        list(enumerate(as_png(digits.features))), "id BIGINT, image BINARY"
    )
    images.coalesce(1).write.format("delta").mode("overwrite").save(str(TABLES / "digits_png"))
    spark.stop()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
