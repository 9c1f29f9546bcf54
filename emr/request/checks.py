"""`check_spec`, `check_run`, `check_price`: EMR's limits and our rules, before any call.

Every problem is told at once. The request made of them is checked once more (`guard_rails.py`),
since raw overrides come later.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emr.machines.instances import arch_of
from emr.machines.releases import release_of, why_unsupported
from emr.machines.shipped import shipped
from emr.machines.sizing import sizing_of_spec
from emr.request.capacity import most_nodes
from emr.request.checks_conf import configuration_problems, spark_conf_problems
from emr.request.checks_fit import fit_problems
from emr.request.checks_names import name_problems
from emr.request.checks_nodes import node_problems
from emr.request.checks_overrides import override_problems
from emr.request.forms import form_problems
from emr.request.gpu import SCRIPT, gpu_bootstrap, gpu_problems
from emr.request.guard_rails import MAX_BOOTSTRAPS
from emr.request.secrets import refuse_secrets
from sparkml.config.file import config_error
from sparkml.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emr.cost.hourly import Cost
    from emr.job_run import JobRun
    from emr.machines.releases import Release
    from emr.spec import ClusterSpec
    from sparkml.config.file import Problem


def check_spec(spec: ClusterSpec, *, nodes: bool = True) -> None:
    """Refuse a spec that breaks a limit of EMR's or a rule of ours. Reads no network.

    Args:
        spec: a cluster.
        nodes: whether its executors are to fit its nodes; a run elsewhere takes neither.

    Raises:
        ConfigError: it does; `problems` holds every one.
        SecretInRequest: a value looks like a secret: the spec is stored, for others to read.
    """
    _raise(list(_problems(spec, nodes=nodes)), spec.name)
    refuse_secrets(spec.model_dump(mode="json", exclude_defaults=True), where=spec.name)


def check_run(run: JobRun, spec: ClusterSpec) -> None:
    """Refuse a run that a cluster of this spec would not take, or would not run as it says.

    Raises:
        ConfigError: `problems` holds every reason.
    """
    _raise(list(_run_problems(run, spec)), run.name or run.job)


def check_fit(run: JobRun, spec: ClusterSpec) -> None:
    """Refuse a run whose executors or driver no node of the cluster could hold.

    Raises:
        ConfigError: `problems` holds every reason.
    """
    _raise(list(fit_problems(spec, run.spark_conf)), run.name or run.job)


def check_price(spec: ClusterSpec, cost: Cost) -> None:
    """Refuse a cluster that may come to cost more than `limits.hourly_usd` an hour.

    Counted at its full size, with the dearest types, all On-Demand.

    Raises:
        ConfigError: it may.
    """
    limit, most = spec.limits.hourly_usd, cost.ceiling_usd_per_hour
    if limit is not None and most > limit:
        what = f"the cluster may come to cost USD {most:.2f} an hour, {limit:.2f} is allowed"
        fix = "raise the limit, or lower the sizes or scaling.maximum"
        raise ConfigError(what, where="limits.hourly_usd", fix=fix)


def script_file(script: str) -> Path:
    """A bootstrap script's file: ours as it came with `emr`, the user's by its path."""
    return shipped(script) if script == SCRIPT else Path(script)


def _raise(problems: list[Problem], name: str) -> None:
    if problems:
        raise config_error(problems, name)


def _problems(spec: ClusterSpec, *, nodes: bool) -> Iterator[Problem]:
    yield from _release_problems(spec)
    yield from node_problems(spec)
    yield from _known_types(spec)
    yield from name_problems(spec)
    yield from _bootstrap_problems(spec)
    yield from override_problems(spec.overrides)
    yield from spark_conf_problems(spec.spark_conf, "spark_conf")
    wrong = list(configuration_problems(spec))
    yield from wrong
    if nodes and not wrong:
        yield from fit_problems(spec)


def _release_problems(spec: ClusterSpec) -> Iterator[Problem]:
    try:
        release = release_of(spec.release)
    except ConfigError as error:
        yield error.what, error.where, error.fix
        return
    if why := why_unsupported(release):
        yield why, "release", "take emr-spark-8.1.0"
    elif spec.python not in release.pythons:
        fix = f"choose one of {', '.join(release.pythons)}"
        yield f"{spec.release} has no Python {spec.python} for Spark", "python", fix
    yield from _application_problems(spec, release)


def _application_problems(spec: ClusterSpec, release: Release) -> Iterator[Problem]:
    for name in spec.applications:
        if name not in release.offered:
            what = f"{spec.release} has no application '{name}'"
            yield what, "applications", did_you_mean(name, release.offered)
    if spec.roles.runtime and "JupyterEnterpriseGateway" in spec.applications:
        what = "JupyterEnterpriseGateway does not run where steps have roles of their own"
        yield what, "applications", "leave it out, or roles.runtime"


def _known_types(spec: ClusterSpec) -> Iterator[Problem]:
    """What needs every type to be known: GPUs, one architecture, the executor's size, the limit."""
    try:
        problems = gpu_problems(spec)
        yield from problems
        arch_of(spec)
        if not problems:
            sizing_of_spec(spec)
        nodes = most_nodes(spec)
    except ConfigError as error:
        yield error.what, error.where, error.fix
        return
    if nodes > spec.limits.nodes:
        what = f"the cluster may come to have {nodes} nodes, {spec.limits.nodes} are allowed"
        yield what, "limits.nodes", "raise the limit, or lower the sizes or scaling.maximum"


def _bootstrap_problems(spec: ClusterSpec) -> Iterator[Problem]:
    ours = gpu_bootstrap(spec)
    number = len(ours) + len(spec.bootstrap)
    if number > MAX_BOOTSTRAPS:
        fix = "put several into one script"
        yield f"{number} bootstrap actions, {MAX_BOOTSTRAPS} are allowed", "bootstrap", fix
    for action in ours:
        if not script_file(action.script).is_file():
            what = f"this installation lacks its own '{action.script}'"
            yield what, "gpu", "install it again"
    for position, action in enumerate(spec.bootstrap):
        where = f"bootstrap[{position}].script"
        if action.script.startswith("s3://"):
            yield from form_problems("script on S3", action.script, where)
        elif not script_file(action.script).is_file():
            fix = "name a file, or an s3:// address"
            yield f"there is no script '{action.script}'", where, fix


def _run_problems(run: JobRun, spec: ClusterSpec) -> Iterator[Problem]:
    yield from spark_conf_problems(run.spark_conf, "spark_conf")
    if spec.step_concurrency > 1 and run.action_on_failure != "CONTINUE":
        what = (
            f"action_on_failure is {run.action_on_failure}, and the cluster runs "
            f"{spec.step_concurrency} steps at a time: EMR takes CONTINUE only"
        )
        yield what, "action_on_failure", "take CONTINUE, or step_concurrency: 1"
    if run.environment.archive is not None:
        yield from form_problems("archive on S3", run.environment.archive, "environment.archive")
    if run.runtime_role is None:
        return
    wrong = list(form_problems("role ARN", run.runtime_role, "runtime_role"))
    if wrong:
        yield from wrong
    elif spec.roles.runtime is None and spec.security.configuration is None:
        what = "the run has a runtime role, and the cluster's security configuration enables none"
        yield (
            what,
            "runtime_role",
            "set roles.runtime of the cluster, so that `emr up` enables them",
        )
