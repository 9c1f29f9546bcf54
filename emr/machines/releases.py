"""What each EMR release ships, and which of them sparkml can run on: a table.

Sources: the EMR Release Guide's pages "Amazon EMR release emr-spark-8.1.0" (and so on, one for each
release) and "Spark release history"; RAPIDS of 7.x is what EMR on EKS tells, which may differ.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from sparkml.errors import ConfigError, did_you_mean

Family = Literal["6.x", "7.x", "8.x"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One release, as its page describes it."""

    label: str
    family: Family
    spark: str
    delta: str
    scala: str
    hadoop: str
    pythons: tuple[str, ...]
    """The Pythons on its image that PySpark supports."""
    default_python: str
    rapids: str | None
    """The RAPIDS Accelerator's version; null where none is told."""
    supported_until: str | None = None
    """The last day of its standard support, as `2029-09-07`; null where the page was not read."""

    @property
    def applications(self) -> tuple[str, ...]:
        """The applications that a cluster of ours asks for; 8.x has no `Hadoop` to ask for."""
        return ("Spark",) if self.family == "8.x" else ("Hadoop", "Spark")


RELEASES = (
    Release(
        label="emr-spark-8.1.0",
        family="8.x",
        spark="4.1.1",
        delta="4.2.0",
        scala="2.13.17",
        hadoop="3.4.2",
        pythons=("3.11", "3.13"),
        default_python="3.11",
        rapids="26.04.2",
        supported_until="2029-09-07",
    ),
    Release(
        label="emr-spark-8.0.0",
        family="8.x",
        spark="4.0.2",
        delta="4.0.0",
        scala="2.13.16",
        hadoop="3.4.2",
        pythons=("3.11", "3.13"),
        default_python="3.11",
        rapids="26.02.2",
        supported_until="2028-05-20",
    ),
    Release(
        label="emr-7.14.0",
        family="7.x",
        spark="3.5.8",
        delta="3.3.2",
        scala="2.12.18",
        hadoop="3.4.2",
        pythons=("3.9", "3.11"),
        default_python="3.11",
        rapids=None,
        supported_until="2028-09-08",
    ),
    Release(
        label="emr-7.13.0",
        family="7.x",
        spark="3.5.6",
        delta="3.3.2",
        scala="2.12.18",
        hadoop="3.4.2",
        pythons=("3.9", "3.11"),
        default_python="3.11",
        rapids="25.04.0",
        supported_until="2028-04-21",
    ),
    Release(
        label="emr-7.12.0",
        family="7.x",
        spark="3.5.6",
        delta="3.3.2",
        scala="2.12.18",
        hadoop="3.4.1",
        pythons=("3.9", "3.11"),
        default_python="3.9",
        rapids="25.04.0",
    ),
    Release(
        label="emr-6.15.0",
        family="6.x",
        spark="3.4.1",
        delta="2.4.0",
        scala="2.12",
        hadoop="3.3.6",
        pythons=("3.7",),
        default_python="3.7",
        rapids="23.08.01",
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
