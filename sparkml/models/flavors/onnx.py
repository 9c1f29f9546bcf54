"""The ONNX flavor: any graph that ONNX Runtime opens, its columns, tensors and labels."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sparkml.errors import ConfigError, ModelUnreadable, did_you_mean
from sparkml.models.batch_free import check_batch_free, check_entries, two_rows
from sparkml.models.extra_outputs import check_outputs
from sparkml.models.flavors.onnx_feeds import Feeds
from sparkml.models.flavors.onnx_inner import inner_fields, with_inner
from sparkml.models.flavors.onnx_session import check_config, open_session, run_for_a_while
from sparkml.models.flavors.onnx_tensors import (
    Port,
    column_of,
    input_field,
    output_field,
    port_of,
    refuse_strange,
    table_of,
)
from sparkml.models.flavors.sklearn_signature import PREDICTION, PROBABILITY, probe
from sparkml.models.mlmodel import inside
from sparkml.models.rehearsal import rehearse
from sparkml.type_names import to_arrow_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from sparkml.models.mlmodel import MLmodel
    from sparkml.spec import Field, Signature

    Tables = list[npt.NDArray[Any]]


BATCH_RTOL = 1e-4
"""By what a row's numbers may differ with the rows beside it: sums of float32, no more."""


def runs_code(folder: Path, description: MLmodel | None) -> str:  # noqa: ARG001
    """Never: a graph is data, and modules that MLflow stored beside it are not imported."""
    return ""


def open_model(
    folder: Path, description: MLmodel | None, model_config: Mapping[str, Any]
) -> OnnxModel:
    """The graph in `folder`, in a session of its own.

    Raises:
        ModelUnreadable: ONNX Runtime refuses it, or it takes what no column can hold.
        ConfigError: an unknown key of `model_config`, or a provider that is not there.
        ExtraMissing: onnxruntime is not installed.
    """
    check_config(model_config)
    own = description.flavors["onnx"] if description else {}
    if description is None:
        path = next(p for p in sorted(folder.iterdir()) if p.suffix == ".onnx")
    else:
        path = inside(folder, own.get("data"), key="data")
    reopen = partial(open_session, path, model_config, own)
    shapes = {t.name: t.shape[1:] for t in description.tensors} if description else {}
    return OnnxModel(reopen, shapes, model_config.get("shapes", {}), where=str(folder))


class OnnxModel:
    """A session, and what it tells about its inputs and outputs.

    `reopen` opens another one, in which the tensors that it is given by name are outputs as well.
    """

    differences: tuple[str, ...] = ()

    def __init__(
        self,
        reopen: Callable[..., Any],
        recorded: Mapping[str, tuple[int, ...]],
        given: Mapping[str, Sequence[int]],
        *,
        where: str,
    ) -> None:
        self.reopen, self.where = reopen, where
        self.session = reopen()
        ports = tuple(port_of(node) for node in self.session.get_inputs())
        refuse_strange(ports, where=where)
        for name in given:
            if name not in [port.name for port in ports]:
                raise ConfigError(
                    f"the model has no input '{name}'",
                    where=f"model_config.shapes.{name}",
                    fix=did_you_mean(name, [port.name for port in ports]),
                )
        if len(recorded) == len(ports) == 1:
            recorded = {ports[0].name: next(iter(recorded.values()))}
        self.ports = tuple(_settled(p, recorded.get(p.name), given.get(p.name)) for p in ports)
        self.results = tuple(port_of(node) for node in self.session.get_outputs())
        self.names = _public_names(self.results)
        self.batch_rows = _batch_rows(self.ports, where=where)

    @property
    def inputs(self) -> tuple[Field, ...]:
        """A column for each input of the graph; empty where it tells no shape."""
        if not all(port.shape for port in self.ports):
            return ()
        return tuple(input_field(port) for port in self.ports)

    @property
    def hint(self) -> str:
        """The argument that tells the columns, to be completed by a person."""
        told = ", ".join(f'Field(name="{p.name}", type="list<{p.type}>")' for p in self.ports[:3])
        more = ", …" if len(self.ports) > 3 else ""
        names = ", ".join(
            f'Field(name="{p.name}", type="{p.type}")' for p in self.results if p.dtype
        )
        return (
            f"signature=Signature(inputs=({told}{more},), outputs=({names},)), with the length of "
            "each list, and each output that has a value a row"
        )

    def outputs(
        self,
        inputs: tuple[Field, ...],
        recorded: tuple[Field, ...],  # noqa: ARG002
    ) -> tuple[Field, ...]:
        """`prediction` and `probability` of a classifier, else the graph's outputs by their names.

        A shape that the graph does not tell is asked of it with two rows.
        """
        told = [(n, p) for n, p in zip(self.names, self.results, strict=True) if p.dtype]
        seen: Sequence[Any] = ()
        if not all(port.shape for _, port in told):
            run = self.runner(inputs, [port.name for _, port in told])
            seen = (probe(lambda b: (run(b), None), inputs, missing=False) or ((), None))[0]
        shapes = [table.shape for table in seen] or [port.shape for _, port in told]
        made = [output_field(n, p, s) for (n, p), s in zip(told, shapes, strict=True)]
        return tuple(field for field in made if field)

    def extras(self, inputs: tuple[Field, ...]) -> tuple[Field, ...]:  # noqa: ARG002
        """None: its inner tensors are many, and `inner` is asked for those that are named."""
        return ()

    def inner(self, names: Sequence[str], inputs: tuple[Field, ...]) -> tuple[Field, ...]:
        """See `inner_fields`."""
        return inner_fields(self, names, inputs)

    def predictor(self, signature: Signature, params: Mapping[str, Any]) -> OnnxPredictor:
        """The model as it scores batches of `signature`."""
        if params:
            raise ConfigError(
                "an ONNX model takes no params",
                where=self.where,
                fix="leave them out, or make them columns",
            )
        strange = [f.name for f in signature.outputs if f.name not in self.names]
        return OnnxPredictor((strange and with_inner(self, strange)) or self, signature)

    def runner(
        self, inputs: tuple[Field, ...], wanted: Sequence[str]
    ) -> Callable[[pa.RecordBatch], Tables]:
        """A function from rows of one group (see `Feeds.groups`) to the wanted results."""
        feeds = self.feeds(inputs)
        size = self.batch_rows

        def results(feed: Mapping[str, npt.NDArray[Any]], rows: int) -> Tables:
            made = run_for_a_while(self.session, list(wanted), feed, rows)
            return [table_of(result) for result in made]

        def run(batch: pa.RecordBatch) -> Tables:
            feed = feeds(batch)
            if size is None:
                return results(feed, batch.num_rows)
            pieces = [results(piece, size) for piece in _pieces(feed, batch.num_rows, size)]
            end = batch.num_rows - len(pieces) * size or None
            return [np.concatenate(part)[:end] for part in zip(*pieces, strict=True)]

        return run

    def feeds(self, inputs: tuple[Field, ...]) -> Feeds:
        """The columns bound to the graph's inputs.

        Raises:
            SignatureError: they do not fit.
        """
        return Feeds(
            inputs,
            self.ports,
            where=self.where,
            rank_fix="model_config={'shapes': {'image': [3, 224, 224]}}, with this model's sizes",
        )


