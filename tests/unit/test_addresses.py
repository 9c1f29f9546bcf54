"""A mistyped address is told with the one to write; what may be right somewhere is left alone."""

import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sparkml.addresses import STORES, bucket_of, mistake_in
from sparkml.config import JobConfig, TrainConfig, TrainManyConfig, load_as, load_config
from sparkml.errors import ConfigError

WRONG = {
    "s3:/wines/red": "s3://wines/red",
    "s3:wines/red": "s3://wines/red",
    "s3:///wines/red": "s3://wines/red",
    "s3:\\\\wines\\red": "s3://wines/red",
    "s3//wines/red": "s3://wines/red",
    "s3a//wines//red": "s3a://wines//red",
    "s3://": "s3://bucket/path",
    "s3://?region=eu-west-1": "s3://region=eu-west-1",
    "gs:/wines/red": "gs://wines/red",
    "S3://wines/red": "s3://wines/red",
    "HDFS://name/red": "hdfs://name/red",
    " S3:/wines/red": "s3://wines/red",
    "s3://wines/red ": "s3://wines/red",
    "ss3://wines/red": "s3://wines/red",
    "s33://wines/red": "s3://wines/red",
    "3s://wines/red": "s3://wines/red",
    "hdsf://name/red": "hdfs://name/red",
    "hhttps://wines.s3.amazonaws.com/red": "s3://wines/red",
    "https://wines.s3.amazonaws.com/red": "s3://wines/red",
    "https://wines.s3.eu-west-1.amazonaws.com/red%20wine/?versionId=1": "s3://wines/red wine/",
    "https://s3.us-east-1.amazonaws.com/wines/red": "s3://wines/red",
    "https://s3-us-west-2.amazonaws.com/wines/red": "s3://wines/red",
    "wines.s3.amazonaws.com/red": "s3://wines/red",
    "https://us-east-1.console.aws.amazon.com/s3/buckets/wines?region=us-east-1&prefix=red/&a=b": (
        "s3://wines/red/"
    ),
    "https://storage.googleapis.com/wines/red": "gs://wines/red",
    "https://acc.blob.core.windows.net/wines/red": "abfss://wines@acc.dfs.core.windows.net/red",
    "https://example.org/wines.csv": "s3://bucket/path",
    "arn:aws:s3:::wines/red": "s3://wines/red",
    "arn:aws-cn:s3:::wines": "s3://wines",
    "s3://arn:aws:s3:us-east-1:123456789012:accesspoint/ap/red": "s3://name-s3alias/path",
    "arn:aws:iam::123456789012:role/red": "s3://bucket/path",
}
RIGHT = (
    "wines.csv", "/tables/wine", "tables/s3/wine", "s3/wine", "a folder ", "12:30/x", "file:///x",
    "file:/x", "s3://wines", "s3://wines/", "s3://wines//red///1", "s3://wines/a:b/c d", "s3a://w/x",
    "s3n://w/x", "s3://ap-x-s3alias/y", "s3://wines--use1-az4--x-s3/y", "hdfs:/x", "hdfs:///x",
    "hdfs://name:8020/x", "viewfs://c/x", "abfss://c@a.dfs.core.windows.net/x", "gs://w/x",
    "wasbs://c@a.blob.core.windows.net/x", "wasbs:///x", "abfs:///x", "dbfs:/x", "/Volumes/a/b",
    "oss://w/x", "mystore://a/b",
)  # fmt: skip


@pytest.mark.parametrize("address", WRONG)
def test_a_mistyped_address_is_told_with_the_one_to_write(address):
    words, instead = mistake_in(address)
    assert WRONG[address] == instead
    assert words
    assert mistake_in(instead) is None


@pytest.mark.parametrize("address", RIGHT)
def test_what_may_be_right_is_left_alone(address):
    assert mistake_in(address) is None


