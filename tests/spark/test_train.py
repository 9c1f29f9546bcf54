"""Training, from a configuration to a registered model: both kinds, and every way to be refused."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from sklearn import metrics as theirs

from sparkml import read_spec
from sparkml.config import TrainConfig, load_as, load_config
from sparkml.errors import (
    ConfigError,
    InputError,
    ModelError,
    RegistryUnreachable,
    SignatureError,
    SparkMLError,
)
from sparkml.models.address import parse_address
from sparkml.models.registry import resolve
from sparkml.spark import run as runs
from sparkml.spark.sources import apply_steps, read_source
from sparkml.spark.training.train import run as train
from tools.bank import COLUMNS, REAL, bank_table, generate

pytestmark = pytest.mark.spark
ROOT = Path(__file__).parents[2]
ROWS = 1_200
MONTHS = {n: date(2000, n, 1).strftime("%b").lower() for n in range(1, 13)}


class Silent:
    """A reporter that says nothing."""

    def stage(self, text: str) -> None: ...
    def progress(self, done: int, total: int, failed: int) -> None: ...
    def close(self) -> None: ...


def moved(home: Path, csv: Path, **further: object) -> list[str]:
    """The paths of a bank configuration, moved into a folder."""
    paths = {
        "source.path": csv,
        "registry.tracking_uri": f"sqlite:///{home}/registry/mlflow.db",
        **further,
    }
    return [f"{key}={value}" for key, value in paths.items()]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """One folder for the table, the registry and the outputs of this file."""
    return tmp_path_factory.mktemp("train")


@pytest.fixture(scope="module")
def csv(home):
    return generate(home / "bank.csv", rows=ROWS, seed=3)


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


@pytest.fixture
def client(home):
    return mlflow.MlflowClient(f"sqlite:///{home}/registry/mlflow.db")


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


@pytest.fixture
def small(spark, home, tmp_path):
    """A small training job in a folder of its own; `go(frame, **changes)` runs it."""

    def go(table: pd.DataFrame, *, schema: str | None = None, **changes):
        path = str(tmp_path / "table")
        spark.createDataFrame(table, schema).write.mode("overwrite").parquet(path)
        config = {
            "source": {"format": "parquet", "path": path},
            "categorical": ["kind"],
            "numeric": ["size"],
            "label": "big",
            "model": {"flavor": "spark", "params": {"maxIter": 5}},
            "registry": {
                "tracking_uri": f"sqlite:///{home}/registry/mlflow.db",
                "experiment": "small",
                "artifacts": str(home / "artifacts"),
            },
            **changes,
        }
        file = tmp_path / "train.yaml"
        file.write_text(yaml.safe_dump(config))
        return train(load_as(TrainConfig, file, env={}), report=Silent())

    return go


def sizes(rows: int = 200, *, label: str = "text") -> pd.DataFrame:
    """A table whose label follows from its numbers, with some noise."""
    rng = np.random.default_rng(5)
    size = rng.random(rows)
    big = size + 0.3 * rng.random(rows) > 0.65
    values = {"text": np.where(big, "yes", "no"), "number": big.astype(int), "bool": big}
    return pd.DataFrame({"kind": rng.choice(["a", "b"], rows), "size": size, "big": values[label]})


SKLEARN = {"flavor": "sklearn", "estimator": "sparkml.training.estimators:gradient_boosting"}


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
