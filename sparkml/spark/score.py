"""`score`: add the scores of one or several models to a DataFrame, in one pass over its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it
from pyspark.sql.types import StructField, StructType

from sparkml.arrow import Binding, bind, to_arrow_type
from sparkml.errors import ConfigError, SignatureError, did_you_mean
from sparkml.models.read import read_spec
from sparkml.models.typed import typed
from sparkml.scoring.scorer import ERROR_TYPE
from sparkml.spark.ml.score import scored_by_spark, with_scores
from sparkml.spark.ship import ship
from sparkml.spark.types import arrow_schema, column, plain, spark_type
from sparkml.spark.worker import ScoreTask, score_batches
from sparkml.spec import ModelSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pyspark.sql import DataFrame


def score(
    df: DataFrame,
    *models: ModelSpec | str,
    key: str | Sequence[str] = (),
    keep: str | Sequence[str] = "*",
    batch_rows: int | None = None,
    tuned: bool = True,
) -> DataFrame:
    """The rows of `df` with their scores: key and kept columns, one struct a model, and `error`.

    Checks run here, on the driver; scoring runs in Python workers, when the result is used. Each
    row goes once to Python and back, for all the models together; a Spark ML model is scored before
    that by its own `transform`, and where all of them are, no row goes to Python.

    Args:
        df: any DataFrame, classic or Connect. Columns are met by name; extra ones cost nothing
            unless they are kept.
        *models: specs from `read_spec`, or addresses for it; each names its output column.
        key: columns that identify a row; they come first in the result.
        keep: further columns to keep, or `"*"` for all.
        batch_rows: rows in a model's batch; by default what weighs about 8 MiB.
        tuned: remove PySpark's per-task costs from the workers (`sparkml.spark.worker.tune`).

    Returns:
        As many rows as `df`. A model's struct holds `prediction` and, where it has them,
        `probability` (array<double>) and its other outputs, each null where the row has no
        score (the struct itself never is).
        `error` is null, or `{code, message, column, payload}` for a row that could not be scored.

    Raises:
        SignatureError: a column is missing, misnamed or of a type that is refused.
        ModelError: a model cannot be found, trusted or opened.
    """
    if not models:
        raise ConfigError("no model is given", where="score()", fix="score(df, spec)")
    specs = tuple(m if isinstance(m, ModelSpec) else read_spec(m) for m in models)
    keys = [key] if isinstance(key, str) else list(key)
    others = df.columns if keep == "*" else [keep] if isinstance(keep, str) else keep
    kept = [*keys, *others]
    plan = ScorePlan(df, specs, dict.fromkeys(kept), where="DataFrame")
    for spec in plan.in_python:
        ship(df.sparkSession, spec)
    return plan.apply(df, plan.task(batch_rows=batch_rows, tuned=tuned))


OWN = "the table's own type, as the model tells none"


class ScorePlan:
    """What scoring a DataFrame will do, decided on the driver from its columns' types alone.

    `keep` holds the columns that pass through, each with its name in the output (None: its own).
    `specs` come out with the table's types where a model leaves them open: `types` has those.
    """

    def __init__(
        self,
        df: DataFrame,
        specs: tuple[ModelSpec, ...],
        keep: Mapping[str, str | None] | Iterable[str],
        *,
        where: str,
    ) -> None:
        renames = dict(keep) if isinstance(keep, Mapping) else dict.fromkeys(keep)
        schema, zone = df.schema, df.sparkSession.conf.get("spark.sql.session.timeZone") or "UTC"
        taken = {s.name: s.signature.open for s in specs}
        specs = tuple(typed(s, _inputs(schema, s, zone, where)) for s in specs)
        self.specs = specs
        self.keep = tuple((name, new or name) for name, new in renames.items())
        kept = [_field(schema, name, where) for name, _ in self.keep]
        arrow_schema(StructType(kept), where=where)
        inputs = [name for s in specs for name in s.signature.names]
        check_names([*renames, *inputs], schema.names, where=where)
        self.bindings: dict[str, tuple[Binding, ...]] = {
            s.name: tuple(
                replace(bound, rule=OWN) if bound.name in taken[s.name] else bound
                for bound in bind(
                    _inputs(schema, s, zone, where), s.signature, where=f"{where} for {s.uri}"
                )
            )
            for s in specs
        }
        passed = [
            StructField(new, plain(field.dataType), field.nullable)
            for field, (_, new) in zip(kept, self.keep, strict=True)
        ]
        scores = [StructField(s.name, score_type(s), True) for s in specs]
        self.schema = StructType([*passed, *scores, StructField("error", spark_type(ERROR_TYPE))])
        check_names(self.schema.names, self.schema.names, where="output")

    @property
    def types(self) -> dict[str, dict[str, str]]:
        """Model → column → the type that was taken from the table, for those of which it was."""
        taken = {
            name: {b.name: b.target for b in bound if b.rule == OWN}
            for name, bound in self.bindings.items()
        }
        return {name: types for name, types in taken.items() if types}

    @property
    def in_spark(self) -> tuple[ModelSpec, ...]:
        """The models that Spark scores by their own `transform`."""
        return tuple(spec for spec in self.specs if scored_by_spark(spec))

    @property
    def in_python(self) -> tuple[ModelSpec, ...]:
        """The models that the workers score; their files must reach them."""
        return tuple(spec for spec in self.specs if not scored_by_spark(spec))

    @property
    def needed(self) -> list[str]:
        """The columns that must travel to the workers."""
        inputs = [b.name for spec in self.in_python for b in self.bindings[spec.name]]
        return list(dict.fromkeys([*(name for name, _ in self.keep), *inputs]))

    def task(self, *, batch_rows: int | None, tuned: bool) -> ScoreTask:
        """What the workers are told."""
        if batch_rows is not None and batch_rows < 1:
            raise ConfigError(f"batch_rows is {batch_rows}", where="batch_rows", fix="at least 1")
        return ScoreTask(
            models=self.specs,
            columns=tuple(self.needed),
            keep=self.keep,
            batch_rows=batch_rows,
            tuned=tuned,
            made=tuple(spec.name for spec in self.in_spark),
        )

    def select(self, df: DataFrame) -> DataFrame:
        """The columns of `df` that must travel, and the scores of the models that Spark scores.

        Under names that need no quoting: `mapInArrow` looks each column up by its bare name, so one
        with a dot or a backtick would not be found; the task knows what they are really called.
        """
        inputs = [b.name for spec in self.in_spark for b in self.bindings[spec.name]]
        names = {name: f"c{i}" for i, name in enumerate(dict.fromkeys([*self.needed, *inputs]))}
        made = df.select(*[column(name).alias(new) for name, new in names.items()])
        for i, spec in enumerate(self.in_spark):
            sources = {b.name: names[b.name] for b in self.bindings[spec.name]}
            made = with_scores(made, spec, sources, into=f"s{i}")
        return made.drop(*[names[name] for name in inputs if name not in self.needed])

    def apply(self, df: DataFrame, task: ScoreTask) -> DataFrame:
        """`df` scored: by Spark alone where that is possible, else by the Arrow route."""
        if not self.in_python:
            return self._finished(self.select(df))

        def run(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
            return score_batches(task, iter(batches))

        return self.select(df).mapInArrow(run, self.schema)

    def _finished(self, made: DataFrame) -> DataFrame:
        """What the workers would return, where Spark has scored every model."""
        kept = [column(f"c{i}").alias(new, metadata={}) for i, (_, new) in enumerate(self.keep)]
        structs = [column(f"s{i}") for i in range(len(self.specs))]
        scores = [
            struct.dropFields("error").cast(score_type(spec)).alias(spec.name)
            for struct, spec in zip(structs, self.specs, strict=True)
        ]
        error = F.coalesce(*[struct.getField("error") for struct in structs])
        return made.select(*kept, *scores, error.alias("error"))


def score_type(spec: ModelSpec) -> StructType:
    """The struct that a model's scores are stored as."""
    return StructType(
        [StructField(f.name, spark_type(to_arrow_type(f.type))) for f in spec.signature.outputs]
    )


