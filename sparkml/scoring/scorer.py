"""The live model: one Arrow batch in, one Arrow batch out, the same rows in the same order."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sparkml.arrow import input_schema
from sparkml.binding import Selection
from sparkml.errors import ContractViolation
from sparkml.lists import is_list, list_parents, pairs_of
from sparkml.models.base import Refusing
from sparkml.models.frames import groups, is_mixed
from sparkml.scoring.isolate import isolate
from sparkml.scoring.nulls import apply_null_policy, watched
from sparkml.type_names import to_arrow_type

if TYPE_CHECKING:
    import numpy.typing as npt

    from sparkml.models.base import Predictor
    from sparkml.scoring.nulls import Decided
    from sparkml.spec import ModelSpec

ERROR_TYPE = pa.struct([(name, pa.string()) for name in ("code", "message", "column", "payload")])
"""Why a row has no score: a closed code, the words, the column where known, the row's inputs."""

ERROR_CODES = {
    "NULL_INPUT": "a feature is null or NaN and its policy is quarantine",
    "MODEL_EXCEPTION": "the model raised on this row",
    "NON_FINITE_SCORE": "the model gave NaN or an infinity",
    "UNKNOWN_KEY": "no model was trained for the row's key",
}
MESSAGE_CHARS, PAYLOAD_CHARS = 1_000, 8_000
Errors = dict[int, tuple[str, str, str | None]]
"""Row -> code, message, column."""


