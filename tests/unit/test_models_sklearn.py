"""The scikit-learn flavor: what it asks of a model, how it scores, and which files it refuses."""

from __future__ import annotations

import collections
import functools
import pickle
import re
import warnings
from pathlib import Path

import catboost
import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import sklearn
from sklearn import ensemble, impute, linear_model, pipeline, preprocessing, tree
from sklearn.base import BaseEstimator
from sklearn.datasets import make_classification
from sklearn.utils import all_estimators

from sparkml.errors import (
    ConfigError,
    EnvironmentMismatch,
    ModelUnreadable,
    SignatureError,
    SignatureUnknown,
)
from sparkml.models.environment import EnvironmentWarning
from sparkml.models.flavors.sklearn_graph import is_catboost, parts_of
from sparkml.models.flavors.sklearn_labels import ARGMAX, ONE_PASS, both_of, public_name
from sparkml.models.read import open_predictor, read_spec
from sparkml.spec import Field, NullPolicy, Signature

X, Y = make_classification(120, 4, n_informative=4, n_redundant=0, n_classes=3, random_state=0)
X = np.abs(X)
NAMED = pd.DataFrame(X, columns=["mean radius", "b.c", "d", "e"])


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def save(tmp_path):
    def save(model):
        joblib.dump(model, tmp_path / "model.joblib")
        return str(tmp_path / "model.joblib")

    return save


def doubles(*names):
    return tuple(Field(name=name, type="double") for name in names)


# one pass

SPECIAL = {
    "LogisticRegressionCV": {"Cs": 2, "l1_ratios": (0.0,), "use_legacy_attributes": False}
    | {"scoring": "accuracy", "cv": 2},
    "MLPClassifier": {"hidden_layer_sizes": (3,)},
    "RadiusNeighborsClassifier": {"radius": 50.0},
    "SGDClassifier": {"loss": "log_loss"},
    "StackingClassifier": {"estimators": [("t", tree.DecisionTreeClassifier())]},
    "VotingClassifier": {"estimators": [("t", tree.DecisionTreeClassifier())], "voting": "soft"},
}
CLASSES = {public_name(kind): kind for _, kind in all_estimators(type_filter="classifier")}


