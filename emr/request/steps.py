"""A run's step: the argv of `spark-submit`, the StepConfig around it, the request that adds it.

Pure. The arguments are a list, and no shell reads them: nothing is ever quoted.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from emr.errors import RequestRefused
from emr.request.checks import check_fit, check_run
from emr.request.configurations import DELTA_LISTS, delta_list, listed
from emr.request.guard_rails import MAX_STEP_CHARACTERS, check_steps, step_characters
from emr.request.secrets import refuse_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emr.job_run import JobRun
    from emr.package.manifest import Package
    from emr.spec import ClusterSpec

RUNNER = "command-runner.jar"
SITE = "environment"
"""The folder of each container that the packed environment is unpacked to."""
CONFIG = "job.yaml"
"""What the configuration is called there."""

_KEY = re.compile(r" \[([0-9a-f]{12})\]\Z")
MAX_NAME = 256

FETCH_AND_SUBMIT = (
    'set -eu; folder=$(mktemp -d); aws s3 cp --only-show-errors "$1" "$folder/spark.properties"; '
    'submit=$2; shift 2; exec "$submit" --properties-file "$folder/spark.properties" '
    '--load-spark-defaults "$@"'
)
"""What a step with more arguments than EMR takes runs first. It is one constant: whatever differs
between runs is handed over as `$1`, `$2`, …, which the shell does not read again."""


def spark_submit_argv(run: JobRun, spec: ClusterSpec, package: Package) -> list[str]:
    """The argv of a run, as it would be typed on the primary node.

    Cluster mode, since only there the archive is unpacked for the driver too (SPARK-36088). The
    archive is a site folder, not a virtual environment: `PYTHONPATH` finds it, and the node's own
    interpreter runs it.
    """
    return _argv(run, package, step_conf(run, spec))


def step_conf(run: JobRun, spec: ClusterSpec) -> dict[str, str]:
    """The Spark settings of a run: the spec's, then the run's own, then what the step needs."""
    python = f"python{spec.python}"
    needed = {
        "spark.yarn.appMasterEnv.PYSPARK_PYTHON": python,
        "spark.executorEnv.PYSPARK_PYTHON": python,
        "spark.yarn.appMasterEnv.PYTHONPATH": f"./{SITE}",
        "spark.executorEnv.PYTHONPATH": f"./{SITE}",
    }
    attempts = {"spark.yarn.maxAppAttempts": _attempts(spec)}
    chosen = {**attempts, **spec.spark_conf, **run.spark_conf}
    # A step's setting replaces the cluster's whole list, and Delta is in it.
    for key in [key for key in DELTA_LISTS if key in chosen]:
        chosen[key] = listed(chosen[key], delta_list(spec, key))
    return {**chosen, **needed}


def _attempts(spec: ClusterSpec) -> str:
    """How often YARN starts the driver.

    A driver that fails by itself would fail again, for the price of the whole run, and its log
    would be the second container's. But a Spot node that is taken away may take the driver along,
    which is nobody's fault: the second one finds what the first committed, or starts anew, since a
    run is idempotent (a Delta sink commits once).
    """
    return "2" if any(nodes.spot for nodes in (spec.core, *spec.task)) else "1"


def name_of(run: JobRun) -> str:
    """The run's name; the job's and the configuration's where it has none."""
    return run.name or f"{PurePath(run.job).stem} {PurePath(run.config).stem}"


def run_key(run: JobRun, spec: ClusterSpec, package: Package) -> str:
    """What makes two submissions the same run: package, arguments and role, but not the name."""
    argv = spark_submit_argv(run.model_copy(update={"name": "-"}), spec, package)
    role = run.runtime_role or spec.roles.runtime
    text = json.dumps([package.digest, argv, role])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def run_key_of(step_name: str) -> str | None:
    """The run's key in the name of a step of ours; None in any other name."""
    found = _KEY.search(step_name)
    return found[1] if found else None


