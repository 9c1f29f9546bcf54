"""The statsmodels flavor: fitted results with a `predict`, of arrays, tables and formulas."""

from __future__ import annotations

import ast
import pickle
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sparkml.arrow import check_numbers, matrix
from sparkml.errors import ConfigError, ModelUnreadable, SignatureError
from sparkml.lists import is_list
from sparkml.models.batch_free import check_batch_free, differing
from sparkml.models.extra_outputs import check_outputs
from sparkml.models.extras import need
from sparkml.models.flavors.sklearn_signature import (
    PREDICTION,
    line_to_write,
    order_of,
    result_type,
)
from sparkml.models.frames import frame
from sparkml.models.mlmodel import inside
from sparkml.models.results import as_column
from sparkml.spec import Field
from sparkml.type_names import to_arrow_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sparkml.models.mlmodel import MLmodel
    from sparkml.spec import Signature

CONST = "const"
"""The name that `add_constant` gives to the column of ones; it is not asked of the table."""
BESIDE = ("exposure", "offset")
"""What count models and GLMs take beside the columns; left out, `predict` would take none for 0."""
SECOND_PART = frozenset({"exog_infl", "exog_precision"})


def runs_code(folder: Path, description: MLmodel | None) -> str:
    """Always: saved results are a pickle."""
    return f"{_file(folder, description).name} is a pickle, which runs code when it is loaded"


def open_model(
    folder: Path, description: MLmodel | None, model_config: Mapping[str, Any]
) -> StatsmodelsModel:
    """The results in `folder`, unpickled.

    Raises:
        ModelUnreadable: they cannot be read, or do not predict row by row.
        ExtraMissing: statsmodels is not installed.
    """
    if model_config:
        raise ConfigError(
            "a statsmodels model takes no model_config", where=str(folder), fix="leave it out"
        )
    need("statsmodels.api", extra="statsmodels", why="a statsmodels model")
    path = _file(folder, description)
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = pickle.load(file)  # noqa: S301 -- the trust policy has decided before
    except Exception as error:  # a damaged pickle raises whatever its bytes happen to ask for
        raise ModelUnreadable(
            f"the results cannot be unpickled: {type(error).__name__}: {error}",
            where=str(path),
            fix="save them again with results.save(path), with the statsmodels that is here",
        ) from error
    _check(loaded, where=str(path))
    return StatsmodelsModel(loaded, where=str(folder))


