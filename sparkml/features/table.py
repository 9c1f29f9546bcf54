"""`Feature`: one row of the table of features: its kernel, its types, its SQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sparkml.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa

Constant = bool | int | float | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One feature: a function of columns, row by row.

    `kernel` computes it on Arrow arrays, without Spark: one positional array a column, one keyword
    a constant; it returns an array of as many rows, of the type `returns`, and its docstring is the
    feature's documentation. `columns` maps each column's name to its type (a `Field.type`), and
    `constants` each option, the same on every row, to its default. `sql` is the same function as a
    Spark SQL expression over those names: where it is there, no Python worker runs. `example` is
    a SQL call that runs as it stands. `extra` is what to install for the kernel.
    """

    kernel: Callable[..., pa.Array]
    columns: Mapping[str, str]
    constants: Mapping[str, Constant] = field(default_factory=dict)
    returns: str
    sql: str | None = None
    example: str
    extra: str = ""

    @property
    def name(self) -> str:
        """The function's name, in SQL and in Python."""
        return self.kernel.__name__

    @property
    def native(self) -> bool:
        """Whether Spark computes it by itself."""
        return self.sql is not None


MAX_VALUES = 2**27
"""How many doubles the lists of one batch may hold: 1 GiB."""


def check_values(rows: int, width: int, *, where: str) -> None:
    """Refuse a batch whose lists of `width` doubles would not fit into a worker.

    Raises:
        InputError: `width` is below 1, or they would not.
    """
    if width < 1 or rows * width > MAX_VALUES:
        raise InputError(
            f"{rows:,} rows × {width:,} values in one batch",
            where=where,
            fix="ask for fewer values a row, or send fewer rows at a time: the Spark setting "
            "spark.sql.execution.arrow.maxRecordsPerBatch",
        )
