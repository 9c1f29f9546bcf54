"""How a table's columns meet a model's inputs: by name, and by the table of casts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

import pyarrow as pa

from sparkml.arrow import cast, cast_rule, input_schema, kind
from sparkml.errors import SignatureError, did_you_mean
from sparkml.lists import is_list
from sparkml.sql_types import cast_advice
from sparkml.type_names import to_arrow_type
from sparkml.zones import zone, zone_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparkml.spec import Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """How a column of the table meets one input of the model; `rule` says what the cast does.

    `name` is the input, `column` the table's column: they differ at most in upper and lower case,
    and in blanks where the input is of a LightGBM model.
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
    a name is met by one that differs in upper and lower case alone, where none is exactly it; and
    that of a field with `blanks`, after that, by one that has blanks for its underscores.

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
        meant = columns if alike[wanted.name.lower()] == 1 else exact
        found = meant.of(wanted.name, blanks=wanted.blanks)
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
        self._joined: dict[str, list[str]] = {}
        self._fold = fold_case
        for name in names:
            self._exact.setdefault(name, []).append(name)
            self._folded.setdefault(name.lower(), []).append(name)
            self._joined.setdefault(self._key(joined(name)), []).append(name)

    def of(self, name: str, *, blanks: bool = False) -> list[str]:
        """The columns that are meant by `name`: none, one, or several that it cannot tell apart.

        With `blanks`, also those that have blanks where it has underscores.
        """
        found = self._exact.get(name, [])
        if self._fold:
            found = found or self._folded.get(name.lower(), [])
        return found or (self._joined.get(self._key(name), []) if blanks else [])

    def _key(self, name: str) -> str:
        return name.lower() if self._fold else name


def joined(name: str) -> str:
    """A feature's name as LightGBM writes it: without blanks."""
    return name.replace(" ", "_")


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
        column_of = {b.name: b.column for b in bind(schema, self._signature, where=self._where)}
        place_of = {name: place for place, name in enumerate(schema.names)}
        types = schema.types
        places = []
        for name, dtype in zip(self.schema.names, self.schema.types, strict=True):
            place = place_of.get(column_of.get(name, name), -1)
            same = place >= 0 and types[place] == dtype
            places.append((place, None if same else dtype))
        return places


def select(batch: pa.RecordBatch, signature: Signature, *, where: str) -> pa.RecordBatch:
    """The model's inputs out of one batch; for many of them see `Selection`.

    Raises:
        SignatureError: as `bind` does.
    """
    return Selection(signature, where=where)(batch)
