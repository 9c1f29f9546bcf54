"""Lists, structs and maps: how one meets another, part by part."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from sparkml.lists import is_list, pairs_of, relisted
from sparkml.type_names import is_optional

if TYPE_CHECKING:
    from collections.abc import Callable

    Rule = Callable[[pa.DataType, pa.DataType], str | None]
    Cast = Callable[[pa.Array, pa.DataType], pa.Array]


def is_nested(dtype: pa.DataType) -> bool:
    """Whether a type is that of lists, structs or maps."""
    return is_list(dtype) or pa.types.is_struct(dtype) or pa.types.is_map(dtype)


def nested_rule(source: pa.DataType, target: pa.DataType, rule: Rule, exact: str) -> str | None:
    """What `rule` says of the parts: the first that is not `exact`; None where one is refused.

    A struct's fields are met by name, in any order. Further ones are left out; one that is absent
    is null where the target marks it as optional, else refused. One that differs in upper and lower
    case is not absent, nor one that is there twice: it is refused.
    """
    if is_list(target) and is_list(source):
        return rule(source.value_type, target.value_type)
    pairs: list[tuple[pa.DataType, pa.DataType]] = []
    if pa.types.is_map(target) and pa.types.is_map(source):
        pairs = [(source.key_type, target.key_type), (source.item_type, target.item_type)]
    elif pa.types.is_struct(target) and pa.types.is_struct(source):
        alike = {field.name.lower() for field in source}
        for wanted in target:
            place = source.get_field_index(wanted.name)
            if place < 0 and (wanted.name.lower() in alike or not is_optional(wanted)):
                return None
            if place >= 0:
                pairs.append((source.field(place).type, wanted.type))
    else:
        return None
    rules = [rule(*pair) for pair in pairs]
    if None in rules:
        return None
    return next((f"within it: {found}" for found in rules if found != exact), exact)


def cast_nested(column: pa.Array, target: pa.DataType, cast: Cast) -> pa.Array:
    """`column` as `target`, its parts by `cast`; `nested_rule` has allowed it."""
    if is_list(target):
        return relisted(column, cast(column.flatten(), target.value_type)).cast(target)
    missing = column.is_null()
    if pa.types.is_struct(target):
        parts = dict(zip((f.name for f in column.type), column.flatten(), strict=True))
        made = [
            cast(parts[f.name], f.type) if f.name in parts else pa.nulls(len(column), f.type)
            for f in target
        ]
        return pa.StructArray.from_arrays(made, fields=list(target), mask=missing)
    lists = pairs_of(column)
    keys, values = lists.flatten().flatten()
    offsets = relisted(lists, keys).offsets
    keys, values = cast(keys, target.key_type), cast(values, target.item_type)
    return pa.MapArray.from_arrays(offsets, keys, values, type=target, mask=missing)
