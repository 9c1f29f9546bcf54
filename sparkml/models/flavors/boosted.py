"""What LightGBM, XGBoost and CatBoost have in common: columns, types, and a batch in one pass."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from sparkml.arrow import check_numbers, matrix
from sparkml.errors import ModelUnreadable, SignatureError
from sparkml.lists import is_list
from sparkml.models.extra_outputs import check_fields, check_outputs, extra_field
from sparkml.models.flavors.boosted_categories import (
    category_type,
    fits,
)
from sparkml.models.flavors.sklearn_signature import (
    PREDICTION,
    PROBABILITY,
    line_to_write,
    order_of,
    outputs_of,
    probe,
)
from sparkml.models.rehearsal import rehearse
from sparkml.models.results import as_column
from sparkml.spec import Field
from sparkml.type_names import to_arrow_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from sparkml.models.extra_outputs import Extras
    from sparkml.models.flavors.xgboost_margin import Margin
    from sparkml.spec import Signature

    Convert = Callable[[pa.RecordBatch], Any]


class Booster(Protocol):
    """A library's model, as far as the three differ."""

    @property
    def names(self) -> Sequence[str]:
        """The features that it was trained on."""
        ...

    @property
    def named(self) -> bool:
        """Whether the names are somebody's, and not numbers that the library gave."""
        ...

    @property
    def blanks(self) -> bool:
        """Whether the library writes underscores for blanks in names."""
        ...

    @property
    def categories(self) -> Mapping[int, pa.Array | None]:
        """Feature → its categories, None where any text is one; the other features are numbers."""
        ...

    @property
    def has_probability(self) -> bool:
        """Whether it is a classifier that tells probabilities."""
        ...

    @property
    def extras(self) -> Extras:
        """Its further outputs."""
        ...

    def convert(self, batch: pa.RecordBatch) -> Any:
        """A batch with a column for each feature, in the trained order, as the library takes it."""
        ...

    def of_matrix(self, values: npt.NDArray[np.float64]) -> Any:
        """A matrix of numbers as the library takes it."""
        ...

    def score(self, x: Any, *, probability: bool) -> tuple[Any, Any]:
        """`prediction` and, where it is asked for, `probability`."""
        ...

    def of_rounds(self, params: Mapping[str, Any]) -> Booster:
        """The same with the trees alone that `params` name."""
        ...

    def check(self) -> None:
        """Nothing, or ValueError: what it is made of would lead the library out of it."""
        ...


