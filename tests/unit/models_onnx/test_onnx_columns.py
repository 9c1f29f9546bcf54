"""Graphs made by hand, against ONNX Runtime called directly: columns, tensors, types, sizes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from sparkml import load_scorer
from sparkml.errors import (
    SignatureError,
    SignatureUnknown,
)
from sparkml.models.read import open_predictor, read_spec
from sparkml.spec import Field, Signature
from sparkml.testing import check_scorer
from tests.graphs import (
    BOOL,
    DOUBLE,
    FLOAT,
    HALF,
    INT32,
    INT64,
    STRING,
    UINT8,
    UINT64,
    fields,
    graph,
    identity,
    image_model,
    lists,
    native,
    node,
    sequence_model,
)

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(13, 3, 8, 8)).astype(np.float32)
FLOAT32 = 1e-5  # relative; a convolution's float32 sums differ with the batch's size


def test_an_image_is_a_list_column_in_the_shape_of_the_graph_s_input(save):
    """Rows of 192 numbers become 3×8×8 pixels, whatever the batch."""
    model = image_model()
    spec = read_spec(save(model))

    assert spec.flavor == "onnx"
    assert spec.signature.inputs == (Field(name="image", type="list<float>", length=192),)
    assert spec.signature.outputs == (Field(name="scores", type="list<float>"),)
    batch = pa.RecordBatch.from_pydict({"image": lists(IMAGES)})
    (expected,) = native(model, image=IMAGES)
    assert expected.tolist() == load_scorer(spec)(batch)["scores"].to_pylist()
    check_scorer(load_scorer(spec), batch, expected={"scores": expected}, rtol=FLOAT32)


def test_an_image_of_another_size_is_a_bad_row_and_no_other(save):
    """The row says what the model takes; its neighbours are scored."""
    scorer = load_scorer(read_spec(save(image_model())))
    rows = [*IMAGES[:3].reshape(3, -1).tolist(), [1.0] * 191, []]

    scored = scorer(pa.RecordBatch.from_pydict({"image": rows}))

    errors = scored["error"].to_pylist()
    assert [None] * 3 == errors[:3]
    assert [e["code"] for e in errors[3:]] == ["MODEL_EXCEPTION"] * 2
    assert "'image' takes 3×8×8 values a row, there are [191]" in errors[3]["message"]
    assert [True] * 3 + [False] * 2 == scored["scores"].is_valid().to_pylist()


def test_sequences_of_any_length_are_scored_together_and_never_padded(save):
    """Each row's number is the one that it has alone."""
    model = sequence_model()
    rows = [RNG.integers(0, 50, RNG.integers(1, 6)).tolist() for _ in range(40)]
    masks = [[1] * len(row) for row in rows]
    spec = read_spec(save(model))
    batch = pa.RecordBatch.from_pydict({"ids": rows, "mask": masks})

    alone = [
        native(model, ids=np.array([r]), mask=np.array([m]))[0][0].tolist()
        for r, m in zip(rows, masks, strict=True)
    ]
    check_scorer(load_scorer(spec), batch, expected={"mean": alone}, rtol=FLOAT32)


def test_inputs_that_share_a_size_must_agree_on_it(save):
    """ONNX Runtime stretches a mask of one over a text of three, without a word."""
    scorer = load_scorer(read_spec(save(sequence_model())))
    batch = pa.RecordBatch.from_pydict({"ids": [[1, 2, 3]], "mask": [[1]]})
    (error,) = scorer(batch)["error"].to_pylist()
    assert "the inputs disagree on 'T': 3 and 1" in error["message"]


def test_an_id_beyond_the_table_is_the_row_s_error(save):
    """What the graph itself refuses is told in its words."""
    scorer = load_scorer(read_spec(save(sequence_model())))
    batch = pa.RecordBatch.from_pydict({"ids": [[1], [99]], "mask": [[1], [1]]})
    scored = scorer(batch)
    assert [None, "MODEL_EXCEPTION"] == [e and e["code"] for e in scored["error"].to_pylist()]


