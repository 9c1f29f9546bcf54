"""What a Spark ML stage takes and makes: its columns' types, and the length of its vectors."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sparkml.models.flavors.spark_ml_stages import Stage, read_stages, unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sparkml.spec import Field

VECTOR = "list<double>"
_VECTOR_OF_VECTOR = (
    "ChiSqSelectorModel",
    "DCT",
    "ElementwiseProduct",
    "IDFModel",
    "MaxAbsScalerModel",
    "MinMaxScalerModel",
    "Normalizer",
    "PCAModel",
    "PolynomialExpansion",
    "RobustScalerModel",
    "StandardScalerModel",
    "UnivariateFeatureSelectorModel",
    "VarianceThresholdSelectorModel",
    "VectorIndexerModel",
    "VectorSlicer",
)
"""The classes of stages that make a vector of a vector."""

INPUT_TYPES = {
    "IsotonicRegressionModel": "",  # a number or a vector: its files do not tell
    **dict.fromkeys(("RegexTokenizer", "StringIndexerModel", "Tokenizer"), "string"),
    **dict.fromkeys(
        ("CountVectorizerModel", "HashingTF", "NGram", "StopWordsRemover", "Word2VecModel"),
        "list<string>",
    ),
    **dict.fromkeys(
        ("Binarizer", "Bucketizer", "ImputerModel", "OneHotEncoderModel", "VectorAssembler"),
        "double",
    ),
    **dict.fromkeys((*_VECTOR_OF_VECTOR, "VectorSizeHint"), VECTOR),
}
"""A stage's class → the type of the table's columns that it takes; a predictor takes a vector."""


OUTPUT_TYPES = {
    **dict.fromkeys(
        ("Binarizer", "Bucketizer", "ImputerModel", "StringIndexerModel", "TargetEncoderModel"),
        "double",
    ),
    "IndexToString": "string",
    **dict.fromkeys(("NGram", "RegexTokenizer", "StopWordsRemover", "Tokenizer"), "list<string>"),
    **dict.fromkeys(
        (
            *_VECTOR_OF_VECTOR,
            "CountVectorizerModel",
            "DistributedLDAModel",
            "FeatureHasher",
            "HashingTF",
            "Interaction",
            "LocalLDAModel",
            "OneHotEncoderModel",
            "VectorAssembler",
            "Word2VecModel",
        ),
        VECTOR,
    ),
}
"""The class of a stage that does not predict → the type of the columns that it makes."""


def input_type(stage: Stage) -> str:
    """The type of the columns that a stage takes; empty where its class does not tell."""
    return INPUT_TYPES.get(stage.kind, VECTOR if stage.param("featuresCol") else "")


def made_types(stages: Iterable[Stage], inputs: Iterable[Field]) -> dict[str, str]:
    """The columns that stages make of `inputs`, and their types; empty where nobody tells.

    A Binarizer alone makes what it takes: a number of a number, a vector of a vector. What SQL
    makes is not among them.
    """
    types = {f.name: f.type for f in inputs}
    made: dict[str, str] = {}
    for stage in stages:
        taken = dict(zip(stage.makes, stage.takes, strict=False))
        for name in stage.makes:
            same = stage.kind == "Binarizer" and types.get(taken.get(name, ""), "")[:5] == "list<"
            made[name] = VECTOR if same else OUTPUT_TYPES.get(stage.kind, "")
        types |= made
    return made


def width_of(stage: Stage) -> int | None:
    """The length of the vectors that a stage takes, where its files tell.

    Raises:
        ModelUnreadable: they tell no number.
    """
    try:
        return _width(stage)
    except (TypeError, ValueError, LookupError, OverflowError) as error:
        raise unreadable(stage.folder, error) from error


def _width(stage: Stage) -> int | None:
    known = stage.params.get("numFeatures") if stage.kind != "HashingTF" else None
    if known is None and stage.params.get("layers"):
        known = stage.params["layers"][0]
    if known is None and stage.params.get("size") and stage.kind == "VectorSizeHint":
        known = stage.params["size"]
    if known is None and (stage.folder / "model_0").is_dir():  # one against the rest
        return _width(read_stages(stage.folder / "model_0")[0])
    return int(known) if known and int(known) > 0 else _width_in_data(stage)


def _vector(value: Mapping[str, Any]) -> int:
    return int(value["size"] or len(value["values"]))


def _side(name: str, value: Mapping[str, Any]) -> int:
    return int(value[name])


WIDTHS: dict[str, Callable[[Any], int]] = {
    "numFeatures": int,
    **dict.fromkeys(
        (
            "coefficients",
            "linear",
            "clusterCenter",
            "center",
            "std",
            "idf",
            "originalMin",
            "maxAbs",
            "range",
        ),
        _vector,
    ),
    "mus": lambda value: _vector(value[0]),
    "theta": partial(_side, "numCols"),
    "pc": partial(_side, "numRows"),
}
"""A column of a stage's Parquet data → the length of its feature vectors, out of a value."""


def _width_in_data(stage: Stage) -> int | None:
    import pyarrow.parquet as pq

    for path in sorted((stage.folder / "data").rglob("*.parquet")):
        try:
            file = pq.ParquetFile(path)
            name = next((n for n in WIDTHS if n in file.schema_arrow.names), None)
            for batch in file.iter_batches(1, columns=[name]) if name else ():
                return WIDTHS[str(name)](batch.column(0)[0].as_py())
        except (OSError, KeyError, TypeError, ValueError, IndexError) as error:
            raise unreadable(path, error) from error
    return None
