"""How many threads a library's own pool may have, for libraries that must be told when they start.

`sparkml.scoring.threads` caps the pools that OpenMP and BLAS make; ONNX Runtime and PyTorch make
theirs otherwise and ask nobody.
"""

from __future__ import annotations

import os


def pool_threads() -> int:
    """The cap of this process: `OMP_NUM_THREADS`, which a worker sets to its task's cores.

    Every core that the process may use where nothing is set (a driver, a script).
    """
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) else len(os.sched_getaffinity(0))