@pytest.mark.parametrize(
    ("kind", "column", "given", "expected"),
    [
        (FLOAT, "double", [0.1, 1e300, -5e-324], [np.float32(0.1), np.inf, -0.0]),
        (FLOAT, "int64", [2**60 + 2**36 + 1, -3], [2.0**60 + 2.0**37, -3.0]),
        (DOUBLE, "float", [0.5, 2.0], [0.5, 2.0]),
        (HALF, "double", [0.1, 1.0], [float(np.float16(0.1)), 1.0]),
        (INT64, "int32", [1, -2], [1, -2]),
        (INT64, "double", [1.0, -(2.0**53)], [1, -(2**53)]),
        (INT32, "int64", [7, -7], [7, -7]),
        (UINT8, "int16", [0, 255], [0, 255]),
        (UINT64, "int64", [0, 2**63 - 1], [0, 2**63 - 1]),
        (BOOL, "bool", [True, False], [True, False]),
        (BOOL, "double", [1.0, 0.0], [True, False]),
        (STRING, "string", ["é", ""], ["é", ""]),
    ],
)
def test_each_type_is_cast_as_declared(kind, column, given, expected, save):
    """Rounded once, to the graph's own type, alone and in lists."""
    for shape, dtype in (([None], column), ([None, 2], f"list<{column}>")):
        listed = len(shape) == 2
        inputs = (Field(name="x", type=dtype, length=2 if listed else None),)
        spec = read_spec(save(identity(kind, shape)), signature=Signature(inputs=inputs))
        values = [[v, v] for v in given] if listed else given
        batch = pa.RecordBatch.from_pydict({"x": pa.array(values, predictor_type(dtype))})
        (made,) = open_predictor(spec).predict(batch)
        assert ([[v, v] for v in expected] if listed else expected) == made.to_pylist()


def predictor_type(name):
    from sparkml.type_names import to_arrow_type

    return to_arrow_type(name)


@pytest.mark.parametrize(
    ("kind", "column", "bad", "said"),
    [
        (INT64, "double", 1.5, "truncated"),
        (INT64, "double", 1e300, "truncated"),
        (INT32, "int64", 2**40, "not in range"),
        (UINT8, "int64", 256, "not in range"),
        (UINT64, "int64", -1, "not in range"),
        (BOOL, "double", 0.5, "truncated"),
        (INT64, "int64", None, "a tensor of int64 has no place for one"),
        (STRING, "string", None, "a tensor of str has no place for one"),
    ],
)
def test_a_value_that_the_type_cannot_hold_is_an_error_of_its_row(kind, column, bad, said, save):
    """Never cut off, never wrapped round, and no null becomes the text `None`."""
    signature = Signature(inputs=(Field(name="x", type=column),))
    scorer = load_scorer(
        read_spec(save(identity(kind, [None])), signature=signature, nulls="model")
    )
    good = {"string": "a", "double": 1.0, "int64": 1}[column]
    batch = pa.RecordBatch.from_pydict({"x": pa.array([good, bad], predictor_type(column))})

    first, second = scorer(batch)["error"].to_pylist()

    assert first is None
    assert second["code"] == "MODEL_EXCEPTION"
    assert said in second["message"]


def test_missing_values_are_the_model_s_own_affair_only_where_it_takes_them(save):
    """Asked of the graph: NaN is kept by a sum and dropped by a maximum with a constant."""
    kept = identity(FLOAT, ["N", 2])
    dropped = graph(
        [node("IsNaN", "x", "nan"), node("Where", "nan zero x", "y")],
        {"x": (FLOAT, ["N", 2])},
        {"y": (FLOAT, ["N", 2])},
        zero=np.float32(0),
    )
    words = identity(STRING, ["N"])
    kinds = [read_spec(save(m)).null_policy("x").kind for m in (kept, dropped, words)]
    assert ["quarantine", "model", "quarantine"] == kinds
    spec = read_spec(save(dropped))
    batch = pa.RecordBatch.from_pydict({"x": pa.array([[1.0, None], None], pa.list_(pa.float32()))})
    assert [[1.0, 0.0], [0.0, 0.0]] == load_scorer(spec)(batch)["y"].to_pylist()


