"""Structs and maps as inputs: their types, their casts, and what a model is given."""

from __future__ import annotations

import datetime as dt
import json
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sparkml import load_scorer, read_spec
from sparkml.arrow import cast, cast_rule
from sparkml.config.signature import parse_signature
from sparkml.errors import SignatureError
from sparkml.spec import Signature
from sparkml.type_names import to_arrow_type, type_name
from tests.quiet import quiet

TYPES = [
    'struct<"a b": double, "c"?: map<string, list<int64>>>',
    "map<string, double>",
    'list<struct<"x": struct<"y": timestamp[us, tz=UTC]>>>',
    'map<string, struct<"a": decimal128(9, 2)>>',
    'map<decimal128(9, 2), map<struct<"a": int32, "b": int32>, timestamp[us, tz=UTC]>>',
    'struct<"comma, and <": string, "ü\\"q": binary>',
]


@pytest.mark.parametrize("name", TYPES)
def test_a_type_s_name_is_read_back(name):
    """Whatever is in it."""
    assert type_name(to_arrow_type(name)) == name


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("struct<a: double, b: int?>", 'struct<"a": double, "b"?: int32>'),
        ("struct<`a b`: struct<c?: str>>", 'struct<"a b": struct<"c"?: string>>'),
        ("map<string, array<long>>", "map<string, list<int64>>"),
        ('struct<"x": map<string, double>>', 'struct<"x": map<string, double>>'),
    ],
)
def test_a_configuration_may_write_them_shorter(written, name):
    """Bare names, SQL's types, `?` on either side of the colon."""
    made = parse_signature(f"s: {written}, x: double -> y: double")
    assert made.inputs[0].type == name
    to_arrow_type(name)


@pytest.mark.parametrize(
    "bad", ["struct<a>", "map<string>", "map<int, int, int>", "struct<a: nothing>", "struct<: int>"]
)
def test_a_type_that_is_none_is_refused(bad):
    """In a signature and in a configuration alike."""
    with pytest.raises(SignatureError):
        to_arrow_type(bad)
    with pytest.raises(ValueError, match=r"type|NAME"):
        parse_signature(f"s: {bad}")


STRUCT = pa.struct([("y", pa.int32()), ("x", pa.float64()), ("more", pa.string())])
ROWS = [{"y": 1, "x": 2.5, "more": "m"}, None, {"y": None, "x": 1.0, "more": None}]
PAIRS = [[("a", 1), ("b", None)], None, [], [("c", 3)]]


@pytest.mark.parametrize("start", [0, 1, 2])
def test_parts_are_cast_by_name_and_nulls_stay(start):
    """Also in a slice; a field that may be absent is null."""
    given = pa.array(ROWS, STRUCT).slice(start)
    wanted = to_arrow_type("struct<x: float, y: int64, z?: string>")
    assert "within it: nearest float" in cast_rule(given.type, wanted)
    expected = [r and {"x": r["x"], "y": r["y"], "z": None} for r in ROWS[start:]]
    assert cast(given, wanted).to_pylist() == expected

    pairs = pa.array(PAIRS, pa.map_(pa.string(), pa.int32())).slice(start)
    made = cast(pairs, to_arrow_type("map<string, double>"))
    assert made.to_pylist() == PAIRS[start:]
    assert made.type == pa.map_(pa.string(), pa.float64())
    made.validate(full=True)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (STRUCT, "struct<x: double, z: double>"),  # no such field
        (STRUCT, "struct<x: double, Y?: int32>"),  # y may be meant
        (pa.struct([("x", pa.int32()), ("x", pa.float64())]), "struct<x?: double>"),
        (STRUCT, "struct<x: string>"),
        (STRUCT, "map<string, double>"),
        (pa.map_(pa.string(), pa.string()), "map<string, double>"),
        (pa.list_(STRUCT), "struct<x: double>"),
        (pa.float64(), "struct<x: double>"),
    ],
)
def test_what_does_not_fit_is_refused(given, wanted):
    """A field is never made up."""
    assert cast_rule(given, to_arrow_type(wanted)) is None


def test_instants_within_are_the_wall_clock_of_their_zone():
    """As outside."""
    given = pa.array(
        [[{"t": 0}], None], pa.list_(pa.struct([("t", pa.timestamp("us", "Asia/Tokyo"))]))
    )
    wanted = to_arrow_type("list<struct<t: timestamp[us]>>")
    assert "time zone" in cast_rule(given.type, wanted)
    nine = dt.datetime.fromisoformat("1970-01-01T09:00")
    assert cast(given, wanted).to_pylist() == [[{"t": nine}], None]


