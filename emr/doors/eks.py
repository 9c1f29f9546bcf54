"""EMR on EKS: a run as `start_job_run` of a virtual cluster."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from emr.aws.client import translated
from emr.doors.run import Seen
from emr.doors.settings import arguments, packed_conf, s3_logs, with_delta
from emr.request.secrets import refuse_secrets
from emr.request.service_model import check_request
from emr.request.steps import name_of, run_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from emr.aws.client import Aws
    from emr.job_run import JobRun
    from emr.package.manifest import Package
    from emr.spec import ClusterSpec

DRIVER_ENV = "spark.kubernetes.driverEnv."
LONGEST_NAME = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Eks:
    """A virtual cluster of EMR on EKS, and the role that its runs have there."""

    virtual_cluster: str
    role: str
    states: ClassVar = {
        "COMPLETED": "done",
        "FAILED": "failed",
        "CANCELLED": "cancelled",
    }

    def fits(self, aws: Aws, spec: ClusterSpec) -> None:
        """Nothing to refuse: a run names its own release, and its nodes are Kubernetes' matter."""

    def request(
        self, run: JobRun, spec: ClusterSpec, package: Package, *, attempt: str = ""
    ) -> dict[str, Any]:
        """The keyword arguments of boto3's `start_job_run`, checked.

        The release is the spec's, as its image of the day (`-latest`), with RAPIDS where the spec
        asks for it. The client token is the run's key; `attempt` makes another of it.

        Raises:
            ConfigError: a setting is given that is not the run's to set.
            RequestRefused: they break AWS's model.
            SecretInRequest: a value looks like a secret.
        """
        key = run_key(run, spec, package)
        plain = re.sub(r"[^.\-_/#A-Za-z0-9]", "-", name_of(run))  # the only characters it takes
        rapids = "-rapids" if spec.gpu == "rapids" else ""
        packed = packed_conf(run, spec, package, driver_env=DRIVER_ENV)
        # A path without a scheme would be uploaded from where the run is submitted.
        conf = with_delta(packed, spec, scheme="local://")
        request = {
            "virtualClusterId": self.virtual_cluster,
            "clientToken": f"{key}{attempt}",
            "name": f"{plain[: LONGEST_NAME - len(key) - 1]}-{key}",
            "executionRoleArn": self.role,
            "releaseLabel": f"{spec.release}{rapids}-latest",
            "jobDriver": {
                "sparkSubmitJobDriver": {
                    "entryPoint": package.script,
                    "entryPointArguments": arguments(package),
                }
            },
            "configurationOverrides": {
                "applicationConfiguration": [
                    {"classification": "spark-defaults", "properties": conf}
                ],
                "monitoringConfiguration": _monitoring(spec),
            },
            "tags": {**spec.tags, **run.tags},
        }
        check_request("emr-containers", "StartJobRun", request)
        refuse_secrets({"spark_conf": conf, "tags": request["tags"]}, where="StartJobRun")
        return request

    def start(self, aws: Aws, request: dict[str, Any]) -> str:
        """Start a run; its id. One StartJobRun, which AWS answers alike for the same token."""
        with translated():
            return str(aws.emr_containers.start_job_run(**request)["id"])

    def runs(self, aws: Aws, *, since: datetime) -> Iterator[Seen]:
        """The virtual cluster's runs since then, newest first. One ListJobRuns a page."""
        with translated():
            pages = aws.emr_containers.get_paginator("list_job_runs")
            of = {"virtualClusterId": self.virtual_cluster, "createdAfter": since}
            for page in pages.paginate(**of):
                for run in page["jobRuns"]:
                    yield self._seen(run)

    def look(self, aws: Aws, run_id: str) -> Seen:
        """A run as it is now. One DescribeJobRun."""
        with translated():
            answer = aws.emr_containers.describe_job_run(
                virtualClusterId=self.virtual_cluster, id=run_id
            )
        return self._seen(answer["jobRun"])

    def cancel(self, aws: Aws, run_id: str) -> None:
        """Ask a run to stop. One CancelJobRun."""
        with translated():
            aws.emr_containers.cancel_job_run(virtualClusterId=self.virtual_cluster, id=run_id)

    def cancelling(self, run_id: str) -> str:
        """The command that asks a run to stop."""
        of = f"--virtual-cluster-id {self.virtual_cluster} --id {run_id}"
        return f"aws emr-containers cancel-job-run {of}"

    def _seen(self, run: dict[str, Any]) -> Seen:
        state, run_id = str(run["state"]), str(run["id"])
        override = run.get("configurationOverrides", {}).get("monitoringConfiguration", {})
        end = self.states.get(state, "")
        root = override.get("s3MonitoringConfiguration", {}).get("logUri", "").rstrip("/")
        reason = " ".join(filter(None, (run.get("failureReason"), run.get("stateDetails"))))
        return Seen(
            id=run_id,
            name=str(run.get("name", "")),
            state=state,
            end=end,
            stopping=state == "CANCEL_PENDING",
            created=run["createdAt"],
            ended=run.get("finishedAt", run["createdAt"]) if end else None,
            reason=reason,
            logs=f"{root}/{self.virtual_cluster}/jobs/{run_id}/containers" if root else "",
        )


def _monitoring(spec: ClusterSpec) -> dict[str, Any]:
    found: dict[str, Any] = {"s3MonitoringConfiguration": s3_logs(spec)}
    if spec.logs.cloudwatch:
        watch = {"logGroupName": spec.logs.cloudwatch.group}
        if spec.logs.cloudwatch.prefix:
            watch["logStreamNamePrefix"] = spec.logs.cloudwatch.prefix
        found["cloudWatchMonitoringConfiguration"] = watch
    return found