def test_columns_of_the_signature_stand_side_by_side_in_a_matrix(save):
    """A graph with one input knows no names: the signature's order counts."""
    signature = Signature(inputs=fields(b="double", a="int64"))
    spec = read_spec(save(identity(FLOAT, ["N", 2])), signature=signature)
    batch = pa.RecordBatch.from_pydict({"a": [1, 2, 3], "b": [0.5, 1.5, 2.5]})
    scored = load_scorer(spec)(batch)
    assert [[0.5, 1.0], [1.5, 2.0], [2.5, 3.0]] == scored["y"].to_pylist()


def test_texts_stand_side_by_side_too(save):
    """A matrix of strings."""
    spec = read_spec(
        save(identity(STRING, ["N", 2])), signature=Signature(inputs=fields("string", "string"))
    )
    batch = pa.RecordBatch.from_pydict({"c0": ["a", "b"], "c1": ["x", "y"]})
    assert [["a", "x"], ["b", "y"]] == load_scorer(spec)(batch)["y"].to_pylist()


def test_several_inputs_and_outputs_are_met_by_name(save):
    """One column an input, in any order, and each output by the graph's own name."""
    model = graph(
        [
            node("Add", "a b", "sum"),
            node("Sub", "a b", "difference"),
            node("Identity", "t", "same"),
        ],
        {"a": (FLOAT, ["N", 1]), "b": (FLOAT, ["N", 1]), "t": (STRING, ["N", 1])},
        {"sum": (FLOAT, ["N", 1]), "difference": (FLOAT, ["N", 1]), "same": (STRING, ["N", 1])},
    )
    spec = read_spec(save(model))
    batch = pa.RecordBatch.from_pydict(
        {"t": ["x", "y"], "b": pa.array([1, 2], pa.float32()), "a": pa.array([5, 7], pa.float32())}
    )

    scored = load_scorer(spec)(batch)

    assert ["sum", "difference", "same"] == [f.name for f in spec.signature.outputs]
    assert {"sum": 6.0, "difference": 4.0, "same": "x", "error": None} == scored.to_pylist()[0]
    some = read_spec(spec.uri, outputs=["difference"])
    assert ["difference", "error"] == load_scorer(some)(batch).schema.names
    renamed = Signature(inputs=(), outputs=fields(x="double", y="double", z="string"))
    assert [6.0, 9.0] == load_scorer(read_spec(spec.uri, signature=renamed))(batch)["x"].to_pylist()
    with pytest.raises(SignatureError, match=r"no output 'summ' .* did you mean 'sum'"):
        read_spec(spec.uri, signature=Signature(inputs=(), outputs=fields(summ="double")))


@pytest.mark.parametrize("size", [1, 4])
def test_a_graph_for_a_fixed_batch_is_run_in_its_size(size, save):
    """One row at a time, or in pieces of which the last is filled up and cut off again."""
    kernel = {"w": RNG.normal(size=(3, 2)).astype(np.float32)}
    nodes = [node("MatMul", "x w", "y")]
    open_ended = graph(nodes, {"x": (FLOAT, ["N", 3])}, {"y": (FLOAT, ["N", 2])}, **kernel)
    fixed = graph(nodes, {"x": (FLOAT, [size, 3])}, {"y": (FLOAT, [size, 2])}, **kernel)
    x = RNG.normal(size=(13, 3)).astype(np.float32)
    (expected,) = native(open_ended, x=x)
    batch = pa.RecordBatch.from_pydict({"x": lists(x)})
    check_scorer(load_scorer(read_spec(save(fixed))), batch, expected={"y": expected}, rtol=FLOAT32)


