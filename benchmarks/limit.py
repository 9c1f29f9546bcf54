"""The limit: pyarrow reads, the library predicts, one process a core, nothing is written."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.data import FEATURES, load_native

_loaded: dict[str, Any] = {}


def pool() -> ProcessPoolExecutor:
    """One process a core, each with one thread for OpenMP and BLAS."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    return ProcessPoolExecutor(max_workers=os.cpu_count(), mp_context=get_context("spawn"))


def score_files(files: list[str], model: str) -> int:
    """The number of rows of `files`, each of them predicted."""
    import warnings

    import numpy as np
    import pyarrow.parquet as pq

    warnings.simplefilter("ignore")
    if model not in _loaded:
        _loaded[model] = load_native(Path(model))
    rows = 0
    for file in files:
        for batch in pq.ParquetFile(file).iter_batches(65_536, columns=FEATURES):
            matrix = np.column_stack([column.to_numpy() for column in batch.columns])
            rows += len(_loaded[model](matrix))
    return rows


def run(workers: ProcessPoolExecutor, table: Path, model: Path) -> int:
    """Score the table's files, shared out evenly."""
    files = sorted(str(f) for f in table.glob("*.parquet"))
    cores = os.cpu_count() or 1
    shares = [files[i::cores] for i in range(cores)]
    return sum(workers.map(score_files, shares, [str(model)] * cores))
