"""The columns that a fitted estimator's parts tell of: nobody is asked for a signature."""

from __future__ import annotations

import catboost
import joblib
import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import xgboost
from sklearn import (
    calibration,
    compose,
    ensemble,
    feature_extraction,
    impute,
    linear_model,
    model_selection,
    pipeline,
    preprocessing,
    svm,
)

from sparkml import Field, Signature, load_scorer, read_spec
from sparkml.errors import ModelUnreadable, SignatureError

RNG = np.random.default_rng(0)
ROWS = 240
TABLE = pd.DataFrame(
    {
        "city": RNG.choice(["Bonn", "Rome", "Ulm"], ROWS),
        "size": RNG.normal(size=ROWS),
        "class": RNG.choice([3, 5, 9], ROWS),
        "note": RNG.choice(["very good", "bad", "good enough"], ROWS),
        "open": RNG.choice([True, False], ROWS),
    }
)
Y = ((TABLE["city"] == "Rome") ^ (TABLE["size"] + TABLE["class"] / 5 > 1)).astype(int)
Y = Y.where(TABLE["open"], 1 - Y)
REGRESSED = Y + TABLE["size"]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def read(tmp_path):
    def read(model, **options):
        joblib.dump(model, tmp_path / "model.joblib")
        return read_spec(str(tmp_path / "model.joblib"), **options)

    return read


def types_of(spec):
    return {f.name: f.type for f in spec.signature.inputs}


def same_as_the_library(spec, model, rows, *, with_categories=()):
    """Score `rows`, a table as Spark has it, and compare with the model on pandas' own."""
    names = list(spec.signature.names)
    batch = pa.RecordBatch.from_pandas(rows[names], preserve_index=False)
    made = load_scorer(spec)(batch)
    assert made["error"].null_count == len(made), made["error"]
    own = rows.copy()
    for name, categories in dict(with_categories).items():
        own[name] = pd.Categorical(own[name], categories)
    expected = model.predict(own)
    got, expected = np.asarray(made["prediction"]), np.asarray(expected).ravel()
    if expected.dtype.kind == "f":
        np.testing.assert_allclose(got, expected, rtol=1e-9)
    else:
        assert got.tolist() == expected.tolist()
    if hasattr(model, "predict_proba"):
        probability = np.array(made["probability"].to_pylist())
        np.testing.assert_allclose(probability, model.predict_proba(own), rtol=1e-6)


LIGHTGBM = {"n_estimators": 8, "verbose": -1, "num_leaves": 7, "min_child_samples": 5}
XGBOOST = {"n_estimators": 8, "max_depth": 3}
CATBOOST = {"iterations": 8, "depth": 3, "verbose": 0, "allow_writing_files": False}
BOOSTERS = {
    "LGBMClassifier": lightgbm.LGBMClassifier(**LIGHTGBM),
    "LGBMRegressor": lightgbm.LGBMRegressor(**LIGHTGBM),
    "XGBClassifier": xgboost.XGBClassifier(**XGBOOST),
    "XGBRegressor": xgboost.XGBRegressor(**XGBOOST),
    "XGBRFClassifier": xgboost.XGBRFClassifier(**XGBOOST),
    "CatBoostClassifier": catboost.CatBoostClassifier(**CATBOOST),
    "CatBoostRegressor": catboost.CatBoostRegressor(**CATBOOST),
}


@pytest.mark.parametrize("name", BOOSTERS)
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "last step"])
def test_a_booster_s_wrapper_of_numbers_takes_doubles(name, alone, read):
    """By the names of its table."""
    model = BOOSTERS[name] if alone else pipeline.make_pipeline(BOOSTERS[name])
    model.fit(TABLE[["size", "class"]], Y)
    spec = read(model)
    assert types_of(spec) == {"size": "double", "class": "double"}
    same_as_the_library(spec, model, TABLE[["size", "class"]])


@pytest.mark.parametrize("name", BOOSTERS)
def test_a_booster_s_wrapper_of_an_array_takes_one_vector(name, read):
    """Its library numbers the columns; nobody's table has such names."""
    model = BOOSTERS[name]
    values = TABLE[["size", "class"]].to_numpy(dtype=float)
    model.fit(values, Y)
    spec = read(model)
    assert spec.signature.inputs == (Field(name="features", type="list<double>", length=2),)
    made = load_scorer(spec)(pa.RecordBatch.from_pydict({"features": list(values)}))
    expected = np.asarray(model.predict(values)).ravel().tolist()
    assert made["prediction"].to_pylist() == expected


