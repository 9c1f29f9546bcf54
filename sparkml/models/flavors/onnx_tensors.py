"""Arrow columns as the tensors that an ONNX graph takes, and what it gives as Arrow columns."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sparkml.errors import ContractViolation, ModelUnreadable, SignatureError
from sparkml.lists import is_list
from sparkml.models.mlmodel import TENSOR_TYPES
from sparkml.models.results import as_column
from sparkml.spec import Field

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

_NUMPY = {"float": "float32", "double": "float64", "string": "str"}
"""ONNX's names of element types where NumPy has others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """One input or output of the graph.

    `dtype` is NumPy's name of the elements; empty for what no column can hold. `shape` holds a
    number for a fixed dimension and the graph's name for an open one (empty where it has none); it
    is empty where the graph tells no shape. `is_map`: a ZipMap, one map of classes to scores a row.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    is_map: bool = False

    @property
    def row(self) -> tuple[int | str, ...]:
        """The shape of one row's part."""
        return self.shape[1:]

    @property
    def open(self) -> int:
        """How many sizes of a row's part are open."""
        return sum(isinstance(size, str) for size in self.row)

    @property
    def width(self) -> int | None:
        """How many values a row has; None where that is open."""
        return math.prod(s for s in self.row if isinstance(s, int)) if not self.open else None

    @property
    def type(self) -> str:
        """The Arrow type of one element, as a column can have it."""
        return TENSOR_TYPES[self.dtype]

    def closed(self, row: Sequence[int]) -> Port:
        """The port with its open sizes taken from `row` (-1 leaves one open).

        Raises:
            SignatureError: `row` contradicts a size that the graph fixes.
        """
        mine = self.row or ("",) * len(row)
        pairs = list(zip(mine, row, strict=False))
        if len(mine) != len(row) or any(isinstance(a, int) and b not in (a, -1) for a, b in pairs):
            raise SignatureError(
                f"'{self.name}' has the shape {shown(mine)}, not {shown(row)}",
                where=self.name,
                fix="give the shape of one row's part, without the batch",
            )
        sizes = tuple(a if b == -1 else b for a, b in pairs)
        return replace(self, shape=((self.shape or ("",))[0], *sizes))


def port_of(node: Any) -> Port:
    """The port that a node of the session describes."""
    shape = tuple(size if isinstance(size, int) else str(size or "") for size in node.shape)
    kind = str(node.type)
    if kind.startswith("seq(map("):
        element = kind.rpartition("tensor(")[2].rstrip(")")
        return Port(name=node.name, dtype=_NUMPY.get(element, element), shape=(), is_map=True)
    element = kind.removeprefix("tensor(").removesuffix(")")
    dtype = _NUMPY.get(element, element)
    return Port(name=node.name, dtype=dtype if dtype in TENSOR_TYPES else "", shape=shape)


def input_field(port: Port) -> Field:
    """The column that an input takes."""
    if port.width == 1:
        return Field(name=port.name, type=port.type)
    return Field(name=port.name, type=f"list<{port.type}>", length=port.width)


def output_field(name: str, port: Port, shape: Sequence[int | str]) -> Field | None:
    """The column that an output of this shape gives; None where the shape is not known."""
    if port.is_map:
        return Field(name=name, type=f"list<{port.type}>")
    if not shape:
        return None
    listed = any(size != 1 for size in shape[1:])
    return Field(name=name, type=f"list<{port.type}>" if listed else port.type)


def shown(row: Sequence[int | str]) -> str:
    """A shape in words: `3×8×8`, `T×4`, `?`."""
    return "×".join(str(size) if size not in ("", -1) else "?" for size in row) or "one value"


