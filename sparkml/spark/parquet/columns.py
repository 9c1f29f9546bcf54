"""Rows as a table's files hold them: columns by name, of its types, under physical names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparkml.spark.parquet.layout import Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One column of a Parquet file: its path in the schema, its type, and whether it repeats."""

    path: tuple[str, ...]
    type: pa.DataType
    repeated: bool

    @property
    def dotted(self) -> str:
        """The name by which Arrow's Parquet writer takes settings for it."""
        return ".".join(self.path)


def leaves(schema: pa.Schema) -> list[Leaf]:
    """The leaves of a schema, in the order in which Parquet stores them."""
    return [leaf for f in schema for leaf in _leaves((f.name,), f.type, repeated=False)]


def _leaves(path: tuple[str, ...], dtype: pa.DataType, *, repeated: bool) -> Iterator[Leaf]:
    if pa.types.is_struct(dtype):
        for child in dtype:
            yield from _leaves((*path, child.name), child.type, repeated=repeated)
    elif pa.types.is_map(dtype):
        yield from _leaves((*path, "key_value", "key"), dtype.key_type, repeated=True)
        yield from _leaves((*path, "key_value", "value"), dtype.item_type, repeated=True)
    elif pa.types.is_list(dtype):
        yield from _leaves((*path, "list", "element"), dtype.value_type, repeated=True)
    else:
        stored_as = dtype.value_type if pa.types.is_dictionary(dtype) else dtype
        yield Leaf(path=path, type=stored_as, repeated=repeated)


def settings(layout: Layout) -> dict[str, Any]:
    """The options of `pyarrow.parquet.ParquetWriter` for the table.

    Measured on 1 M rows of an id, two doubles, an array of three and two short columns (M rows/s
    written, MB, ms to read back): Arrow's defaults 8.8, 37, 293; zstd level 1 with dictionaries for
    strings alone 7.6, 32, 91; and whole numbers as differences 9.5, 31, 68. Splitting the bytes of
    doubles would give 10.3 and 28 MB, but Spark's vectorized reader does not know that encoding.
    """
    all_leaves = leaves(layout.physical)
    text = [leaf.dotted for leaf in all_leaves if _is_text(leaf.type)]
    whole = {leaf.dotted: "DELTA_BINARY_PACKED" for leaf in all_leaves if _is_whole(leaf.type)}
    return {
        "compression": layout.compression,
        "compression_level": layout.compression_level,
        "use_dictionary": text or False,
        "column_encoding": whole or None,
        "write_statistics": [leaf.dotted for leaf in all_leaves if not leaf.repeated] or False,
        "store_schema": False,
        "store_decimal_as_integer": True,
        "version": "2.6",
    }


def _is_text(dtype: pa.DataType) -> bool:
    return bool(pa.types.is_string(dtype) or pa.types.is_binary(dtype))


def _is_whole(dtype: pa.DataType) -> bool:
    return bool(pa.types.is_integer(dtype) or pa.types.is_timestamp(dtype))


def encoded(layout: Layout, name: str) -> Layout:
    """The layout with the texts of one column taken as Arrow dictionaries, as its rows bring them.

    The files are the same; a text that is the same on every row is then hashed once a batch and not
    once a row (4 texts: 27 instead of 83 ns a row).
    """
    index = layout.logical.get_field_index(name)
    if index < 0:
        return layout
    schemas = {
        side: schema.set(index, _encoded(schema.field(index)))
        for side, schema in (("logical", layout.logical), ("physical", layout.physical))
    }
    return replace(layout, **schemas)


def _encoded(field: pa.Field) -> pa.Field:
    if pa.types.is_struct(field.type):
        return field.with_type(pa.struct([_encoded(child) for child in field.type]))
    if pa.types.is_string(field.type):
        return field.with_type(pa.dictionary(pa.int32(), field.type))
    return field


def stored(batch: pa.RecordBatch, layout: Layout) -> pa.RecordBatch:
    """The data columns of `batch` as `layout.physical`.

    Columns are matched by name, in nested structs too; those that the rows lack are null, those
    that the table lacks are left out. No copy where the types are the table's already.

    Raises:
        pyarrow.ArrowInvalid: a value does not fit the table's type.
    """
    columns = []
    for logical, physical in zip(layout.logical, layout.physical, strict=True):
        index = batch.schema.get_field_index(logical.name)
        if index < 0:
            columns.append(pa.nulls(batch.num_rows, physical.type))
        else:
            column = conform(batch.column(index), logical.type)
            columns.append(_relabelled(column, physical))
    return pa.RecordBatch.from_arrays(columns, schema=layout.physical)


def conform(array: pa.Array, dtype: pa.DataType) -> pa.Array:
    """`array` as `dtype`: fields by name in any case, absent ones null, leaves cast."""
    if array.type == dtype:
        return array
    if pa.types.is_struct(dtype):
        given = {array.type.field(i).name.lower(): i for i in range(array.type.num_fields)}
        children = [
            conform(array.field(given[f.name.lower()]), f.type)
            if f.name.lower() in given
            else pa.nulls(len(array), f.type)
            for f in dtype
        ]
        mask = array.is_null() if array.null_count else None
        return pa.StructArray.from_arrays(children, fields=list(dtype), mask=mask)
    if pa.types.is_map(dtype):
        kind = array.type
        entry = pa.struct([pa.field("key", kind.key_type), pa.field("value", kind.item_type)])
        array = pa.array(_Relabel(array, pa.field("map", pa.list_(entry))))  # maps do not flatten
        entries = array.flatten()
        keys = conform(entries.field(0), dtype.key_type)
        items = conform(entries.field(1), dtype.item_type)
        return pa.MapArray.from_arrays(_offsets(array), keys, items, type=dtype)
    if pa.types.is_list(dtype):
        return pa.ListArray.from_arrays(
            _offsets(array), conform(array.flatten(), dtype.value_type), type=dtype
        )
    return array.cast(dtype)


def _offsets(array: pa.Array) -> pa.Array:
    """The offsets of the array's flattened values; a null offset makes a null list."""
    lengths = pc.fill_null(pc.list_value_length(array), 0)
    offsets = np.zeros(len(array) + 1, dtype=np.int32)
    np.cumsum(lengths.to_numpy(zero_copy_only=False), out=offsets[1:])
    nulls = np.append(array.is_null().to_numpy(zero_copy_only=False), False)
    return pa.array(offsets, mask=nulls) if nulls.any() else pa.array(offsets)


class _Relabel:
    """An array under another type of the same shape, through Arrow's C interface: no copy."""

    def __init__(self, array: pa.Array, field: pa.Field) -> None:
        self._array, self._field = array, field

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        del requested_schema
        return self._field.__arrow_c_schema__(), self._array.__arrow_c_array__()[1]


def _relabelled(array: pa.Array, field: pa.Field) -> pa.Array:
    return array if array.type == field.type else pa.array(_Relabel(array, field))
