"""What a model may return: one table of containers and types, each held against its column."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import pickle
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from sparkml.errors import ContractViolation
from sparkml.models.read import open_predictor, read_spec
from sparkml.models.results import as_column
from sparkml.spec import Field, Signature
from tests.quiet import quiet

INPUTS = (Field(name="a", type="double"),)
NAN, NAT, NA = float("nan"), pd.NaT, pd.NA
NANOSECONDS = pd.Timestamp("2026-01-02T03:04:05.123456789")
MICROSECONDS = dt.datetime(2026, 1, 2, 3, 4, 5, 123456)  # noqa: DTZ001 -- MLflow's have no zone


with quiet():
    import mlflow.pyfunc


def model_that_returns_its_param():
    with quiet():

        class Model(mlflow.pyfunc.PythonModel):
            def predict(self, context, model_input, params=None):
                import base64
                import pickle

                return pickle.loads(base64.b64decode(params["result"]))

        return Model()


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """One model, and its spec; it returns whatever its param holds."""
    folder = tmp_path_factory.mktemp("results") / "m"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SPARKML_CACHE", str(tmp_path_factory.mktemp("cache") / "c"))
        patched.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)
        frame = pd.DataFrame({"a": [1.0]})
        with quiet():
            signature = mlflow.models.infer_signature(frame, frame["a"], params={"result": ""})
            mlflow.pyfunc.save_model(
                folder,
                python_model=model_that_returns_its_param(),
                pip_requirements=["mlflow-skinny"],
                signature=signature,
            )
        yield str(folder), read_spec(str(folder))


def returned(told, result, rows, *outputs):
    """The columns of `outputs` when the model returns `result` for so many rows."""
    _, spec = told
    text = base64.b64encode(pickle.dumps(result)).decode()
    spec = dataclasses.replace(
        spec, signature=Signature(inputs=INPUTS, outputs=outputs), params={"result": text}
    )
    batch = pa.RecordBatch.from_pydict({"a": [0.0] * rows})
    made = open_predictor(spec).predict(batch)
    assert [str(column.type) for column in made] == [str(column_type(f.type)) for f in outputs]
    return [column.to_pylist() for column in made]


def column_type(name):
    from sparkml.type_names import to_arrow_type

    return to_arrow_type(name)


def prediction(dtype):
    return Field(name="prediction", type=dtype)


def frame(*columns):
    return pd.DataFrame(dict(zip("xyz", columns, strict=False)))


LISTS = [
    ("frame", frame([1.0, 2.0], [3, 4]), [[1, 3], [2, 4]]),
    ("frame of nullable", frame(pd.array([1, None], "Int64"), [3, 4]), [[1, 3], [None, 4]]),
    ("frame with an index", frame([1.0, 2.0], [3.0, 4.0]).set_axis([7, 7]), [[1, 3], [2, 4]]),
    ("one name twice", frame([1, 2], [3, 4]).set_axis(["x", "x"], axis=1), [[1, 3], [2, 4]]),
    ("frame of one", frame([1.0, 2.0]), [[1], [2]]),
    ("frame of lists", frame([[1.0], [2.0, 3.0]]), [[1], [2, 3]]),
    ("mapping", {"x": [1.0, 2.0], "y": np.array([3, 4])}, [[1, 3], [2, 4]]),
    ("mappings", [{"x": 1, "y": 3}, {"y": 4, "x": 2}], [[1, 3], [2, 4]]),
    ("sparse matrix", sparse.csr_matrix([[1.0, 0.0], [0.0, 2.0]]), [[1, 0], [0, 2]]),
    ("sparse array", sparse.coo_array([[1, 0], [0, 2]]), [[1, 0], [0, 2]]),
    ("sparse frame", frame([1.0, 2.0], [0.0, 0.0]).astype("Sparse[float]"), [[1, 0], [2, 0]]),
    ("numbers alone", np.array([1.0, 2.0]), [[1], [2]]),
    ("ragged", [[1.0], [2, 3]], [[1], [2, 3]]),
    ("ragged arrays", pd.Series([np.array([1]), np.array([2.5, 3])]), [[1], [2.5, 3]]),
    ("gaps", pd.Series([None, [1, None, 2]]), [None, [1, None, 2]]),
    ("a missing list", pd.Series([NAN, [1.0]]), [None, [1]]),
    ("empty lists", [[], []], [[], []]),
    ("tuples", pd.Series([(1, 2.5), ()]), [[1, 2.5], []]),
]  # fmt: skip


@pytest.mark.parametrize(("result", "expected"), [r[1:] for r in LISTS], ids=[r[0] for r in LISTS])
def test_a_list_of_numbers(result, expected, told):
    """A row of whatever has rows; where something has names, its columns are the elements."""
    assert returned(told, result, 2, prediction("list<double>")) == [expected]


COLUMNS = [
    ("nullable integers", pd.array([2**53 + 1, None], "Int64"), "int64", [2**53 + 1, None]),
    ("in a series", pd.Series([10, None], dtype="Int64"), "int64", [10, None]),
    ("in a frame", frame(pd.array([10, None], "Int32")), "int32", [10, None]),
    ("unsigned", pd.array([10, None], "UInt8"), "int64", [10, None]),
    ("whole numbers with NaN", pd.Series([10.0, NAN]), "int64", [10, None]),
    ("objects", pd.Series([10, None, NAN, NA], dtype=object), "int64", [10, None, None, None]),
    ("of Arrow", pd.Series([10, None], dtype="int64[pyarrow]"), "int64", [10, None]),
    ("nullable floats", pd.array([1.5, None], "Float64"), "double", [1.5, None]),
    ("large integers", np.array([2**53 + 1]), "double", [2.0**53]),
    ("decimals", [Decimal("1.5"), None], "double", [1.5, None]),
    ("nullable booleans", pd.array([True, None], "boolean"), "bool", [True, None]),
    ("nullable texts", pd.array(["x", None], "string"), "string", ["x", None]),
    ("categories", pd.Series(["x", None, "x"], dtype="category"), "string", ["x", None, "x"]),
    ("numbers as categories", pd.Series([3, 4], dtype="category"), "int64", [3, 4]),
    ("integers as texts", [1, 20], "string", ["1", "20"]),
    ("floats as texts", [1.0, 2.5, 1e16], "string", ["1.0", "2.5", "1e+16"]),
    ("float32 as texts", np.array([1.5, NAN], "f4"), "string", ["1.5", None]),
    ("booleans as texts", np.array([True, False]), "string", ["True", "False"]),
    ("objects as texts", pd.Series([1, 2.0, "x", None, NAN]), "string",
     ["1", "2.0", "x", None, None]),
    ("nullable as texts", pd.array([1, None], "Int64"), "string", ["1", None]),
    ("times as texts", [NANOSECONDS.floor("s"), NAT], "string", ["2026-01-02 03:04:05", None]),
    ("times in an array", np.array(["2026-01-02T03", "NaT"], "M8[ns]"), "string",
     ["2026-01-02 03:00:00", None]),
    ("nanoseconds", pd.Series([NANOSECONDS, NAT]), "timestamp[us]", [MICROSECONDS, None]),
    ("in objects", pd.Series([NANOSECONDS, None], dtype=object), "timestamp[us]",
     [MICROSECONDS, None]),
    ("in an array", np.array([NANOSECONDS.to_datetime64()]), "timestamp[us]", [MICROSECONDS]),
    ("far away", pd.Series(np.array(["9999-12-31"], "M8[s]")), "timestamp[us]",
     [dt.datetime(9999, 12, 31)]),  # noqa: DTZ001 -- as above
    ("dates", [dt.date(9999, 12, 31), None], "date32[day]", [dt.date(9999, 12, 31), None]),
    ("times as dates", pd.Series([NANOSECONDS]), "date32[day]", [dt.date(2026, 1, 2)]),
    ("a column vector", sparse.csr_matrix([[1.0], [0.0]]), "double", [1.0, 0.0]),
    ("sparse series", pd.Series(pd.arrays.SparseArray([1.0, 0.0])), "double", [1.0, 0.0]),
    ("texts in lists", [["a", "b"], ["c", "d"]], "list<string>", [["a", "b"], ["c", "d"]]),
    ("numbers as texts in lists", np.array([[1.0, 2.0]]), "list<string>", [["1.0", "2.0"]]),
    ("mixed frame as texts", frame(["a"], [1.0], [True]), "list<string>", [["a", "1.0", "True"]]),
    ("mixed frame of integers", frame([2**53 + 1], [1.0]), "list<int64>", [[2**53 + 1, 1]]),
    ("tensor", np.arange(6).reshape(1, 2, 3), "list<list<double>>", [[[0, 1, 2], [3, 4, 5]]]),
    ("tensors", pd.Series([np.eye(2), np.ones((1, 1))]), "list<list<double>>",
     [[[1, 0], [0, 1]], [[1]]]),
    ("rank 4", np.ones((1, 1, 2, 1)), "list<list<list<int64>>>", [[[[1], [1]]]]),
    ("structs", [{"x": 1.5, "n": 3}, {"x": None}], 'struct<"x": double, "n": int64>',
     [{"x": 1.5, "n": 3}, {"x": None, "n": None}]),
    ("a struct of a frame", pd.DataFrame({"n": [3], "x": [1.5]}), 'struct<"x": double, "n": int64>',
     [{"x": 1.5, "n": 3}]),
    ("structs in a series", pd.Series([{"x": 1.5}, None]), 'struct<"x": double>',
     [{"x": 1.5}, None]),
    ("lists of structs", [[{"x": 1}], []], 'list<struct<"x": int64>>', [[{"x": 1}], []]),
    ("parts of structs", [{"x": 1.5}, {}], 'struct<"x": double, "n": int64>',
     [{"x": 1.5, "n": None}, {"x": None, "n": None}]),
    ("maps", [{"a": 1, "b": None}, {}, {"c": 2.5}], "map<string, double>",
     [[("a", 1.0), ("b", None)], [], [("c", 2.5)]]),
    ("maps in a series", pd.Series([{"a": [1]}, None]), "map<string, list<int64>>",
     [[("a", [1])], None]),
    ("maps of nothing", [{}, {}], "map<string, timestamp[us]>", [[], []]),
    ("bytes", [b"\1\0\0", b"\0"], "binary", [b"\1\0\0", b"\0"]),
    ("bytes in lists", [[b"\0", b""], [b"\1\0"]], "list<binary>", [[b"\0", b""], [b"\1\0"]]),
    ("bytes alone", [b"\1\0"], "list<binary>", [[b"\1\0"]]),
    ("texts with a zero", ["a\0", "b"], "string", ["a\0", "b"]),
    ("numbers of two kinds as texts", [1, 2.5, True], "string", ["1", "2.5", "True"]),
    ("the same in lists", [[1, 2], [2.5, 3]], "list<string>", [["1", "2"], ["2.5", "3"]]),
    ("lists that are all empty", [[], []], "list<timestamp[us]>", [[], []]),
    ("and of lists", [[], []], "list<list<double>>", [[], []]),
    ("zeros and ones", np.array([0.0, 1.0, NAN]), "bool", [False, True, None]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("result", "dtype", "expected"), [r[1:] for r in COLUMNS], ids=[r[0] for r in COLUMNS]
)
def test_a_column(result, dtype, expected, told):
    """Each kind of value that MLflow converts, and what is missing in it."""
    assert returned(told, result, len(expected), prediction(dtype)) == [expected]


REFUSED = [
    ("half a number", pd.Series([1.5], dtype=object), "int64", "truncated"),
    ("half a number in a list", pd.Series([[1.5]]), "list<int64>", "truncated"),
    ("infinity as an integer", [float("inf")], "int64", "declared as int64"),
    ("texts of digits", ["1"], "double", "string in a column of double"),
    ("texts of a date", ["2026-01-02"], "date32[day]", "string in a column of date32"),
    ("a number as a time", [1], "timestamp[us]", "int64 in a column of timestamp"),
    ("a time as a number", pd.Series([NANOSECONDS]), "int64", "timestamp"),
    ("a mapping as a text", pd.Series([{"x": 1}]), "string", "a dict in a column of texts"),
    ("a list as a text", pd.Series([[1, 2]]), "string", "a list in a column of texts"),
    ("a number as a struct", [1.0], 'struct<"x": double>', "where a mapping is declared"),
    ("a number as a map", [1.0], "map<string, double>", "where a mapping is declared"),
    ("a text as a map's number", [{"a": "1"}], "map<string, double>", "string in a column"),
    ("a map's key is missing", [{None: 1.0}], "map<string, double>", "nothing as a key"),
    ("a matrix as lists of lists", np.ones((1, 2)), "list<list<double>>", "no lists in a column"),
    ("rows as lists of lists", pd.Series([[1.0]]), "list<list<double>>", "no lists in a column"),
    ("texts as lists of lists", [["a", None]], "list<list<string>>", "no list in a column"),
    ("a tensor as a list", np.ones((1, 2, 3)), "list<double>", "2 dimensions"),
    ("columns of several lengths", {"x": [1.0], "y": [1.0, 2.0]}, "list<double>", "of .1, 2. rows"),
    ("a chance as yes or no", np.array([0.5]), "bool", "neither 0 nor 1"),
    ("one for all", 1.0, "list<double>", "one value for all rows"),
    ("nothing", None, "double", "0 dimensions"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("result", "dtype", "message"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_what_does_not_fit_is_refused(result, dtype, message, told):
    """Nothing is cut off, parsed or guessed."""
    with pytest.raises(ContractViolation, match=message):
        returned(told, result, 1, prediction(dtype))


def test_a_name_that_is_lacking_is_not_taken_by_position(told):
    """Where some names are the outputs', the others must be; a mapping may leave one out."""
    outputs = (Field(name="low", type="double"), Field(name="high", type="double"))
    with pytest.raises(ContractViolation, match=r"no column 'high'.*did you mean 'hihg'"):
        returned(told, pd.DataFrame({"low": [1.0], "hihg": [2.0]}), 1, *outputs)
    assert returned(told, [{"low": 1.0}], 1, *outputs) == [[1.0], [None]]
    assert returned(told, [{}], 1, *outputs) == [[None], [None]]


