"""Categories as numbers learned from a table: target, count and weight-of-evidence encoding.

Target and weight-of-evidence encodings look at the answer. Fitted on the rows that a model is then
trained on, they tell it the answers of rare categories (target leakage): it looks good in training
and is bad afterwards. Fit them on other rows: an earlier period, or, for each fold of a
cross-validation, the rest. Scoring has no such problem: there the numbers are only looked up.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sparkml.arrow import cast, cast_rule
from sparkml.arrow import kind as kind_of
from sparkml.errors import InputError, did_you_mean
from sparkml.files import open_address

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["target", "count", "woe"]
Doubles = npt.NDArray[np.float64]

SMOOTHING: Mapping[Kind, float] = {"target": 10.0, "count": 0.0, "woe": 0.5}
"""How strongly each kind is smoothed where nothing is said."""

CATEGORY_TYPES = ("string", "bool", "int8", "int16", "int32", "int64", "date")
"""The types that Arrow and Spark write as the same text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """The number of each category of a column, as `fit_encoding` found it.

    `mapping` holds the categories as text, `default` is the number of a category that was not seen
    then, and `null` that of a null.

    >>> sizes = Encoding(kind="count", column="size", mapping={"S": 2.0}, default=0.0, null=1.0)
    >>> sizes.apply(pa.array(["S", "XL", None])).to_pylist()
    [2.0, 0.0, 1.0]
    >>> sizes == Encoding.from_json(sizes.to_json())
    True
    """

    kind: Kind
    column: str
    mapping: Mapping[str, float]
    default: float
    null: float

    def __post_init__(self) -> None:
        """Refuse what cannot be looked up in Arrow and in SQL alike.

        Raises:
            InputError: no such kind, or a value that is not a finite number.
        """
        _check_kind(self.kind)
        for category, value in {**self.mapping, "default": self.default, "null": self.null}.items():
            if not (isinstance(value, float) and math.isfinite(value)):
                raise InputError(
                    f"the value of '{category}' is {value!r}, no finite double", where=self.column
                )

    def apply(self, categories: pa.Array) -> pa.Array:
        """The number of each row's category, as doubles, without a null among them.

        `categories` may be any of `CATEGORY_TYPES`; others than text are looked up by their text.

        Raises:
            InputError: a column of another type.
        """
        _check_category(categories.type, self.column)
        texts = pc.cast(categories, pa.string())
        values = pa.array(list(self.mapping.values()), pa.float64())
        found = values.take(pc.index_in(texts, value_set=pa.array(list(self.mapping), pa.string())))
        return pc.if_else(pc.is_null(texts), self.null, pc.fill_null(found, self.default))

    def to_json(self) -> str:
        """The encoding as JSON; every double keeps its last bit."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Encoding:
        """The encoding that `to_json` wrote.

        Raises:
            InputError: something else wrote it.
        """
        try:
            return cls(**json.loads(text))
        except (TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"not an encoding: {error}", fix="write it with `Encoding.write`"
            ) from error

    def write(self, address: str) -> None:
        """Write it as a JSON file (a path, `file:`, `s3://`, …), replacing one that is there."""
        files, path = open_address(address)
        with files.open_output_stream(path) as file:
            file.write(self.to_json().encode())

    @classmethod
    def read(cls, address: str) -> Encoding:
        """The encoding that `write` left at this address.

        Raises:
            InputError: the file is none of ours.
            OSError: there is no such file.
        """
        files, path = open_address(address)
        with files.open_input_stream(path) as file:
            return cls.from_json(file.read().decode("utf-8", "replace"))


def fit_encoding(
    kind: Kind,
    categories: pa.Array,
    target: pa.Array | None = None,
    *,
    smoothing: float | None = None,
    column: str = "category",
) -> Encoding:
    """The number of each category, from the rows of a table held in memory.

    With n_c rows of category c, n rows in all, and a smoothing s:

    * `target`: (n_c · mean_c + s · mean) / (n_c + s), the mean of the target in the category, drawn
      towards the mean of all rows as if s more rows had it (Micci-Barreca, "A preprocessing scheme
      for high-cardinality categorical attributes", 2001, in the m-estimate form of Cestnik, 1990).
      Not seen: the mean of all rows. s is 10 unless said.
    * `count`: n_c (target and smoothing are not used). Not seen: 0.
    * `woe`: ln((p_c + s) / (p + s · k)) − ln((q_c + s) / (q + s · k)), the weight of evidence for
      target 1 (Good, "Probability and the weighing of evidence", 1950): p_c and q_c are the rows of
      the category with target 1 and 0, p and q those of the table, k the number of categories.
      Not seen: 0, no evidence. s is 0.5 unless said.

    Nulls are a category of their own; where none was seen, a null counts as a category not seen.
    Fit on other rows than those you train on: see this module's first lines.

    Args:
        kind: `target`, `count` or `woe`.
        categories: one of `CATEGORY_TYPES`.
        target: numbers, none of them null or NaN; 0 and 1 (or booleans) for `woe`.
        smoothing: s above, 0 or more.
        column: the column's name, for the `Encoding` and for errors.

    Raises:
        InputError: no rows, or a kind, type, target or smoothing that is none of these; with
            `woe` unsmoothed, a category that has only one of the two targets.

    >>> city, late = pa.array(["A", "A", "B", None]), pa.array([1, 0, 1, 0])
    >>> fit_encoding("target", city, late, smoothing=2).mapping
    {'A': 0.5, 'B': 0.6666666666666666}
    >>> fit_encoding("count", city).apply(pa.array(["A", "C", None])).to_pylist()
    [2.0, 0.0, 1.0]
    """
    check_fit(kind, categories.type, None if target is None else target.type, column=column)
    texts = pc.cast(categories, pa.string())
    counted = kind == "count" or target is None
    numbers = pa.repeat(0.0, len(texts)) if counted else cast(target, pa.float64())
    if len(numbers) != len(texts):
        raise InputError(f"{len(texts)} categories, {len(numbers)} targets", where=column)
    allowed = pc.is_in(numbers, pa.array([0.0, 1.0])) if kind == "woe" else pc.is_finite(numbers)
    rows = pa.table({"category": texts, "target": numbers, "allowed": pc.fill_null(allowed, False)})
    wrong = len(rows) - pc.sum(rows["allowed"], min_count=0).as_py()
    totals = rows.group_by("category").aggregate([([], "count_all"), ("target", "sum")])
    return encoding_of(
        kind, totals.rename_columns(TOTALS), wrong=wrong, smoothing=smoothing, column=column
    )


def check_fit(kind: str, category: pa.DataType, target: pa.DataType | None, *, column: str) -> None:
    """Refuse what no encoding can be fitted on, from the types alone.

    Raises:
        InputError: no such kind, categories of other than `CATEGORY_TYPES`, or a target that is no
            number, or missing where one is needed.
    """
    _check_kind(kind)
    _check_category(category, column)
    if kind == "count":
        return
    if target is None or pa.types.is_null(target) or cast_rule(target, pa.float64()) is None:
        raise InputError(
            f"a {kind} encoding of a target of type {target}",
            where=column,
            fix="give a target of numbers or booleans",
        )


TOTALS = ("category", "rows", "total")
"""What a fit needs of each category: its text, its rows, the sum of their targets."""


def encoding_of(
    kind: Kind, totals: pa.Table, *, wrong: int, smoothing: float | None, column: str
) -> Encoding:
    """The encoding from each category's `TOTALS`, however they were added up.

    `wrong` is the number of rows whose target is none. `fit_encoding` has the formulas.

    Raises:
        InputError: as `fit_encoding` does.
    """
    s = SMOOTHING[kind] if smoothing is None else float(smoothing)
    if not 0 <= s < math.inf:
        raise InputError(f"smoothing is {s}", where=column, fix="0 or more")
    if wrong:
        needs = "0 or 1" if kind == "woe" else "a finite number"
        raise InputError(
            f"{wrong} rows have a target that is not {needs}", where=column, fix="leave them out"
        )
    ordered = totals.sort_by("category")
    rows, total = (ordered[name].to_numpy().astype(np.float64) for name in TOTALS[1:])
    if not rows.sum():
        raise InputError("no rows to fit an encoding on", where=column)
    values, default = _FORMULAS[kind](rows, total, s)
    found = dict(zip(ordered["category"].to_pylist(), values.tolist(), strict=True))
    one_sided = [category for category, value in found.items() if not math.isfinite(value)]
    if one_sided:
        raise InputError(
            f"category '{one_sided[0]}' has only one of the two targets, so its weight is infinite",
            where=column,
            fix="smooth it: smoothing=0.5",
        )
    null = found.pop(None, default)
    return Encoding(kind=kind, column=column, mapping=found, default=default, null=null)


def _target(rows: Doubles, total: Doubles, s: float) -> tuple[Doubles, float]:
    mean = float(total.sum() / rows.sum())
    return (total + s * mean) / (rows + s), mean


def _count(rows: Doubles, total: Doubles, s: float) -> tuple[Doubles, float]:  # noqa: ARG001
    return rows, 0.0


def _woe(rows: Doubles, total: Doubles, s: float) -> tuple[Doubles, float]:
    ones, zeros = total, rows - total
    all_s = s * len(rows)
    with np.errstate(divide="ignore", invalid="ignore"):
        for_one = np.log((ones + s) / (ones.sum() + all_s))
        for_zero = np.log((zeros + s) / (zeros.sum() + all_s))
        return for_one - for_zero, 0.0


_FORMULAS = {"target": _target, "count": _count, "woe": _woe}


def _check_kind(kind: str) -> None:
    if kind not in SMOOTHING:
        raise InputError(f"no encoding '{kind}'", fix=did_you_mean(kind, SMOOTHING))


def _check_category(dtype: pa.DataType, column: str) -> None:
    if kind_of(dtype) not in (*CATEGORY_TYPES, "null"):
        raise InputError(
            f"categories of type {dtype}",
            where=column,
            fix="cast them to string, or bin numbers first (`bucketise`)",
        )
