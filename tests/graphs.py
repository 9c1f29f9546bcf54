"""ONNX graphs made by hand, node by node, for the tests, and what ONNX Runtime gives for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pyarrow as pa
from onnx import TensorProto, helper, numpy_helper

from sparkml.spec import Field

if TYPE_CHECKING:
    from onnx import ModelProto

FLOAT, DOUBLE, HALF = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16
INT64, INT32, UINT8 = TensorProto.INT64, TensorProto.INT32, TensorProto.UINT8
UINT64 = TensorProto.UINT64
BOOL, STRING = TensorProto.BOOL, TensorProto.STRING
Ports = dict[str, tuple[int, Sequence[int | str | None] | None]]


def node(op: str, inputs: str, outputs: str, **attributes: Any) -> Any:
    """A node; the names of its inputs and outputs with spaces between."""
    return helper.make_node(op, inputs.split(), outputs.split(), **attributes)


def graph(nodes: list[Any], inputs: Ports, outputs: Ports, **constants: Any) -> ModelProto:
    """A model: name -> (type, shape) of its inputs and outputs, and its constants."""
    made = helper.make_graph(
        nodes,
        "made_by_hand",
        [helper.make_tensor_value_info(n, t, s) for n, (t, s) in inputs.items()],
        [helper.make_tensor_value_info(n, t, s) for n, (t, s) in outputs.items()],
        [numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def image_model() -> ModelProto:
    """Images of 3×8×8 pixels: a convolution, its mean per filter, and a dense layer of 4."""
    rng = np.random.default_rng(0)
    return graph(
        [
            node("Conv", "image kernel", "features"),
            node("GlobalAveragePool", "features", "pooled"),
            node("Flatten", "pooled", "flat"),
            node("MatMul", "flat dense", "scores"),
        ],
        {"image": (FLOAT, ["N", 3, 8, 8])},
        {"scores": (FLOAT, ["N", 4])},
        kernel=rng.normal(size=(5, 3, 3, 3)).astype(np.float32),
        dense=rng.normal(size=(5, 4)).astype(np.float32),
    )


def sequence_model() -> ModelProto:
    """Token ids and their mask, of any length: the mean of the embeddings that the mask keeps."""
    table = np.random.default_rng(0).uniform(0.5, 2, size=(50, 3)).astype(np.float32)
    return graph(
        [
            node("Gather", "table ids", "embedded"),
            node("Cast", "mask", "kept", to=FLOAT),
            node("Unsqueeze", "kept last", "weights"),
            node("Mul", "embedded weights", "weighted"),
            node("ReduceSum", "weighted first", "total", keepdims=0),
            node("ReduceSum", "kept first", "count", keepdims=1),
            node("Div", "total count", "mean"),
        ],
        {"ids": (INT64, ["N", "T"]), "mask": (INT64, ["N", "T"])},
        {"mean": (FLOAT, ["N", 3])},
        table=table,
        last=np.array([2]),
        first=np.array([1]),
    )


def native(model, **feed):
    """What ONNX Runtime itself gives for the feed."""
    run = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return run.run(None, feed)


def identity(kind, shape, **more):
    """A graph that gives what it gets."""
    return graph([node("Identity", "x", "y")], {"x": (kind, shape)}, {"y": (kind, shape)}, **more)


def lists(array, dtype=None):
    flat = array.reshape(len(array), -1)
    return pa.array(flat.tolist(), pa.list_(dtype or pa.from_numpy_dtype(flat.dtype)))


def fields(*types, **named):
    plain = {f"c{i}": t for i, t in enumerate(types)} | named
    return tuple(Field(name=name, type=t) for name, t in plain.items())
