"""The outputs that a model gives when they are named: margin, leaf, contributions.

* `margin`: the raw score, before the link function: `double`, or `list<double>` for several classes
  or targets.
* `leaf`: the index of the leaf that each tree sends the row to, `list<int32>`.
* `contributions`: how much each feature adds to the margin: a struct with one double a feature and
  `expected_value`, which sum to the margin; a list of such structs, one a class or target, where
  the margin is a list. SHAP values (Lundberg et al. 2020, TreeSHAP) as the library computes them;
  for linear models their closed form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sparkml.errors import SignatureError, did_you_mean
from sparkml.lists import is_list
from sparkml.spec import Field, struct_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Extras = Mapping[str, Callable[..., Any]]
    """Output → a function from the model's own `X` to an array with a row for each of its rows."""

MARGIN, LEAF, CONTRIBUTIONS = "margin", "leaf", "contributions"
EXPECTED_VALUE = "expected_value"


def check_outputs(wanted: Iterable[str], known: Iterable[str], *, where: str) -> None:
    """Refuse outputs that a model does not have.

    Raises:
        SignatureError: `known`, what it has, lacks one of `wanted`.
    """
    offered = list(known)
    for name in wanted:
        if name not in offered:
            raise SignatureError(
                f"the model has no output '{name}'", where=where, fix=did_you_mean(name, offered)
            )


def extra_field(name: str, values: Any, features: Sequence[str]) -> Field:
    """The output `name`, its type read off what the model gave for a few rows.

    `features` names the columns of the contributions; `x0`, `x1`, … where their number differs.
    """
    array = np.asarray(values)
    if name == LEAF:
        return Field(name=name, type="list<int32>")
    if name == MARGIN:
        several = array.ndim == 2 and array.shape[1] != 1
        return Field(name=name, type="list<double>" if several else "double")
    width = array.shape[-1] - 1
    named = features if len(features) == width else [f"x{i}" for i in range(width)]
    struct = struct_type((feature, "double") for feature in (*named, EXPECTED_VALUE))
    return Field(name=name, type=struct if array.ndim == 2 else f"list<{struct}>")


def check_fields(name: str, dtype: pa.DataType) -> None:
    """Check that the fields of an output's structs have names that Spark tells apart.

    Raises:
        SignatureError: two of them are equal, or equal but for case: features' names, or one and
            `expected_value`.
    """
    struct = dtype.value_type if is_list(dtype) else dtype
    seen: dict[str, str] = {}
    for field in struct if pa.types.is_struct(struct) else ():
        if field.name.casefold() in seen:
            raise SignatureError(
                f"its fields '{seen[field.name.casefold()]}' and '{field.name}' have one name to "
                "Spark",
                where=f"output '{name}'",
                fix="leave this output out, or train the model with another name for the feature",
            )
        seen[field.name.casefold()] = field.name


def per_tree(leaves: Any) -> Any:
    """Leaf indices as one row of whole numbers for each row, whatever the library's shape."""
    array = np.asarray(leaves)
    return array.reshape(len(array), -1).astype(np.int32, copy=False)
