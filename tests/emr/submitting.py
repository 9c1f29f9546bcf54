"""An account of ours on the local EMR, with a job to submit: what the tests of submitting share."""

from __future__ import annotations

from emr.aws.client import connect
from emr.aws.launch import launch
from emr.aws.pace import Pace
from emr.aws.submit import finish, send
from emr.commands.options import run_from, spec_from
from tests.emr.driver import write_job, write_spec

QUICK = Pace(poll_s=0.1, patience_s=2.0)


class Here:
    """An account, a job, a cluster's spec, and a driver that does what it is told."""

    def __init__(self, endpoint, driver, folder, bucket):
        self.endpoint, self.driver, self.folder, self.bucket = endpoint, driver, folder, bucket
        self.aws = connect("us-east-1")
        self.said = []
        self.job = write_job(folder, bucket)
        self.spec_file = write_spec(folder, bucket)
        self.spec = spec_from(self.spec_file, None)
        job, _, config, _, run_set = self.job
        self.run = run_from(job, config, None, [run_set])

    def launch(self, run_id="one", **options):
        return launch(
            self.aws, self.spec, run_id=run_id, pace=QUICK, report=self.said.append, **options
        )

    def send(self, cluster_id=None, **options):
        return send(
            self.aws,
            self.run,
            self.spec,
            cluster_id=cluster_id,
            cache=self.folder / "cache",
            pace=QUICK,
            report=self.said.append,
            **options,
        )

    def finish(self, sent, timeout_s=30, **options):
        return finish(
            self.aws,
            sent,
            timeout_s=timeout_s,
            settle_s=10,
            pace=QUICK,
            report=self.said.append,
            **options,
        )

    def alive(self):
        """The ids of clusters that live."""
        states = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"]
        return [c["Id"] for c in self.aws.emr.list_clusters(ClusterStates=states)["Clusters"]]

    def made(self):
        """How many clusters there ever were."""
        return len(self.aws.emr.list_clusters()["Clusters"])
