"""The scikit-learn flavor: any fitted estimator or pipeline that predicts."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkml.errors import ConfigError
from sparkml.models.extra_outputs import extra_field
from sparkml.models.flavors.boosted_rounds import wrapper_of_rounds
from sparkml.models.flavors.boosters_inside import check_boosters
from sparkml.models.flavors.sklearn_arrays import check_arrays
from sparkml.models.flavors.sklearn_columns import (
    NUMBER,
    UNKNOWN,
    UNUSED,
    VECTORIZERS,
    columns_of,
    names_of,
)
from sparkml.models.flavors.sklearn_extras import extras_of, names_after
from sparkml.models.flavors.sklearn_file import (
    check_predicts,
    code_in,
    is_skops,
    method_of,
    read_estimator,
)
from sparkml.models.flavors.sklearn_graph import (
    chosen,
    holds_texts,
    taken_apart,
    takes_matrix,
)
from sparkml.models.flavors.sklearn_input import converter, given_names
from sparkml.models.flavors.sklearn_labels import both_of, public_name
from sparkml.models.flavors.sklearn_predictor import SklearnPredictor
from sparkml.models.flavors.sklearn_signature import (
    PREDICTION,
    PROBABILITY,
    chances_type,
    line_to_write,
    order_of,
    outputs_of,
    probe,
    tried,
)
from sparkml.models.flavors.xgboost_margin import CONFIG, margin_of
from sparkml.models.model_config import check_keys
from sparkml.spec import Field

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from sparkml.models.flavors.sklearn_columns import Told
    from sparkml.models.flavors.xgboost_margin import Margin
    from sparkml.models.mlmodel import MLmodel
    from sparkml.spec import Signature


def runs_code(folder: Path, description: MLmodel | None) -> str:
    """Why opening these files runs code that they hold; empty for skops, which cannot."""
    return code_in(folder, description)


def open_model(
    folder: Path, description: MLmodel | None, model_config: Mapping[str, Any]
) -> SklearnModel:
    """The estimator in `folder`, loaded and made ready to score.

    Raises:
        ModelUnreadable: it cannot be read, is not fitted, or is no estimator that predicts.
        UntrustedModel: a skops file holds something other than scikit-learn's classes.
        ExtraMissing: scikit-learn or skops is not installed.
    """
    where = str(folder)
    method = method_of(description, where=where)
    loaded, differences = read_estimator(folder, description)
    made = RestoredModel if is_skops(folder, description) else SklearnModel
    return made(loaded, differences, method=method, config=model_config, where=where)


class SklearnModel:
    """An estimator, its steps taken apart: `predict` and `predict_proba` share the transforms.

    Another `method` than `predict` is the one that MLflow was told to call (`pyfunc_predict_fn`):
    `prediction` is what it gives, and nothing else is given by default.
    """

    strangers = True
    """Whether classes of anybody's may be in it, as a pickle has them."""

    def __init__(
        self,
        loaded: Any,
        differences: tuple[str, ...],
        *,
        method: str = "predict",
        config: Mapping[str, Any] | None = None,
        where: str,
    ) -> None:
        self.where, self.method = where, method
        self.differences = differences
        estimator = chosen(loaded)
        self.steps, self.final = taken_apart(estimator)
        check_predicts(self.final, method, where=where)
        self.estimator = estimator
        self.margin = _margin(self.final, config or {}, where)
        self.more = (self.margin.field,) if self.margin else ()
        first = (*self.steps, self.final)[0]  # a pipeline asks its first step, `passthrough` too
        # Read now: `settle` may forget the names.
        self.names, self.width = names_of(first)
        self.blanks = hasattr(first, "booster_")  # LightGBM writes underscores for them
        self.plain = takes_matrix(estimator)
        self.text = public_name(type(first)) in VECTORIZERS
        self.has_probability = method == "predict" and hasattr(self.final, "predict_proba")

    @cached_property
    def told(self) -> list[Told]:
        """What its parts tell of each column; see `sklearn_columns`."""
        width = self.width or 0
        if self.plain and not holds_texts(self.estimator):
            return [NUMBER] * width
        return columns_of(self.estimator, self.names, width)

    @property
    def used(self) -> list[str]:
        """The names of the columns that some part looks at."""
        pairs = zip(self.names, self.told, strict=True)
        return [name for name, told in pairs if told is not UNUSED]

    @property
    def inputs(self) -> tuple[Field, ...]:
        """The columns that the estimator and its parts tell; the type of one may be open.

        By name; where it was trained without names one vector, or `x0`, `x1`, … of several types.
        """
        if self.text:
            return (Field(name="text", type="string"),)
        told = self.told
        if not self.names:
            if not told or UNKNOWN in told:
                return ()
            types = [one.type or "double" for one in told]
            if {*types} == {"double"}:
                return (Field(name="features", type="list<double>", length=self.width),)
            every = tuple(Field(name=f"x{i}", type=dtype) for i, dtype in enumerate(types))
            return every if self.plain else ()
        named = zip(self.names, told, strict=True)
        blanks = self.blanks
        return tuple(
            Field(name=n, type=one.type, blanks=blanks and "_" in n)
            for n, one in named
            if one is not UNUSED
        )

    @property
    def hint(self) -> str:
        """The line that tells the types of the columns."""
        return line_to_write(self.names)

    def outputs(self, inputs: tuple[Field, ...], recorded: tuple[Field, ...]) -> tuple[Field, ...]:
        """`prediction`, and `probability` where it has one; asked of the model with two rows."""
        from sklearn.base import is_regressor

        inputs = self.own(inputs)
        seen = self._probed(inputs, partial(_after, self.features(inputs), self.call()))
        if self.method != "predict":
            return (Field(name=PREDICTION, type=chances_type(seen and seen[0])),)
        classes = getattr(self.final, "classes_", None)
        if classes is not None and not len(classes):  # CatBoost's regressors have some too
            classes = None
        made = outputs_of(classes, seen, probability=self.has_probability)
        if not made and is_regressor(self.final):
            return (Field(name=PREDICTION, type="double"),)
        if not made and len(recorded) == 1:
            return (Field(name=PREDICTION, type=recorded[0].type),)
        return made

    def check(self) -> None:
        """Look whether its arrays keep compiled code inside: `check_arrays`, `check_boosters`."""
        check_arrays(self.estimator, where=self.where, strangers=self.strangers)
        check_boosters(where=self.where)

    def extras(self, inputs: tuple[Field, ...]) -> tuple[Field, ...]:
        """`margin`, `leaf` and `contributions`, those that the last step gives for two rows."""
        inputs = self.own(inputs)
        features = self.features(inputs)
        names = names_after(self.steps, self.names, self.final)
        made = []
        for name, of in extras_of(self.final).items():
            seen = self._probed(inputs, partial(_after, features, of))
            if seen is None:  # an encoder that knows no empty text: the last step by itself
                seen = tried(of, np.zeros((2, getattr(self.final, "n_features_in_", 0))))
            if seen is not None:
                made.append(extra_field(name, seen, names))
        return tuple(made)

    def _probed(self, inputs: tuple[Field, ...], of: Callable[[pa.RecordBatch], Any]) -> Any:
        examples, names = {}, [f.name for f in inputs]
        told = [t for t in self.told if len(names) == len(self.told) or t is not UNUSED]
        if len(told) == len(names):
            order = order_of(given_names(self, inputs), names, where=self.where)
            examples = {names[i]: one.example for i, one in zip(order, told, strict=True)}
        return probe(of, inputs, missing=False, examples=examples)

    def predictor(self, signature: Signature, params: Mapping[str, Any]) -> SklearnPredictor:
        """The model as it scores batches of `signature`, by the trees that `params` name.

        Raises:
            ConfigError: its last step takes no such params, or has no such trees.
        """
        if params:
            self.final = wrapper_of_rounds(self.final, params)
        return SklearnPredictor(self, signature)

    def own(self, inputs: tuple[Field, ...]) -> tuple[Field, ...]:
        """The inputs without the base margin, which no step but the last one takes."""
        return self.margin.others(inputs) if self.margin else inputs

    def features(self, inputs: tuple[Field, ...]) -> Callable[[pa.RecordBatch], Any]:
        """A function from a batch to what the last step gets for it.

        Raises:
            SignatureError: the columns are not those that the model was trained on.
        """
        own = self.own(inputs)
        convert = converter(self, own)
        names = [f.name for f in own] if len(own) < len(inputs) else []

        def transform(batch: pa.RecordBatch) -> Any:
            x = convert(batch.select(names) if names else batch)
            for step in self.steps:
                x = step.transform(x)
            return x

        return transform

    def call(
        self, wanted: Sequence[str] = (PREDICTION, PROBABILITY)
    ) -> Callable[..., tuple[Any, Any]]:
        """A function from `features` to what `predict` and `predict_proba` return for them."""
        if not {PREDICTION, PROBABILITY} & set(wanted):
            return lambda _, **__: (None, None)
        if PROBABILITY not in wanted or not self.has_probability:
            predict = getattr(self.final, self.method)
            return lambda x, **more: (predict(x, **more), None)
        if PREDICTION not in wanted:
            return lambda x, **more: (None, self.final.predict_proba(x, **more))
        return self._both

    @cached_property
    def _both(self) -> Callable[..., tuple[Any, Any]]:
        return both_of(self.final)


class RestoredModel(SklearnModel):
    """An estimator that skops put together from what its file says, whoever wrote that."""

    strangers = False


def _margin(final: Any, config: Mapping[str, Any], where: str) -> Margin | None:
    """The base margin that XGBoost's wrappers take, where one is named."""
    if not config:
        return None
    if not hasattr(final, "get_booster"):
        raise ConfigError(
            "a scikit-learn model takes no model_config", where=where, fix="leave it out"
        )
    check_keys(config, CONFIG, what="a wrapper of XGBoost's")
    return margin_of(final.get_booster(), config, where=where, wrapper=True)


def _after(first: Callable[[Any], Any], then: Callable[[Any], Any], batch: pa.RecordBatch) -> Any:
    return then(first(batch))
