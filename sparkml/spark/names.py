"""Columns by their names, as the session tells upper from lower case or does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkml.binding import Columns
from sparkml.errors import SignatureError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pyspark.sql.types import StructField, StructType


def with_key(keys: Sequence[str], others: Iterable[str], *, fold_case: bool) -> list[str]:
    """The columns of the key, then the others that are not of it."""
    folded = {key.lower() if fold_case else key for key in keys}
    rest = (name for name in others if (name.lower() if fold_case else name) not in folded)
    return list(dict.fromkeys([*keys, *rest]))


def fields_of(
    schema: StructType, names: Iterable[str], where: str, *, fold_case: bool
) -> list[StructField]:
    """The fields that key and keep name."""
    columns = Columns(schema.names, fold_case=fold_case)
    field_of = {field.name: field for field in schema.fields}
    fields = []
    for name in names:
        if not (found := columns.of(name)):
            raise SignatureError(
                f"column '{name}' of key or keep is missing",
                where=where,
                fix=did_you_mean(name, schema.names),
            )
        fields.append(field_of[found[0]])
    return fields


def check_names(
    names: Iterable[str], columns: Sequence[str], *, where: str, fold_case: bool = True
) -> None:
    """Refuse `names` of which `columns` has several: Spark tells no upper case from lower.

    (But for a session that was told to, and then without `fold_case`.)

    Raises:
        SignatureError: two columns share a name that is needed.
    """
    twice = alike(names, columns, fold_case=fold_case)
    if twice:
        raise SignatureError(
            f"columns occur twice: {', '.join(map(repr, twice))} (case does not tell them apart)",
            where=where,
            fix="rename one of them; a model's scores take the name given by its spec",
        )


def alike(names: Iterable[str], columns: Sequence[str], *, fold_case: bool = True) -> list[str]:
    """The columns that one of `names` may mean, for those that may mean several."""
    columns_of: dict[str, list[str]] = {}
    for name in columns:
        columns_of.setdefault(name.lower() if fold_case else name, []).append(name)
    found = (columns_of.get(name.lower() if fold_case else name, []) for name in names)
    return sorted({name for several in found if len(several) > 1 for name in several})


def unlike(names: Iterable[str], start: str) -> str:
    """`start`, made longer until none of `names` begins with it."""
    folded = [name.lower() for name in names]
    while any(name.startswith(start) for name in folded):
        start += "_"
    return start
