"""What every flavor gives: a `Predictor`, one Arrow batch in, one Arrow array per output out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from sparkml.spec import Field, ModelSpec


class Predictor(Protocol):
    """A loaded model.

    Its laws (`sparkml.testing` checks them): as many rows out as in, in the same order; the same
    numbers however the rows are batched; no state between calls; an empty batch is fine.
    """

    takes_nan: bool
    """Whether the model itself accepts NaN in a feature."""

    def predict(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """The outputs of `batch`, in the order and the types of `signature.outputs`.

        `batch` holds exactly the columns of `signature.inputs`, in that order and of those types;
        a null stands where the null policy left one. Raises whatever the library raises.
        """
        ...


class Flavor(Protocol):
    """What a flavor's module offers; each is one row of `sparkml.models.FLAVORS`."""

    def signature(self, folder: Path, spec: ModelSpec) -> tuple[tuple[Field, ...], tuple[Field, ...]]:
        """The inputs and the outputs that the model itself tells; empty where it does not."""
        ...

    def load(self, folder: Path, spec: ModelSpec) -> Predictor:
        """The model in `folder`, opened."""
        ...
