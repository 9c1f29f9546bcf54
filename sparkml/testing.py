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
    middle = batch.num_rows // 2
    others = [i for i in range(batch.num_rows) if i != middle]
    for index, name in enumerate(batch.schema.names):
        if name not in scorer.spec.signature.names:
            continue
        policy = scorer.spec.null_policy(name).kind
        if policy == "fail":
            continue
        column = batch.column(index)
        hole = pa.array([i == middle for i in range(batch.num_rows)])
        columns = batch.columns
        columns[index] = pc.if_else(hole, pa.scalar(None, column.type), column)
        scores = scorer(pa.RecordBatch.from_arrays(columns, schema=batch.schema.remove_metadata()))
        first, error = scores.column(0)[middle].as_py(), scores.column(len(scores.schema) - 1)
        where = f"null in '{name}' ({policy})"
        if policy == "quarantine":
            assert first is None, f"{where}: scored all the same"
            assert error[middle]["code"].as_py() == "NULL_INPUT", f"{where}: no error on the row"
        elif policy == "propagate":
            assert first is None, f"{where}: scored all the same"
            assert error[middle].as_py() is None, f"{where}: an error on the row"
        else:
            assert (first is None) != (error[middle].as_py() is None), f"{where}: silently lost"
        for output in scorer.output_schema.names[:-1]:
            i = scores.schema.get_field_index(output)
            assert_same(
                scores.column(i).take(others), whole.column(i).take(others), rtol=rtol, law=where
            )


def assert_same(got: pa.Array, expected: pa.Array, *, rtol: float, law: str) -> None:
    """Check that two Arrow arrays hold the same values, bit for bit or floats within `rtol`."""
    assert len(got) == len(expected), f"{law}: {len(got)} rows, expected {len(expected)}"
    assert got.type == expected.type, f"{law}: type {got.type}, expected {expected.type}"
    if is_list(got.type):
        assert pc.list_value_length(got).equals(pc.list_value_length(expected)), f"{law}: lengths"
        assert_same(got.flatten(), expected.flatten(), rtol=rtol, law=law)
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
