"""The README's five commands, typed as they stand there: on the local EMR, and on a real YARN.

What they name is made first: a registry with the wine model on this machine, its table on S3. A
command may be given more options than the README shows, for what is different here: the nodes have
this machine's processor, and little memory.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from deltalake import DeltaTable, write_deltalake

from tests.emr import yarn as real
from tests.emr.driver import Driver
from tests.emr.endpoint import Runner, Settings, folder_logs
from tests.emr.yarn.metadata import InstanceMetadata

if TYPE_CHECKING:
    import pyarrow as pa

ROOT = Path(__file__).parents[2]
SECTION = re.compile(r"^## On Amazon EMR\n.*?^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
HERE = "--cluster-set primary.types=m7i.xlarge --cluster-set core.types=m7i.xlarge"
SMALL = {
    "spark.executor.instances": "1",
    "spark.executor.cores": "1",
    "spark.executor.memory": "512m",
    "spark.executor.memoryOverhead": "512m",
    "spark.driver.memory": "640m",
    "spark.driver.memoryOverhead": "512m",
    "spark.dynamicAllocation.enabled": "false",
}


def commands() -> list[str]:
    """The commands of the README's section, without what they print."""
    found = SECTION.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert found
    return [line[2:] for line in found[1].splitlines() if line.startswith("$ ")]


KILLED = """
{command} &
client=$!
until emr describe $cluster | grep -q ' RUNNING '; do kill -0 $client; sleep 1; done
kill -9 $client
echo killed while it waited >&2
"""
"""A client that is killed as soon as its step runs; the shell goes on."""


def script(more: dict[str, str], *, kill: str = "") -> str:
    """The commands as one script; `more`: how a command begins → what it is given besides.

    What begins with `kill` is typed twice: its first client is killed while it waits.
    """
    lines = ["set -eu"]
    for command in commands():
        options = next((o for name, o in more.items() if name in command), "")
        closed = command.endswith(")")
        whole = f"{command.removesuffix(')')} {options}{')' if closed else ''}"
        if kill and command.startswith(kill):
            lines.append(KILLED.format(command=whole))
        lines += [whole, "echo --- >&2"]
    return "\n".join(lines)


@pytest.fixture
def typed(bucket, demo, tmp_path, aws_environment):
    """A shell in a copy of what the commands name; its outcome, and the seconds that it took."""
    trained, registry = demo
    (tmp_path / "home").mkdir()
    for name in ("conf", "jobs"):
        (tmp_path / "home" / name).symlink_to(ROOT / name)
    storage = {
        "AWS_ENDPOINT_URL": aws_environment["AWS_ENDPOINT_URL_S3"],
        "AWS_ALLOW_HTTP": "true",
        "AWS_S3_ALLOW_UNSAFE_RENAME": "true",
    }
    table = trained["wine"].features.copy()
    table.insert(0, "id", range(len(table)))
    write_deltalake(f"s3://{bucket}/wine", table, storage_options=storage)

    def scores() -> pa.Table:
        return DeltaTable(f"s3://{bucket}/scores", storage_options=storage).to_pyarrow_table()

    def run(more: dict[str, str], **options) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "BUCKET": bucket,
            "SPARKML__REGISTRY__TRACKING_URI": registry,
            "SPARKML_EMR_POLL_S": "0.3",
        }
        return subprocess.run(
            ["bash", "-c", script(more, **options)],
            cwd=tmp_path / "home",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    run.scores = scores
    return run


def test_the_readmes_commands_are_the_five() -> None:
    """Plan, up, submit, logs, down: a page that shows another path is another page."""
    said = [shlex.split(c.removeprefix("cluster=$("))[:2] for c in commands()]
    expected = ["plan", "up", "submit", "logs", "down"]
    assert [["emr", name] for name in expected] == said


def test_the_commands_work_on_the_local_emr(typed, emr_endpoint, bucket, tmp_path) -> None:
    """The whole control plane is real; the step is a program that is no Spark."""
    driver = Driver(tmp_path)
    driver.does(stdout="scored 178 rows\n")
    emr_endpoint(settings=Settings(pace=0.05, log_delay_s=0.2, log_interval_s=0.1),
                 runner=driver.runner())  # fmt: skip
    boto3.client("s3").put_object(Bucket=bucket, Key="env.tar.gz", Body=b"an environment")
    archive = f"--run-set environment.archive=s3://{bucket}/env.tar.gz"
    done = typed({"emr submit": archive})
    assert 0 == done.returncode, done.stderr[-3000:]
    assert "Nothing was sent." in done.stdout
    assert 2 == done.stdout.count("scored 178 rows")  # by submit, and by logs
    assert "TERMINATED" in done.stdout
    [run] = driver.runs
    assert "--deploy-mode cluster" in run


@pytest.mark.yarn
@pytest.mark.spark
@pytest.mark.skipif(bool(real.missing()), reason=real.missing() or "here")
@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_the_commands_score_wine_on_a_real_yarn(
    typed, demo, emr_endpoint, s3_server, tmp_path
) -> None:
    """From `up` to `down`: the Delta table on S3 holds the model's own labels, once each.

    The first client of `submit` is killed while it waits; the second finds the step, and runs none.
    """
    keys = ("testing", "testing")
    with (
        InstanceMetadata() as profile,
        real.Yarn(tmp_path / "yarn", s3_endpoint=s3_server, s3_keys=keys) as yarn,
    ):
        # On EMR both are where every process looks for them by itself; here they are named.
        here = {
            "AWS_ENDPOINT_URL_S3": s3_server,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": profile.url,
        }
        kinds = ("spark.yarn.appMasterEnv", "spark.executorEnv")
        conf = SMALL | {f"{kind}.{name}": value for kind in kinds for name, value in here.items()}
        emr_endpoint(
            settings=Settings(pace=0.05, log_delay_s=0.5, log_interval_s=0.5),
            runner=Runner(
                folder=tmp_path / "emr",
                environment=yarn.environment(),
                container_logs=folder_logs(yarn.logs),
            ),
        )
        sets = " ".join(f'--run-set \'spark_conf."{k}"="{v}"\'' for k, v in conf.items())
        began = time.monotonic()
        more = {"emr up": HERE, "emr submit": f"{sets} --cache {ROOT}/.cache/emr"}
        done = typed(more, kill="emr submit")
        [cluster] = boto3.client("emr").list_clusters()["Clusters"]
        steps = boto3.client("emr").list_steps(ClusterId=cluster["Id"])["Steps"]
    assert 0 == done.returncode, done.stderr[-5000:]
    assert "killed while it waited" in done.stderr
    assert ["COMPLETED"] == [step["Status"]["State"] for step in steps]
    trained, _ = demo
    table = typed.scores().to_pydict()
    labels = dict(zip(table["id"], (w["prediction"] for w in table["wine"]), strict=True))
    wine = trained["wine"]
    expected = dict(enumerate(wine.model.predict(wine.features).tolist()))
    assert expected == labels
    assert 178 == len(table["id"])
    print(f"the five commands took {time.monotonic() - began:.0f} s")
