"""What a Spark ML pipeline is fed: the table's columns cast, the null policy applied to each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.ml.functions import array_to_vector, vector_to_array
from pyspark.ml.linalg import VectorUDT
from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it
from pyspark.sql.types import ArrayType, DoubleType, FloatType, StructField, StructType

from sparkml.errors import NullInputError
from sparkml.scoring.scorer import ERROR_TYPE, MESSAGE_CHARS, PAYLOAD_CHARS
from sparkml.spark.ml.guards import sized, zero, zeros
from sparkml.spark.types import column, spark_type
from sparkml.type_names import to_arrow_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pyspark.sql import Column
    from pyspark.sql.types import DataType

    from sparkml.spec import Field, ModelSpec

REASON = StructType(
    [StructField(name, spark_type(ERROR_TYPE.field(name).type)) for name in ERROR_TYPE.names[:3]]
)
"""Why a row has no score: code, message, column; the code is null where the policy propagates."""


class Inputs:
    """The inputs of a spec, as expressions over a table of `schema`.

    `sources` says which column of the table an input is; one without is null. `widths` holds the
    lengths of those that are vectors.
    """

    def __init__(
        self,
        schema: StructType,
        spec: ModelSpec,
        sources: Mapping[str, str],
        widths: Mapping[str, int],
    ) -> None:
        self._spec, self._sources, self._widths = spec, sources, widths
        self._types = {f.name: f.dataType for f in schema.fields}

    def columns(self, wanted: tuple[str, ...]) -> list[Column]:
        """The wanted inputs under their names: filled, and harmless where the row is not scored."""
        return [self._fed(f) for f in self._spec.signature.inputs if f.name in wanted]

    def reason(self) -> Column:
        """Why a row is not to be scored, a `REASON`; null where it is.

        A row that one column quarantines is an error, whatever another propagates. Whether a
        vector's length is right is asked only where no value is missing.
        """
        told: dict[str, list[Column]] = {"quarantine": [], "propagate": [], "length": []}
        for f in self._spec.signature.inputs:
            policy = self._spec.null_policy(f.name).kind
            if policy in told:
                said = reason(f"'{f.name}' is null or NaN", f.name, "NULL_INPUT", self._spec.name)
                nothing = F.struct(*[F.lit(None).cast(p.dataType).alias(p.name) for p in REASON])
                why = said if policy == "quarantine" else nothing
                told[policy].append(F.when(self._missing(f), why))
            if f.name in self._widths:
                misfit = f"'{f.name}' is no vector of length {self._widths[f.name]}"
                why = reason(misfit, f.name, "MODEL_EXCEPTION", self._spec.name)
                told["length"].append(F.when(self._misfit(f), why))
        found = [one for several in told.values() for one in several]
        return F.coalesce(*found, F.lit(None).cast(REASON))

    def payload(self, renamed: Callable[[str], str]) -> Column:
        """The inputs as they came, as JSON, over a table whose columns are `renamed`."""
        parts = [self._listed(f, renamed).alias(f.name) for f in self._spec.signature.inputs]
        text = F.to_json(F.struct(*parts), {"ignoreNullFields": "false"})
        cut = F.to_json(F.struct(F.substring(text, 1, PAYLOAD_CHARS).alias("cut")))
        return F.when(F.length(text) <= PAYLOAD_CHARS, text).otherwise(cut)

    def _fed(self, field: Field) -> Column:
        policy, value = self._spec.null_policy(field.name), self._given(field)
        dtype = _type(field)
        missing, bad = self._missing(field), F.lit(False)
        if policy.kind == "fill":
            value = F.when(missing, F.lit(policy.value).cast(dtype)).otherwise(value)
        elif policy.kind == "fail":
            value = F.when(missing, F.raise_error(_failure(field, self._spec))).otherwise(value)
        elif policy.kind != "model":
            bad = missing
        width = self._widths.get(field.name)
        if width is None:
            harmless = zero(StructField(field.name, dtype))
            return F.when(bad, harmless).otherwise(value).alias(field.name)
        if not self._is_vector(field):
            value = array_to_vector(
                F.transform(value.cast("array<double>"), lambda x: F.coalesce(x, F.lit(_NAN)))
            )
        clean = F.when(bad | self._misfit(field), zeros(width)).otherwise(value)
        return clean.alias(field.name, metadata=sized(width))

    def _given(self, field: Field, renamed: Callable[[str], str] = str) -> Column:
        """An input as the table has it, cast; a vector as it is."""
        source = self._sources.get(field.name)
        if source is None:
            return F.lit(None).cast(_type(field))
        value = column(renamed(source))
        return value if self._is_vector(field) else value.cast(_type(field))

    def _listed(self, field: Field, renamed: Callable[[str], str] = str) -> Column:
        """An input, a vector as the array of its values."""
        value = self._given(field, renamed)
        return vector_to_array(value) if self._is_vector(field) else value

    def _is_vector(self, field: Field) -> bool:
        return isinstance(self._types.get(self._sources.get(field.name, "")), VectorUDT)

    def _missing(self, field: Field) -> Column:
        dtype, value = _type(field), self._listed(field)
        if isinstance(dtype, ArrayType):
            inner = dtype.elementType
            return value.isNull() | F.exists(value, lambda x: _is_missing(x, inner))
        return _is_missing(value, dtype)

    def _misfit(self, field: Field) -> Column:
        value = self._listed(field)
        return value.isNull() | (F.size(value) != self._widths[field.name])


_NAN = float("nan")


def reason(message: str, source: str | None, code: str, model: str) -> Column:
    """A `REASON` as a literal."""
    said = f"{model}: {message}"[:MESSAGE_CHARS]
    parts = zip(REASON.fields, (code, said, source), strict=True)
    return F.struct(*[F.lit(value).cast(f.dataType).alias(f.name) for f, value in parts])


def _is_missing(value: Column, dtype: DataType) -> Column:
    floating = isinstance(dtype, DoubleType | FloatType)
    return value.isNull() | F.isnan(value) if floating else value.isNull()


def _type(field: Field) -> DataType:
    return spark_type(to_arrow_type(field.type))


def _failure(field: Field, spec: ModelSpec) -> str:
    """What Spark raises for a null whose policy is `fail`: our own error, on a line of its own."""
    error = NullInputError(
        f"rows have no value in '{field.name}'",
        where=spec.uri,
        fix="declare another null policy: quarantine, propagate, model or fill",
    )
    kind = type(error)
    return f"\n{kind.__module__}.{kind.__qualname__}: {error}\n"
