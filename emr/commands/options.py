"""Options that several commands share, and the values that are made of them."""

from __future__ import annotations

import re
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sparkml.errors import ConfigError

if TYPE_CHECKING:
    from emr.aws.client import Aws
    from emr.job_run import JobRun
    from emr.spec import ClusterSpec

EXIT_STATUSES = """\b
Exit status:
    0  it ended well, or was done before
    1  an unexpected error
    2  the spec, the configuration or the command line is wrong
   21  the request breaks a limit or a rule; nothing was sent
   22  the code or the environment cannot be packed
   23  AWS said no: credentials, access, a quota, no such cluster
   24  AWS does not answer
   25  the cluster failed: capacity, a bootstrap action, its values
   26  the step failed     27  it was cancelled     28  its cluster ended under it
   29  it still runs: we stopped waiting
   30  a price is missing or too old
  130  interrupted (Ctrl-C); the step runs on unless you say otherwise

The last line on stderr of a command that failed is: ERROR <CODE>: what | where | fix."""

SpecFile = Annotated[
    str, typer.Option("--spec", metavar="FILE", help="The cluster, in YAML: conf/clusters/*.yaml.")
]
MaybeSpecFile = Annotated[
    str | None,
    typer.Option("--spec", metavar="FILE", help="The cluster, in YAML: conf/clusters/*.yaml."),
]
ClusterSets = Annotated[
    list[str] | None,
    typer.Option(
        "--cluster-set",
        metavar="KEY=VALUE",
        help="Change one value of the spec, such as core.on_demand=4; may be repeated.",
    ),
]
Job = Annotated[
    str, typer.Argument(metavar="JOB", help="A job of jobs/ (score, train-many), or a script.")
]
Config = Annotated[
    str, typer.Option("--config", "-c", metavar="FILE", help="The job's configuration, in YAML.")
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        metavar="KEY=VALUE",
        help="Change one value of the job's configuration; may be repeated.",
    ),
]
RunSets = Annotated[
    list[str] | None,
    typer.Option(
        "--run-set",
        metavar="KEY=VALUE",
        help="Change one value of the run: timeout_s=3600, runtime_role=arn:…, "
        "environment.extras=[lightgbm,mlflow], 'spark_conf.\"spark.executor.cores\"=2'.",
    ),
]
Region = Annotated[
    str | None, typer.Option("--region", help="The AWS region; the environment's own otherwise.")
]
Profile = Annotated[str | None, typer.Option("--profile", help="A profile of ~/.aws/config.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Debug = Annotated[bool, typer.Option("--debug", help="Print the traceback of an error.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
ClusterId = Annotated[str, typer.Argument(metavar="CLUSTER", help="A cluster's id: j-….")]
Keep = Annotated[
    bool, typer.Option("--keep", help="Leave the cluster as it is, should anything fail.")
]

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def spec_from(file: str, sets: list[str] | None) -> ClusterSpec:
    """The spec of a file with its changes. The environment changes jobs, never clusters.

    Raises:
        ConfigError: any value is wrong; every problem is told.
    """
    from emr.spec import ClusterSpec
    from sparkml.config.layers import load_as

    return load_as(ClusterSpec, file, sets=sets or [], env={}, option="--cluster-set").config


def checked_spec(file: str, sets: list[str] | None) -> ClusterSpec:
    """`spec_from`, held against EMR's limits and our rules: for what makes no request of it.

    Raises:
        ConfigError: any value is wrong, or breaks a limit; every problem is told.
        SecretInRequest: a value looks like a secret.
    """
    from emr.request.checks import check_spec

    spec = spec_from(file, sets)
    check_spec(spec)
    return spec


def run_from(job: str, config: str, sets: list[str] | None, run_sets: list[str] | None) -> JobRun:
    """The run that the options describe.

    Raises:
        ConfigError: any value is wrong; every problem is told.
    """
    import yaml

    from emr.job_run import JobRun
    from sparkml.config.layers import load_as

    values = {"job": job, "config": config, "sets": list(sets or [])}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "run.yaml")
        file.write_text(yaml.safe_dump(values), encoding="utf-8")
        return load_as(JobRun, file, sets=run_sets or [], env={}, option="--run-set").config


def aws_of(region: str | None, profile: str | None) -> Aws:
    """The account that the options and the environment name."""
    from emr.aws.client import connect

    return connect(region, profile=profile)


def region_of(region: str | None, spec: ClusterSpec | None) -> str | None:
    """The region that `--region` and a spec name together; the environment's own when None.

    Raises:
        ConfigError: they name two.
    """
    if region and spec and region != spec.region:
        raise ConfigError(
            f"--region says {region}, and the spec {spec.region}",
            where="--region",
            fix="leave --region out, or --cluster-set region=" + region,
        )
    return region or (spec.region if spec else None)


def elsewhere(aws: Aws, profile: str | None) -> str:
    """The option that later commands need to find what is in this region; empty at home."""
    try:
        home = aws_of(None, profile).region
    except ConfigError:
        home = ""
    return "" if home == aws.region else f" --region {aws.region}"


def duration(text: str | None, *, option: str) -> timedelta | None:
    """A time such as `90m`, `8h` or `2d`; None for none.

    Raises:
        ConfigError: it is no such time.
    """
    if text is None:
        return None
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ConfigError(f"'{text}' is no time", where=option, fix="write 90m, 8h or 2d")
    return timedelta(**{_UNITS[found[2]]: float(found[1])})


def user_name() -> str:
    """Who is signed in here, for the tag `sparkml:owner`; empty when the system does not say."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
