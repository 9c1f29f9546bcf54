"""The stages of a saved Spark ML model, read from its JSON and Parquet; no Spark, no JVM."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkml.errors import ModelUnreadable, UnsupportedFlavor, UntrustedModel
from sparkml.models.documents import json_of
from sparkml.models.flavors.spark_ml_classes import IN_ONE_VS_REST, OWN

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

UID = re.compile(r"(?!.*\.\.)[\w .-]+")
"""A stage's name, which is a part of its path: Hadoop would expand commas, braces and stars."""

REFUSED = {
    "ALSModel": "its transform joins, which may lose or repeat rows; join its factors yourself",
    "RFormulaModel": "its steps are hidden in it; fit StringIndexer, OneHotEncoder and "
    "VectorAssembler themselves",
    "CrossValidatorModel": "it holds no bestModel; save it again",
    "TrainValidationSplitModel": "it holds no bestModel; save it again",
}
"""Spark's own stages that cannot be scored row by row, and what to do about each."""

TAKES = ("inputCol", "inputCols", "featuresCol", "offsetCol")
MAKES = (
    "outputCol",
    "outputCols",
    "predictionCol",
    "probabilityCol",
    "rawPredictionCol",
    "linkPredictionCol",
    "leafCol",
    "quantilesCol",
    "topicDistributionCol",
    "varianceCol",
)
"""The params that name the columns which `transform` reads, and those that it adds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage: its class, and its params, defaults included."""

    uid: str
    class_name: str
    params: Mapping[str, Any]
    folder: Path
    spark_version: str

    @property
    def kind(self) -> str:
        """Its class, without the package."""
        return self.class_name.rpartition(".")[2]

    @property
    def takes(self) -> tuple[str, ...]:
        """The columns that its `transform` reads."""
        return self._columns(TAKES)

    @property
    def makes(self) -> tuple[str, ...]:
        """The columns that its `transform` adds."""
        return self._columns(MAKES)

    def param(self, name: str) -> str:
        """A param that names a column; empty where it is unset."""
        return str(self.params.get(name) or "")

    def _columns(self, params: tuple[str, ...]) -> tuple[str, ...]:
        found: list[str] = []
        for name in params:
            if self.params.get(f"{name}s"):
                continue  # `outputCol` has a default, which counts where `outputCols` is unset
            value = self.params.get(name) or []
            found += [value] if isinstance(value, str) else value
        return tuple(dict.fromkeys(found))


def chosen_folder(folder: Path) -> Path:
    """The folder of the model itself: of a finished search, the one of its best model."""
    while (folder / "bestModel").is_dir():
        folder = folder / "bestModel"
    return folder


def read_stages(folder: Path) -> tuple[Stage, ...]:
    """The stages in `folder`, in their order; those of a pipeline in a pipeline likewise.

    Raises:
        ModelUnreadable: it is not what Spark ML's writers write.
        UnsupportedFlavor: a stage is not Spark's own, or cannot be scored row by row.
        UntrustedModel: the name of a stage leads to another folder.
    """
    metadata = _metadata(folder)
    name = str(metadata["class"])
    kind = name.rpartition(".")[2]
    if name not in OWN:
        raise _foreign(metadata, folder, "not Spark's own")
    if kind in REFUSED:
        raise UnsupportedFlavor(
            f"the stage {metadata['uid']} is a {kind}", where=str(folder), fix=REFUSED[kind]
        )
    if kind == "OneVsRestModel":
        _check_classifiers(folder)
    if kind != "PipelineModel":
        try:
            return (_stage(metadata, folder),)
        except TypeError as error:
            raise unreadable(folder / "metadata", error) from error
    uids = metadata["paramMap"].get("stageUids") or []
    if not isinstance(uids, list):
        raise unreadable(folder / "metadata", TypeError("stageUids is no list"))
    found: list[Stage] = []
    for place, uid in enumerate(uids):
        if not UID.fullmatch(str(uid)):
            raise UntrustedModel(
                f"the stage '{uid}' has a name that leads to another folder",
                where=str(folder),
                fix="save the model again, with uids of letters, digits and _",
            )
        # Spark pads the number, so that the folders sort as the stages do.
        inner = folder / "stages" / f"{place:0{len(str(len(uids)))}d}_{uid}"
        found += read_stages(chosen_folder(inner))
    return tuple(found)


def _check_classifiers(folder: Path) -> None:
    """What OneVsRest holds must be Spark's own too: Spark imports the class that is named there."""
    for inner in sorted(path.parent for path in folder.glob("*/metadata")):
        metadata = _metadata(inner)
        if metadata["class"] not in IN_ONE_VS_REST:
            raise _foreign(metadata, inner, "no classifier of Spark's own")
        _check_classifiers(inner)


def _foreign(metadata: Mapping[str, Any], folder: Path, what: str) -> UnsupportedFlavor:
    return UnsupportedFlavor(
        f"the stage {metadata['uid']} is a {metadata['class']}, which is {what}",
        where=str(folder),
        fix="do what it does in a step of the job, and save the rest of the pipeline",
    )


def _stage(metadata: Mapping[str, Any], folder: Path) -> Stage:
    own = {k: v for k, v in metadata.items() if k in ("numFeatures", "numClasses")}
    params = {**own, **metadata.get("defaultParamMap", {}), **metadata["paramMap"]}
    for name in (*TAKES, *MAKES):
        columns = params.get(name) or []
        if not isinstance(columns, str) and not all(isinstance(c, str) for c in columns):
            raise TypeError(f"{name} names no columns")
    return Stage(
        uid=str(metadata["uid"]),
        class_name=str(metadata["class"]),
        params=params,
        folder=folder,
        spark_version=str(metadata.get("sparkVersion", "")),
    )


def _metadata(folder: Path) -> dict[str, Any]:
    """The one JSON line that every Spark ML writer leaves under `metadata/`.

    Spark takes the first line of all files whose names start with neither `_` nor `.`.
    """
    files = sorted(p for p in (folder / "metadata").glob("*") if p.name[0] not in "_.")
    lines = [line for file in files for line in _text(file).splitlines() if line.strip()]
    try:
        (line,) = lines
        read = json_of(line)
        if isinstance(read["class"], str) and isinstance(read["paramMap"], dict) and read["uid"]:
            return dict(read)
        raise KeyError("class, uid, paramMap")
    except (LookupError, ValueError, TypeError) as error:
        raise unreadable(folder / "metadata", error) from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> ModelUnreadable:
    """The error for a file that a writer of Spark ML did not write, or that is damaged."""
    return ModelUnreadable(
        f"this is not what Spark ML writes: {type(error).__name__}: {error}",
        where=str(path),
        fix="save the model again (model.write().overwrite().save(…))",
    )
