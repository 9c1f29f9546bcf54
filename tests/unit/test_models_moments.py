"""Dates and timestamps on their way into a model: the very ones, whatever lies beside them."""

from __future__ import annotations

import datetime as dt
import sys

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sparkml.errors import SignatureError
from sparkml.models.frames import frame, groups
from sparkml.models.read import open_predictor, read_spec
from sparkml.scoring.scorer import Scorer
from sparkml.spec import Field, Signature
from sparkml.testing import check_scorer
from tests.quiet import quiet

DATES = [
    *("0001-01-01", "1582-10-04", "1677-09-21", "1677-09-22", "1754-08-30"),
    *("1970-01-01", "2262-04-11", "2262-04-12", "9999-12-31"),
]
DAY, AT, ZONED = "date32[day]", "timestamp[us]", "timestamp[us, tz=UTC]"


with quiet():
    import mlflow.pyfunc


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SPARKML_CACHE", str(tmp_path_factory.mktemp("cache") / "c"))
        patched.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)
        yield


def telling():
    with quiet():

        class Model(mlflow.pyfunc.PythonModel):
            """For each row its values, and the types of its columns."""

            def predict(self, context, model_input, params=None):
                kinds = [str(dtype) for dtype in model_input.dtypes]
                rows = [
                    ["-" if value is None or value != value else value.isoformat() for value in row]
                    for row in model_input.itertuples(index=False)
                ]
                return [" ".join([*row, *kinds]) for row in rows]

        return Model()


@pytest.fixture(scope="module")
def pyfunc(cache, tmp_path_factory):
    """A scorer that tells what reached the model."""
    folder = tmp_path_factory.mktemp("moments") / "m"
    with quiet():
        mlflow.pyfunc.save_model(folder, python_model=telling(), pip_requirements=["mlflow-skinny"])

    def scorer(**types):
        signature = Signature(
            inputs=tuple(Field(name=n, type=t) for n, t in types.items()),
            outputs=(Field(name="prediction", type="string"),),
        )
        spec = read_spec(str(folder), signature=signature, nulls="model")
        return Scorer(spec, open_predictor(spec))

    return scorer


def dates(*texts):
    return pa.array([text and dt.date.fromisoformat(text) for text in texts], pa.date32())


def times(*texts, zone=None):
    return dates(*texts).cast(pa.timestamp("us", zone))


def test_every_date_of_sql_reaches_a_pyfunc_model_as_itself(pyfunc):
    """`datetime.date` objects, from the year 1 to 9999."""
    made = pyfunc(d=DAY)(pa.record_batch({"d": dates(*DATES, None)}))
    assert made["error"].null_count == len(made)
    assert made["prediction"].to_pylist() == [f"{text} object" for text in [*DATES, "-"]]


@pytest.mark.parametrize(("dtype", "zone"), [(AT, None), (ZONED, "UTC")])
def test_a_time_that_is_far_away_has_microseconds(dtype, zone, pyfunc):
    """The others keep their nanoseconds, in the same batch."""
    made = pyfunc(t=dtype)(pa.record_batch({"t": times(*DATES, None, zone=zone)}))
    end, suffix = ("+00:00", ", UTC]") if zone else ("", "]")
    near = {"1677-09-22", "1754-08-30", "1970-01-01", "2262-04-11"}
    assert made["prediction"].to_pylist() == [
        *(
            f"{text}T00:00:00{end} datetime64[{'ns' if text in near else 'us'}{suffix}"
            for text in DATES
        ),
        f"- datetime64[ns{suffix}",
    ]


def test_what_a_model_sees_does_not_depend_on_the_batch(pyfunc):
    """Nor on the other columns of the row, however the rows are cut."""
    rows = pa.record_batch(
        {
            "d": dates("9999-12-31", "2020-01-01", None, "2020-01-02", "0001-01-01"),
            "t": times("2020-01-01", "9999-12-31", "2020-01-03", None, "0001-01-01"),
            "u": times("2020-01-01", "9999-12-31", "9999-12-31", None, None),
        }
    )
    scorer = pyfunc(d=DAY, t=AT, u=AT)
    check_scorer(scorer, rows, expected={"prediction": scorer(rows)["prediction"].to_pylist()})
    third = scorer(rows)["prediction"].to_pylist()[2]
    assert third.endswith("object datetime64[ns] datetime64[us]")


MOMENTS = st.datetimes() | st.none()


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(MOMENTS, MOMENTS), min_size=1, max_size=6))
def test_any_moment_is_the_very_one(rows, pyfunc):
    """Beside any others."""
    columns = {
        "d": pa.array([d and d.date() for d, _ in rows], pa.date32()),
        "t": pa.array([t for _, t in rows], pa.timestamp("us")),
    }
    if not hasattr(pyfunc, "both"):
        pyfunc.both = pyfunc(d=DAY, t=AT)
    made = pyfunc.both(pa.record_batch(columns))["prediction"].to_pylist()
    told = [tuple(text.split()[:2]) for text in made]
    assert told == [
        (d.date().isoformat() if d else "-", t.isoformat() if t else "-") for d, t in rows
    ]


