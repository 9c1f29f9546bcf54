"""`check_spec`, `check_run`, `check_price`: EMR's limits and our rules, before any call.

Every problem is told at once. The request made of them is checked once more (`guard_rails.py`),
since raw overrides come later.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emr.machines.instances import arch_of
from emr.machines.releases import release_of, why_unsupported
from emr.machines.shipped import shipped
from emr.machines.sizing import sizing_of_spec
from emr.request.capacity import most_nodes
from emr.request.checks_nodes import node_problems
from emr.request.checks_overrides import override_problems
from emr.request.gpu import SCRIPTS, gpu_bootstrap, gpu_problems
from emr.request.guard_rails import MANAGED_TAG, MAX_BOOTSTRAPS
from emr.request.secrets import refuse_secrets
from sparkml.config.file import config_error
from sparkml.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from emr.cost.hourly import Cost
    from emr.job_run import JobRun
    from emr.spec import ClusterSpec
    from sparkml.config.file import Problem

_ROLE = r"arn:aws[\w-]*:iam::\d{12}:role/[\w+=,.@/-]+"
_KMS = r"arn:aws[\w-]*:kms:[\w-]+:\d{12}:key/[\w-]+"
_NAMES = {
    "role": (rf"[\w+=,.@-]{{1,64}}|{_ROLE}", "a role's name, or arn:aws:iam::123456789012:role/…"),
    "profile": (
        r"[\w+=,.@-]{1,128}|arn:aws[\w-]*:iam::\d{12}:instance-profile/[\w+=,.@/-]+",
        "an instance profile's name, or its ARN",
    ),
    "role ARN": (_ROLE, "arn:aws:iam::123456789012:role/…"),
    "KMS key": (_KMS, "arn:aws:kms:us-east-1:123456789012:key/…"),
    "subnet": (r"subnet-[0-9a-f]{8,17}", "subnet-0123456789abcdef0"),
    "security group": (r"sg-[0-9a-f]{8,17}", "sg-0123456789abcdef0"),
    "folder on S3": (r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[^\s,#]*)?", "s3://bucket/prefix"),
    "zip file on S3": (r"s3://[^/]+/.+\.zip", "s3://bucket/certificates.zip"),
    "log group": (r"[\w./#-]{1,512}", "/sparkml/emr"),
}
_FORMS = {kind: (re.compile(form), such_as) for kind, (form, such_as) in _NAMES.items()}

_TAG_TEXT = re.compile(r"[\w\s.:/=+@-]*")
_OURS = "sparkml:"
MAX_TAGS = 50

ARGV_OWNS = {
    "spark.master": "EMR's own setting: yarn",
    "spark.submit.deployMode": "cluster: only there the packed environment reaches the driver",
    "spark.files": "the configuration travels there; name addresses in the job's own",
    "spark.pyspark.python": "the spec's `python`",
    "spark.pyspark.driver.python": "the spec's `python`",
    "spark.archives": "the packed environment travels there",
    "spark.yarn.dist": "the packed environment and the code travel there",
    "spark.submit.pyFiles": "the code travels there",
    "spark.app.name": "the run's `name`",
    "spark.yarn.appMasterEnv.PYTHONPATH": "the packed environment stands there",
    "spark.executorEnv.PYTHONPATH": "the packed environment stands there",
    "spark.yarn.appMasterEnv.PYSPARK_PYTHON": "the spec's `python`",
    "spark.executorEnv.PYSPARK_PYTHON": "the spec's `python`",
}
"""Settings that the step's own arguments are made of."""

_GONE = {
    "emrfs-site": "EMRFS is gone: s3:// is S3A, which core-site configures",
    "spark-log4j": "it is spark-log4j2",
}
"""Classifications of 7.x that 8.x does not have."""