SHAPES = {
    "list": list,
    "series": lambda values: pd.Series(values, dtype=object),
    "indexed": lambda values: pd.Series(values, index=[5] * len(values), dtype=object),
    "nullable": lambda values: pd.array(values, dtype="Int64"),
    "frame": lambda values: pd.DataFrame({"prediction": pd.array(values, dtype="Int64")}),
    "of Arrow": lambda values: pd.Series(values, dtype="int64[pyarrow]"),
    "mapping": lambda values: {"prediction": values},
    "mappings": lambda values: [{"prediction": value} for value in values],
    "array": lambda values: np.array(values, dtype=object),
    "category": lambda values: pd.Series(pd.array(values, dtype="Int64")).astype("category"),
}


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5),
    shape=st.sampled_from(sorted(SHAPES)),
)
def test_integers_with_gaps_are_exact_in_every_container(values, shape, told):
    """As the model gave them: none is rounded on its way through a float."""
    result = SHAPES[shape](values)
    assert returned(told, result, len(values), prediction("int64")) == [values]


def test_mlflow_itself_gives_what_the_table_says(told):
    """The oracle of the table: MLflow hands on what the model returned, and `str` makes texts."""
    folder, _ = told
    loaded = mlflow.pyfunc.load_model(folder)
    rows = pd.DataFrame({"a": [0.0, 0.0]})
    for result in (np.array([1.0, 2.5]), np.array([1, 2]), np.array([True, False])):
        text = base64.b64encode(pickle.dumps(result)).decode()
        native = loaded.predict(rows, params={"result": text})
        expected = pd.DataFrame(native).map(str)[0].tolist()
        assert returned(told, result, 2, prediction("string")) == [expected]


@pytest.mark.parametrize(
    "dtype",
    [pa.float64(), pa.int64(), pa.string(), pa.bool_(), pa.date32(), pa.list_(pa.float64())],
    ids=str,
)
def test_a_list_that_holds_itself_ends_no_process(dtype):
    """Arrow looks for the type of what is in it until the stack is used up."""
    endless: list[object] = []
    endless.append(endless)
    column = np.empty(2, dtype=object)
    column[:] = [endless, 1.0]

    for result in (column, [endless, 1.0], endless, pd.Series(column), {"a": column}["a"]):
        with pytest.raises((pa.ArrowInvalid, pa.ArrowTypeError)):
            as_column(result, dtype)
