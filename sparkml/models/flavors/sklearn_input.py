"""How a batch becomes what an estimator was trained on: a matrix, texts, or a DataFrame."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sparkml.arrow import check_numbers, matrix
from sparkml.errors import SignatureError
from sparkml.lists import is_list
from sparkml.models.flavors.boosted_categories import categorical, category_type, fits
from sparkml.models.flavors.sklearn_graph import missing_text, settle
from sparkml.models.flavors.sklearn_signature import order_of
from sparkml.models.frames import frame, objects
from sparkml.type_names import to_arrow_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparkml.models.flavors.sklearn import SklearnModel
    from sparkml.models.flavors.sklearn_columns import Told
    from sparkml.spec import Field


def converter(model: SklearnModel, inputs: tuple[Field, ...]) -> Callable[[pa.RecordBatch], Any]:
    """How a batch becomes `X`: a matrix, texts, or a DataFrame with the trained names."""
    types = [to_arrow_type(f.type) for f in inputs]
    vector = len(inputs) == 1 and is_list(types[0])
    numbers = all(_is_number(t.value_type if is_list(t) else t) for t in types)
    if model.text:
        if len(inputs) != 1:
            raise SignatureError(
                f"the model takes one column of texts, the signature has {len(inputs)} columns",
                where=model.where,
                fix="declare one input of type string",
            )
        return lambda batch: objects(batch.column(0))
    _check_width(model, inputs, vector=vector)
    as_matrix = model.plain and numbers and (vector or not any(map(is_list, types)))
    settle(model.estimator, as_matrix=as_matrix)
    width = (inputs[0].length or model.width) if vector else None
    if vector:
        check_numbers(inputs, where=model.where)
    if vector and (as_matrix or not model.names):
        return partial(matrix, width=width)
    names = model.names or [f.name for f in inputs]
    if vector:
        return lambda batch: _named(matrix(batch, width), names)
    given = given_names(model, inputs)
    order = order_of(given, [f.name for f in inputs], where=model.where)
    arrange = _arranged(order)
    if as_matrix:
        return lambda batch: matrix(arrange(batch))
    missing = missing_text(model.estimator)
    categories = _categories(model, given, [inputs[i] for i in order])

    def convert(batch: pa.RecordBatch) -> Any:
        rows = arrange(batch)
        made = frame(rows, given, missing=missing)
        for place, told in categories.items():
            known = categorical(rows.column(place), told.categories, strict=told.strict)
            made[given[place]] = known
        if not model.names and model.plain:  # what it was trained on was an array
            return made.to_numpy(dtype=object)
        return made if len(given) == len(names) else made.reindex(columns=names)

    return convert


def given_names(model: SklearnModel, inputs: tuple[Field, ...]) -> list[str]:
    """The trained names of the columns in `inputs`: all of them, or those that are used."""
    every = model.names or [f.name for f in inputs]
    return every if len(inputs) == len(every) else model.used


def _categories(model: SklearnModel, given: list[str], inputs: list[Field]) -> dict[int, Told]:
    """Where the frame holds pandas' categories, and what is told of them.

    Raises:
        SignatureError: a column is declared as what they cannot be.
    """
    told = dict(zip(model.names, model.told, strict=True)) if model.names else {}
    made = {}
    for place, (name, declared) in enumerate(zip(given, inputs, strict=True)):
        known = told[name].categories if name in told else None
        if known is None:
            continue
        if not fits(to_arrow_type(declared.type), known):
            raise SignatureError(
                f"the model takes {category_type(known)} in '{name}', the signature says "
                f"{declared.type}",
                where=model.where,
                fix="declare the type that it was trained on",
            )
        made[place] = told[name]
    return made


def _check_width(model: SklearnModel, inputs: tuple[Field, ...], *, vector: bool) -> None:
    given = inputs[0].length if vector else len(inputs)
    few = len(model.used) if model.names and not vector and not model.plain else model.width
    if model.width is not None and given not in (None, model.width, few):
        raise SignatureError(
            f"the model was trained on {model.width} columns, the signature has {given}",
            where=model.where,
            fix="declare the columns that it was trained on",
        )


def _is_number(dtype: pa.DataType) -> bool:
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
    return any(test(dtype) for test in tests)


def _arranged(order: list[int]) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    if order == list(range(len(order))):
        return lambda batch: batch
    return lambda batch: batch.select(order)


def _named(values: Any, names: list[str]) -> Any:
    import pandas as pd

    return pd.DataFrame(values, columns=names, copy=False)
