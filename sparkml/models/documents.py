"""The YAML, JSON and texts beside a model, read with bounds: on size, depth, aliases and keys.

MLflow and Spark read the same files again with rules of their own (YAML's merge keys, the last of
two equal keys), so what could mean two things is refused.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sparkml.config.yaml_text import BadYaml, read_yaml
from sparkml.errors import ModelUnreadable

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 16 << 20
MOST_VALUES = 200_000


def text_of(path: Path) -> str:
    """The text of a small file; what is no UTF-8 in it is marked as such.

    Raises:
        ModelUnreadable: it is larger than 16 MiB, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise _unreadable(path, str(error)) from error
    if len(data) > LARGEST:
        raise _unreadable(path, f"it is larger than {LARGEST >> 20} MiB")
    return data.decode("utf-8", "replace")


def yaml_of(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; empty where it holds none. Costs 0.1 s for 10,000 values.

    Raises:
        ModelUnreadable: it is no YAML, holds tags, merge keys, one key twice, or too much.
    """
    try:
        read = read_yaml(text_of(path), most_values=MOST_VALUES)
    except BadYaml as error:
        raise _unreadable(path, f"{error.what} (line {error.line})") from error
    if read.twice:
        where, line, _ = read.twice[0]
        raise _unreadable(path, f"the key '{where[-1]}' stands in it twice (line {line})")
    if any("<<" in place for place in read.lines):
        raise _unreadable(path, "it holds a merge key (<<)")
    return read.value if isinstance(read.value, dict) else {}


def json_of(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is no JSON (as NaN is none), nested too deep, or a key stands twice in one
            object.
    """
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return made


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _unreadable(path: Path, what: str) -> ModelUnreadable:
    return ModelUnreadable(
        f"the {path.name} file cannot be read: {what}", where=str(path), fix="log the model again"
    )
