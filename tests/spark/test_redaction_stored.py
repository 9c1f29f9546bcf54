"""What a run stores and prints of its settings and addresses: no secret is in it."""

import mlflow
import pytest
import yaml

from sparkml.config import load_config
from sparkml.config.signature import parse_signature
from sparkml.models.register import log_facts, tracked_run
from sparkml.spark.provenance import Provenance
from sparkml.spark.report import Plan, config_rows, model_rows
from sparkml.spark.session import DEFAULTS
from sparkml.spec import ModelSpec

URI = "https://me:hunter2@host/model?sig=hunter2"
MODEL = ModelSpec(
    name="wine",
    version="1",
    uri=URI,
    flavor="sklearn",
    digest="0" * 64,
    signature=parse_signature("hue: float64 -> label: string"),
)
JOB = {
    "models": {"wine": {"uri": "models:/wine@champion", "model_config": {"auth": "hunter2"}}},
    "source": {"format": "csv", "path": "in", "options": {"sep": "|", "password": "hunter2"}},
    "key": "id",
    "sink": {"format": "delta", "path": "out"},
    "spark": {"conf": {"spark.ssl.keyPasswd": "hunter2", "spark.sql.shuffle.partitions": "7"}},
}


def test_provenance_and_outcome_hold_the_models_address_without_its_password():
    stored = [Provenance.of((MODEL,), "key").value, model_rows((MODEL,))]
    assert "hunter2" not in str(stored)
    assert 2 == str(stored).count("https://me:***@host/model?sig=***")


def test_a_plan_shows_what_is_harmless_and_masks_the_rest(tmp_path):
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump(JOB))
    rows = config_rows(load_config(file, env={}))
    plan = Plan(models=[], source="sql a\nb", inputs=[], output=[], sink={}, config=rows)
    for told in (plan.text(), str(plan.to_json())):
        assert "hunter2" not in told
        assert told.count("***") == 3
    shown = {key: value for key, value, _ in rows}
    assert "7" == shown['spark.conf."spark.sql.shuffle.partitions"']
    assert "|" == shown["source.options.sep"]
    assert "source\n  sql a b\n" in plan.text()


def test_a_tracking_server_is_told_no_secret(tmp_path):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with tracked_run("redaction", tracking_uri=uri) as run_id:
        log_facts(params={"source": "https://me:hunter2@host", "steps": "password = 'hunter2'"})
    mlflow.set_tracking_uri(uri)
    try:
        params = mlflow.get_run(run_id).data.params
    finally:
        mlflow.set_tracking_uri(None)
    assert {"source": "https://me:***@host", "steps": "password = '***'"} == params


@pytest.mark.spark
def test_sparks_own_pages_mask_more_than_spark_does_by_itself(spark):
    """The event log and the UI's environment, and what SET prints."""
    jvm = spark._jvm
    pattern = jvm.java.util.regex.Pattern.compile(DEFAULTS["spark.redaction.regex"])
    assert spark.sparkContext.getConf().get("spark.redaction.regex") == pattern.pattern()
    for name in ("fs.azure.account.key.x", "spark.ssl.keyPasswd", "spark.executorEnv.API_KEY"):
        assert pattern.matcher(name).find()
    for name in (
        "spark.sql.shuffle.partitions",
        "spark.hadoop.fs.s3a.endpoint",
        "spark.authenticate",
    ):
        assert not pattern.matcher(name).find()
