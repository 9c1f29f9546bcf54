"""Optional libraries: imported where they are used; a missing one is named with its extra."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

from sparkml.errors import ExtraMissing


def need(module: str, *, extra: str, why: str) -> Any:
    """The imported module.

    Raises:
        ExtraMissing: it is not installed; the fix names the extra.
    """
    try:
        with warnings.catch_warnings():
            # What a library warns about while it is imported (MLflow: its own type hints) is no
            # business of whoever scores a table.
            warnings.simplefilter("ignore")
            return importlib.import_module(module)
    except ImportError as error:
        raise ExtraMissing(
            f"{why} needs {module.partition('.')[0]}, which cannot be imported: {error}",
            fix=f"pip install 'sparkml[{extra}]'",
        ) from error
