"""Listings in pages, each with the marker of the next."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, TypeVar

from .protocol import invalid_request

if TYPE_CHECKING:
    from collections.abc import Sequence

Entry = TypeVar("Entry")


def page(entries: Sequence[Entry], marker: str | None, size: int) -> tuple[list[Entry], str | None]:
    """The entries of one page and the next page's marker, None after the last."""
    begin = _position(marker)
    end = begin + size
    more = base64.urlsafe_b64encode(f"at {end}".encode()).decode() if end < len(entries) else None
    return list(entries[begin:end]), more


def _position(marker: str | None) -> int:
    if marker is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(marker).decode().removeprefix("at "))
    except ValueError:
        raise invalid_request(f"Marker '{marker}' is not valid.") from None
