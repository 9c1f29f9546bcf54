"""The Python modules that were logged with a model: on the import path, and its folder unharmed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from sparkml.models.mlmodel import inside

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def bring_code(folder: Path, flavor: Mapping[str, Any]) -> None:
    """Make the modules under the flavor's key `code` importable, where it has one.

    From then on the process writes no byte code: it would land in the model's folder, and the
    folder's digest would no longer be the model's.

    Raises:
        UntrustedModel: the key leads out of the folder.
    """
    code = flavor.get("code")
    if not code:
        return
    path = str(inside(folder, code, key="code", kind="folder"))
    if path not in sys.path:
        sys.path.insert(0, path)
    sys.dont_write_bytecode = True
