"""Merging values: raw overrides into a request, and EMR's configurations by classification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


def deep_merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `over` laid upon it; neither is changed.

    Mappings merge key by key at every depth. Anything else, a list too, is replaced. A null takes
    the key away.
    """
    merged = dict(base)
    for key, value in over.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            below = merged.get(key)
            merged[key] = deep_merge(below if isinstance(below, Mapping) else {}, value)
        else:
            merged[key] = value
    return merged


def merge_configurations(*layers: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """EMR configuration objects, those of one classification made one; later layers win.

    `Properties` merge key by key, and nested `Configurations` by their classification again. The
    order is that of first mention, so that the same layers always give the same request.
    """
    merged: dict[str, dict[str, Any]] = {}
    for layer in layers:
        for one in layer:
            name = str(one.get("Classification", ""))
            before = merged.setdefault(name, {"Classification": name, "Properties": {}})
            given = one.get("Properties") or {}
            properties = {key: _text(value) for key, value in given.items()}
            before["Properties"] = {**before["Properties"], **properties}
            inner = (before.get("Configurations", ()), one.get("Configurations") or ())
            if any(inner):
                before["Configurations"] = merge_configurations(*inner)
    return list(merged.values())


def _text(value: object) -> str:
    """A property as Java reads it: YAML's `true` is Python's True, and is `true` again."""
    return str(value).lower() if isinstance(value, bool) else str(value)
