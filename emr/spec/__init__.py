"""What a cluster is, as `conf/clusters/*.yaml` says it: `ClusterSpec`, a section a class."""

from emr.spec.cluster import (
    Bootstrap,
    CloudWatch,
    ClusterSpec,
    Limits,
    Logs,
    Network,
    Roles,
    Security,
)
from emr.spec.nodes import Choice, Machine, Nodes, Scaling, Volume

__all__ = [
    "Bootstrap",
    "Choice",
    "CloudWatch",
    "ClusterSpec",
    "Limits",
    "Logs",
    "Machine",
    "Network",
    "Nodes",
    "Roles",
    "Scaling",
    "Security",
    "Volume",
]