with quiet():
    import mlflow.pyfunc
    import pydantic
    from mlflow.types.schema import Array, ColSpec, Map, Object, Property, Schema

    def plain(value):
        return value.item() if isinstance(value, np.generic) else str(value)

    class Echo(mlflow.pyfunc.PythonModel):
        """Tells what it was given, as JSON."""

        def predict(self, context, model_input, params=None):
            return [
                json.dumps({n: model_input[n].iloc[i] for n in model_input}, default=plain)
                for i in range(len(model_input))
            ]

    class Person(pydantic.BaseModel):
        name: str
        age: float
        nick: str | None = None

    class Hinted(mlflow.pyfunc.PythonModel):
        """Its type hints are its signature."""

        def predict(self, model_input: list[Person], params=None) -> list[str]:
            return [f"{p.name} {p.age} {p.nick}" for p in model_input]


COLUMNS = [
    ColSpec("double", "x"),
    ColSpec(
        Object(
            [
                Property("age", "long"),
                Property("name", "string", required=False),
                Property("scores", Array("double")),
            ]
        ),
        "who",
    ),
    ColSpec(Map("double"), "counts"),
    ColSpec(Array(Object([Property("a", "double")])), "each"),
]
WHO = to_arrow_type("struct<age: int64, name: string, scores: list<double>>")
BATCH = pa.RecordBatch.from_pydict(
    {
        "x": [1.0, 2.0],
        "who": pa.array(
            [
                {"age": 3, "name": "Ada", "scores": [1.0]},
                {"age": 4, "name": None, "scores": []},
            ],
            WHO,
        ),
        "counts": pa.array([[("a", 1.0)], []], pa.map_(pa.string(), pa.float64())),
        "each": pa.array([[{"a": 1.0}], []], to_arrow_type("list<struct<a: double>>")),
    }
)


@pytest.fixture
def save(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)

    def save(model, **options):
        with quiet():
            mlflow.pyfunc.save_model(
                tmp_path / "m", python_model=model, pip_requirements=[], **options
            )
        return str(tmp_path / "m")

    return save


def test_a_model_is_given_what_mlflow_gives_it(save):
    """Objects, maps and lists of objects, beside a number; nothing is quarantined."""
    signature = mlflow.models.ModelSignature(
        inputs=Schema(COLUMNS), outputs=Schema([ColSpec("string")])
    )
    path = save(Echo(), signature=signature)

    scored = load_scorer(read_spec(path))(BATCH)

    assert scored.column("error").null_count == 2
    got = [json.loads(text) for text in scored.column(0).to_pylist()]
    given = pd.DataFrame(BATCH.to_pylist(maps_as_pydicts="strict"))
    theirs = mlflow.pyfunc.load_model(path).predict(given)
    assert got == [json.loads(text) for text in theirs]


def test_a_date_within_is_what_it_is(save):
    """Beyond nanoseconds, too."""
    signature = Signature(
        inputs=parse_signature("s: struct<at: timestamp_ntz, d: date>").inputs,
        outputs=parse_signature("x: int -> prediction: string").outputs,
    )
    row = {"at": dt.datetime.fromisoformat("9999-12-31T00:00"), "d": dt.date(1, 1, 1)}
    column = pa.array([row], to_arrow_type("struct<at: timestamp_ntz, d: date>"))

    scored = load_scorer(read_spec(save(Echo()), signature=signature))(
        pa.RecordBatch.from_arrays([column], ["s"])
    )

    told = json.loads(scored.column(0)[0].as_py())
    assert told == {"s": {"at": "9999-12-31 00:00:00", "d": "0001-01-01"}}


def test_a_model_whose_type_hints_are_pydantic_s_is_scored(save):
    """One struct column; an optional field may be absent."""
    path = save(Hinted())
    spec = read_spec(path)
    (wanted,) = spec.signature.inputs
    assert wanted.type == 'struct<"age": double, "name": string, "nick"?: string>'

    people = pa.array(
        [{"name": "Ada", "age": 36.0}], to_arrow_type("struct<name: string, age: double>")
    )
    scored = load_scorer(spec)(pa.RecordBatch.from_arrays([people], [wanted.name]))

    assert scored.column(0).to_pylist() == ["Ada 36.0 None"]


def test_a_row_s_error_holds_its_inputs(save):
    """As JSON, nested ones too."""
    signature = Signature(
        inputs=parse_signature("s: struct<a: double>, m: map<string, double>").inputs,
        outputs=parse_signature("x: int -> prediction: string").outputs,
    )
    spec = read_spec(save(Echo()), signature=signature)
    batch = pa.RecordBatch.from_pydict(
        {
            "s": pa.array([None, {"a": float("nan")}], to_arrow_type("struct<a: double>")),
            "m": pa.array([[("k", float("inf"))], None], to_arrow_type("map<string, double>")),
        }
    )
    errors = load_scorer(spec)(batch).column("error").to_pylist()
    assert [e["code"] for e in errors] == ["NULL_INPUT"] * 2
    told = [json.loads(e["payload"]) for e in errors]
    assert told == [{"s": None, "m": {"k": "inf"}}, {"s": {"a": "nan"}, "m": None}]