CATEGORIES = {"city": ["Bonn", "Rome", "Ulm"], "class": [3, 5, 9], "open": [False, True]}


def with_categories(rows, columns=tuple(CATEGORIES)):
    return rows.assign(**{c: pd.Categorical(rows[c], CATEGORIES[c]) for c in columns})


def of_categories(name, columns=tuple(CATEGORIES)):
    """A wrapper trained on pandas' categories, and on its own a step behind others."""
    options = {"enable_categorical": True} if name.startswith("XGB") else {}
    model = type(BOOSTERS[name])(**BOOSTERS[name].get_params() | options)
    return model, with_categories(TABLE[[*columns, "size"]], columns)


PANDAS_OUT = compose.make_column_transformer(
    (preprocessing.StandardScaler(), ["size"]), remainder="passthrough"
).set_output(transform="pandas")
AROUND = {
    "alone": lambda model: model,
    "last step": pipeline.make_pipeline,
    "behind a scaler": lambda model: pipeline.make_pipeline(PANDAS_OUT, model),
    "voting": lambda model: ensemble.VotingClassifier([("one", model)], voting="soft"),
    "searched": lambda model: model_selection.GridSearchCV(
        model, {"n_estimators": [4]}, cv=2, refit=True
    ),
}


@pytest.mark.parametrize("name", ["LGBMClassifier", "XGBClassifier"])
@pytest.mark.parametrize("around", AROUND)
def test_a_column_of_pandas_categories_is_told_and_scored_as_one(name, around, read):
    """Texts, whole numbers and booleans; where one is missing as well."""
    columns = ("city", "class") if name.startswith("XGB") else tuple(CATEGORIES)
    booster, frame = of_categories(name, columns)
    model = AROUND[around](booster).fit(frame, Y)
    spec = read(model)
    types = {"city": "string", "class": "int64", "open": "bool", "size": "double"}
    assert types_of(spec) == {name: types[name] for name in frame}
    rows = TABLE.head(40)[list(frame)]
    same_as_the_library(spec, model, rows, with_categories={c: CATEGORIES[c] for c in columns})
    holes = pa.RecordBatch.from_pydict(
        {"city": ["Rome", None], "class": [None, 5], "open": [None, True], "size": [None, 0.5]}
    ).select(list(frame))
    own = with_categories(holes.to_pandas(), columns)
    made = load_scorer(spec)(holes)
    assert made["prediction"].to_pylist() == model.predict(own).tolist()


@pytest.mark.parametrize("name", ["LGBMClassifier", "XGBClassifier"])
def test_a_category_that_was_not_trained_on_is_what_the_library_makes_of_it(name, read):
    """Missing to LightGBM. XGBoost takes it for one that it knows: an error, on its row alone."""
    model, frame = of_categories(name, ("city",))
    model.fit(frame, Y)
    made = load_scorer(read(model))(
        pa.RecordBatch.from_pydict({"city": ["Rome", "Oslo"], "size": [0.1, 0.1]})
    )
    oslo = pd.DataFrame({"city": pd.Categorical(["Oslo"]), "size": [0.1]})
    assert made["prediction"][0].is_valid
    if name.startswith("LGBM"):
        assert made["prediction"].to_pylist()[1:] == model.predict(oslo).tolist()
        return
    assert made["prediction"].null_count == 1
    assert "'Oslo' is no category" in made["error"][1]["message"].as_py()


@pytest.mark.parametrize("unit", ["ns", "us", "s"])
def test_an_encoder_of_times_tells_times(unit, read):
    """Not the integers that NumPy makes of nanoseconds."""
    days = pd.to_datetime(["2026-01-02", "2026-02-03", "2026-03-04"]).as_unit(unit)
    frame = pd.DataFrame({"day": days[RNG.integers(0, 3, ROWS)], "size": TABLE["size"]})
    encoder = preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    first = compose.make_column_transformer((encoder, ["day"]), remainder="passthrough")
    model = pipeline.make_pipeline(first, linear_model.LogisticRegression()).fit(frame, Y)
    spec = read(model)
    assert types_of(spec) == {"day": "timestamp[us]", "size": "double"}
    same_as_the_library(spec, model, frame.head(20))


