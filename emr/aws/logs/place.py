"""`logs_of`: where a step's logs are kept, and what reads them there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emr.aws.logs.cloudwatch import CloudWatchLogs
from emr.aws.logs.pieces import S3Logs
from emr.errors import NotFound

if TYPE_CHECKING:
    from emr.aws.client import Aws
    from emr.aws.logs.pieces import Logs
    from emr.aws.observed import Cluster, Step


def logs_of(aws: Aws, step: Step, cluster: Cluster, *, s3: bool = False) -> Logs:
    """The step's logs: CloudWatch's when the cluster writes them there, else S3's.

    Args:
        aws: the account.
        step: whose logs.
        cluster: where it runs or ran.
        s3: take S3's, whatever else there is.

    Raises:
        NotFound: the cluster keeps no logs.
    """
    if cluster.cloudwatch is not None and not s3:
        return CloudWatchLogs(aws=aws, at=cluster.cloudwatch)
    root = f"{step.log_uri}/{cluster.id}" if step.log_uri else cluster.logs
    if root is None:
        raise NotFound(
            f"cluster {cluster.id} keeps no logs: it has no LogUri",
            where=step.id,
            fix="set logs.s3 or logs.cloudwatch in the spec of the next cluster",
        )
    return S3Logs(aws=aws, root=root)