def _inputs(schema: StructType, spec: ModelSpec, zone: str, where: str) -> pa.Schema:
    wanted = set(spec.signature.names)
    present = [f for f in schema.fields if f.name in wanted]
    others = [f for f in schema.fields if f.name not in wanted]
    inputs = arrow_schema(StructType(present), where=where, zone=zone)
    if len(present) == len(wanted):
        return inputs
    # The other columns matter only as the nearest match of what is missing.
    return pa.schema([*inputs, *(pa.field(f.name, pa.null()) for f in others)])


def _field(schema: StructType, name: str, where: str) -> StructField:
    if name not in schema.names:
        raise SignatureError(
            f"column '{name}' of key or keep is missing",
            where=where,
            fix=did_you_mean(name, schema.names),
        )
    return schema[name]


def check_names(names: Iterable[str], columns: Sequence[str], *, where: str) -> None:
    """Refuse `names` of which `columns` has several: Spark tells no upper case from lower.

    Raises:
        SignatureError: two columns share a name that is needed.
    """
    folded = [name.lower() for name in columns]
    twice = sorted({n for n in names if folded.count(n.lower()) > 1})
    if twice:
        raise SignatureError(
            f"columns occur twice: {', '.join(map(repr, twice))} (case does not tell them apart)",
            where=where,
            fix="rename one of them; a model's scores take the name given by its spec",
        )