@pytest.mark.parametrize("given", [pa.float64(), pa.float32(), pa.int64(), pa.decimal128(9, 1)])
def test_numbers_are_categories_by_their_value(given, read):
    """Whatever type they come in; a NaN is missing, as a null is."""
    grades = [1.0, 2.5, 3.0]
    frame = TABLE[["size"]].assign(grade=pd.Categorical(RNG.choice(grades, ROWS), grades))
    model = lightgbm.LGBMRegressor(n_estimators=5, verbose=-1)
    model.fit(frame, frame["grade"].cat.codes + frame["size"])
    values = [1.0, 3.0, None] if given == pa.int64() else [2.5, 3.0, None]
    nan = [float("nan")] if pa.types.is_floating(given) else []
    column = pa.array([*values, *nan], pa.float64()).cast(given)
    declared = Field(name="grade", type=str(given)), Field(name="size", type="double")

    spec = read(model, signature=Signature(inputs=declared))
    made = load_scorer(spec)(pa.record_batch({"grade": column, "size": [0.1] * len(column)}))

    own = pd.Categorical(column.cast(pa.float64()).to_pandas(), grades)
    expected = model.predict(pd.DataFrame({"size": 0.1, "grade": own}))
    assert made["prediction"].to_pylist() == expected.tolist()
    assert made["error"].null_count == len(column)


def test_unsigned_categories_are_columns_that_a_table_can_have(read):
    """Spark has no unsigned integers."""
    grades = np.array([3, 5, 9], "u1")
    frame = TABLE[["size"]].assign(grade=pd.Categorical(RNG.choice(grades, ROWS), grades))
    model = xgboost.XGBRegressor(n_estimators=5, enable_categorical=True)
    model.fit(frame, frame["grade"].cat.codes + frame["size"])
    spec = read(model)
    assert types_of(spec) == {"size": "double", "grade": "int64"}
    same_as_the_library(
        spec, model, TABLE[["size"]].assign(grade=TABLE["class"]), with_categories={"grade": grades}
    )


def test_whose_categories_they_are_must_be_known(read):
    """LightGBM stores no column of an ordered one: refused, and not scored as another."""
    frame = with_categories(TABLE[["city", "class", "size"]], ("city", "class"))
    frame["class"] = frame["class"].cat.as_ordered()
    with pytest.raises(ModelUnreadable, match="ordered"):
        read(lightgbm.LGBMClassifier(**LIGHTGBM).fit(frame, Y))


def test_categories_are_declared_as_what_they_are(read):
    """Another type would make other categories of them."""
    model, frame = of_categories("LGBMClassifier", ("class",))
    fields = (Field(name="class", type="string"), Field(name="size", type="double"))
    with pytest.raises(SignatureError, match=r"takes int64 in 'class', the signature says string"):
        read(model.fit(frame, Y), signature=Signature(inputs=fields))


@pytest.mark.parametrize("kind", ["texts", "categories"])
def test_catboost_s_categories_are_texts(kind, read):
    """Seen and unseen."""
    frame = TABLE[["city", "size"]]
    if kind == "categories":
        frame = with_categories(frame, ("city",))
    model = catboost.CatBoostClassifier(**CATBOOST, cat_features=["city"]).fit(frame, Y)
    spec = read(model)
    assert types_of(spec) == {"city": "any", "size": "double"}
    rows = TABLE[["city", "size"]].head(30).replace({"Ulm": "Oslo"})
    same_as_the_library(spec, model, rows)


@pytest.mark.parametrize("column", ["class", "open"])
def test_catboost_s_categories_may_be_whole_numbers_and_booleans(column, read):
    """Of the table's own type, since the model tells none; one of another type is an error."""
    frame = TABLE[[column, "size"]]
    model = catboost.CatBoostClassifier(**CATBOOST, cat_features=[column]).fit(frame, Y)
    same_as_the_library(read(model), model, frame.head(30))


