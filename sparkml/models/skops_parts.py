"""What each kind of part in a skops file may be: its fields, its names, the parts inside it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any

from sparkml.models.skops_types import BIT_GENERATORS, defined

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparkml.models.skops_file import Walk

Part = dict[str, Any]

METHODS = frozenset(
    {"auto", "predict", "predict_proba", "predict_log_proba", "decision_function", "transform"}
)
METHOD_NAMES = frozenset(
    {
        "_response_method", "chain_method", "chain_method_", "response_method", "stack_method",
        "stack_method_",
    }
)  # fmt: skip
"""The attributes by whose texts scikit-learn chooses which method it calls."""

_ATOM = r"(?:\\[^0-9]|\[(?:\\.|[^\[\]\\])+\]|[^\\()\[\]{}*+?|])"
_TIMES = r"(?:(?:[*+?]|\{\d{1,3}(?:,\d{0,3})?\})\??)?"
TOKEN_PATTERN = re.compile(
    r"(?s)(?!.{201})(?!(?:[^*+{]*[*+{]){5})(?!(?:.*(?:[.\]]|\\[DSWs])[*+{]){3})"
    r"(?:\(\?[aiLmsux]+\))?"
    rf"(?:{_ATOM}{_TIMES}|\||\((?:\?(?:[:=!]|<[=!]))?(?:{_ATOM}{_TIMES}|\|)*\)\??"
    r"|\(\?:(?:[-'._@&]|\[[-'._@&]+\])\\w\+\)[*+])*"
)
"""Patterns that no text keeps busy for ever: few repetitions, of few sets, and none of what repeats
itself, but for words with a sign before each."""

TEXTS = {
    **dict.fromkeys(METHOD_NAMES, re.compile("|".join(sorted(METHODS)))),
    "importance_getter": re.compile(r"(?!.*__)[\w.]+"),
    "input": re.compile("content"),
    "token_pattern": TOKEN_PATTERN,
}
"""An attribute → what its texts may be. `input`: vectorizers open the files that a row names."""


class Strange(ValueError):
    """What a part of the file is that it must not be."""


@dataclass(frozen=True, slots=True)
class Loader:
    """How skops restores one kind of part.

    `names` is the list that its class must be on, `fields` are all that it has, `parts` gives the
    parts inside in skops' order, and `rule` looks at what is not a part.
    """

    names: str
    fields: frozenset[str]
    parts: Callable[[Part], list[Any]]
    rule: Callable[[Walk, Part], None] | None = None


def text_of(part: Part, field: str) -> str:
    """A field that is a text."""
    value = part[field]
    if not isinstance(value, str):
        raise TypeError(f"{field} is no text")
    return value


def name_of(part: Part) -> str:
    """What a part names, as skops writes it."""
    return f"{part['__module__']}.{part['__class__']}"


def texts_of(part: Part) -> list[str]:
    """The texts in a part: itself, or those of a list; no other part may stand for one."""
    if part["__loader__"] in ("ListNode", "TupleNode"):
        return [text for inner in part["content"] for text in texts_of(inner)]
    if part["__loader__"] == "FunctionNode":
        return []
    if part["__loader__"] != "JsonNode":
        raise Strange(f"{name_of(part)} where a text belongs")
    value = json.loads(part["content"])
    return [value] if isinstance(value, str) else []


def _items(part: Part) -> list[Any]:
    content = part["content"]
    if not isinstance(content, list):
        raise TypeError("its content is no list")
    return list(content)


def _values(part: Part) -> list[Any]:
    return [part["key_types"], *part["content"].values()]


def _inside(*fields: str) -> Callable[[Part], list[Any]]:
    return lambda part: [part["content"][field] for field in fields]


def _array_parts(part: Part) -> list[Any]:
    return [] if part["type"] == "numpy" else [*_items(part), part["shape"]]


def _check_keys(walk: Walk, part: Part) -> None:
    kinds = part["key_types"]
    if kinds["__loader__"] != "ListNode" or len(kinds["content"]) != len(part["content"]):
        raise ValueError("the keys of a dict have other types than there are keys")
    for kind in kinds["content"]:
        if kind["__loader__"] != "TypeNode":
            raise ValueError("the type of a key is none")
        walk.name(kind, "key")


def _check_scalar(walk: Walk, part: Part) -> None:  # noqa: ARG001
    value = json.loads(text_of(part, "content"))
    if isinstance(value, dict | list):
        raise TypeError("a value is no scalar")


def _check_file(suffix: str) -> Callable[[Walk, Part], None]:
    def check(walk: Walk, part: Part) -> None:
        if "file" not in part and part.get("type") == "json":
            return
        file = text_of(part, "file")
        if file not in walk.members or not file.endswith(suffix):
            raise ValueError(f"{file!r} is not among its members")

    return check


def _check_array(walk: Walk, part: Part) -> None:
    if part["type"] not in ("numpy", "json"):
        raise ValueError("an array is stored in no known way")
    if part["type"] == "json" and part["shape"]["__loader__"] != "TupleNode":
        raise ValueError("an array has no shape")
    _check_file(".npy")(walk, part)


def _check_slice(walk: Walk, part: Part) -> None:  # noqa: ARG001
    ends = part["content"]
    if set(ends) != {"start", "stop", "step"}:
        raise ValueError("a slice has other ends")
    if not all(end is None or type(end) in (int, str) for end in ends.values()):
        raise TypeError("a slice's end is no number")


def _check_generator(walk: Walk, part: Part) -> None:  # noqa: ARG001
    state = part["content"]["bit_generator"]
    names = texts_of(state["content"]["bit_generator"])
    if state["__loader__"] != "DictNode" or len(names) != 1 or names[0] not in BIT_GENERATORS:
        raise Strange(f"a random generator of {names}")


def _check_function(walk: Walk, part: Part) -> None:
    of = part["content"]["func"]
    if of["__loader__"] not in ("FunctionNode", "TypeNode"):
        raise Strange("a partial of what is no function")
    walk.name(of, "function")


def _check_factory(walk: Walk, part: Part) -> None:  # noqa: ARG001
    factory = part["content"]["default_factory"]
    if factory["__loader__"] not in ("TypeNode", "JsonNode"):
        raise Strange("a defaultdict with a factory that is no type")


def _check_attributes(walk: Walk, part: Part) -> None:  # noqa: ARG001
    """An object's attributes: none stands for a method, and some may hold only certain texts."""
    kind = defined((part["__module__"], part["__class__"]))
    for name, value in _attributes(part, kind).items():
        if callable(getattr(kind, name, None)):
            raise Strange(f"{name_of(part)} with a '{name}' in the place of its method")
        pattern = TEXTS.get(name)
        for text in texts_of(value) if pattern else ():
            if pattern and not pattern.fullmatch(text):
                raise Strange(f"{name_of(part)} with {name} = {text!r}")


