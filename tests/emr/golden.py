"""The requests of the shipped specs, as files that a reviewer reads the changes of.

python -m tests.emr.golden          # writes them again
"""

from __future__ import annotations

import json
from pathlib import Path

from emr.job_run import JobRun
from emr.package.manifest import Package
from emr.request.cluster import cluster_request
from emr.request.security import security_configuration
from emr.request.steps import step_config
from emr.spec import ClusterSpec
from sparkml.config.layers import load_as

HERE = Path(__file__).parent / "golden"
PROJECT = Path(__file__).parents[2]
SPECS = sorted((PROJECT / "conf" / "clusters").glob("*.yaml"))

CODE = "s3://example-bucket/sparkml/code"
PACKAGE = Package(
    digest="0123456789abcdef" * 4,
    script=f"{CODE}/aaaa/score.py",
    wheel=f"{CODE}/bbbb/sparkml-0.1.0-py3-none-any.whl",
    config=f"{CODE}/cccc/config.yaml",
    archive="s3://example-bucket/sparkml/environments/dddd.tar.gz",
    manifest="s3://example-bucket/sparkml/runs/eeee/manifest.json",
)
"""Fixed addresses: what is packed changes with every commit, a request does not."""


def shipped(path: Path) -> ClusterSpec:
    """A shipped spec, whatever this process's environment says."""
    return load_as(ClusterSpec, path, env={}).config


def requests_of(path: Path) -> str:
    """What making this cluster and scoring the wine table on it would send, as JSON."""
    spec = shipped(path)
    run = JobRun(job="score", config="conf/score.wine.yaml")
    made = security_configuration(spec)
    assert made is not None
    security = {**made[1], "SecurityConfiguration": json.loads(made[1]["SecurityConfiguration"])}
    told = {
        "create_security_configuration": security,
        "run_job_flow": cluster_request(spec, run_id="golden", transient=False),
        "step": step_config(run, spec, PACKAGE),
    }
    return json.dumps(told, indent=2) + "\n"


def main() -> None:
    """Write every file again."""
    HERE.mkdir(exist_ok=True)
    for path in SPECS:
        (HERE / f"{path.stem}.json").write_text(requests_of(path), encoding="utf-8")


if __name__ == "__main__":
    main()