@pytest.mark.parametrize("name", [*ONE_PASS, *sorted(ARGMAX)])
def test_every_row_of_the_table_is_one_pass_and_the_library_bit_for_bit(name):
    """The shared step runs once a batch, and both outputs are what two separate calls give."""
    model = CLASSES[name](**SPECIAL.get(name.rpartition(".")[2], {}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, Y)
    labels, chances = model.predict(X), model.predict_proba(X)

    runs = collections.Counter()
    for method in ONE_PASS.get(name, ("predict_proba",)):
        setattr(model, method, counted(getattr(model, method), runs))
    both = both_of(model)
    for times in (1, 2):
        ours = both(X)
        np.testing.assert_array_equal(ours[0], labels)
        np.testing.assert_array_equal(ours[1], chances)
        assert set(runs.values()) == {times}


def counted(method, runs):
    @functools.wraps(method)
    def counting(*args, **options):
        runs[method.__name__] += 1
        return method(*args, **options)

    return counting


class Contrary(ensemble.RandomForestClassifier):
    """A subclass may predict as it likes."""

    def predict(self, x):
        return self.classes_[::-1][np.argmax(self.predict_proba(x), axis=1)]


def test_a_subclass_is_not_its_parent():
    """The table holds exact classes: whatever else a subclass does is left to it."""
    model = Contrary(3, random_state=0).fit(X, Y)
    assert public_name(Contrary) == ""
    labels, chances = both_of(model)(X)
    np.testing.assert_array_equal(labels, model.predict(X))
    np.testing.assert_array_equal(chances, model.predict_proba(X))


def test_a_failing_batch_leaves_nothing_behind():
    """After an error the next batch is scored afresh."""
    model = linear_model.LogisticRegression().fit(X, Y)
    expected = model.predict_proba(X)
    both = both_of(model)
    broken = X.copy()
    broken[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        both(broken)
    np.testing.assert_array_equal(both(X)[1], expected)


# signatures


def test_names_come_from_the_model(save):
    """A model trained on a DataFrame tells its columns; each is a double."""
    spec = read_spec(save(tree.DecisionTreeClassifier().fit(NAMED, Y)))
    assert spec.signature.inputs == doubles("mean radius", "b.c", "d", "e")


def test_a_model_without_names_takes_one_vector(save):
    """`n_features_in_` gives its length."""
    spec = read_spec(save(tree.DecisionTreeRegressor().fit(X, Y)))
    assert spec.signature.inputs == (Field(name="features", type="list<double>", length=4),)
    assert spec.signature.outputs == (Field(name="prediction", type="int64"),) or (
        spec.signature.outputs == doubles("prediction")
    )


def test_columns_in_another_order_are_put_in_the_models_order(save):
    """By name, and by names that differ in punctuation and case alone."""
    model = tree.DecisionTreeClassifier().fit(NAMED, Y)
    for names in (["e", "d", "b.c", "mean radius"], ["e", "d", "b_c", "Mean_Radius"]):
        spec = read_spec(save(model), signature=Signature(inputs=doubles(*names)))
        columns = dict(zip(names, X.T[::-1], strict=True))
        labels, _ = open_predictor(spec).predict(pa.RecordBatch.from_pydict(columns))
        assert labels.to_pylist() == model.predict(NAMED).tolist()


def test_other_names_altogether_stand_by_position(save):
    """The caller who declares the columns anew declares their order."""
    model = tree.DecisionTreeClassifier().fit(NAMED, Y)
    spec = read_spec(save(model), signature=Signature(inputs=doubles("p", "q", "r", "s")))
    batch = pa.RecordBatch.from_pydict(dict(zip("pqrs", X.T, strict=True)))
    assert open_predictor(spec).predict(batch)[0].to_pylist() == model.predict(NAMED).tolist()


def test_half_known_names_are_refused(save):
    """Some of the model's and some not: nobody can say which is which."""
    path = save(tree.DecisionTreeClassifier().fit(NAMED, Y))
    with pytest.raises(SignatureError, match=r"'radius'.*did you mean 'mean radius'"):
        read_spec(path, signature=Signature(inputs=doubles("radius", "b.c", "d", "e")))


@pytest.mark.parametrize(
    "inputs", [doubles("a", "b"), (Field(name="v", type="list<double>", length=3),)]
)
def test_a_wrong_number_of_columns_is_refused(inputs, save):
    """Before any row is scored."""
    with pytest.raises(SignatureError, match="trained on 4 columns"):
        read_spec(save(tree.DecisionTreeClassifier().fit(X, Y)), signature=Signature(inputs=inputs))


def test_a_model_whose_own_code_sees_the_columns_leaves_their_types_open(save):
    """Nobody knows what that code does with them. If it forgets their names, they are asked for."""
    frame = pd.DataFrame({"age": [1, 2, 3], "city": ["a", "b", "a"]})
    final = linear_model.LogisticRegression()
    step = preprocessing.FunctionTransformer(pd.get_dummies)
    model = pipeline.make_pipeline(step, final).fit(frame, [0, 1, 0])
    assert read_spec(save(model)).signature.open == ("age", "city")
    nameless = pipeline.make_pipeline(Doubling(), final).fit(NAMED[["d"]], Y)
    with pytest.raises(SignatureUnknown, match=r'Field\(name="age", type="double"\)'):
        read_spec(save(nameless))
    assert read_spec(save(nameless), inputs=["d"]).signature.open == ("d",)


def test_an_encoder_of_texts_takes_texts(save):
    """A plain pipeline whose first step was trained on them; as a declared signature says."""
    frame = pd.DataFrame({"city": ["a", "b", "a"]})
    model = pipeline.make_pipeline(
        preprocessing.OneHotEncoder(handle_unknown="ignore"), linear_model.LogisticRegression()
    ).fit(frame, [0, 1, 0])
    declared = Signature(inputs=(Field(name="city", type="string"),))
    spec = read_spec(save(model))
    assert spec == read_spec(save(model), signature=declared)
    batch = pa.RecordBatch.from_pydict({"city": ["b", "a", None]})
    expected = model.predict(pd.DataFrame({"city": ["b", "a", np.nan]}))
    assert open_predictor(spec).predict(batch)[0].to_pylist() == expected.tolist()


def test_a_model_trained_with_none_gets_none(save):
    """Where an encoder learned None as a category, a null is None and not NaN."""
    frame = pd.DataFrame({"city": ["a", None, "a", None]}, dtype=object)
    model = pipeline.make_pipeline(
        preprocessing.OneHotEncoder(), linear_model.LogisticRegression()
    ).fit(frame, [0, 1, 0, 1])
    inputs = (Field(name="city", type="string"),)
    outputs = (Field(name="prediction", type="int64"),)
    spec = read_spec(save(model), signature=Signature(inputs=inputs, outputs=outputs))
    batch = pa.RecordBatch.from_pydict({"city": [None, "a"]})
    assert open_predictor(spec).predict(batch)[0].to_pylist() == [1, 0]


def test_the_caller_chooses_among_the_outputs(save):
    """Only the probability, or another order; an output that the model has not is refused."""
    model = tree.DecisionTreeClassifier().fit(X, Y)
    chances = Field(name="probability", type="list<double>")
    label = Field(name="prediction", type="int64")
    batch = pa.RecordBatch.from_pydict({"features": list(X[:3])})
    for outputs in ((chances,), (label,), (chances, label)):
        spec = read_spec(save(model), signature=Signature(inputs=(), outputs=outputs))
        made = open_predictor(spec).predict(batch)
        assert [str(column.type) for column in made] == [
            "int64" if field is label else str(pa.list_(pa.float64())) for field in outputs
        ]
    wanted = (Field(name="proba", type="list<double>"),)
    with pytest.raises(SignatureError, match=r"no output 'proba'.*probability"):
        read_spec(save(model), signature=Signature(inputs=(), outputs=wanted))


def test_an_empty_batch_has_the_declared_types(save):
    """scikit-learn refuses no rows; we give none back."""
    spec = read_spec(save(tree.DecisionTreeClassifier().fit(X, Y)))
    batch = pa.RecordBatch.from_pydict({"features": pa.array([], pa.list_(pa.float64()))})
    labels, chances = open_predictor(spec).predict(batch)
    assert (len(labels), str(labels.type), len(chances)) == (0, "int64", 0)


# missing values


@pytest.mark.parametrize(
    ("model", "takes"),
    [
        (ensemble.HistGradientBoostingClassifier(max_iter=2), True),
        (ensemble.RandomForestClassifier(2), True),
        (ensemble.GradientBoostingClassifier(n_estimators=2), False),
        (linear_model.LogisticRegression(), False),
        (pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.Ridge()), False),
        (pipeline.make_pipeline(impute.SimpleImputer(), linear_model.Ridge()), True),
        (pipeline.make_pipeline("passthrough", ensemble.RandomForestRegressor(2)), True),
    ],
    ids=str,
)
def test_the_model_says_whether_it_takes_missing_values(model, takes, save):
    """It decides the default: the model's own way where it has one, else quarantine."""
    spec = read_spec(save(model.fit(X, Y)))
    assert open_predictor(spec).takes_nan is takes
    assert spec.nulls == {"*": NullPolicy(kind="model" if takes else "quarantine")}


# while scoring


def test_scoring_warns_nobody_and_uses_one_thread(save, capsys):
    """No `X does not have valid feature names`, no lines of a verbose model, one core."""
    model = ensemble.RandomForestClassifier(3, n_jobs=-1, verbose=2, random_state=0)
    model = pipeline.make_pipeline(preprocessing.StandardScaler(), model).fit(NAMED, Y)
    spec = read_spec(save(model))
    predictor = open_predictor(spec)
    capsys.readouterr()
    batch = pa.RecordBatch.from_pydict(dict(zip(NAMED.columns, X.T, strict=True)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        labels, _ = predictor.predict(batch)
    assert (
        labels.to_pylist()
        == model.set_params(randomforestclassifier__verbose=0).predict(NAMED).tolist()
    )
    assert capsys.readouterr() == ("", "")
    assert predictor._model.final.n_jobs == 1


class Doubling(BaseEstimator):
    """A step of somebody else's, which reads its column by name."""

    def fit(self, frame, y=None):
        self.names_ = list(frame.columns)
        return self

    def transform(self, frame):
        return frame[["d"]] * 2


def test_a_step_of_somebody_else_gets_a_frame(save):
    """Code that we do not know may use the names of the columns."""
    model = pipeline.make_pipeline(Doubling(), tree.DecisionTreeClassifier()).fit(NAMED, Y)
    spec = read_spec(save(model), signature=Signature(inputs=doubles(*NAMED.columns)))
    batch = pa.RecordBatch.from_pydict(dict(zip(NAMED.columns, X.T, strict=True)))
    assert open_predictor(spec).predict(batch)[0].to_pylist() == model.predict(NAMED).tolist()


# files that are refused


def test_a_damaged_file_says_what_the_library_said(tmp_path, save):
    """Cut short, empty, or no pickle at all."""
    path = save(tree.DecisionTreeClassifier().fit(X, Y))
    whole = Path(path).read_bytes()
    for name, content in (("cut.joblib", whole[:200]), ("empty.pkl", b""), ("text.skops", b"x")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelUnreadable, match=r"cannot read the file: .+") as caught:
            read_spec(str(tmp_path / name))
        assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        ({"model": 1}, "holds a dict, not an estimator"),
        (tree.DecisionTreeClassifier, "holds a .*, not an estimator"),
        (tree.DecisionTreeClassifier(), "is not fitted"),
        (preprocessing.StandardScaler().fit(X), "does not predict"),
    ],
    ids=["dict", "class", "unfitted", "transformer"],
)
def test_what_does_not_predict_is_refused(thing, message, save):
    """The error says what the file holds."""
    with pytest.raises(ModelUnreadable, match=message):
        read_spec(save(thing))


def test_a_class_that_is_not_installed_is_named(tmp_path):
    """The module's name is in the error and in its fix."""
    (tmp_path / "model.pkl").write_bytes(b"cno_such_module\nModel\n.")
    with pytest.raises(ModelUnreadable, match="install no_such_module"):
        read_spec(str(tmp_path / "model.pkl"))


def test_a_file_of_another_version_is_told_in_one_line(tmp_path):
    """A bare file records its version inside; the library notices on loading."""
    path = tmp_path / "model.pkl"
    here = sklearn.__version__
    whole = pickle.dumps(tree.DecisionTreeClassifier().fit(X, Y))
    older = "0" + here[1:]
    path.write_bytes(whole.replace(here.encode(), older.encode()))
    told = re.escape(f"scikit-learn {older} (here {here})")
    with pytest.warns(EnvironmentWarning, match=told):
        read_spec(str(path))
    with pytest.raises(EnvironmentMismatch, match=told):
        read_spec(str(path), environment="error")
    read_spec(str(path), environment="ignore")


def test_params_belong_to_pyfunc(save):
    """They would be ignored, so they are refused."""
    path = save(tree.DecisionTreeClassifier().fit(X, Y))
    with pytest.raises(ConfigError, match="takes no params"):
        read_spec(path, params={"a": 1})
    with pytest.raises(ConfigError, match="takes no model_config"):
        read_spec(path, model_config={"a": 1})


def test_catboost_in_a_pipeline_scores_with_the_process_s_threads(save, monkeypatch):
    """It would take every core; nested in a meta-estimator too, which asks a method's name."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    quiet = {"iterations": 4, "verbose": 0, "thread_count": 1, "allow_writing_files": False}
    inner = catboost.CatBoostClassifier(**quiet)
    stacked = ensemble.StackingClassifier([("cat", inner)], catboost.CatBoostClassifier(**quiet))
    model = pipeline.make_pipeline(preprocessing.StandardScaler(), stacked).fit(X, Y > 0)
    predictor = open_predictor(read_spec(save(model)))
    asked = []
    for part in parts_of(predictor._model.estimator):
        if is_catboost(part) and part.is_fitted():
            asked += [part.predict.keywords, part.predict_proba.keywords]
    assert [{"thread_count": 1}] * 4 == asked
    batch = pa.RecordBatch.from_pydict({"features": pa.array(X.tolist())})
    prediction, probability = predictor.predict(batch)
    assert model.predict(X).ravel().tolist() == prediction.to_pylist()
    assert model.predict_proba(X).tolist() == probability.to_pylist()


def test_a_pickle_whose_tree_leads_out_of_it_is_unreadable(save):
    """A bit that flipped on a disk would end each worker; a stranger's class is left alone."""
    forest = ensemble.RandomForestRegressor(3, max_depth=2, random_state=0).fit(X, Y)
    forest.note_ = Tree()
    assert read_spec(save(forest)).flavor == "sklearn"

    forest.estimators_[1].tree_.children_left[0] = 1 << 40
    with pytest.raises(ModelUnreadable, match="the Tree is damaged: nodes lead"):
        read_spec(save(forest))


class Tree:
    """No tree of scikit-learn's, though it is called so."""

    value = "none"
