"""The LightGBM flavor: a model's text (`.txt`), and MLflow's boosters and scikit-learn wrappers.

What `prediction` and `probability` are goes by the objective:

| objective | `prediction` | `probability` |
|---|---|---|
| `binary` | the likelier class | of both classes |
| `multiclass`, `multiclassova` | the likeliest class | of each class |
| every other: regression, quantile, ranking, cross entropy, own | the library's number | none |

A class is its label where a wrapper (`LGBMClassifier`) was stored, else its index, `int64`. The
other wrappers give the library's number whatever their objective, as their own `predict` does. Of
early stopping's rounds the best counts, as in `Booster.predict`. The matrix that the library gets
is NumPy's, in double precision; with one thread per core of the task.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkml.errors import ConfigError, ModelUnreadable
from sparkml.models.extra_outputs import CONTRIBUTIONS, LEAF, MARGIN, per_tree
from sparkml.models.extras import need
from sparkml.models.flavors.boosted import BoostedModel
from sparkml.models.flavors.boosted_categories import categories_of_lightgbm, coded
from sparkml.models.flavors.boosted_rounds import of_rounds
from sparkml.models.flavors.lightgbm_text import check_booster, check_same, objective_of
from sparkml.models.flavors.sklearn_file import check_predicts, code_in, read_estimator
from sparkml.models.mlmodel import inside
from sparkml.models.pools import pool_threads

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt
    import pyarrow as pa

    from sparkml.models.mlmodel import MLmodel

CLASSIFIES = frozenset({"binary", "multiclass", "multiclassova"})
"""The objectives whose raw results are probabilities of classes."""

WRAPPERS = frozenset({"LGBMClassifier", "LGBMRanker", "LGBMRegressor"})


def runs_code(folder: Path, description: MLmodel | None) -> str:
    """Why opening these files runs code that they hold; empty for a text and for skops."""
    if description is None or _is_booster(description):
        return ""
    return code_in(folder, _as_sklearn(description))


def open_model(
    folder: Path, description: MLmodel | None, model_config: Mapping[str, Any]
) -> BoostedModel:
    """The booster in `folder`, read.

    Raises:
        ModelUnreadable: the text is damaged or from a newer LightGBM, a pickle cannot be read, or
            holds something other than LightGBM's own wrappers.
        ExtraMissing: LightGBM is not installed.
    """
    if model_config:
        raise ConfigError(
            "a LightGBM model takes no model_config", where=str(folder), fix="leave it out"
        )
    need("lightgbm", extra="lightgbm", why="a LightGBM model")
    if description is not None and not _is_booster(description):
        return _opened_wrapper(folder, description)
    path = _text_file(folder, description)
    return BoostedModel(LightGBMBooster(_read(path), file=path), where=str(path))


class LightGBMBooster:
    """A `boosted.Booster`; `labels` are those of a wrapper's classes.

    Unless it `classifies`, its results are numbers, even where they are probabilities. `file` holds
    its text, where it is not a wrapper's.
    """

    blanks = True

    def __init__(
        self,
        booster: Any,
        labels: npt.NDArray[Any] | None = None,
        *,
        classifies: bool = True,
        file: Path | None = None,
    ) -> None:
        self._booster, self._labels, self._file = booster, labels, file
        self._threads, self._classifies = pool_threads(), classifies
        text = booster.model_to_string(num_iteration=1)
        self.names: list[str] = booster.feature_name()
        self.named = self.names != [f"Column_{i}" for i in range(len(self.names))]
        knows_classes = labels is not None or objective_of(text) in CLASSIFIES
        self.has_probability = classifies and knows_classes
        self.categories = categories_of_lightgbm(booster)
        self.extras = {
            MARGIN: lambda x: self._predict(x, raw_score=True),
            LEAF: lambda x: per_tree(self._predict(x, pred_leaf=True)),
            CONTRIBUTIONS: self._contributions,
        }

    def of_rounds(self, params: Mapping[str, Any]) -> LightGBMBooster:
        """The same with the trees that `start_iteration` and `num_iteration` name."""
        if not params:
            return self
        booster = of_rounds(self._booster, params)
        return LightGBMBooster(booster, self._labels, classifies=self._classifies)

    def check(self) -> None:
        """See `check_booster`; and that it is what the file says."""
        if self._file:
            understood = self._booster.model_to_string(num_iteration=-1)
            check_same(self._file.read_text(encoding="utf-8"), understood)
        check_booster(self._booster)

    def convert(self, batch: pa.RecordBatch) -> Any:
        """The matrix; a category is its code, an unseen one is missing, as LightGBM has it."""
        return coded(batch, self.categories, strict=False)

    def of_matrix(self, values: npt.NDArray[np.float64]) -> Any:
        """The matrix itself."""
        return values

    def score(self, x: Any, *, probability: bool) -> tuple[Any, Any]:
        """The library's result, or the likeliest class and the probabilities, from one pass."""
        result = self._predict(x)
        if not self.has_probability:
            return result, None
        chances = result if result.ndim == 2 else np.vstack((1.0 - result, result)).T
        index = np.argmax(chances, axis=1)
        labels = index if self._labels is None else self._labels[index]
        return labels, chances if probability else None

    def _predict(self, x: Any, **kind: bool) -> Any:
        return self._booster.predict(x, num_threads=self._threads, **kind)

    def _contributions(self, x: Any) -> Any:
        """Row × feature and expected value, or row × class × feature and expected value."""
        values = self._predict(x, pred_contrib=True)
        width = len(self.names) + 1
        return values if values.shape[1] == width else values.reshape(len(values), -1, width)


