"""XGBoost's base margin: what a row's sum over the trees begins with, from a column of the table.

An exposure's logarithm, or another model's raw score. It stands in the place of the model's own
intercept (`base_score`), as it does in `DMatrix(base_margin=…)`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkml.arrow import check_numbers, matrix
from sparkml.errors import ConfigError, SignatureError
from sparkml.lists import is_list
from sparkml.spec import Field
from sparkml.type_names import to_arrow_type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    import pyarrow as pa

KEY = "base_margin"
CONFIG = {KEY: "the table's column that each row's sum over the trees begins with"}
"""The key of `model_config`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """The column of a model's base margin: a number, or one for each class or target."""

    field: Field
    where: str

    def others(self, inputs: Sequence[Field]) -> tuple[Field, ...]:
        """The inputs that are features.

        Raises:
            SignatureError: the margin is declared as what it cannot be.
        """
        for given in inputs:
            if given.name != self.field.name:
                continue
            check_numbers([given], where=self.where)
            if is_list(to_arrow_type(given.type)) != is_list(to_arrow_type(self.field.type)):
                raise SignatureError(
                    f"the base margin '{given.name}' is declared as {given.type}",
                    where=self.where,
                    fix=f"declare it as {self.field.type}",
                )
        return tuple(f for f in inputs if f.name != self.field.name)

    def of(self, batch: pa.RecordBatch) -> npt.NDArray[np.float32] | None:
        """The rows' margins, as the library takes them; None where `batch` has no such column.

        Raises:
            ValueError: a row has none: the library would take NaN for the score of the trees.
        """
        name = self.field.name
        if name not in batch.schema.names:
            return None
        values = matrix(batch.select([name]), self.field.length)
        if np.isnan(values).any():
            msg = f"'{name}' has no value, and is what the sum over the trees begins with"
            raise ValueError(msg)
        with np.errstate(over="ignore"):
            made = values.astype(np.float32)
        return made if self.field.length else made.ravel()


def margin_of(
    booster: Any, model_config: Mapping[str, Any], *, where: str, wrapper: bool = False
) -> Margin | None:
    """The base margin of an XGBoost model; None where `model_config` names no column.

    Raises:
        ConfigError: it names no column, or a feature; or the `wrapper` could not take one.
    """
    name = model_config.get(KEY)
    if name is None:
        return None
    key = f"model_config.{KEY}"
    if not isinstance(name, str) or not name:
        raise ConfigError(f"{name!r} names no column", where=key, fix="name the table's column")
    if name in (booster.feature_names or ()):
        raise ConfigError(
            f"'{name}' is a feature of the model",
            where=key,
            fix="give the margin a column of its own, in a step",
        )
    learner = json.loads(booster.save_config())["learner"]
    if wrapper and learner["gradient_booster"]["name"] == "dart":
        raise ConfigError(
            "XGBoost's wrappers add no base margin to dart's trees",
            where=key,
            fix="store the booster: get_booster().save_model('model.json')",
        )
    said = learner["learner_model_param"]
    groups = max(int(said["num_class"]), int(said.get("num_target", 1)), 1)
    if groups == 1:
        return Margin(field=Field(name=name, type="double"), where=where)
    return Margin(field=Field(name=name, type="list<double>", length=groups), where=where)
