"""skops files as somebody hostile would write them: a good one, with its schema changed."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import skops.io
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Node = dict[str, Any]

X, Y = make_classification(120, 4, n_informative=4, n_redundant=0, random_state=0)


def good() -> bytes:
    """A logistic regression, as skops stores it."""
    return bytes(skops.io.dumps(LogisticRegression().fit(X, Y)))


def node(loader: str, name: str, **fields: Any) -> Node:
    """A part of a schema; `name` is its class with the module."""
    module, _, kind = name.rpartition(".")
    return {"__class__": kind, "__module__": module, "__loader__": loader, **fields}


def scalar(value: Any) -> Node:
    """A number, a text, a truth value or None."""
    return node("JsonNode", "builtins.str", content=json.dumps(value), is_json=True)


def type_(name: str) -> Node:
    """A class itself."""
    return node("TypeNode", name)


def parts(*items: Node) -> Node:
    """A tuple."""
    return node("TupleNode", "builtins.tuple", content=list(items))


def mapping(**items: Node) -> Node:
    """A dict with names for keys."""
    kinds = node("ListNode", "builtins.list", content=[type_("builtins.str")] * len(items))
    return node("DictNode", "builtins.dict", content=items, key_types=kinds)


def made(name: str, *arguments: Any) -> Node:
    """What a class gives for arguments."""
    content = parts(*[scalar(argument) for argument in arguments])
    return node("ConstructorFromReduceNode", name, content=content)


def attributes(schema: Node) -> Node:
    """The attributes of the estimator in a schema."""
    return schema["content"]["content"]


def hide(schema: Node, hidden: Node, name: str = "hidden_") -> None:
    """Give the estimator in a schema one more attribute."""
    state = schema["content"]
    state["content"][name] = hidden
    state["key_types"]["content"].append(type_("builtins.str"))


def rewritten(
    data: bytes,
    change: Callable[[Node], Any] | None = None,
    *,
    members: Callable[[str, bytes], bytes] = lambda _, content: content,
    compression: int = zipfile.ZIP_STORED,
) -> bytes:
    """The file with another schema (`change` edits it, or gives its text) and other members."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", compression) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "schema.json":
                schema = json.loads(content)
                text = change(schema) if change else None
                content = text if isinstance(text, bytes) else json.dumps(schema).encode()
            new.writestr(name, members(name, content))
    return out.getvalue()


def write(folder: Path, data: bytes) -> str:
    """The path of the file."""
    path = folder / "m.skops"
    path.write_bytes(data)
    return str(path)


def array_bytes(array: Any) -> bytes:
    """An array as skops stores one."""
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()
