"""Training jobs for the tests: a quiet reporter, a bank configuration moved, a small table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 1_200


def moved(home: Path, csv: Path, **further: object) -> list[str]:
    """The paths of a bank configuration, moved into a folder."""
    paths = {
        "source.path": csv,
        "registry.tracking_uri": f"sqlite:///{home}/registry/mlflow.db",
        **further,
    }
    return [f"{key}={value}" for key, value in paths.items()]


def sizes(rows: int = 200, *, label: str = "text") -> pd.DataFrame:
    """A table whose label follows from its numbers, with some noise."""
    rng = np.random.default_rng(5)
    size = rng.random(rows)
    big = size + 0.3 * rng.random(rows) > 0.65
    values = {"text": np.where(big, "yes", "no"), "number": big.astype(int), "bool": big}
    return pd.DataFrame({"kind": rng.choice(["a", "b"], rows), "size": size, "big": values[label]})


SKLEARN = {"flavor": "sklearn", "estimator": "sparkml.training.estimators:gradient_boosting"}
