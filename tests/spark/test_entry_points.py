"""The job as a user starts it: `spark-submit jobs/score.py` and the `sparkml` command."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from deltalake import DeltaTable

pytestmark = pytest.mark.spark

ROOT = Path(__file__).parents[2]
SUBMIT = [shutil.which("spark-submit", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")]
LOCAL = ["--set", "spark.master=local[2]", "--set", 'spark.conf."spark.ui.enabled"="false"']


@pytest.fixture(scope="module")
def job(demo, tmp_path_factory):
    """A folder with the wine table as Parquet and a configuration that scores it into Delta."""
    trained, uri = demo
    home = tmp_path_factory.mktemp("job")
    table = trained["wine"].features.copy()
    table.insert(0, "id", range(len(table)))
    table.to_parquet(home / "wine.parquet")
    config = {
        "models": {"wine": {"uri": "models:/wine@champion"}},
        "registry": {"tracking_uri": uri},
        "source": {"format": "parquet", "path": str(home / "wine.parquet")},
        "key": ["id"],
        "sink": {"format": "delta", "path": str(home / "scores")},
    }
    (home / "job.yaml").write_text(yaml.safe_dump(config))
    labels = trained["wine"].model.predict(trained["wine"].features)
    return home, dict(enumerate(labels.tolist()))


def start(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the repository's root, as in a shell whose environment is the project's."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, **environment}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def labels(table: Path) -> dict[int, str]:
    """What a table holds, read without Spark."""
    rows = DeltaTable(table).to_pyarrow_table().to_pylist()
    return {r["id"]: r["wine"]["prediction"] for r in rows}


def test_spark_submit_scores_the_table(job):
    """The main command writes the library's labels and prints what a person wants to know."""
    home, expected = job
    out = home / "submitted"

    done = start(
        [
            *SUBMIT,
            "jobs/score.py",
            "--config",
            str(home / "job.yaml"),
            "--set",
            f"sink.path={out}",
            *LOCAL,
        ]
    )

    assert 0 == done.returncode, done.stdout + done.stderr
    assert expected == labels(out)
    for said in ("models:/wine/1", "178", "SELECT * FROM delta."):
        assert said in done.stdout


def test_the_command_scores_the_table_and_keeps_stderr_clean(job):
    """Standard output holds the outcome alone, standard error a line of progress every 30 s."""
    home, expected = job
    out = home / "commanded"

    done = start(
        [
            sys.executable,
            "-m",
            "sparkml",
            "score",
            "--config",
            str(home / "job.yaml"),
            "--json",
            "--set",
            f"sink.path={out}",
            *LOCAL,
        ]
    )

    assert 0 == done.returncode, done.stderr
    assert expected == labels(out)
    assert 178 == json.loads(done.stdout)["rows"]
    assert [] == [line for line in done.stderr.splitlines() if not re.match(r"\d+ s  ", line)]


@pytest.mark.parametrize("entry", ["spark-submit", "sparkml"])
def test_a_missing_column_is_the_last_line_and_the_exit_status(job, entry):
    """The same last line and the same status by either door; nothing is written."""
    home, _ = job
    out = home / f"refused-{entry}"
    command = [*SUBMIT, "jobs/score.py"]
    if entry == "sparkml":
        command = [sys.executable, "-m", "sparkml", "score"]
    arguments = ["--config", str(home / "job.yaml"), "--set", f"sink.path={out}", *LOCAL]
    arguments += ["--set", "source.columns=[id, ash]"]

    done = start([*command, *arguments])

    printed = done.stdout if entry == "spark-submit" else done.stderr
    last = printed.strip().splitlines()[-1]
    assert 3 == done.returncode, done.stdout + done.stderr
    assert last.startswith("ERROR SIGNATURE_MISMATCH: 12 columns are missing: 'alcohol'")
    assert "Traceback" not in printed
    assert not out.exists()


def test_what_spark_submit_says_goes_before_our_own_settings(tmp_path):
    """Its master and its --conf stand; only what nobody said is ours."""
    script = tmp_path / "told.py"
    script.write_text(
        "from sparkml import build_session\n"
        "spark = build_session(conf={'spark.sql.shuffle.partitions': '3'})\n"
        "print(spark.sparkContext.master, *[spark.conf.get(k) for k in (\n"
        "    'spark.databricks.delta.snapshotPartitions', 'spark.sql.shuffle.partitions',\n"
        "    'spark.sql.execution.arrow.maxRecordsPerBatch')])\n"
    )
    said = ["--master", "local[1]", "--conf", "spark.ui.enabled=false"]
    said += ["--conf", "spark.databricks.delta.snapshotPartitions=7"]

    done = start([*SUBMIT, *said, str(script)])

    assert "local[1] 7 3 65536" in done.stdout, done.stdout + done.stderr


def test_without_java_the_error_says_what_to_install(job, tmp_path):
    """The command finds out before it starts a JVM, and names the way out."""
    home, _ = job
    (tmp_path / "bin").mkdir()

    done = start(
        [sys.executable, "-m", "sparkml", "score", "--config", str(home / "job.yaml")],
        PATH=str(tmp_path / "bin"),
        JAVA_HOME=str(tmp_path),
    )

    assert 7 == done.returncode
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ERROR JAVA_MISSING: Java 17 is not found")
    assert "install" in last


def test_an_output_that_may_not_be_written_is_refused(job, tmp_path):
    """A file stands where the table's parent should be."""
    home, _ = job
    (tmp_path / "file").write_text("")

    done = start(
        [
            sys.executable,
            "-m",
            "sparkml",
            "score",
            "--config",
            str(home / "job.yaml"),
            "--set",
            f"sink.path={tmp_path}/file/scores",
            *LOCAL,
        ]
    )

    assert 6 == done.returncode, done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("ERROR SINK")
