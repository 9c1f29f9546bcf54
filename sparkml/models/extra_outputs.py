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

from sparkml.arrow import struct_type
from sparkml.spec import Field

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Extras = Mapping[str, Callable[[Any], Any]]
    """Output → a function from the model's own `X` to an array with a row for each of its rows."""

MARGIN, LEAF, CONTRIBUTIONS = "margin", "leaf", "contributions"
EXPECTED_VALUE = "expected_value"


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


def per_tree(leaves: Any) -> Any:
    """Leaf indices as one row of whole numbers for each row, whatever the library's shape."""
    array = np.asarray(leaves)
    return array.reshape(len(array), -1).astype(np.int32, copy=False)
