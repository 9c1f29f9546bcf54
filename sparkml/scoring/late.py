"""A scorer that learns its columns' types from the batches that it gets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from sparkml.models.null_policy import null_policies
from sparkml.models.typed import with_types
from sparkml.scoring.scorer import Scorer

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparkml.models.base import Predictor
    from sparkml.spec import ModelSpec


class LateScorer(Scorer):
    """A `Scorer` of a spec with open types: the model is opened for each set of types that comes.

    `opened` gives the live model of a spec. The null policies that nobody declared go by what the
    model says of itself then.
    """

    def __init__(self, spec: ModelSpec, opened: Callable[[ModelSpec], Predictor]) -> None:
        # What it gives is known; what it takes, and the model, each set of types has for itself.
        super().__init__(with_types(spec, pa.schema([])), None)  # type: ignore[arg-type]
        self.spec = spec
        self._opened = opened
        self._last: tuple[pa.Schema, Scorer] | None = None
        self._of_types: dict[tuple[str, ...], Scorer] = {}

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The scores of `batch`."""
        if self._last is None or not batch.schema.equals(self._last[0]):
            self._last = (batch.schema, self._scorer(batch.schema))
        return self._last[1](batch)

    def _scorer(self, schema: pa.Schema) -> Scorer:
        known = with_types(self.spec, schema)
        types = tuple(f.type for f in known.signature.inputs)
        if types not in self._of_types:
            predictor = self._opened(known)
            inputs = known.signature.inputs
            nulls = null_policies(known.nulls, inputs, takes_nan=predictor.takes_nan)
            self._of_types[types] = Scorer(replace(known, nulls=nulls), predictor)
        return self._of_types[types]