def _opened_wrapper(folder: Path, description: MLmodel) -> BoostedModel:
    wrapper, differences = read_estimator(folder, _as_sklearn(description))
    check_predicts(wrapper, where=str(folder))
    kind = type(wrapper)
    if kind.__name__ not in WRAPPERS or kind.__module__ != "lightgbm.sklearn":
        raise ModelUnreadable(
            f"a {kind.__name__} is none of LightGBM's own wrappers, and may predict as it likes",
            where=str(folder),
            fix="say flavor: pyfunc",
        )
    own_objective = callable(getattr(wrapper, "_objective", None))
    labels = None if own_objective else getattr(wrapper, "classes_", None)
    classifies = kind.__name__ == "LGBMClassifier"
    booster = LightGBMBooster(wrapper.booster_, labels, classifies=classifies)
    return BoostedModel(booster, where=str(folder), differences=differences)


def _is_booster(description: MLmodel) -> bool:
    own = description.flavors["lightgbm"]
    return str(own.get("model_class", "lightgbm.basic.Booster")) == "lightgbm.basic.Booster"


def _as_sklearn(description: MLmodel) -> MLmodel:
    """The description of a wrapper as that of the scikit-learn model that its file holds."""
    own = description.flavors["lightgbm"]
    serialized = {"pickled_model": own.get("data"), "serialization_format": "cloudpickle", **own}
    return replace(description, flavors={**description.flavors, "sklearn": serialized})


def _text_file(folder: Path, description: MLmodel | None) -> Path:
    if description is not None:
        return inside(folder, description.flavors["lightgbm"].get("data", ""), key="data")
    return next(path for path in sorted(folder.iterdir()) if path.suffix == ".txt")


def _read(path: Path) -> Any:
    lightgbm = need("lightgbm", extra="lightgbm", why="a LightGBM model")
    try:
        return lightgbm.Booster(model_file=str(path))
    except (OSError, lightgbm.basic.LightGBMError) as error:
        raise _unreadable(error, path) from error


def _unreadable(error: Exception, path: Path) -> ModelUnreadable:
    return ModelUnreadable(
        f"LightGBM cannot read the model: {error}",
        where=str(path),
        fix="store it again with Booster.save_model, by the LightGBM version installed here",
    )
