"""`JobRun`: one run of a job on a cluster, whichever door it takes. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from sparkml.config.fields import AsTuple, Label, Options, Section, Text, formed


class Environment(Section):
    """The packed Python environment that travels with a run."""

    extras: Annotated[tuple[Text, ...], AsTuple] = ("sklearn", "mlflow")
    """Extras of sparkml whose libraries are packed; `spark` never: the cluster has its own."""
    requirements: Text | None = None
    """A requirements file packed besides, pinned by hash."""
    archive: (
        Annotated[
            str,
            formed(
                r"s3://[^/\s,#]+/[^\s,#]+\.(tar\.gz|tgz|zip)",
                "an archive on S3 (.tar.gz, .tgz, .zip)",
                "write s3://bucket/environment.tar.gz",
            ),
        ]
        | None
    ) = None
    """A packed archive that exists already (`s3://…tar.gz`, `.tgz`, `.zip`); then nothing is built.
    Other bytes at its address are another run."""


class JobRun(Section):
    """One run: what runs, with which configuration, where it stands in the cluster's order."""

    job: Text
    """A job of `jobs/` by its name (`score`, `train-many`), or a script's path."""
    config: Text
    """The job's configuration, a YAML file."""
    sets: Annotated[tuple[Text, ...], AsTuple] = ()
    """`key=value` changes of the configuration, as `--set` takes them."""
    name: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """The step's name; the job's and the configuration's when null."""
    environment: Environment = Environment()
    spark_conf: Options = Field(default_factory=dict)
    action_on_failure: Literal["CONTINUE", "CANCEL_AND_WAIT", "TERMINATE_CLUSTER"] = "CONTINUE"
    runtime_role: Text | None = None
    """The ARN of the role it runs as; the cluster's own when null."""
    ship_model: Literal["auto", "always", "never"] = "auto"
    """Whether the model's files travel with the run: `auto`, when its registry is a local file."""
    timeout_s: Annotated[int, Field(ge=60)] = 6 * 3_600
    """How long a client waits for it; nothing is cancelled then."""
    tags: Mapping[Label, Annotated[str, Field(max_length=256)]] = Field(default_factory=dict)
    """Tags of a transient cluster, a serverless run or a virtual cluster's; steps have none."""
