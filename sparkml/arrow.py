"""Between a `Signature` and Arrow: the table of casts, inputs by name, the matrix.

The casts, `CASTS`, are decided from the types alone, on the driver and before any task: what a
column's type is allowed to become, and what that costs. What is not in the table is refused; the
way round it is an explicit `cast` in the job's steps, where the reader of the config can see it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sparkml.errors import SignatureError, did_you_mean
from sparkml.lists import dense, is_list, is_vector, stacked
from sparkml.nested import cast_nested, is_nested, nested_rule
from sparkml.sql_types import cast_advice
from sparkml.type_names import to_arrow_type
from sparkml.zones import wall_clock, zone, zone_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparkml.spec import Field, Signature

EXACT = "exact"
NEAREST_DOUBLE = "nearest double: integers beyond 2^53 are rounded"
NEAREST_FLOAT = "nearest float: about 7 significant digits are kept"
ZERO_ONE = "false is 0, true is 1"
ALL_NULL = "a column without a type: every row is null"
DENSE = "the vector's values, zeros written out"

_CASTS: dict[str, dict[str, str]] = {
    "double": {
        **dict.fromkeys(("int8", "int16", "int32", "float", "double"), EXACT),
        **dict.fromkeys(("int64", "decimal"), NEAREST_DOUBLE),
        "bool": ZERO_ONE,
    },
    "float": {
        **dict.fromkeys(("int8", "int16", "float"), EXACT),
        **dict.fromkeys(("int32", "int64", "double", "decimal"), NEAREST_FLOAT),
        "bool": ZERO_ONE,
    },
    "int64": {
        **dict.fromkeys(("int8", "int16", "int32", "int64", "integer decimal"), EXACT),
        "bool": ZERO_ONE,
    },
    "int32": {**dict.fromkeys(("int8", "int16", "int32"), EXACT), "bool": ZERO_ONE},
    "int16": dict.fromkeys(("int8", "int16"), EXACT),
    "int8": {"int8": EXACT},
    "bool": {"bool": EXACT},
    "string": {"string": EXACT},
    "binary": {"binary": EXACT},
    "date": {"date": EXACT},
    "timestamp": {"timestamp": EXACT, "timestamp_ntz": "read as UTC", "date": "midnight UTC"},
    "timestamp_ntz": {
        "timestamp_ntz": EXACT,
        "timestamp": "its wall clock in the session's time zone",
        "date": "midnight",
    },
    "decimal": {"decimal": EXACT, "integer decimal": EXACT},
}
CASTS = {target: {**rules, "null": ALL_NULL} for target, rules in _CASTS.items()}
"""Target kind -> source kind -> what the cast does to a value. Lists: by their elements."""


def input_schema(signature: Signature) -> pa.Schema:
    """The Arrow schema of a model's inputs, in the model's order."""
    return pa.schema([pa.field(f.name, to_arrow_type(f.type)) for f in signature.inputs])


def kind(dtype: pa.DataType) -> str:
    """The family of a type: a key of `CASTS`, or `list`, `vector`, or the type's own name."""
    if pa.types.is_decimal(dtype):
        whole = dtype.scale == 0 and dtype.precision <= 18
        return "integer decimal" if whole else "decimal"
    if pa.types.is_timestamp(dtype):
        return "timestamp" if dtype.tz else "timestamp_ntz"
    if is_vector(dtype):
        return "vector"
    for name, matches in (
        ("date", pa.types.is_date),
        ("string", lambda t: pa.types.is_string(t) or pa.types.is_large_string(t)),
        ("binary", lambda t: pa.types.is_binary(t) or pa.types.is_large_binary(t)),
        ("list", is_list),
    ):
        if matches(dtype):
            return name
    return str(dtype)


def cast_rule(source: pa.DataType, target: pa.DataType) -> str | None:
    """What the cast from `source` to `target` does to a value; None where it is refused."""
    if is_nested(target):
        if pa.types.is_null(source):
            return ALL_NULL
        if is_vector(source) and is_list(target):
            return DENSE if pa.types.is_floating(target.value_type) else None
        return nested_rule(source, target, cast_rule, EXACT)
    wanted = kind(target)
    given = kind(source)
    if pa.types.is_decimal(target) and pa.types.is_decimal(source):
        whole = target.precision - target.scale >= source.precision - source.scale
        return EXACT if whole and target.scale >= source.scale else None
    rules = CASTS.get(wanted.removeprefix("integer "), {})
    return rules.get(given) or rules.get(given.removeprefix("integer "))


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """How a column of the table meets one input of the model; `rule` says what the cast does.

    `name` is the input, `column` the table's column: they differ at most in upper and lower case.
    """

    name: str
    column: str
    source: str
    target: str
    rule: str


