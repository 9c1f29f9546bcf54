"""Arrow's types as Spark's SQL names them, and the SQL that makes one type of another.

For what errors advise: Arrow's own names (`int64`, `list<double>`) are no SQL. Knows no Spark.
"""

from __future__ import annotations

import pyarrow as pa

from sparkml.lists import is_list, is_vector

_NAMES = {
    pa.bool_(): "BOOLEAN",
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INT",
    pa.int64(): "BIGINT",
    # Spark has no unsigned types: the next wider one holds all their values.
    pa.uint8(): "SMALLINT",
    pa.uint16(): "INT",
    pa.uint32(): "BIGINT",
    pa.uint64(): "DECIMAL(20, 0)",
    pa.float16(): "FLOAT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.null(): "VOID",
}

_TO: dict[str, frozenset[str]] = {
    "number": frozenset({"number", "boolean", "string"}),
    "boolean": frozenset({"number", "string"}),
    "string": frozenset({"number", "boolean", "binary", "date", "timestamp", "timestamp_ntz"}),
    "binary": frozenset({"string"}),
    "date": frozenset({"string", "timestamp", "timestamp_ntz"}),
    "timestamp": frozenset({"number", "string", "date", "timestamp_ntz"}),
    "timestamp_ntz": frozenset({"string", "date", "timestamp"}),
    "list": frozenset({"string"}),
    "struct": frozenset({"string"}),
}
"""What Spark casts to what, where ANSI SQL holds (Spark 4's default).

(But a number to a time: whoever knows whether it counts seconds or milliseconds must say so.)"""

_NEVER_FAILS = frozenset({"string", "binary", "boolean", "date", "timestamp", "timestamp_ntz"})
"""Targets that every value of a type other than text can be cast to."""


def sql_type(dtype: pa.DataType) -> str:
    """The name of an Arrow type in Spark's SQL: `BIGINT`, `ARRAY<DOUBLE>`, `DECIMAL(9, 2)`."""
    if is_list(dtype):
        return f"ARRAY<{sql_type(dtype.value_type)}>"
    if pa.types.is_struct(dtype):
        fields = ", ".join(f"{sql_name(f.name)}: {sql_type(f.type)}" for f in dtype)
        return f"STRUCT<{fields}>"
    if pa.types.is_map(dtype):
        return f"MAP<{sql_type(dtype.key_type)}, {sql_type(dtype.item_type)}>"
    if pa.types.is_decimal(dtype):
        return f"DECIMAL({dtype.precision}, {dtype.scale})"
    return _NAMES.get(dtype) or _family(dtype).upper()


def sql_name(name: str) -> str:
    """A name in SQL's quotes, whatever characters it has."""
    return "`" + name.replace("`", "``") + "`"


def cast_advice(name: str, given: pa.DataType, wanted: pa.DataType) -> str:
    """What to do in a step so that the column `name`, a `given`, becomes a `wanted`.

    Followed as it stands, it gives a column of that type in Spark; no row ends the job: what cannot
    be cast becomes null.
    """
    column, target = sql_name(name), sql_type(wanted)
    if not _castable(given, wanted):
        if _family(given) == "string" and _family(wanted) in ("list", "struct"):
            return f"read it as JSON in a step: from_json({column}, '{_escaped(target)}')"
        return f"make it {target} in a step, or choose another column"
    if _family(given) == "string":
        said = f"cast it in a step, where a text that is no {target} becomes null"
        return f"{said}: TRY_CAST({column} AS {target})"
    if _family(wanted) == "number" and pa.types.is_floating(given):
        said = "cast it in a step, which cuts fractions off"
        return f"{said}, e.g. TRY_CAST({column} AS {target})"
    cast = "CAST" if _family(wanted) in _NEVER_FAILS else "TRY_CAST"
    return f"cast it in a step, e.g. {cast}({column} AS {target})"


def _castable(given: pa.DataType, wanted: pa.DataType) -> bool:
    if pa.types.is_null(given):
        return True
    if is_list(given) and is_list(wanted):
        return _castable(given.value_type, wanted.value_type)
    if is_vector(given):
        return False
    if pa.types.is_struct(given) and pa.types.is_struct(wanted):
        pairs = zip(given, wanted, strict=False)
        return len(given) == len(wanted) and all(_castable(a.type, b.type) for a, b in pairs)
    a, b = _family(given), _family(wanted)
    return b in _TO.get(a, ()) or (a == b and a in ("string", "binary", "date", "boolean"))


def _family(dtype: pa.DataType) -> str:
    """The key of `_TO` that a type goes by."""
    if pa.types.is_timestamp(dtype):
        return "timestamp" if dtype.tz else "timestamp_ntz"
    tests = {
        "boolean": (pa.types.is_boolean,),
        "number": (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal),
        "string": (pa.types.is_string, pa.types.is_large_string),
        "binary": (
            pa.types.is_binary,
            pa.types.is_large_binary,
            pa.types.is_fixed_size_binary,
        ),
        "date": (pa.types.is_date,),
        "list": (is_list,),
        "struct": (pa.types.is_struct,),
    }
    found = (name for name, matches in tests.items() if any(match(dtype) for match in matches))
    return next(found, str(dtype))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
