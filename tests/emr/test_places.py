"""A place that no cluster could read or write is refused by `plan`, with the form to write."""

import pytest
import yaml

from emr.job_run import JobRun
from emr.package.config import resolved_config
from emr.request.checks import check_run, check_spec
from emr.request.forms import is_bucket
from sparkml.errors import ConfigError
from tests.emr.rich_cluster import plain


@pytest.fixture
def job(tmp_path):
    """A factory of scoring runs with these changes of their configuration."""
    file = tmp_path / "job.yaml"
    values = {
        "models": {"wine": {"uri": "models:/wine@champion"}},
        "source": {"format": "parquet", "path": "s3://wines/tables"},
        "key": "id",
        "sink": {"format": "delta", "path": "s3://wines/scores"},
    }

    def make(**sections):
        file.write_text(yaml.safe_dump({**values, **sections}))
        return JobRun(job="score", config=str(file))

    return make


def resolved(run):
    return resolved_config(run, "score", env={}).loaded.config


WRONG = {
    "s3:/wines/red": "s3://wines/red",
    "ss3://wines/red": "s3://wines/red",
    "https://wines.s3.amazonaws.com/red": "s3://wines/red",
    "arn:aws:s3:::wines/red": "s3://wines/red",
    "s3://my_Wines/red": "s3://my-wines/red",
    "s3://Wines/red": "s3://wines/red",
    "s3a://a..b/red": "s3a://a.b/red",
    "s3://ab/red": "s3://my-bucket/red",
    "s3://3/red": "s3://my-bucket/red",
    "s3://10.0.0.1/red": "s3://my-bucket/red",
    "s3://-wines/red": "s3://wines/red",
    f"s3://{'w' * 64}/red": "s3://my-bucket/red",
    "s3://wines:9000/red": "s3://wines-9000/red",
}


@pytest.mark.parametrize("place", WRONG)
@pytest.mark.parametrize("key", ["source.path", "sink.path"])
def test_a_plan_refuses_a_place_that_is_none(emr, job, key, place):
    """Its fix names the form to write, and with that the plan is made."""
    plan = ("plan", "score", "--spec", "conf/clusters/cpu-small.yaml", "--config", job().config)
    status, out, err = emr(*plan, "--set", f"{key}={place}")
    assert (2, "") == (status, out)
    assert "CONFIG_INVALID" in err
    assert key in err
    assert f"write {WRONG[place]}" in err
    assert 0 == emr(*plan, "--set", f"{key}={WRONG[place]}")[0]


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ({"models": {"a.b": {"uri": "s3://My_Models/m"}}}, "models.a.b.uri"),
        ({"result": "s3://My_Bucket/result.json"}, "result"),
        ({"steps": [{"column": "c", "expr": "c(x)", "encoding": "s3://B_B/c.json"}]},
         "steps[0].encoding"),
        ({"source": {"format": "sql", "query": "SELECT * FROM v",
                     "views": {"v": {"format": "csv", "path": "s3://B_B/x"}}}},
         "source.views.v.path"),
        ({"source": {"format": "sql", "query": "SELECT * FROM delta.`s3:/wines/red`"}},
         "source.query"),
        ({"source": {"format": "table", "table": "parquet.`https://example.org/red`"}},
         "source.table"),
        ({"sink": {"format": "table", "table": "t", "options": {"path": "s3:/wines/t"}}},
         "sink.options.path"),
        ({"spark": {"conf": {"spark.sql.warehouse.dir": "ss3://wines/warehouse"}}},
         "spark.conf.spark.sql.warehouse.dir"),
        ({"spark": {"conf": {"spark.sql.catalog.ice.warehouse": "s3://W_W/ice"}}},
         "spark.conf.spark.sql.catalog.ice.warehouse"),
    ],
)  # fmt: skip
def test_wherever_an_address_stands_it_is_looked_at(job, sections, key):
    with pytest.raises(ConfigError) as error:
        resolved(job(**sections))
    assert key == error.value.where
    assert "write s3://" in error.value.fix


def test_every_wrong_place_is_told_at_once(job):
    source = {"format": "parquet", "path": "s3://A_A/x"}
    with pytest.raises(ConfigError) as error:
        resolved(job(source=source, sink={"format": "delta", "path": "s3://B_B/x"}))
    assert 2 == len(error.value.problems)


@pytest.mark.parametrize("place", ["s3:/me:hunter2secret@wines/t", "s3://me:hunter2secret@w_w/t"])
def test_a_password_in_a_wrong_place_is_not_repeated(job, place):
    for sections in (
        {"sink": {"format": "table", "table": "t", "options": {"path": place}}},
        {"source": {"format": "parquet", "path": place}},
    ):
        with pytest.raises(ConfigError, match="holds") as error:
            resolved(job(**sections))
        assert "hunter2secret" not in f"{error.value} {error.value.problems} {error.value.fix}"


def test_what_can_be_right_is_not_refused(job):
    for path in ("s3a://wines/red//1", "s3n://wines/red", "hdfs:///red", "gs://wi_nes/red",
                 "abfss://c@a.dfs.core.windows.net/red", "dbfs:/red", "s3://wines.2024/red",
                 "s3://red-abc123-s3alias/x", "s3://wines--use1-az4--x-s3/x", "mystore://a/b",
                 "s3://1.2.3.4.wines/x"):  # fmt: skip
        source = {"format": "parquet", "path": path}
        assert path == resolved(job(source=source)).source.path
    tables = "arn:aws:s3tables:us-east-1:123456789012:bucket/wines"
    conf = {"spark.sql.catalog.wines.warehouse": tables}
    assert conf == resolved(job(spark={"conf": conf})).spark.conf
    params = {"uri": "s3:/a", "path": "https://example.org"}
    models = {"m": {"uri": "models:/wine/1", "params": params, "model_config": {"path": "s3:/b"}}}
    assert params == resolved(job(models=models)).models["m"].params
    query = "SELECT `https://example.org` FROM t WHERE x = 's3:/a'"
    assert query == resolved(job(source={"format": "sql", "query": query})).source.query


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"artifacts": "s3://a..b/x"}, "artifacts"),
        ({"logs": {"s3": "s3://10.0.0.1/x"}}, "logs.s3"),
        ({"security": {"in_transit_certificates": "s3://My_B/c.zip"}},
         "security.in_transit_certificates"),
        ({"bootstrap": [{"name": "a", "script": "s3://My_B/a.sh"}]}, "bootstrap[0].script"),
    ],
)  # fmt: skip
def test_a_specs_own_places_are_held_against_the_same_rules(changes, where):
    with pytest.raises(ConfigError) as error:
        check_spec(plain(**changes))
    assert where == error.value.where


def test_a_named_archive_is_in_a_bucket_that_can_be(job):
    archive = {"archive": "s3://My_B/e.tar.gz"}
    run = JobRun.model_validate({"job": "score", "config": job().config, "environment": archive})
    with pytest.raises(ConfigError, match="no archive on S3"):
        check_run(run, plain())


def test_names_of_buckets():
    assert all(map(is_bucket, ("abc", "a-b.c", "0ab", "w" * 63, "1.2.3.4.5", "10.0.0.1a")))
    assert not any(
        map(is_bucket, ("", "ab", "w" * 64, "a_b", "aB", "-ab", "ab-", ".ab", "a..b", "10.0.0.1"))
    )
