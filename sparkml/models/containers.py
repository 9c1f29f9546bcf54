"""A result's columns, whichever container the model put them in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sparkml.errors import ContractViolation, did_you_mean
from sparkml.lists import is_list
from sparkml.models.results import as_array, as_mapping

if TYPE_CHECKING:
    from collections.abc import Mapping


def columns_of(result: Any, outputs: Mapping[str, pa.DataType], *, where: str) -> list[Any]:
    """What belongs to each of `outputs`, in their order; `results.as_column` takes it from there.

    A DataFrame, a mapping of columns and a list of mappings (or of pydantic models) have names:
    those of the outputs are taken; where it has none of them, the columns by position. Where one
    list is declared, all their columns are its elements; where one struct is, its fields; where one
    map is, each of a list of mappings is a row's map. Anything else is one column, or has one along
    its second axis.

    Raises:
        ContractViolation: other columns than outputs, or another number of them.
    """
    only = next(iter(outputs.values())) if len(outputs) == 1 else None
    maps = isinstance(result, list) and only is not None and pa.types.is_map(only)
    named = None if maps else _named(result)
    if named is not None:
        found, parts = dict(named), [values for _, values in named]
        if found.keys() & outputs.keys():
            return _by_name(found, outputs, result, where)
        if only is not None and (whole := _whole(result, named, only)) is not None:
            return [whole]
        if isinstance(result, list) and not found:  # mappings of nothing
            return _by_name(found, outputs, result, where)
    elif only is not None:
        return [result]
    else:
        table = as_array(result)
        parts = list(table.T) if table.ndim == 2 else [table]
    if len(parts) != len(outputs):
        raise ContractViolation(
            f"the model returned {len(parts)} columns, {len(outputs)} outputs are declared: "
            f"{', '.join(outputs)}",
            where=where,
            fix="correct the outputs in the signature",
        )
    return parts


def _by_name(
    found: dict[str, Any], outputs: Mapping[str, Any], result: Any, where: str
) -> list[Any]:
    missing = [name for name in outputs if name not in found]
    if missing and not isinstance(result, list):
        raise ContractViolation(
            f"the model returned no column '{missing[0]}'",
            where=where,
            fix=did_you_mean(missing[0], found),
        )
    # A mapping without the name is a row without the value, wherever the batches end.
    return [found[name] if name in found else [None] * len(result) for name in outputs]


def _whole(result: Any, named: list[tuple[str, Any]], only: pa.DataType) -> Any:
    """The columns as the one struct's fields or the one list's elements; None where not."""
    if is_list(only) and len(named) > 1:
        return dict(enumerate(values for _, values in named))
    if not pa.types.is_struct(only):
        return None
    found = dict(named)
    there = [field.name in found for field in only]
    if all(there):
        return found
    # As in `_by_name`: a mapping may leave fields out, and all of them.
    return result if isinstance(result, list) and (any(there) or not found) else None


def _named(result: Any) -> list[tuple[str, Any]] | None:
    """The names and columns of what has names."""
    if isinstance(result, list) and result and all(_is_mapping(row) for row in result):
        rows = [as_mapping(row) for row in result]
        names = dict.fromkeys(name for row in rows for name in row)
        return [(str(name), [row.get(name) for row in rows]) for name in names]
    if isinstance(result, dict):
        return [(str(name), values) for name, values in result.items()]
    if hasattr(result, "iloc") and hasattr(result, "columns"):  # a DataFrame
        return [(str(name), result.iloc[:, i]) for i, name in enumerate(result.columns)]
    return None


def _is_mapping(row: Any) -> bool:
    return isinstance(row, dict) or hasattr(row, "model_dump")
