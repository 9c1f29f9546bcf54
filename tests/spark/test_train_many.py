"""One model per key: fitted in the workers as by hand, stored as one artifact, scored by key."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier

from sparkml import SparkMLError, load_config, read_spec, score
from sparkml.config import TrainManyConfig, load_as
from sparkml.errors import ConfigError, NotFitted, NullInputError, QuarantineLimit, SignatureError
from sparkml.spark import run as score_job
from sparkml.spark.keyed import score_by_key
from sparkml.spark.training import train_many_job
from sparkml.spark.training.fit_groups import fitted, training_columns
from sparkml.spark.training.train_many import train_many
from sparkml.training.fit_key import Recipe
from tests.models import save, table
from tests.quiet import Silent

pytestmark = pytest.mark.spark

TREE = "sklearn.tree:DecisionTreeClassifier"
DEEP = {"max_depth": 4}


def sales(stores=6, rows=40):
    """Rows of several stores and two items, with a label of three texts."""
    x = table(stores * rows, seed=1)
    x["store"] = np.repeat(np.arange(stores), rows)
    x["item"] = np.where(np.arange(len(x)) % 2, "ä b", "c.d")
    labels = np.array(["low", "mid", "top"])
    return x.assign(y=labels[np.digitize(x["a"] * (x["store"] + 1), [-0.5, 0.5])])


def jobs_run(spark) -> int:
    """How many Spark jobs this session has run."""
    return len(spark.sparkContext.statusTracker().getJobIdsForGroup(None))


def test_each_key_s_model_is_the_one_that_scikit_learn_fits_by_hand(spark, tmp_path):
    """Bit for bit, through training, the artifact and scoring, with and without clustering."""
    x = sales()
    df = spark.createDataFrame(x.sample(frac=1, random_state=3)).repartition(5)

    trained = train_many(
        df, key=["store", "item"], label="y", estimator=TREE, params=DEEP, output=tmp_path / "m"
    )

    assert (240, 12, 12, 0, 0, False) == (
        trained.rows, trained.keys, trained.models, trained.too_few, trained.failed,
        trained.global_model,
    )  # fmt: skip
    expected = {}
    for _, own in x.groupby(["store", "item"]):
        rows = own.sort_values(["a", "b", "y"])
        model = DecisionTreeClassifier(**DEEP, random_state=0).fit(rows[["a", "b"]], rows["y"])
        for i, label, chances in zip(
            own.index,
            model.predict(own[["a", "b"]]),
            model.predict_proba(own[["a", "b"]]),
            strict=True,
        ):
            found = dict(zip(model.classes_, chances, strict=True))
            expected[i] = (label, [found.get(c, 0.0) for c in ("low", "mid", "top")])
    asked = spark.createDataFrame(x.assign(id=x.index))
    for cluster in (False, True):
        scored = score_by_key(asked, trained.folder, key="id", keep=[], cluster_by_key=cluster)
        got = {r.id: (r.m.prediction, r.m.probability) for r in scored.collect()}
        assert expected == got


def test_linear_models_agree_with_those_fitted_by_hand(spark, tmp_path):
    """To the relative 1e-12 that sums through BLAS leave open; a callable is an estimator too."""
    x = sales().assign(y=lambda t: t["a"] * t["store"] - t["b"])
    df = spark.createDataFrame(x)

    train_many(
        df,
        key="store",
        label="y",
        features=["b", "a"],
        estimator=lambda: LinearRegression(),  # noqa: PLW0108 - a function of the user's own
        output=tmp_path / "m",
    )
    got = score(df, str(tmp_path / "m"), keep=["store", "a", "b"]).toPandas()

    for store, own in got.groupby("store"):
        mine = x[x["store"] == store].sort_values(["b", "a"])
        by_hand = LinearRegression().fit(mine[["b", "a"]], mine["y"]).predict(own[["b", "a"]])
        np.testing.assert_allclose([m["prediction"] for m in own["m"]], by_hand, rtol=1e-12)


def test_the_same_rows_give_the_same_bytes_however_they_lie(spark, tmp_path):
    """Another order, other partitions, another number of tasks: one digest."""
    x = sales()
    options = {
        "key": "store",
        "label": "y",
        "features": ["a", "b"],
        "estimator": "sklearn.ensemble:RandomForestClassifier",
        "params": {"n_estimators": 3},
        "holdout": 0.2,
        "global_model": True,
        "global_rows": 100,
    }

    one = train_many(spark.createDataFrame(x), **options, output=tmp_path / "1", tasks=1)
    mixed = spark.createDataFrame(x.sample(frac=1, random_state=5)).repartition(7)
    two = train_many(mixed, **options, output=tmp_path / "2", tasks=3)

    assert one.digest == two.digest
    index = pq.read_table(tmp_path / "1" / "index.parquet").to_pylist()
    assert [{"store": s} for s in range(6)] == [row["key"] for row in index[:-1]]
    assert index[-1]["key"] is None
    assert 60 < index[-1]["rows"] < 140
    assert all(0 <= row["score"] <= 1 for row in index)


def odd(x):
    """Store 1 has three rows, store 2 a NaN, and two rows no store at all."""
    x = x[(x["store"] != 1) | (x.index % 40 < 3)]
    x = x.assign(store=x["store"].astype("Int64"))
    x.loc[x.index[-2:], "store"] = None
    x.loc[x["store"].eq(2).idxmax(), "a"] = np.nan
    return x


def test_small_groups_and_failing_fits_are_recorded_and_the_job_goes_on(spark, tmp_path):
    """The index says why a key has no model; its rows say so when they are scored."""
    x = odd(sales()).assign(y=1.0)
    df = spark.createDataFrame(x.astype({"store": object}).where(x.notna(), None))
    df = df.selectExpr("cast(store AS int) store", "cast(a AS double) a", "b", "y")
    options = {"key": "store", "label": "y", "estimator": "sklearn.linear_model:LinearRegression"}

    trained = train_many(df, **options, output=tmp_path / "m", max_failed=0.2)

    assert (6, 4, 1, 1, 2) == (
        trained.keys, trained.models, trained.too_few, trained.failed, trained.keyless
    )  # fmt: skip
    index = pq.read_table(tmp_path / "m" / "index.parquet").to_pylist()
    why = {row["key"]["store"]: row["code"] for row in index if row["code"]}
    assert {1: "TOO_FEW_ROWS", 2: "FIT_FAILED"} == why
    rows = score_by_key(
        df.where("store IN (1, 2) AND a IS NOT NULL AND NOT isnan(a)"), tmp_path / "m"
    ).collect()
    assert {"UNKNOWN_KEY"} == {r.error.code for r in rows}
    said = {r.store: r.error.message for r in rows}
    assert "no model for store=1 (TOO_FEW_ROWS: 3 of 10 rows)" in said[1]
    assert "no model for store=2 (FIT_FAILED: ValueError: Input X contains NaN" in said[2]

    before = (tmp_path / "m" / "models.bin").read_bytes()
    with pytest.raises(NotFitted, match=r"1 of 5 keys.*\(2,\): ValueError: Input X contains NaN"):
        train_many(df, **options, output=tmp_path / "m", max_failed=0.1)
    with pytest.raises(NotFitted, match="no key has so many"):
        train_many(df, **options, output=tmp_path / "m", min_rows=1_000)
    assert before == (tmp_path / "m" / "models.bin").read_bytes()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"key": "stor"}, "'stor' is missing.*did you mean 'store'"),
        ({"label": "yy"}, "'yy' is missing"),
        ({"features": ["a", "y"]}, "'y' is named twice"),
        ({"key": []}, "name at least one column"),
        ({"key": "a", "features": ["b"]}, "'a' is double: a key is a whole number"),
        ({"estimator": "sklearn.tree:Tree"}, "no function 'Tree'"),
        ({"estimator": "no.such:thing"}, "cannot be imported"),
        ({"params": {"depth": 3}}, "cannot be called with these params"),
        ({"holdout": 1.0}, "holdout is 1.0"),
    ],
)
def test_a_mistake_is_told_before_any_job(spark, tmp_path, changes, said):
    """On the driver, by name; no job has run."""
    df = spark.createDataFrame(sales(2))
    options = {"key": "store", "label": "y", "features": ["a", "b"], "estimator": TREE}
    before = jobs_run(spark)

    with pytest.raises(SparkMLError, match=said):
        train_many(df, **{**options, **changes}, output=tmp_path / "m")

    assert before == jobs_run(spark)
    assert [] == list(tmp_path.iterdir())


def test_no_rows_and_rows_without_a_label_are_told_before_the_fits(spark, tmp_path):
    """One count of the table; then nothing is fitted."""
    df = spark.createDataFrame([(1, 1.0, None), (1, 2.0, 3.0)], "store int, a double, y double")
    options = {"key": "store", "label": "y", "estimator": "sklearn.linear_model:Ridge"}

    with pytest.raises(
        NullInputError, match=r"1 of 2 rows have no label 'y'.*isnotnull\(`y`\)"
    ) as told:
        train_many(df, **options, output=tmp_path / "m")
    assert df.where(told.value.fix.partition("source.where: ")[2]).count() == 1
    with pytest.raises(SparkMLError, match="no rows to train on"):
        train_many(df.limit(0), **options, output=tmp_path / "m")


def test_a_global_model_without_a_row_is_told(spark, tmp_path):
    """Equal rows are drawn all or not at all; the hash of these is far above a share of 1/50."""
    df = spark.createDataFrame([(1, 1.0, 1.0)] * 50, "store int, a double, y double")
    options = {"key": "store", "label": "y", "estimator": "sklearn.linear_model:Ridge"}

    with pytest.raises(NotFitted, match="not one row was drawn"):
        train_many(df, **options, output=tmp_path / "m", global_model=True, global_rows=1)
    assert [] == list(tmp_path.iterdir())


def test_one_shuffle_brings_the_rows_of_a_key_together(spark):
    """The grouping uses the partitions and the order that the sort made, and adds none."""
    df = spark.createDataFrame(sales(2))
    columns = training_columns(df, ["store"], ["a", "b"], "y", where="test")
    recipe = Recipe(estimator=TREE, features=columns.features, label="y")

    plan = fitted(df, columns, recipe)._jdf.queryExecution().executedPlan().toString()

    assert (1, 1) == (plan.count("Exchange"), plan.count("Sort "))


def test_a_job_trains_registers_and_another_scores_by_the_registered_name(spark, tmp_path):
    """Over Delta, end to end: unknown keys in quarantine, in the same commit as the others."""
    x = sales(4)
    spark.createDataFrame(x).write.format("delta").save(f"{tmp_path}/sales")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    (tmp_path / "train.yaml").write_text(
        f"""
        source: {{format: delta, path: {tmp_path}/sales}}
        steps: [{{column: store, expr: CAST(store AS INT)}}]
        key: [store, item]
        label: y
        features: [a, b]
        model: {{estimator: "{TREE}", params: {{max_depth: 3}}}}
        holdout: 0.25
        output: {tmp_path}/model
        registry: {{tracking_uri: "{uri}", experiment: e, artifacts: {tmp_path}/artifacts}}
        register: {{name: by_store, alias: champion}}
        result: {tmp_path}/result.json
        """
    )
    (tmp_path / "score.yaml").write_text(
        f"""
        models: {{by_store: {{uri: "models:/by_store@champion"}}}}
        registry: {{tracking_uri: "{uri}"}}
        trust: promised
        source: {{format: delta, path: {tmp_path}/sales}}
        steps:
          - {{column: id, expr: hash(*)}}
          - {{column: store, expr: "CAST(if(store = 3, 99, store) AS INT)"}}
        key: id
        keep: store
        max_quarantine: 0.3
        sink: {{format: delta, path: {tmp_path}/scores}}
        """
    )

    trained = train_many_job.run(load_as(TrainManyConfig, tmp_path / "train.yaml"), report=Silent())
    outcome = score_job.run(load_config(tmp_path / "score.yaml"), report=Silent())

    assert "models:/by_store/1 @champion" == trained.uri
    assert trained.uri == json.loads((tmp_path / "result.json").read_text())["uri"]
    assert trained.digest == outcome.models[0]["digest"]
    assert (160, 120, 40) == (outcome.rows, outcome.scored, outcome.quarantined)
    stored = spark.read.format("delta").load(f"{tmp_path}/scores").toPandas()
    unknown = stored["store"] == 99
    assert {"UNKNOWN_KEY"} == {e["code"] for e in stored["error"][unknown]}
    assert stored["error"][~unknown].isna().all()
    strict = load_config(tmp_path / "score.yaml", sets=["max_quarantine=0.2"])
    with pytest.raises(QuarantineLimit):
        score_job.run(strict, report=Silent())


def test_score_by_key_takes_each_default_and_refuses_another_model(spark, tmp_path):
    """Quarantine, the global model, or null; whatever does not fit is told before any task."""
    x = sales(2)
    df = spark.createDataFrame(x)
    train_many(
        df, key="store", label="y", features=["a", "b"], estimator=TREE, params=DEEP,
        output=tmp_path / "m", global_model=True,
    )  # fmt: skip
    spec = read_spec(str(tmp_path / "m"))
    asked = df.selectExpr("a", "b", "store + 1 AS store")

    def told(**options):
        rows = score_by_key(asked, spec, **options).where("store = 2").collect()
        assert 40 == len(rows)
        return {(r.m.prediction is None, r.error.code if r.error else None) for r in rows}

    assert {(True, "UNKNOWN_KEY")} == told()
    assert {(True, None)} == told(unknown_key="null")
    assert {(False, None)} == told(unknown_key="global")
    with pytest.raises(ConfigError, match="did you mean 'global'"):
        score_by_key(asked, spec, unknown_key="globl")
    other = save(LinearRegression().fit(x[["a", "b"]], x["a"]), tmp_path, name="other")
    with pytest.raises(SparkMLError, match="keyed"):
        score_by_key(asked, other.uri)


def test_a_lone_vector_column_is_the_matrix_of_the_features(spark, tmp_path):
    """Arrays travel, sort and fit as they are."""
    x = sales(2)
    df = spark.createDataFrame(x).selectExpr("store", "y", "array(a, b) v")

    train_many(df, key="store", label="y", estimator=TREE, params=DEEP, output=tmp_path / "m")
    got = score(df, str(tmp_path / "m"), keep=["store", "v"]).toPandas()

    for store, own in got.groupby("store"):
        mine = x[x["store"] == store].sort_values(["a", "b", "y"])
        model = DecisionTreeClassifier(**DEEP, random_state=0)
        model.fit(mine[["a", "b"]].to_numpy(), mine["y"])
        vectors = pd.DataFrame(own["v"].tolist()).to_numpy()
        assert model.predict(vectors).tolist() == [m["prediction"] for m in own["m"]]


def test_a_vector_of_texts_is_refused_before_the_job(spark):
    """Every key would fail on it."""
    rows = spark.createDataFrame([(1, ["a"], 1.0)], "store int, x array<string>, y double")

    with pytest.raises(SignatureError, match=r"'x' is list<string>: the elements .* are numbers"):
        training_columns(rows, ["store"], [], "y", where="here")
