"""Every family of scikit-learn models gives, through Arrow, what the library itself gives."""

from __future__ import annotations

import warnings

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import (
    calibration,
    cluster,
    compose,
    datasets,
    decomposition,
    discriminant_analysis,
    dummy,
    ensemble,
    feature_extraction,
    gaussian_process,
    impute,
    isotonic,
    linear_model,
    mixture,
    model_selection,
    multiclass,
    multioutput,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    svm,
    tree,
)

from sparkml.models.read import open_predictor, read_spec
from sparkml.spec import Field, Signature

X, Y = datasets.make_classification(
    240, 6, n_informative=5, n_redundant=0, n_classes=3, random_state=0
)
X = np.abs(X)
NUMBERS = X @ np.arange(1.0, 7.0)
TEXTS = np.array(["low", "mid", "high"])[Y]
UNSEEN = np.abs(np.random.default_rng(1).normal(size=(300, 6))) * 2

CLASSIFIERS = {
    "calibrated svc": calibration.CalibratedClassifierCV(svm.SVC(), ensemble=False, cv=3),
    "lda": discriminant_analysis.LinearDiscriminantAnalysis(),
    "qda": discriminant_analysis.QuadraticDiscriminantAnalysis(),
    "ada boost": ensemble.AdaBoostClassifier(n_estimators=5),
    "bagging": ensemble.BaggingClassifier(n_estimators=5, random_state=0),
    "extra trees": ensemble.ExtraTreesClassifier(5, n_jobs=2, random_state=0),
    "gradient boosting": ensemble.GradientBoostingClassifier(n_estimators=5),
    "hist gradient boosting": ensemble.HistGradientBoostingClassifier(max_iter=5),
    "random forest": ensemble.RandomForestClassifier(5, n_jobs=2, verbose=1, random_state=0),
    "stacking": ensemble.StackingClassifier(
        [("tree", tree.DecisionTreeClassifier(max_depth=2)), ("bayes", naive_bayes.GaussianNB())]
    ),
    "voting": ensemble.VotingClassifier(
        [("tree", tree.DecisionTreeClassifier(max_depth=2)), ("bayes", naive_bayes.GaussianNB())],
        voting="soft",
    ),
    "gaussian process": gaussian_process.GaussianProcessClassifier(max_iter_predict=5),
    "logistic": linear_model.LogisticRegression(max_iter=500),
    "logistic cv": linear_model.LogisticRegressionCV(
        Cs=2, cv=2, max_iter=500, l1_ratios=(0.0,), use_legacy_attributes=False, scoring="accuracy"
    ),
    "sgd": linear_model.SGDClassifier(loss="log_loss", random_state=0),
    "sgd huber": linear_model.SGDClassifier(loss="modified_huber", random_state=0),
    "one against rest": multiclass.OneVsRestClassifier(linear_model.LogisticRegression()),
    "bernoulli": naive_bayes.BernoulliNB(binarize=0.5),
    "complement": naive_bayes.ComplementNB(),
    "gaussian bayes": naive_bayes.GaussianNB(),
    "multinomial": naive_bayes.MultinomialNB(),
    "neighbours": neighbors.KNeighborsClassifier(),
    "neighbours, brute": neighbors.KNeighborsClassifier(algorithm="brute"),
    "neighbours, by distance": neighbors.KNeighborsClassifier(weights="distance"),
    "radius": neighbors.RadiusNeighborsClassifier(radius=50.0),
    "perceptron": neural_network.MLPClassifier((4,), max_iter=1000, tol=1e-2, random_state=0),
    "tree": tree.DecisionTreeClassifier(max_depth=3),
    "extra tree": tree.ExtraTreeClassifier(max_depth=3, random_state=0),
    "svc": svm.SVC(),
    "ridge classifier": linear_model.RidgeClassifier(),
    "dummy": dummy.DummyClassifier(strategy="prior"),
    "search": model_selection.GridSearchCV(
        tree.DecisionTreeClassifier(random_state=0), {"max_depth": [2, 3]}, cv=2
    ),
    "pipeline": pipeline.make_pipeline(
        preprocessing.StandardScaler(),
        "passthrough",
        decomposition.PCA(3),
        linear_model.LogisticRegression(),
    ),
    "pipeline of pandas": pipeline.make_pipeline(
        preprocessing.StandardScaler().set_output(transform="pandas"),
        ensemble.RandomForestClassifier(5, random_state=0),
    ),
    "pipeline in a pipeline": pipeline.make_pipeline(
        impute.SimpleImputer(),
        pipeline.make_pipeline(
            preprocessing.MinMaxScaler(), ensemble.GradientBoostingClassifier(n_estimators=3)
        ),
    ),
}

