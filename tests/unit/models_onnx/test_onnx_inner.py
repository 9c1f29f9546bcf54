"""Inner tensors of a graph, given by their names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pytest

from sparkml import load_scorer, read_spec
from sparkml.errors import ContractViolation, SignatureError
from sparkml.spec import Field, Signature
from sparkml.testing import check_scorer
from tests.graphs import FLOAT, graph, image_model, native, node

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 3)).astype(np.float32)
BATCH = pa.RecordBatch.from_arrays([pa.array(X.tolist())], names=["x"])


def hidden(first=12):
    """Two layers, of which the graph gives the second one."""
    return graph(
        [
            node("MatMul", "x first", "hidden"),
            node("Relu", "hidden", "active"),
            node("MatMul", "active second", "score"),
        ],
        {"x": (FLOAT, ["N", 3])},
        {"score": (FLOAT, ["N", 1])},
        first=RNG.normal(size=(3, first)).astype(np.float32),
        second=RNG.normal(size=(first, 1)).astype(np.float32),
    )


def with_outputs(model, *names):
    """The model that the `onnx` package makes of it: a copy with further outputs."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    for name in names:
        made.graph.output.append(onnx.ValueInfoProto(name=name))
    return made


@pytest.mark.parametrize("names", [["active"], ["score", "active"], ["hidden", "score", "active"]])
def test_a_tensor_inside_is_an_output_when_it_is_named(names, save):
    """In the order that is asked for, alone or beside the graph's own; as `onnx` would have it."""
    model = hidden()
    spec = read_spec(save(model), outputs=names)
    assert [f.name for f in spec.signature.outputs] == names
    types = {f.name: f.type for f in spec.signature.outputs}
    assert types["active"] == "list<float>"
    told = native(with_outputs(model, "hidden", "active"), x=X)
    theirs = dict(zip(("score", "hidden", "active"), (told[0].ravel(), *told[1:]), strict=True))
    scorer = load_scorer(spec)
    check_scorer(scorer, BATCH, expected={name: theirs[name] for name in names}, rtol=1e-5)


def test_a_long_name_and_a_tensor_of_more_dimensions(save):
    """A row's part is one list, in C order, as it is for an output."""
    model = image_model()
    long = "layer/" + "x" * 300
    for part in model.graph.node:
        part.output[:] = [long if n == "features" else n for n in part.output]
        part.input[:] = [long if n == "features" else n for n in part.input]
    spec = read_spec(save(model), outputs=[long])
    images = RNG.normal(size=(4, 3, 8, 8)).astype(np.float32)
    batch = pa.RecordBatch.from_arrays([pa.array(images.reshape(4, -1).tolist())], names=["image"])
    (made,) = load_scorer(spec)(batch).columns[:1]
    theirs = native(with_outputs(model, long), image=images)[1]
    np.testing.assert_allclose(made.to_pylist(), theirs.reshape(4, -1), rtol=1e-5)


def test_data_files_beside_the_graph_are_found(tmp_path):
    """The graph is then opened from its bytes, and its weights from where it is."""
    model = hidden(first=400)
    folder = tmp_path / "big"
    folder.mkdir()
    theirs = native(with_outputs(model, "active"), x=X)[1]
    onnx.save_model(
        model, folder / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0
    )
    (made,) = load_scorer(read_spec(str(folder), outputs="active"))(BATCH).columns[:1]
    np.testing.assert_allclose(made.to_pylist(), theirs, rtol=1e-5)


def test_names_that_nothing_in_the_graph_has_are_refused(save):
    """One of several, too; and what has no entry for each row, such as weights."""
    path = save(hidden())
    with pytest.raises(SignatureError, match=r"no output 'actve'.*did you mean 'active'"):
        read_spec(path, outputs=["active", "actve"])
    with pytest.raises(SignatureError, match="no output 'nothing'"):
        read_spec(path, outputs=["nothing"])
    with pytest.raises(
        SignatureError, match=r"'first' has the shape \(3, 12\) .* no entry for each"
    ):
        read_spec(path, outputs=["first"])
    load_scorer(read_spec(path, outputs=["active"]))(BATCH)


def with_two(rows="N"):
    """A graph of two columns, whose tensors inside have two entries, whatever the rows."""
    return graph(
        [
            node("Transpose", "x", "turned", perm=[1, 0]),
            node("MatMul", "x weights", "score"),
            node("MatMul", "turned score", "sums"),
            node("MatMul", "x turned", "products"),
            node("Identity", "weights", "same"),
        ],
        {"x": (FLOAT, [rows, 2])},
        {"score": (FLOAT, [rows, 1])},
        weights=np.array([[1], [3]], np.float32),
    )


@pytest.mark.parametrize("name", ["turned", "sums", "products", "same", "weights"])
@pytest.mark.parametrize("rows", ["N", 1, 2])
def test_a_tensor_that_fits_two_rows_by_chance_is_refused(name, rows, save):
    """By its name alone or by a declared output; else a batch of two rows would score wrong."""
    path = save(with_two(rows))
    declared = Signature(inputs=(), outputs=(Field(name=name, type="list<float>"),))
    told = "no entry for each|when another row is beside it"
    for asked in ({"outputs": [name]}, {"signature": declared}):
        if rows == 1 and name == "products":  # of a graph of single rows it is a row's own
            load_scorer(read_spec(path, **asked))
            continue
        with pytest.raises((SignatureError, ContractViolation), match=told):
            read_spec(path, **asked)
    load_scorer(read_spec(path, outputs="score"))


def test_a_declared_name_renames_the_output_unless_it_is_a_tensor_s(save):
    """As before: a lone output may bear a name of the caller's."""
    path = save(hidden())
    own = native(onnx.load(Path(path)), x=X)[0].ravel().tolist()
    renamed = Signature(inputs=(), outputs=(Field(name="risk", type="float"),))
    spec = read_spec(path, signature=renamed)
    np.testing.assert_allclose(load_scorer(spec)(BATCH).column(0).to_pylist(), own, rtol=1e-5)
