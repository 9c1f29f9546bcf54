"""The pyfunc flavor: any MLflow model, its params, and every shape of result."""

from __future__ import annotations

import datetime as dt
import socket
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sparkml.errors import ConfigError, ContractViolation, ModelUnreadable, SignatureUnknown
from sparkml.models.digest import digest_of
from sparkml.models.read import open_predictor, read_spec
from sparkml.scoring.cache import load_scorer
from sparkml.spec import Field, ModelSpec, NullPolicy, Signature
from sparkml.type_names import to_arrow_type
from tests.quiet import quiet

with quiet():
    import mlflow.pyfunc

NUMBER = Field(name="prediction", type="double")
INPUTS = (Field(name="a", type="double"), Field(name="b", type="int64"))
BATCH = pa.RecordBatch.from_pydict({"a": [0.5, 1.5], "b": [1, 2]})


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)


@pytest.fixture
def save(tmp_path):
    def save(model, **options):
        folder = tmp_path / f"model{len(list(tmp_path.iterdir()))}"
        with quiet():
            options = {"pip_requirements": ["mlflow-skinny"]} | options
            mlflow.pyfunc.save_model(folder, python_model=model, **options)
        return str(folder)

    return save


def giving(result):
    """A Python model that returns `result(frame)`."""

    with quiet():

        class Model(mlflow.pyfunc.PythonModel):
            def predict(self, context, model_input, params=None):
                return result(model_input)

    return Model()


def signature_of(*example, **params):
    """The signature that MLflow infers; integer columns make it warn."""
    with quiet():
        return mlflow.models.infer_signature(*example, **params)


def scored(path, outputs, batch=BATCH, inputs=INPUTS, **options):
    spec = read_spec(path, signature=Signature(inputs=inputs, outputs=outputs), **options)
    return open_predictor(spec).predict(batch)


@pytest.mark.parametrize(
    "result",
    [
        lambda f: f["a"] * 2,
        lambda f: (f["a"] * 2).rename("other").set_axis([7, 7]),
        lambda f: pd.DataFrame({"prediction": f["a"] * 2}),
        lambda f: (f["a"] * 2).to_numpy(),
        lambda f: (f["a"] * 2).to_numpy()[:, None],
        lambda f: (f["a"] * 2).tolist(),
        lambda f: {"prediction": f["a"] * 2},
        lambda f: [{"prediction": a * 2} for a in f["a"]],
        lambda f: (f["a"] * 2).astype("float32"),
        lambda f: (f["a"] * 2).astype(object),
    ],
    ids=[
        *("series", "named", "frame", "array", "column"),
        *("list", "dict", "dicts", "float32", "objects"),
    ],
)
def test_one_output_in_every_shape(result, save):
    """Whatever container the model returns, it is one column of doubles."""
    (made,) = scored(save(giving(result)), (NUMBER,))
    assert (made.type, made.to_pylist()) == (pa.float64(), [1.0, 3.0])


@pytest.mark.parametrize(
    "result",
    [
        lambda f: pd.DataFrame({"high": f["a"] + 1, "low": f["a"] - 1}),
        lambda f: np.c_[f["a"] - 1, f["a"] + 1],
        lambda f: pd.DataFrame(np.c_[f["a"] - 1, f["a"] + 1]),
        lambda f: [[a - 1, a + 1] for a in f["a"]],
    ],
    ids=["by name", "array", "unnamed frame", "rows"],
)
def test_several_outputs(result, save):
    """By name where the result has the names, else by position."""
    outputs = (Field(name="low", type="double"), Field(name="high", type="double"))
    low, high = scored(save(giving(result)), outputs)
    assert (low.to_pylist(), high.to_pylist()) == ([-0.5, 0.5], [1.5, 2.5])


@pytest.mark.parametrize(
    "result",
    [
        lambda f: np.c_[f["a"], f["b"]],
        lambda f: [[a, b] for a, b in zip(f["a"], f["b"], strict=True)],
        lambda f: pd.Series([np.array([a, b]) for a, b in zip(f["a"], f["b"], strict=True)]),
    ],
    ids=["array", "rows", "series of arrays"],
)
def test_an_output_of_lists(result, save):
    """One list a row."""
    outputs = (Field(name="prediction", type="list<double>"),)
    (made,) = scored(save(giving(result)), outputs)
    assert made.to_pylist() == [[0.5, 1.0], [1.5, 2.0]]