class BoostedModel:
    """A `base.OpenModel` around a `Booster`."""

    def __init__(
        self,
        booster: Booster,
        *,
        where: str,
        differences: tuple[str, ...] = (),
        margin: Margin | None = None,
    ) -> None:
        self.booster, self.where, self.differences = booster, where, differences
        self.margin = margin

    @property
    def more(self) -> tuple[Field, ...]:
        """The column of the base margin, which is no feature."""
        return (self.margin.field,) if self.margin else ()

    @property
    def inputs(self) -> tuple[Field, ...]:
        """A double for each feature, or its categories' type; one vector if nothing has a name."""
        names, categories = self.booster.names, self.booster.categories
        if not self.booster.named and not categories:
            return (Field(name="features", type="list<double>", length=len(names)),)
        types = [
            category_type(categories[i]) if i in categories else "double" for i in range(len(names))
        ]
        blanks = self.booster.blanks
        return tuple(
            Field(name=name, type=dtype, blanks=blanks and "_" in name)
            for name, dtype in zip(names, types, strict=True)
        )

    @property
    def hint(self) -> str:
        """The line that tells the types of the columns."""
        return line_to_write(self.booster.names)

    def outputs(
        self,
        inputs: tuple[Field, ...],
        recorded: tuple[Field, ...],  # noqa: ARG002 -- the model itself is asked
    ) -> tuple[Field, ...]:
        """`prediction`, and `probability` where it has one; asked of the model with two rows."""
        seen = self.probed(inputs, partial(self.booster.score, probability=True))
        has = self.booster.has_probability
        return outputs_of(None, seen, probability=has) if seen else ()

    def extras(self, inputs: tuple[Field, ...]) -> tuple[Field, ...]:
        """`margin`, `leaf` and `contributions`, those that the library gives for such a model."""
        seen = ((name, self.probed(inputs, of)) for name, of in self.booster.extras.items())
        names = self.booster.names
        return tuple(extra_field(n, values, names) for n, values in seen if values is not None)

    def predictor(self, signature: Signature, params: Mapping[str, Any]) -> BoostedPredictor:
        """The model as it scores batches of `signature`.

        `params` name the trees that score: see `boosted_rounds`.

        Raises:
            SignatureError: the columns are not those that it was trained on.
            ConfigError: `params` hold something else, or name trees that it has not.
        """
        booster = self.booster.of_rounds(params)
        model = BoostedModel(booster, where=self.where, margin=self.margin)
        return BoostedPredictor(model, signature)

    def check(self) -> None:
        """Refuse a model that the library would follow out of itself.

        Raises:
            ModelUnreadable: it is damaged.
        """
        try:
            self.booster.check()
        except (ValueError, KeyError, TypeError) as error:
            raise ModelUnreadable(
                f"the model is damaged: {error}",
                where=self.where,
                fix="store it again, by the version of the library that is installed here",
            ) from error

    def probed(self, inputs: tuple[Field, ...], of: Callable[[Any], Any]) -> Any:
        """What `of` gives for two rows without values, or of zeros if it refuses those."""
        convert = self.converter(inputs)
        for missing in (True, False):
            seen = probe(lambda batch: of(convert(batch)), inputs, missing=missing)
            if seen is not None:
                return seen
        return None

    def features(self, inputs: tuple[Field, ...]) -> tuple[Field, ...]:
        """The inputs without the margin."""
        return self.margin.others(inputs) if self.margin else inputs

    def converter(self, inputs: tuple[Field, ...]) -> Convert:
        """How a batch becomes the library's `X`.

        Raises:
            SignatureError: other features than it was trained on, or of another kind.
        """
        margin, features = self.margin, self.features(inputs)
        convert = self._converter(features)
        if margin is None:
            return convert
        names = [f.name for f in features]
        booster: Any = self.booster
        return lambda batch: booster.beside(convert(batch.select(names)), margin.of(batch))

    def _converter(self, inputs: tuple[Field, ...]) -> Convert:
        booster = self.booster
        types = [to_arrow_type(f.type) for f in inputs]
        if len(inputs) == 1 and is_list(types[0]) and not booster.categories:
            check_numbers(inputs, where=self.where)
            width = len(booster.names)
            if inputs[0].length not in (None, width):
                raise SignatureError(
                    f"the model was trained on {width} features, the vector has {inputs[0].length}",
                    where=self.where,
                    fix="declare the vector that it was trained on",
                )
            return lambda batch: booster.of_matrix(matrix(batch, width))
        given = [f.name for f in inputs]
        # Numbers that the library gave are no names: the columns stand in the model's order.
        trained = booster.names if booster.named or len(given) != len(booster.names) else given
        order = order_of(trained, given, where=self.where)
        for place, index in enumerate(order):
            given = booster.categories.get(place, pa.array([], pa.float64()))
            if not fits(types[index], given):
                raise SignatureError(
                    f"the model takes {category_type(given)} in '{booster.names[place]}', the "
                    f"signature says {inputs[index].type}",
                    where=self.where,
                    fix="declare the type that it was trained on",
                )
        return lambda batch: booster.convert(batch.select(order))


class BoostedPredictor:
    """A model of boosted trees bound to a signature; see `base.Predictor`."""

    def __init__(self, model: BoostedModel, signature: Signature) -> None:
        self._model, self._inputs = model, signature.inputs
        self._outputs = {f.name: to_arrow_type(f.type) for f in signature.outputs}
        usual = [PREDICTION, PROBABILITY] if model.booster.has_probability else [PREDICTION]
        known = [*usual, *model.booster.extras]
        for name, dtype in self._outputs.items():
            check_fields(name, dtype)
        check_outputs(self._outputs, known, where=model.where)
        self._convert = model.converter(signature.inputs)

    @cached_property
    def takes_nan(self) -> bool:
        """Whether it scores a row of missing values, of missing numbers at least; it is asked."""

        def scored(batch: pa.RecordBatch) -> Any:
            return self._model.booster.score(self._convert(batch), probability=False)

        features = self._model.features(self._inputs)
        return any(
            probe(of, features, missing=True) is not None
            for of in (scored, lambda batch: scored(_without_null_texts(batch)))
        )

    def check(self) -> None:
        """See `rehearse`."""
        booster = self._model.booster
        known = {booster.names[place]: values for place, values in booster.categories.items()}
        rehearse(self.predict, self._inputs, known)

    def predict(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """The outputs of `batch`."""
        if not batch.num_rows:  # the libraries refuse an empty matrix
            return [pa.array([], dtype) for dtype in self._outputs.values()]
        booster = self._model.booster
        x = self._convert(batch)
        made: dict[str, Any] = {}
        if PREDICTION in self._outputs or PROBABILITY in self._outputs:
            usual = booster.score(x, probability=PROBABILITY in self._outputs)
            made = dict(zip((PREDICTION, PROBABILITY), usual, strict=True))
        return [
            as_column(made[name] if name in made else booster.extras[name](x), dtype)
            for name, dtype in self._outputs.items()
        ]


def _without_null_texts(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = [c.fill_null("") if pa.types.is_string(c.type) else c for c in batch.columns]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)
