"""The XGBoost flavor: a model's own file (`.json`, `.ubj`), and MLflow's boosters and wrappers.

What `prediction` and `probability` are goes by the objective, as in `XGBClassifier`:

| objective | `prediction` | `probability` |
|---|---|---|
| `binary:logistic` | 1 where p > 0.5, else 0 | of both classes |
| `binary:logistic` of several targets | a 0 or 1 for each | of each target's 1 |
| `multi:softprob`, `multi:softmax` | the likeliest class | of each class |
| `binary:hinge`, `binary:logitraw` | 1 where the result > 0.5, else 0 | none |
| every other (regression, ranking, survival, one's own) | the library's number | none |
| the same of several targets or quantiles | a list of numbers | none |

A regressor or ranker gives the library's number whatever its objective, as its own `predict` does.
Classes are indices, `int64`: XGBoost knows no others. Of early stopping's rounds the best counts,
as in the wrappers (a bare `Booster.predict` would take them all). Features reach the library in
single precision, which is all that it computes with, and its numbers are `float`; probabilities
and extras are the same 32 bits in doubles. A base margin is a column: see `xgboost_margin`.

A category that the model was not trained on is an error on its row: the library (3.2) would score
it as the first category. Extras other than the margin are an error on rows with infinities, which
XGBoost's own matrix refuses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sparkml.models.extra_outputs import CONTRIBUTIONS, LEAF, MARGIN, per_tree
from sparkml.models.extras import need
from sparkml.models.flavors.boosted import BoostedModel
from sparkml.models.flavors.boosted_categories import categories_of_xgboost, coded
from sparkml.models.flavors.boosted_rounds import of_rounds
from sparkml.models.flavors.xgboost_device import device_of_booster, put_on
from sparkml.models.flavors.xgboost_file import model_file, refuse_newer, unreadable
from sparkml.models.flavors.xgboost_margin import CONFIG as MARGIN_CONFIG
from sparkml.models.flavors.xgboost_margin import margin_of
from sparkml.models.flavors.xgboost_trees import check_booster
from sparkml.models.model_config import check_keys
from sparkml.models.pools import pool_threads

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt
    import pyarrow as pa

    from sparkml.models.mlmodel import MLmodel

ONE_PROBABILITY = frozenset({"binary:logistic"})
OF_EACH_CLASS = frozenset({"multi:softprob", "multi:softmax"})
ABOVE_A_HALF = frozenset({"binary:hinge", "binary:logitraw"})
CONFIG = {
    "device": "where the model runs: cpu (default), cuda (a Spark task's own GPU) or cuda:1",
    **MARGIN_CONFIG,
}
"""The keys of `model_config` that an XGBoost model takes."""
NUMBERS = frozenset({"XGBModel", "XGBRanker", "XGBRegressor", "XGBRFRegressor"})
"""The wrappers whose `predict` gives the library's number, whatever the objective."""


def runs_code(folder: Path, description: MLmodel | None) -> str:  # noqa: ARG001
    """Empty: XGBoost's own formats hold numbers and names."""
    return ""


def open_model(
    folder: Path, description: MLmodel | None, model_config: Mapping[str, Any]
) -> BoostedModel:
    """The booster in `folder`, read.

    Raises:
        ModelUnreadable: the file is no XGBoost model, is damaged, or is from a newer XGBoost.
        ConfigError: an unknown key of `model_config`, or a margin that can be none.
        ExtraMissing: XGBoost is not installed.
        GpuMissing: it is told to use a GPU, and XGBoost sees none.
    """
    check_keys(model_config, CONFIG, what="an XGBoost model")
    xgboost = need("xgboost", extra="xgboost", why="an XGBoost model")
    path = model_file(folder, description)
    refuse_newer(path, xgboost.__version__)
    try:
        booster = xgboost.Booster({"nthread": pool_threads()}, model_file=str(path))
    except (xgboost.core.XGBoostError, ValueError, UnicodeDecodeError) as error:
        raise unreadable(error, path) from error
    put_on(booster, str(model_config.get("device", "cpu")))
    own = description.flavors["xgboost"] if description else {}
    wrapper = str(own.get("model_class", "")).rpartition(".")[2]
    margin = margin_of(booster, model_config, where=str(path))
    return BoostedModel(XGBoostBooster(booster, xgboost, wrapper), where=str(path), margin=margin)


class Rows(NamedTuple):
    """What is scored: the matrix, and what each row's sum begins with, where that is given."""

    values: npt.NDArray[np.float32]
    margin: npt.NDArray[np.float32] | None = None


