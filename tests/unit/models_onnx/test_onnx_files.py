"""ONNX files and configurations: what is refused and why, MLflow's models, batch dependence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pytest
import yaml

from sparkml import load_scorer
from sparkml.errors import (
    ConfigError,
    ContractViolation,
    ExtraMissing,
    ModelUnreadable,
    UnsupportedFlavor,
)
from sparkml.models.digest import digest_of
from sparkml.models.flavors.onnx_session import open_session, run_for_a_while
from sparkml.models.pools import pool_threads
from sparkml.models.read import open_predictor, read_spec
from sparkml.spec import Field
from sparkml.testing import check_scorer
from tests.graphs import (
    DOUBLE,
    FLOAT,
    graph,
    identity,
    lists,
    native,
    node,
)
from tests.hostile.opening import DIED, HUNG, MEMORY, opened_first
from tests.missing_library import without

RNG = np.random.default_rng(0)


def strange(**change):
    model = identity(FLOAT, ["N", 2])
    for key, value in change.items():
        if key == "opset":
            model.opset_import[0].version = value
        else:
            setattr(model, key, value)
    return model


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cannot open the file"),
        (b"no model at all", "INVALID_PROTOBUF : Protobuf parsing failed"),
        (strange().SerializeToString()[:-20], "Protobuf parsing failed"),
        (strange(opset=99).SerializeToString(), "till opset .* fix: install a newer onnxruntime"),
        (strange(ir_version=99).SerializeToString(), "FAIL : Unsupported model IR version: 99"),
    ],
    ids=["empty", "text", "cut", "opset", "ir"],
)
def test_a_file_that_the_runtime_refuses_is_unreadable_for_its_reason(content, said, tmp_path):
    """Damaged, or of a later standard."""
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelUnreadable, match=said):
        read_spec(str(path))


def test_an_operator_that_nobody_knows_is_named(save):
    """Custom operators need a library that is not there."""
    model = graph(
        [node("Odd", "x", "y", domain="my")], {"x": (FLOAT, ["N"])}, {"y": (FLOAT, ["N"])}
    )
    model.opset_import.append(onnx.helper.make_opsetid("my", 1))
    with pytest.raises(ModelUnreadable, match=r"my:Odd.*fix: the model needs operators"):
        read_spec(save(model))


def test_tensors_in_files_beside_the_model_are_found_and_never_outside(tmp_path):
    """A folder holds the graph and its data; a graph that points elsewhere is refused."""
    weights = RNG.normal(size=(100, 4)).astype(np.float32)
    model = graph(
        [node("MatMul", "x w", "y")],
        {"x": (FLOAT, ["N", 100])},
        {"y": (FLOAT, ["N", 4])},
        w=weights,
    )
    x = RNG.normal(size=(3, 100)).astype(np.float32)
    (expected,) = native(model, x=x)
    folder = tmp_path / "big"
    folder.mkdir()
    onnx.save_model(
        model, folder / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0
    )
    spec = read_spec(str(folder))
    (made,) = open_predictor(spec).predict(pa.RecordBatch.from_pydict({"x": lists(x)}))
    assert expected.tolist() == made.to_pylist()
    with pytest.raises(ModelUnreadable, match=r"w.bin.*together with its data files"):
        read_spec(str(folder / "m.onnx"))
    outside = onnx.load(folder / "m.onnx", load_external_data=False)
    outside.graph.initializer[0].external_data[0].value = "../big/w.bin"
    (tmp_path / "out.onnx").write_bytes(outside.SerializeToString())
    with pytest.raises(ModelUnreadable, match=r"w.bin"):
        read_spec(str(tmp_path / "out.onnx"))


def test_two_graphs_in_a_folder_are_nobody_s_model(tmp_path):
    """Which of them would it be?"""
    for name in ("a.onnx", "b.onnx"):
        onnx.save_model(identity(FLOAT, ["N"]), tmp_path / name)
    with pytest.raises(UnsupportedFlavor):
        read_spec(str(tmp_path))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"provider": ["CPUExecutionProvider"]}, "did you mean 'providers'"),
        ({"providers": "CPUExecutionProvider"}, "is no list"),
        ({"providers": ["CPUExecutionProvidr"]}, "did you mean 'CPUExecutionProvider'"),
        ({"shapes": {"y": [2]}}, "no input 'y'"),
        ({"shapes": {"x": 2}}, "2 is no shape"),
        ({"shapes": [2]}, "is no shape"),
    ],
)
def test_a_config_that_means_nothing_is_refused(config, said, save):
    """Keys, providers and shapes, each with the nearest that there is."""
    with pytest.raises(ConfigError, match=said):
        read_spec(save(identity(FLOAT, ["N", "K"])), model_config=config)
    with pytest.raises(ConfigError, match="takes no params"):
        read_spec(save(identity(FLOAT, ["N", 2])), params={"a": 1})


def test_a_provider_that_is_there_is_taken(save):
    """It goes into the spec, and to the workers."""
    config = {"providers": ["CPUExecutionProvider"]}
    spec = read_spec(save(identity(FLOAT, ["N", 2])), model_config=config)
    assert config == dict(spec.model_config)
    assert load_scorer(spec)(pa.RecordBatch.from_pydict({"x": [[1.0, 2.0]]})).num_rows == 1


def test_the_missing_runtime_is_named_with_its_extra(save, monkeypatch, tmp_path):
    """On the driver, when the spec is read; `onnx` itself is not needed at all."""
    path = save(identity(FLOAT, ["N", 2]))
    with without("onnx", tmp_path, monkeypatch):
        assert read_spec(path).flavor == "onnx"
    path = save(identity(FLOAT, ["N", 3]))
    with (
        without("onnxruntime", tmp_path, monkeypatch),
        pytest.raises(ExtraMissing, match=r"pip install 'sparkml\[onnx\]'"),
    ):
        read_spec(path)


def test_no_format_is_safer(save):
    """A graph is data: the strictest policy opens it."""
    assert read_spec(save(identity(FLOAT, ["N", 2])), trust="never").flavor == "onnx"


@pytest.mark.parametrize(("said", "expected"), [("3", 3), ("2,1", 2), ("", 1), ("x", 1)])
def test_the_session_s_pool_keeps_to_the_worker_s_cap(said, expected, save, monkeypatch):
    """The cap that a worker sets, else one thread."""
    path = save(identity(FLOAT, ["N", 2]))
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert expected == pool_threads()
    options = open_session(Path(path), {}, {}).get_session_options()
    assert (expected, 1) == (options.intra_op_num_threads, options.inter_op_num_threads)
    assert "0" == options.get_session_config_entry("session.intra_op.allow_spinning")


def test_mlflow_s_model_brings_shape_and_columns(tmp_path):
    """Its own tensor names count, and the level of optimization that was recorded."""
    folder = tmp_path / "m"
    folder.mkdir()
    onnx.save_model(identity(FLOAT, ["N", "H", "W"]), folder / "model.onnx")
    tensor = '[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 2, 3]}}]'
    flavor = {"data": "model.onnx", "onnx_session_options": {"graph_optimization_level": 0}}
    text = yaml.safe_dump({"flavors": {"onnx": flavor}, "signature": {"inputs": tensor}})
    (folder / "MLmodel").write_text(text)

    spec = read_spec(str(folder))

    assert spec.signature.inputs == (Field(name="features", type="list<double>", length=6),)
    batch = pa.RecordBatch.from_pydict({"features": [[0.5] * 6, [1.5] * 6]})
    check_scorer(load_scorer(spec), batch, expected={"y": [[0.5] * 6, [1.5] * 6]})
    (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": {"onnx": {}}}))
    with pytest.raises(ModelUnreadable, match="'data: None' is not among"):
        read_spec(str(folder))


@pytest.mark.parametrize("kind", [FLOAT, DOUBLE])
@pytest.mark.parametrize("shape", [["N", 1], ["N", 3], [4, 3], ["N", 2, 2]])
def test_a_graph_of_the_rows_together_is_refused(kind, shape, save):
    """Less the batch's mean, a row's numbers depend on the rows beside it."""
    nodes = [node("ReduceMean", "x", "mean", axes=[0], keepdims=1), node("Sub", "x mean", "y")]
    model = graph(nodes, {"x": (kind, shape)}, {"y": (kind, shape)})
    model.opset_import[0].version = 17  # the axes became an input after it
    with pytest.raises(ContractViolation, match="results would depend on the batch"):
        read_spec(save(model))


def test_a_worker_does_not_ask_the_graph_again(save, tmp_path):
    """Its bytes are those that `read_spec` asked; three calls of a large graph are not for free."""
    nodes = [node("ReduceMean", "x", "mean", axes=[0], keepdims=1), node("Sub", "x mean", "y")]
    model = graph(nodes, {"x": (FLOAT, ["N", 3])}, {"y": (FLOAT, ["N", 3])})
    model.opset_import[0].version = 17
    harmless = graph([node("Neg", "x", "y")], {"x": (FLOAT, ["N", 3])}, {"y": (FLOAT, ["N", 3])})
    spec = read_spec(save(harmless))
    folder = tmp_path / "shipped"
    folder.mkdir()
    onnx.save_model(model, folder / "model.onnx")

    assert load_scorer(replace(spec, digest=digest_of(folder)), folder)


def looping(times):
    """A graph that adds its rows to themselves as often as `times`, made of `x`, says."""
    value = onnx.helper.make_tensor_value_info
    body = onnx.helper.make_graph(
        [node("Identity", "go", "on"), node("Add", "v v", "w")],
        "body",
        [value("i", 7, []), value("go", 9, []), value("v", FLOAT, ["N", 3])],
        [value("on", 9, []), value("w", FLOAT, ["N", 3])],
    )
    loop = onnx.helper.make_node("Loop", ["times", "", "x"], ["y"], body=body)
    return graph([*times, loop], {"x": (FLOAT, ["N", 3])}, {"y": (FLOAT, ["N", 3])})


def test_a_loop_that_rows_make_endless_ends_where_it_is_opened_first(tmp_path):
    """The rehearsal has a row that does; alone, two rows of zeros would not tell."""
    times = [node("ReduceMax", "x", "most", keepdims=0), node("Cast", "most", "times", to=7)]
    folder = tmp_path / "m"
    folder.mkdir()
    onnx.save_model(looping(times), folder / "m.onnx")
    ended = opened_first(folder)
    assert ended.how == HUNG, ended.told


def test_a_run_without_end_is_stopped(save, monkeypatch):
    """A row that no rehearsal has: its worker goes on after a while."""
    times = [node("ReduceMax", "x", "most", keepdims=0), node("Cast", "most", "times", to=7)]
    session = open_session(Path(save(looping(times))), {}, {})
    monkeypatch.setattr("sparkml.models.flavors.onnx_session.LONGEST_S", 0.2)
    few = run_for_a_while(session, ["y"], {"x": np.ones((1, 3), np.float32)}, 1)
    assert few[0].tolist() == [[2.0, 2.0, 2.0]]
    with pytest.raises(Exception, match="terminate flag"):
        run_for_a_while(session, ["y"], {"x": np.full((1, 3), 1e18, np.float32)}, 1)


def test_a_row_that_asks_for_all_memory_is_refused(tmp_path):
    """Sizes that are made of a row's values: what a table holds is anybody's guess."""
    nodes = [
        node("ReduceMax", "x", "most", axes=[0, 1], keepdims=0),
        node("Cast", "most", "size", to=7),
        node("Unsqueeze", "size axis", "shape"),
        node("ConstantOfShape", "shape", "many"),
        node("ReduceSum", "many", "sum", keepdims=0),
        node("Add", "x sum", "y"),
    ]
    model = graph(nodes, {"x": (FLOAT, ["N", 3])}, {"y": (FLOAT, ["N", 3])}, axis=np.array([0]))
    model.opset_import[0].version = 17
    folder = tmp_path / "m"
    folder.mkdir()
    onnx.save_model(model, folder / "m.onnx")
    ended = opened_first(folder)
    assert ended.how in (MEMORY, HUNG, DIED), ended.told


def test_a_graph_for_one_row_at_a_time_may_do_so(save):
    """There is never a row beside it."""
    nodes = [node("ReduceMean", "x", "mean", axes=[0], keepdims=1), node("Sub", "x mean", "y")]
    model = graph(nodes, {"x": (FLOAT, [1, 2])}, {"y": (FLOAT, [1, 2])})
    model.opset_import[0].version = 17
    assert read_spec(save(model)).flavor == "onnx"


def test_a_graph_that_gives_nothing_finite_is_not_judged(save):
    """The logarithm of less than nothing says nothing of the batch."""
    model = graph(
        [node("Neg", "x", "z"), node("Log", "z", "y")],
        {"x": (FLOAT, ["N", 2])},
        {"y": (FLOAT, ["N", 2])},
    )
    assert read_spec(save(model)).flavor == "onnx"
