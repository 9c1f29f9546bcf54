"""Spark ML models behind `score` and the job: every row once, null policies, clear refusals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pyspark.ml import Pipeline
from pyspark.ml.classification import LogisticRegression, RandomForestClassifier
from pyspark.ml.feature import (
    CountVectorizer,
    SQLTransformer,
    StringIndexer,
    Tokenizer,
    VectorAssembler,
)
from pyspark.ml.linalg import Vectors
from sklearn.linear_model import LinearRegression

from sparkml import load_scorer, read_spec, register_sql, score, score_udf
from sparkml.config import load_config
from sparkml.errors import ModelUnreadable, NullInputError, SignatureError, UnsupportedFlavor
from sparkml.models.host_cache import cached_folder
from sparkml.models.read import open_predictor
from sparkml.spark import run as runs
from sparkml.spark.failures import explained
from sparkml.spark.ml.load import load_stages
from sparkml.spec import Field, Signature
from tests.models import save, stored, table
from tests.quiet import Silent

pytestmark = pytest.mark.spark

NAN = float("nan")


@pytest.fixture(scope="module")
def rows(spark):
    """A number, a text, a second number, and a target of two classes."""
    x = table(150)
    x["c"] = ["x" if a > 0 else "y" for a in x["a"]]
    x["label"] = (x["a"] > x["b"]).astype(float)
    return spark.createDataFrame(x).coalesce(1).cache()


@pytest.fixture(scope="module")
def pipe(rows, tmp_path_factory):
    """A pipeline that raises on what it does not know, and its folder."""
    stages = [
        StringIndexer(inputCol="c", outputCol="ci"),
        VectorAssembler(inputCols=["a", "b", "ci"], outputCol="features"),
        LogisticRegression(maxIter=3),
    ]
    model = Pipeline(stages=stages).fit(rows)
    path = tmp_path_factory.mktemp("pipe") / "m"
    model = stored(model, str(path))
    return model, str(path)


def native(model, df) -> list[tuple[float, list[float]]]:
    """What the pipeline itself gives."""
    made = model.transform(df).select("prediction", "probability").collect()
    return [(r.prediction, r.probability.toArray().tolist()) for r in made]


def test_the_rows_come_back_with_the_pipeline_s_numbers_and_no_python_worker(spark, rows, pipe):
    """Columns of the table that are called as the pipeline's own, or oddly, are just kept."""
    model, path = pipe
    odd = ["prediction", "features", "a.b", "`t", "rawPrediction", "_sparkml"]
    df = rows.select("*", *[rows.label.alias(name) for name in odd]).drop("label")

    scored = score(df, read_spec(path), key="prediction")

    assert ["prediction", "a", "b", "c", *odd[1:], "m", "error"] == scored.columns
    assert "Python" not in scored._jdf.queryExecution().executedPlan().toString()
    got = scored.collect()
    assert native(model, rows) == [(r.m.prediction, r.m.probability) for r in got]
    assert {None} == {r.error for r in got}
    assert [r.label for r in rows.collect()] == [r["a.b"] for r in got]


MISSING = [(0, 1.0, 1.0, "x"), (1, None, 1.0, "x"), (2, NAN, 1.0, "x"), (3, 1.0, 1.0, None)]
UNSEEN = [(4, 1.0, 1.0, "unseen"), (5, None, 1.0, "unseen")]


NULL, MODEL = "NULL_INPUT", "MODEL_EXCEPTION"


@pytest.mark.parametrize(
    ("nulls", "codes"),
    [
        ("quarantine", [None, NULL, NULL, NULL, MODEL, NULL]),
        ("propagate", [None, None, None, None, MODEL, None]),
        ("model", [None, MODEL, MODEL, MODEL, MODEL, MODEL]),
        ({"a": {"fill": 1.0}, "*": "propagate"}, [None, None, None, None, MODEL, MODEL]),
        ({"a": "propagate", "c": "quarantine"}, [None, None, None, NULL, MODEL, None]),
    ],
)
def test_each_null_policy_and_an_unseen_label(spark, pipe, nulls, codes):
    """No row is lost, no job dies; a row without a score says why, or nothing, as declared."""
    model, path = pipe
    df = spark.createDataFrame([*MISSING, *UNSEEN], "id long, a double, b double, c string")
    [(prediction, probability)] = native(model, df.where("id = 0"))

    got = sorted(score(df, read_spec(path, nulls=nulls)).collect(), key=lambda r: r.id)

    assert codes == [r.error and r.error.code for r in got]
    scored = [r.id for r in got if r.m.prediction is not None]
    filled = [1, 2] if isinstance(nulls, dict) and isinstance(nulls["a"], dict) else []
    assert [0, *filled] == scored
    for i in scored:
        assert (prediction, probability) == (got[i].m.prediction, got[i].m.probability)