def test_texts_that_are_missing_are_null(save):
    """None and NaN among texts are null, never the words `None` and `nan`."""
    model = giving(lambda f: pd.Series(["x", None if f["b"][1] == 2 else "y"], dtype=object))
    (made,) = scored(save(model), (Field(name="prediction", type="string"),))
    assert made.to_pylist() == ["x", None]


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda f: f["a"][:1], "returned 1 rows for 2"),
        (lambda f: [1.0, 2.0, 3.0], "returned 3 rows for 2"),
        (lambda f: ["x", "y"], "declared as double"),
        (lambda f: f, "returned 2 columns, 1 outputs"),
        (lambda f: 1.0, "declared as double"),
    ],
    ids=["fewer", "more", "texts", "columns", "scalar"],
)
def test_another_result_than_declared_breaks_the_contract(result, message, save):
    """Rows, columns and types are held against the declaration."""
    with pytest.raises(ContractViolation, match=message):
        scored(save(giving(result)), (NUMBER,))


def test_half_a_number_is_no_integer(save):
    """A declared integer is never cut off."""
    with pytest.raises(ContractViolation, match="declared as int64"):
        scored(save(giving(lambda f: f["a"])), (Field(name="prediction", type="int64"),))


def types_of(frame):
    return [str(dtype) for dtype in frame.dtypes]


def test_the_signature_comes_from_mlflow(save):
    """And the columns reach the model in its order, with their types."""
    frame = pd.DataFrame({"a": [0.5], "b": [1], "c": ["x"], "d": [True]})
    signature = signature_of(frame, pd.Series(["float64"]))
    model = giving(lambda f: [" ".join(types_of(f))] * len(f))
    spec = read_spec(save(model, signature=signature))
    assert [(f.name, f.type) for f in spec.signature.inputs] == [
        ("a", "double"), ("b", "int64"), ("c", "string"), ("d", "bool"),
    ]  # fmt: skip
    assert spec.signature.outputs == (Field(name="prediction", type="string"),)
    assert spec.nulls == {"*": NullPolicy(kind="quarantine")}
    (made,) = open_predictor(spec).predict(pa.RecordBatch.from_pandas(frame))
    assert made.to_pylist() == ["float64 int64 object bool"]


def test_nulls_in_a_batch_break_nothing(save):
    """MLflow refuses an integer column in its first batch with a null; the types decide here."""
    frame = pd.DataFrame({"a": [0.5], "b": [1], "c": ["x"], "d": [True]})
    signature = signature_of(frame, pd.Series([1]))
    model = giving(lambda f: f.isna().sum(axis=1))
    spec = read_spec(save(model, signature=signature), nulls="model")
    batch = pa.RecordBatch.from_pydict(
        {"a": [0.5, None], "b": [2**53, None], "c": ["x", None], "d": [True, None]},
        schema=pa.schema({"a": "double", "b": "int64", "c": "string", "d": "bool"}),
    )
    (made,) = open_predictor(spec).predict(batch)
    assert made.to_pylist() == [0, 4]


def test_dates_arrive_as_mlflow_gives_them(save):
    """Timestamps in nanoseconds, a null is NaT; dates are `datetime.date`, a null is None."""
    inputs = (Field(name="day", type="date32[day]"), Field(name="at", type="timestamp[us]"))
    moment = dt.datetime(2026, 1, 2, 3)  # noqa: DTZ001 -- MLflow's timestamps have no zone
    batch = pa.RecordBatch.from_pydict(
        {
            "day": pa.array([moment.date(), None]),
            "at": pa.array([moment, None], pa.timestamp("us")),
        }
    )
    model = giving(lambda f: [f"{row.day!r} {row.at!r} {f['at'].dtype}" for row in f.itertuples()])
    (made,) = scored(save(model), (Field(name="prediction", type="string"),), batch, inputs)
    assert made.to_pylist() == [
        "datetime.date(2026, 1, 2) Timestamp('2026-01-02 03:00:00') datetime64[ns]",
        "None NaT datetime64[ns]",
    ]


