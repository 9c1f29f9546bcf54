"""Which row of a keyed model's index a row's key means: looked up for a batch at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sparkml.arrow import cast

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt


class KeyIndex:
    """The keys of an index, one array per key column; made once, then asked for each batch.

    Each column's values become codes; the codes of two columns are one number, which the sorted
    pairs of the index turn into a small code again. So any number of columns of any cardinality
    stays within 64 bits, and no Python runs per row.

    Raises:
        ValueError: a key stands there twice.
    """

    def __init__(self, columns: Sequence[pa.Array]) -> None:
        codes: Any = np.zeros(len(columns[0]), dtype=np.int64)
        self._levels: list[tuple[pa.Array, npt.NDArray[np.int64]]] = []
        for column in columns:
            distinct = column.unique()
            pairs = codes * len(distinct) + _codes(column, distinct)
            known, codes = np.unique(pairs, return_inverse=True)
            self._levels.append((distinct, known))
        if len(set(codes.tolist())) < len(codes):
            raise ValueError("a key stands in the index twice")
        self._place = np.argsort(codes)

    def find(self, columns: Sequence[pa.Array]) -> npt.NDArray[np.int64]:
        """For each row the place of its key in the index; -1 where it has none, or a null in it."""
        codes: Any = np.zeros(len(columns[0]), dtype=np.int64)
        for column, (distinct, known) in zip(columns, self._levels, strict=True):
            own = _codes(cast(column, distinct.type), distinct)
            pairs = np.where((codes < 0) | (own < 0), -1, codes * len(distinct) + own)
            at = np.minimum(np.searchsorted(known, pairs), len(known) - 1)
            codes = np.where(known[at] == pairs, at, -1)
        found: npt.NDArray[np.int64] = np.where(codes < 0, -1, self._place[codes])
        return found


def _codes(column: pa.Array, distinct: pa.Array) -> npt.NDArray[np.int64]:
    found = pc.index_in(column, value_set=distinct, skip_nulls=True)
    codes: npt.NDArray[np.int64] = pc.fill_null(found, -1).to_numpy(zero_copy_only=False)
    return codes.astype(np.int64)