def test_a_row_that_is_set_aside_tells_its_column_and_its_inputs(spark, pipe):
    """The same struct that the Python scorer fills."""
    _, path = pipe
    rows = [(1.0, 2.0, "unseen"), (float("inf"), None, "x")]
    df = spark.createDataFrame(rows, "a double, b double, c string")

    unseen, missing = [r.error for r in score(df, read_spec(path, name="m")).collect()]

    assert ("MODEL_EXCEPTION", "c") == (unseen.code, unseen.column)
    assert "StringIndexer" in unseen.message
    assert {"c": "unseen", "a": 1.0, "b": 2.0} == json.loads(unseen.payload)
    assert ("NULL_INPUT", "m: 'b' is null or NaN", "b") == (
        missing.code,
        missing.message,
        missing.column,
    )
    assert {"c": "x", "a": "Infinity", "b": None} == json.loads(missing.payload)


def test_a_null_fails_the_job_where_that_is_declared(spark, pipe):
    """The failure is our own error again on the driver."""
    _, path = pipe
    df = spark.createDataFrame(MISSING, "id long, a double, b double, c string")

    with pytest.raises(NullInputError, match="no value in 'c'"), explained():
        score(df, read_spec(path, nulls={"c": "fail"})).collect()


def test_models_of_both_kinds_are_scored_in_one_pass(spark, rows, pipe, tmp_path):
    """Rows go to Python once, with the scores that Spark made; the first error of a row stands."""
    model, path = pipe
    x = table(60)
    linear = LinearRegression().fit(x, x["a"])
    first = read_spec(path, name="first")
    last = read_spec(path, name="a")  # as a column that is not kept
    middle = save(linear, tmp_path, name="middle")
    df = rows.select("c", "a", "b").limit(5).union(spark.sql("SELECT 'unseen', null, 1D"))

    scored = score(df, first, middle, last, keep="c")

    assert ["c", "first", "middle", "a", "error"] == scored.columns
    assert 1 == scored._jdf.queryExecution().executedPlan().toString().count("MapInArrow")
    *good, bad = scored.collect()
    expected = native(model, rows.limit(5))
    assert expected == [(r.first.prediction, r.first.probability) for r in good]
    assert expected == [(r.a.prediction, r.a.probability) for r in good]
    wanted = linear.predict(rows.limit(5).select("a", "b").toPandas())
    assert pytest.approx(wanted, rel=1e-12) == [r.middle.prediction for r in good]
    assert (None, None, None) == (bad.first.prediction, bad.middle.prediction, bad.a.prediction)
    assert bad.error.message.startswith("first: 'a' is null")


def test_vectors_of_a_wrong_length_or_without_values_are_set_aside(spark, rows, tmp_path):
    """Arrays and vectors, dense and sparse; a NaN inside goes to the model where declared."""
    forest = RandomForestClassifier(numTrees=3, seed=1)
    assembler = VectorAssembler(inputCols=["a", "b"], outputCol="features")
    model = forest.fit(assembler.transform(rows))
    model = stored(model, str(tmp_path / "m"))
    given = [[1.0, 2.0], [1.0], [1.0, 2.0, 3.0], None, [1.0, None], [1.0, NAN], []]
    arrays = spark.createDataFrame(list(enumerate(given)), "id long, features array<double>")
    sparse = Vectors.sparse(2, [1], [2.0])
    vectors = spark.createDataFrame(
        [(0, sparse), (1, Vectors.sparse(5, [1], [2.0])), (2, Vectors.dense(1.0, NAN))],
        ["id", "features"],
    )

    strict = score(arrays, read_spec(str(tmp_path / "m"))).collect()
    loose = score(arrays, read_spec(str(tmp_path / "m"), nulls="model")).collect()
    kept = score(vectors, read_spec(str(tmp_path / "m"))).collect()

    wrong, empty = MODEL, NULL
    assert [None, wrong, wrong, empty, empty, empty, wrong] == [
        r.error and r.error.code for r in strict
    ]
    assert [None, wrong, wrong, wrong, None, None, wrong] == [
        r.error and r.error.code for r in loose
    ]
    assert [None, wrong, empty] == [r.error and r.error.code for r in kept]
    assert model.predict(sparse) == kept[0].m.prediction
    assert model.predictProbability(Vectors.dense(1.0, NAN)).toArray().tolist() == (
        loose[5].m.probability
    )
    assert [1.0, 2.0, 3.0] == json.loads(strict[2].error.payload)["features"]


