"""Training on a small table: labels of each type, samples, and every way to be refused."""

from __future__ import annotations

import json
from pathlib import Path

import mlflow
import numpy as np
import pyarrow.parquet as pq
import pytest

from sparkml.config import TrainConfig, load_as
from sparkml.errors import (
    ConfigError,
    InputError,
    ModelError,
    RegistryUnreachable,
    SignatureError,
    SparkMLError,
)
from sparkml.spark.training.train import plan
from sparkml.spark.training.train import run as train
from tests.quiet import Silent
from tests.training_jobs import SKLEARN, sizes

pytestmark = pytest.mark.spark


@pytest.mark.parametrize("label", ["number", "bool"])
@pytest.mark.parametrize("model", [{"flavor": "spark"}, SKLEARN], ids=["spark", "sklearn"])
def test_a_label_may_be_a_number_or_a_boolean(small, model, label, tmp_path):
    """It is written in its own type; without `register` nothing is registered."""
    written = str(tmp_path / "predictions")

    outcome = small(sizes(label=label), model=model, predictions=written)

    table = pq.read_table(written).to_pandas()
    assert sizes(label=label)["big"].dtype == table["label"].dtype == table["prediction"].dtype
    assert outcome.metrics["auc"] > 0.9
    assert outcome.labels[1] == 1
    assert outcome.model.startswith("runs:/" if model["flavor"] == "spark" else "models:/m-")


def test_the_negative_label_may_be_the_positive_one(small):
    """The other way round, the same model is worth the same."""
    same_rows = {"split": {"by": ["size"]}}
    swapped = small(sizes(), positive="no", **same_rows)
    straight = small(sizes(), **same_rows)

    assert ("yes", "no") == swapped.labels
    assert straight.metrics["auc"] == pytest.approx(swapped.metrics["auc"], rel=1e-3)
    assert straight.metrics["positives"] + swapped.metrics["positives"] == straight.held_out


def test_rows_without_a_label_are_left_out_and_counted(small):
    """They neither train nor measure; a null feature does not keep a row out."""
    table = sizes()
    table.loc[:9, "big"] = None
    table.loc[20:29, "size"] = np.nan
    table.loc[30:39, "kind"] = None

    outcome = small(table)

    assert (10, 190) == (outcome.unlabelled, outcome.trained + outcome.held_out)
    assert ("unlabelled", "10 rows without a label were left out") in outcome.summary_rows()


def test_metrics_may_come_from_a_sample_which_is_said(small):
    """The cap of `evaluate.rows`: fewer rows are measured than held out."""
    outcome = small(sizes(2_000), evaluate={"rows": 100})

    assert 50 < outcome.measured < 200 < outcome.held_out
    assert outcome.metrics["rows"] == outcome.measured
    assert "sample" in dict(outcome.summary_rows())


def test_the_estimator_gets_a_sample_of_about_the_wanted_size(small, client):
    """A nearest-neighbour model remembers how many rows it saw."""
    neighbours = {"flavor": "sklearn", "estimator": "sklearn.neighbors:KNeighborsClassifier"}
    wanted = {**neighbours, "sample_rows": 100}

    outcome = small(sizes(1_000), model=wanted, categorical=[], numeric=["size"])

    logged = client.get_logged_model(outcome.model.removeprefix("models:/"))
    seen = mlflow.sklearn.load_model(logged.artifact_location).n_samples_fit_
    assert 60 < seen < 140 < outcome.trained