class OnnxPredictor:
    """A session bound to a signature; see `base.Predictor`."""

    def __init__(self, model: OnnxModel, signature: Signature) -> None:
        self._model, self._signature = model, signature
        self._types = [to_arrow_type(f.type) for f in signature.outputs]
        wanted = _wanted([f.name for f in signature.outputs], model)
        self._feeds = model.feeds(signature.inputs)
        self.tables = model.runner(signature.inputs, wanted)

    def check(self) -> None:
        """See `rehearse`; refuse a graph whose rows have no results of their own."""
        inputs, where = self._signature.inputs, self._model.where
        names = [f.name for f in self._signature.outputs]
        check_entries(self.tables, inputs, names, where=where)
        rehearse(self.predict, inputs, {})
        rows = two_rows(inputs)
        each = (rows.slice(0, 1), rows.slice(1, 1))
        check_batch_free(self.tables, rows, each, rtol=BATCH_RTOL, where=where)

    @cached_property
    def takes_nan(self) -> bool:
        """Whether it gives a finite result for a row of missing values, asked of the graph itself.

        Texts and integers have no missing value in ONNX, so such models do not.
        """
        seen = probe(lambda b: (self.tables(b), None), self._signature.inputs, missing=True)
        tables = seen[0] if seen else []
        return bool(tables) and all(
            t.dtype.kind != "f" or bool(np.isfinite(t).all()) for t in tables
        )

    def predict(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """The outputs of `batch`; rows whose lists differ in length go to the graph apart."""
        if not batch.num_rows:
            return [pa.array([], dtype) for dtype in self._types]
        groups = self._feeds.groups(batch)
        if not groups:
            return self._columns(batch)
        parts = [self._columns(batch.take(pa.array(rows))) for rows in groups]
        back = pa.array(np.argsort(np.concatenate(groups)))
        return [pa.concat_arrays(pieces).take(back) for pieces in zip(*parts, strict=True)]

    def _columns(self, batch: pa.RecordBatch) -> list[pa.Array]:
        return [
            column_of(table, dtype, batch.num_rows, where=self._model.where)
            for table, dtype in zip(self.tables(batch), self._types, strict=True)
        ]


def _settled(port: Port, recorded: Sequence[int] | None, given: Sequence[int] | None) -> Port:
    """The port with the sizes that MLflow recorded and the caller gave."""
    for row in (recorded, given):
        if row is not None and (row is given or len(row) == len(port.row)):
            port = port.closed(row)
    return port


def _batch_rows(ports: tuple[Port, ...], *, where: str) -> int | None:
    """The number of rows that the graph was converted for; None where any number will do."""
    fixed = {size for port in ports for size in port.shape[:1] if isinstance(size, int)}
    if len(fixed) > 1 or 0 in fixed:
        raise ModelUnreadable(
            f"its inputs take batches of the sizes {sorted(fixed)}, which no rows can have",
            where=where,
            fix="convert the model with an open first dimension",
        )
    return fixed.pop() if fixed else None


def _public_names(results: tuple[Port, ...]) -> list[str]:
    if len(results) == 2:
        label, chances = results
        labels = label.dtype in ("int64", "str", "bool", "int32") and label.row in ((), (1,))
        named = chances.is_map or "prob" in chances.name.lower()
        if labels and not label.is_map and named and chances.dtype.startswith("float"):
            return [PREDICTION, PROBABILITY]
    return [port.name for port in results]


def _wanted(names: Sequence[str], model: OnnxModel) -> list[str]:
    """The graph's own names of the outputs; all of them where the caller renames every one."""
    own = [port.name for port in model.results]
    if len(names) == len(own) and not {*names} & {*model.names}:
        return own
    check_outputs(names, model.names, where=model.where)
    return [own[model.names.index(name)] for name in names]


def _pieces(
    feed: Mapping[str, npt.NDArray[Any]], rows: int, size: int
) -> list[dict[str, npt.NDArray[Any]]]:
    """The feed in pieces of `size` rows, the last one filled up with its last row."""
    places = np.arange(-(-rows // size) * size).clip(max=rows - 1).reshape(-1, size)
    return [{name: values[at] for name, values in feed.items()} for at in places]
