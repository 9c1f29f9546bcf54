"""`score_by_key`: each row scored by the model of its key, out of one keyed model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sparkml.models.flavors.keyed import checked_params, key_columns
from sparkml.models.read import open_predictor, read_spec
from sparkml.spark.score import score
from sparkml.spark.types import column
from sparkml.spec import ModelSpec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pyspark.sql import DataFrame


def score_by_key(
    df: DataFrame,
    model: ModelSpec | str | Path,
    *,
    key: str | Sequence[str] = (),
    keep: str | Sequence[str] = "*",
    unknown_key: str = "quarantine",
    cluster_by_key: bool = False,
    cache_mib: float = 256,
    batch_rows: int | None = None,
    tuned: bool = True,
) -> DataFrame:
    """The rows of `df`, each with the score of its own key's model, in one pass.

    It is `score`, with a keyed model's options said plainly and each task's rows sorted by key, so
    that a model is called for many rows at a time. Any keyed model can be given to `score`, a job
    or a SQL function as well; there, `SORT BY` the key in a query does the same.

    Args:
        df: any DataFrame with the model's key columns and features.
        model: what `train_many` stored: a spec, its folder, or its address in a registry.
        key: columns that identify a row; they come first in the result. (The columns that choose
            the model are the model's own.)
        keep: further columns to keep, or `"*"` for all.
        unknown_key: what a row gets whose key has no model: `quarantine` (no score, and the error
            `UNKNOWN_KEY`), `global` (the global model's score) or `null`.
        cluster_by_key: bring the rows of a key together in one task first. It costs a shuffle, and
            each task then meets few models: for models that are many and large.
        cache_mib: the models that a worker keeps open, by their pickled size.
        batch_rows: rows in a batch; by default what weighs about 8 MiB.
        tuned: remove PySpark's per-task costs from the workers.

    Returns:
        What `score` returns.

    Raises:
        ConfigError: an unknown value of `unknown_key`, or `global` without a global model.
        UnsupportedFlavor: it is no keyed model.
        ModelUnreadable: it is damaged.
        SignatureError: a column is missing, or of a type that is refused.
    """
    params = {"unknown_key": unknown_key, "cache_mib": cache_mib}
    checked_params(params, where="score_by_key()")
    if isinstance(model, ModelSpec):
        spec = replace(model, params=params)
        open_predictor(spec)  # whatever does not fit is told now, and not by a task
    else:
        spec = read_spec(str(model), flavor="keyed", params=params)
    columns = [column(name) for name in key_columns(spec) if name in df.columns]
    if columns:  # where one is missing, score() tells which
        spread = df.repartition(*columns) if cluster_by_key else df
        df = spread.sortWithinPartitions(*columns)
    return score(df, spec, key=key, keep=keep, batch_rows=batch_rows, tuned=tuned)
