"""What each EMR release ships, and which of them sparkml can run on: a table.

Sources: the EMR Release Guide's pages "Amazon EMR release emr-spark-8.1.0" (and so on, one for each
release) and "Spark release history"; RAPIDS of 7.x is what EMR on EKS tells, which may differ.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from sparkml.errors import ConfigError, did_you_mean

Family = Literal["7.x", "8.x"]

APPLICATIONS_8X = (
    "AmazonCloudWatchAgent",
    "Delta",
    "Hudi",
    "Iceberg",
    "JupyterEnterpriseGateway",
    "Livy",
    "Spark",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One release, as its page describes it."""

    label: str
    family: Family
    spark: str
    delta: str
    pythons: tuple[str, ...]
    """The Pythons on its image that PySpark supports."""
    default_python: str
    rapids: str | None
    """The RAPIDS Accelerator's version; null where none is told."""

    @property
    def applications(self) -> tuple[str, ...]:
        """The applications that a cluster of ours always asks for; 8.x has no `Hadoop`."""
        return ("Spark",) if self.family == "8.x" else ("Hadoop", "Spark")

    @property
    def offered(self) -> tuple[str, ...]:
        """All that it offers; of 7.x, on which nothing of ours runs, those above only."""
        return APPLICATIONS_8X if self.family == "8.x" else self.applications


RELEASES = (
    Release(
        label="emr-spark-8.1.0",
        family="8.x",
        spark="4.1.1",
        delta="4.2.0",
        pythons=("3.11", "3.13"),
        default_python="3.11",
        rapids="26.04.2",
    ),
    Release(
        label="emr-spark-8.0.0",
        family="8.x",
        spark="4.0.2",
        delta="4.0.0",
        pythons=("3.11", "3.13"),
        default_python="3.11",
        rapids="26.02.2",
    ),
    Release(
        label="emr-7.14.0",
        family="7.x",
        spark="3.5.8",
        delta="3.3.2",
        pythons=("3.9", "3.11"),
        default_python="3.11",
        rapids=None,
    ),
    Release(
        label="emr-7.13.0",
        family="7.x",
        spark="3.5.6",
        delta="3.3.2",
        pythons=("3.9", "3.11"),
        default_python="3.11",
        rapids="25.04.0",
    ),
    Release(
        label="emr-7.12.0",
        family="7.x",
        spark="3.5.6",
        delta="3.3.2",
        pythons=("3.9", "3.11"),
        default_python="3.9",
        rapids="25.04.0",
    ),
)
"""The newest first."""

_LABEL = re.compile(r"emr-(spark-)?\d+\.\d+\.\d+")


def release_of(label: str) -> Release:
    """The release that a label names.

    Raises:
        ConfigError: it is not in `RELEASES`.
    """
    known = {release.label: release for release in RELEASES}
    if label in known:
        return known[label]
    fits = _LABEL.fullmatch(label)
    near = did_you_mean(label, [release.label for release in RELEASES if supported(release)])
    raise ConfigError(
        f"the release '{label}' is not known" if fits else f"'{label}' is no release's label",
        where="release",
        fix=f"{near} (a newer one needs a row in emr/machines/releases.py)",
    )


def supported(release: Release) -> bool:
    """Whether sparkml runs on it: it needs Spark 4."""
    return int(release.spark.partition(".")[0]) >= 4


def why_unsupported(release: Release) -> str:
    """Why sparkml does not run on a release, for an error; empty where it does."""
    if supported(release):
        return ""
    return f"{release.label} has Spark {release.spark}, and sparkml needs Spark 4.0 or later"