class XGBoostBooster:
    """A `boosted.Booster`; `wrapper` is the class that MLflow says it was stored from."""

    blanks = False

    def __init__(self, booster: Any, xgboost: Any, wrapper: str = "") -> None:
        self._booster, self._xgboost, self._wrapper = booster, xgboost, wrapper
        config = _config(booster)
        self._objective: str = config["objective"]["name"]
        kind = config["gradient_booster"]["name"]
        linear, self._dart = kind == "gblinear", kind == "dart"
        best = booster.attr("best_iteration")
        self._rounds = (0, int(best) + 1 if best is not None and not linear else 0)
        # A matrix in host memory is scored in place by the CPU alone.
        self._in_place = not linear and device_of_booster(booster) == "cpu"
        names = booster.feature_names
        self.named = names is not None
        self.names: list[str] = names or [f"f{i}" for i in range(booster.num_features())]
        self.categories = categories_of_xgboost(booster)
        self._numbers = wrapper in NUMBERS or _wrapper_s_kind(booster) in ("regressor", "ranker")
        by_class = self._objective in ONE_PROBABILITY | OF_EACH_CLASS
        self.has_probability = by_class and not self._numbers
        self.extras = {
            MARGIN: lambda x: self._predict(x, margin=True),
            LEAF: lambda x: per_tree(self._from_dmatrix(x, pred_leaf=True)),
            CONTRIBUTIONS: lambda x: self._from_dmatrix(x, pred_contribs=True),
        }

    def of_rounds(self, params: Mapping[str, Any]) -> XGBoostBooster:
        """The same with the trees that `iteration_range` names."""
        if not params:
            return self
        wrapped = self._wrapper not in ("", "Booster") or bool(_wrapper_s_kind(self._booster))
        booster = of_rounds(self._booster, params, wrapped=wrapped)
        return XGBoostBooster(booster, self._xgboost, self._wrapper)

    def check(self) -> None:
        """See `check_booster`."""
        check_booster(self._booster)

    def convert(self, batch: pa.RecordBatch) -> Any:
        """The matrix; a category is its code, an unseen one is an error."""
        return self.of_matrix(coded(batch, self.categories, strict=True))

    def of_matrix(self, values: npt.NDArray[np.float64]) -> Any:
        """The matrix in single precision, as the library itself would convert it."""
        with np.errstate(over="ignore"):  # 1e300 is an infinity there too
            return Rows(values.astype(np.float32))

    def beside(self, x: Rows, margin: npt.NDArray[np.float32] | None) -> Rows:
        """The rows with their margins."""
        return Rows(x.values, margin)

    def score(self, x: Any, *, probability: bool) -> tuple[Any, Any]:
        """The wrappers' `predict` and `predict_proba`, from one pass."""
        if self._numbers:
            return self._predict(x), None
        if self._objective == "multi:softmax":
            margins = self._predict(x, margin=True)
            return np.argmax(margins, axis=1), _softmax(margins) if probability else None
        result = self._predict(x)
        if self._objective in OF_EACH_CLASS:
            return np.argmax(result, axis=1), result if probability else None
        if self._objective in ABOVE_A_HALF:
            return (result > 0.5).astype(np.int64), None
        if self._objective not in ONE_PROBABILITY:
            return result, None
        several = result.ndim == 2
        chances = result if several else np.vstack((1.0 - result, result)).T
        return (result > 0.5).astype(np.int64), chances if probability else None

    def _predict(self, x: Rows, *, margin: bool = False) -> Any:
        # In place, XGBoost (3.2) adds no base margin to dart's trees.
        if not self._in_place or (self._dart and x.margin is not None):
            return self._from_dmatrix(x, output_margin=margin)
        return self._booster.inplace_predict(
            x.values,
            base_margin=x.margin,
            iteration_range=self._rounds,
            predict_type="margin" if margin else "value",
            validate_features=False,
        )

    def _from_dmatrix(self, x: Rows, **kind: bool) -> Any:
        rows = self._xgboost.DMatrix(
            x.values,
            base_margin=x.margin,
            feature_names=self._booster.feature_names,
            feature_types=self._booster.feature_types,
            nthread=pool_threads(),
        )
        return self._booster.predict(rows, iteration_range=self._rounds, **kind)


def _wrapper_s_kind(booster: Any) -> str:
    """`classifier`, `regressor` or `ranker`, as a wrapper writes it in its file; else empty."""
    import json

    told = json.loads(booster.attr("scikit_learn") or "{}")
    return str(told.get("_estimator_type", "")) if isinstance(told, dict) else ""


def _config(booster: Any) -> Mapping[str, Any]:
    import json

    learner: Mapping[str, Any] = json.loads(booster.save_config())["learner"]
    return learner


def _softmax(margins: npt.NDArray[np.float32]) -> Any:
    from scipy.special import softmax  # as the wrapper: XGBoost brings SciPy

    return softmax(margins, axis=1)
