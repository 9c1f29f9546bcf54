"""LightGBM's models in a skops file: their texts, checked before skops hands them to the library.

`Booster.__setstate__` gives the text to LightGBM, which must not read a damaged one
(`lightgbm_text.py`). So it is looked up in the file's JSON, where nothing has been made of it yet.
"""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

from sparkml.errors import ModelUnreadable
from sparkml.models.flavors.lightgbm_text import check_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEMA = "schema.json"
TEXT = ("_handle", "handle")
"""Where a booster's state has its text, by LightGBM 4 and 3."""


def check_boosters(path: Path) -> None:
    """Check the text of every LightGBM model in a skops file; costs what `check_text` does.

    Says nothing of what is no skops file: skops does.

    Raises:
        ModelUnreadable: a text is damaged, or is not where skops puts it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            nodes = list(_nodes(json.loads(archive.read(SCHEMA))))
    except (OSError, KeyError, ValueError, RecursionError, zipfile.BadZipFile):
        return
    try:
        for booster in filter(_is_booster, nodes):
            _check_booster(booster, nodes)
    except (LookupError, TypeError, ValueError) as error:
        raise ModelUnreadable(
            f"LightGBM cannot read the model: {error}",
            where=str(path),
            fix="store it again with skops, by the LightGBM version installed here",
        ) from error


def _nodes(part: Any) -> Iterator[dict[str, Any]]:
    """Every object of the schema, at any depth."""
    if isinstance(part, dict):
        yield part
        part = list(part.values())
    for inner in part if isinstance(part, list) else ():
        yield from _nodes(inner)


def _is_booster(node: dict[str, Any]) -> bool:
    named = (node.get("__module__"), node.get("__class__")) == ("lightgbm.basic", "Booster")
    return named and node.get("__loader__") != "CachedNode"  # which means one that stands elsewhere


def _check_booster(booster: dict[str, Any], nodes: list[dict[str, Any]]) -> None:
    state = booster["content"]
    if (booster["__loader__"], state["__loader__"]) != ("ObjectNode", "DictNode"):
        raise ValueError("its booster is not stored as skops stores one")
    texts = [state["content"][name] for name in TEXT if name in state["content"]]
    for node in texts:
        text = json.loads(node["content"]) if node["__loader__"] == "JsonNode" else None
        if not isinstance(text, str):
            raise ValueError("its booster has no text")
        check_text(text)
    # Of nodes with one id skops takes the first for all.
    checked = {node["__id__"]: node for node in (booster, state, *texts) if node.get("__id__")}
    for node in nodes:
        made = node.get("__loader__") not in (None, "CachedNode")
        if made and checked.get(node.get("__id__"), node) != node:
            raise ValueError("another part of the file has its booster's id")