def _attributes(part: Part, kind: Any) -> Part:
    if part.get("content") is None:
        return {}
    state = part["content"]
    own = getattr(kind, "__setstate__", None)
    if state["__loader__"] == "TupleNode" and own and not isinstance(own, FunctionType):
        return {}  # the state of a class written in C
    if state["__loader__"] == "JsonNode" and state["content"] == "null":
        return {}
    if state["__loader__"] != "DictNode":
        raise Strange(f"{name_of(part)} whose attributes are no dict")
    for key in state["key_types"]["content"]:
        if name_of(key) != "builtins.str":
            raise ValueError("an attribute's name is no text")
    return dict(state["content"])


def _none(part: Part) -> list[Any]:  # noqa: ARG001
    return []


def _content(part: Part) -> list[Any]:
    return [part["content"]]


def _reduced(part: Part) -> list[Any]:
    if part["__reduce__"].keys() != {"args"}:
        raise ValueError("an object is made of more than its arguments")
    return [part["content"], part["__reduce__"]["args"]]


_CONTENT = frozenset({"content"})
_FILE = frozenset({"file"})

LOADERS: dict[str, Loader] = {
    "BytearrayNode": Loader("bytes", _FILE, _none, _check_file(".bin")),
    "BytesNode": Loader("bytes", _FILE, _none, _check_file(".bin")),
    "ConstructorFromReduceNode": Loader("made", _CONTENT, _content),
    "DTypeNode": Loader("dtype", _CONTENT, _content),
    "DefaultDictNode": Loader(
        "defaultdict", _CONTENT, _inside("main", "default_factory"), _check_factory
    ),
    "DictNode": Loader("dict", _CONTENT | {"key_types"}, _values, _check_keys),
    "FunctionNode": Loader("function", frozenset(), _none),
    "JsonNode": Loader("json", _CONTENT | {"is_json"}, _none, _check_scalar),
    "ListNode": Loader("list", _CONTENT, _items),
    "LossNode": Loader("loss", _CONTENT | {"__reduce__"}, _reduced),
    "MaskedArrayNode": Loader("masked", _CONTENT, _inside("data", "mask")),
    "NdArrayNode": Loader(
        "array", _CONTENT | _FILE | {"shape", "type"}, _array_parts, _check_array
    ),
    "ObjectNode": Loader(
        "object",
        _CONTENT,
        lambda p: [] if p.get("content") is None else [p["content"]],
        _check_attributes,
    ),
    "PartialNode": Loader(
        "partial", _CONTENT, _inside("func", "args", "kwds", "namespace"), _check_function
    ),
    "RandomGeneratorNode": Loader(
        "generator", _CONTENT, _inside("bit_generator", "seed_seq"), _check_generator
    ),
    "RandomStateNode": Loader("random", _CONTENT, _content),
    "SetNode": Loader("set", _CONTENT, _items),
    "SliceNode": Loader("slice", _CONTENT, _none, _check_slice),
    "SparseMatrixNode": Loader("sparse", _FILE | {"type"}, _none, _check_file(".npz")),
    "TreeNode": Loader("tree", _CONTENT | {"__reduce__"}, _reduced),
    "TupleNode": Loader("tuple", _CONTENT, _items),
    "TypeNode": Loader("type", frozenset(), _none),
}
"""Every kind of part that may stand in a file. Not there: methods, operators, what others add."""
