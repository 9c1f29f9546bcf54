"""The shipped training jobs, from their configuration to a model that a job scores with."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn import metrics as theirs

from sparkml import read_spec
from sparkml.config import TrainConfig, load_as, load_config
from sparkml.models.address import parse_address
from sparkml.models.registry import resolve
from sparkml.spark import run as runs
from sparkml.spark.sources import apply_steps, read_source
from sparkml.spark.training.train import run as train
from tests.quiet import Silent
from tests.training_jobs import ROWS, moved
from tools.bank import COLUMNS, REAL, bank_table

pytestmark = pytest.mark.spark
ROOT = Path(__file__).parents[3]
MONTHS = {n: date(2000, n, 1).strftime("%b").lower() for n in range(1, 13)}


@pytest.fixture(scope="module")
def outcomes(spark, home, csv):
    """Both shipped configurations, run as they are but for their paths: name -> outcome."""
    found = {}
    for name in ("bank", "bank_sklearn"):
        changed = {"registry.artifacts": home / "artifacts", "predictions": home / name}
        sets = moved(home, csv, **changed)
        loaded = load_as(TrainConfig, ROOT / f"conf/train.{name}.yaml", sets=sets, env={})
        found[name] = train(loaded, report=Silent())
    return found


@pytest.fixture(params=["bank", "bank_sklearn"])
def outcome(request, outcomes):
    return outcomes[request.param]


def test_the_held_out_rows_are_written_and_no_other(outcome, csv):
    """Key, label, probability, prediction; about three in ten rows, each once, labels as told."""
    table = pq.read_table(outcome.predictions).to_pandas()

    assert ["client", "label", "probability", "prediction"] == list(table.columns)
    assert (ROWS, len(table)) == (outcome.trained + outcome.held_out, outcome.held_out)
    assert 0.25 * ROWS < len(table) < 0.35 * ROWS
    assert table["client"].is_unique
    assert {"yes", "no"} == set(table["label"])
    expected = np.where(table["probability"] >= 0.2, "yes", "no")
    assert expected.tolist() == table["prediction"].tolist()


def test_both_kinds_are_measured_on_the_same_rows(outcomes):
    """The split goes by the client and the seed alone."""
    first, second = (pq.read_table(o.predictions).to_pandas() for o in outcomes.values())
    labels = ["client", "label"]
    pd.testing.assert_frame_equal(
        first[labels].sort_values("client", ignore_index=True),
        second[labels].sort_values("client", ignore_index=True),
    )


def test_the_logged_metrics_are_those_of_the_written_rows(outcome, client):
    """Recomputed with scikit-learn from the Parquet files; better than chance."""
    table = pq.read_table(outcome.predictions).to_pandas()
    actual, probability = table["label"] == "yes", table["probability"]
    predicted = table["prediction"] == "yes"
    negative, false, missed, positive = theirs.confusion_matrix(actual, predicted).ravel()
    expected = {
        "auc": theirs.roc_auc_score(actual, probability),
        "pr_auc": theirs.average_precision_score(actual, probability),
        "log_loss": theirs.log_loss(actual, probability),
        "brier": theirs.brier_score_loss(actual, probability),
        "true_negatives": negative,
        "false_positives": false,
        "false_negatives": missed,
        "true_positives": positive,
    }

    run = client.get_run(outcome.run_id)

    assert run.data.metrics == outcome.metrics
    assert {k: outcome.metrics[k] for k in expected} == pytest.approx(expected, rel=1e-12)
    assert outcome.metrics["auc"] > 0.6


def test_the_run_holds_params_plots_and_the_calibration(outcome, client):
    """What another person needs to compare two runs."""
    run = client.get_run(outcome.run_id)
    files = {f.path for f in client.list_artifacts(outcome.run_id, "plots")}
    path = mlflow.artifacts.download_artifacts(f"{run.info.artifact_uri}/evaluation.json")
    told = json.loads(Path(path).read_text())

    assert run.info.status == "FINISHED"
    assert ("y", "yes", "7") == tuple(
        run.data.params[key] for key in ("label", "positive", "split.seed")
    )
    assert len(files) == 5
    assert outcome.held_out == sum(b["rows"] for b in told["calibration"])


def test_the_model_is_registered_with_signature_alias_and_promise(outcomes, home):
    """`read_spec` finds the pipeline by its alias, its digest promised, its columns typed."""
    uri = f"sqlite:///{home}/registry/mlflow.db"
    spec = read_spec("models:/bank@champion", tracking_uri=uri, trust="promised")

    types = {f.name: f.type for f in spec.signature.inputs}
    assert outcomes["bank_sklearn"].digest == spec.digest
    assert ("string", "double") == (types["job"], types["age"])
    assert [("prediction", "string"), ("probability", "list<double>")] == [
        (f.name, f.type) for f in spec.signature.outputs
    ]


def test_the_spark_model_is_registered_and_gives_the_same_again(spark, outcomes, home, csv, client):
    """Loaded from the registry's files by Spark itself, it gives the written probabilities."""
    from pyspark.ml import PipelineModel

    version = client.get_model_version_by_alias("bank_spark", "champion")
    folder = mlflow.artifacts.download_artifacts(version.source, dst_path=str(home / "loaded"))
    model = PipelineModel.load(f"{folder}/sparkml")
    config = load_as(
        TrainConfig, ROOT / "conf/train.bank.yaml", sets=moved(home, csv), env={}
    ).config
    rows = apply_steps(read_source(spark, config.source), config.steps)
    # As the signature says: Spark's Imputer would cut the mean of an integer column to an integer.
    rows = rows.withColumns({name: rows[name].cast("double") for name in config.numeric})
    scored = {r.client: r for r in model.transform(rows).collect()}

    written = pq.read_table(outcomes["bank"].predictions).to_pylist()
    assert "models:/bank_spark/1" == outcomes["bank"].model
    assert {"yes", "no"} >= {r.prediction for r in scored.values()}
    np.testing.assert_allclose(
        [scored[row["client"]].probability[1] for row in written],
        [row["probability"] for row in written],
        rtol=1e-12,
    )


