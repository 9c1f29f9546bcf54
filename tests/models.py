"""Small models for the tests: a table of two features, and a fitted model saved as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from pathlib import Path

    from sparkml import ModelSpec


def table(rows: int, seed: int = 0) -> pd.DataFrame:
    """Two normal features, `a` and `b`."""
    return pd.DataFrame(np.random.default_rng(seed).normal(size=(rows, 2)), columns=["a", "b"])


def rows_of(*rows: tuple[float, float]) -> pd.DataFrame:
    """Rows of the two features."""
    return pd.DataFrame(list(rows), columns=["a", "b"])


def save(model: Any, folder: Path, *, name: str, **options: Any) -> ModelSpec:
    """The spec of a fitted model, saved as `<name>.joblib` in `folder`."""
    from sparkml import read_spec

    path = folder / f"{name}.joblib"
    joblib.dump(model, path)
    return read_spec(str(path), name=name, **options)


def stored(model, path: str):
    """A Spark ML model as it comes back from `path`, where it is saved.

    One that was just fitted holds its training summary and with it the session, which Spark 4.1
    cannot ship to a task once any query of the session was observed.
    """
    model.save(path)
    return type(model).load(path)
