"""The keyed flavor: one model per key in one artifact, each row scored by the model of its key."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

from sparkml.errors import ConfigError, ModelNotFound, ModelUnreadable, did_you_mean
from sparkml.models.extras import need
from sparkml.models.flavors.keyed_file import (
    FLAVOR,
    MODELS,
    check_bytes,
    read_header,
    read_parts,
)
from sparkml.models.flavors.keyed_predictor import KeyedPredictor
from sparkml.models.flavors.sklearn import SklearnModel
from sparkml.models.host_cache import cached_folder
from sparkml.models.mlmodel import read_mlmodel

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sparkml.models.flavors.keyed_file import Header
    from sparkml.models.mlmodel import MLmodel
    from sparkml.spec import Field, ModelSpec, Signature

UNKNOWN_KEY = {
    "quarantine": "no score, and the error UNKNOWN_KEY",
    "global": "the score of the global model",
    "null": "no score, and no error",
}
"""What a row gets whose key has no model: the values of the param `unknown_key`."""
DEFAULTS = {"unknown_key": "quarantine", "cache_mib": 256}
"""The params. `cache_mib` bounds the models that a process holds open, by their pickled size."""


def runs_code(folder: Path, description: MLmodel | None) -> str:  # noqa: ARG001
    """Why opening these files runs code that they hold: the models are pickles."""
    return f"{MODELS} holds pickles, which run code when they are loaded"


def open_model(
    folder: Path, description: MLmodel | None, model_config: Mapping[str, Any]
) -> KeyedModel:
    """The models in `folder`: the index read, no model loaded.

    Raises:
        ModelUnreadable: a file is missing or damaged.
        ExtraMissing: scikit-learn is not installed.
    """
    if model_config:
        raise ConfigError(
            "a keyed model takes no model_config", where=str(folder), fix="say it under params"
        )
    need("sklearn", extra="sklearn", why="a keyed model")
    return KeyedModel(folder, _header(folder, description))


def key_columns(spec: ModelSpec) -> tuple[str, ...]:
    """The names of a keyed model's key columns; its files are in this host's cache.

    Raises:
        ModelNotFound: they are not.
        ModelUnreadable: it is another model, or a damaged one.
    """
    folder = cached_folder(spec.digest)
    if folder is None:
        raise ModelNotFound(
            "its files are not in this host's cache", where=spec.uri, fix="read_spec() it here"
        )
    return tuple(f.name for f in _header(folder, read_mlmodel(folder)).keys)


def _header(folder: Path, description: MLmodel | None) -> Header:
    if description is None or FLAVOR not in description.flavors:
        raise ModelUnreadable(
            "this is no keyed model", where=str(folder), fix="train one with train_many()"
        )
    return read_header(description.flavors[FLAVOR], where=str(folder))


class KeyedModel:
    """An artifact that is open: what it says about itself, and where each key's model is."""

    differences: tuple[str, ...] = ()
    hint = "train it again: a keyed model tells its own columns"

    def __init__(self, folder: Path, header: Header) -> None:
        self.where, self.header = str(folder), header
        self.parts = read_parts(folder, header)

    def check(self) -> None:
        """Compare every model with the index: see `check_bytes`."""
        check_bytes(self.parts, where=self.where)

    @property
    def inputs(self) -> tuple[Field, ...]:
        """The key columns, then the features."""
        return (*self.header.keys, *self.header.features)

    def outputs(self, inputs: tuple[Field, ...], recorded: tuple[Field, ...]) -> tuple[Field, ...]:  # noqa: ARG002
        """Those of every model in it; a probability for each of the classes of all of them."""
        return self.header.outputs

    def extras(self, inputs: tuple[Field, ...]) -> tuple[Field, ...]:  # noqa: ARG002
        """None."""
        return ()

    def load(self, place: int) -> SklearnModel:
        """The model in a row of the index, unpickled now.

        Raises:
            ModelUnreadable: this environment cannot unpickle it.
        """
        row = self.parts.index.slice(place, 1).to_pylist()[0]
        try:
            loaded = pickle.loads(self.parts.blob[row["offset"] :][: row["length"]])  # noqa: S301 -- the trust policy has decided before
        except Exception as error:  # whatever its bytes happen to ask for
            raise ModelUnreadable(
                f"the model of {shown(row['key'])} cannot be loaded: {error!r}",
                where=self.where,
                fix="install the libraries of its requirements.txt, here and on the workers",
            ) from error
        return SklearnModel(loaded, (), where=f"{self.where}, {shown(row['key'])}")

    def why_not(self, place: int) -> str:
        """Why the key in a row of the index has no model; empty where it has one."""
        row = self.parts.index.slice(place, 1).to_pylist()[0]
        return "" if row["code"] is None else f"{row['code']}: {row['message']}"

    def predictor(self, signature: Signature, params: Mapping[str, Any]) -> KeyedPredictor:
        """The models as they score batches of `signature`.

        Raises:
            ConfigError: an unknown param, or a default that the artifact does not have.
            SignatureError: a key column is missing, or of a type that its keys cannot be.
        """
        return KeyedPredictor(self, signature, checked_params(params, where=self.where))


def checked_params(params: Mapping[str, Any], *, where: str = "params") -> dict[str, Any]:
    """The params with their defaults filled in.

    Raises:
        ConfigError: an unknown one, or a value that it does not take.
    """
    for name in params:
        if name not in DEFAULTS:
            raise ConfigError(
                f"a keyed model has no param '{name}'",
                where=where,
                fix=did_you_mean(name, DEFAULTS),
            )
    made = {**DEFAULTS, **params}
    # In YAML, a bare `null` is the word of that name.
    default = made["unknown_key"] = "null" if made["unknown_key"] is None else made["unknown_key"]
    if default not in UNKNOWN_KEY:
        raise ConfigError(
            f"unknown_key is {default!r}", where=where, fix=did_you_mean(str(default), UNKNOWN_KEY)
        )
    size = made["cache_mib"]
    if isinstance(size, bool) or not isinstance(size, int | float) or size <= 0:
        raise ConfigError(f"cache_mib is {size!r}", where=where, fix="give a number above 0")
    return made


def shown(key: Mapping[str, Any] | None) -> str:
    """A key as a person reads it: `store=5, item='a'`."""
    if key is None:
        return "the global model"
    return ", ".join(f"{name}={value!r}" for name, value in key.items())
