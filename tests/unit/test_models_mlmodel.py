"""The `MLmodel` file: flavors, columns and tensors, and what is wrong with it."""

from __future__ import annotations

import json

import pytest
import yaml

from sparkml.errors import ModelUnreadable
from sparkml.models.mlmodel import read_mlmodel
from sparkml.spec import Field
from sparkml.type_names import to_arrow_type


@pytest.fixture
def described(tmp_path):
    def described(inputs=None, outputs=None, **flavors):
        signature = {
            side: json.dumps(entries)
            for side, entries in (("inputs", inputs), ("outputs", outputs))
        }
        text = yaml.safe_dump({"flavors": flavors or {"sklearn": {}}, "signature": signature})
        (tmp_path / "MLmodel").write_text(text)
        return read_mlmodel(tmp_path)

    return described


def tensor(*shape, dtype="float64", **more):
    return {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": list(shape)}, **more}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("boolean", "bool"),
        ("integer", "int32"),
        ("long", "int64"),
        ("float", "float"),
        ("double", "double"),
        ("string", "string"),
        ("binary", "binary"),
        ("datetime", "timestamp[us]"),
    ],
)
def test_a_column_becomes_an_arrow_type(given, expected, described):
    """Each of MLflow's column types, alone and in an array; optional columns stay optional."""
    array = {"type": "array", "items": {"type": given}, "name": "b", "required": False}
    model = described([{"type": given, "name": "a", "required": True}, array])
    assert model.inputs == (
        Field(name="a", type=expected),
        Field(name="b", type=f"list<{expected}>", required=False),
    )


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (tensor(-1, 13), ("features", "list<double>", 13)),
        (tensor(-1, 13, name="x"), ("x", "list<double>", 13)),
        (tensor(-1, 8, 8, dtype="float32"), ("features", "list<double>", 64)),
        (tensor(-1, 4, dtype="int64"), ("features", "list<double>", 4)),
        (tensor(-1, 2, dtype="str"), ("features", "list<string>", 2)),
        (tensor(-1, -1), ("features", "list<double>", None)),
        (tensor(-1), ("features", "double", None)),
    ],
)
def test_a_tensor_becomes_one_column(entry, expected, described):
    """A row's part of it, flattened: one list of doubles, of fixed length where it has one."""
    (made,) = described([entry]).inputs
    assert (made.name, made.type, made.length) == expected


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((-1,), "float"),
        ((-1, 3), "list<float>"),
        ((-1, 2, 3), "list<list<float>>"),
        ((-1, -1, 2, 3), "list<list<list<float>>>"),
    ],
)
def test_an_output_has_a_list_for_each_dimension(shape, expected, described):
    """Of a row's part; an input is flattened instead."""
    (made,) = described(outputs=[tensor(*shape, dtype="float32")]).outputs
    assert made.type == expected


def test_a_tensor_of_a_thousand_dimensions_is_no_column(described):
    """On neither side."""
    for side in ("inputs", "outputs"):
        model = described(**{side: [tensor(*[1] * 1000)]})
        assert "which no column can have" in model.unsupported


@pytest.mark.parametrize("kind", ["array", "map", "object"])
def test_a_column_a_thousand_levels_deep_is_none(kind, described):
    """Reading the name of its type would take all of Python's stack; 16 levels are a type."""

    def nested(levels):
        entry = {"type": "double"}
        for _ in range(levels):
            parts = {"array": {"items": entry}, "map": {"values": entry}}
            entry = {"type": kind, **parts.get(kind, {"properties": {"x": entry}})}
        return described([{**entry, "name": "x"}])

    assert to_arrow_type(nested(16).inputs[0].type)
    assert "which no column can have" in nested(100).unsupported


def test_a_tensor_keeps_whether_it_has_a_name(described):
    """MLflow gives one with a name in a mapping."""
    (bare,) = described([tensor(-1, 2)]).tensors
    (named,) = described([tensor(-1, 2, name="x")]).tensors
    assert [(t.name, t.named) for t in (bare, named)] == [("features", False), ("x", True)]


def test_several_tensors_become_several_columns(described):
    """By their names."""
    model = described([tensor(-1, 2, name="a"), tensor(-1, name="b", dtype="int32")])
    assert [(f.name, f.type) for f in model.inputs] == [("a", "list<double>"), ("b", "int32")]
    assert [t.dtype for t in model.tensors] == ["float64", "int32"]


def test_a_lone_output_is_the_prediction(described):
    """Its type is kept: a tensor of integers is a column of integers."""
    assert described(outputs=[tensor(-1, dtype="int64")]).outputs == (
        Field(name="prediction", type="int64"),
    )
    assert described(outputs=[{"type": "string"}]).outputs[0].name == "prediction"
    made = described(outputs=[tensor(-1, 3, dtype="float32")]).outputs
    assert made == (Field(name="prediction", type="list<float>", length=3),)


def test_a_type_that_no_column_has_is_named(described):
    """That side of the signature is unknown; the other is not lost."""
    strange = {"type": "object", "properties": {}, "name": "o"}
    model = described([{"type": "long", "name": "a"}], [strange])
    assert model.inputs == (Field(name="a", type="int64"),)
    assert model.outputs == ()
    assert "'o' has the type 'object'" in model.unsupported


def test_no_file_is_no_description(tmp_path):
    """A bare file's folder has none."""
    assert read_mlmodel(tmp_path) is None


@pytest.mark.parametrize("text", ["", "flavors: [", "a: 1", "flavors: 3", "\x00"])
def test_a_damaged_file_is_unreadable(text, tmp_path):
    """Whatever is in it, the error is ours."""
    (tmp_path / "MLmodel").write_text(text)
    with pytest.raises(ModelUnreadable, match="the MLmodel file cannot be read"):
        read_mlmodel(tmp_path)
