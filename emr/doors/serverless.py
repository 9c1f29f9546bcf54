"""EMR Serverless: a run as `start_job_run` of an application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from emr.aws.client import translated
from emr.doors.run import Seen
from emr.doors.settings import arguments, keyed_name, packed_conf, s3_logs, with_delta
from emr.machines.instances import arch_of
from emr.request.secrets import refuse_secrets
from emr.request.service_model import check_request
from emr.request.steps import run_key
from sparkml.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from emr.aws.client import Aws
    from emr.job_run import JobRun
    from emr.package.manifest import Package
    from emr.spec import ClusterSpec

DRIVER_ENV = "spark.emr-serverless.driverEnv."
LONGEST_NAME = 256
TYPE_OF = {"x86_64": "m7i.xlarge", "arm64": "m7g.xlarge"}
"""A type of either architecture, for a fix to name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serverless:
    """An application of EMR Serverless, and the role that its runs have there.

    An application has vCPUs and memory only, no GPU. Its release and its processors are its own.
    """

    application: str
    role: str
    states: ClassVar = {
        "SUCCESS": "done",
        "FAILED": "failed",
        "CANCELLED": "cancelled",
    }

    def fits(self, aws: Aws, spec: ClusterSpec) -> None:
        """Refuse an application that the spec's package would not run on. One GetApplication.

        Raises:
            ConfigError: its processors or its release are others than the spec's.
            NotFound: there is no such application.
        """
        with translated():
            found = aws.emr_serverless.get_application(applicationId=self.application)
        there = found["application"]
        wrong: list[tuple[str, str]] = []
        arch = str(there.get("architecture", "X86_64")).lower()
        if arch != arch_of(spec):
            what = f"has {arch}, the spec's nodes {arch_of(spec)}"
            wrong.append((what, f"--cluster-set core.types={TYPE_OF[arch]}"))
        release = str(there["releaseLabel"])
        if release != spec.release:
            wrong.append(
                (f"is {release}, the spec {spec.release}", f"--cluster-set release={release}")
            )
        if wrong:
            raise ConfigError(
                f"application {self.application} {', and '.join(what for what, _ in wrong)}",
                where="--serverless",
                fix=" ".join(fix for _, fix in wrong) + ", or another application",
            )

    def request(
        self, run: JobRun, spec: ClusterSpec, package: Package, *, attempt: str = ""
    ) -> dict[str, Any]:
        """The keyword arguments of boto3's `start_job_run`, checked.

        The client token is the run's key: AWS itself starts it once, whoever asks again. `attempt`
        makes another token of it. `timeout_s` is not in it: that is how long a client waits, and
        here a timeout would cancel the run. AWS's own default stands: 12 hours.

        Raises:
            ConfigError: a setting is given that is not the run's to set.
            RequestRefused: they break AWS's model.
            SecretInRequest: a value looks like a secret.
        """
        conf = with_delta(packed_conf(run, spec, package, driver_env=DRIVER_ENV), spec)
        request = {
            "applicationId": self.application,
            "clientToken": f"{run_key(run, spec, package)}{attempt}",
            "executionRoleArn": self.role,
            "name": keyed_name(run, spec, package, longest=LONGEST_NAME),
            "jobDriver": {
                "sparkSubmit": {
                    "entryPoint": package.script,
                    "entryPointArguments": arguments(package),
                }
            },
            # Settings as a mapping: in `sparkSubmitParameters` a space would end a value.
            "configurationOverrides": {
                "applicationConfiguration": [
                    {"classification": "spark-defaults", "properties": conf}
                ],
                "monitoringConfiguration": _monitoring(spec),
            },
            "tags": {**spec.tags, **run.tags},
        }
        check_request("emr-serverless", "StartJobRun", request)
        refuse_secrets({"spark_conf": conf, "tags": request["tags"]}, where="StartJobRun")
        return request

    def start(self, aws: Aws, request: dict[str, Any]) -> str:
        """Start a run; its id. One StartJobRun, which AWS answers alike for the same token."""
        with translated():
            return str(aws.emr_serverless.start_job_run(**request)["jobRunId"])

    def runs(self, aws: Aws, *, since: datetime) -> Iterator[Seen]:
        """The application's runs since then, newest first. One ListJobRuns a page."""
        with translated():
            pages = aws.emr_serverless.get_paginator("list_job_runs")
            for page in pages.paginate(applicationId=self.application, createdAtAfter=since):
                for run in page["jobRuns"]:
                    yield self._seen(run, str(run["id"]))

    def look(self, aws: Aws, run_id: str) -> Seen:
        """A run as it is now. One GetJobRun."""
        with translated():
            answer = aws.emr_serverless.get_job_run(applicationId=self.application, jobRunId=run_id)
        run = answer["jobRun"]
        override = run.get("configurationOverrides", {}).get("monitoringConfiguration", {})
        root = override.get("s3MonitoringConfiguration", {}).get("logUri", "").rstrip("/")
        logs = f"{root}/applications/{self.application}/jobs/{run_id}/SPARK_DRIVER" if root else ""
        return self._seen(run, run_id, logs=logs)

    def cancel(self, aws: Aws, run_id: str) -> None:
        """Ask a run to stop. One CancelJobRun."""
        with translated():
            aws.emr_serverless.cancel_job_run(applicationId=self.application, jobRunId=run_id)

    def cancelling(self, run_id: str) -> str:
        """The command that asks a run to stop."""
        of = f"--application-id {self.application} --job-run-id {run_id}"
        return f"aws emr-serverless cancel-job-run {of}"

    def _seen(self, run: dict[str, Any], run_id: str, *, logs: str = "") -> Seen:
        state = str(run["state"])
        end = self.states.get(state, "")
        return Seen(
            id=run_id,
            name=str(run.get("name", "")),
            state=state,
            end=end,
            stopping=state == "CANCELLING",
            created=run["createdAt"],
            # A list does not tell when a run ended: then nothing has changed since.
            ended=run.get("endedAt", run["updatedAt"]) if end else None,
            reason=str(run.get("stateDetails", "")),
            logs=logs,
        )


def _monitoring(spec: ClusterSpec) -> dict[str, Any]:
    found: dict[str, Any] = {"s3MonitoringConfiguration": s3_logs(spec)}
    if spec.logs.cloudwatch:
        watch = {"enabled": True, "logGroupName": spec.logs.cloudwatch.group}
        if spec.logs.cloudwatch.prefix:
            watch["logStreamNamePrefix"] = spec.logs.cloudwatch.prefix
        if spec.logs.cloudwatch.kms_key:
            watch["encryptionKeyArn"] = spec.logs.cloudwatch.kms_key
        found["cloudWatchLoggingConfiguration"] = watch
    return found
