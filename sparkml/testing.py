"""The laws of a scorer, for the tests of your own models and flavors: `check_scorer`.

def test_my_model():
    scorer = sparkml.load_scorer(sparkml.read_spec("models:/mine/3"))
    check_scorer(scorer, batch, expected={"prediction": model.predict(X)})
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sparkml.errors import NullInputError
from sparkml.lists import is_list

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sparkml.scoring.scorer import Scorer

THROUGH_BLAS = 1e-12
"""The relative tolerance where sums go through BLAS, which depend on the batch's size."""


def check_scorer(
    scorer: Scorer,
    batch: pa.RecordBatch,
    *,
    expected: Mapping[str, Any] | None = None,
    rtol: float = 0.0,
) -> None:
    """Check that a scorer keeps its laws on `batch`; raises AssertionError that says which broke.

    The laws: as many rows out as in, in their order; the declared schema, also for an empty batch,
    one row and a slice; the same numbers however the rows are batched; column order and further
    columns do not matter; a null in any feature gives a score or an error, as declared, and never
    reaches another row.

    Args:
        scorer: the live model.
        batch: rows to draw the batches from; a dozen or more, without nulls.
        expected: what the native library gives for `batch`, by output.
        rtol: 0 demands the same bits (trees, libsvm); `THROUGH_BLAS` where sums go through BLAS.
    """
    whole = scorer(batch)
    assert whole.schema.equals(scorer.output_schema), "the schema is not the declared one"
    assert whole.num_rows == batch.num_rows, "rows were lost or added"
    for name, values in (expected or {}).items():
        column = whole.column(whole.schema.get_field_index(name))
        assert_same(column, _as_array(values, column.type), rtol=rtol, law=f"native {name}")
    for law, pieces in _batchings(batch):
        parts = [scorer(piece) for piece in pieces]
        assert all(p.schema.equals(scorer.output_schema) for p in parts), f"{law}: schema"
        joined = pa.Table.from_batches(parts).combine_chunks()
        for name in scorer.output_schema.names[:-1]:
            given = whole.column(whole.schema.get_field_index(name))
            same = joined.column(name)
            assert_same(_whole(same), given, rtol=rtol, law=f"{law}: {name}")
    _check_nulls(scorer, batch, whole, rtol)


def _batchings(batch: pa.RecordBatch) -> Iterator[tuple[str, list[pa.RecordBatch]]]:
    rows, names = batch.num_rows, batch.schema.names
    cuts = sorted({0, 1, rows // 3, rows // 2, rows})
    yield "empty batch first", [batch.slice(0, 0), batch]
    yield "one row at a time", [batch.slice(i, 1) for i in range(rows)]
    yield "slices", [batch.slice(a, b - a) for a, b in pairwise(cuts)]
    yield "columns reordered", [batch.select(names[::-1])]
    extra = pa.array([f"row {i}" for i in range(rows)])
    yield (
        "a further column",
        [pa.RecordBatch.from_arrays([extra, *batch.columns], names=["_further", *names])],
    )
    chunked = pa.Table.from_batches([batch.slice(0, cuts[1]), batch.slice(cuts[1])])
    yield "joined chunks", chunked.combine_chunks().to_batches()


def _check_nulls(scorer: Scorer, batch: pa.RecordBatch, whole: pa.RecordBatch, rtol: float) -> None:
    """A null, and for floats a NaN, in the middle row of each feature in turn."""
    for name in scorer.spec.signature.names:
        index = batch.schema.get_field_index(name)
        column = batch.column(index)
        for missing in (None, float("nan")) if pa.types.is_floating(column.type) else (None,):
            holed = _with(batch, index, missing)
            law = f"{missing} in '{name}' ({scorer.spec.null_policy(name).kind})"
            _check_hole(scorer, holed, whole, name, law=law, rtol=rtol)


def _with(batch: pa.RecordBatch, index: int, value: Any) -> pa.RecordBatch:
    """The batch with another value in the middle row of a column."""
    column, columns = batch.column(index), batch.columns
    hole = pa.array([i == batch.num_rows // 2 for i in range(batch.num_rows)])
    columns[index] = pc.if_else(hole, pa.scalar(value, column.type), column)
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _check_hole(
    scorer: Scorer,
    holed: pa.RecordBatch,
    whole: pa.RecordBatch,
    name: str,
    *,
    law: str,
    rtol: float,
) -> None:
    policy = scorer.spec.null_policy(name)
    if policy.kind == "fail":
        try:
            scorer(holed)
        except NullInputError:
            return
        raise AssertionError(f"{law}: did not fail")
    middle = holed.num_rows // 2
    others = [i for i in range(holed.num_rows) if i != middle]
    scores = scorer(holed)
    alone = scorer(holed.slice(middle, 1))
    for i, output in enumerate(scorer.output_schema.names[:-1]):
        kept = scores.column(i).take(others)
        assert_same(kept, whole.column(i).take(others), rtol=rtol, law=f"{law}: other rows")
        same = scores.column(i).slice(middle, 1)
        assert_same(same, alone.column(i), rtol=rtol, law=f"{law}: {output} of the row alone")
    score, error = scores.column(0)[middle].as_py(), scores.column(len(scores.schema) - 1)[middle]
    code = error["code"].as_py() if error.is_valid else None
    if policy.kind == "quarantine":
        assert (score, code) == (None, "NULL_INPUT"), f"{law}: {score}, {code}"
    elif policy.kind == "propagate":
        assert (score, code) == (None, None), f"{law}: {score}, {code}"
    elif policy.kind == "fill":
        index = holed.schema.get_field_index(name)
        by_hand = scorer(_with(holed, index, policy.value)).column(0).slice(middle, 1)
        assert_same(scores.column(0).slice(middle, 1), by_hand, rtol=rtol, law=law)
    else:
        assert (score is None) == (code is not None), f"{law}: neither a score nor an error"


def assert_same(got: pa.Array, expected: pa.Array, *, rtol: float, law: str) -> None:
    """Check that two Arrow arrays hold the same values, bit for bit or floats within `rtol`."""
    assert len(got) == len(expected), f"{law}: {len(got)} rows, expected {len(expected)}"
    assert got.type == expected.type, f"{law}: type {got.type}, expected {expected.type}"
    if is_list(got.type):
        assert pc.list_value_length(got).equals(pc.list_value_length(expected)), f"{law}: lengths"
        assert_same(got.flatten(), expected.flatten(), rtol=rtol, law=law)
        return
    if pa.types.is_struct(got.type):
        assert got.is_null().equals(expected.is_null()), f"{law}: nulls differ"
        for field, ours, theirs in zip(got.type, got.flatten(), expected.flatten(), strict=True):
            assert_same(ours, theirs, rtol=rtol, law=f"{law}.{field.name}")
        return
    if not pa.types.is_floating(got.type):
        assert got.equals(expected), f"{law}: differs"
        return
    assert got.is_null().equals(expected.is_null()), f"{law}: nulls differ"
    a, b = (x.drop_null().to_numpy(zero_copy_only=False) for x in (got, expected))
    bad = ~((a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= rtol * np.abs(b)))
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        msg = f"{law}: {bad.sum()} of {len(bad)} values differ, the first {a[i]!r} and {b[i]!r}"
        raise AssertionError(msg)


def _as_array(values: Any, dtype: pa.DataType) -> pa.Array:
    if isinstance(values, pa.Array):
        return values
    listed = values.tolist() if isinstance(values, np.ndarray) else list(values)
    return pa.array(listed, dtype)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)
