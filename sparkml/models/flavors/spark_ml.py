"""The Spark ML flavor: fitted pipelines and models that `MLWriter` saved; Spark itself scores them.

Opened from their JSON alone. What Spark then does with them: `sparkml.spark.ml.score`.
"""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING, Any, NoReturn

from sparkml.errors import (
    ConfigError,
    ModelUnreadable,
    SignatureError,
    UnsupportedFlavor,
    did_you_mean,
)
from sparkml.models.extra_outputs import LEAF, MARGIN, check_outputs
from sparkml.models.flavors.sklearn_signature import PREDICTION, PROBABILITY, line_to_write
from sparkml.models.flavors.spark_ml_stages import Stage, chosen_folder, read_stages
from sparkml.models.flavors.spark_ml_types import VECTOR, input_type, made_types, width_of
from sparkml.models.mlmodel import inside
from sparkml.spec import Field

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import pyarrow as pa

    from sparkml.models.mlmodel import MLmodel
    from sparkml.spec import Signature

FLAVOR = "spark"
SQL = "SQLTransformer"

OUTPUTS = {
    PROBABILITY: "probabilityCol",
    MARGIN: "rawPredictionCol",
    LEAF: "leafCol",
}
"""An output's name → the param of the predictor that names its column."""

WHOLE = frozenset({"BisectingKMeansModel", "GaussianMixtureModel", "KMeansModel"})
"""Whose `prediction` is an integer; all others give a double."""


def runs_code(folder: Path, description: MLmodel | None) -> str:
    """Why opening it runs code that it holds: JSON and Parquet cannot, SQL can call Java."""
    stages = read_stages(pipeline_folder(folder, description))
    sql = [stage.uid for stage in stages if stage.kind == SQL]
    return f"{', '.join(sql)} is SQL of the model's own, which can call Java" if sql else ""


def open_model(
    folder: Path, description: MLmodel | None, model_config: Mapping[str, Any]
) -> SparkMLModel:
    """The model in `folder`, as its metadata describes it.

    Raises:
        ModelUnreadable: it is not what Spark ML writes, or nothing in it predicts.
        UnsupportedFlavor: a stage is not Spark's own, or cannot be scored row by row.
    """
    if model_config:
        raise ConfigError(
            "a Spark ML model takes no model_config", where=str(folder), fix="leave it out"
        )
    home = pipeline_folder(folder, description)
    return SparkMLModel(read_stages(home), home)


def pipeline_folder(folder: Path, description: MLmodel | None) -> Path:
    """Where in a model's files the pipeline is.

    Raises:
        ModelUnreadable: the `MLmodel` names a folder that is not there.
        UntrustedModel: it names one outside.
    """
    if description is None:
        return chosen_folder(folder)
    name = description.flavors[FLAVOR].get("model_data", "sparkml")
    return chosen_folder(inside(folder, name, key="model_data", kind="folder"))


