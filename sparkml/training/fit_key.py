"""Fitting the model of one key: an Arrow table of its rows in, the pickled estimator out; no Spark.

The same rows give the same bytes, in whatever order they come: they are sorted first.
"""

from __future__ import annotations

import importlib.metadata
import platform
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sparkml.arrow import cast, matrix
from sparkml.binding import select
from sparkml.errors import ConfigError
from sparkml.lists import is_list, is_vector
from sparkml.models.flavors.sklearn_graph import is_catboost, parts_of
from sparkml.models.frames import frame
from sparkml.models.pools import pool_threads
from sparkml.spec import Signature
from sparkml.training.estimators import seeded, unfitted
from sparkml.training.pickles import pickled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    from sparkml.spec import Field

TOO_FEW_ROWS, FIT_FAILED = "TOO_FEW_ROWS", "FIT_FAILED"
MESSAGE_CHARS = 500
PART_OF = {"sklearn": ("scikit-learn", "numpy", "scipy", "pandas")}
"""Top-level module → the distributions whose versions matter to its pickles; else its own name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How the model of a key is made; travels to the workers.

    `estimator` is called with `params` for each key and returns an unfitted estimator: a name,
    `package.module:name`, or a function. `seed` is given to each `random_state` that is not set,
    and draws the `holdout` share of a key's rows, on which the model is scored and not fitted.
    """

    estimator: str | Callable[..., Any]
    params: Mapping[str, Any] = field(default_factory=dict)
    features: tuple[Field, ...]
    label: str
    min_rows: int = 10
    holdout: float = 0.0
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A key's model, pickled, or the code of why it has none; `message` may also be a warning.

    `score` is what the estimator's own `score` gave for the rows held out: R² or accuracy.
    """

    rows: int
    model: bytes | None = None
    score: float | None = None
    classes: tuple[Any, ...] = ()
    code: str | None = None
    message: str | None = None


def new_estimator(recipe: Recipe) -> Any:
    """An unfitted estimator of the recipe, its `random_state`s and CatBoost's threads set.

    Raises:
        ConfigError: it cannot be imported or called, or is no estimator that predicts.
    """
    made = _made(recipe)
    if not (hasattr(made, "fit") and hasattr(made, "predict")) or isinstance(made, type):
        raise ConfigError(
            f"it returns a {type(made).__name__}, not an estimator that fits and predicts",
            where=f"model.estimator: {_name(recipe)}",
            fix="return the unfitted estimator or pipeline",
        )
    return _capped(seeded(made, recipe.seed))


def _capped(estimator: Any) -> Any:
    """The estimator, CatBoost's parts of it with the process's threads and without its log files.

    Unless they are told otherwise: CatBoost takes every core of the machine, whatever a task has.
    """
    for part in filter(is_catboost, parts_of(estimator)):
        own = part.get_params()
        if own.get("thread_count") in (None, -1):
            part.set_params(thread_count=pool_threads())
        if own.get("allow_writing_files") is None:
            part.set_params(allow_writing_files=False)
    return estimator


def _made(recipe: Recipe) -> Any:
    if isinstance(recipe.estimator, str):
        return unfitted(recipe.estimator, recipe.params, probabilities=False)
    try:
        return recipe.estimator(**recipe.params)
    except Exception as error:
        raise ConfigError(
            f"it cannot be called with these params: {type(error).__name__}: {error}",
            where=f"model.estimator: {_name(recipe)}",
            fix="correct the params",
        ) from error


def _name(recipe: Recipe) -> str:
    given = recipe.estimator
    return given if isinstance(given, str) else getattr(given, "__qualname__", repr(given))


def fit_key(rows: pa.Table, recipe: Recipe) -> Fitted:
    """The model of these rows; a fit that fails is a result as well.

    `rows` has the features and the label, which is never null. Runs in a worker; costs what the
    estimator's `fit` costs. What a fit warns about is the result's message, the first of it.
    """
    count = rows.num_rows
    if count < recipe.min_rows:
        return Fitted(rows=count, code=TOO_FEW_ROWS, message=f"{count} of {recipe.min_rows} rows")
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            estimator = new_estimator(recipe)
            rows = in_order(rows)
            x, y = _inputs(rows, recipe), _label(rows, recipe)
            fitted_on, held_out = _split(count, recipe)
            estimator.fit(_taken(x, fitted_on), y[fitted_on])
            score = _score(estimator, _taken(x, held_out), y[held_out])
            model = pickled(estimator)
    except Exception as error:  # noqa: BLE001 - one key's failure is not the job's
        said = f"{type(error).__name__}: {error}"[:MESSAGE_CHARS]
        return Fitted(rows=count, code=FIT_FAILED, message=" ".join(said.split()))
    seen = [f"{w.category.__name__}: {w.message}"[:MESSAGE_CHARS] for w in told]
    return Fitted(
        rows=count,
        model=model,
        score=score,
        classes=tuple(np.asarray(getattr(estimator, "classes_", ())).tolist()),
        message=" ".join(seen[0].split()) if seen else None,
    )


def in_order(rows: pa.Table) -> pa.Table:
    """The rows sorted by all of their columns, a vector by its elements.

    Which of two rows comes first is left open only where nothing tells them apart.
    """
    plain: dict[str, pa.ChunkedArray | pa.Array] = {}
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        if is_vector(column.type) or is_list(column.type):
            vectors = cast(column, pa.list_(pa.float64()))
            longest = pc.max(pc.list_value_length(vectors)).as_py() or 0
            parts = [_element(vectors, i) for i in range(longest)]
            plain |= {f"{name}[{i}]": part for i, part in enumerate(parts)}
        else:
            plain[name] = column
    keys = [(name, "ascending") for name in plain]
    return rows.take(pc.sort_indices(pa.table(plain), sort_keys=keys))


def _element(vectors: pa.ListArray, place: int) -> pa.Array:
    """The element at a place of each vector; null where it is shorter."""
    return pc.list_flatten(
        pc.list_slice(vectors.fill_null([]), place, place + 1, return_fixed_size_list=True)
    )


def _inputs(rows: pa.Table, recipe: Recipe) -> Any:
    """What the estimator is given: a DataFrame, or the matrix of a lone vector column."""
    signature = Signature(inputs=recipe.features)
    whole = rows.select(list(signature.names)).combine_chunks()
    batch = select(whole.to_batches()[0], signature, where="training")
    if batch.num_columns == 1 and is_list(batch.schema.field(0).type):
        return matrix(batch, recipe.features[0].length)
    return frame(batch, signature.names, missing=float("nan"))


def _label(rows: pa.Table, recipe: Recipe) -> npt.NDArray[Any]:
    column = rows.column(recipe.label).combine_chunks()
    values: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return values


def _split(count: int, recipe: Recipe) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The places of the rows that are fitted on and of those held out, drawn with the seed."""
    held_out = int(count * recipe.holdout)
    drawn = np.random.default_rng(recipe.seed).permutation(count)
    return np.sort(drawn[held_out:]), np.sort(drawn[:held_out])


def _taken(x: Any, places: npt.NDArray[np.int64]) -> Any:
    if len(places) == len(x):
        return x
    return x.iloc[places] if hasattr(x, "iloc") else x[places]


def _score(estimator: Any, x: Any, y: npt.NDArray[Any]) -> float | None:
    return float(estimator.score(x, y)) if len(y) > 1 else None


def versions_of(estimator: Any) -> dict[str, str]:
    """The versions that matter to the estimator's pickles: of its libraries, and of Python."""
    tops = {type(part).__module__.partition(".")[0] for part in parts_of(estimator)}
    names = {name for top in (*tops, "sklearn") for name in PART_OF.get(top, (top,))}
    found = {"python": platform.python_version()}
    for name in sorted({*names, "cloudpickle"}):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # a module of the user's own
            continue
    return found
