"""How many threads a library's own pool may have, for libraries that must be told when they start.

`sparkml.scoring.threads` caps the pools that OpenMP and BLAS make; ONNX Runtime and PyTorch make
theirs otherwise and ask nobody.
"""

from __future__ import annotations

import os


def pool_threads() -> int:
    """The cap of this process: `OMP_NUM_THREADS`, which a worker sets to its task's cores, else 1.

    One, because several threads share a sum out by the size of the batch: its last digits would
    then depend on who scores the row, and beside which others.
    """
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) else 1
