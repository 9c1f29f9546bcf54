"""How a batch of a signature's columns becomes the feeds of an ONNX graph, a run at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sparkml.errors import SignatureError
from sparkml.lists import is_list
from sparkml.models.flavors.onnx_tensors import Port, matrix_of, shown, tensor
from sparkml.models.flavors.sklearn_signature import order_of
from sparkml.type_names import to_arrow_type

if TYPE_CHECKING:
    import numpy.typing as npt

    from sparkml.spec import Field

    Feed = dict[str, npt.NDArray[Any]]


class Feeds:
    """The columns of a signature bound to the inputs of a graph.

    One column an input, by name; or, for a graph with one input, all columns side by side in the
    signature's order.

    Raises:
        SignatureError: another number of columns, or of another shape or type, than the graph
            takes.
    """

    def __init__(
        self, inputs: tuple[Field, ...], ports: tuple[Port, ...], *, where: str, rank_fix: str
    ) -> None:
        self._ports, self._where, self._rank_fix = ports, where, rank_fix
        self._side_by_side = len(ports) == 1 and len(inputs) > 1
        names = [f.name for f in inputs]
        if self._side_by_side:
            self._order = list(range(len(inputs)))
            self._check_matrix(inputs, ports[0])
            return
        lone = len(ports) == len(inputs) == 1
        self._order = [0] if lone else order_of([p.name for p in ports], names, where=where)
        for port, index in zip(ports, self._order, strict=True):
            self._check_column(inputs[index], port)

    def groups(self, batch: pa.RecordBatch) -> list[npt.NDArray[np.int64]]:
        """The rows that can go together: those whose lists have one length in every open input.

        Empty where all can.
        """
        widths = [
            pc.fill_null(pc.list_value_length(batch.column(index)), 0).to_numpy(
                zero_copy_only=False
            )
            for port, index in zip(self._ports, self._order, strict=False)
            if not self._side_by_side
            and is_list(batch.column(index).type)
            and (port.open or not port.shape)
        ]
        if not widths or all((w == w[0]).all() for w in widths):
            return []
        _, group = np.unique(np.stack(widths, axis=1), axis=0, return_inverse=True)
        return [np.flatnonzero(group.ravel() == g) for g in range(int(group.max()) + 1)]

    def __call__(self, batch: pa.RecordBatch) -> Feed:
        """The graph's inputs for rows of one group.

        Raises:
            ValueError: a value, a length or a null that the graph's inputs cannot hold.
        """
        if self._side_by_side:
            return {self._ports[0].name: matrix_of(batch, self._ports[0])}
        feed = {
            port.name: tensor(batch.column(index), port)
            for port, index in zip(self._ports, self._order, strict=True)
        }
        self._refuse_disagreement(feed)
        return feed

    def _refuse_disagreement(self, feed: Feed) -> None:
        """Sizes of one name must be one: ONNX Runtime would stretch the shorter over the longer."""
        sizes: dict[str, int] = {}
        for port in self._ports:
            for name, size in zip(port.row, feed[port.name].shape[1:], strict=False):
                if isinstance(name, str) and name and sizes.setdefault(name, size) != size:
                    msg = f"the inputs disagree on '{name}': {sizes[name]} and {size}"
                    raise ValueError(msg)

    def _check_matrix(self, inputs: tuple[Field, ...], port: Port) -> None:
        if port.shape and (len(port.row) != 1 or port.width not in (None, len(inputs))):
            raise SignatureError(
                f"the model's input '{port.name}' takes {shown(port.row)} values a row, "
                f"the signature has {len(inputs)} columns",
                where=self._where,
                fix="declare the columns that it was trained on, or one list column",
            )
        for column in inputs:
            if is_list(to_arrow_type(column.type)):
                raise SignatureError(
                    f"'{column.name}' is a list beside other columns, the model has one input",
                    where=self._where,
                    fix="declare one list column, or one column a feature",
                )
            self._check_type(column, to_arrow_type(column.type), port)

    def _check_column(self, column: Field, port: Port) -> None:
        dtype = to_arrow_type(column.type)
        listed = is_list(dtype)
        self._check_type(column, dtype.value_type if listed else dtype, port)
        width = column.length if listed else 1
        if width is not None and port.shape and port.width not in (None, width):
            raise SignatureError(
                f"the model's input '{port.name}' takes {shown(port.row)} values a row, "
                f"the column '{column.name}' has {width}",
                where=self._where,
                fix="declare the length that it takes",
            )
        if listed and port.open > 1:
            raise SignatureError(
                f"the model's input '{port.name}' leaves several sizes open ({shown(port.row)}), "
                "which a list of values does not tell",
                where=self._where,
                fix=self._rank_fix,
            )

    def _check_type(self, column: Field, dtype: pa.DataType, port: Port) -> None:
        number = any(
            test(dtype)
            for test in (
                *(pa.types.is_integer, pa.types.is_floating),
                *(pa.types.is_boolean, pa.types.is_decimal),
            )
        )
        if not (pa.types.is_string(dtype) if port.dtype == "str" else number):
            raise SignatureError(
                f"the column '{column.name}' is {column.type}, the model's input '{port.name}' "
                f"is of type {port.type}",
                where=self._where,
                fix=f"declare it as {port.type}",
            )
