"""An estimator that scores batches of one signature."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sparkml.lists import is_list
from sparkml.models.extra_outputs import check_fields, check_outputs
from sparkml.models.flavors.sklearn_extras import extras_of
from sparkml.models.flavors.sklearn_signature import PREDICTION, PROBABILITY, probe
from sparkml.models.results import as_column, as_nested
from sparkml.type_names import to_arrow_type

if TYPE_CHECKING:
    from sparkml.models.flavors.sklearn import SklearnModel
    from sparkml.spec import Signature


class SklearnPredictor:
    """An estimator bound to a signature; see `base.Predictor`."""

    def __init__(self, model: SklearnModel, signature: Signature) -> None:
        self._model, self._signature = model, signature
        self._names = [f.name for f in signature.outputs]
        self._types = [to_arrow_type(f.type) for f in signature.outputs]
        self._extras = extras_of(model.final)
        usual = [PREDICTION, PROBABILITY] if model.has_probability else [PREDICTION]
        known = [*usual, *self._extras]
        for name, dtype in zip(self._names, self._types, strict=True):
            check_fields(name, dtype)
        check_outputs(self._names, known, where=model.where)
        self._features = model.features(signature.inputs)
        self._call = model.call(self._names)

    @cached_property
    def takes_nan(self) -> bool:
        """Whether it scores a row of missing values, and gives a finite result for it.

        Asked of the model itself: scikit-learn's own tag `allow_nan` is not carried through
        pipelines (1.9), and says nothing about encoders.
        """
        own = self._model.own(self._signature.inputs)
        seen = probe(self._outputs, own, missing=True)
        return seen is not None and all(_is_finite(part) for part in seen.values())

    def predict(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """The outputs of `batch`."""
        if not batch.num_rows:  # scikit-learn refuses an empty matrix
            return [pa.array([], dtype) for dtype in self._types]
        outputs = self._outputs(batch)
        made = []
        for name, dtype in zip(self._names, self._types, strict=True):
            values = outputs[name]
            nested = isinstance(values, list) and is_list(dtype.value_type)
            made.append(as_nested(values) if nested else as_column(values, dtype))
        return made

    def _outputs(self, batch: pa.RecordBatch) -> dict[str, Any]:
        x, more = self._features(batch), self._more(batch)
        usual = dict(zip((PREDICTION, PROBABILITY), self._call(x, **more), strict=True))
        return {n: usual[n] if n in usual else self._extras[n](x, **more) for n in self._names}

    def _more(self, batch: pa.RecordBatch) -> dict[str, Any]:
        margin = self._model.margin.of(batch) if self._model.margin else None
        return {} if margin is None else {"base_margin": margin}


def _is_finite(part: Any) -> bool:
    if isinstance(part, list):
        return all(_is_finite(p) for p in part)
    array = np.asarray(part)
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())
