"""A library as if it were not installed, here and in the sandbox, which starts anew for it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sparkml.models.sandbox import client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest


def hide(library: str, folder: Path) -> None:
    """Put a module of that name into `folder` that cannot be imported."""
    text = f"raise ModuleNotFoundError(\"No module named '{library}'\", name='{library}')\n"
    (folder / f"{library}.py").write_text(text)


@contextmanager
def without(library: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Inside the block no process that we start can import the library."""
    hide(library, folder)
    client.stop()
    with monkeypatch.context() as patch:
        patch.syspath_prepend(folder)
        yield
    client.stop()