def test_sizes_that_the_graph_leaves_open_are_told_by_the_config(save):
    """Two open sizes cannot be seen in a flat list."""
    model = identity(FLOAT, ["N", 3, "H", "W"])
    inputs = Signature(inputs=(Field(name="x", type="list<float>"),))
    with pytest.raises(SignatureError, match=r"leaves several sizes open \(3×H×W\).*shapes"):
        read_spec(save(model), signature=inputs)
    spec = read_spec(save(model), model_config={"shapes": {"x": [3, 2, 2]}})
    assert spec.signature.inputs[0].length == 12
    batch = pa.RecordBatch.from_pydict({"x": pa.array([[1.0] * 12], pa.list_(pa.float32()))})
    assert [[1.0] * 12] == load_scorer(spec)(batch)["y"].to_pylist()
    with pytest.raises(SignatureError, match="'x' has the shape 3×H×W, not 1×2×2"):
        read_spec(save(model), model_config={"shapes": {"x": [1, 2, 2]}})


def test_a_graph_without_shapes_is_asked_with_two_rows(save):
    """The caller says what it takes; what it gives, it shows."""
    model = graph([node("Neg", "x", "y")], {"x": (FLOAT, None)}, {"y": (FLOAT, None)})
    with pytest.raises(SignatureUnknown, match="length of each list"):
        read_spec(save(model))
    given = Signature(inputs=(Field(name="x", type="list<float>", length=2),))
    spec = read_spec(save(model), signature=given)
    assert spec.signature.outputs == (Field(name="y", type="list<float>"),)
    batch = pa.RecordBatch.from_pydict({"x": [[1.0, 2.0]]})
    assert [[-1.0, -2.0]] == load_scorer(spec)(batch)["y"].to_pylist()


@pytest.mark.parametrize(
    ("shape", "inputs", "said"),
    [
        (["N", 3], fields("double", "double"), "takes 3 values a row, the signature has 2 columns"),
        (["N", 3], (Field(name="x", type="list<float>", length=4),), "'x' has 4"),
        (["N", 3], fields(x="double"), "'x' has 1"),
        (["N", 3, 8], fields("double", "double"), "takes 3×8 values a row"),
        (["N", 2], fields("list<double>", "double"), "is a list beside other columns"),
        (["N", 2], fields("string", "double"), "'c0' is string"),
        (["N", 1], fields(x="timestamp[us]"), r"'x' is timestamp\[us\]"),
    ],
)
def test_columns_that_do_not_fit_are_refused_at_once(shape, inputs, said, save):
    """On the driver, when the spec is read."""
    with pytest.raises(SignatureError, match=said):
        read_spec(save(identity(FLOAT, shape)), signature=Signature(inputs=inputs))


def test_an_output_without_a_value_for_each_row_is_named(save):
    """A sum over the batch is no column; it is refused when the model is read."""
    model = graph(
        [node("ReduceSum", "x", "y", keepdims=1)], {"x": (FLOAT, ["N", 2])}, {"y": (FLOAT, [1, 1])}
    )
    with pytest.raises(SignatureError, match=r"'y' has the shape \(1, 1\) for two rows"):
        read_spec(save(model))


def test_unsigned_numbers_beyond_a_long_are_errors_until_decimals_are_declared(save):
    """They never wrap round: Spark's widest whole number ends at 2^63, a decimal holds them all."""
    largest = 2**64 - 1
    path = save(
        graph([node("Sub", "top x", "y")], {"x": (UINT64, ["N"])}, {"y": (UINT64, ["N"])},
              top=np.array(largest, np.uint64))
    )  # fmt: skip
    batch = pa.RecordBatch.from_pydict({"x": pa.array([2**63, 1], pa.decimal128(20, 0))})
    first = load_scorer(read_spec(path))
    made = first(pa.RecordBatch.from_pydict({"x": [2**63 - 1, 1]}))
    assert made.column(0).to_pylist() == [None, None]
    assert "not in range" in made["error"][1]["message"].as_py()
    with pytest.raises(SignatureError, match=r"is decimal128\(20, 0\), the model takes int64"):
        first(batch)

    wide = Signature(
        inputs=(Field(name="x", type="decimal128(20, 0)"),),
        outputs=(Field(name="y", type="decimal128(20, 0)"),),
    )
    made = load_scorer(read_spec(path, signature=wide))(batch)
    assert made.column(0).to_pylist() == [2**63 - 1, largest - 1]
