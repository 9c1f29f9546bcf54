"""ONNX files that name data or operators elsewhere: ONNX Runtime reads and calls none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sparkml.errors import ModelUnreadable
from sparkml.models.read import read_spec

if TYPE_CHECKING:
    from pathlib import Path

onnx = pytest.importorskip("onnx")
helper = pytest.importorskip("onnx.helper")

FLOAT = 1


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))


def elsewhere(name: str, location: str) -> Any:
    """Four numbers, said to be in a file."""
    tensor = onnx.TensorProto(name=name, data_type=FLOAT, dims=[4])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "16")):
        tensor.external_data.add(key=key, value=value)
    return tensor


def constant(location: str) -> Any:
    node = helper.make_node("Constant", [], ["w"])
    node.attribute.add(name="value", type=onnx.AttributeProto.TENSOR, t=elsewhere("w", location))
    return node


def graph(kind: str, location: str) -> Any:
    """A model that adds the four numbers to its input; `kind` is where they stand in it."""
    x, y = (helper.make_tensor_value_info(name, FLOAT, [None, 4]) for name in "xy")
    add = helper.make_node("Add", ["x", "w"], ["y"])
    functions = []
    if kind == "initializer":
        made = helper.make_graph([add], "g", [x], [y], [elsewhere("w", location)])
    elif kind == "constant":
        made = helper.make_graph([constant(location), add], "g", [x], [y])
    elif kind == "function":
        inner = helper.make_node("Add", ["a", "w"], ["b"])
        ops = [helper.make_opsetid("", 17)]
        functions = [
            helper.make_function("own", "F", ["a"], ["b"], [constant(location), inner], ops)
        ]
        call = helper.make_node("F", ["x"], ["y"], domain="own")
        made = helper.make_graph([call], "g", [x], [y])
    else:
        w = helper.make_tensor_value_info("o", FLOAT, [4])
        same = helper.make_node("Identity", ["v"], ["o"])
        branch = helper.make_graph([same], "b", [], [w], [elsewhere("v", location)])
        choose = helper.make_node("If", ["c"], ["w"], then_branch=branch, else_branch=branch)
        yes = helper.make_tensor("c", onnx.TensorProto.BOOL, [], [True])
        made = helper.make_graph([choose, add], "g", [x], [y], [yes])
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    return helper.make_model(made, opset_imports=imports, functions=functions, ir_version=8)


def saved(folder: Path, model: Any) -> str:
    (folder / "m").mkdir(exist_ok=True)
    (folder / "m" / "m.onnx").write_bytes(model.SerializeToString())
    return str(folder / "m")


@pytest.mark.parametrize("kind", ["initializer", "constant", "function", "branch"])
@pytest.mark.parametrize(
    "location", ["../secret", "{folder}/secret", "/proc/self/environ", "*/_ORT_MEM_ADDR_/*"]
)
def test_data_outside_of_the_model_is_not_read(location, kind, tmp_path):
    """Wherever in the graph it is named."""
    (tmp_path / "secret").write_bytes(np.arange(4, dtype=np.float32).tobytes())
    path = saved(tmp_path, graph(kind, location.format(folder=tmp_path)))
    with pytest.raises(ModelUnreadable, match="ONNX Runtime"):
        read_spec(path, trust="never")


@pytest.mark.parametrize("kind", ["initializer"])
def test_data_inside_of_it_is(kind, tmp_path):
    """So the refusals above are for the place."""
    path = saved(tmp_path, graph(kind, "data"))
    (tmp_path / "m" / "data").write_bytes(np.arange(4, dtype=np.float32).tobytes())
    assert read_spec(path, trust="never").flavor == "onnx"


@pytest.mark.parametrize("domain", ["ai.onnx.contrib", "com.acme", "com.microsoft.extensions"])
def test_an_operator_of_another_library_is_refused(domain, tmp_path):
    """None is loaded for it."""
    node = helper.make_node("PyOp", ["x"], ["y"], domain=domain, func="os.system")
    x, y = (helper.make_tensor_value_info(name, FLOAT, [None, 4]) for name in "xy")
    model = helper.make_model(
        helper.make_graph([node], "g", [x], [y]),
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(domain, 1)],
        ir_version=8,
    )
    with pytest.raises(ModelUnreadable):
        read_spec(saved(tmp_path, model), trust="never")
