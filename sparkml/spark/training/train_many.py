"""`train_many`: one model per key of a table, fitted in the workers, stored as one artifact."""

from __future__ import annotations

import json
import pickle
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from pyspark.storagelevel import StorageLevel

from sparkml.errors import ConfigError, ModelUnreadable, NotFitted
from sparkml.models.digest import digest_of
from sparkml.models.flavors.keyed_file import Header
from sparkml.models.flavors.keyed_write import Entry, write_keyed
from sparkml.models.flavors.sklearn import SklearnModel
from sparkml.spark.failures import explained
from sparkml.spark.training.fit_groups import check_rows, fitted, fitted_on_all, training_columns
from sparkml.training.fit_key import FIT_FAILED, TOO_FEW_ROWS, Recipe, new_estimator, versions_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pyspark.sql import DataFrame, Row

    from sparkml.spark.training.fit_groups import TrainingColumns

WHERE = "training table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A keyed model that was stored, and what became of the keys.

    `folder` holds it: `read_spec(trained.folder)`, and its `index.parquet` has a row for each key,
    with its rows, its score, or the code and message of why it has no model. `models` of `keys`
    have one; `too_few` had fewer rows than `min_rows`, the fit of `failed` raised. `keyless` rows
    had a null in the key and trained no key's model.
    """

    folder: str
    digest: str
    rows: int
    keyless: int
    keys: int
    models: int
    too_few: int
    failed: int
    global_model: bool
    seconds: float
    uri: str = ""

    def to_json(self) -> dict[str, Any]:
        """The outcome as plain values, `status` first: what the result file holds."""
        return {"status": "ok", **asdict(self)}

    def summary_rows(self) -> list[tuple[str, str]]:
        """What a person wants to know, as label and value."""
        others = f"{self.too_few:,} had too few rows, {self.failed:,} failed"
        rows = [
            ("rows", f"{self.rows:,}" + (f", {self.keyless:,} without a key" * bool(self.keyless))),
            ("keys", f"{self.keys:,}"),
            ("models", f"{self.models:,}" + ", and the global one" * self.global_model),
            ("no model", others),
            ("time", f"{self.seconds:.1f} s"),
            ("folder", f"{self.folder}  sha256 {self.digest[:12]}"),
        ]
        return [*rows, ("registered", self.uri)] if self.uri else rows


def train_many(
    df: DataFrame,
    *,
    key: str | Sequence[str],
    label: str,
    estimator: str | Callable[..., Any],
    output: str | Path,
    features: Sequence[str] = (),
    params: Mapping[str, Any] | None = None,
    min_rows: int = 10,
    holdout: float = 0.0,
    global_model: bool = False,
    global_rows: int = 100_000,
    max_failed: float = 0.01,
    seed: int = 0,
    tasks: int | None = None,
    tuned: bool = True,
) -> Trained:
    """Fit one model per key and store all of them as one keyed model in a local folder.

    Two Spark jobs: one counts rows and null labels, one shuffles the rows of each key together and
    fits. A worker holds the rows of one key at a time; the fitted models pass through Spark's local
    disks to the driver, which holds those of one task at a time (more `tasks`, less memory). The
    same rows give the same bytes, in whatever order they lie and however many tasks there are (as
    far as the estimator itself is deterministic: `seed` is given to each `random_state` that is not
    set).

    Args:
        df: the labelled rows. A null or NaN in a feature reaches the estimator as NaN.
        key: columns whose values make a key: whole numbers, texts, booleans, dates, decimals.
            A row with a null in it belongs to no key.
        label: the column to predict: a number, text or boolean.
        estimator: `package.module:name` or a function; called with `params` for each key, it
            returns an unfitted estimator with scikit-learn's `fit` and `predict`. It gets a pandas
            DataFrame of the features (a matrix, for a lone vector column).
        output: the folder; a keyed model that is there is replaced once all is written.
        features: the columns that the models take; all but key and label by default.
        params: the arguments of `estimator`.
        min_rows: a key with fewer rows gets no model of its own.
        holdout: the share of a key's rows that is not fitted on, but scored, by the estimator's own
            `score` (R² or accuracy); 0 holds out none.
        global_model: fit one more model on rows of all keys, for those that have none.
        global_rows: about so many rows at most train it.
        max_failed: the share of keys with enough rows whose fit may fail; above it nothing is
            stored.
        seed: of the estimators and the holdout.
        tasks: the number of tasks that fit; four a core by default.
        tuned: remove PySpark's per-task costs from the workers.

    Raises:
        SignatureError: a column is missing, or of a type that its role cannot have.
        InputError: there are no rows.
        NullInputError: a label is null.
        ConfigError: the estimator cannot be imported or called, or a number is out of its range.
        NotFitted: the fit of too many keys failed, or not one key has a model.
        SinkNotWritable: the folder cannot be written.
        JobFailed: Spark gave up.
    """
    _check_numbers(min_rows, holdout, max_failed, global_rows, tasks)
    keys = [key] if isinstance(key, str) else list(key)
    columns = training_columns(df, keys, features, label, where=WHERE)
    recipe = Recipe(
        estimator=estimator, params=dict(params or {}), features=columns.features, label=label,
        min_rows=min_rows, holdout=holdout, seed=seed,
    )  # fmt: skip
    made = new_estimator(recipe)
    rows, keyless = check_rows(df, columns, where=WHERE)
    started = time.monotonic()
    results = fitted(df, columns, recipe, tasks=tasks, tuned=tuned)
    if global_model:
        share = min(1.0, global_rows / rows)
        results = results.unionAll(fitted_on_all(df, columns, recipe, share=share, tuned=tuned))
    with tempfile.TemporaryFile(prefix="sparkml-") as scratch:
        entries, classes = _collected(results, columns, scratch)
        _check_fits(entries, max_failed, global_model=global_model)
        header = _header(entries, columns, classes, scratch)
        folder = Path(output)
        write_keyed(folder, header, entries, scratch, versions=versions_of(made))
    own = [e for e in entries if e.key is not None]
    return Trained(
        folder=str(folder),
        digest=digest_of(folder),
        rows=rows,
        keyless=keyless,
        keys=len(own),
        models=sum(e.length is not None for e in own),
        too_few=sum(e.code == TOO_FEW_ROWS for e in own),
        failed=sum(e.code == FIT_FAILED for e in own),
        global_model=len(own) < len(entries),
        seconds=round(time.monotonic() - started, 3),
    )


def _check_numbers(
    min_rows: int, holdout: float, max_failed: float, global_rows: int, tasks: int | None
) -> None:
    for name, value, fits, fix in (
        ("min_rows", min_rows, min_rows >= 1, "at least 1"),
        ("holdout", holdout, 0 <= holdout < 1, "a share, from 0 to below 1"),
        ("max_failed", max_failed, 0 <= max_failed <= 1, "a share, 0 to 1"),
        ("global_rows", global_rows, global_rows >= 1, "at least 1"),
        ("tasks", tasks, tasks is None or tasks >= 1, "at least 1"),
    ):
        if not fits:
            raise ConfigError(f"{name} is {value}", where=name, fix=fix)


def _collected(
    results: DataFrame, columns: TrainingColumns, scratch: BinaryIO
) -> tuple[list[Entry], set[Any]]:
    """Every key's entry, its model in the scratch file, and all the classes that were seen.

    `toLocalIterator` brings one partition, the models of one task, to the driver at a time: more
    `tasks` make it smaller.
    """
    entries: list[Entry] = []
    classes: set[Any] = set()
    with _stored(results) as stored:
        for row in stored.toLocalIterator():
            key = tuple(row[f"k{i}"] for i in range(len(columns.keys)))
            entries.append(_entry(row, None if row.of_all else key, scratch.tell()))
            classes |= set(json.loads(row.classes))
            if row.model is not None:
                scratch.write(row.model)
    return entries, classes


@contextmanager
def _stored(results: DataFrame) -> Iterator[DataFrame]:
    """The results, computed by one job with all its tasks at once, and kept on Spark's disks.

    What comes to the driver bit by bit would else be computed bit by bit.
    """
    kept = results.persist(StorageLevel.DISK_ONLY)
    try:
        with explained():
            kept.count()
            yield kept
    finally:
        kept.unpersist()


def _entry(row: Row, key: tuple[Any, ...] | None, start: int) -> Entry:
    return Entry(
        key=key,
        rows=row.rows,
        start=start,
        length=None if row.model is None else len(row.model),
        score=row.score,
        code=row.code,
        message=row.message,
    )


def _check_fits(entries: list[Entry], max_failed: float, *, global_model: bool) -> None:
    own = [e for e in entries if e.key is not None]
    failed = sorted((e for e in own if e.code == FIT_FAILED), key=lambda e: e.key or ())
    tried = sum(e.code != TOO_FEW_ROWS for e in own)
    example = f"; the first, {failed[0].key}: {failed[0].message}" if failed else ""
    if tried == len(failed) or len(failed) / tried > max_failed:
        raise NotFitted(
            f"{len(failed):,} of {tried:,} keys with enough rows could not be fitted{example}",
            where=f"max_failed is {max_failed:.2%}" if tried else f"{len(own):,} keys",
            fix="mend the rows or the estimator, or raise max_failed"
            if tried
            else "lower min_rows: no key has so many",
        )
    of_all = [e for e in entries if e.key is None]
    if global_model and not of_all:
        raise NotFitted(
            "the global model could not be fitted: not one row was drawn for it",
            where="global_model",
            fix="let more rows train it, or leave it out",
        )
    lost = [e for e in of_all if e.length is None]
    if lost:
        raise NotFitted(
            f"the global model could not be fitted: {lost[0].message}",
            where="global_model",
            fix="mend the rows or the estimator, or leave it out",
        )


def _header(
    entries: list[Entry], columns: TrainingColumns, classes: set[Any], scratch: BinaryIO
) -> Header:
    """What the artifact says about itself; its outputs are asked of one of the models."""
    first = next(e for e in entries if e.length is not None)
    scratch.seek(first.start)
    one = pickle.loads(scratch.read(first.length or 0))  # noqa: S301 - made by our own job just now
    outputs = SklearnModel(one, (), where=str(first.key)).outputs(columns.features, ())
    if not outputs:
        raise ModelUnreadable(
            "the fitted estimator does not tell what it gives",
            where=str(first.key),
            fix="use an estimator that follows scikit-learn's conventions",
        )
    return Header(
        keys=columns.keys,
        features=columns.features,
        outputs=outputs,
        classes=tuple(sorted(classes)),
    )
