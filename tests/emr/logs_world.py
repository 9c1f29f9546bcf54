"""A step that ran, with its logs: what the tests of logs begin with."""

from __future__ import annotations

from emr.aws.client import connect
from emr.aws.logs.following import collect
from emr.aws.pace import Pace
from emr.aws.waiting import look
from tests.emr.driver import Driver
from tests.emr.small_cluster import shell, small_cluster, until_step

QUICK = Pace(poll_s=0.1)
APPLICATION = "application_1700000000000_0001"


def quiet(_text):
    """Nobody listens."""


class Here:
    """A cluster with a driver that does what it is told, and its logs on S3."""

    def __init__(self, endpoint, driver, bucket, *, logs=True, **changes):
        self.aws, self.driver, self.faults = connect("us-east-1"), driver, endpoint.faults
        uri = {"log_uri": f"s3n://{bucket}/logs/"} if logs else {}
        request = small_cluster(**uri, **changes)
        self.cluster = self.aws.emr.run_job_flow(**request)["JobFlowId"]

    def run(self, *argv, state="COMPLETED"):
        """A step's id, once it is in a state."""
        step = shell("") | {
            "HadoopJarStep": {"Jar": "command-runner.jar", "Args": list(argv or ["spark-submit"])}
        }
        added = self.aws.emr.add_job_flow_steps(JobFlowId=self.cluster, Steps=[step])
        (step_id,) = added["StepIds"]
        until_step(self.aws.emr, self.cluster, step_id, state)
        return look(self.aws, self.cluster, step_id)

    def collect(self, step, cluster, settle_s=20.0):
        return collect(self.aws, step, cluster, settle_s=settle_s, pace=QUICK, report=quiet)


def maker(emr_endpoint, tmp_path, bucket):
    """A factory of such worlds: what the fixture `here` is."""

    def make(*faults, **changes):
        driver = Driver(tmp_path / "driver")
        return Here(emr_endpoint(runner=driver.runner(), faults=faults), driver, bucket, **changes)

    return make