def test_a_pipeline_that_may_lose_rows_or_columns_is_refused(spark, rows, tmp_path):
    """SQL of the model's own is fine as long as it gives a row for a row, and all columns."""
    declared = Signature(inputs=tuple(Field(name=n, type="double") for n in "ab"))

    def spec_of(statement: str, name: str):
        stages = [
            SQLTransformer(statement=statement),
            VectorAssembler(inputCols=["a", "d"], outputCol="features"),
            LogisticRegression(maxIter=2),
        ]
        model = Pipeline(stages=stages).fit(rows)
        model = stored(model, str(tmp_path / name))
        return model, read_spec(str(tmp_path / name), signature=declared)

    model, fine = spec_of("SELECT *, a - b AS d FROM __THIS__", "fine")
    _, filters = spec_of("SELECT *, a - b AS d FROM __THIS__ WHERE a > 0", "filters")
    _, narrow = spec_of("SELECT a, double(a > b) AS label, a - b AS d FROM __THIS__", "narrow")

    got = [(r.fine.prediction, r.fine.probability) for r in score(rows, fine).collect()]
    assert native(model, rows) == got
    with pytest.raises(UnsupportedFlavor, match="makes a Filter, which may lose"):
        score(rows, filters)
    with pytest.raises(UnsupportedFlavor, match="only some of the columns"):
        score(rows, narrow)


def test_columns_that_the_stages_cannot_take_are_refused_before_any_row_is_read(spark, pipe):
    """A feature too many, declared as a vector, is seen from the schema."""
    _, path = pipe
    inputs = (
        Field(name="a", type="list<double>", length=2),
        Field(name="b", type="double"),
        Field(name="c", type="string"),
    )
    spec = read_spec(path, signature=Signature(inputs=inputs))
    df = spark.createDataFrame([([1.0, 2.0], 1.0, "x")], "a array<double>, b double, c string")

    with pytest.raises(SignatureError, match="4 features reach LogisticRegression"):
        score(df, spec)


def test_a_column_function_or_a_scorer_cannot_score_it(spark, pipe):
    """`score_udf`, `register_sql` and `load_scorer` say so on the driver."""
    _, path = pipe
    spec = read_spec(path)

    with pytest.raises(UnsupportedFlavor, match="no column function"):
        score_udf(spec, spark=spark)
    with pytest.raises(UnsupportedFlavor, match="no column function"):
        register_sql(spark, "f", spec)
    assert spec == load_scorer(spec).spec


def test_a_stage_that_spark_cannot_load_is_named(spark, rows, pipe, tmp_path):
    """Its metadata are whole, its data are not."""
    stored(pipe[0], str(tmp_path / "m"))  # not loaded before: it is saved at another moment
    spec = read_spec(str(tmp_path / "m"))
    predictor = open_predictor(spec)
    [data] = (cached_folder(spec.digest) / "stages").glob("0_*/data")
    held = {p: p.read_bytes() for p in data.iterdir()}
    for p in held:
        p.unlink()
    try:
        with pytest.raises(ModelUnreadable, match="cannot load the stage StringIndexer"):
            load_stages(spark, spec, predictor)
    finally:
        for p, content in held.items():
            p.write_bytes(content)


@pytest.fixture(scope="module")
def registry(pipe, tmp_path_factory):
    """The pipeline and a scikit-learn model in one registry; its URI and the second model."""
    import warnings

    import mlflow
    from mlflow.models import infer_signature

    home = tmp_path_factory.mktemp("registry")
    uri = f"sqlite:///{home}/mlflow.db"
    x = table(60)
    linear = LinearRegression().fit(x, x["a"])
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")  # how MLflow logs a model is not what is tested
        patch.setenv("MLFLOW_DFS_TMP", str(home / "dfs"))
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        number = mlflow.create_experiment("e", artifact_location=(home / "artifacts").as_uri())
        with mlflow.start_run(experiment_id=number):
            mlflow.spark.log_model(pipe[0], artifact_path="pipe", registered_model_name="pipe")
            mlflow.sklearn.log_model(
                linear,
                name="linear",
                signature=infer_signature(x, linear.predict(x)),
                registered_model_name="linear",
            )
    return uri, linear