OTHERS = {
    "linear": (linear_model.LinearRegression(), NUMBERS),
    "poisson": (linear_model.PoissonRegressor(), NUMBERS),
    "forest": (ensemble.RandomForestRegressor(5, random_state=0), NUMBERS),
    "boosting": (ensemble.GradientBoostingRegressor(n_estimators=5), NUMBERS),
    "hist boosting": (ensemble.HistGradientBoostingRegressor(max_iter=5), NUMBERS),
    "svr": (svm.SVR(), NUMBERS),
    "kernel process": (gaussian_process.GaussianProcessRegressor(), NUMBERS),
    "on the log": (
        compose.TransformedTargetRegressor(
            linear_model.LinearRegression(), func=np.log1p, inverse_func=np.expm1
        ),
        NUMBERS,
    ),
    "one column of numbers": (linear_model.LinearRegression(), NUMBERS[:, None]),
    "two numbers": (linear_model.Ridge(), np.c_[NUMBERS, -NUMBERS]),
    "two numbers, trees": (tree.DecisionTreeRegressor(max_depth=4), np.c_[NUMBERS, Y]),
    "two numbers, each its own": (
        multioutput.MultiOutputRegressor(ensemble.GradientBoostingRegressor(n_estimators=3)),
        np.c_[NUMBERS, Y],
    ),
    "k means": (cluster.KMeans(3, n_init=2, random_state=0), None),
    "outliers": (ensemble.IsolationForest(n_estimators=10, random_state=0), None),
    "outliers, nearby": (neighbors.LocalOutlierFactor(novelty=True), None),
    "outliers, svm": (svm.OneClassSVM(), None),
}

# Compared to a relative 1e-12; all others bit for bit (their arithmetic calls no BLAS).
BLAS = frozenset(
    {
        "lda", "qda", "stacking", "gaussian process", "logistic", "logistic cv", "sgd", "sgd huber",
        "one against rest", "bernoulli", "complement", "multinomial", "perceptron", "pipeline",
        "neighbours, brute", "radius", "linear", "poisson", "kernel process", "on the log",
        "one column of numbers", "two numbers", "k means",
    }
)  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))


def fitted(estimator, x, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(x, y)


def opened(model, tmp_path, **given):
    """The model by way of a file: its spec and its predictor."""
    joblib.dump(model, tmp_path / "model.joblib")
    spec = read_spec(str(tmp_path / "model.joblib"), **given)
    return spec, open_predictor(spec)


def batch_of(x):
    return pa.RecordBatch.from_pydict({"features": pa.array(list(x), pa.list_(pa.float64()))})


def same(name, ours, theirs):
    ours, theirs = np.asarray(ours.to_pylist()), np.asarray(theirs)
    if name in BLAS and theirs.dtype.kind == "f":
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-300)
    else:
        np.testing.assert_array_equal(ours, theirs)


LABELS = {"int64": Y, "string": TEXTS, "bool": Y == 1, "double": Y * 2.0}
CASES = [(name, kind) for name in CLASSIFIERS for kind in ("int64", "string")] + [
    (name, kind)
    for name in ("gradient boosting", "logistic", "random forest", "svc", "tree")
    for kind in ("bool", "double")
]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_classifier_gives_the_labels_and_probabilities_of_the_library(name, kind, tmp_path):
    """Both outputs, for two classes or three, for labels of every type, which they keep."""
    labels = LABELS[kind]
    model = fitted(CLASSIFIERS[name], X, labels)
    chances = model.predict_proba(UNSEEN) if hasattr(model, "predict_proba") else None
    expected = model.predict(UNSEEN)

    spec, predictor = opened(model, tmp_path)
    made = predictor.predict(batch_of(UNSEEN))

    declared = [("prediction", kind)]
    if chances is not None:
        declared.append(("probability", "list<double>"))
        same(name, made[1], chances)
    assert [(f.name, f.type) for f in spec.signature.outputs] == declared
    assert made[0].to_pylist() == expected.tolist()


