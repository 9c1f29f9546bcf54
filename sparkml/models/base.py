"""What every flavor gives: an open model, and a `Predictor` that scores Arrow batches with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from sparkml.models.mlmodel import MLmodel
    from sparkml.spec import Field, Signature


class Predictor(Protocol):
    """A loaded model, bound to a signature.

    Its laws (`sparkml.testing` checks them): as many rows out as in, in the same order; the same
    numbers however the rows are batched; no state between calls; an empty batch is fine.
    """

    @property
    def takes_nan(self) -> bool:
        """Whether the model itself accepts missing values in its features."""
        ...

    def predict(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """The outputs of `batch`, in the order and the types of `signature.outputs`.

        `batch` holds exactly the columns of `signature.inputs`, in that order and of those types;
        a null stands where the null policy left one. Raises whatever the library raises.
        """
        ...


@runtime_checkable
class Refusing(Protocol):
    """What a `Predictor` may offer besides: telling beforehand which rows it has no answer for.

    So they cost no failing call, and `predict` does not see them.
    """

    def refuse(self, batch: pa.RecordBatch) -> Mapping[int, str]:
        """Row → why it gets no score; their error is UNKNOWN_KEY. `batch` is as for `predict`."""
        ...


@runtime_checkable
class ChecksItself(Protocol):
    """What an `OpenModel` or a `Predictor` may offer besides: a check that one opening pays for.

    `read_spec` makes it, on the driver and before anything is scored. Workers do not: the digest
    tells them that theirs are the bytes that passed.
    """

    def check(self) -> None:
        """Nothing, or one of our errors that says what is wrong with the model."""
        ...


@runtime_checkable
class TakesMore(Protocol):
    """What an `OpenModel` may offer besides: columns that it takes beside its features.

    They belong to its inputs, whoever tells the others.
    """

    @property
    def more(self) -> tuple[Field, ...]:
        """Those columns."""
        ...


@runtime_checkable
class GivesInner(Protocol):
    """What an `OpenModel` may offer besides: values inside of it, for who knows their names."""

    def inner(self, names: Sequence[str], inputs: tuple[Field, ...]) -> tuple[Field, ...]:
        """The outputs for those of `names` that it knows."""
        ...


class OpenModel(Protocol):
    """A model that a flavor opened, before anybody has decided on its signature."""

    @property
    def inputs(self) -> tuple[Field, ...]:
        """The columns that the model itself says it takes; empty where it does not tell."""
        ...

    @property
    def hint(self) -> str:
        """The line to write where `inputs` is empty."""
        ...

    @property
    def differences(self) -> tuple[str, ...]:
        """Library versions that differ from those it was saved with, seen while opening it."""
        ...

    def outputs(self, inputs: tuple[Field, ...], recorded: tuple[Field, ...]) -> tuple[Field, ...]:
        """What it gives for `inputs`; `recorded` is what MLflow wrote down. Empty if unknown."""
        ...

    def extras(self, inputs: tuple[Field, ...]) -> tuple[Field, ...]:
        """The further outputs that it gives to those who name them (`extra_outputs.py`)."""
        ...

    def predictor(self, signature: Signature, params: Mapping[str, Any]) -> Predictor:
        """The model as it scores batches of `signature`.

        Raises:
            SignatureError: the columns are not those that the model was trained on.
        """
        ...


class Flavor(Protocol):
    """What a flavor's module offers; each is one row of `sparkml.models.FLAVORS`."""

    def runs_code(self, folder: Path, description: MLmodel | None) -> str:
        """Why opening these files runs code that they hold; empty where it cannot."""
        ...

    def open_model(
        self, folder: Path, description: MLmodel | None, model_config: Mapping[str, Any]
    ) -> OpenModel:
        """The model in `folder`, opened. `description` is its `MLmodel` file, where it has one.

        Raises:
            ModelUnreadable: the library cannot open it.
            ExtraMissing: the library is not installed.
        """
        ...
