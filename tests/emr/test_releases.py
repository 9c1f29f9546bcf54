"""Which releases there are, and which of them are refused, with the reason."""

from __future__ import annotations

import gzip
import json
from importlib.resources import files

import pytest

from emr.machines.releases import RELEASES, release_of, supported, why_unsupported
from emr.spec import ClusterSpec
from sparkml.errors import ConfigError
from sparkml.spark._versions import DELTA_FOR_SPARK


def test_the_default_release_is_known_and_newest():
    """The spec's default is the first row."""
    assert ClusterSpec.model_fields["release"].default == RELEASES[0].label


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.label)
def test_sparkml_runs_where_spark_is_4(release):
    """Elsewhere the reason names both versions."""
    if release.family == "8.x":
        assert supported(release)
        assert why_unsupported(release) == ""
    else:
        assert not supported(release)
        assert release.spark in why_unsupported(release)


@pytest.mark.parametrize("release", [r for r in RELEASES if supported(r)], ids=lambda r: r.label)
def test_a_supported_release_has_what_sparkml_needs(release):
    """Its Spark and Delta are a pair that sparkml takes, and its Python is the spec's default."""
    spark, delta = (v.rpartition(".")[0] for v in (release.spark, release.delta))
    assert delta in DELTA_FOR_SPARK[spark]
    assert release.default_python in release.pythons
    assert ClusterSpec.model_fields["python"].default == release.default_python
    assert release.applications == ("Spark",)


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("emr-spark-8.1", "no release's label.*did you mean 'emr-spark-8.1.0'"),
        ("emr-spark-8.9.0", "not known.*emr/machines/releases.py"),
        ("8.1", "no release's label"),
    ],
)
def test_an_unknown_release_is_refused_with_a_hint(label, said):
    """A typing mistake, a newer one, and no label at all."""
    with pytest.raises(ConfigError, match=said):
        release_of(label)


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.label)
def test_each_release_is_one_of_aws(release):
    """moto holds what AWS's ListSupportedInstanceTypes answered, a file for each release."""
    name = f"instance-types-{release.label}.json.gz"
    told = files("moto").joinpath("emr", "resources", name)
    assert "m5.xlarge" in json.loads(gzip.decompress(told.read_bytes()))