@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_a_tensor_arrives_in_its_shape_and_type(dtype, save):
    """One list column becomes the array that the model was logged with."""
    example = np.zeros((2, 2, 2), dtype=dtype)
    signature = signature_of(example, np.array(["x"]))
    model = giving(lambda array: [f"{array.shape[1:]} {array.dtype} {array[0, 1, 0]}"] * len(array))
    spec = read_spec(save(model, signature=signature))
    (column,) = spec.signature.inputs
    assert (column.name, column.type, column.length) == ("features", "list<double>", 4)
    batch = pa.RecordBatch.from_pydict({"features": [[1.0, 2.0, 3.0, 4.0]]})
    (made,) = open_predictor(spec).predict(batch)
    assert made.to_pylist() == [f"(2, 2) {dtype} {np.array(3, dtype)}"]


@pytest.mark.parametrize(
    ("dtype", "bad"), [("int64", 1.5), ("int64", float("nan")), ("uint8", 300.0), ("bool", 2.0)]
)
def test_a_tensor_of_integers_takes_nothing_else(dtype, bad, save):
    """A fraction is not cut off, a null is no number, and nothing wraps around."""
    model = giving(lambda array: array[:, 0].astype(float))
    spec = read_spec(
        save(model, signature=signature_of(np.zeros((2, 1), dtype), np.zeros(2))), nulls="model"
    )
    scored = load_scorer(spec)(pa.record_batch({"features": [[1.0], [bad], [0.0]]}))
    assert scored["prediction"].to_pylist() == [1.0, None, 0.0]
    assert f"a tensor of {dtype} has not" in scored["error"][1]["message"].as_py()


@pytest.mark.parametrize("shape", [(2,), (2, 2)])
def test_a_tensor_of_uint64_is_exact_where_decimals_are_declared(shape, save):
    """Doubles would round beyond 2^53, and a long ends at 2^63, where a result is refused."""
    model = giving(lambda array: array if array.ndim == 1 else array[:, 1])
    example = np.zeros(shape, np.uint64)
    folder = save(model, signature=signature_of(example, example.ravel()[:2]))
    spec = read_spec(folder)
    assert spec.signature.outputs[0].type == "int64"
    assert spec.signature.inputs[0].type == ("int64" if len(shape) == 1 else "list<double>")
    values = [2**64 - 1, 2**53 + 1]
    given = values if len(shape) == 1 else [[0, value] for value in values]
    exact = "decimal128(20, 0)" if len(shape) == 1 else "list<decimal128(20, 0)>"
    name = spec.signature.names[0]
    batch = pa.RecordBatch.from_arrays([pa.array(given, to_arrow_type(exact))], names=[name])
    inputs = (Field(name=name, type=exact),)
    narrow = load_scorer(read_spec(folder, signature=Signature(inputs=inputs)))
    assert narrow(batch.slice(1)).column(0).to_pylist() == [2**53 + 1]
    with pytest.raises(ContractViolation, match=r"not in range.*correct the outputs"):
        narrow(batch)

    wide = Signature(inputs=inputs, outputs=(Field(name="prediction", type="decimal128(20, 0)"),))
    made = load_scorer(read_spec(folder, signature=wide))(batch)
    assert made.column(0).to_pylist() == values


@pytest.mark.parametrize("name", [None, "x"])
def test_one_tensor_has_a_name_or_none(name, save):
    """With one it comes in a mapping, as MLflow itself gives it."""
    example = np.zeros((2, 3), dtype="float32")
    model = giving(lambda given: (given["x"] if isinstance(given, dict) else given).sum(axis=1))
    folder = save(model, signature=signature_of({"x": example} if name else example, np.zeros(2)))
    native = mlflow.pyfunc.load_model(folder)
    rows = np.arange(6, dtype="float32").reshape(2, 3)
    expected = native.predict({"x": rows} if name else rows).tolist()
    spec = read_spec(folder)
    batch = pa.RecordBatch.from_pydict({name or "features": rows.tolist()})
    assert open_predictor(spec).predict(batch)[0].to_pylist() == expected == [3.0, 12.0]
    columns = tuple(Field(name=c, type="double") for c in "abc")
    if name is None:  # MLflow takes a table of three columns for it as well
        spec = read_spec(folder, signature=Signature(inputs=columns))
        batch = pa.RecordBatch.from_arrays([pa.array(rows[:, i]) for i in range(3)], list("abc"))
        assert open_predictor(spec).predict(batch)[0].to_pylist() == expected


