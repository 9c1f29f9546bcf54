"""Scoring by key: a batch's rows go to the models of their keys and come back in their places."""

from __future__ import annotations

from collections import OrderedDict
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sparkml.arrow import cast_rule
from sparkml.errors import ConfigError, ModelUnreadable, SignatureError, did_you_mean
from sparkml.lists import stacked
from sparkml.models.flavors.keyed_index import KeyIndex
from sparkml.models.flavors.sklearn_signature import PROBABILITY
from sparkml.models.results import as_column
from sparkml.spec import Signature
from sparkml.type_names import to_arrow_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from sparkml.models.flavors.keyed import KeyedModel
    from sparkml.models.flavors.sklearn import SklearnModel

MIB = 1 << 20


class KeyedPredictor:
    """Many models bound to one signature; see `base.Predictor` and `base.Refusing`.

    A batch is sorted by key and each key's rows are predicted in one call of its model. Models are
    loaded when a row needs them; those least recently used go when there are more than the cache
    holds. So a batch costs a call for each of its keys: rows that come sorted by key, as
    `score_by_key` brings them, need fewer calls and fewer loads.
    """

    def __init__(self, model: KeyedModel, signature: Signature, params: Mapping[str, Any]) -> None:
        self._model, self._default = model, params["unknown_key"]
        self._limit_bytes = int(params["cache_mib"] * MIB)
        self._open: OrderedDict[int, _Part] = OrderedDict()
        self.held_bytes = 0
        index = model.parts.index
        known = index.filter(index["key"].is_valid())["key"].combine_chunks()
        self._index = KeyIndex(known.flatten())
        # One more for -1, the place of a key that the index does not know.
        self._bytes = np.append(index["length"].fill_null(-1).to_numpy(), -1)
        self._fallback = _global_place(model) if self._default == "global" else -1
        self._keys = _key_places(model, signature)
        self._features = [i for i in range(len(signature.inputs)) if i not in self._keys]
        features = tuple(signature.inputs[i] for i in self._features)
        self._signature = Signature(inputs=features, outputs=signature.outputs)
        self._types = [to_arrow_type(f.type) for f in signature.outputs]

    @cached_property
    def takes_nan(self) -> bool:
        """Whether the first of the models accepts missing values; all were made alike."""
        first = int(np.flatnonzero(self._bytes >= 0)[0])
        return self._part(first).predictor.takes_nan

    def refuse(self, batch: pa.RecordBatch) -> dict[int, str]:
        """Why a row has no model, for each that has none, where these are quarantined."""
        if self._default != "quarantine":
            return {}
        found = self._find(batch)
        rows = np.flatnonzero(self._bytes[found] < 0).tolist()
        lacking = batch.select(self._keys).take(pa.array(rows, pa.int64()))
        keys = list(zip(*(column.to_pylist() for column in lacking.columns), strict=True))
        places = dict(zip(keys, found[rows].tolist(), strict=True))
        reasons = {key: self._reason(key, place) for key, place in places.items()}
        return {row: reasons[key] for row, key in zip(rows, keys, strict=True)}

    def predict(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """The outputs of `batch`; null for a row without a model."""
        if not batch.num_rows:
            return [pa.array([], dtype) for dtype in self._types]
        found = self._find(batch)
        places = np.where(self._bytes[found] < 0, self._fallback, found)
        features = batch.select(self._features)
        if (places[1:] >= places[:-1]).all():
            return self._in_runs(places, features)
        order = np.argsort(places, kind="stable")
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        outputs = self._in_runs(places[order], features.take(pa.array(order)))
        return [output.take(pa.array(back)) for output in outputs]

    def _find(self, batch: pa.RecordBatch) -> npt.NDArray[np.int64]:
        return self._index.find([batch.column(i) for i in self._keys])

    def _in_runs(self, places: npt.NDArray[np.int64], features: pa.RecordBatch) -> list[pa.Array]:
        """The outputs of rows that stand together by key: one call a key."""
        cuts = [0, *(np.flatnonzero(np.diff(places)) + 1).tolist(), len(places)]
        runs = [self._of_one(int(places[a]), features.slice(a, b - a)) for a, b in pairwise(cuts)]
        return [pa.concat_arrays([run[i] for run in runs]) for i in range(len(self._types))]

    def _of_one(self, place: int, features: pa.RecordBatch) -> list[pa.Array]:
        if place < 0:
            return [pa.nulls(features.num_rows, dtype) for dtype in self._types]
        return self._part(place).predict(features)

    def _part(self, place: int) -> _Part:
        """The model in a row of the index, out of the cache or loaded into it."""
        if place in self._open:
            self._open.move_to_end(place)
            return self._open[place]
        part = _Part(self._model.load(place), self._signature, self._model.header.classes)
        self._open[place] = part
        self.held_bytes += int(self._bytes[place])
        while self.held_bytes > self._limit_bytes and len(self._open) > 1:
            gone, _ = self._open.popitem(last=False)
            self.held_bytes -= int(self._bytes[gone])
        return part

    def _reason(self, key: tuple[Any, ...], place: int) -> str:
        pairs = zip(self._model.header.keys, key, strict=True)
        said = ", ".join(f"{field.name}={value}" for field, value in pairs)
        why = f" ({self._model.why_not(place)})" if place >= 0 else ""
        return f"no model for {said}{why}"


class _Part:
    """One key's model, its probabilities in the order of the classes of all of them."""

    def __init__(self, model: SklearnModel, signature: Signature, classes: tuple[Any, ...]) -> None:
        self.predictor = model.predictor(signature, {})
        self._names = [f.name for f in signature.outputs]
        own = np.asarray(getattr(model.final, "classes_", ())).tolist()
        if not set(own) <= set(classes):
            raise ModelUnreadable(
                f"it has the classes {own}, the artifact {list(classes)}",
                where=model.where,
                fix="train it again",
            )
        self._own, self._all = own == list(classes), len(classes)
        self._places = [classes.index(label) for label in own]

    def predict(self, features: pa.RecordBatch) -> list[pa.Array]:
        outputs = self.predictor.predict(features)
        if self._own:
            return outputs
        return [
            self._spread(output) if name == PROBABILITY else output
            for name, output in zip(self._names, outputs, strict=True)
        ]

    def _spread(self, probabilities: pa.Array) -> pa.Array:
        """A class that the key's rows did not have is as improbable as can be."""
        table = np.zeros((len(probabilities), self._all))
        table[:, self._places] = stacked(probabilities, len(self._places))
        return as_column(table, probabilities.type)


def _global_place(model: KeyedModel) -> int:
    index = model.parts.index
    if index["key"].null_count == 0:
        raise ConfigError(
            "unknown_key is 'global', and there is no global model",
            where=model.where,
            fix="train it with global_model, or choose quarantine or null",
        )
    return int(index.num_rows - 1)


def _key_places(model: KeyedModel, signature: Signature) -> list[int]:
    """Where the key columns stand in the signature."""
    places = []
    for key in model.header.keys:
        if key.name not in signature.names:
            raise SignatureError(
                f"the key column '{key.name}' is not in the signature",
                where=model.where,
                fix=did_you_mean(key.name, signature.names),
            )
        place = signature.names.index(key.name)
        given = signature.inputs[place].type
        if cast_rule(to_arrow_type(given), to_arrow_type(key.type)) is None:
            raise SignatureError(
                f"the key column '{key.name}' is {key.type}, the signature says {given}",
                where=model.where,
                fix="leave the signature out: the model tells its own",
            )
        places.append(place)
    return places
