"""The CatBoost flavor: a model's own file (`.cbm`), and MLflow's.

What `prediction` and `probability` are goes by the loss, as in CatBoost's own wrappers:

| loss | `prediction` | `probability` |
|---|---|---|
| `Logloss`, `CrossEntropy`, `Focal` | the class | of both classes |
| `MultiClass`, `MultiClassOneVsAll` | the class | of each class |
| `MultiLogloss`, `MultiCrossEntropy` | a 0 or 1 for each label | of each label's 1 |
| `Poisson`, `Tweedie` | the exponent of the raw score | none |
| `RMSEWithUncertainty` | mean and variance | none |
| `MultiQuantile`, `MultiRMSE`, … | a number for each | none |
| every other (regression, quantile, ranking) | the raw score | none |

Classes are the labels that it was trained on, of their own type: its file holds them. Class and
probabilities cost a pass each, since the library gives them apart. Categories are texts, or whole
numbers or booleans where the signature says so; an unseen one is scored as CatBoost does, a missing
one is an error on its row, as it is in CatBoost (`nulls: {city: {fill: ""}}` is the way round it).
CatBoost knows a boolean as the texts `1` and `0`: declare it `bool`, as a cast to text makes `true`
and `false` of it, which the model has never seen.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from sparkml.arrow import matrix
from sparkml.errors import ConfigError, ModelUnreadable
from sparkml.models.extra_outputs import CONTRIBUTIONS, LEAF, MARGIN, per_tree
from sparkml.models.extras import need
from sparkml.models.flavors.boosted import BoostedModel
from sparkml.models.flavors.boosted_rounds import of_rounds
from sparkml.models.flavors.catboost_trees import check_booster
from sparkml.models.frames import frame
from sparkml.models.mlmodel import inside
from sparkml.models.pools import pool_threads

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from sparkml.models.mlmodel import MLmodel

RAW = "RawFormulaVal"
CLASSES = frozenset(
    {"Logloss", "CrossEntropy", "Focal", "MultiClass", "MultiClassOneVsAll"}
    | {"MultiLogloss", "MultiCrossEntropy"}
)
PREDICTS = {
    "Poisson": "Exponent",
    "Tweedie": "Exponent",
    "RMSEWithUncertainty": "RMSEWithUncertainty",
    **dict.fromkeys(CLASSES, "Class"),
}
"""Loss → the `prediction_type` that the wrapper's `predict` has; the raw score for the others."""

_RELEASE = re.compile(r"(?:tags/v|release )(\d+\.\d+(?:\.\d+)?)")


def runs_code(folder: Path, description: MLmodel | None) -> str:  # noqa: ARG001
    """Empty: CatBoost's own formats hold numbers and names."""
    return ""


def open_model(
    folder: Path, description: MLmodel | None, model_config: Mapping[str, Any]
) -> BoostedModel:
    """The model in `folder`, read.

    Raises:
        ModelUnreadable: the file is no CatBoost model, or is damaged.
        ExtraMissing: CatBoost is not installed.
    """
    if model_config:
        raise ConfigError(
            "a CatBoost model takes no model_config", where=str(folder), fix="leave it out"
        )
    catboost = need("catboost", extra="catboost", why="a CatBoost model")
    own = description.flavors["catboost"] if description else {}
    if description is not None:
        path = inside(folder, own.get("data", ""), key="data")
    else:
        path = next(p for p in sorted(folder.iterdir()) if p.suffix == ".cbm")
    try:
        model = catboost.CatBoost().load_model(str(path), own.get("save_format", "cbm"))
        booster = CatBoostBooster(model, catboost)
    except catboost.CatBoostError as error:
        raise ModelUnreadable(
            f"CatBoost cannot read the file: {error}",
            where=str(path),
            fix="store it again with save_model, by the CatBoost version that is installed here",
        ) from error
    if model.get_embedding_feature_indices():
        raise ModelUnreadable(
            "the model takes embeddings", where=str(path), fix="log it with MLflow, flavor: pyfunc"
        )
    differences = _differences(model, catboost.__version__)
    return BoostedModel(booster, where=str(path), differences=differences)


class CatBoostBooster:
    """A `boosted.Booster`."""

    blanks = False

    def __init__(self, model: Any, catboost: Any) -> None:
        self._model, self._catboost = model, catboost
        loss = str(model.get_all_params().get("loss_function", "")).partition(":")[0]
        self._kind = PREDICTS.get(loss, RAW)
        self.names: list[str] = model.feature_names_
        self.named = self.names != [str(i) for i in range(len(self.names))]
        texts = {*model.get_cat_feature_indices(), *model.get_text_feature_indices()}
        self.categories: dict[int, None] = dict.fromkeys(sorted(texts))
        self.has_probability = self._kind == "Class"
        self.extras = {
            MARGIN: lambda x: self._predict(x, RAW),
            LEAF: lambda x: per_tree(model.calc_leaf_indexes(x, thread_count=pool_threads())),
            CONTRIBUTIONS: self._contributions,
        }

    def of_rounds(self, params: Mapping[str, Any]) -> CatBoostBooster:
        """The same with the trees from `ntree_start` to before `ntree_end`."""
        return CatBoostBooster(of_rounds(self._model, params), self._catboost) if params else self

    def check(self) -> None:
        """See `check_booster`."""
        try:
            check_booster(self._model)
        except self._catboost.CatBoostError as error:
            raise ValueError(f"CatBoost cannot write it again: {error}") from error

    def convert(self, batch: pa.RecordBatch) -> Any:
        """The matrix, or with categories the DataFrame, in which a missing text is NaN."""
        if not self.categories:
            return matrix(batch)
        columns = [
            _as_text(c) if i in self.categories else pc.cast(c, pa.float64())
            for i, c in enumerate(batch.columns)
        ]
        made = pa.RecordBatch.from_arrays(columns, names=[str(i) for i in range(len(columns))])
        return frame(made, self.names, missing=float("nan"))

    def of_matrix(self, values: npt.NDArray[np.float64]) -> Any:
        """The matrix itself."""
        return values

    def score(self, x: Any, *, probability: bool) -> tuple[Any, Any]:
        """What the wrapper's `predict` gives, and `predict_proba` where it has one."""
        wanted = probability and self.has_probability
        return self._predict(x, self._kind), self._predict(x, "Probability") if wanted else None

    def _predict(self, x: Any, kind: str) -> Any:
        return self._model.predict(x, prediction_type=kind, thread_count=pool_threads())

    def _contributions(self, x: Any) -> Any:
        pool = self._catboost.Pool(
            x,
            cat_features=self._model.get_cat_feature_indices(),
            text_features=self._model.get_text_feature_indices(),
            feature_names=self.names,
        )
        return self._model.get_feature_importance(
            pool, type="ShapValues", thread_count=pool_threads()
        )


def _as_text(column: pa.Array) -> pa.Array:
    """A category as CatBoost spells it: a boolean is `1` or `0`."""
    if pa.types.is_boolean(column.type):
        column = pc.cast(column, pa.int8())
    return pc.cast(column, pa.string())


def _differences(model: Any, here: str) -> tuple[str, ...]:
    """The version that wrote the file, where its first two parts are not those installed."""
    found = _RELEASE.search(model.get_metadata().get("catboost_version_info", "") or "")
    if not found or found[1].split(".")[:2] == here.split(".")[:2]:
        return ()
    return (f"catboost {found[1]} (here {here})",)
