"""The MLflow pyfunc flavor: any MLflow model, through pandas. The fallback."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sparkml.arrow import matrix
from sparkml.errors import ConfigError, ContractViolation, ModelUnreadable, did_you_mean
from sparkml.lists import is_list
from sparkml.models.containers import columns_of
from sparkml.models.extras import need
from sparkml.models.frames import frame
from sparkml.models.mlmodel import inside
from sparkml.models.results import as_column
from sparkml.type_names import to_arrow_type

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sparkml.models.mlmodel import MLmodel, Tensor
    from sparkml.spec import Field, Signature


def runs_code(folder: Path, description: MLmodel | None) -> str:
    """Always: MLflow reads the `MLmodel` file anew, and imports the loader that it finds there.

    YAML that means one thing to us may mean another to MLflow, so no loader is taken for safe.
    """
    loader = str(_own(folder, description).get("loader_module"))
    return f"MLflow imports its loader ({loader}), which may run code that the model brings"


def open_model(
    folder: Path, description: MLmodel | None, model_config: Mapping[str, Any]
) -> PyfuncModel:
    """The MLflow model in `folder`, loaded by its own loader with `model_config`.

    Raises:
        ModelUnreadable: MLflow cannot load it.
        ConfigError: the model does not accept a key of `model_config`.
        ExtraMissing: MLflow is not installed.
    """
    own = _own(folder, description)
    _check_config(model_config, own, folder)
    for key in ("data", "python_model"):
        if own.get(key):
            inside(folder, own[key], key=key, kind="either")
    pyfunc = need("mlflow.pyfunc", extra="mlflow", why="an MLflow pyfunc model")
    try:
        loaded = pyfunc.load_model(
            str(folder), suppress_warnings=True, model_config=dict(model_config) or None
        )
    except Exception as error:  # a loader raises whatever it likes
        missing = isinstance(error, ModuleNotFoundError)
        raise ModelUnreadable(
            f"MLflow cannot load the model: {type(error).__name__}: {error}",
            where=str(folder),
            fix=f"install {error.name}, here and on the workers"  # type: ignore[attr-defined]
            if missing
            else "load it with mlflow.pyfunc.load_model to see the whole error",
        ) from error
    _forget_input_schema(loaded)
    return PyfuncModel(loaded, description, where=str(folder))


class PyfuncModel:
    """A loaded MLflow model. It says nothing of its own: its `MLmodel` file has said it."""

    inputs: tuple[Field, ...] = ()
    differences: tuple[str, ...] = ()
    hint = (
        "mlflow.….log_model(…, signature=infer_signature(X, model.predict(X))), or "
        'signature=Signature(inputs=(Field(name="age", type="double"), …), '
        'outputs=(Field(name="prediction", type="double"),))'
    )

    def __init__(self, loaded: Any, description: MLmodel | None, *, where: str) -> None:
        self.loaded, self.where = loaded, where
        self.tensors = description.tensors if description else ()
        self.hinted = description is not None and description.hinted

    def outputs(
        self,
        inputs: tuple[Field, ...],  # noqa: ARG002
        recorded: tuple[Field, ...],
    ) -> tuple[Field, ...]:
        """The outputs that MLflow recorded."""
        return recorded

    def extras(self, inputs: tuple[Field, ...]) -> tuple[Field, ...]:  # noqa: ARG002
        """None: what else the model can give, nobody has written down."""
        return ()

    def predictor(self, signature: Signature, params: Mapping[str, Any]) -> PyfuncPredictor:
        """The model as it scores batches of `signature` with `params`.

        Raises:
            ConfigError: the model has no such param, or declares another type.
        """
        return PyfuncPredictor(self, signature, params)


class PyfuncPredictor:
    """An MLflow model bound to a signature and to its params; see `base.Predictor`.

    The columns have been cast once by then, from their types alone, so MLflow's own enforcement of
    the input schema, which decides anew from the values in each batch, is left out.
    """

    def __init__(self, model: PyfuncModel, signature: Signature, params: Mapping[str, Any]) -> None:
        self._model, self._signature = model, signature
        self._params = dict(params) or None
        self._names = [f.name for f in signature.inputs]
        self._tensors = {t.name: t for t in model.tensors}
        self._outputs = {f.name: to_arrow_type(f.type) for f in signature.outputs}
        self._check_params()

    def _check_params(self) -> None:
        """MLflow would ignore an unknown one, and refuse a wrong value with each batch."""
        schema = self._model.loaded.metadata.get_params_schema()
        known = {p.name: p for p in schema.params} if schema else {}
        for name, value in (self._params or {}).items():
            if name not in known:
                raise ConfigError(
                    f"the model has no param '{name}'",
                    where=f"params.{name}",
                    fix=did_you_mean(name, known),
                )
            try:
                known[name].validate_param_spec(value, known[name])
            except Exception as error:  # MLflow's own, or what NumPy says of a date
                raise ConfigError(
                    f"{value!r} is not what the model declares: {known[name]!r}",
                    where=f"params.{name}",
                    fix="give such a value, or leave the param out",
                ) from error

    @cached_property
    def takes_nan(self) -> bool:
        """Whether the model accepts missing values: nobody knows, so no."""
        return False

    def predict(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """The outputs of `batch`.

        Raises:
            ContractViolation: other rows, columns or types than the outputs declare.
        """
        if not batch.num_rows:
            return [pa.array([], dtype) for dtype in self._outputs.values()]
        result = self._model.loaded.predict(self._data(batch), params=self._params)
        columns = columns_of(result, self._outputs, where=self._model.where)
        return [
            self._column(values, name, dtype, batch.num_rows)
            for values, (name, dtype) in zip(columns, self._outputs.items(), strict=True)
        ]

    def _data(self, batch: pa.RecordBatch) -> Any:
        if self._model.hinted and batch.num_columns == 1:
            return batch.column(0).to_pylist(maps_as_pydicts="strict")
        only = next(iter(self._tensors.values())) if len(self._tensors) == 1 else None
        if only is not None:  # its columns may be named one by one
            array = _tensor(batch, only)
            return {only.name: array} if only.named else array
        if self._tensors.keys() != set(self._names):
            return frame(batch, self._names, missing=None, dates_as_objects=True)
        return {name: _tensor(batch.select([name]), self._tensors[name]) for name in self._names}

    def _column(self, values: Any, name: str, dtype: pa.DataType, rows: int) -> pa.Array:
        try:
            made = as_column(values, dtype)
        except (pa.ArrowException, ValueError, TypeError) as error:
            raise ContractViolation(
                f"the output '{name}' is declared as {dtype}, the model gave something else: "
                f"{error}",
                where=self._model.where,
                fix="correct the outputs in the signature",
            ) from error
        if len(made) != rows:
            raise ContractViolation(
                f"the model returned {len(made)} rows for {rows}",
                where=self._model.where,
                fix="a model must return one row for each that it gets, in their order",
            )
        return made


def _tensor(columns: pa.RecordBatch, wanted: Tensor) -> Any:
    """A column as the array of the shape and type that the model was logged with.

    Several columns are its second dimension.

    Raises:
        ValueError: a null, a fraction or a size that the tensor's type has not.
    """
    array = columns.column(0)
    if columns.num_columns > 1:
        values: Any = matrix(columns)
    elif not is_list(array.type):
        values = array.to_numpy(zero_copy_only=False)
    elif pa.types.is_string(array.type.value_type) or pa.types.is_decimal(array.type.value_type):
        values = np.array(array.to_pylist(), dtype=object)
    else:
        values = matrix(columns)
    shape = (columns.num_rows, *wanted.shape[1:])
    known = -1 not in shape[1:] or shape.count(-1) == 1
    values = values.reshape(shape) if known else values
    if wanted.dtype in ("object", "str"):
        return values
    with np.errstate(invalid="ignore"):  # a NaN among integers: told below
        made = values.astype(wanted.dtype, copy=False)
    if made.dtype.kind in "biu" and not (made == values).all():
        msg = f"a null, a fraction or a size that a tensor of {wanted.dtype} has not"
        raise ValueError(msg)
    return made


def _own(folder: Path, description: MLmodel | None) -> Mapping[str, Any]:
    if description is None or "python_function" not in description.flavors:
        raise ModelUnreadable(
            "pyfunc reads MLflow models only", where=str(folder), fix="log it with MLflow"
        )
    return description.flavors["python_function"]


def _check_config(given: Mapping[str, Any], own: Mapping[str, Any], folder: Path) -> None:
    # MLflow itself ignores such a key, with a line in the log.
    config = own.get("config")
    known = [str(key) for key in config] if isinstance(config, dict) else []
    for key in given:
        if key not in known:
            raise ConfigError(
                f"the model takes no model_config key '{key}'",
                where=str(folder),
                fix=did_you_mean(key, known),
            )


def _forget_input_schema(loaded: Any) -> None:
    """Leave MLflow the params of the signature, which it completes with their defaults."""
    signature = loaded.metadata.signature
    if signature is None or signature.inputs is None:
        return
    kept = None
    if signature.params is not None:
        kept = type(signature)(params=signature.params)
    loaded.metadata.signature = kept