def check_spec(spec: ClusterSpec) -> None:
    """Refuse a spec that breaks a limit of EMR's or a rule of ours. Reads no network.

    Raises:
        ConfigError: it does; `problems` holds every one.
        SecretInRequest: a value looks like a secret: the spec is stored, for others to read.
    """
    _raise(list(_problems(spec)), spec.name)
    refuse_secrets(spec.model_dump(mode="json", exclude_defaults=True), where=spec.name)


def check_run(run: JobRun, spec: ClusterSpec) -> None:
    """Refuse a run that a cluster of this spec would not take, or would not run as it says.

    Raises:
        ConfigError: `problems` holds every reason.
    """
    _raise(list(_run_problems(run, spec)), run.name or run.job)


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
    return shipped(script) if script in SCRIPTS.values() else Path(script)


def _raise(problems: list[Problem], name: str) -> None:
    if problems:
        raise config_error(problems, name)


def _problems(spec: ClusterSpec) -> Iterator[Problem]:
    yield from _release_problems(spec)
    yield from node_problems(spec)
    yield from _known_types(spec)
    yield from _name_problems(spec)
    yield from _network_problems(spec)
    yield from _bootstrap_problems(spec)
    yield from _tag_problems(spec)
    yield from override_problems(spec.overrides)
    yield from _conf_problems(spec.spark_conf, "spark_conf")
    for position, one in enumerate(spec.configurations):
        yield from _configuration_problems(spec, one, f"configurations[{position}]")


def _configuration_problems(
    spec: ClusterSpec, given: Mapping[str, Any], where: str
) -> Iterator[Problem]:
    """One of EMR's configuration objects, and those inside it."""
    for key in given:
        if key not in _OBJECT:
            yield f"there is no key '{key}'", where, did_you_mean(key, _OBJECT)
    name = str(given.get("Classification", ""))
    if not name:
        yield "it has no Classification", where, "name one, such as spark-defaults"
    if spec.release.startswith("emr-spark-") and (why := _GONE.get(name)):
        yield f"{spec.release} has no classification '{name}'", where, why
    if name == "spark-defaults":
        yield from _conf_problems(given.get("Properties") or {}, f"{where}.Properties")
    for position, inner in enumerate(given.get("Configurations") or ()):
        yield from _configuration_problems(spec, inner, f"{where}.Configurations[{position}]")


_OBJECT = ("Classification", "Properties", "Configurations")


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


def _name_problems(spec: ClusterSpec) -> Iterator[Problem]:
    """Values that AWS would read as something else: a name for an ARN, a key for an address."""
    watch, security = spec.logs.cloudwatch, spec.security
    named = [
        ("role", spec.roles.service, "roles.service"),
        ("profile", spec.roles.instance_profile, "roles.instance_profile"),
        ("role ARN", spec.roles.runtime, "roles.runtime"),
        ("KMS key", security.at_rest_kms_key, "security.at_rest_kms_key"),
        ("zip file on S3", security.in_transit_certificates, "security.in_transit_certificates"),
        ("folder on S3", spec.artifacts, "artifacts"),
        ("folder on S3", spec.logs.s3, "logs.s3"),
        ("KMS key", spec.logs.kms_key, "logs.kms_key"),
        ("log group", watch.group if watch else None, "logs.cloudwatch.group"),
        ("KMS key", watch.kms_key if watch else None, "logs.cloudwatch.kms_key"),
        ("security group", spec.network.primary_group, "network.primary_group"),
        ("security group", spec.network.core_group, "network.core_group"),
        ("security group", spec.network.service_group, "network.service_group"),
        *(("subnet", one, "network.subnets") for one in spec.network.subnets),
        *(("security group", one, "network.further_groups") for one in spec.network.further_groups),
    ]
    for kind, value, where in named:
        form, such_as = _FORMS[kind]
        if value is not None and not form.fullmatch(value):
            # A policy whose Resource is an alias grants nothing.
            told = "; aws kms describe-key --key-id ALIAS tells it" * ("alias/" in value)
            yield f"'{value}' is no {kind}", where, f"write {such_as}{told}"
    for key, where in (
        (security.at_rest_kms_key, "security.at_rest_kms_key"),
        (watch.kms_key if watch else None, "logs.cloudwatch.kms_key"),
    ):
        if key and re.fullmatch(_KMS, key) and key.split(":")[3] != spec.region:
            what = f"the key is of {key.split(':')[3]}, and the cluster of {spec.region}"
            yield what, where, "name a key of the cluster's region"


