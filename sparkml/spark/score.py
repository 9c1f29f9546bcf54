"""`score`: add the scores of one or several models to a DataFrame, in one pass over its rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it
from pyspark.sql.types import StructField, StructType

from sparkml.binding import Binding, Columns, bind, joined
from sparkml.errors import ConfigError
from sparkml.models.read import read_spec
from sparkml.models.typed import typed
from sparkml.scoring.scorer import ERROR_TYPE
from sparkml.spark.inferred import advise_for
from sparkml.spark.ml.score import scored_by_spark, with_scores
from sparkml.spark.names import alike, check_names, fields_of, unlike, with_key
from sparkml.spark.own_libraries import environment_of, own_libraries
from sparkml.spark.ship import ship
from sparkml.spark.types import (
    arrow_schema,
    column,
    folds_case,
    plain,
    quoted,
    selected,
    spark_type,
)
from sparkml.spark.worker import ScoreTask, score_batches
from sparkml.spec import ModelSpec
from sparkml.type_names import to_arrow_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pyspark.sql import DataFrame

    from sparkml.binding import Advise

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


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
        df: any DataFrame, classic or Connect. Columns are met by name, in upper or lower case where
            `spark.sql.caseSensitive` is false; extra ones cost nothing unless they are kept.
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
        ConfigError: no model is given, or two need other libraries (`environment: match`).
    """
    if not models:
        raise ConfigError("no model is given", where="score()", fix="score(df, spec)")
    specs = tuple(m if isinstance(m, ModelSpec) else read_spec(m) for m in models)
    keys = [key] if isinstance(key, str) else list(key)
    others = df.columns if keep == "*" else [keep] if isinstance(keep, str) else keep
    kept = with_key(keys, others, fold_case=folds_case(df.sparkSession))
    plan = ScorePlan(df, specs, kept, where="DataFrame", advise=advise_for(df))
    for spec in plan.in_python:
        ship(df.sparkSession, spec)
    return plan.apply(df, plan.task(batch_rows=batch_rows, tuned=tuned))


OWN = "the table's own type, as the model tells none"


