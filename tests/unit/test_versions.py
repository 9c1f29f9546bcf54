"""Spark, Delta and pandas that do not belong together are refused by name, before a JVM starts."""

from __future__ import annotations

import pytest

from sparkml.errors import ExtraMissing, VersionsIncompatible
from sparkml.spark._versions import DELTA_FOR_SPARK, check_versions, installed_versions


def test_what_is_installed_here_fits():
    """The versions that the lock pins."""
    check_versions(installed_versions())


@pytest.mark.parametrize("spark", DELTA_FOR_SPARK)
def test_each_spark_takes_its_deltas_alone(spark):
    """The table is a promise in both directions."""
    for delta in {d for deltas in DELTA_FOR_SPARK.values() for d in deltas}:
        installed = {"pyspark": f"{spark}.1", "delta-spark": f"{delta}.0", "pandas": "2.3.0"}
        if delta in DELTA_FOR_SPARK[spark]:
            check_versions(installed)
        else:
            with pytest.raises(VersionsIncompatible, match=rf"Delta {delta}\.0 .* Spark {spark}"):
                check_versions(installed)


@pytest.mark.parametrize(
    ("installed", "said"),
    [
        ({"pyspark": "3.5.6"}, r"Spark 3\.5\.6 is not supported.*4\.1"),
        ({"pyspark": "4.1.1", "pandas": "3.0.0"}, r"pandas 3\.0\.0.*fix: .*pandas>=2\.2,<3"),
    ],
)
def test_a_version_that_does_not_fit_is_named_with_the_fix(installed, said):
    """Spark itself, and pandas."""
    with pytest.raises(VersionsIncompatible, match=said):
        check_versions(installed)


def test_without_pyspark_the_extra_is_named():
    """The library scores without Spark; the job does not."""
    with pytest.raises(ExtraMissing, match=r"sparkml\[spark\]"):
        check_versions({})