def _network_problems(spec: ClusterSpec) -> Iterator[Problem]:
    network = spec.network
    if spec.layout == "groups" and len(network.subnets) > 1:
        what = f"instance groups stand in one subnet, {len(network.subnets)} are given"
        yield what, "network.subnets", "give one, or take layout: fleets, which chooses among zones"
    if (network.primary_group is None) != (network.core_group is None):
        fix = "give both, or neither: AWS then makes them"
        yield "one of the two EMR-managed security groups is given", "network.primary_group", fix
    if network.service_group and not network.primary_group:
        fix = "give primary_group and core_group too"
        yield "service_group needs the other two security groups", "network.service_group", fix


def _bootstrap_problems(spec: ClusterSpec) -> Iterator[Problem]:
    try:
        ours = gpu_bootstrap(spec, release_of(spec.release))
    except ConfigError:  # told as the release's problem
        ours = []
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
        if not action.script.startswith("s3://") and not script_file(action.script).is_file():
            fix = "name a file, or an s3:// address"
            yield f"there is no script '{action.script}'", where, fix


def _tag_problems(spec: ClusterSpec) -> Iterator[Problem]:
    if len(spec.tags) > MAX_TAGS - 5:  # five are ours
        yield f"{len(spec.tags)} tags, {MAX_TAGS - 5} are allowed", "tags", "drop some"
    for key, value in spec.tags.items():
        if key.startswith(("aws:", _OURS)) or key == MANAGED_TAG:
            yield f"the tag '{key}' is not yours to set", "tags", "choose another name"
        elif len(key) > 128 or not _TAG_TEXT.fullmatch(key) or not _TAG_TEXT.fullmatch(value):
            fix = "use at most 128 letters, digits, spaces and _ . : / = + - @"
            yield f"AWS does not take the tag '{key}'", "tags", fix


def _conf_problems(conf: Mapping[str, str], where: str) -> Iterator[Problem]:
    for key in conf:
        owner = "spark.yarn.dist" if key.startswith("spark.yarn.dist.") else key
        if owner in ARGV_OWNS:
            yield f"'{key}' is set by the step itself", f"{where}.{key}", ARGV_OWNS[owner]
        elif not re.fullmatch(r"[\w.-]+", key):
            yield f"'{key}' is no name of a setting", where, "such as spark.sql.shuffle.partitions"


def _run_problems(run: JobRun, spec: ClusterSpec) -> Iterator[Problem]:
    yield from _conf_problems(run.spark_conf, "spark_conf")
    if spec.step_concurrency > 1 and run.action_on_failure != "CONTINUE":
        what = (
            f"action_on_failure is {run.action_on_failure}, and the cluster runs "
            f"{spec.step_concurrency} steps at a time: EMR takes CONTINUE only"
        )
        yield what, "action_on_failure", "take CONTINUE, or step_concurrency: 1"
    if run.runtime_role is None:
        return
    form, such_as = _FORMS["role ARN"]
    if not form.fullmatch(run.runtime_role):
        yield f"'{run.runtime_role}' is no role ARN", "runtime_role", f"write {such_as}"
    elif spec.roles.runtime is None and spec.security.configuration is None:
        what = "the run has a runtime role, and the cluster's security configuration enables none"
        yield (
            what,
            "runtime_role",
            "set roles.runtime of the cluster, so that `emr up` enables them",
        )
