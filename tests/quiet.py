"""What keeps the tests quiet: a reporter that says nothing, and MLflow without its remarks."""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Silent:
    """A reporter that says nothing."""

    def stage(self, text: str) -> None: ...
    def progress(self, done: int, total: int, failed: int) -> None: ...
    def close(self) -> None: ...


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Training is no part of a test: MLflow's remarks on it, its own type hints included."""
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        yield