class Scorer:
    """A loaded model that scores Arrow batches; knows nothing of Spark.

    Call it with a `pyarrow.RecordBatch` that has at least the columns of `spec.signature.inputs`
    (by name, any order, castable by `sparkml.arrow.CASTS`). It returns a batch of `output_schema`:
    the outputs of the model, null where a row has no score, and `error`, null where it has one.
    Nulls and NaN go by the spec's null policy. Not thread-safe: one per thread.

    Raises:
        SignatureError: a column is missing or of a type that is refused.
        NullInputError: a null where the policy says `fail`.
        ContractViolation: the model returned other rows or types than it declared.
    """

    def __init__(self, spec: ModelSpec, predictor: Predictor) -> None:
        self.spec = spec
        self._predictor = predictor
        self._select = Selection(spec.signature, where=spec.uri)
        self._watched = watched(spec)
        inputs = enumerate(input_schema(spec.signature).types)
        self._mixed = [place for place, dtype in inputs if is_mixed(dtype)]
        self._types = [to_arrow_type(f.type) for f in spec.signature.outputs]
        fields = [
            pa.field(f.name, dtype)
            for f, dtype in zip(spec.signature.outputs, self._types, strict=True)
        ]
        self.output_schema = pa.schema([*fields, pa.field("error", ERROR_TYPE)])

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The scores of `batch`."""
        inputs = self._select(batch)
        if not inputs.num_rows:
            return pa.RecordBatch.from_pylist([], schema=self.output_schema)
        decided = apply_null_policy(inputs, self._watched, where=self.spec.uri)
        errors: Errors = {
            row: ("NULL_INPUT", f"'{column}' is null or NaN", column)
            for row, column in decided.reasons.items()
        }
        refused = self._refused(decided)
        errors |= refused
        skip = _marked(decided.skip, list(refused), inputs.num_rows)
        outputs, failures = self._score(decided.batch, skip)
        errors |= {
            row: ("MODEL_EXCEPTION", f"{type(e).__name__}: {e}", None)
            for row, e in failures.items()
        }
        outputs = self._refuse_non_finite(outputs, errors)
        return pa.RecordBatch.from_arrays(
            [*outputs, _error_column(errors, inputs, self.spec.name)], schema=self.output_schema
        )

    def _refused(self, decided: Decided) -> Errors:
        """The rows that the model has no answer for, but for those that a null policy skips."""
        if not isinstance(self._predictor, Refusing):
            return {}
        found = self._predictor.refuse(decided.batch).items()
        skip = decided.skip
        return {
            row: ("UNKNOWN_KEY", why, None) for row, why in found if skip is None or not skip[row]
        }

    def _score(
        self, batch: pa.RecordBatch, skip: np.ndarray | None
    ) -> tuple[list[pa.Array], dict[int, Exception]]:
        if skip is None:
            return self._in_groups(batch)
        rows = np.flatnonzero(~skip)
        if not len(rows):
            return [pa.nulls(batch.num_rows, dtype) for dtype in self._types], {}
        outputs, failures = self._in_groups(batch.take(pa.array(rows)))
        # Back to the rows' places: a skipped row takes from nowhere, which gives null.
        places = np.zeros(batch.num_rows, dtype=np.int64)
        places[rows] = np.arange(len(rows))
        origin = pa.array(places, mask=skip)
        return [o.take(origin) for o in outputs], {int(rows[i]): e for i, e in failures.items()}

    def _in_groups(self, batch: pa.RecordBatch) -> tuple[list[pa.Array], dict[int, Exception]]:
        """The rows that can share a DataFrame go to the model together; see `frames.groups`."""
        parts = groups(batch, self._mixed)
        if len(parts) < 2:
            return isolate(self._checked, batch, self._types)
        made = [isolate(self._checked, batch.take(pa.array(p)), self._types) for p in parts]
        order = pa.array(np.argsort(np.concatenate(parts)))
        columns = zip(*(outputs for outputs, _ in made), strict=True)
        failures = {
            int(part[row]): error
            for part, (_, failed) in zip(parts, made, strict=True)
            for row, error in failed.items()
        }
        return [pa.concat_arrays(pieces).take(order) for pieces in columns], failures

    def _checked(self, batch: pa.RecordBatch) -> list[pa.Array]:
        outputs = self._predictor.predict(batch)
        got = [(len(o), str(o.type)) for o in outputs]
        expected = [(batch.num_rows, str(dtype)) for dtype in self._types]
        if got != expected:
            raise ContractViolation(
                f"the model returned (rows, type) {got} where {expected} was declared",
                where=self.spec.uri,
                fix="correct the model, or the outputs in its signature",
            )
        return outputs

    def _refuse_non_finite(self, outputs: list[pa.Array], errors: Errors) -> list[pa.Array]:
        bad = np.unique(np.concatenate([_non_finite(output) for output in outputs]))
        if not len(bad):
            return outputs
        errors |= {
            int(row): ("NON_FINITE_SCORE", "the score is NaN or infinite", None) for row in bad
        }
        mask = np.zeros(len(outputs[0]), dtype=bool)
        mask[bad] = True
        return [pc.if_else(pa.array(mask), pa.scalar(None, o.type), o) for o in outputs]


def _marked(
    skip: npt.NDArray[np.bool_] | None, rows: list[int], length: int
) -> npt.NDArray[np.bool_] | None:
    """`skip` with `rows` marked as well."""
    if not rows:
        return skip
    marked = np.zeros(length, dtype=np.bool_) if skip is None else skip.copy()
    marked[rows] = True
    return marked


def _non_finite(values: pa.Array) -> npt.NDArray[np.int64]:
    """The rows with a NaN or an infinity, however deep in lists, structs and maps."""
    if pa.types.is_map(values.type):
        values = pairs_of(values)
    if is_list(values.type):
        return list_parents(values)[_non_finite(values.flatten())]
    if pa.types.is_struct(values.type):
        return np.concatenate([_non_finite(field) for field in values.flatten()])
    if not pa.types.is_floating(values.type):
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(~np.isfinite(values.fill_null(0.0).to_numpy(zero_copy_only=False)))


def _error_column(errors: Errors, inputs: pa.RecordBatch, model: str) -> pa.StructArray:
    if not errors:
        return pa.nulls(inputs.num_rows, ERROR_TYPE)
    column: list[dict[str, str | None] | None] = [None] * inputs.num_rows
    for row, (code, message, name) in errors.items():
        column[row] = {
            "code": code,
            "message": f"{model}: {message}"[:MESSAGE_CHARS],
            "column": name,
            "payload": _payload(inputs, row),
        }
    return pa.array(column, ERROR_TYPE)


def _payload(inputs: pa.RecordBatch, row: int) -> str:
    """The row's inputs as JSON: NaN, infinities and what JSON lacks as text."""
    values = {n: _plain(inputs.column(i)[row]) for i, n in enumerate(inputs.schema.names)}
    text = json.dumps(values, default=str, ensure_ascii=False)
    return text if len(text) <= PAYLOAD_CHARS else json.dumps({"cut": text[:PAYLOAD_CHARS]})


def _plain(value: pa.Scalar) -> Any:
    try:
        return _finite(value.as_py(maps_as_pydicts="lossy"))
    except (OverflowError, ValueError):  # a date that Python has no place for
        return str(value.value)


def _finite(value: Any) -> Any:
    if isinstance(value, list):
        return [_finite(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _finite(one) for key, one in value.items()}
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