def elements(values: pa.Array, port: Port) -> npt.NDArray[Any]:
    """The values as the graph's own type, each rounded once; a null is NaN where there is one.

    Raises:
        ValueError: a null that the type cannot hold, a fraction or a size that it cannot either.
    """
    floating = port.dtype.startswith("float")
    if values.null_count and not floating:
        msg = f"'{port.name}' holds a null, and a tensor of {port.dtype} has no place for one"
        raise ValueError(msg)
    if port.dtype == "str":
        # ONNX Runtime would write None as the text "None".
        texts: npt.NDArray[Any] = values.to_numpy(zero_copy_only=False)
        return texts
    if port.dtype == "float16":
        with np.errstate(over="ignore"):
            return np.asarray(pc.cast(values, pa.float64(), safe=False)).astype(np.float16)
    if port.dtype == "bool" and not pa.types.is_boolean(values.type):
        values = pc.cast(values, pa.int8())
    made = pc.cast(values, pa.from_numpy_dtype(np.dtype(port.dtype)), safe=not floating)
    numbers: npt.NDArray[Any] = made.to_numpy(zero_copy_only=False)
    return numbers


def tensor(column: pa.Array, port: Port) -> npt.NDArray[Any]:
    """A column as one tensor: a value a row, or lists of one length in the shape of `port`.

    Raises:
        ValueError: lists of another length than the shape asks for, or of several.
    """
    rows = len(column)
    if not is_list(column.type):
        return elements(column, port).reshape(rows, *(1,) * max(len(port.row), not port.shape))
    found = pc.list_value_length(column).drop_null().unique().to_pylist()
    widths = {*found, port.width} - {None} if port.shape else set(found)
    if len(widths) != 1:
        msg = f"'{port.name}' takes {shown(port.row)} values a row, there are {sorted(found)[:5]}"
        raise ValueError(msg)
    width = widths.pop()
    shape = (rows, *_sizes(port, width))
    flat = elements(column.flatten(), port)
    if not column.null_count:
        return flat.reshape(shape)
    if not port.dtype.startswith("float"):
        msg = f"'{port.name}' is null, and a tensor of {port.dtype} has no place for one"
        raise ValueError(msg)
    out = np.full((rows, width), np.nan, dtype=port.dtype)
    out[column.is_valid().to_numpy(zero_copy_only=False)] = flat.reshape(-1, width)
    return out.reshape(shape)


def _sizes(port: Port, width: int) -> tuple[int, ...]:
    if not port.shape:
        return (width,)
    known = math.prod(size for size in port.row if isinstance(size, int))
    if port.open and width % known:
        msg = f"'{port.name}' takes {shown(port.row)} values a row, there are {width}"
        raise ValueError(msg)
    return tuple(size if isinstance(size, int) else width // known for size in port.row)


def matrix_of(batch: pa.RecordBatch, port: Port) -> npt.NDArray[Any]:
    """The columns of a batch, one value each, side by side as one tensor."""
    dtype = object if port.dtype == "str" else np.dtype(port.dtype)
    out: npt.NDArray[Any] = np.empty((batch.num_rows, batch.num_columns), dtype=dtype)
    for j, column in enumerate(batch.columns):
        out[:, j] = elements(column, port)
    return out


def table_of(result: Any) -> npt.NDArray[Any]:
    """One of the graph's results as an array; a ZipMap's scores in the order of its classes."""
    if isinstance(result, list):
        return np.array([list(scores.values()) for scores in result])
    return np.asarray(result)


def column_of(table: npt.NDArray[Any], dtype: pa.DataType, rows: int, *, where: str) -> pa.Array:
    """A result as a column: a value a row, or the row's values in C order as one list.

    Raises:
        ContractViolation: it has not one entry a row, or lists where values are declared.
    """
    flat = table.reshape(len(table), -1) if table.ndim > 2 and rows else table
    listed = flat.ndim == 2 and flat.shape[1] != 1
    if table.shape[:1] != (rows,) or (listed and not is_list(dtype)):
        raise ContractViolation(
            f"the model gave a result of the shape {table.shape} for {rows} rows of {dtype}",
            where=where,
            fix="name the outputs that have one entry a row: signature: … -> output: type",
        )
    return as_column(flat.reshape(rows, -1) if is_list(dtype) else flat, dtype)


def refuse_strange(ports: Sequence[Port], *, where: str) -> None:
    """Refuse inputs that no column can hold: sequences, maps, complex numbers.

    Raises:
        ModelUnreadable: there is one.
    """
    for port in ports:
        if port.is_map or not port.dtype:
            raise ModelUnreadable(
                f"the input '{port.name}' is of a type that no column of a table can have",
                where=where,
                fix="convert the model with tensors of numbers or texts as its inputs",
            )