Advise = Callable[[str, pa.DataType, pa.DataType], str]
"""From a column of the wrong type, what it is and what the model takes, to what to do about it."""


def bind(
    schema: pa.Schema,
    signature: Signature,
    *,
    where: str,
    fold_case: bool = False,
    advise: Advise | None = None,
) -> tuple[Binding, ...]:
    """How the columns of `schema` meet the inputs of `signature`; order is irrelevant.

    Extra columns are ignored; an absent column that is not required becomes null. With `fold_case`
    a name is met by one that differs in upper and lower case alone, where none is exactly it.

    Raises:
        SignatureError: columns are missing or have a type that `CASTS` refuses; all at once.
    """
    bound: list[Binding] = []
    missing: list[str] = []
    problems: list[str] = []
    fix = "rename the column in a step, or choose the right source"
    columns = Columns(schema.names, fold_case=fold_case)
    exact = Columns(schema.names, fold_case=False)
    alike = Counter(name.lower() for name in signature.names)
    for wanted in signature.inputs:
        # Of two inputs that differ in case alone, none takes the other's column.
        found = (columns if alike[wanted.name.lower()] == 1 else exact).of(wanted.name)
        if len(found) > 1:
            problems.append(_twice(wanted.name, found))
        elif not found:
            if wanted.required:
                missing.append(wanted.name)
        else:
            (name,) = found
            given, target = schema.field(name).type, to_arrow_type(wanted.type)
            rule = cast_rule(given, target)
            if rule is None:
                problems.append(f"column '{name}' is {given}, the model takes {wanted.type}")
                fix = (advise or advice)(name, given, target)
            else:
                if zone_of(given) and not zone_of(target):
                    zone(zone_of(given))
                bound.append(
                    Binding(
                        name=wanted.name,
                        column=name,
                        source=str(given),
                        target=wanted.type,
                        rule=rule,
                    )
                )
    if missing:
        problems.insert(0, _missing(missing, schema.names))
        fix = _in_order(signature) or fix
    if problems:
        raise SignatureError("; ".join(problems), where=where, fix=fix)
    return tuple(bound)


class Columns:
    """The columns of a table by name; with `fold_case`, whatever their upper and lower case."""

    def __init__(self, names: Iterable[str], *, fold_case: bool) -> None:
        self._exact: dict[str, list[str]] = {}
        self._folded: dict[str, list[str]] = {}
        self._fold = fold_case
        for name in names:
            self._exact.setdefault(name, []).append(name)
            self._folded.setdefault(name.lower(), []).append(name)

    def of(self, name: str) -> list[str]:
        """The columns that are meant by `name`: none, one, or several that it cannot tell apart."""
        exact = self._exact.get(name, [])
        return exact or (self._folded.get(name.lower(), []) if self._fold else [])


def _twice(name: str, found: list[str]) -> str:
    told = " or ".join(f"'{column}'" for column in dict.fromkeys(found))
    return f"column '{name}' occurs twice" if found[0] == name else f"'{name}' may be {told}"


def advice(name: str, given: pa.DataType, wanted: pa.DataType) -> str:
    """What to do about a column of the wrong type."""
    if pa.types.is_boolean(given) and kind(wanted) == "string":
        # CAST gives `true`; pandas and CatBoost, for two, spell it otherwise.
        return (
            f"make `{name}` the text that the model was trained on in a step, or declare "
            "the input as bool"
        )
    return cast_advice(name, given, wanted)


HINTED = 10
"""So many missing columns are told with the nearest name that is there."""


def _in_order(signature: Signature) -> str:
    """What to do where a model that knows no names lacks its columns; else empty."""
    first = signature.inputs[0]
    vector = len(signature.inputs) == 1 and is_list(to_arrow_type(first.type))
    if not vector and signature.names != tuple(f"x{i}" for i in range(len(signature.names))):
        return ""
    count = first.length if vector else len(signature.names)
    return (
        f"name the table's {f'{count} columns' if count else 'columns'} in the order in which the "
        "model was trained: inputs=[…] of read_spec(), inputs: […] of the job's model"
    )


