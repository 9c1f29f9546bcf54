"""A spec or a run as YAML and options say it, and what is told of a value of another form."""

import pytest

from emr.job_run import JobRun
from emr.spec import ClusterSpec
from sparkml.config.layers import load_as
from sparkml.errors import ConfigError

SMALL = """\
name: small
artifacts: s3://bucket/sparkml
primary: {types: m7g.xlarge, on_demand: 1}
core: {types: m7g.xlarge, on_demand: 1}
"""


@pytest.fixture
def load(tmp_path):
    """A spec from its text."""

    def made(text, *sets, kind=ClusterSpec):
        file = tmp_path / "spec.yaml"
        file.write_text(text)
        return load_as(kind, file, sets=sets, env={}).config

    return made


@pytest.mark.parametrize("written", ["3.13", "'3.13'", '"3.13"'])
def test_the_python_needs_no_quotes(load, written):
    """YAML reads a number there."""
    assert "3.13" == load(f"{SMALL}python: {written}\n").python
    assert "3.13" == load(SMALL, f"python={written}").python


REFUSED = [
    ("python=3.12", "'python' must be one of 3.11, 3.13, not '3.12' | --set | fix: did you mean"),
    ("artifacts=my-bucket/x", "'artifacts' must be a folder on S3, not 'my-bucket/x'"),
    ("artifacts=my-bucket/x", "fix: write s3://bucket/prefix"),
    ("name='a<b'", "'name' must be one line without <, > and &, not 'a<b'"),
    ("security.imds_v2=false", "'security.imds_v2' must be true, not false | --set | fix: leave"),
    ("layout=group", "'layout' must be one of groups, fleets, not 'group'"),
    (
        "core.types={type: x9.xlarge, machine: {vcpu: 4, memory_gib: 8, arch: arm}}",
        "must be one of x86_64, arm64, not 'arm'",
    ),
]


@pytest.mark.parametrize(("text", "said"), REFUSED)
def test_a_value_of_another_form_is_told_the_form(load, text, said):
    """In words, with what to write instead."""
    with pytest.raises(ConfigError) as caught:
        load(SMALL, text)
    assert said in str(caught.value)


def test_an_archive_of_another_form_is_told_the_form(load):
    """A run's, which is on S3 already."""
    run = "job: score\nconfig: c.yaml\n"
    said = (
        r"'environment\.archive' must be an archive on S3 \(\.tar\.gz, \.tgz, \.zip\).*s3://bucket"
    )
    with pytest.raises(ConfigError, match=said):
        load(run, "environment.archive=foo.tar.gz", kind=JobRun)
    given = load(run, "environment.archive=s3://bkt/foo.tar.gz", kind=JobRun)
    assert "s3://bkt/foo.tar.gz" == given.environment.archive


def test_an_empty_file_names_the_keys_of_a_cluster(load):
    """And calls it no job."""
    with pytest.raises(ConfigError, match="it needs name, artifacts, primary and core"):
        load("")
