"""Spark ML models give, row for row, the bits of their own `transform`, and lose no row."""

from __future__ import annotations

import itertools
import math

import pytest
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.ml import Pipeline
from pyspark.ml.classification import (
    GBTClassifier,
    LinearSVC,
    LogisticRegression,
    NaiveBayes,
    OneVsRest,
    RandomForestClassifier,
)
from pyspark.ml.clustering import BisectingKMeans, GaussianMixture, KMeans
from pyspark.ml.feature import (
    PCA,
    Bucketizer,
    HashingTF,
    Imputer,
    IndexToString,
    OneHotEncoder,
    StandardScaler,
    StringIndexer,
    Tokenizer,
    VectorAssembler,
    VectorIndexer,
)
from pyspark.ml.functions import vector_to_array
from pyspark.ml.linalg import Vectors
from pyspark.ml.regression import GBTRegressor, GeneralizedLinearRegression, LinearRegression

from sparkml import read_spec, score
from tests.models import stored

pytestmark = pytest.mark.spark

NUMBERS = (0.5, -0.0, 1.7e9, float(2**60), 5e-324, math.inf, -math.inf, math.nan, None)
LABELS = ("x", "y", "é", "unseen", "", None)
ODD = [(i, *row) for i, row in enumerate(itertools.product(NUMBERS, LABELS))]


