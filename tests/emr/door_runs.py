"""A run for the other doors, the doors, and the pace of their tests."""

from __future__ import annotations

import pytest

from emr.aws.pace import Pace
from emr.doors.eks import Eks
from emr.doors.kubernetes import Kubernetes
from emr.doors.serverless import Serverless
from emr.job_run import JobRun
from emr.package import plan_package
from emr.spec import ClusterSpec
from sparkml.config.layers import load_as

ROLE = "arn:aws:iam::123456789012:role/job"
SPEC = load_as(ClusterSpec, "conf/clusters/cpu-small.yaml", env={}).config
SERVERLESS = Serverless(application="00app", role=ROLE)
EKS = Eks(virtual_cluster="vc00", role=ROLE)
DOORS = pytest.mark.parametrize("door", [SERVERLESS, EKS], ids=["serverless", "eks"])
KUBERNETES = Kubernetes(master="k8s://https://host:6443", image="registry/spark:4.1.1")
QUICK = Pace(poll_s=0.02, patience_s=1)


def a_run(**changes) -> JobRun:
    """The wine table's run."""
    values = {"job": "score", "config": "conf/score.wine.yaml", "spark_conf": {"spark.x": "a b"}}
    return JobRun.model_validate({**values, **changes})


def silent(_text: str) -> None:
    """Report nothing."""


PACKAGE = plan_package(a_run(), SPEC)
"""The run's package, as it would be stored."""