def _missing(missing: list[str], present: list[str]) -> str:
    if len(missing) == 1:
        return f"column '{missing[0]}' is missing ({did_you_mean(missing[0], present)})"
    # Each hint costs a look at every column; a line has no room for thousands of them.
    hints = [did_you_mean(name, present) for name in missing[:HINTED]]
    told = [
        f"'{n}' ({h})" if h.startswith("did") else f"'{n}'"
        for n, h in zip_longest(missing, hints, fillvalue="")
    ]
    has = ", ".join(f"'{name}'" for name in present[:8]) + (", …" if len(present) > 8 else "")
    return f"{len(missing)} columns are missing: {', '.join(told)}; the table has {has}"


class Selection:
    """The model's inputs out of batches: by name, in the model's order, cast by `CASTS`.

    What follows from a batch's schema alone is decided once, and again only where it changes: a
    batch of thousands of columns then costs what its columns cost.

    Raises:
        SignatureError: as `bind` does, when it is called.
    """

    def __init__(self, signature: Signature, *, where: str) -> None:
        self.schema = input_schema(signature)
        self._signature, self._where = signature, where
        self._seen: pa.Schema | None = None
        self._places: list[tuple[int, pa.DataType | None]] = []

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The inputs of `batch`, a column that is absent and not required as nulls."""
        if batch.schema.equals(self.schema):
            return batch
        if self._seen is None or not batch.schema.equals(self._seen):
            self._places = self._decided(batch.schema)
            self._seen = batch.schema
        given = batch.columns
        columns = [
            pa.nulls(batch.num_rows, dtype)
            if place < 0
            else given[place]
            if dtype is None
            else cast(given[place], dtype)
            for place, dtype in self._places
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _decided(self, schema: pa.Schema) -> list[tuple[int, pa.DataType | None]]:
        """For each input the place of its column, and the type to cast it to, if any."""
        bind(schema, self._signature, where=self._where)
        place_of = {name: place for place, name in enumerate(schema.names)}
        types = schema.types
        places = []
        for name, dtype in zip(self.schema.names, self.schema.types, strict=True):
            place = place_of.get(name, -1)
            same = place >= 0 and types[place] == dtype
            places.append((place, None if same else dtype))
        return places


def select(batch: pa.RecordBatch, signature: Signature, *, where: str) -> pa.RecordBatch:
    """The model's inputs out of one batch; for many of them see `Selection`.

    Raises:
        SignatureError: as `bind` does.
    """
    return Selection(signature, where=where)(batch)


def cast(column: pa.Array, target: pa.DataType) -> pa.Array:
    """`column` as `target`; the caller has asked `cast_rule` first."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if is_vector(column.type):
        column = dense(column)
    if column.type == target:
        return column
    if is_nested(target) and not pa.types.is_null(column.type):
        return cast_nested(column, target, cast)
    if zone_of(column.type) and not zone_of(target):
        column = wall_clock(column)
    return pc.cast(column, target, safe=False)


def check_numbers(inputs: Iterable[Field], *, where: str) -> None:
    """Refuse columns that no matrix of numbers can hold.

    Raises:
        SignatureError: NumPy would make something of them: days since 1970 of a date, 1.0 of "1".
    """
    for wanted in inputs:
        dtype = to_arrow_type(wanted.type)
        element = dtype.value_type if is_list(dtype) else dtype
        if pa.types.is_temporal(element) or kind(element) in ("string", "binary"):
            raise SignatureError(
                f"the model takes numbers, '{wanted.name}' is declared as {wanted.type}",
                where=where,
                fix="declare it as list<double>, and make it numbers in a step"
                if is_list(dtype)
                else "declare it as double, and make it a number in a step, "
                f"e.g. unix_date(`{wanted.name}`) of a date",
            )


def matrix(batch: pa.RecordBatch, width: int | None = None) -> npt.NDArray[np.float64]:
    """The numeric columns of `batch` as one C-ordered float64 matrix; a null becomes NaN.

    A single list column of length k gives k columns (a null list gives a row of NaN); `width` is
    that k where it is known. One copy, straight from Arrow's buffers.

    Raises:
        ValueError: lists of another length than `width`, or of several.
    """
    if batch.num_columns == 1 and is_list(batch.schema.field(0).type):
        return stacked(batch.column(0), width)
    out = np.empty((batch.num_rows, batch.num_columns), dtype=np.float64)
    for j, column in enumerate(batch.columns):
        plain = not (pa.types.is_boolean(column.type) or pa.types.is_decimal(column.type))
        values = column if plain else column.cast(pa.float64())
        out[:, j] = values.to_numpy(zero_copy_only=False)
    return out