@pytest.mark.parametrize(
    ("changes", "kind", "what", "fix"),
    [
        ({"label": "bigg"}, ConfigError, "no column 'bigg'", "did you mean 'big'?"),
        ({"key": ["client"]}, ConfigError, "no column 'client'", "known: 'kind', "),
        ({"split": {"by": ["siz"]}}, ConfigError, "no column 'siz'", "did you mean 'size'?"),
        ({"categorical": ["kin"]}, SignatureError, "'kin' is missing", "rename"),
        ({"categorical": ["size"], "numeric": []}, SignatureError, "'size' is double", "cast it"),
        ({"numeric": ["kind"], "categorical": []}, SignatureError, "'kind' is string", "cast it"),
        (
            {"label": "size", "numeric": []},
            InputError,
            "the label 'size' has more than two values (",
            "of two values in a step",
        ),
        ({"positive": "ja"}, ConfigError, "never 'ja'", "its values: 'no', 'yes'"),
        (
            {"model": {"flavor": "spark", "params": {"regparam": 1.0}}},
            ConfigError,
            "no param 'regparam'",
            "did you mean 'regParam'?",
        ),
        (
            {"model": {"flavor": "spark", "params": {"maxIter": "many"}}},
            ConfigError,
            "many",
            "iterations",
        ),
        (
            {"model": {"flavor": "sklearn", "estimator": "nowhere:churn"}},
            ConfigError,
            "cannot be imported",
            "PYTHONPATH",
        ),
        (
            {"model": {**SKLEARN, "params": {"loss": "wrong"}}},
            ModelError,
            "the estimator cannot be fitted: InvalidParameterError",
            "by itself",
        ),
        (
            {"registry": {"tracking_uri": "http://127.0.0.1:9"}},
            RegistryUnreachable,
            "no run can be started",
            "registry.tracking_uri",
        ),
    ],
)
def test_a_wrong_configuration_is_refused(small, changes, kind, what, fix):
    """In one line with its fix, before anything is fitted."""
    with pytest.raises(kind) as caught:
        small(sizes(), **changes)

    assert what in caught.value.what
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    ("table", "what"),
    [
        (sizes().head(0), "the source has no rows"),
        (sizes().assign(big=None), "null in every row"),
        (sizes().assign(big="yes"), "has one value only ('yes')"),
        (sizes().assign(big=["yes"] + ["no"] * 199), "row has the label 'yes'"),
    ],
    ids=["empty", "unlabelled", "one label", "one row of a label"],
)
def test_a_table_that_teaches_nothing_is_refused(small, table, what):
    """No rows, or not both labels on both sides."""
    with pytest.raises(InputError) as caught:
        small(table, schema="kind STRING, size DOUBLE, big STRING")

    assert what in caught.value.what


def test_a_sample_of_one_label_is_refused(small):
    """Both labels are there, but not among the few rows that came to the driver."""
    rare = sizes(2_000).assign(big=["yes"] * 4 + ["no"] * 1_996)
    with pytest.raises(InputError, match="of the sample have only 'no'"):
        small(rare, model={**SKLEARN, "sample_rows": 20}, split={"seed": 4, "train": 0.5})


def test_after_an_error_the_alias_means_what_it_meant(small, client, tmp_path):
    """The run is marked as failed, and the champion stays."""
    register = {"name": "steady", "alias": "champion"}
    small(sizes(), register=register)
    blocked = tmp_path / "file"
    blocked.write_text("in the way")

    with pytest.raises(SparkMLError):
        small(sizes(), register=register, predictions=str(blocked / "folder"))

    assert str(client.get_model_version_by_alias("steady", "champion").version) == "1"
    experiment = client.get_experiment_by_name("small").experiment_id
    last = client.search_runs([experiment], order_by=["attributes.start_time DESC"])[0]
    assert last.info.status == "FAILED"


def test_the_estimator_gets_the_split_s_seed(small, client):
    """Where the params set none."""
    outcome = small(sizes(), model=SKLEARN, split={"seed": 3})

    logged = client.get_logged_model(outcome.model.removeprefix("models:/"))
    assert mlflow.sklearn.load_model(logged.artifact_location)[-1].random_state == 3


def test_the_result_file_tells_how_it_ended(small, tmp_path):
    """The outcome, and then the error."""
    file = tmp_path / "told" / "result.json"
    outcome = small(sizes(), result=str(file))
    assert outcome.run_id == json.loads(file.read_text())["run_id"]

    with pytest.raises(ConfigError):
        small(sizes(), result=str(file), label="bigg")
    assert json.loads(file.read_text())["status"] == "error"