def year_and_weekday(table):
    return np.c_[table["day"].dt.year, table["day"].dt.weekday, [v.month for v in table["at"]]]


def test_a_scikit_learn_model_gives_what_it_gives_natively(cache, tmp_path):
    """Far rows as pandas itself would hold them; near ones in nanoseconds."""
    days = pd.date_range("2020-01-01", periods=20)
    near = pd.DataFrame({"day": days, "at": days[::-1]})
    model = make_pipeline(FunctionTransformer(year_and_weekday), LinearRegression())
    model.fit(near, np.arange(20.0))
    joblib.dump(model, tmp_path / "m.joblib")
    inputs = (Field(name="day", type=DAY), Field(name="at", type=AT))
    spec = read_spec(str(tmp_path / "m.joblib"), signature=Signature(inputs=inputs))
    rows = pa.record_batch({"day": dates(*DATES), "at": times(*reversed(DATES))})
    native = pd.DataFrame({name: np.array(c, "M8[us]") for name, c in rows.to_pydict().items()})
    check_scorer(
        Scorer(spec, open_predictor(spec)),
        rows,
        expected={"prediction": model.predict(native)},
        rtol=1e-9,
    )


def test_dates_in_lists_are_themselves(cache, pyfunc):
    """Arrays of dates, and of microseconds, which hold every one."""
    batch = pa.record_batch(
        {
            "d": pa.array([[dt.date(9999, 12, 31)], None], pa.list_(pa.date32())),
            "t": pa.array([[dt.datetime(1, 1, 1)], [None]], pa.list_(pa.timestamp("us"))),  # noqa: DTZ001
        }
    )
    made = frame(batch, ["d", "t"], missing=None)
    assert made["d"].tolist()[0].tolist() == [dt.date(9999, 12, 31)]
    assert [str(value) for value in made["t"][0]] == ["0001-01-01T00:00:00.000000"]
    assert (made["d"][1], str(made["t"][1])) == (None, "['NaT']")


def test_a_date_that_no_library_holds_costs_its_row(pyfunc):
    """Spark itself can count beyond the year 9999; the other rows are scored."""
    days = pa.array([0, 3_000_000, 2**31 - 1], pa.int32()).cast(pa.date32())
    made = pyfunc(d=DAY)(pa.record_batch({"d": days}))
    codes = [error and error["code"] for error in made["error"].to_pylist()]
    assert codes == [None, "MODEL_EXCEPTION", "MODEL_EXCEPTION"]


def test_rows_that_are_alike_are_not_parted():
    """A batch without a far date goes to the model as it is."""
    assert groups(pa.record_batch({"t": times("2020-01-01", None)}), [0]) == []
    far = pa.record_batch({"t": times("9999-12-31", None, "2020-01-01")})
    assert [part.tolist() for part in groups(far, [0])] == [[1, 2], [0]]


def saved(library, x, path):
    """A model of one library over a matrix, as a file."""
    if library == "statsmodels":
        import statsmodels.api as sm

        sm.OLS(x.sum(axis=1), x).fit().save(str(path / "m.pickle"))
        return str(path / "m.pickle")
    if library == "lightgbm":
        import lightgbm

        data = lightgbm.Dataset(x, x.sum(axis=1))
        lightgbm.train({"verbose": -1}, data, 2).save_model(path / "m.txt")
        return str(path / "m.txt")
    joblib.dump(LinearRegression().fit(x, x.sum(axis=1)), path / "m.joblib")
    return str(path / "m.joblib")


@pytest.mark.parametrize("library", ["sklearn", "statsmodels", "lightgbm"])
@pytest.mark.parametrize("dtype", ["list<date32[day]>", "list<timestamp[us]>", "list<string>"])
def test_a_matrix_of_dates_or_texts_is_refused(library, dtype, cache, tmp_path):
    """NumPy would make days, microseconds or parsed texts of them; the fix is a type that works."""
    path = saved(library, np.random.default_rng(0).normal(size=(50, 2)), tmp_path)
    given = Signature(inputs=(Field(name="v", type=dtype, length=2),))
    with pytest.raises(SignatureError, match=r"takes numbers, 'v' is declared as.*as list<double>"):
        read_spec(path, signature=given)
    fixed = Signature(inputs=(Field(name="v", type="list<double>", length=2),))
    spec = read_spec(path, signature=fixed)
    made = Scorer(spec, open_predictor(spec))(pa.record_batch({"v": [[1.0, 2.0]]}))
    assert made["error"].null_count == 1


def test_a_date_beside_a_matrix_of_statsmodels_is_refused(cache, tmp_path):
    """Days since 1970 are no feature that it was fitted on; the fix says how to make one."""
    path = saved("statsmodels", np.random.default_rng(0).normal(size=(50, 2)), tmp_path)
    given = Signature(inputs=(Field(name="x1", type=DAY), Field(name="x2", type="double")))
    with pytest.raises(SignatureError, match=r"declare it as double.*unix_date\(`x1`\)"):
        read_spec(path, signature=given)
