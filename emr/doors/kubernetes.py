"""Any Kubernetes: the same run as a plain `spark-submit --master k8s://…`, printed or applied."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from emr.doors.settings import arguments, packed_conf
from emr.errors import StepFailed
from emr.request.checks import check_spec
from emr.request.secrets import refuse_secrets
from emr.request.steps import name_of
from sparkml.errors import ConfigError, SetupError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emr.job_run import JobRun
    from emr.package.manifest import Package
    from emr.spec import ClusterSpec

DRIVER_ENV = "spark.kubernetes.driverEnv."
CONTAINER = "spark-kubernetes-driver"
"""What Spark calls the driver's container, where no pod template names it."""

_TOLD = re.compile(
    r"\s+(?P<name>pod name|namespace|phase|container name|exit code): (?P<value>[^\s\"]*)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubernetes:
    """A Kubernetes cluster: its API server, and what a driver needs to start executors there.

    `image` has Spark, the Delta and S3A jars and a Python of the spec's version; the libraries come
    with the packed environment.
    """

    master: str
    image: str
    namespace: str = "default"
    service_account: str = "spark"

    def argv(self, run: JobRun, spec: ClusterSpec, package: Package) -> list[str]:
        """The `spark-submit` of a run, in cluster mode, which waits for its end.

        `s3://` is S3A, as on EMR; the pods' own role (IRSA, pod identity) has the credentials.

        Raises:
            ConfigError: the master is no address of a Kubernetes API server; the spec breaks a
                rule; or a setting is given that is not the run's to set.
            SecretInRequest: a value looks like a secret.
        """
        if not re.match(r"k8s://\S", self.master):
            raise ConfigError(
                f"'{self.master}' is no Kubernetes master",
                where="--k8s",
                fix="write k8s://https://HOST:PORT, as `kubectl cluster-info` tells it",
            )
        check_spec(spec, nodes=False)
        conf = {
            "spark.kubernetes.container.image": self.image,
            "spark.kubernetes.namespace": self.namespace,
            "spark.kubernetes.authenticate.driver.serviceAccountName": self.service_account,
            "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
            **packed_conf(run, spec, package, driver_env=DRIVER_ENV),
            # How the driver ended is read out of what the waiting tells.
            "spark.kubernetes.submission.waitAppCompletion": "true",
        }
        refuse_secrets({"spark_conf": conf}, where="spark-submit")
        # fmt: off
        return [
            "spark-submit",
            "--master", self.master,
            "--deploy-mode", "cluster",
            "--name", name_of(run),
            *(part for key in sorted(conf) for part in ("--conf", f"{key}={conf[key]}")),
            package.script, *arguments(package),
        ]
        # fmt: on


@dataclass(slots=True, kw_only=True)
class Driver:
    """What spark-submit tells of the driver's pod, line by line (Spark's `KubernetesUtils`).

    In cluster mode its own exit status only says that the pod was made and watched.
    """

    pod: str = ""
    namespace: str = ""
    phase: str = ""
    codes: dict[str, int] = field(default_factory=dict)
    """The exit codes of the pod's containers: the driver's, and any sidecar's."""
    _container: str = ""

    def read(self, line: str) -> None:
        """Take one line: the last that is said of each counts."""
        for part in (
            line.replace("\\n", "\n").replace("\\t", "\t").split("\n")
        ):  # a log in JSON, too
            if found := _TOLD.match(part):
                self._take(found["name"], found["value"].strip())

    def _take(self, name: str, value: str) -> None:
        if name == "container name":
            self._container = value
        elif name == "exit code":
            self.codes[self._container] = int(value)
        else:
            setattr(self, name.removesuffix(" name"), value)

    @property
    def exit_code(self) -> int | None:
        """The driver's: of the container with Spark's name, or of the only one."""
        only = next(iter(self.codes.values())) if len(self.codes) == 1 else None
        return self.codes.get(CONTAINER, only)

    @property
    def kubectl(self) -> str:
        """The command that shows what the driver wrote."""
        return f"kubectl -n {self.namespace or 'NAMESPACE'} logs {self.pod or 'POD'}"

    def end(self) -> None:
        """How it ended.

        Raises:
            StepFailed: not well; or nobody saw how, which is no success.
        """
        if self.exit_code == 0 or (self.exit_code is None and self.phase == "Succeeded"):
            return
        if self.exit_code is not None:
            what = f"the driver ended with exit code {self.exit_code}"
        elif self.phase == "Failed":
            what = "the driver's pod failed"
        else:
            what = f"the driver's end is unknown: its pod was last {self.phase or 'not seen'}"
        fix = f"`{self.kubectl}` tells more"
        raise StepFailed(what, where="spark-submit's output above", fix=fix)


def apply(argv: Sequence[str]) -> None:
    """Run the command and wait for the driver's end; its output goes to our stderr.

    Raises:
        SetupError: there is no `spark-submit` here.
        StepFailed: it ended with another status than 0, or the driver did, or nobody saw it end.
    """
    if shutil.which(argv[0]) is None:
        raise SetupError(f"{argv[0]} is not on PATH", fix="pip install 'sparkml[spark]'")
    driver = Driver()
    with subprocess.Popen(
        list(argv),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            for line in process.stdout or ():
                sys.stderr.write(line)
                driver.read(line)
        except KeyboardInterrupt:
            ending = driver.kubectl.replace(" logs ", " delete pod ")
            sys.stderr.write(f"the driver's pod runs on, once it is made: `{ending}` ends it\n")
            raise
    if process.returncode:
        raise StepFailed(
            f"spark-submit ended with status {process.returncode}",
            where="its output above",
            fix=f"`{driver.kubectl}` tells more",
        )
    driver.end()
