"""`ClusterSpec`: what a cluster is, as `conf/clusters/*.yaml` says it. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer

from emr.spec.nodes import Nodes, Scaling
from sparkml.config.fields import AsTuple, Free, Label, Options, Section, Text, formed

IdleTimeout = Annotated[
    Annotated[int, Field(ge=60, le=604_800)] | None,
    BeforeValidator(lambda value: None if value == "never" else value),
    PlainSerializer(lambda value: "never" if value is None else value, when_used="json"),
]
"""Seconds, or `never`: a null in a configuration stands for the default."""


class Network(Section):
    """Where the nodes stand. Public addresses are never asked for."""

    subnets: Annotated[tuple[Text, ...], AsTuple] = ()
    """Private subnets: one for groups, several zones for fleets. AWS's default one when empty."""
    primary_group: Text | None = None
    """EMR-managed security groups; AWS makes them when null."""
    core_group: Text | None = None
    service_group: Text | None = None
    further_groups: Annotated[tuple[Text, ...], AsTuple] = ()


class Roles(Section):
    """Who the cluster is to AWS; `emr iam` writes the least-privilege policies of each."""

    service: Text = "EMR_DefaultRole_V2"
    instance_profile: Text = "EMR_EC2_DefaultRole"
    runtime: Text | None = None
    """The ARN of the role that a step runs as; each run may name its own."""


class Security(Section):
    """The security configuration that `emr up` makes, named by its content, or one that exists."""

    configuration: Text | None = None
    """An existing one, by name; then nothing below is used."""
    imds_v2: Literal[True] = True
    """Nodes answer IMDSv2 only. There is no way to switch it off here."""
    at_rest_kms_key: Text | None = None
    """The ARN of the key for S3 (SSE-KMS) and local disks; if null, SSE-S3 and bare disks."""
    in_transit_certificates: Text | None = None
    """`s3://` address of the zip with the PEM files; no encryption between nodes if null."""


class CloudWatch(Section):
    """Logs of steps, drivers and executors as they are written: the only live tail."""

    group: Text = "/sparkml/emr"
    prefix: Text | None = None
    kms_key: Text | None = None
    types: Annotated[
        tuple[Literal["step", "driver", "executor"], ...], AsTuple, Field(min_length=1)
    ] = ("step", "driver")


class Logs(Section):
    """Where logs go."""

    s3: Text | None = None
    """`s3://bucket/prefix`; `<artifacts>/logs` when null."""
    kms_key: Text | None = None
    cloudwatch: CloudWatch | None = None


class Bootstrap(Section):
    """A script that every node runs before Spark starts."""

    name: Text
    script: Text
    """An `s3://` address, or a path of this repository, which is uploaded and named by its hash."""
    args: Annotated[tuple[str, ...], AsTuple] = ()


class Limits(Section):
    """Guard-rails, checked before any call."""

    nodes: Annotated[int, Field(ge=1)] = 50
    """The most nodes that the cluster may come to have, managed scaling included."""
    hourly_usd: Annotated[float, Field(gt=0)] | None = None
    """The highest hourly price, at the spec's full size and On-Demand prices."""


class ClusterSpec(Section):
    """A cluster, as a request is made of it."""

    name: Annotated[
        str,
        Field(max_length=256),
        formed(r"[^<>&\x00-\x1f]+", "one line without <, > and &", "such as wine-nightly"),
    ]
    release: Text = "emr-spark-8.1.0"
    region: Text = "us-east-1"
    artifacts: Annotated[
        str, formed(r"s3://[^/]+(/.*)?", "a folder on S3", "write s3://bucket/prefix")
    ]
    """`s3://bucket/prefix` under which code, environments and logs are stored."""
    layout: Literal["groups", "fleets"] = "groups"
    """Instance groups have one type per role; fleets choose among several, and mix Spot in."""
    primary: Nodes
    core: Nodes
    task: Annotated[tuple[Nodes, ...], AsTuple] = ()
    scaling: Scaling | None = None
    idle_timeout_s: IdleTimeout = 3_600
    """The cluster ends itself after so many idle seconds; `never` (None in Python) must be said."""
    step_concurrency: Annotated[int, Field(ge=1, le=256)] = 1
    gpu: Literal["none", "rapids", "python"] = "none"
    """`rapids`: Spark's SQL on GPUs; `python`: GPUs for the Python workers, and SQL on the CPU."""
    python: Annotated[
        Literal["3.11", "3.13"],
        BeforeValidator(lambda value: str(value) if isinstance(value, float) else value),
    ] = "3.11"
    """The Python of the packed environment; the release must have it."""
    applications: Annotated[tuple[Text, ...], AsTuple] = ()
    """What the cluster installs besides Spark: `Livy`, `JupyterEnterpriseGateway`, …"""
    network: Network = Network()
    roles: Roles = Roles()
    security: Security = Security()
    logs: Logs = Logs()
    root_gib: Annotated[int, Field(ge=15, le=100)] = 30
    bootstrap: Annotated[tuple[Bootstrap, ...], AsTuple, Field(max_length=16)] = ()
    tags: Mapping[Label, Annotated[str, Field(max_length=256)]] = Field(default_factory=dict)
    spark_conf: Options = Field(default_factory=dict)
    """Spark settings of every step; a run's own win."""
    configurations: Annotated[tuple[Mapping[str, Any], ...], AsTuple] = ()
    """EMR configuration objects, merged over the generated ones by classification."""
    termination_protected: bool = False
    limits: Limits = Limits()
    overrides: Free = Field(default_factory=dict)
    """Raw keys of RunJobFlow, merged last: mappings deeply, lists replaced; checked afterwards."""

    @property
    def roles_of_nodes(self) -> tuple[tuple[str, Nodes], ...]:
        """Every role with its nodes, as (`MASTER`|`CORE`|`TASK`, nodes)."""
        return (("MASTER", self.primary), ("CORE", self.core), *(("TASK", t) for t in self.task))
