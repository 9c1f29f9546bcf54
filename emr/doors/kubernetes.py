"""Any Kubernetes: the same run as a plain `spark-submit --master k8s://…`, printed or applied."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emr.doors.settings import arguments, packed_conf
from emr.errors import StepFailed
from emr.request.secrets import refuse_secrets
from emr.request.steps import name_of
from sparkml.errors import ConfigError, SetupError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emr.job_run import JobRun
    from emr.package.manifest import Package
    from emr.spec import ClusterSpec

DRIVER_ENV = "spark.kubernetes.driverEnv."


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
            ConfigError: the master is no address of a Kubernetes API server.
            SecretInRequest: a value looks like a secret.
        """
        if not re.match(r"k8s://\S", self.master):
            raise ConfigError(
                f"'{self.master}' is no Kubernetes master",
                where="--k8s",
                fix="write k8s://https://HOST:PORT, as `kubectl cluster-info` tells it",
            )
        conf = {
            "spark.kubernetes.container.image": self.image,
            "spark.kubernetes.namespace": self.namespace,
            "spark.kubernetes.authenticate.driver.serviceAccountName": self.service_account,
            "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
            **packed_conf(run, spec, package, driver_env=DRIVER_ENV),
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


def apply(argv: Sequence[str]) -> None:
    """Run the command and wait for the driver's end; its output goes where ours goes.

    Raises:
        SetupError: there is no `spark-submit` here.
        StepFailed: it ended with another status than 0.
    """
    if shutil.which(argv[0]) is None:
        raise SetupError(f"{argv[0]} is not on PATH", fix="pip install 'sparkml[spark]'")
    status = subprocess.run(list(argv), check=False).returncode
    if status:
        raise StepFailed(
            f"spark-submit ended with status {status}",
            where="its output above",
            fix="kubectl logs of the driver's pod tells more",
        )
