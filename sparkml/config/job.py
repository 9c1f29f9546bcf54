"""`JobConfig`: what one scoring job is, as a frozen value with the same keys as the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationInfo, field_validator

from sparkml.config.fields import (
    AsTuple,
    FileAddress,
    Free,
    MlflowAddress,
    Names,
    Options,
    Section,
    SomeNames,
    Text,
    formed,
    parse_names,
    shown,
)
from sparkml.config.signature import nulls_as_written, parse_nulls, parse_signature
from sparkml.config.sinks import Sink
from sparkml.config.sources import Source, refuse_source
from sparkml.errors import did_you_mean
from sparkml.spec import NullPolicy, Signature

OURS = {
    "error": "tells why a row has no score",
    "provenance": "tells which model gave a row its score",
}
"""The output's columns that every job has."""


Digest = Annotated[
    str, formed(r"[0-9a-f]{64}", "64 hexadecimal digits", "copy it, or leave it out")
]


Environment = Literal["ignore", "warn", "error", "match"]


class ModelEntry(Section):
    """One model: where it is, and what the caller knows better than its files."""

    uri: MlflowAddress
    """`models:/name@alias`, `models:/name/3`, `runs:/…`, a folder or a file."""
    digest: Digest | None = None
    """The digest that its files must have; others are refused. `emr submit` writes it down."""
    origin: MlflowAddress | None = None
    """The model that `uri` holds a copy of, such as `models:/wine/3`: what the output's provenance
    tells instead."""
    flavor: Text | None = None
    """Forces a flavor; the files decide when null."""
    nulls: Annotated[
        Mapping[str, NullPolicy] | None,
        BeforeValidator(parse_nulls),
        PlainSerializer(nulls_as_written),
    ] = None
    """Per input column; the key `"*"` is the default. Null leaves it to the model's own."""
    signature: Annotated[Signature | None, BeforeValidator(parse_signature)] = None
    """The columns it takes and gives, when the model itself does not say."""
    inputs: Names = ()
    """The table's columns in the order in which the model takes them, where it knows no names."""
    outputs: Names = ()
    """Which of its outputs to give, by name, `margin`, `leaf` and `contributions` among them where
    it has them; empty for its usual ones."""
    environment: Environment | None = None
    """As the job's `environment`, for this model alone."""
    params: Free = Field(default_factory=dict)
    """What a model is scored with besides the rows: passed to a pyfunc model's `predict`; a keyed
    model takes `unknown_key` and `cache_mib`, boosted trees the rounds that score (models.md)."""
    model_config_: Free = Field(default_factory=dict, alias="model_config")
    """What a model is opened with: passed to a pyfunc model; `providers` and `shapes` of ONNX,
    `device` of torch and transformers, `base_margin` of XGBoost."""


class Registry(Section):
    """MLflow's addresses; its own environment variables decide where null."""

    tracking_uri: Text | None = None
    """MLflow's tracking server, or a database such as `sqlite:///mlflow.db`."""
    registry_uri: Text | None = None
    """The model registry, where it is not on the tracking server."""


class Step(Section):
    """A column computed by Spark before the model, replacing one of the same name."""

    column: Text
    """The column's name."""
    expr: Text
    """A Spark SQL expression over the source's columns and those of earlier steps; it may call any
    feature of docs/features.md."""
    encoding: FileAddress | None = None
    """The JSON file of a fitted encoding, which `expr` may call by the name of this column:
    `{column: city_rate, encoding: city_rate.json, expr: city_rate(city)}`."""


class SparkSection(Section):
    """The session, where the job starts one itself."""

    master: Text | None = None
    """What spark-submit says when null, else `local[*]`."""
    conf: Options = Field(default_factory=dict)
    """Spark's own settings; they win over those of spark-submit."""


class Workers(Section):
    """How the Python workers are run."""

    tuned: bool = True
    """Removes Spark's per-task costs in workers that our entry points start."""


def kept(value: object) -> tuple[str, ...] | Literal["*"]:
    """The names of columns, or `"*"` for all."""
    return "*" if value == "*" else parse_names(value)


class JobConfig(Section):
    """A scoring job: source, steps, models, sink. Checked without Spark, in milliseconds.

    `model_dump(mode="json", by_alias=True)` gives plain values, from which
    `model_validate` makes an equal one.
    """

    models: Annotated[Mapping[Text, ModelEntry], Field(min_length=1)]
    """Output column → model; several are scored in one pass over the rows."""
    registry: Registry = Registry()
    trust: Literal["always", "promised", "never"] = "always"
    """Which models may run code when they are loaded: all, those whose digest is promised, none."""
    environment: Environment = "warn"
    """What a difference from the libraries that the model was trained with is; `match` runs the
    workers with those: see docs/models.md."""
    source: Source
    steps: Annotated[tuple[Step, ...], AsTuple] = ()
    key: SomeNames
    """The columns that tell a row from every other; always written."""
    keep: Annotated[tuple[str, ...] | Literal["*"], BeforeValidator(kept)] = ()
    """Further input columns to write; `"*"` is all of them."""
    rename: Mapping[Text, Text] = Field(default_factory=dict)
    """Output column → the name under which it is written."""
    batch_rows: Annotated[int, Field(ge=1)] | None = None
    """Rows per call of a model; by bytes when null."""
    max_quarantine: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.01
    """The share of rows, 0 to 1, that may fail; above it nothing is committed. Never a count: `1`
    is every row, and `0` none."""
    sink: Sink
    result: FileAddress | None = None
    """A JSON file that tells the run's outcome, for whoever cannot see the driver's output."""
    spark: SparkSection = SparkSection()
    workers: Workers = Workers()

    @field_validator("models")
    @classmethod
    def _some_are_ours(cls, models: Mapping[str, ModelEntry]) -> Mapping[str, ModelEntry]:
        for name, meaning in OURS.items():
            if name in models:
                raise ValueError(f"'{name}' is the column that {meaning}")
        return models

    @field_validator("key", "keep")
    @classmethod
    def _models_have_their_own_names(
        cls, names: tuple[str, ...] | str, info: ValidationInfo
    ) -> tuple[str, ...] | str:
        taken = {*info.data.get("models", ()), *OURS}
        clash = [name for name in names if name in taken]
        if clash:
            raise ValueError(f"names {shown(clash[0])}, which is the name of an output column")
        return names

    @field_validator("rename")
    @classmethod
    def _renamed_columns_differ(
        cls, rename: Mapping[str, str], info: ValidationInfo
    ) -> Mapping[str, str]:
        keep = info.data.get("keep", ())
        outputs = {*info.data.get("models", ()), *info.data.get("key", ()), *keep} - {"*"}
        for name in rename:
            if name in OURS:
                raise ValueError(f"renames '{name}', which always has this name")
            if keep != "*" and name not in outputs:
                near = did_you_mean(name, sorted(outputs))
                raise ValueError(f"names {shown(name)}, which is no output column ({near})")
        written = [*rename.values(), *OURS, *(outputs - set(rename))]
        twice = sorted({name for name in rename.values() if written.count(name) > 1})
        if twice:
            raise ValueError(f"gives two columns the name {shown(twice[0])}")
        return rename

    @field_validator("sink")
    @classmethod
    def _source_is_not_replaced(cls, sink: Sink, info: ValidationInfo) -> Sink:
        if sink.mode == "replace":
            refuse_source(getattr(sink, "path", None), info)
        return sink
