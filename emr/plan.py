"""`plan_of`: all that `up` and `submit` would send, what it would cost, and what to mind.

Nothing is sent and nothing is built: addresses come from hashes of what would be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from emr.advice import advice
from emr.cost.hourly import hourly_cost
from emr.cost.inputs import Given
from emr.cost.prices import snapshot
from emr.cost.rate import Rate
from emr.cost.run import run_cost
from emr.cost.working import work_on, workers_of
from emr.errors import PricesMissing
from emr.package.config import resolved_config
from emr.package.pack import plan_package
from emr.package.script import script_of
from emr.request.aws_commands import aws_commands
from emr.request.checks import check_price, check_spec
from emr.request.cluster import bootstrap_files, cluster_request
from emr.request.security import security_configuration
from emr.request.steps import step_config, step_files, steps_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emr.cost.hourly import Cost
    from emr.cost.prices import Prices
    from emr.cost.run import RunCost
    from emr.job_run import JobRun
    from emr.package.manifest import Package
    from emr.spec import ClusterSpec

RUN_ID, CLUSTER_ID = "RUN-ID", "j-CLUSTERID"
"""What stands in a plan for what only `up` knows."""
WORKING_S = (600, 3_600)
"""The working times that a plan tells the cost of: it does not know how long the run takes."""
TOGETHER = Given(
    name="efficiency", value=1.0, unit="", label="assumed", source="a time, not a speed, is given"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would be sent, as boto3's keyword arguments, and what to know of it."""

    region: str
    cluster: Mapping[str, Any]
    """`run_job_flow`."""
    security: Mapping[str, Any] | None
    """`create_security_configuration`; None where the spec names one that exists."""
    steps: Mapping[str, Any] | None
    """`add_job_flow_steps`; None without a run, and where the cluster starts with its step."""
    uploads: tuple[str, ...]
    """What would be stored on S3 first, unless it is there."""
    cost: Cost | None
    runs: tuple[RunCost, ...]
    """What a run costs, all-in, on a cluster of its own: for each of `WORKING_S`."""
    advice: tuple[str, ...]

    @property
    def commands(self) -> list[str]:
        """The equal `aws emr …` commands."""
        return aws_commands(
            region=self.region, security=self.security, cluster=self.cluster, steps=self.steps
        )

    def to_json(self) -> dict[str, Any]:
        """The plan as plain values."""
        return {
            "create_security_configuration": self.security,
            "run_job_flow": self.cluster,
            "add_job_flow_steps": self.steps,
            "uploads": list(self.uploads),
            "commands": self.commands,
            "cost": self.cost.to_json() if self.cost else None,
            "runs": [run.to_json() for run in self.runs],
            "advice": list(self.advice),
        }

    def text(self) -> str:
        """The plan for a reader: the requests as YAML, then commands, cost and advice."""
        requests = {
            "create_security_configuration": self.security,
            "run_job_flow": self.cluster,
            "add_job_flow_steps": self.steps,
        }
        told = {name: request for name, request in requests.items() if request is not None}
        parts = [
            _part("The requests", yaml.dump(told, Dumper=_Dumper, sort_keys=False, width=100)),
            _part("The same by the aws command", "\n\n".join(self.commands)),
            _part("Stored on S3 before, unless it is there", "\n".join(self.uploads)),
            _part("Cost", "\n".join(self._cost_lines())),
            _part("To know", "\n".join(f"- {line}" for line in self.advice)),
        ]
        return "\n\n".join([*(part for part in parts if part), "Nothing was sent."])

    def _cost_lines(self) -> list[str]:
        if self.cost is None:
            return []
        lines = [self.cost.line()]
        for run, seconds in zip(self.runs, WORKING_S, strict=True):
            billed_min = round(run.billed_s / 60)
            lines.append(
                f"USD {run.usd:.2f} a run that works {seconds // 60} min on a cluster of its own "
                f"({billed_min} min with start, end and interruptions, which are assumed)"
            )
        return lines


def plan_of(
    spec: ClusterSpec,
    run: JobRun | None = None,
    *,
    transient: bool = False,
    prices: Prices | None = None,
    allow_stale: bool = False,
    package: Package | None = None,
) -> Plan:
    """What making the cluster, and running the run on it, would send; no network, under a second.

    Args:
        spec: the cluster.
        run: what would run on it.
        transient: whether the run gets a cluster of its own, which ends with it.
        prices: where prices are from; the region's snapshot when None.
        allow_stale: take a snapshot however old it is.
        package: the run's package; its addresses are computed when None.

    Raises:
        ConfigError: the spec, the run or its configuration is wrong; or the price is above
            `limits.hourly_usd`.
        RequestRefused: the request breaks AWS's model or a rule of ours.
        SecretInRequest: a value looks like a secret.
        PackageError: the environment's libraries are unknown here.
        PricesMissing: `limits.hourly_usd` is set, and no price is there to hold against it.
    """
    check_spec(spec)
    uploads = [uri for uri, _ in bootstrap_files(spec).values()]
    step, config = None, None
    if run is not None:
        package = package or plan_package(run, spec)
        step = step_config(run, spec, package)
        uploads += [*_addresses(package), *step_files(run, spec, package)]
        loaded = resolved_config(run, script_of(run.job).job).loaded
        config = loaded.config if loaded else None
    role = (run.runtime_role if run else None) or spec.roles.runtime
    cluster = cluster_request(
        spec,
        run_id=RUN_ID,
        transient=transient,
        steps=[step] if step and transient else (),
        execution_role=role,
    )
    made = security_configuration(spec)
    cost, unknown = _cost(spec, prices, allow_stale=allow_stale)
    return Plan(
        region=spec.region,
        cluster=cluster,
        security=made[1] if made else None,
        steps=(
            steps_request(CLUSTER_ID, [step], execution_role=role)
            if step and not transient
            else None
        ),
        uploads=tuple(uploads),
        cost=cost,
        runs=tuple(_run_cost(spec, cost, seconds) for seconds in WORKING_S) if cost else (),
        advice=(*advice(spec, config), *unknown),
    )


def _addresses(package: Package) -> tuple[str, ...]:
    parts = (package.archive, package.wheel, package.script, package.config)
    return (*parts, *package.models, package.manifest)


def _cost(
    spec: ClusterSpec, prices: Prices | None, *, allow_stale: bool
) -> tuple[Cost | None, tuple[str, ...]]:
    """The hourly cost; or none, and why: a plan without prices is a plan, too.

    Unless the spec limits the price: `up` would refuse a cluster whose price nobody knows.
    """
    try:
        prices = prices or snapshot(region=spec.region, allow_stale=allow_stale)
        cost = hourly_cost(spec, prices)
    except PricesMissing as error:
        if spec.limits.hourly_usd is not None:
            raise
        return None, (f"The cost is not known: {error}",)
    check_price(spec, cost)
    return cost, ()


def _run_cost(spec: ClusterSpec, cost: Cost, working_s: int) -> RunCost:
    """The cost of so much work: as many rows, at one a second, on all nodes together."""
    rate = Rate.of(1 / workers_of(cost), source="a run of so many seconds")
    return run_cost(cost, work_on(spec, cost, rate, {"efficiency": TOGETHER}), working_s)


def _part(title: str, text: str) -> str:
    return f"# {title}\n{text.rstrip()}" if text.strip() else ""


class _Dumper(yaml.SafeDumper):
    """YAML without anchors: a value that stands twice is written twice."""

    def ignore_aliases(self, _data: object) -> bool:
        return True