def test_a_registered_pipeline_goes_into_delta_beside_a_python_model(
    spark, rows, pipe, registry, tmp_path
):
    """One job, one commit: both models' numbers, the quarantined rows counted, nothing leaked."""
    uri, linear = registry
    bad = [(7.0, 1.0, "unseen"), (None, 1.0, "x")]
    source = rows.drop("label").union(spark.createDataFrame(bad, "a double, b double, c string"))
    source.write.format("delta").save(str(tmp_path / "in"))
    config = {
        "models": {
            "pipe": {"uri": "models:/pipe/1"},
            "linear": {"uri": "models:/linear/1"},
        },
        "registry": {"tracking_uri": uri},
        "source": {"format": "delta", "path": str(tmp_path / "in")},
        "key": ["a", "b"],
        "keep": ["c"],
        "max_quarantine": 0.5,
        "sink": {"format": "delta", "path": str(tmp_path / "out"), "partition_by": ["c"]},
    }
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(config))
    loaded = load_config(str(tmp_path / "job.yaml"), env={})

    outcome = runs.run(loaded, report=Silent())

    stored = spark.read.format("delta").load(str(tmp_path / "out"))
    assert ["a", "b", "c", "linear", "pipe", "error", "provenance"] == stored.columns
    good = stored.where("error is null").collect()
    assert (152, 2) == (outcome.rows, outcome.quarantined)
    expected = {
        (r.a, r.b): (r.prediction, r.probability.toArray().tolist())
        for r in pipe[0].transform(rows).collect()
    }
    assert expected == {(r.a, r.b): (r.pipe.prediction, r.pipe.probability) for r in good}
    wanted = linear.predict(stored.where("error is null").select("a", "b").toPandas())
    assert pytest.approx(wanted, rel=1e-9) == [r.linear.prediction for r in good]
    codes = {r.c: r.error.code for r in stored.where("error is not null").collect()}
    assert {"unseen": "MODEL_EXCEPTION", "x": "NULL_INPUT"} == codes


def test_the_stages_are_loaded_once(spark, rows, pipe, tmp_path):
    """Not for each call of `score`; what one call makes of them is not seen by the next."""
    stored(pipe[0], str(tmp_path / "m"))
    spec = read_spec(str(tmp_path / "m"))
    df = spark.createDataFrame(
        [(0, 1.0, 1.0, "x"), *UNSEEN], "id int, a double, b double, c string"
    )
    first = score(df, spec, key="id").collect()
    jobs = jobs_of(spark)
    again = score(df, spec, key="id")

    assert jobs == jobs_of(spark)
    assert first == again.collect()
    assert [None, "MODEL_EXCEPTION", "NULL_INPUT"] == [r.error and r.error.code for r in first]


def jobs_of(spark) -> int:
    """How many jobs this Spark has started."""
    return spark.sparkContext._jsc.sc().dagScheduler().nextJobId()


RESTARTED = """
import sys
from sparkml import read_spec, score
from sparkml.spark.session import build_session
spec = read_spec(sys.argv[1])
for _ in range(2):
    spark = build_session("local[1]", {"spark.ui.enabled": "false"}, tuned=True)
    [row] = score(spark.sql("SELECT 'a b b' t"), spec, keep=[]).collect()
    print(row.m.prediction, row.error)
    spark.stop()
"""


def test_a_stage_of_a_stopped_session_is_not_used_again(spark, tmp_path):
    """A CountVectorizerModel holds a broadcast, which is gone with its session."""
    texts = spark.createDataFrame([("a a", 0.0), ("b b", 1.0)] * 9, "t string, label double")
    stages = [
        Tokenizer(inputCol="t", outputCol="w"),
        CountVectorizer(inputCol="w", outputCol="features"),
        LogisticRegression(maxIter=3),
    ]
    stored(Pipeline(stages=stages).fit(texts), str(tmp_path / "m"))
    done = subprocess.run(
        [sys.executable, "-c", RESTARTED, str(tmp_path / "m")],
        env=os.environ,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == done.returncode, done.stderr
    assert ["1.0 None"] * 2 == done.stdout.splitlines()[-2:]


CLUSTER = """
import sys
from sparkml import read_spec, score
from sparkml.spark.session import build_session
model, home = sys.argv[1:]
conf = {
    "spark.ui.enabled": "false", "spark.executor.memory": "512m",
    "spark.sql.warehouse.dir": f"file://{home}/warehouse",
    "spark.hadoop.fs.defaultFS": "viewfs://c",
    "spark.hadoop.fs.viewfs.mounttable.c.linkFallback": f"file://{home}/remote",
}
for _ in range(2):  # the second finds the copy
    spark = build_session("local-cluster[1,1,1024]", conf, tuned=True)
    df = spark.sql("SELECT 1D a, 2D b, 'x' c")
    [row] = score(df, read_spec(model), keep=[]).collect()
    spark.stop()
print(row.m.prediction, row.m.probability)
"""


def test_executors_read_the_model_from_the_cluster_s_file_system(spark, pipe, tmp_path):
    """With a default file system that is not the host's, the model lies there once, by digest."""
    model, path = pipe
    (tmp_path / "remote").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", CLUSTER, path, str(tmp_path)],
        env=os.environ,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == done.returncode, done.stderr
    [(prediction, probability)] = native(model, spark.sql("SELECT 1D a, 2D b, 'x' c"))
    assert f"{prediction} {probability}" == done.stdout.splitlines()[-1]
    held = [p.name for p in (tmp_path / "remote").rglob("models/*")]
    assert [read_spec(path).digest] == held
