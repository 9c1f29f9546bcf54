"""Which model gave a score: the same few values on every row of a run, as one struct column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it

from sparkml.redaction import masked
from sparkml.spark.types import spark_type

if TYPE_CHECKING:
    import numpy.typing as npt
    from pyspark.sql import Column
    from pyspark.sql.types import DataType

    from sparkml.spec import ModelSpec

COLUMN = "provenance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """`{run_key, models: {<column>: {uri, version, digest}}}`; pickles small."""

    run_key: str
    models: tuple[tuple[str, str, str, str], ...]

    @classmethod
    def of(cls, specs: tuple[ModelSpec, ...], run_key: str) -> Provenance:
        """The provenance of a run's rows."""
        return cls(
            run_key=run_key,
            models=tuple((s.name, masked(s.uri), s.version, s.digest) for s in specs),
        )

    @property
    def value(self) -> dict[str, Any]:
        """The struct as plain values."""
        models = {n: {"uri": u, "version": v, "digest": d} for n, u, v, d in self.models}
        return {"run_key": self.run_key, "models": models}

    @property
    def arrow_type(self) -> pa.StructType:
        """The struct's Arrow type."""
        one = pa.struct([(name, pa.string()) for name in ("uri", "version", "digest")])
        models = pa.struct([(name, one) for name, *_ in self.models])
        return pa.struct([("run_key", pa.string()), ("models", models)])

    @property
    def spark_type(self) -> DataType:
        """The struct's Spark type."""
        return spark_type(self.arrow_type)

    def array(self, rows: int) -> pa.Array:
        """The struct for each of `rows` rows, its texts dictionary-encoded; runs in the worker."""
        return _repeated(self.value, np.zeros(rows, dtype=np.int32))

    def column(self) -> Column:
        """The struct as a literal column, which costs nothing per row."""
        models = [
            F.struct(
                F.lit(u).alias("uri"), F.lit(v).alias("version"), F.lit(d).alias("digest")
            ).alias(n)
            for n, u, v, d in self.models
        ]
        literal = F.struct(F.lit(self.run_key).alias("run_key"), F.struct(*models).alias("models"))
        return literal.cast(self.spark_type).alias(COLUMN)


def _repeated(value: Any, places: npt.NDArray[np.int32]) -> pa.Array:
    if isinstance(value, dict):
        parts = {name: _repeated(part, places) for name, part in value.items()}
        return pa.StructArray.from_arrays(list(parts.values()), names=list(parts))
    return pa.DictionaryArray.from_arrays(pa.array(places), pa.array([value], pa.string()))