def test_a_mapping_of_an_array_says_so(save):
    """A named tensor is never a bare array, whatever the column is called."""
    example = {"x": np.zeros((2, 3))}
    model = giving(lambda given: [f"{type(given).__name__} {list(given)}"] * len(given["x"]))
    folder = save(model, signature=signature_of(example, np.array(["s"])))
    inputs = (Field(name="pixels", type="list<double>", length=3),)
    spec = read_spec(folder, signature=Signature(inputs=inputs))
    batch = pa.RecordBatch.from_pydict({"pixels": [[1.0, 2.0, 3.0]]})
    assert open_predictor(spec).predict(batch)[0].to_pylist() == ["dict ['x']"]


def test_a_tensor_of_any_rank_comes_out_as_nested_lists(save):
    """A list for each dimension of a row's part."""
    output = np.zeros((2, 2, 3))
    model = giving(lambda f: np.arange(len(f) * 6, dtype=float).reshape(-1, 2, 3))
    spec = read_spec(save(model, signature=signature_of(BATCH.to_pandas(), output)))
    assert spec.signature.outputs == (Field(name="prediction", type="list<list<double>>"),)
    (made,) = open_predictor(spec).predict(BATCH)
    assert made.to_pylist() == np.arange(12.0).reshape(2, 2, 3).tolist()


with quiet():

    class Shifted(mlflow.pyfunc.PythonModel):
        def load_context(self, context):
            self.base = context.model_config["base"]

        def predict(self, context, model_input, params=None):
            return model_input["a"] + self.base + params["shift"]


def test_params_and_model_config_reach_the_model(save):
    """From the spec, wherever it is opened; a param that is not given has its default."""
    frame = BATCH.to_pandas()
    signature = signature_of(frame, frame["a"], params={"shift": 10.0})
    path = save(Shifted(), signature=signature, model_config={"base": 100.0})
    assert open_predictor(read_spec(path)).predict(BATCH)[0].to_pylist() == [110.5, 111.5]
    spec = read_spec(path, params={"shift": 1.0}, model_config={"base": 200.0})
    assert (spec.params, spec.model_config) == ({"shift": 1.0}, {"base": 200.0})
    assert open_predictor(spec).predict(BATCH)[0].to_pylist() == [201.5, 202.5]


def test_a_param_or_key_that_the_model_has_not_is_refused(save):
    """MLflow would ignore it, with a line in a log."""
    frame = BATCH.to_pandas()
    signature = signature_of(frame, frame["a"], params={"shift": 10.0})
    path = save(Shifted(), signature=signature, model_config={"base": 100.0})
    with pytest.raises(ConfigError, match=r"no param 'shfit'.*did you mean 'shift'"):
        read_spec(path, params={"shfit": 1.0})
    with pytest.raises(ConfigError, match=r"model_config key 'bas'.*did you mean 'base'"):
        read_spec(path, model_config={"bas": 1.0})
    for key in ("params", "model_config"):
        with pytest.raises(ConfigError, match=rf"\['bas'\] is no mapping by names . {key}"):
            read_spec(path, **{key: ["bas"]})


PARAMS = {
    "number": 0.5,
    "small": np.float32(0.5),
    "count": 3,
    "flag": True,
    "word": "w",
    "numbers": [0.5],
    "counts": np.array([1]),
    "day": dt.datetime(2020, 1, 1),  # noqa: DTZ001 -- MLflow's have no zone
    "days": [dt.datetime(2020, 1, 1)],  # noqa: DTZ001 -- as above
    "nested": {"a": 1},
}

GIVEN = [
    ("number", np.float64(1.5), 1.5),
    ("number", np.float32(0.1), float(np.float32(0.1))),
    ("number", np.int64(2), 2),
    ("number", 2, 2),
    ("small", 1.5, 1.5),
    ("count", np.int32(7), 7),
    ("count", np.array(7), 7),
    ("flag", np.bool_(False), False),
    ("word", np.str_("x"), "x"),
    ("numbers", np.array([1.0, 2.0]), [1.0, 2.0]),
    ("numbers", (1.0, 2.0), [1.0, 2.0]),
    ("counts", np.array([1, 2], dtype="int32"), [1, 2]),
    ("counts", [np.int64(1)], [1]),
    ("day", dt.date(9999, 12, 31), "9999-12-31"),
    ("day", dt.datetime(2026, 1, 2, 3), "2026-01-02T03:00:00"),  # noqa: DTZ001 -- as above
    ("day", pd.Timestamp("2026-01-02T03:04:05.123456789"), "2026-01-02T03:04:05.123456"),
    ("day", np.datetime64("2026-01-02"), "2026-01-02"),
    ("day", np.datetime64("2026-01-02T03:04:05.5", "ns"), "2026-01-02T03:04:05.500000"),
    ("day", "2026-01-02T03:00:00", "2026-01-02T03:00:00"),
    ("days", np.array(["2026-01-02", "2026-01-03"], "M8[D]"), ["2026-01-02", "2026-01-03"]),
    ("days", [dt.date(2026, 1, 2)], ["2026-01-02"]),
    ("nested", {"a": np.int64(2)}, {"a": 2}),
    ("number", None, None),
]