class ScorePlan:
    """What scoring a DataFrame will do, decided on the driver from its columns' types alone.

    `keep` holds the columns that pass through, each with its name in the output (None: its own).
    Names are met as the session meets them; `advise` says what to do about a column of the wrong
    type. `specs` come out with the table's types where a model leaves them open: `types` has those.
    """

    def __init__(
        self,
        df: DataFrame,
        specs: tuple[ModelSpec, ...],
        keep: Mapping[str, str | None] | Iterable[str],
        *,
        where: str,
        advise: Advise | None = None,
    ) -> None:
        renames = dict(keep) if isinstance(keep, Mapping) else dict.fromkeys(keep)
        schema, fold_case = df.schema, folds_case(df.sparkSession)
        zone = df.sparkSession.conf.get("spark.sql.session.timeZone") or "UTC"
        given = {s.name: _inputs(schema, s, zone, where) for s in specs}
        taken = {s.name: s.signature.open for s in specs}
        specs = tuple(typed(s, _as_named(given[s.name], s, fold_case=fold_case)) for s in specs)
        self.specs = specs
        environment_of(self.in_python)  # one, or an error
        self.keep = tuple((name, new or name) for name, new in renames.items())
        check_names(renames, schema.names, where=where, fold_case=fold_case)
        kept = fields_of(schema, renames, where, fold_case=fold_case)
        arrow_schema(StructType(kept), where=where)
        inputs = [name for s in specs for name in s.signature.names]
        check_names(inputs, schema.names, where=where, fold_case=False)
        self._kept = tuple(field.name for field in kept)
        self.bindings: dict[str, tuple[Binding, ...]] = {
            s.name: tuple(
                replace(bound, rule=OWN) if bound.name in taken[s.name] else bound
                for bound in bind(
                    given[s.name],
                    s.signature,
                    where=f"{where} for {s.uri}",
                    fold_case=fold_case,
                    advise=advise,
                )
            )
            for s in specs
        }
        # Where the case of the letters alone tells columns apart, Spark takes them by their place.
        bound = [b.column for bindings in self.bindings.values() for b in bindings]
        self._by_place = bool(fold_case and alike(bound, schema.names))
        self._names = schema.names
        passed = [
            StructField(new, plain(field.dataType), field.nullable)
            for field, (_, new) in zip(kept, self.keep, strict=True)
        ]
        scores = [StructField(s.name, score_type(s), True) for s in specs]
        self.schema = StructType([*passed, *scores, StructField("error", spark_type(ERROR_TYPE))])
        check_names(self.schema.names, self.schema.names, where="output", fold_case=fold_case)

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
        inputs = [b.column for spec in self.in_python for b in self.bindings[spec.name]]
        return list(dict.fromkeys([*self._kept, *inputs]))

    def task(self, *, batch_rows: int | None, tuned: bool) -> ScoreTask:
        """What the workers are told."""
        if batch_rows is not None and batch_rows < 1:
            raise ConfigError(f"batch_rows is {batch_rows}", where="batch_rows", fix="at least 1")
        keep = zip(self._kept, (new for _, new in self.keep), strict=True)
        renamed = {
            spec.name: {b.column: b.name for b in self.bindings[spec.name] if b.column != b.name}
            for spec in self.in_python
        }
        return ScoreTask(
            models=self.specs,
            columns=tuple(self.needed),
            keep=tuple(keep),
            batch_rows=batch_rows,
            tuned=tuned,
            made=tuple(spec.name for spec in self.in_spark),
            renamed={name: names for name, names in renamed.items() if names},
        )

    def select(self, df: DataFrame) -> DataFrame:
        """The columns of `df` that must travel, and the scores of the models that Spark scores.

        A name with a dot or a backtick becomes another one: `mapInArrow` looks each column up by
        its bare name, so it would not be found; the task knows what the columns are really called.
        The others keep theirs, which costs nothing: to rename a column is to copy it.
        """
        needed, inputs, names = self.needed, self._inputs, self._travelling
        places = {name: f"p{i}" for i, name in enumerate(self._names)}
        if self._by_place:
            df = df.toDF(*places.values())
        made = selected(
            df, ((places[name] if self._by_place else name, new) for name, new in names.items())
        )
        for i, spec in enumerate(self.in_spark):
            sources = {b.name: names[b.column] for b in self.bindings[spec.name]}
            made = with_scores(made, spec, sources, into=f"{self._scores}{i}")
        travels = set(needed)
        return made.drop(*[names[name] for name in inputs if name not in travels])

    @property
    def _inputs(self) -> list[str]:
        """The columns that the models which Spark scores take."""
        return [b.column for spec in self.in_spark for b in self.bindings[spec.name]]

    @property
    def _travelling(self) -> dict[str, str]:
        """Column → its name on the way to the workers."""
        names = list(dict.fromkeys([*self.needed, *self._inputs]))
        fresh = unlike(names, "c")
        alike = len({name.lower() for name in names}) < len(names)
        return {
            name: f"{fresh}{i}" if alike or not _PLAIN.fullmatch(name) else name
            for i, name in enumerate(names)
        }

    @property
    def _scores(self) -> str:
        """How the names of Spark's own scores begin on the way."""
        return unlike(self._travelling.values(), "s")

    def apply(self, df: DataFrame, task: ScoreTask) -> DataFrame:
        """`df` scored: by Spark alone where that is possible, else by the Arrow route."""
        if not self.in_python:
            return self._finished(self.select(df))

        def run(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
            return score_batches(task, iter(batches))

        with own_libraries(df.sparkSession, environment_of(self.in_python)):
            return self.select(df).mapInArrow(run, self.schema)

    def _finished(self, made: DataFrame) -> DataFrame:
        """What the workers would return, where Spark has scored every model."""
        names, tagged = self._travelling, {f.name for f in made.schema.fields if f.metadata}
        kept = [
            column(names[name]).alias(new, metadata={})
            if names[name] in tagged
            else F.expr(f"{names[name]} AS {quoted(new)}")
            for name, (_, new) in zip(self._kept, self.keep, strict=True)
        ]
        structs = [column(f"{self._scores}{i}") for i in range(len(self.specs))]
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
    wanted = {joined(name.lower()) for name in spec.signature.names}
    present = [f for f in schema.fields if joined(f.name.lower()) in wanted]
    inputs = arrow_schema(StructType(present), where=where, zone=zone)
    # The other columns matter only as the nearest match of what is missing.
    others = [f.name for f in schema.fields if joined(f.name.lower()) not in wanted]
    return pa.schema([*inputs, *(pa.field(name, pa.null()) for name in others)])


def _as_named(schema: pa.Schema, spec: ModelSpec, *, fold_case: bool) -> pa.Schema:
    """The columns that a model's inputs surely mean, under the inputs' own names."""
    columns = Columns(schema.names, fold_case=fold_case)
    met = {f.name: columns.of(f.name, blanks=f.blanks) for f in spec.signature.inputs}
    return pa.schema(
        [schema.field(found[0]).with_name(n) for n, found in met.items() if len(found) == 1]
    )