@pytest.mark.parametrize("name", OTHERS)
def test_a_regressor_clusterer_or_detector_gives_what_the_library_gives(name, tmp_path):
    """One output, of the type that the library returns."""
    estimator, target = OTHERS[name]
    model = fitted(estimator, X, target)
    spec, predictor = opened(model, tmp_path)
    (made,) = predictor.predict(batch_of(UNSEEN))
    expected = model.predict(UNSEEN)
    if expected.ndim == 2 and expected.shape[1] == 1:
        expected = expected.ravel()
    assert [f.name for f in spec.signature.outputs] == ["prediction"]
    same(name, made, expected)


def test_a_mixture_gives_its_cluster_and_their_probabilities(tmp_path):
    """A clusterer with probabilities has no classes; its labels are numbers."""
    model = mixture.GaussianMixture(2, random_state=0).fit(X)
    spec, predictor = opened(model, tmp_path)
    labels, chances = predictor.predict(batch_of(UNSEEN))
    assert [f.type for f in spec.signature.outputs] == ["int64", "list<double>"]
    assert labels.to_pylist() == model.predict(UNSEEN).tolist()
    np.testing.assert_allclose(chances.to_pylist(), model.predict_proba(UNSEEN), rtol=1e-12)


@pytest.mark.parametrize(
    "estimator",
    [
        ensemble.RandomForestClassifier(5, random_state=0),
        tree.DecisionTreeClassifier(max_depth=3),
        tree.ExtraTreeClassifier(max_depth=3, random_state=0),
        neighbors.KNeighborsClassifier(),
        multioutput.MultiOutputClassifier(ensemble.GradientBoostingClassifier(n_estimators=3)),
    ],
    ids=lambda e: type(e).__name__,
)
def test_several_labels_come_as_lists(estimator, tmp_path):
    """A multi-output classifier: a list of labels, and a list of lists of probabilities."""
    target = np.c_[TEXTS, np.where(Y == 0, "a", "b")]
    model = fitted(estimator, X, target)
    spec, predictor = opened(model, tmp_path)
    labels, chances = predictor.predict(batch_of(UNSEEN))
    assert [f.type for f in spec.signature.outputs] == ["list<string>", "list<list<double>>"]
    assert labels.to_pylist() == model.predict(UNSEEN).tolist()
    expected = model.predict_proba(UNSEEN)
    assert chances.to_pylist() == [[of[i].tolist() for of in expected] for i in range(len(UNSEEN))]


@pytest.mark.parametrize(
    "estimator",
    [
        multiclass.OneVsRestClassifier(linear_model.LogisticRegression()),
        neural_network.MLPClassifier((4,), max_iter=1000, tol=1e-2, random_state=0),
        multioutput.ClassifierChain(linear_model.LogisticRegression()),
    ],
    ids=lambda e: type(e).__name__,
)
def test_a_multilabel_indicator_comes_as_a_list(estimator, tmp_path):
    """Zeros and ones for each label, and the probability of each."""
    model = fitted(estimator, X, np.c_[Y == 0, Y > 0].astype(int))
    spec, predictor = opened(model, tmp_path)
    labels, chances = predictor.predict(batch_of(UNSEEN))
    assert [f.name for f in spec.signature.outputs] == ["prediction", "probability"]
    np.testing.assert_array_equal(labels.to_pylist(), model.predict(UNSEEN))
    np.testing.assert_allclose(chances.to_pylist(), model.predict_proba(UNSEEN), rtol=1e-12)


@pytest.mark.parametrize("score", [0.0, 1e-17, -1e-17, 5e-324, -5e-324, 1.0])
def test_ties_and_near_ties_fall_as_in_the_library(score, tmp_path):
    """A raw score at, just above or just below the threshold, where 1 - p and p round to a half."""
    x = np.array([[0.0], [1.0], [2.0], [3.0]])
    y = np.array(["n", "n", "p", "p"])
    gradient = ensemble.GradientBoostingClassifier(n_estimators=1, init="zero", max_depth=1)
    gradient.fit(x, y)
    gradient.estimators_[0, 0].tree_.value[:] = score
    histogram = ensemble.HistGradientBoostingClassifier(max_iter=1, min_samples_leaf=1)
    histogram.fit(x, y)
    histogram._baseline_prediction[:] = 0.0
    histogram._predictors[0][0].nodes["value"] = score
    logistic = linear_model.LogisticRegression().fit(x, y)
    logistic.coef_[:], logistic.intercept_[:] = 0.0, score
    for model in (gradient, histogram, logistic):
        _, predictor = opened(model, tmp_path)
        labels, chances = predictor.predict(batch_of(x))
        assert labels.to_pylist() == model.predict(x).tolist(), type(model)
        np.testing.assert_array_equal(chances.to_pylist(), model.predict_proba(x))


