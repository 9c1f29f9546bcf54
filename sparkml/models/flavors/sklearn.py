"""The scikit-learn flavor: any fitted estimator or pipeline that predicts."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sparkml.arrow import check_numbers, matrix
from sparkml.errors import ConfigError, SignatureError
from sparkml.lists import is_list
from sparkml.models.extra_outputs import check_fields, check_outputs, extra_field
from sparkml.models.flavors.boosted_categories import categorical, category_type, fits
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
    missing_text,
    settle,
    taken_apart,
    takes_matrix,
)
from sparkml.models.flavors.sklearn_labels import both_of, public_name
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
from sparkml.models.frames import frame, objects
from sparkml.models.results import as_column, as_nested
from sparkml.spec import Field
from sparkml.type_names import to_arrow_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from sparkml.models.flavors.sklearn_columns import Told
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
    if model_config:
        raise ConfigError(
            "a scikit-learn model takes no model_config", where=str(folder), fix="leave it out"
        )
    method = method_of(description, where=str(folder))
    loaded, differences = read_estimator(folder, description)
    made = RestoredModel if is_skops(folder, description) else SklearnModel
    return made(loaded, differences, method=method, where=str(folder))


class SklearnModel:
    """An estimator, its steps taken apart: `predict` and `predict_proba` share the transforms.

    Another `method` than `predict` is the one that MLflow was told to call (`pyfunc_predict_fn`):
    `prediction` is what it gives, and nothing else is given by default.
    """

    def __init__(
        self, loaded: Any, differences: tuple[str, ...], *, method: str = "predict", where: str
    ) -> None:
        self.where, self.method = where, method
        self.differences = differences
        estimator = chosen(loaded)
        self.steps, self.final = taken_apart(estimator)
        check_predicts(self.final, method, where=where)
        self.estimator = estimator
        first = (*self.steps, self.final)[0]  # a pipeline asks its first step, `passthrough` too
        # Read now: `settle` may forget the names.
        self.names, self.width = names_of(first)
        self._plain = takes_matrix(estimator)
        self._text = public_name(type(first)) in VECTORIZERS
        self.has_probability = method == "predict" and hasattr(self.final, "predict_proba")

    @cached_property
    def told(self) -> list[Told]:
        """What its parts tell of each column; see `sklearn_columns`."""
        width = self.width or 0
        if self._plain and not holds_texts(self.estimator):
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
        if self._text:
            return (Field(name="text", type="string"),)
        told = self.told
        if not self.names:
            if not told or UNKNOWN in told:
                return ()
            types = [one.type or "double" for one in told]
            if {*types} == {"double"}:
                return (Field(name="features", type="list<double>", length=self.width),)
            every = tuple(Field(name=f"x{i}", type=dtype) for i, dtype in enumerate(types))
            return every if self._plain else ()
        named = zip(self.names, told, strict=True)
        return tuple(Field(name=n, type=one.type) for n, one in named if one is not UNUSED)

    @property
    def hint(self) -> str:
        """The line that tells the types of the columns."""
        return line_to_write(self.names)

    def outputs(self, inputs: tuple[Field, ...], recorded: tuple[Field, ...]) -> tuple[Field, ...]:
        """`prediction`, and `probability` where it has one; asked of the model with two rows."""
        from sklearn.base import is_regressor

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
        """See `check_boosters`."""
        check_boosters(where=self.where)

    def extras(self, inputs: tuple[Field, ...]) -> tuple[Field, ...]:
        """`margin`, `leaf` and `contributions`, those that the last step gives for two rows."""
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
            order = order_of(self._given(inputs), names, where=self.where)
            examples = {names[i]: one.example for i, one in zip(order, told, strict=True)}
        return probe(of, inputs, missing=False, examples=examples)

    def predictor(self, signature: Signature, params: Mapping[str, Any]) -> SklearnPredictor:
        """The model as it scores batches of `signature`."""
        if params:
            raise ConfigError(
                "a scikit-learn model takes no params",
                where=self.where,
                fix="leave them out, or say flavor: pyfunc",
            )
        return SklearnPredictor(self, signature)

    def features(self, inputs: tuple[Field, ...]) -> Callable[[pa.RecordBatch], Any]:
        """A function from a batch to what the last step gets for it.

        Raises:
            SignatureError: the columns are not those that the model was trained on.
        """
        convert = self._converter(inputs)

        def transform(batch: pa.RecordBatch) -> Any:
            x = convert(batch)
            for step in self.steps:
                x = step.transform(x)
            return x

        return transform

    def call(
        self, wanted: Sequence[str] = (PREDICTION, PROBABILITY)
    ) -> Callable[[Any], tuple[Any, Any]]:
        """A function from `features` to what `predict` and `predict_proba` return for them."""
        if not {PREDICTION, PROBABILITY} & set(wanted):
            return lambda _: (None, None)
        if PROBABILITY not in wanted or not self.has_probability:
            predict = getattr(self.final, self.method)
            return lambda x: (predict(x), None)
        if PREDICTION not in wanted:
            return lambda x: (None, self.final.predict_proba(x))
        return self._both

    @cached_property
    def _both(self) -> Callable[[Any], tuple[Any, Any]]:
        return both_of(self.final)

    def _converter(self, inputs: tuple[Field, ...]) -> Callable[[pa.RecordBatch], Any]:
        """How a batch becomes `X`: a matrix, texts, or a DataFrame with the trained names."""
        types = [to_arrow_type(f.type) for f in inputs]
        vector = len(inputs) == 1 and is_list(types[0])
        numbers = all(_is_number(t.value_type if is_list(t) else t) for t in types)
        if self._text:
            if len(inputs) != 1:
                raise SignatureError(
                    f"the model takes one column of texts, the signature has {len(inputs)} columns",
                    where=self.where,
                    fix="declare one input of type string",
                )
            return lambda batch: objects(batch.column(0))
        self._check_width(inputs, vector=vector)
        as_matrix = self._plain and numbers and (vector or not any(map(is_list, types)))
        settle(self.estimator, as_matrix=as_matrix)
        width = (inputs[0].length or self.width) if vector else None
        if vector:
            check_numbers(inputs, where=self.where)
        if vector and (as_matrix or not self.names):
            return partial(matrix, width=width)
        names = self.names or [f.name for f in inputs]
        if vector:
            return lambda batch: _named(matrix(batch, width), names)
        given = self._given(inputs)
        order = order_of(given, [f.name for f in inputs], where=self.where)
        arrange = _arranged(order)
        if as_matrix:
            return lambda batch: matrix(arrange(batch))
        missing = missing_text(self.estimator)
        categories = self._categories(given, [inputs[i] for i in order])

        def convert(batch: pa.RecordBatch) -> Any:
            rows = arrange(batch)
            made = frame(rows, given, missing=missing)
            for place, told in categories.items():
                known = categorical(rows.column(place), told.categories, strict=told.strict)
                made[given[place]] = known
            if not self.names and self._plain:  # what it was trained on was an array
                return made.to_numpy(dtype=object)
            return made if len(given) == len(names) else made.reindex(columns=names)

        return convert

    def _given(self, inputs: tuple[Field, ...]) -> list[str]:
        """The trained names of the columns in `inputs`: all of them, or those that are used."""
        every = self.names or [f.name for f in inputs]
        return every if len(inputs) == len(every) else self.used

    def _categories(self, given: list[str], inputs: list[Field]) -> dict[int, Told]:
        """Where the frame holds pandas' categories, and what is told of them.

        Raises:
            SignatureError: a column is declared as what they cannot be.
        """
        told = dict(zip(self.names, self.told, strict=True)) if self.names else {}
        made = {}
        for place, (name, declared) in enumerate(zip(given, inputs, strict=True)):
            known = told[name].categories if name in told else None
            if known is None:
                continue
            if not fits(to_arrow_type(declared.type), known):
                raise SignatureError(
                    f"the model takes {category_type(known)} in '{name}', the signature says "
                    f"{declared.type}",
                    where=self.where,
                    fix="declare the type that it was trained on",
                )
            made[place] = told[name]
        return made

    def _check_width(self, inputs: tuple[Field, ...], *, vector: bool) -> None:
        given = inputs[0].length if vector else len(inputs)
        few = len(self.used) if self.names and not vector and not self._plain else self.width
        if self.width is not None and given not in (None, self.width, few):
            raise SignatureError(
                f"the model was trained on {self.width} columns, the signature has {given}",
                where=self.where,
                fix="declare the columns that it was trained on",
            )


class RestoredModel(SklearnModel):
    """An estimator that skops put together from what its file says, whoever wrote that."""

    def check(self) -> None:
        """Look whether its arrays keep compiled code inside: see `check_arrays`."""
        check_arrays(self.estimator, where=self.where)
        super().check()


class SklearnPredictor:
    """An estimator bound to a signature; see `base.Predictor`."""

    def __init__(self, model: SklearnModel, signature: Signature) -> None:
        self._model, self._signature = model, signature
        self._names = [f.name for f in signature.outputs]
        self._types = [to_arrow_type(f.type) for f in signature.outputs]
        self._extras = extras_of(model.final)
        usual = [PREDICTION, PROBABILITY] if model.has_probability else [PREDICTION]
        known = [*usual, *self._extras]
        for name, dtype in zip(self._names, self._types, strict=True):
            check_fields(name, dtype)
        check_outputs(self._names, known, where=model.where)
        self._features = model.features(signature.inputs)
        self._call = model.call(self._names)

    @cached_property
    def takes_nan(self) -> bool:
        """Whether it scores a row of missing values, and gives a finite result for it.

        Asked of the model itself: scikit-learn's own tag `allow_nan` is not carried through
        pipelines (1.9), and says nothing about encoders.
        """
        seen = probe(self._outputs, self._signature.inputs, missing=True)
        return seen is not None and all(_is_finite(part) for part in seen.values())

    def predict(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """The outputs of `batch`."""
        if not batch.num_rows:  # scikit-learn refuses an empty matrix
            return [pa.array([], dtype) for dtype in self._types]
        outputs = self._outputs(batch)
        made = []
        for name, dtype in zip(self._names, self._types, strict=True):
            values = outputs[name]
            nested = isinstance(values, list) and is_list(dtype.value_type)
            made.append(as_nested(values) if nested else as_column(values, dtype))
        return made

    def _outputs(self, batch: pa.RecordBatch) -> dict[str, Any]:
        x = self._features(batch)
        usual = dict(zip((PREDICTION, PROBABILITY), self._call(x), strict=True))
        return {n: usual[n] if n in usual else self._extras[n](x) for n in self._names}


def _after(first: Callable[[Any], Any], then: Callable[[Any], Any], batch: pa.RecordBatch) -> Any:
    return then(first(batch))


def _is_number(dtype: pa.DataType) -> bool:
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
    return any(test(dtype) for test in tests)


def _arranged(order: list[int]) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    if order == list(range(len(order))):
        return lambda batch: batch
    return lambda batch: batch.select(order)


def _named(values: Any, names: list[str]) -> Any:
    import pandas as pd

    return pd.DataFrame(values, columns=names, copy=False)


def _is_finite(part: Any) -> bool:
    if isinstance(part, list):
        return all(_is_finite(p) for p in part)
    array = np.asarray(part)
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())