@pytest.fixture(scope="module")
def with_params(tmp_path_factory):
    """A model that tells each param that it gets, and its type."""
    folder = tmp_path_factory.mktemp("params") / "m"
    frame = BATCH.to_pandas()
    with quiet():

        class Telling(mlflow.pyfunc.PythonModel):
            def predict(self, context, model_input, params=None):
                return [repr({k: params[k] for k in sorted(params)})] * len(model_input)

        mlflow.pyfunc.save_model(
            folder,
            python_model=Telling(),
            pip_requirements=["mlflow-skinny"],
            signature=mlflow.models.infer_signature(frame, ["x"], params=PARAMS),
        )
    return str(folder)


@pytest.mark.parametrize(("name", "value", "stored"), GIVEN)
def test_a_param_reaches_the_model_as_through_mlflow(name, value, stored, with_params):
    """NumPy's values and dates travel as plain ones, and become the same again in the worker."""
    spec = read_spec(with_params, params={name: value})
    assert spec.params == {name: stored}
    assert type(spec.params[name]) is type(stored)
    assert ModelSpec.from_json(spec.to_json()) == spec
    (made,) = open_predictor(spec).predict(BATCH)
    native = mlflow.pyfunc.load_model(with_params)
    given = list(value) if isinstance(value, tuple) else value
    given = given.item() if isinstance(given, np.ndarray) and given.ndim == 0 else given
    if isinstance(given, np.datetime64 | pd.Timestamp):  # nanoseconds are a number to MLflow
        given = np.datetime64(given, "us") if "T" in str(given) else given
    if isinstance(given, dict):
        given = {"a": 2}
    assert made.to_pylist() == native.predict(BATCH.to_pandas(), params={name: given})


def test_a_time_with_a_zone_is_utc(with_params):
    """As in MLflow, which warns of it."""
    zone = dt.timezone(dt.timedelta(hours=2))
    spec = read_spec(with_params, params={"day": dt.datetime(2026, 1, 2, 3, tzinfo=zone)})
    assert spec.params == {"day": "2026-01-02T01:00:00"}
    with pytest.raises(ConfigError, match=r"no date of Python's.*\| params\.day \| fix: give it w"):
        read_spec(with_params, params={"day": dt.datetime(1, 1, 1, tzinfo=zone)})


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"number": "a"}, r"'a' is not what the model declares: 'number'.*\| params\.number \|"),
        ({"number": [1.0]}, r"\[1\.0\] is not what.*\| params\.number \|"),
        ({"count": 1.5}, r"1\.5 is not what.*\| params\.count \|"),
        ({"count": True}, r"True is not what.*\| params\.count \|"),
        ({"flag": 1}, r"1 is not what.*\| params\.flag \|"),
        ({"word": 1}, r"1 is not what.*\| params\.word \|"),
        ({"counts": 1}, r"1 is not what.*\| params\.counts \|"),
        ({"counts": [1, "a"]}, r"\[1, 'a'\] is not what.*\| params\.counts \|"),
        ({"counts": np.eye(2)}, r".* is not what.*\| params\.counts \|"),
        ({"day": "yesterday"}, r"'yesterday' is not what.*\| params\.day \|"),
        ({"day": 5}, r"5 is not what.*\| params\.day \|"),
        ({"nested": {"b": 1}}, r".* is not what.*\| params\.nested \|"),
        ({"number": Decimal(1)}, r"a Decimal is no plain value.*\| params\.number \|"),
        ({"count": np.timedelta64(5, "ns")}, r"a timedelta is no plain.*\| params\.count \|"),
        ({"number": 1 << 20_000}, r"20,001 bits is no plain value.*\| params\.number \|"),
        ({"text": "\ud800"}, r"half a character.*\| params\.text \|"),
        ({"\ud800": 1}, r"half a character.*\| params \|"),
        ({"number": {1.0}}, r"a set is no plain value.*\| params\.number \|"),
        ({"counts": [1, b"x"]}, r"a bytes is no plain value.*\| params\.counts\[1\] \|"),
        (
            {"nested": {"a": dt.date(2026, 1, 2)}},
            r"a date is no plain value.*\| params\.nested\.a \|",
        ),
    ],
)
def test_a_param_of_a_wrong_type_is_refused_at_once(params, message, with_params):
    """By its name, before anything is scored."""
    with pytest.raises(ConfigError, match=message):
        read_spec(with_params, params=params)