@pytest.mark.parametrize("sink", ["delta", "parquet"])
def test_the_bank_job_gives_the_pipeline_s_own_numbers(spark, outcomes, home, csv, tmp_path, sink):
    """`conf/score.bank.yaml` over the same CSV, against `predict_proba` on a table made by hand."""
    assert outcomes["bank_sklearn"].model == "models:/bank/1"
    changed = {
        "sink.format": sink,
        "sink.path": tmp_path / "scores",
        "result": tmp_path / "result.json",
    }
    loaded = load_config(ROOT / "conf/score.bank.yaml", sets=moved(home, csv, **changed), env={})

    outcome = runs.run(loaded, report=Silent())

    table = spark.read.format(sink).load(outcome.table)
    assert ["client", "y", "bank", "error", "provenance"] == table.columns
    assert (ROWS, ROWS, 0) == (outcome.rows, outcome.scored, outcome.quarantined)
    stored = {r.client: r for r in table.collect()}
    rows = pd.read_csv(csv, sep=";")
    expected = native(rows, home)
    in_order = [stored[client] for client in clients(spark, loaded.config)]
    assert rows["y"].tolist() == [r.y for r in in_order]
    np.testing.assert_allclose([r.bank.probability for r in in_order], expected, rtol=1e-12)
    labels = np.array(["no", "yes"])[expected.argmax(axis=1)]
    assert labels.tolist() == [r.bank.prediction for r in in_order]


def clients(spark, config) -> list[int]:
    """The key of each row, in the order of the file."""
    rows = apply_steps(read_source(spark, config.source), config.steps)
    return [r.client for r in rows.select("client").collect()]


def native(rows: pd.DataFrame, home: Path) -> np.ndarray:
    """The registered pipeline's own probabilities for the file's rows, made ready without Spark."""
    uri = f"sqlite:///{home}/registry/mlflow.db"
    found = resolve(parse_address("models:/bank@champion"), tracking_uri=uri)
    model = mlflow.sklearn.load_model(found.source)
    config = load_as(TrainConfig, ROOT / "conf/train.bank_sklearn.yaml", env={}).config
    table = rows.assign(
        month=rows["month"].map({name: str(number) for number, name in MONTHS.items()}),
        balance_log=np.sign(rows["balance"]) * np.log1p(rows["balance"].abs()),
        pdays=rows["pdays"].where(rows["pdays"] >= 0),
    )
    doubles = dict.fromkeys(config.numeric, "float64")
    return model.predict_proba(table[list(config.features)].astype(doubles))


@pytest.mark.skipif(not REAL.is_file(), reason="the UCI file is not beside the repository")
def test_the_generated_table_has_the_shape_of_the_real_one(csv):
    """Columns, types and categories; about as many say yes."""
    real, made = pd.read_csv(bank_table(), sep=";"), pd.read_csv(csv, sep=";")
    assert bank_table() == REAL
    assert list(COLUMNS) == list(real.columns) == list(made.columns)
    assert real.dtypes.equals(made.dtypes)
    for name in real.select_dtypes("object"):
        assert set(made[name]) <= set(real[name])
    assert abs((made["y"] == "yes").mean() - (real["y"] == "yes").mean()) < 0.04
    assert real.columns.tolist() == pd.read_csv(csv, sep=";", nrows=0).columns.tolist()
