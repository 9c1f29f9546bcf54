"""ONNX graphs: endless loops, shapes without bound, files elsewhere, operators of nobody."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.graphs import BOOL, FLOAT, INT64, graph, node
from tests.hostile.outcomes import CANARY, RIGHT, Case, Given
from tests.hostile.tabular import SPLIT, VECTORS, mlflow_folder, onnx_bytes, onnx_model, put, scored

if TYPE_CHECKING:
    from pathlib import Path


UNREADABLE, REFUSED = "MODEL_UNREADABLE", "MODEL_REFUSED"
ANY_ERROR = f"{UNREADABLE} SIGNATURE_UNKNOWN SIGNATURE_MISMATCH MODEL_CONTRACT MODEL_EXCEPTION"
ROWS = VECTORS.rename_columns(["x"])
SCORES = SPLIT @ [1.0, 2.0]


def scores(folder: Path, data: bytes, name: str = "m.onnx") -> Given:
    """A graph, and what it must give."""
    return scored(put(data, name)(folder), ROWS, SCORES)


def changed(change: Any):
    """A maker of the small graph, changed by a function of the message."""

    def make(folder: Path) -> Given:
        model = onnx_model()
        change(model)
        return scores(folder, model.SerializeToString())

    return make


def of(nodes: list[Any], **constants: Any):
    """A maker of a graph from `x` of two numbers to `prediction`."""
    made = graph(nodes, {"x": (FLOAT, ["N", 2])}, {"prediction": (FLOAT, None)}, **constants)
    return lambda folder: scores(folder, made.SerializeToString())


def weighted(name: str) -> list[Any]:
    """The nodes that make the scores of a tensor."""
    return [
        node("MatMul", f"{name} weights", "sums"),
        node("ReduceSum", "sums axes", "prediction", keepdims=0),
    ]


WEIGHTS = {"weights": np.array([[1.0], [2.0]], dtype=np.float32), "axes": np.array([1])}


def loop(trips: int):
    """A maker of the small graph behind a loop of so many trips, which changes nothing."""
    ports = {
        "go": (BOOL, []),
        "v": (FLOAT, ["N", 2]),
        "i": (INT64, []),
        "w": (FLOAT, ["N", 2]),
        "on": (BOOL, []),
    }
    told = {name: helper.make_tensor_value_info(name, *port) for name, port in ports.items()}
    nodes = [node("Identity", "go", "on"), node("Identity", "v", "w")]
    body = helper.make_graph(
        nodes, "body", [told["i"], told["go"], told["v"]], [told["on"], told["w"]]
    )
    return of(
        [node("Loop", "trips yes x", "looped", body=body), *weighted("looped")],
        trips=np.array(trips),
        yes=np.array(True),
        **WEIGHTS,
    )


def nested(depth: int):
    """A maker of `If` in `If`, so deep; each gives `x`."""
    told = helper.make_tensor_value_info("p", FLOAT, None)
    inner = helper.make_graph([node("Identity", "x", "p")], "g", [], [told])
    for _ in range(depth):
        other = helper.make_graph([node("Identity", "x", "p")], "g", [], [told])
        both = node("If", "yes", "p", then_branch=inner, else_branch=other)
        inner = helper.make_graph([both], "g", [], [told])
    return of([*inner.node, *weighted("p")], yes=np.array(True), **WEIGHTS)


def elsewhere(location: str, **more: str):
    """A maker of a graph whose weights lie in another file."""

    def make(folder: Path) -> Given:
        (folder / "secret.bin").write_bytes(CANARY.encode())
        (folder / "m").mkdir()
        (folder / "m" / "w.bin").write_bytes(np.array([1.0, 2.0], dtype=np.float32).tobytes())
        model = onnx_model()
        weights = model.graph.initializer[0]
        weights.ClearField("raw_data")
        weights.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location, **more}.items():
            weights.external_data.add(key=key, value=value)
        (folder / "m" / "m.onnx").write_bytes(model.SerializeToString())
        return scored(folder / "m", ROWS, SCORES)

    return make


def linked(folder: Path) -> Given:
    """The same file by a link that leads out."""
    given = elsewhere("w.bin")(folder)
    (folder / "m" / "w.bin").unlink()
    (folder / "m" / "w.bin").symlink_to("../secret.bin")
    return given


def piped(folder: Path) -> Given:
    """The same file, a pipe."""
    given = elsewhere("w.bin")(folder)
    (folder / "m" / "w.bin").unlink()
    os.mkfifo(folder / "m" / "w.bin")
    return given


def _huge(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[:] = [1 << 40, 1]


def _negative(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[:] = [-2, -1]


def _overflowing(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[:] = [1 << 33, 1 << 33]


def _domain(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = "evil.example"
    model.opset_import.add(domain="evil.example", version=1)


def _itself(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = model.graph.node[0].output[0]


def _function(model: onnx.ModelProto) -> None:
    made = helper.make_function(
        "own",
        "MatMul",
        ["a", "b"],
        ["c"],
        [helper.make_node("MatMul", ["a", "b"], ["c"], domain="own")],
        [helper.make_opsetid("own", 1)],
    )
    model.functions.append(made)
    model.graph.node[0].domain = "own"
    model.opset_import.add(domain="own", version=1)


def _metadata(model: onnx.ModelProto) -> None:
    for number in range(1_000):
        model.metadata_props.add(key=f"k{number}", value="x" * 1_000)


def _input(shape: list[Any], kind: int = FLOAT, name: str = "x"):
    def change(model: onnx.ModelProto) -> None:
        model.graph.input[0].CopyFrom(helper.make_tensor_value_info(name, kind, shape))

    return change


CASES = (
    Case("benign: ONNX", lambda folder: scores(folder, onnx_bytes()), RIGHT),
    Case("benign: ONNX with metadata", changed(_metadata), RIGHT),
    Case("benign: ONNX with weights beside it", elsewhere("w.bin"), RIGHT),
    Case(
        "benign: ONNX of MLflow",
        lambda folder: scored(
            mlflow_folder(folder, "flavors: {onnx: {data: m.onnx}}", m__onnx=onnx_bytes()),
            ROWS,
            SCORES,
        ),
        RIGHT,
    ),
    Case("benign: a loop that ends", loop(3), RIGHT),
    Case("ONNX: a loop of 2^62 trips", loop(1 << 62), UNREADABLE),
    Case("ONNX: 20 deep", nested(20), f"{ANY_ERROR} {RIGHT}"),
    *(
        Case(f"ONNX: {change.__name__.strip('_')}", changed(change), ANY_ERROR)
        for change in (_huge, _negative, _overflowing, _domain, _itself, _function)
    ),
    *(
        Case(
            f"ONNX: an input of {str(shape)[:30]}",
            changed(_input(shape)),
            f"{ANY_ERROR} {RIGHT}",
        )
        for shape in ([1 << 40, 2], [1 << 31, 1 << 31], [0, 0], [], ["N", 1 << 40], ["N"] * 50)
    ),
    Case("ONNX: an input of strings", changed(_input(["N", 2], TensorProto.STRING)), ANY_ERROR),
    Case(
        "ONNX: an input of complex numbers",
        changed(_input(["N", 2], TensorProto.COMPLEX128)),
        ANY_ERROR,
    ),
    Case("ONNX: an input of a type of tomorrow", changed(_input(["N", 2], 99)), ANY_ERROR),
    Case(
        "ONNX: 4 GB by Expand",
        of(
            [node("Expand", "one shape", "big"), node("ReduceSum", "big", "prediction")],
            one=np.ones(1, np.float32),
            shape=np.array([1 << 15, 1 << 15]),
        ),
        ANY_ERROR,
    ),
    Case(
        "ONNX: 2^60 by ConstantOfShape",
        of(
            [node("ConstantOfShape", "shape", "big"), node("ReduceSum", "big", "prediction")],
            shape=np.array([1 << 30, 1 << 30]),
        ),
        ANY_ERROR,
    ),
    Case(
        "ONNX: Range without end",
        of(
            [node("Range", "a b c", "big"), node("ReduceSum", "big", "prediction")],
            a=np.float32(0),
            b=np.float32(1e30),
            c=np.float32(1),
        ),
        ANY_ERROR,
    ),
    Case(
        "ONNX: Tile",
        of(
            [node("Tile", "x by", "big"), node("ReduceSum", "big", "prediction")],
            by=np.array([1 << 40, 1]),
        ),
        ANY_ERROR,
    ),
    Case(
        "ONNX: Gather far away",
        of([node("Gather", "x at", "prediction", axis=1)], at=np.array([1 << 40])),
        ANY_ERROR,
    ),
    *(
        Case(
            f"ONNX: weights in {place[:24]!r} {more}",
            elsewhere(place, **more),
            f"{UNREADABLE} {REFUSED}",
        )
        for place, more in (
            ("../secret.bin", {}),
            ("/etc/passwd", {}),
            ("", {}),
            (".", {}),
            ("none", {}),
            ("/dev/zero", {}),
            ("w.bin/..", {}),
            ("w.bin", {"offset": "-8"}),
            ("w.bin", {"offset": "99999999999999"}),
            ("w.bin", {"length": "99999999999999"}),
            ("w.bin", {"length": "-1"}),
            ("w.bin", {"offset": "x"}),
            ("m.onnx", {"length": "3"}),
        )
    ),
    Case("ONNX: weights by a link out", linked, REFUSED),
    Case("ONNX: weights in a pipe", piped, UNREADABLE),
    Case(
        "ONNX: weights at an address of memory",
        elsewhere("*/_ORT_MEM_ADDR_/*", offset="4096", length="8"),
        UNREADABLE,
    ),
    *(
        Case(f"ONNX: bytes {data[:12]!r}", put(data, "m.onnx"), UNREADABLE)
        for data in (
            b"\x08\x08",
            b"\xff" * 1_000,
            b"\x3a\xff\xff\xff\xff\x0f",
            b"\x3a\x80\x80\x80\x80\x08" + bytes(100),
            b"\x0a" * 100_000,
            b"ORTM" + b"\xff" * 100,
            b"\x04\x00\x00\x00ORTM" + b"\xff" * 200,
        )
    ),
    *(
        Case(
            f"ONNX: byte {at} is other",
            lambda folder, at=at: scores(
                folder,
                onnx_bytes()[:at] + bytes([onnx_bytes()[at] ^ 0xFF]) + onnx_bytes()[at + 1 :],
            ),
            f"{ANY_ERROR} FLAVOR_UNSUPPORTED",
        )
        for at in (0, 5, 9, 20, 30)
    ),
    Case(
        "ONNX: providers",
        lambda folder: Given(
            uri=scores(folder, onnx_bytes()).uri,
            options={"model_config": {"providers": ["../evil.so"]}},
        ),
        "CONFIG_INVALID",
    ),
)