@pytest.fixture(scope="module")
def tree_models(tmp_path_factory):
    """Models whose arithmetic calls no BLAS, and which take NaN."""
    made = []
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("trees")
        patch.setenv("SPARKML_CACHE", str(folder / "cache"))
        for estimator in (
            ensemble.HistGradientBoostingClassifier(max_iter=5),
            ensemble.RandomForestClassifier(5, random_state=0),
            tree.DecisionTreeClassifier(max_depth=4),
            pipeline.make_pipeline(
                impute.SimpleImputer(), ensemble.GradientBoostingClassifier(n_estimators=5)
            ),
        ):
            model = fitted(estimator, X, Y)
            made.append((model, opened(model, folder)[1]))
    return made


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    x=hnp.arrays(
        np.float64,
        st.tuples(st.integers(1, 8), st.just(6)),
        elements=st.floats(-1e30, 1e30) | st.just(float("nan")) | st.sampled_from([0.0, -0.0]),
    )
)
def test_any_batch_of_a_tree_is_the_library_bit_for_bit(tree_models, x):
    """Whatever the rows and the size of the batch, NaN included."""
    for model, predictor in tree_models:
        assert predictor.takes_nan
        labels, chances = predictor.predict(batch_of(x))
        np.testing.assert_array_equal(labels.to_pylist(), model.predict(x))
        np.testing.assert_array_equal(chances.to_pylist(), model.predict_proba(x))


def people() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "age": rng.integers(18, 90, 120),
            "city": rng.choice(["Bonn", "Köln", None], 120),
            "member": rng.random(120) < 0.5,
            "income": np.where(rng.random(120) < 0.1, np.nan, rng.normal(3000, 500, 120)),
        }
    )


SIGNATURE = Signature(
    inputs=(
        Field(name="income", type="double"),
        Field(name="age", type="int64"),
        Field(name="city", type="string"),
        Field(name="member", type="bool"),
    )
)


def test_mixed_columns_reach_a_column_transformer_as_the_frame_it_knows(tmp_path):
    """Texts, integers, booleans and nulls, in another order than the model's."""
    frame = people()
    model = pipeline.make_pipeline(
        compose.make_column_transformer(
            (preprocessing.OneHotEncoder(handle_unknown="ignore"), ["city", "member"]),
            (impute.SimpleImputer(), ["age", "income"]),
        ),
        ensemble.RandomForestClassifier(10, random_state=0),
    ).fit(frame, frame["age"] > 50)
    _, predictor = opened(model, tmp_path, signature=SIGNATURE)
    batch = pa.RecordBatch.from_pandas(frame[list(SIGNATURE.names)], preserve_index=False)
    assert batch.column("city").null_count
    labels, chances = predictor.predict(batch)
    assert labels.to_pylist() == model.predict(frame).tolist()
    np.testing.assert_array_equal(chances.to_pylist(), model.predict_proba(frame))


def test_texts_reach_a_vectorizer_as_texts(tmp_path):
    """A pipeline that begins with a vectorizer takes one column of texts."""
    texts = np.array(["good wine", "bad wine", "good cheese", "bad bread"] * 5)
    model = pipeline.make_pipeline(
        feature_extraction.text.TfidfVectorizer(), linear_model.LogisticRegression()
    ).fit(texts, [1, 0, 1, 0] * 5)
    spec, predictor = opened(model, tmp_path)
    labels, _ = predictor.predict(pa.RecordBatch.from_pydict({"text": texts}))
    assert spec.signature.inputs == (Field(name="text", type="string"),)
    assert labels.to_pylist() == model.predict(texts).tolist()


def test_an_isotonic_regression_takes_its_one_column(tmp_path):
    """A model of one feature works as any other."""
    model = isotonic.IsotonicRegression(out_of_bounds="clip").fit(X[:, 0], NUMBERS)
    inputs = (Field(name="x", type="double"),)
    _, predictor = opened(model, tmp_path, signature=Signature(inputs=inputs))
    (made,) = predictor.predict(pa.RecordBatch.from_pydict({"x": UNSEEN[:, 0]}))
    np.testing.assert_array_equal(made, model.predict(UNSEEN[:, 0]))
