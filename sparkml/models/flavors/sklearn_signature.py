"""What a scikit-learn model itself tells about its columns: inputs, outputs, missing values."""

from __future__ import annotations

import re
import warnings
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa

from sparkml.arrow import input_schema
from sparkml.errors import SignatureError, did_you_mean
from sparkml.lists import is_list
from sparkml.spec import Field, Signature

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


Given = TypeVar("Given")
Rows = TypeVar("Rows")
PREDICTION, PROBABILITY = "prediction", "probability"
_NO_MEMORY = re.compile("bad_alloc|bad allocation|allocate memory")
"""What compiled libraries say of too little memory."""


def line_to_write(names: Sequence[str]) -> str:
    """The argument that tells the types of a model's columns, to be completed by a person."""
    shown = [f'Field(name="{name}", type="double")' for name in list(names)[:3] or ["age"]]
    more = ", …" if len(names) > 3 else ""
    return f"signature=Signature(inputs=({', '.join(shown)}{more},)), with each column's own type"


def order_of(trained: Sequence[str], inputs: Sequence[str], *, where: str) -> list[int]:
    """For each column that the model was trained on, its place among `inputs`.

    Matched by name, else by names that differ in case and punctuation alone (`mean radius` and
    `mean_radius`), else, where not one name is known, by position.

    Raises:
        SignatureError: some names are the model's and some are not, or the numbers differ.
    """
    if len(trained) != len(inputs):
        raise SignatureError(
            f"the model was trained on {len(trained)} columns, the signature has {len(inputs)}",
            where=where,
            fix=f"columns: {', '.join(list(trained)[:20])}",
        )
    for spell in (str, _plain):
        places = {spell(name): index for index, name in enumerate(inputs)}
        wanted = [spell(name) for name in trained]
        if len(places) == len(inputs) and set(places) == set(wanted):
            return [places[name] for name in wanted]
    known = {_plain(name) for name in trained}
    strange = [name for name in inputs if _plain(name) not in known]
    if len(strange) == len(inputs):
        return list(range(len(inputs)))
    raise SignatureError(
        f"the model was not trained on a column '{(strange or inputs)[0]}'",
        where=where,
        fix=did_you_mean(str((strange or inputs)[0]), trained),
    )


def _plain(name: str) -> str:
    return re.sub(r"\W|_", "", name).lower()


def outputs_of(
    classes: Any, seen: tuple[Any, Any] | None, *, probability: bool
) -> tuple[Field, ...]:
    """The outputs, from the class labels and from what the model gave for two rows (`seen`).

    Empty where neither tells.
    """
    labels, chances = seen or (None, None)
    if isinstance(classes, list):
        kind: str | None = f"list<{common_type(classes)}>"
    elif classes is not None:
        kind = label_type(classes)
        if labels is not None and (result_type(labels) or "").startswith("list<"):
            kind = result_type(labels)  # several labels a row, whatever `classes_` says
    else:
        kind = result_type(labels)
    if kind is None:
        return ()
    made = [Field(name=PREDICTION, type=kind)]
    if probability:
        nested = isinstance(chances if seen else classes, list)
        made.append(
            Field(name=PROBABILITY, type="list<list<double>>" if nested else "list<double>")
        )
    return tuple(made)


def result_type(values: Any) -> str | None:
    """The type of a column that holds `values`, or rows of them; None for nothing."""
    if values is None:
        return None
    array = np.asarray(values)
    element = label_type(array)
    return f"list<{element}>" if array.ndim == 2 and array.shape[1] != 1 else element


def chances_type(values: Any) -> str:
    """The type of a column of (log) probabilities; a list of lists for several outputs."""
    if isinstance(values, list):
        return "list<list<double>>"
    return result_type(values) or "list<double>"


def common_type(classes: Sequence[Any]) -> str:
    """The type of a list that holds a label of each output."""
    kinds = {label_type(of_output) for of_output in classes}
    return kinds.pop() if len(kinds) == 1 else "string" if "string" in kinds else "double"


def label_type(labels: Any) -> str:
    """The type of a label: its own, and `string` for objects that are all text."""
    array = np.asarray(labels)
    if array.dtype.kind in "US":
        return "string"
    if array.dtype.kind == "O":
        inferred = pa.infer_type(array.ravel().tolist())
        return "string" if pa.types.is_null(inferred) else str(inferred)
    if array.dtype.kind == "u":  # Spark has no unsigned integers
        return str(pa.from_numpy_dtype(f"int{min(64, array.dtype.itemsize * 16)}"))
    return str(pa.from_numpy_dtype(array.dtype))


def probe(
    call: Callable[[pa.RecordBatch], Given],
    inputs: tuple[Field, ...],
    *,
    missing: bool,
    examples: Mapping[str, Any] | None = None,
    rows: int = 2,
) -> Given | None:
    """What the model gives for made-up rows, all of them equal; None where it refuses them.

    They hold zeros and empty texts, or a column's own value in `examples`, or (`missing`)
    nothing at all.
    """
    schema = input_schema(Signature(inputs=inputs))
    known = {} if missing else examples or {}
    columns = [
        _made_up(f, t.type, rows, missing=missing, example=known.get(f.name))
        for f, t in zip(inputs, schema, strict=True)
    ]
    batch = pa.RecordBatch.from_arrays(columns, schema=schema)
    return tried(call, batch)


def tried(call: Callable[[Rows], Given], rows: Rows) -> Given | None:
    """What the model gives for `rows`; None where it refuses them.

    Raises:
        MemoryError: it would have taken more memory than there is, which is no refusal.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return call(rows)
        except Exception as error:  # any refusal is an answer
            if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
                raise MemoryError(str(error)) from error
            return None


def _made_up(
    wanted: Field, dtype: pa.DataType, rows: int, *, missing: bool, example: Any
) -> pa.Array:
    if not is_list(dtype):
        if example is not None:
            with suppress(pa.ArrowException, TypeError):  # the caller may declare another type
                return pa.array([example] * rows, dtype)
        return pa.array([None if missing else _zero(dtype)] * rows, dtype)
    nothing = float("nan") if pa.types.is_floating(dtype.value_type) else None
    element = nothing if missing else _zero(dtype.value_type)
    return pa.array([[element] * (wanted.length or 1)] * rows, dtype)


def _zero(dtype: pa.DataType) -> Any:
    if pa.types.is_struct(dtype):
        return {field.name: _zero(field.type) for field in dtype}
    if pa.types.is_map(dtype) or is_list(dtype):
        return []
    if pa.types.is_string(dtype) or pa.types.is_binary(dtype):
        return "" if pa.types.is_string(dtype) else b""
    if pa.types.is_decimal(dtype):  # no number of another type becomes one of few digits
        return Decimal(0)
    return 0 if pa.types.is_temporal(dtype) else pa.scalar(0, pa.int32()).cast(dtype).as_py()
