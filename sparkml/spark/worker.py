"""What runs in a Python worker: the entry of every route, and the per-process costs it removes.

Stock PySpark spends 100 to 190 ms on each Python task, besides the task's work. Measured on 80
empty tasks, 2 cores, Python 3.11, PySpark 4.1.1, scikit-learn imported: 185 ms stock, 50 ms with
`tune`, 9 ms with `tune` and the Unix socket that `sparkml.spark.session` sets.
"""

from __future__ import annotations

import gc
import importlib
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from zipimport import zipimporter

import pyarrow as pa
import pyarrow.compute as pc
from pyspark import TaskContext

from sparkml.scoring.batches import rebatch
from sparkml.scoring.cache import cached_scorer
from sparkml.scoring.scorer import ERROR_TYPE
from sparkml.spark.gpu import on_own_gpu
from sparkml.spark.ship import arrived

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sparkml.scoring.scorer import Scorer
    from sparkml.spec import ModelSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreTask:
    """All that a task needs to know; it pickles to a few hundred bytes and holds no model.

    `columns` are the names of the columns that arrive, in their order. `keep` pairs the name of a
    column that passes through with its name in the output. `made` names the models that Spark has
    scored itself: their columns arrive after the others, each a struct of the outputs and `error`.
    `renamed` holds, for a model that writes some columns in other letters' cases, column → input.
    """

    models: tuple[ModelSpec, ...]
    columns: tuple[str, ...]
    keep: tuple[tuple[str, str], ...] = ()
    batch_rows: int | None = None
    tuned: bool = True
    made: tuple[str, ...] = ()
    renamed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def live(self) -> tuple[ModelSpec, ...]:
        """The models that are scored in the workers."""
        return tuple(spec for spec in self.models if spec.name not in self.made)


def score_batches(task: ScoreTask, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The kept columns, a struct per model and `error`, batch by batch, in the rows' order."""
    scorers: dict[str, Scorer] = {}
    for batch in rebatch(batches, task.batch_rows):
        scorers = scorers or {spec.name: open_scorer(spec, tuned=task.tuned) for spec in task.live}
        width = len(task.columns)
        named = pa.RecordBatch.from_arrays(batch.columns[:width], names=list(task.columns))
        arrived = map(pa.RecordBatch.from_struct_array, batch.columns[width:])
        scores = dict(zip(task.made, arrived, strict=True))
        scores |= {
            name: scorer(_renamed(named, task.renamed.get(name, {})))
            for name, scorer in scorers.items()
        }
        yield _scored(named, [(s.name, scores[s.name]) for s in task.models], task.keep)
    if task.tuned:
        tune(loaded=False)


def _renamed(batch: pa.RecordBatch, names: Mapping[str, str]) -> pa.RecordBatch:
    if not names:
        return batch
    return batch.rename_columns([names.get(name, name) for name in batch.schema.names])


def open_scorer(spec: ModelSpec, *, tuned: bool) -> Scorer:
    """The live model of this worker: loaded at the first batch that needs it, then kept.

    Raises:
        GpuMissing: it is told to use a GPU, and this task has none.
    """
    context = TaskContext.get()
    cores = context.cpus() if context else 1
    own = on_own_gpu(spec, context)
    scorer, loaded = cached_scorer(own, cores=cores, locate=arrived)
    if tuned:
        tune(loaded=loaded)
    return scorer


def _scored(
    batch: pa.RecordBatch,
    scores: list[tuple[str, pa.RecordBatch]],
    keep: tuple[tuple[str, str], ...],
) -> pa.RecordBatch:
    columns = [batch.column(source) for source, _ in keep]
    names = [output for _, output in keep]
    errors = pa.nulls(batch.num_rows, ERROR_TYPE)
    for name, scored in scores:
        *outputs, found = scored.columns
        columns.append(pa.StructArray.from_arrays(outputs, fields=list(scored.schema)[:-1]))
        names.append(name)
        if found.null_count < len(found):
            errors = pc.coalesce(errors, found)
    return pa.RecordBatch.from_arrays([*columns, errors], names=[*names, "error"])


def tune(*, loaded: bool) -> None:
    """Remove two costs that PySpark adds to every task of this process; `loaded`: a model just was.

    It runs a full garbage collection after each task: what stands now is frozen, so that it walks
    over the task's own objects alone. And it invalidates the import caches before each task, which
    makes every zip on `sys.path` be read again: zips that did not change are left out of that.
    """
    patched = isinstance(importlib.invalidate_caches, _InvalidateChanged)
    if not patched:
        importlib.invalidate_caches = _InvalidateChanged()
    if loaded or not patched:
        gc.collect()
        gc.freeze()


class _InvalidateChanged:
    """`importlib.invalidate_caches`, except for zip archives whose file is as it was."""

    def __init__(self) -> None:
        self._original = importlib.invalidate_caches
        self._stamps: dict[str, tuple[int, int]] = {}

    def __call__(self) -> None:
        cache = sys.path_importer_cache
        unchanged = {}
        for path, finder in list(cache.items()):
            if isinstance(finder, zipimporter):
                stamp = _stamp(finder.archive)
                if stamp is not None and self._stamps.get(path) == stamp:
                    unchanged[path] = cache.pop(path)
                elif stamp is not None:
                    self._stamps[path] = stamp
        try:
            self._original()
        finally:
            cache.update(unchanged)


def _stamp(archive: str) -> tuple[int, int] | None:
    try:
        status = Path(archive).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
