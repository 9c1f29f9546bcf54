"""The PyTorch flavor: TorchScript files and MLflow's pytorch models that take one tensor."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sparkml.arrow import check_numbers, matrix
from sparkml.errors import ConfigError, ContractViolation, ModelUnreadable, SignatureError
from sparkml.lists import is_list
from sparkml.models.extras import need
from sparkml.models.flavors.sklearn_signature import PREDICTION, line_to_write, probe, result_type
from sparkml.models.gpu import refuse_missing
from sparkml.models.mlmodel import inside
from sparkml.models.model_config import check_keys
from sparkml.models.pools import pool_threads
from sparkml.models.results import as_column
from sparkml.spec import Field
from sparkml.type_names import to_arrow_type

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sparkml.models.mlmodel import MLmodel
    from sparkml.spec import Signature

CONFIG = {
    "device": "where the model runs: cpu (default), cuda (a Spark task's own GPU), cuda:1, mps",
    "shape": "the shape of one row's part of the tensor, e.g. [3, 224, 224]",
    "dtype": "the tensor's elements, as NumPy names them: float32 (default), int64, …",
}
"""The keys of `model_config` that a PyTorch model takes."""


def runs_code(folder: Path, description: MLmodel | None) -> str:
    """Always: a module is pickled or exported with pickles in it, and TorchScript is a program."""
    name = _file(folder, description).name
    kind = "TorchScript, a program" if description is None else "a module, which may hold pickles,"
    return f"{name} is {kind} that runs when it is loaded or called"


def open_model(
    folder: Path, description: MLmodel | None, model_config: Mapping[str, Any]
) -> TorchModel:
    """The module in `folder`, ready to score: in eval mode, on its device, its threads capped.

    Raises:
        ModelUnreadable: torch cannot load it.
        ConfigError: an unknown key of `model_config`, or a dtype or shape that is none.
        ExtraMissing: torch is not installed.
        GpuMissing: it is told to use a GPU, and torch sees none.
    """
    check_keys(model_config, CONFIG, what="a PyTorch model")
    tensors = description.tensors if description else ()
    told = (tensors[0].shape[1:], tensors[0].dtype) if len(tensors) == 1 else (None, "float32")
    shape = _shape(model_config.get("shape", told[0]))
    dtype = _dtype(model_config.get("dtype", told[1]))
    torch = need("torch", extra="torch", why="a PyTorch model")
    torch.set_num_threads(pool_threads())
    path = _file(folder, description)
    device = str(model_config.get("device", "cpu"))
    refuse_missing(device, there=torch.cuda.device_count(), library="torch")
    try:
        module = _load(torch, path, device, scripted=description is None)
    except Exception as error:  # a damaged file raises whatever its bytes happen to ask for
        raise ModelUnreadable(
            f"torch {torch.__version__} cannot load the model: {type(error).__name__}: {error}",
            where=str(path),
            fix="save it with torch.jit.save, or log it again with the torch that is here",
        ) from error
    return TorchModel(module, device, shape, dtype, where=str(folder))


class TorchModel:
    """A module; it tells nothing of its columns, so they are the caller's or MLflow's."""

    inputs: tuple[Field, ...] = ()
    differences: tuple[str, ...] = ()
    hint = line_to_write([])

    def __init__(self, module: Any, device: str, shape: Any, dtype: Any, *, where: str) -> None:
        self.module, self.device, self.where = module, device, where
        self.shape, self.dtype = shape, dtype

    def outputs(self, inputs: tuple[Field, ...], recorded: tuple[Field, ...]) -> tuple[Field, ...]:
        """What MLflow recorded, else `prediction` of the type that two rows of zeros give."""
        self._check_width(inputs)
        if recorded:
            return recorded
        seen = probe(self.run, inputs, missing=False)
        lone = seen[0] if isinstance(seen, list) and len(seen) == 1 else None
        kind = None if lone is None else result_type(_flat(lone))
        return (Field(name=PREDICTION, type=kind),) if kind else ()

    def extras(self, inputs: tuple[Field, ...]) -> tuple[Field, ...]:  # noqa: ARG002
        """None: a module gives what it gives."""
        return ()

    def predictor(self, signature: Signature, params: Mapping[str, Any]) -> TorchPredictor:
        """The model as it scores batches of `signature`."""
        if params:
            raise ConfigError(
                "a PyTorch model takes no params", where=self.where, fix="leave them out"
            )
        check_numbers(signature.inputs, where=self.where)
        self._check_width(signature.inputs)
        return TorchPredictor(self, signature)

    def _check_width(self, inputs: tuple[Field, ...]) -> None:
        """Whether the columns fill the shape; a size of -1, or a list of any length, always may."""
        widths = [f.length if is_list(to_arrow_type(f.type)) else 1 for f in inputs]
        if self.shape is None or None in widths or any(size < 0 for size in self.shape):
            return
        given, taken = sum(w for w in widths if w), math.prod(self.shape)
        if given != taken:
            raise SignatureError(
                f"the shape {list(self.shape)} takes {taken} values a row, "
                f"the columns have {given}",
                where=self.where,
                fix="correct model_config.shape, or the inputs in the signature",
            )

    def run(self, batch: pa.RecordBatch) -> list[Any] | dict[str, Any]:
        """What the module gives for the rows, as arrays."""
        import torch

        table = matrix(batch)
        values = table.astype(self.dtype)
        if values.dtype.kind in "iu" and not (values == table).all():
            raise ValueError(f"a null, a fraction or a size that a tensor of {self.dtype} has not")
        if self.shape is not None:
            values = values.reshape(batch.num_rows, *self.shape)
        with torch.inference_mode():
            made = self.module(torch.from_numpy(values).to(self.device))
        if isinstance(made, dict):
            return {str(name): _array(torch, part) for name, part in made.items()}
        return [_array(torch, p) for p in (made if isinstance(made, tuple | list) else [made])]


class TorchPredictor:
    """A module bound to a signature; see `base.Predictor`."""

    takes_nan = False
    """Nobody knows, so no."""

    def __init__(self, model: TorchModel, signature: Signature) -> None:
        self._model = model
        self._outputs = [(f.name, to_arrow_type(f.type)) for f in signature.outputs]

    def predict(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """The outputs of `batch`: by name where the module gives a dict, else in its order.

        Raises:
            ContractViolation: other outputs than are declared.
        """
        if not batch.num_rows:
            return [pa.array([], dtype) for _, dtype in self._outputs]
        made = self._model.run(batch)
        names = [name for name, _ in self._outputs]
        parts = [made.get(name) for name in names] if isinstance(made, dict) else made
        if len(parts) != len(names) or any(part is None for part in parts):
            raise ContractViolation(
                f"the module gave {sorted(made) if isinstance(made, dict) else len(made)}, "
                f"declared are {', '.join(names)}",
                where=self._model.where,
                fix="correct the outputs in the signature",
            )
        pairs = zip(parts, self._outputs, strict=True)
        return [
            as_column(part if _nests(dtype) else _flat(part), dtype) for part, (_, dtype) in pairs
        ]


def _load(torch: Any, path: Path, device: str, *, scripted: bool) -> Any:
    if path.suffix == ".pt2":  # an exported module stays in the mode and place of its export
        return torch.export.load(str(path)).module()
    if scripted:
        module = torch.jit.load(str(path), map_location=device)
    else:  # the trust policy has decided before
        module = torch.load(str(path), map_location=device, weights_only=False)
    return module.to(device).eval()


def _shape(given: Any) -> tuple[int, ...] | None:
    if given is None:
        return None
    if isinstance(given, list | tuple) and all(isinstance(size, int) for size in given):
        return tuple(given)
    raise ConfigError(
        f"{given!r} is no shape", where="model_config.shape", fix="a list, e.g. [3, 224, 224]"
    )


def _dtype(given: Any) -> np.dtype[Any]:
    try:
        dtype: np.dtype[Any] = np.dtype(given)
    except TypeError:
        dtype = np.dtype(object)
    if dtype.kind not in "fiub":
        raise ConfigError(
            f"{given!r} is no type of a tensor's elements",
            where="model_config.dtype",
            fix="a name of NumPy's: float32, float64, int32, int64, …",
        )
    return dtype


def _array(torch: Any, part: Any) -> Any:
    kept = part.detach().cpu()
    return (kept.float() if kept.dtype == torch.bfloat16 else kept).numpy()


def _nests(dtype: pa.DataType) -> bool:
    """Whether a list for each dimension is declared, as MLflow records it."""
    return is_list(dtype) and is_list(dtype.value_type)


def _flat(array: Any) -> Any:
    """A row's part as one list."""
    return array.reshape(len(array), -1) if array.ndim > 2 else array


def _file(folder: Path, description: MLmodel | None) -> Path:
    if description is None:
        return next(p for p in sorted(folder.iterdir()) if p.suffix == ".pt")
    data = inside(
        folder,
        description.flavors["pytorch"].get("model_data", "data"),
        key="model_data",
        kind="folder",
    )
    found = [data / name for name in ("model.pth", "model.pt2") if (data / name).is_file()]
    if not found:
        raise ModelUnreadable(
            "its pytorch flavor holds no model.pth or .pt2",
            where=str(data),
            fix="log the model again, or copy all of its files",
        )
    return found[0]
