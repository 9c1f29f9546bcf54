"""Keyed models: an index that lies, pickles that are other ones, garbage for Parquet."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.hostile.outcomes import RIGHT, Case, Given
from tests.hostile.pickles import SINGS, Runs
from tests.hostile.tabular import scored
from tests.keyed_models import by_hand, rows, trees, write

if TYPE_CHECKING:
    from pathlib import Path


REFUSED, UNREADABLE = "MODEL_REFUSED", "MODEL_UNREADABLE"
MODELS = trees(1, 2, 3)
ROWS = rows([1, 2, 3, 1])


def made(folder: Path) -> Given:
    """The model of three stores, with rows of each."""
    return scored(write(folder / "m", MODELS), ROWS, by_hand(MODELS, ROWS))


def file_with(name: str, change: Any):
    """A maker of it, with the bytes of a file changed."""

    def make(folder: Path) -> Given:
        given = made(folder)
        path = folder / "m" / name
        path.write_bytes(change(path.read_bytes()))
        return given

    return make


def index_with(**columns: Any):
    """A maker of it, with other columns in its index: a list, a function of the old, or nothing."""

    def make(folder: Path) -> Given:
        given = made(folder)
        path = folder / "m" / "index.parquet"
        table = pq.read_table(path)
        for name, values in columns.items():
            old = table[name]
            new = values(old.to_pylist()) if callable(values) else values
            table = table.set_column(
                table.schema.get_field_index(name), name, pa.array(new, old.type)
            )
        pq.write_table(table, path)
        return given

    return make


def swapped(folder: Path) -> Given:
    """A pickle that sings in place of the first model, and everything else as it must be."""
    import hashlib

    import cloudpickle

    given = made(folder)
    evil = cloudpickle.dumps(Runs(SINGS))
    path = folder / "m" / "index.parquet"
    table = pq.read_table(path).slice(0, 1)
    told = {"offset": [0], "length": [len(evil)], "sha256": [hashlib.sha256(evil).hexdigest()]}
    for name, values in told.items():
        table = table.set_column(
            table.schema.get_field_index(name), name, pa.array(values, table[name].type)
        )
    pq.write_table(table, path)
    (folder / "m" / "models.bin").write_bytes(evil)
    return given


def parquet(table: pa.Table):
    """The bytes of another table."""
    file = io.BytesIO()
    pq.write_table(table, file)
    return lambda _: file.getvalue()


def _always(name: str, make: Any, outcomes: str = UNREADABLE) -> Case:
    return Case(f"keyed: {name}", make, outcomes, "always")


ROW_ERRORS = f"{UNREADABLE} MODEL_EXCEPTION UNKNOWN_KEY"

CASES = (
    _always("benign", made, RIGHT),
    Case("keyed: not trusted", made, REFUSED),
    Case("keyed: not promised", made, REFUSED, "promised"),
    Case("keyed: a pickle that sings, not trusted", swapped, REFUSED),
    *(
        _always(
            f"index {what}",
            file_with("index.parquet", change),
        )
        for what, change in {
            "of noise": lambda data: bytes(range(256)) * 40,
            "that is empty": lambda data: b"",
            "that is cut": lambda data: data[:-20],
            "without a beginning": lambda data: data[20:],
            "with a footer of 4 GB": lambda data: data[:-8] + b"\xff\xff\xff\xff" + data[-4:],
            "with a footer of noise": lambda data: data[:-200] + b"\xff" * 192 + data[-8:],
            "with pages of noise": lambda data: data[:8] + b"\xff" * 200 + data[208:],
            "of other columns": parquet(pa.table({"a": [1]})),
            "of no columns": parquet(pa.table({})),
            "of Arrow": lambda data: b"ARROW1\0\0" + data,
        }.items()
    ),
    *(
        _always(f"models {what}", file_with("models.bin", change))
        for what, change in {
            "that are empty": lambda data: b"",
            "that are cut": lambda data: data[:-1],
            "and more": lambda data: data + b"x",
            "with a byte changed": lambda data: data[:100] + bytes([data[100] ^ 1]) + data[101:],
            "of noise": lambda data: b"\xff" * len(data),
        }.items()
    ),
    *(
        _always(f"index: {', '.join(columns)} {number}", index_with(**columns), ROW_ERRORS)
        for number, columns in enumerate(
            (
                {"offset": [0, 0, 0]},
                {"offset": [-1, 5, 9]},
                {"offset": [1 << 62, 1 << 62, 1 << 62]},
                {"offset": [None] * 3},
                {"offset": lambda old: [old[0], None, old[2]]},
                {"length": [-1, -1, -1]},
                {"length": [1 << 62] * 3},
                {"length": [0, 0, 0]},
                {"length": [None] * 3},
                {"length": lambda old: [sum(old), 0, 0], "offset": lambda old: [0] + old[2:] * 2},
                {"sha256": ["", "", ""]},
                {"sha256": [None] * 3},
                {"sha256": lambda old: old[::-1]},
                {"key": lambda old: [old[0]] * 3},
                {"key": [None] * 3},
                {"key": lambda old: [None, None, old[2]]},
            )
        )
    ),
)