class StatsmodelsModel:
    """Fitted results, and what their model tells about its columns."""

    differences: tuple[str, ...] = ()

    def __init__(self, results: Any, *, where: str) -> None:
        self.results, self.where = results, where
        data = results.model.data
        self.table = getattr(data, "frame", None) if hasattr(data, "model_spec") else None
        self.beside = tuple(n for n in BESIDE if _counts(getattr(results.model, n, None)))
        if self.table is not None:
            self.names = _variables(data.model_spec, list(map(str, self.table.columns)))
            return
        exog, place = results.model.exog, data.const_idx
        names = list(map(str, results.model.exog_names or _numbered(len(results.params), place)))
        # Ordered models count their thresholds among the names.
        self.trained = names if exog is None else names[: np.asarray(exog).shape[1]]
        self.const = place if place is not None and self.trained[place] == CONST else None
        self.ones = 1.0 if exog is None or self.const is None else float(exog[0, place])
        self.names = [name for name in self.trained if self.const is None or name != CONST]

    @property
    def inputs(self) -> tuple[Field, ...]:
        """The columns that it was fitted on, without the constant; a formula's variables."""
        types = ["double"] * len(self.names)
        if self.table is not None:
            types = [_type_of(self.table[name]) for name in self.names]
        more = [Field(name=name, type="double") for name in self.beside]
        own = [Field(name=n, type=t) for n, t in zip(self.names, types, strict=True)]
        return (*own, *more)

    @property
    def hint(self) -> str:
        """The line that tells the types of the columns."""
        return line_to_write(self.names)

    def outputs(
        self,
        inputs: tuple[Field, ...],  # noqa: ARG002
        recorded: tuple[Field, ...],  # noqa: ARG002
    ) -> tuple[Field, ...]:
        """`prediction`: what `results.predict` gives; a list where that is one value a class."""
        return (Field(name=PREDICTION, type=result_type(self._two_rows(self.predict)) or "double"),)

    def extras(self, inputs: tuple[Field, ...]) -> tuple[Field, ...]:  # noqa: ARG002
        """The other columns of statsmodels' own `get_prediction(…).summary_frame()`, at 95 %."""
        try:
            names = list(self._two_rows(self.summary))
        except Exception:  # noqa: BLE001 -- many results have no such table
            return ()
        return tuple(Field(name=name, type="double") for name in names if name != PREDICTION)

    def predictor(self, signature: Signature, params: Mapping[str, Any]) -> StatsmodelsPredictor:
        """The model as it scores batches of `signature`."""
        if params:
            raise ConfigError(
                "a statsmodels model takes no params", where=self.where, fix="leave them out"
            )
        return StatsmodelsPredictor(self, signature)

    def predict(self, exog: Any, beside: Mapping[str, Any]) -> Any:
        """What `results.predict` gives, as an array."""
        made = self.results.predict(exog, **beside)
        return np.asarray(getattr(made, "predicted_values", made))  # hazards come in a bunch

    def summary(self, exog: Any, beside: Mapping[str, Any]) -> dict[str, Any]:
        """The columns of the prediction's summary."""
        table = self.results.get_prediction(exog, **beside).summary_frame()
        return {str(name): table[name].to_numpy() for name in table.columns}

    def check(self) -> None:
        """Refuse a formula whose rows' results are not their own: see `check_batch_free`."""
        if self.table is not None:
            rows = differing(self.table, self.names)
            each = (rows.iloc[:1], rows.iloc[1:])
            check_batch_free(self._bare, rows, each, rtol=1e-9, where=self.where)

    def _bare(self, exog: Any) -> list[Any]:
        return [self.predict(exog, dict.fromkeys(self.beside, np.ones(len(exog))))]

    def _two_rows(self, call: Callable[[Any, Mapping[str, Any]], Any]) -> Any:
        """What `call` gives for two rows: the training table's own, or zeros."""
        exog = np.zeros((2, len(self.trained))) if self.table is None else self.table.head(2)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return call(exog, dict.fromkeys(self.beside, np.ones(2)))

    def converter(self, inputs: tuple[Field, ...]) -> Callable[[pa.RecordBatch], Any]:
        """How a batch becomes `exog`: a table with the formula's names, or a matrix.

        Raises:
            SignatureError: the columns are not those that it was fitted on.
        """
        own = [i for i, f in enumerate(inputs) if f.name not in self.beside]
        given = [inputs[i].name for i in own]
        if self.table is not None:
            order = [own[i] for i in order_of(self.names, given, where=self.where)]
            return lambda batch: frame(batch.select(order), self.names, missing=None)
        check_numbers((inputs[i] for i in own), where=self.where)
        if len(own) == 1 and is_list(to_arrow_type(inputs[own[0]].type)):
            return lambda batch: self._with_const(matrix(batch.select(own), len(self.names)))
        with_const = CONST in given and self.const is not None
        trained = self.trained if with_const else self.names
        order = [own[i] for i in order_of(trained, given, where=self.where)]
        if with_const:
            return lambda batch: matrix(batch.select(order))
        return lambda batch: self._with_const(matrix(batch.select(order)))

    def _with_const(self, exog: Any) -> Any:
        return exog if self.const is None else np.insert(exog, self.const, self.ones, axis=1)


