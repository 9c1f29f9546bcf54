"""The files of a keyed model: one model per key, in one folder whatever their number.

    MLmodel            its own flavor, `keyed`: format, key columns, signature, classes
    index.parquet      a row per key: where its model is, of how many rows it was made, or why not
    models.bin         the pickled estimators, one after the other, in the order of their keys
    requirements.txt   the exact versions of the libraries that made them
    python_env.yaml    and of Python

An MLflow registry stores it as any other model. `keyed_write.py` writes them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sparkml.errors import ModelUnreadable, SignatureError
from sparkml.spec import Field
from sparkml.type_names import to_arrow_type

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FLAVOR, FORMAT = "keyed", 1
INDEX, MODELS = "index.parquet", "models.bin"
_REMAKE = "train it again, or copy the folder again"

_COLUMNS = {
    "offset": pa.int64(), "length": pa.int64(), "sha256": pa.string(), "rows": pa.int64(),
    "score": pa.float64(), "code": pa.string(), "message": pa.string(),
}  # fmt: skip
"""The columns of the index after `key`: a struct of the key columns, null for the global model.

`offset` and `length` say where in `models.bin` the model is, null where there is none; `code` and
`message` then say why. `rows` were there to train it, and `score` is what its `score` method gave
for the rows held out of them.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a keyed model is, apart from its models.

    `keys` are the key columns and `features` those that the models take; together, in this order,
    they are the inputs. `classes` are the labels of every classifier in it, sorted: the order of
    its probabilities. Empty for regressors.
    """

    keys: tuple[Field, ...]
    features: tuple[Field, ...]
    outputs: tuple[Field, ...]
    classes: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The index of a keyed model and its models' bytes, which are memory-mapped."""

    index: pa.Table
    blob: Any = field(repr=False)


def check_key(column: Field, *, where: str) -> None:
    """Refuse a key column of a type that does not tell equal from unequal for certain.

    Raises:
        SignatureError: it is a floating number, a timestamp, a list, bytes and so on.
    """
    dtype = to_arrow_type(column.type)
    tests = (
        pa.types.is_integer, pa.types.is_string, pa.types.is_boolean, pa.types.is_date,
        pa.types.is_decimal,
    )  # fmt: skip
    if not any(test(dtype) for test in tests):
        raise SignatureError(
            f"'{column.name}' is {column.type}: a key is a whole number, a text, a boolean, a date "
            "or a decimal",
            where=where,
            fix="cast it in a step",
        )


def index_schema(keys: tuple[Field, ...]) -> pa.Schema:
    """The columns of the index: `key`, a struct of the key columns, then `_COLUMNS`."""
    key = pa.struct([pa.field(f.name, to_arrow_type(f.type)) for f in keys])
    return pa.schema([("key", key), *_COLUMNS.items()])


def read_header(flavor: Mapping[str, Any], *, where: str) -> Header:
    """What the flavor's part of the `MLmodel` says.

    Raises:
        ModelUnreadable: it is of a later format, or damaged.
    """
    if flavor.get("format") != FORMAT:
        raise ModelUnreadable(
            f"a keyed model of format {flavor.get('format')!r}; this version reads {FORMAT}",
            where=where,
            fix="install the version of sparkml that wrote it",
        )
    try:
        sides = {
            side: tuple(Field(**f) for f in flavor[side])
            for side in ("keys", "features", "outputs")
        }
        header = Header(**sides, classes=tuple(flavor["classes"]))
        if not (header.keys and header.features and header.outputs):
            raise ValueError("keys, features or outputs are missing")
        for column in (*header.keys, *header.features, *header.outputs):
            if not isinstance(column.name, str) or type(column.length) not in (int, type(None)):
                raise TypeError(f"{column} is no column")
            to_arrow_type(column.type)
        for column in header.keys:
            check_key(column, where=where)
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise ModelUnreadable(
            f"the MLmodel file does not describe a keyed model: {error!r}", where=where, fix=_REMAKE
        ) from error
    return header


def read_parts(folder: Path, header: Header) -> Parts:
    """The index and the models' bytes; no model is read.

    Raises:
        ModelUnreadable: a file is missing or damaged, or the two do not belong together.
    """
    try:
        index = pq.read_table(folder / INDEX).combine_chunks()
        if not index.schema.equals(index_schema(header.keys)):
            raise ValueError(f"the index has the columns {', '.join(index.schema.names)}")
        with pa.memory_map(str(folder / MODELS)) as file:
            blob = file.read_buffer()
        _check_spans(index, blob)
    except (OSError, ValueError, pa.ArrowException) as error:
        said = f"the keyed model is damaged: {type(error).__name__}: {error}"
        raise ModelUnreadable(said, where=str(folder), fix=_REMAKE) from error
    return Parts(index=index, blob=memoryview(blob))


def check_bytes(parts: Parts, *, where: str) -> None:
    """Compare each model's SHA-256 with the index; reads all of them once.

    Raises:
        ModelUnreadable: one was changed.
    """
    made = parts.index.filter(parts.index["offset"].is_valid())
    for row in made.select(["offset", "length", "sha256"]).to_pylist():
        model = parts.blob[row["offset"] :][: row["length"]]
        if hashlib.sha256(model).hexdigest() != row["sha256"]:
            raise ModelUnreadable(
                f"{MODELS} was changed at byte {row['offset']:,}", where=where, fix=_REMAKE
            )


def _check_spans(index: pa.Table, blob: pa.Buffer) -> None:
    made = index.filter(index["offset"].is_valid())
    lengths = made["length"].to_numpy()
    ends = np.cumsum(lengths)
    if made["offset"].to_pylist() != [0, *ends.tolist()][: len(made)]:
        raise ValueError("the index leaves gaps between the models")
    if index["key"].null_count == len(index):
        raise ValueError("the index has no key")
    if blob.size != (ends[-1] if len(ends) else 0):
        raise ValueError(f"{MODELS} has {blob.size:,} bytes, the index says {ends[-1]:,}")