@pytest.fixture(scope="module")
def trained(spark):
    """A table to fit on: numbers, a text, words, a vector, three classes and a target."""
    rows = []
    for i in range(120):
        a, b = math.sin(i) * 3, (i * 7 % 23) / 5
        c = "xyé"[(i * 5 // 3) % 3]
        vector = Vectors.dense(a, b, float(i % 3))
        kind = float((a > b - 2) + (c == "y"))
        rows.append((i, a, b, c, f"{c} word{i % 4}", vector, kind, a * 2 + b))
    names = ["id", "a", "b", "c", "text", "vector", "kind", "target"]
    return spark.createDataFrame(rows, names).coalesce(1).cache()


def refused(spark, model, row) -> bool:
    """Whether Spark itself raises on this row, or drops it."""
    try:
        return not model.transform(
            spark.createDataFrame([row], "id long, a double, c string")
        ).collect()
    except (PySparkException, Py4JError):
        return True


def fitted(trained, invalid: str):
    """A classifier over an indexed text and a number, with one `handleInvalid` throughout."""
    return Pipeline(
        stages=[
            StringIndexer(inputCol="c", outputCol="ci", handleInvalid=invalid),
            OneHotEncoder(
                inputCols=["ci"],
                outputCols=["co"],
                handleInvalid="error" if invalid == "skip" else invalid,
            ),
            VectorAssembler(inputCols=["co", "a"], outputCol="features", handleInvalid=invalid),
            LogisticRegression(labelCol="kind", maxIter=4),
        ]
    ).fit(trained)


@pytest.mark.parametrize("invalid", ["error", "keep", "skip"])
def test_odd_values_are_scored_or_set_aside_as_spark_itself_takes_or_refuses_them(
    spark, trained, tmp_path, invalid
):
    """NaN, infinities, nulls, epochs and unseen labels: every row comes back exactly once."""
    model = fitted(trained, invalid)
    model = stored(model, str(tmp_path / "m"))
    df = spark.createDataFrame(ODD, "id long, a double, c string")
    taken = (
        df
        if invalid != "error"
        else df.where("a is not null and not isnan(a)").where("c in ('x', 'y', 'é')")
    )
    native = {r.id: r for r in model.transform(taken).collect()}
    if invalid == "error":  # what the filter left out is what Spark raises on
        out = [row for row in ODD if row[0] not in native]
        assert all(refused(spark, model, row) for row in out[::4])

    rows = score(df, read_spec(str(tmp_path / "m"), nulls="model")).collect()

    assert [row[0] for row in ODD] == sorted(r.id for r in rows)
    codes = {r.id: r.error and r.error.code for r in rows}
    for r in rows:
        expected = native.get(r.id)
        if expected is None:
            assert (r.m.prediction, codes[r.id]) == (None, "MODEL_EXCEPTION")
        elif not all(map(math.isfinite, expected.probability)):
            assert (r.m.prediction, codes[r.id]) == (None, "NON_FINITE_SCORE")
        else:
            assert codes[r.id] is None
            assert expected.prediction == r.m.prediction
            assert expected.probability.toArray().tolist() == r.m.probability
    seen = {None, "NON_FINITE_SCORE", *(["MODEL_EXCEPTION"] if invalid != "keep" else [])}
    assert seen == set(codes.values())


PREDICTORS = {
    "logistic": lambda: LogisticRegression(labelCol="kind", maxIter=3),
    "forest": lambda: RandomForestClassifier(labelCol="kind", numTrees=4, seed=1),
    "boosted": lambda: GBTClassifier(labelCol="two", maxIter=3),
    "svc": lambda: LinearSVC(labelCol="two", maxIter=3),
    "bayes": lambda: NaiveBayes(labelCol="kind", modelType="gaussian"),
    "one against rest": lambda: OneVsRest(
        classifier=LogisticRegression(maxIter=2), labelCol="kind"
    ),
    "linear": lambda: LinearRegression(labelCol="target", maxIter=3),
    "glm": lambda: GeneralizedLinearRegression(labelCol="target", maxIter=3),
    "boosted regressor": lambda: GBTRegressor(labelCol="target", maxIter=3),
    "k-means": lambda: KMeans(k=3, seed=1),
    "bisecting k-means": lambda: BisectingKMeans(k=3, seed=1),
    "mixture": lambda: GaussianMixture(k=2, seed=1, maxIter=3),
}


# PySpark's own OneVsRest.fit leaves a thread pool to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", PREDICTORS)
def test_a_predictor_alone_takes_vectors_and_arrays(spark, trained, tmp_path, name):
    """Saved without a pipeline: the same bits from a vector column and from an array column."""
    df = trained.selectExpr("id", "vector as features", "kind", "least(kind, 1D) two", "target")
    model = PREDICTORS[name]().fit(df)
    model = stored(model, str(tmp_path / "m"))
    native = {r.id: r for r in model.transform(df).collect()}
    spec = read_spec(str(tmp_path / "m"))

    vectors = score(df, spec, key="id", keep=[]).collect()
    arrays = score(
        df.withColumn("features", vector_to_array("features")), spec, key="id", keep=[]
    ).collect()

    assert 3 == spec.signature.inputs[0].length
    for r in [*vectors, *arrays]:
        assert r.error is None
        assert native[r.id].prediction == r.m.prediction
        if "probability" in r.m:
            assert native[r.id].probability.toArray().tolist() == r.m.probability
    assert 2 * df.count() == len(vectors) + len(arrays)


PIPELINES = {
    "imputed and scaled": lambda: [
        Imputer(inputCols=["a", "b"], outputCols=["ai", "bi"]),
        VectorAssembler(inputCols=["ai", "bi"], outputCol="v"),
        StandardScaler(inputCol="v", outputCol="s", withMean=True),
        PCA(k=2, inputCol="s", outputCol="features"),
    ],
    "words": lambda: [
        Tokenizer(inputCol="text", outputCol="words"),
        HashingTF(inputCol="words", outputCol="features", numFeatures=32),
    ],
    "buckets": lambda: [
        Bucketizer(inputCol="a", outputCol="ab", splits=[-3.0, -1.0, 0.0, 3.0]),
        VectorAssembler(inputCols=["ab", "b"], outputCol="features"),
    ],
    "vector categories": lambda: [
        VectorIndexer(inputCol="vector", outputCol="features", maxCategories=4),
    ],
}


@pytest.mark.parametrize("name", PIPELINES)
def test_pipelines_of_several_shapes(trained, tmp_path, name):
    """Imputers, projections, texts, buckets, vector categories: the pipeline's own bits."""
    forest = RandomForestClassifier(labelCol="kind", numTrees=3, seed=1)
    model = Pipeline(stages=[*PIPELINES[name](), forest]).fit(trained)
    model = stored(model, str(tmp_path / "m"))
    native = {r.id: r for r in model.transform(trained).collect()}

    rows = score(trained, read_spec(str(tmp_path / "m")), key="id", keep=[]).collect()

    assert len(native) == len(rows)
    for r in rows:
        assert r.error is None, name
        assert native[r.id].probability.toArray().tolist() == r.m.probability


def test_a_label_is_given_back_as_the_text_it_was(trained, tmp_path):
    """The target's own indexer is not asked for at scoring; `IndexToString` gives the label."""
    target = StringIndexer(inputCol="c", outputCol="label").fit(trained)
    stages = [
        target,
        VectorAssembler(inputCols=["a", "b"], outputCol="features"),
        RandomForestClassifier(numTrees=3, seed=1),
        IndexToString(inputCol="prediction", outputCol="said", labels=target.labels),
    ]
    model = Pipeline(stages=stages).fit(trained)
    model = stored(model, str(tmp_path / "m"))
    native = {r.id: r.said for r in model.transform(trained).collect()}
    spec = read_spec(str(tmp_path / "m"), outputs=["prediction", "margin"])

    rows = score(trained.drop("c"), spec, key="id", keep=[]).collect()

    assert ("a", "b") == spec.signature.names
    assert native == {r.id: r.m.prediction for r in rows}
    assert {3} == {len(r.m.margin) for r in rows}