class StatsmodelsPredictor:
    """Fitted results bound to a signature; see `base.Predictor`."""

    takes_nan = False
    """Every model here is a sum over the columns: NaN in, NaN out."""

    def __init__(self, model: StatsmodelsModel, signature: Signature) -> None:
        self._model = model
        self._outputs = [(f.name, to_arrow_type(f.type)) for f in signature.outputs]
        known = [PREDICTION, *(f.name for f in model.extras(signature.inputs))]
        check_outputs([name for name, _ in self._outputs], known, where=model.where)
        self._beside = [n for n in model.beside if n in signature.names]
        if missing := [n for n in model.beside if n not in self._beside]:
            raise SignatureError(
                f"the model was fitted with an {missing[0]}, the signature has none",
                where=model.where,
                fix=f'add Field(name="{missing[0]}", type="double")',
            )
        self._convert = model.converter(signature.inputs)

    def predict(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """The outputs of `batch`."""
        if not batch.num_rows:
            return [pa.array([], dtype) for _, dtype in self._outputs]
        exog = self._convert(batch)
        beside = {n: matrix(batch.select([n]))[:, 0] for n in self._beside}
        made: dict[str, Any] = {}
        if any(name != PREDICTION for name, _ in self._outputs):
            made = self._model.summary(exog, beside)
        if any(name == PREDICTION for name, _ in self._outputs):
            made[PREDICTION] = self._model.predict(exog, beside)
        columns = [as_column(made[name], dtype) for name, dtype in self._outputs]
        if any(len(column) != batch.num_rows for column in columns):
            msg = "a row has a missing value, and the formula leaves it out"
            raise ValueError(msg)
        return columns


def _file(folder: Path, description: MLmodel | None) -> Path:
    if description is None:
        return next(p for p in sorted(folder.iterdir()) if p.suffix == ".pickle")
    own = description.flavors["statsmodels"]
    return inside(folder, own.get("data"), key="data")


def _check(loaded: Any, *, where: str) -> None:
    from statsmodels.base.model import Results
    from statsmodels.tsa.base.tsa_model import TimeSeriesModel

    if not isinstance(getattr(loaded, "_results", loaded), Results):
        raise ModelUnreadable(
            f"the file holds a {type(loaded).__name__}, not results of statsmodels",
            where=where,
            fix="save what fit() returned; a scikit-learn model's pickle is named .pkl",
        )
    kind = type(loaded.model).__name__
    if isinstance(loaded.model, TimeSeriesModel):
        raise ModelUnreadable(
            f"{kind} forecasts a series and does not score rows",
            where=where,
            fix="write its forecast into a table and join that",
        )
    more = SECOND_PART & set(getattr(loaded.model, "_init_keys", ()))
    if more or hasattr(loaded.model, "smoother"):
        raise ModelUnreadable(
            f"{kind} takes a second set of columns, which its pickle does not name",
            where=where,
            fix="log it as an MLflow pyfunc model that builds both from one table",
        )


def _counts(values: Any) -> bool:
    """Whether an offset was given: statsmodels keeps zeros where none was, and logs of exposure."""
    return values is not None and bool(np.any(np.asarray(values) != 0))


def _numbered(width: int, const: int | None) -> list[str]:
    """The names that statsmodels gives to an array's columns; `remove_data` forgets all others."""
    names = [f"x{i}" for i in range(1, width + 1)]
    if const is not None:
        names = [*names[:const], CONST, *names[const:-1]]
    return names


def _variables(spec: Any, columns: list[str]) -> list[str]:
    """The table's columns that a formula's right side reads, in the table's order."""
    factors = getattr(spec, "factor_infos", None)
    if factors is None:  # formulaic tells them itself
        return [name for name in columns if name in set(map(str, spec.required_variables))]
    read: set[str] = set()
    for factor in factors:
        for part in ast.walk(ast.parse(factor.code, mode="eval")):
            if isinstance(part, ast.Name):
                read.add(part.id)
            elif isinstance(part, ast.Constant):  # Q("a name with spaces")
                read.add(str(part.value))
    return [name for name in columns if name in read]


def _type_of(column: Any) -> str:
    """A training column as the table's column: numbers as doubles, the rest as it was."""
    values = column.cat.categories if column.dtype.name == "category" else column
    kind = getattr(values.dtype, "kind", "O")
    return "double" if kind in "iuf" else result_type(values.dropna().to_numpy()) or "string"