@given(st.text(max_size=60), st.sampled_from(["", "s3:", "s3://", "https://", "arn:aws:", "x://"]))
def test_whatever_stands_there_what_is_advised_is_right(text, start):
    found = mistake_in(start + text)
    assert found is None or mistake_in(found[1]) is None


@pytest.mark.parametrize("scheme", sorted(STORES))
def test_no_known_scheme_is_a_slip_of_another(scheme):
    assert mistake_in(f"{scheme}://a@b/c") is None


def test_mlflow_reads_web_addresses_and_has_schemes_of_its_own():
    for uri in ("models:/wine@best", "runs:/1/m", "mlflow-artifacts:/1", " models:/wine/1",
                "https://host/api/2.0/mlflow-artifacts/artifacts/1"):  # fmt: skip
        assert mistake_in(uri, mlflow=True) is None
    assert "models:/wine/1" == mistake_in("model:/wine/1", mlflow=True)[1]
    assert "s3://wines/m" == mistake_in("s3:/wines/m", mlflow=True)[1]
    assert "s3://wines/m" == mistake_in("https://wines.s3.amazonaws.com/m", mlflow=True)[1]


def test_a_bucket_alone_is_no_file():
    assert mistake_in("s3://wines/") is None
    for address in ("s3://wines", "s3://wines/"):
        assert "s3://wines/file.json" == mistake_in(address, file=True)[1]
    assert mistake_in("s3://wines/outcome.json", file=True) is None


def test_a_bucket_is_what_stands_before_the_key():
    addresses = ("s3a://wines/red", "s3://wines?region=x", "s3://wines", "gs://wines/x", "s3:/w")
    assert ["wines", "wines", "wines", "", ""] == [bucket_of(one) for one in addresses]


JOB = {
    "models": {"m": {"uri": "models:/wine/1"}},
    "source": {"format": "sql", "query": "SELECT * FROM v",
               "views": {"v": {"format": "csv", "path": "s3://wines/red"}}},
    "steps": [{"column": "c", "expr": "c(x)", "encoding": "s3://wines/c.json"}],
    "key": "id",
    "sink": {"format": "delta", "path": "s3://wines/scores"},
    "result": "s3://wines/result.json",
}  # fmt: skip


def test_every_address_of_a_job_is_looked_at(tmp_path):
    """And what an error tells to write is taken."""
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump(JOB).replace("s3://", "s3:/").replace("models:/", "s3:/"))
    with pytest.raises(ConfigError) as error:
        load_config(str(file), env={})
    told = error.value.problems
    assert 5 == len(told)
    for key, value in (
        ("models.m.uri", "s3://wine/1"), ("source.views.v.path", "s3://wines/red"),
        ("steps[0].encoding", "s3://wines/c.json"), ("sink.path", "s3://wines/scores"),
        ("result", "s3://wines/result.json"),
    ):  # fmt: skip
        assert any(f"'{key}' must be" in line and f"fix: write {value}" in line for line in told)
    file.write_text(file.read_text().replace("s3:/", "s3://"))
    assert "s3://wines/scores" == load_config(str(file), env={}).config.sink.path


@pytest.mark.parametrize(
    ("kind", "file"),
    [(JobConfig, "score.wine"), (TrainConfig, "train.bank"), (TrainManyConfig, "train_many")],
)
def test_the_other_jobs_look_at_theirs(kind, file):
    sets = ["source.path=s3:/b/x", "result=s3://b"]
    sets += ["registry.artifacts=s3a:/b/x"] if kind is not JobConfig else []
    with pytest.raises(ConfigError) as error:
        load_as(kind, f"conf/{file}.yaml", sets=sets, env={}, option="--set")
    assert len(sets) == len(error.value.problems)


def test_an_address_without_end_costs_nothing():
    started = time.process_time()
    for text in ("s3." * 50_000, "s3." * 1_300):
        assert mistake_in(text) is None
    assert time.process_time() - started < 1