def test_config_of_numpy_becomes_plain_and_a_date_is_refused(save):
    """MLflow hands the config on as it is, so a text would be no date to the model."""
    frame = BATCH.to_pandas()
    signature = signature_of(frame, frame["a"], params={"shift": 10.0})
    path = save(Shifted(), signature=signature, model_config={"base": 100.0})
    spec = read_spec(path, model_config={"base": np.float64(5.0)})
    assert spec.model_config == {"base": 5.0}
    with pytest.raises(ConfigError, match=r"a date is no plain value.*\| model_config\.base \|"):
        read_spec(path, model_config={"base": dt.date(2026, 1, 2)})


def test_without_a_signature_the_error_shows_the_line(save):
    """pyfunc knows nothing of its own about columns."""
    path = save(giving(lambda f: f["a"]))
    with pytest.raises(SignatureUnknown, match=r"columns it takes.*infer_signature"):
        read_spec(path)
    with pytest.raises(SignatureUnknown, match=r"columns it gives.*outputs=\(Field"):
        read_spec(path, signature=Signature(inputs=INPUTS))


def test_a_model_with_its_own_modules_keeps_its_digest(save, tmp_path):
    """The modules are imported from the cached folder, and no byte code is written into it."""
    (tmp_path / "logic").mkdir()
    (tmp_path / "logic" / "my_own_logic_of_the_test.py").write_text("def f(x):\n    return x * 3\n")

    def tripled(frame):
        from my_own_logic_of_the_test import f

        return f(frame["a"])

    path = save(
        giving(tripled), code_paths=[str(tmp_path / "logic" / "my_own_logic_of_the_test.py")]
    )
    spec = read_spec(path, signature=Signature(inputs=INPUTS, outputs=(NUMBER,)))
    for _ in range(2):
        assert open_predictor(spec).predict(BATCH)[0].to_pylist() == [1.5, 4.5]
    assert digest_of(tmp_path / "cache" / spec.digest) == spec.digest


def test_an_empty_batch_does_not_reach_the_model(save):
    """It has the declared types."""
    model = giving(lambda f: 1 / 0)
    (made,) = scored(save(model), (NUMBER,), BATCH.slice(0, 0))
    assert (len(made), made.type) == (0, pa.float64())


def test_a_model_that_cannot_be_loaded_says_why(save, tmp_path):
    """MLflow's own words, and the cause behind them."""
    path = save(giving(lambda f: f))
    (tmp_path / path / "python_model.pkl").write_bytes(b"broken")
    with pytest.raises(ModelUnreadable, match=r"MLflow cannot load the model: .+"):
        read_spec(path)


def test_a_model_may_connect_when_it_predicts(save):
    """As the error says to whoever does it at loading; then a signature is recorded."""

    def ask(frame):
        socket.socket().close()
        return frame["a"] * 2

    frame = BATCH.to_pandas()
    path = save(giving(ask), signature=signature_of(frame, frame["a"] * 2))
    assert open_predictor(read_spec(path)).predict(BATCH)[0].to_pylist()


def test_any_mlflow_model_goes_through_pyfunc_when_told(tmp_path):
    """scikit-learn's as well: the fallback reads what has a flavor of its own."""
    from sklearn.tree import DecisionTreeRegressor

    frame = BATCH.to_pandas()
    model = DecisionTreeRegressor().fit(frame, [1.0, 2.0])
    with quiet():
        mlflow.sklearn.save_model(
            model,
            tmp_path / "m",
            serialization_format="cloudpickle",
            pip_requirements=["scikit-learn"],
            signature=signature_of(frame, model.predict(frame)),
        )
    for flavor in ("pyfunc", None):
        spec = read_spec(str(tmp_path / "m"), flavor=flavor)
        assert spec.flavor == (flavor or "sklearn")
        assert open_predictor(spec).predict(BATCH)[0].to_pylist() == [1.0, 2.0]