def test_a_registry_that_does_not_answer_is_known_before_spark_starts(tmp_path):
    """Its password is not told."""
    stages: list[str] = []
    reporter = Silent()
    reporter.stage = stages.append
    file = tmp_path / "train.yaml"
    file.write_text(
        """
        source: {format: parquet, path: nowhere}
        numeric: [size]
        label: big
        model: {flavor: spark}
        registry: {tracking_uri: "http://me:secret@127.0.0.1:9"}
        """
    )
    with pytest.raises(RegistryUnreachable) as caught:
        train(load_as(TrainConfig, file, env={}), report=reporter)

    assert [] == stages
    assert "secret" not in str(caught.value)


def test_a_password_in_an_address_is_not_in_the_outcome(small, home):
    """What `--json` and the summary print of a registry: SQLite takes such a path as it is."""
    uri = f"sqlite:///{home}/x://me:secret@host/mlflow.db"
    place = {"tracking_uri": uri, "artifacts": str(home / "artifacts")}

    outcome = small(sizes(), registry=place)

    assert outcome.tracking_uri.endswith("x://me:***@host/mlflow.db")
    assert "secret" not in str(outcome.summary_rows()) + json.dumps(outcome.to_json())


def test_mlflow_s_addresses_are_as_before(small):
    """What the process says about MLflow is the process's own."""
    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri(), mlflow.active_run()
    small(sizes())
    assert before == (mlflow.get_tracking_uri(), mlflow.get_registry_uri(), mlflow.active_run())


OWN = ["prediction", "Probability", "rawPrediction", "_scaled", "_kind_index", "_size_imputed"]


@pytest.mark.parametrize("name", OWN)
def test_a_feature_that_is_called_as_a_column_of_the_pipeline_is_refused(small, name, tmp_path):
    """Before the source is read; Spark ML would fail after that, or read its own column."""
    numeric = [name] if name != "_size_imputed" else ["size", name]
    table = sizes().assign(**{name: sizes()["size"]})
    told = str(tmp_path / "result.json")

    with pytest.raises(ConfigError, match=rf"the feature '{name}' is called as a column"):
        small(table, numeric=numeric, result=told)

    assert "name in a step" in json.loads(Path(told).read_text())["error"]["fix"]


@pytest.mark.parametrize("model", [{"flavor": "spark"}, SKLEARN], ids=["spark", "sklearn"])
def test_other_names_of_spark_ml_s_are_a_table_s_as_any(small, model, tmp_path):
    """Its usual names for what it takes, as features; for what it gives, as label and key."""
    table = sizes().rename(columns={"kind": "label", "size": "features", "big": "prediction"})
    if model is SKLEARN:
        table["probability"] = table["features"]
    table["rawPrediction"] = range(len(table))
    written = str(tmp_path / "predictions")
    numeric = ["features", *(["probability"] if model is SKLEARN else [])]

    outcome = small(
        table, categorical=["label"], numeric=numeric, label="prediction", key=["rawPrediction"],
        model=model, predictions=written,
    )  # fmt: skip

    assert outcome.metrics["auc"] > 0.9
    names = ["rawPrediction", "label", "probability", "prediction"]
    assert names == pq.read_table(written).column_names


@pytest.mark.parametrize("model", [{"flavor": "spark"}, SKLEARN], ids=["spark", "sklearn"])
def test_a_plan_says_all_and_does_nothing(small, model, tmp_path):
    """Features, outputs, where the model would go; no registry is made, and nothing is fitted."""
    place = tmp_path / "registry"
    changes = {
        "model": model,
        "key": ["size"],
        "register": {"name": "planned", "alias": "champion"},
        "registry": {"tracking_uri": f"sqlite:///{place}/mlflow.db"},
        "predictions": str(tmp_path / "predictions"),
        "result": str(tmp_path / "result.json"),
    }

    planned = small(sizes(), story=plan, **changes)

    assert ["kind", "size"] == [row["column"] for row in planned.inputs]
    assert ["size", "label", "probability", "prediction"] == [r["column"] for r in planned.output]
    assert ("planned", "champion") == (planned.sink["model"], planned.sink["alias"])
    assert "planned" in planned.text()
    assert json.loads(json.dumps(planned.to_json()))["models"][0]["flavor"] == model["flavor"]
    assert {"table", "train.yaml"} == {p.name for p in tmp_path.iterdir()}
    with pytest.raises(SignatureError, match="'siz' is missing"):
        small(sizes(), story=plan, **{**changes, "numeric": ["siz"]})