def step_config(run: JobRun, spec: ClusterSpec, package: Package) -> dict[str, Any]:
    """One StepConfig, its name ending in the run's key.

    The files of `step_files` must have been uploaded when the step runs.

    Raises:
        ConfigError: the cluster would not take the run; every reason is told.
        RequestRefused: the settings are too long, and a runtime role keeps them from S3.
    """
    check_run(run, spec)
    check_fit(run, spec)
    key = f" [{run_key(run, spec, package)}]"
    name = name_of(run)[: MAX_NAME - len(key)] + key
    step = _step(run, name, spark_submit_argv(run, spec, package))
    characters = step_characters(step)
    if characters <= MAX_STEP_CHARACTERS:
        return step
    if run.runtime_role or spec.roles.runtime:
        raise RequestRefused(
            f"the step has {characters:,} characters, {MAX_STEP_CHARACTERS:,} are allowed; with "
            "a runtime role EMR runs spark-submit only, which cannot fetch them from S3",
            where="spark_conf",
            fix="move settings to the cluster's configurations, or to `spark.conf` of the job",
        )
    (address,) = step_files(run, spec, package)
    fetch = ["bash", "-c", FETCH_AND_SUBMIT, "sparkml", address]
    return _step(run, name, [*fetch, *_argv(run, package, {})])


def step_files(run: JobRun, spec: ClusterSpec, package: Package) -> dict[str, bytes]:
    """What must be on S3 for the step besides its package: address → content; mostly nothing.

    A step with more characters than EMR allows takes its settings from a properties file, which is
    named by its content.

    Raises:
        SecretInRequest: a setting looks like a secret.
    """
    step = _step(run, "", spark_submit_argv(run, spec, package))
    if step_characters(step) <= MAX_STEP_CHARACTERS:
        return {}
    conf = step_conf(run, spec)
    refuse_secrets({"spark_conf": conf}, where="the step's settings")
    content = properties(conf).encode()
    digest = hashlib.sha256(content).hexdigest()
    return {f"{spec.artifacts.rstrip('/')}/arguments/{digest[:32]}.properties": content}


def properties(conf: Mapping[str, str]) -> str:
    """Settings as `java.util.Properties` reads them, and thus `spark-submit --properties-file`."""
    return "".join(f"{_escaped(key)}={_escaped(value)}\n" for key, value in sorted(conf.items()))


def steps_request(
    cluster_id: str, configs: Sequence[Mapping[str, Any]], *, execution_role: str | None
) -> dict[str, Any]:
    """The keyword arguments of boto3's `add_job_flow_steps`, checked.

    Raises:
        RequestRefused: they break AWS's model or a limit (100 steps a call, 10,240 characters).
        SecretInRequest: a value looks like a secret.
    """
    request: dict[str, Any] = {"JobFlowId": cluster_id, "Steps": [dict(one) for one in configs]}
    if execution_role:
        request["ExecutionRoleArn"] = execution_role
    check_steps(request)
    return request


def _step(run: JobRun, name: str, argv: list[str]) -> dict[str, Any]:
    return {
        "Name": name,
        "ActionOnFailure": run.action_on_failure,
        "HadoopJarStep": {"Jar": RUNNER, "Args": argv},
    }


def _argv(run: JobRun, package: Package, conf: Mapping[str, str]) -> list[str]:
    # fmt: off
    return [
        "spark-submit",
        "--deploy-mode", "cluster",
        "--name", name_of(run),
        "--archives", f"{package.archive}#{SITE}",
        "--files", f"{package.config}#{CONFIG}",
        "--py-files", package.wheel,
        *(part for key in sorted(conf) for part in ("--conf", f"{key}={conf[key]}")),
        package.script, "--config", CONFIG,
    ]
    # fmt: on


_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "=": "\\=", ":": "\\:", " ": "\\ "}


def _escaped(text: str) -> str:
    comment = "\\" if text[:1] in {"#", "!"} else ""
    return comment + "".join(_ESCAPES.get(character, character) for character in text)
