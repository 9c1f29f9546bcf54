"""A scorer that learns its columns' types from the batches that it gets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sparkml.models.null_policy import null_policies
from sparkml.models.typed import with_types
from sparkml.scoring.scorer import Scorer

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from sparkml.models.base import Predictor
    from sparkml.spec import ModelSpec


class LateScorer(Scorer):
    """A `Scorer` of a spec with open types: the model is opened for each set of types that comes.

    `opened` gives the live model of a spec. The null policies that nobody declared go by what the
    model says of itself then.
    """

    def __init__(self, spec: ModelSpec, opened: Callable[[ModelSpec], Predictor]) -> None:
        super().__init__(spec, None)  # type: ignore[arg-type]  # each set of types has its own
        self._opened = opened
        self._of_types: dict[tuple[str, ...], Scorer] = {}

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The scores of `batch`."""
        known = with_types(self.spec, batch.schema)
        types = tuple(f.type for f in known.signature.inputs)
        if types not in self._of_types:
            predictor = self._opened(known)
            inputs = known.signature.inputs
            nulls = null_policies(known.nulls, inputs, takes_nan=predictor.takes_nan)
            self._of_types[types] = Scorer(replace(known, nulls=nulls), predictor)
        return self._of_types[types](batch)
