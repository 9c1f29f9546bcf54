"""One worker, its own cores: caps on the threads of OpenMP, BLAS and their relatives."""

from __future__ import annotations

import os

from threadpoolctl import threadpool_limits

VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
)


def cap_threads(cores: int) -> None:
    """Cap the pools of this process at `cores` threads, those already loaded and those to come.

    Spark starts as many workers as it has task slots, so a library that takes every core of the
    machine in each worker makes cores² threads. Call it again after a model's libraries are loaded:
    a pool is found only once its library is there.
    """
    for name in VARIABLES:
        os.environ[name] = str(cores)
    threadpool_limits(limits=cores)