def test_hist_gradient_boosting_tells_its_categories(read):
    """`from_dtype`: those columns that pandas had as categories; a missing one is its own."""
    frame = with_categories(TABLE[["city", "size"]], ("city",))
    model = ensemble.HistGradientBoostingRegressor(categorical_features="from_dtype", max_iter=5)
    spec = read(model.fit(frame, REGRESSED))
    assert types_of(spec) == {"city": "string", "size": "double"}
    rows = TABLE[["city", "size"]].head(30).replace({"Ulm": "Oslo"})
    rows.loc[3, "city"] = None
    same_as_the_library(spec, model, rows, with_categories={"city": [*CATEGORIES["city"], "Oslo"]})


MIXED = {
    "one hot": (
        [(preprocessing.OneHotEncoder(), ["city"]), (preprocessing.StandardScaler(), ["size"])],
        {"city": "string", "size": "double"},
    ),
    "ordinal numbers": (
        [(preprocessing.OrdinalEncoder(), ["class", "city"])],
        {"city": "string", "class": "double"},
    ),
    "target": (
        [(preprocessing.TargetEncoder(), ["city", "open"])],
        {"city": "string", "open": "bool"},
    ),
    "imputed texts": (
        [
            (
                pipeline.make_pipeline(
                    impute.SimpleImputer(strategy="most_frequent"), preprocessing.OneHotEncoder()
                ),
                ["city", "note"],
            ),
            (impute.SimpleImputer(), ["size"]),
        ],
        {"city": "string", "size": "double", "note": "string"},
    ),
    "words": (
        [(feature_extraction.text.TfidfVectorizer(), "note"), ("passthrough", ["size"])],
        {"size": "double", "note": "string"},
    ),
    "a union": (
        [
            (
                pipeline.make_union(preprocessing.OneHotEncoder(), preprocessing.OrdinalEncoder()),
                ["city"],
            )
        ],
        {"city": "string"},
    ),
    "logarithms": (
        [(preprocessing.FunctionTransformer(np.exp), ["size"])],
        {"size": "double"},
    ),
}


@pytest.mark.parametrize("name", MIXED)
@pytest.mark.parametrize(
    "final",
    [
        linear_model.LogisticRegression(),
        linear_model.Ridge(),
        calibration.CalibratedClassifierCV(svm.LinearSVC(), cv=2),
        lightgbm.LGBMClassifier(**LIGHTGBM),
    ],
    ids=lambda final: type(final).__name__,
)
def test_fitted_parts_tell_the_types(name, final, read):
    """Texts to encoders of texts and vectorizers, numbers to the others; a dropped column to none.

    A regression's output is asked of the model with values that its encoders know.
    """
    parts, types = MIXED[name]
    model = pipeline.make_pipeline(compose.make_column_transformer(*parts), final)
    model.fit(TABLE, REGRESSED if isinstance(final, linear_model.Ridge) else Y)
    spec = read(model)
    assert types_of(spec) == types
    same_as_the_library(spec, model, TABLE.head(40))


def test_voting_over_pipelines_tells_what_each_of_them_knows(read):
    """The parts of an ensemble see the same columns."""
    encoded = compose.make_column_transformer(
        (preprocessing.OneHotEncoder(), ["city"]), remainder="drop"
    )
    scaled = compose.make_column_transformer((preprocessing.StandardScaler(), ["size"]))
    model = ensemble.VotingClassifier(
        [
            ("a", pipeline.make_pipeline(encoded, linear_model.LogisticRegression())),
            ("b", pipeline.make_pipeline(scaled, linear_model.LogisticRegression())),
        ],
        voting="soft",
    ).fit(TABLE, Y)
    spec = read(model)
    assert types_of(spec) == {"city": "string", "size": "double"}
    same_as_the_library(spec, model, TABLE.head(40))


def test_a_declared_column_that_no_part_looks_at_is_taken_as_well(read):
    """MLflow records every column of the table that it was logged with."""
    model = pipeline.make_pipeline(
        compose.make_column_transformer((preprocessing.OneHotEncoder(), ["city"])),
        linear_model.LogisticRegression(),
    ).fit(TABLE, Y)
    types = ["string", "double", "int64", "string", "bool"]
    fields = tuple(Field(name=n, type=t) for n, t in zip(TABLE, types, strict=True))
    spec = read(model, signature=Signature(inputs=fields))
    same_as_the_library(spec, model, TABLE.head(40))