class SparkMLModel:
    """The stages of a pipeline, and what of them each output needs."""

    def __init__(self, stages: tuple[Stage, ...], home: Path) -> None:
        self.stages, self.home = stages, home
        self._last = next((s for s in reversed(stages) if s.param("predictionCol")), None)
        self._labels = next((s for s in reversed(stages) if self._names_labels(s)), None)
        self.columns = self._predicted(self._last) if self._last else self._made()
        if not self.columns and not self._has_sql:
            raise ModelUnreadable(
                "no stage of it makes a column", where=str(home), fix="save the fitted pipeline"
            )
        self.needed = self.stages_for([PREDICTION] if self._last else self.columns)

    def _names_labels(self, stage: Stage) -> bool:
        if self._last is None or stage.kind != "IndexToString":
            return False
        return stage.param("inputCol") == self._last.param("predictionCol")

    def _predicted(self, last: Stage) -> dict[str, str]:
        """The outputs of a model that predicts, and their columns."""
        label = self._labels.param("outputCol") if self._labels else ""
        columns = {PREDICTION: label or last.param("predictionCol")}
        return columns | {out: c for out, param in OUTPUTS.items() if (c := last.param(param))}

    def _made(self) -> dict[str, str]:
        """The columns of one that only transforms: they are its outputs, under their own names."""
        return {name: name for stage in self.stages for name in stage.makes}

    @property
    def _has_sql(self) -> bool:
        """Whether a stage makes columns that only its text tells."""
        return any(stage.kind == SQL for stage in self.stages)

    @property
    def differences(self) -> tuple[str, ...]:
        """The Spark that saved it, where its major version is not the one here.

        Spark reads what earlier versions saved, and promises so within a major version.
        """
        saved = (self._last or self.stages[-1]).spark_version
        try:
            here = importlib.metadata.version("pyspark")
        except importlib.metadata.PackageNotFoundError:
            return ()  # a driver without Spark reads the spec; the one that scores has it
        same = not saved or saved.split(".")[0] == here.split(".")[0]
        return () if same else (f"pyspark {saved} (here {here})",)

    @property
    def raw(self) -> tuple[str, ...] | None:
        """The table's columns that the needed stages take; None where one of them is SQL."""
        if any(self.stages[place].kind == SQL for place in self.needed):
            return None
        return tuple(dict.fromkeys(name for _, name in self._taken()))

    @property
    def inputs(self) -> tuple[Field, ...]:
        """The table's columns; empty where the class of a stage does not tell their type."""
        if self.raw is None:
            return ()
        found: dict[str, Field] = {}
        for stage, name in self._taken():
            dtype = input_type(stage)
            if not dtype or found.setdefault(name, self._field(name, dtype, stage)).type != dtype:
                return ()
        return tuple(found.values())

    @property
    def hint(self) -> str:
        """The line that tells the types of the columns."""
        if self.outputs((), ()):
            return line_to_write(self.raw or ())
        inputs = () if self.inputs else ('Field(name="…", type="double")', "…")
        outputs = [f'Field(name="{f.name}", type="{f.type}")' for f in self.extras(())[:3]]
        outputs.append(f'Field(name="…", type="{VECTOR}")')
        told = f"inputs=({', '.join(inputs)}), outputs=({', '.join(outputs)}, …)"
        return f"signature=Signature({told})"

    @property
    def takes_nan(self) -> bool:
        """Whether every column's missing values are provided for: imputed, or a label of their own.

        A tree also takes the NaN that an assembler keeps.
        """
        kind = self._last.kind if self._last else ""
        tree = kind.startswith(("DecisionTree", "GBT", "RandomForest"))
        taken = {"ImputerModel", "StringIndexerModel", *(["VectorAssembler"] if tree else [])}
        return all(
            s.kind in taken and (s.kind == "ImputerModel" or s.param("handleInvalid") == "keep")
            for s, _ in self._taken()
        )

    def outputs(self, inputs: tuple[Field, ...], recorded: tuple[Field, ...]) -> tuple[Field, ...]:
        """`prediction`, and `probability` where the predictor has a column for it.

        Of a model that only transforms, the columns that no stage of it takes again; none where
        the type of one, or what SQL makes, is not known.
        """
        del recorded
        if self._last is None:
            taken = {name for stage in self.stages for name in stage.takes}
            types = {n: t for n, t in made_types(self.stages, inputs).items() if n not in taken}
            known = all(types.values()) and not self._has_sql
            return tuple(Field(name=n, type=t) for n, t in types.items() if known)
        dtype = "int32" if self._last.kind in WHOLE else "double"
        made = [Field(name=PREDICTION, type="string" if self._labels else dtype)]
        if PROBABILITY in self.columns:
            made.append(Field(name=PROBABILITY, type=VECTOR))
        return tuple(made)

    def extras(self, inputs: tuple[Field, ...]) -> tuple[Field, ...]:
        """`margin`, the raw predictions; `leaf` where the model was saved with a `leafCol`.

        Of a model that only transforms, the columns in between.
        """
        if self._last is None:
            usual = {f.name for f in self.outputs(inputs, ())}
            types = {n: t for n, t in made_types(self.stages, inputs).items() if n not in usual}
            return tuple(Field(name=n, type=t) for n, t in types.items() if t)
        types = {MARGIN: VECTOR, LEAF: "list<int32>"}
        return tuple(Field(name=n, type=t) for n, t in types.items() if n in self.columns)

    def predictor(self, signature: Signature, params: Mapping[str, Any]) -> SparkMLPredictor:
        """The model bound to a signature, for `sparkml.spark.ml.score` to score."""
        where = str(self.home)
        if params:
            raise ConfigError("a Spark ML model takes no params", where=where, fix="leave them out")
        for name in self.raw or ():
            if name not in signature.names:
                raise SignatureError(
                    f"the model takes '{name}', the signature does not name it",
                    where=where,
                    fix=did_you_mean(name, signature.names),
                )
        names = [f.name for f in signature.outputs]
        if self._last is None and self._has_sql:
            self.columns = {name: name for name in (*self.columns, *names)}
        check_outputs(names, self.columns, where=where)
        if own := [name for name in names if name.lower() == "error"]:
            raise SignatureError(
                f"its column '{own[0]}' would stand beside the row's own error",
                where=where,
                fix="name the outputs without it, or save the stage with another outputCol",
            )
        return SparkMLPredictor(self, signature)

    def width(self, given: Field) -> int | None:
        """The length of a vector among the inputs; None where it is none.

        Raises:
            SignatureError: it is not the model's, or nobody tells it.
        """
        if given.type != VECTOR:
            return None
        known = next((f.length for f in self.inputs if f.name == given.name), None)
        if known and given.length in (None, known):
            return known
        if given.length and not known:
            return given.length
        raise SignatureError(
            f"the vectors of '{given.name}' have length {given.length or 'unknown'}"
            + (f", the model takes {known}" if known else ""),
            where=str(self.home),
            fix=f'Field(name="{given.name}", type="{VECTOR}", length={known or "…"})',
        )

    def stages_for(self, outputs: Iterable[str]) -> tuple[int, ...]:
        """The places of the stages that make these outputs; not that of a label's indexer, say."""
        wanted = {self.columns[name] for name in outputs}
        found: list[int] = []
        for place in reversed(range(len(self.stages))):
            stage = self.stages[place]
            # What SQL takes and makes is in its text: it is always needed.
            if stage.kind == SQL or wanted.intersection(stage.makes):
                found.append(place)
                wanted.update(stage.takes)
        return tuple(reversed(found))

    def _taken(self) -> list[tuple[Stage, str]]:
        """Each needed stage with each of the table's columns that it takes."""
        made: set[str] = set()
        found = []
        for stage in (self.stages[place] for place in self.needed):
            found += [(stage, name) for name in stage.takes if name not in made]
            made.update(stage.makes)
        return found

    def _field(self, name: str, dtype: str, stage: Stage) -> Field:
        length = width_of(stage) if dtype == VECTOR else None
        return Field(name=name, type=dtype, length=length)


class SparkMLPredictor:
    """What Spark needs to know to score with it; by itself it scores nothing."""

    def __init__(self, model: SparkMLModel, signature: Signature) -> None:
        outputs = [f.name for f in signature.outputs]
        self.takes_nan = model.takes_nan
        self.home = model.home
        self.columns = {name: model.columns[name] for name in outputs}
        self.stages = model.stages_for(outputs)
        self.raw = model.raw or signature.names
        self.widths = {f.name: w for f in signature.inputs if (w := model.width(f)) is not None}

    def predict(self, batch: pa.RecordBatch) -> NoReturn:
        """Never: Spark applies the pipeline's own `transform`."""
        del batch
        raise UnsupportedFlavor(
            "a Spark ML model is scored by its own transform, inside Spark",
            where=str(self.home),
            fix="use score(df, spec), or a job",
        )
