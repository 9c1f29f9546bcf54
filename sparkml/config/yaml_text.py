"""YAML text to plain values, with the line of each: no tags, no surprises, no bombs.

Plain words follow YAML 1.2's core rules: only `true` and `false` are booleans, a date stays text,
`010` and `12:30` are not numbers, `1e-3` is one. Keys are always text. Nothing but mappings, lists,
text, numbers, booleans and nulls can come out, whatever the text says.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH = 32
MAX_VALUES = 20_000

Path = tuple[str | int, ...]
"""Where a value stands: keys, and positions in lists."""

_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,18})")
_LARGEST_INT = 2**63 - 1
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)"
    r"|\.(nan|NaN|NAN)"
)


class BadYaml(Exception):
    """The text is not what this file reads; `line` is where, counted from 1."""

    def __init__(self, what: str, line: int, fix: str = "") -> None:
        super().__init__(what, line, fix)
        self.what, self.line, self.fix = what, line, fix


@dataclass(slots=True)
class Document:
    """A value, the line of everything in it, and the keys that stand in it twice."""

    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    twice: list[tuple[Path, int, int]] = field(default_factory=list)
    """Path, line, and the line of the first."""


def read_yaml(text: str, *, most_values: int = MAX_VALUES) -> Document:
    """The one document in `text`; an empty text is null.

    Raises:
        BadYaml: it is not YAML, holds a tag, an unknown alias, a second document, or is too deep or
            too large once its aliases stand in full.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    reader = _Reader(yaml.parse(text, Loader=loader), most_values)
    try:
        return reader.document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = f"not YAML: {error.problem or error.context}"
        raise BadYaml(what, mark.line + 1 if mark else 1) from error
    except yaml.YAMLError as error:
        raise BadYaml("not YAML: it holds a character that YAML does not allow", 1) from error


class _Reader:
    """Builds values from the parser's events: an alias is counted as if it were written out."""

    def __init__(self, events: Iterator[yaml.Event], most_values: int) -> None:
        self.events, self.most_values = events, most_values
        self.found = Document()
        self.anchors: dict[str, Any] = {}
        self.count = 0

    def document(self) -> Document:
        documents = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise BadYaml("a second document starts here", _line(event), "keep one")
                self.found.value = self.value(next(self.events), ())
        return self.found

    def value(self, event: yaml.Event, path: Path) -> Any:
        line = _line(event)
        self.found.lines.setdefault(path, line)
        self._grow(1, line)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path, line)
        assert isinstance(event, yaml.NodeEvent)  # noqa: S101  # the parser gives nothing else here
        tag = getattr(event, "tag", None)
        if tag not in (None, "!"):
            raise BadYaml(f"the tag {tag!r} is refused: values are plain", line, "write the value")
        if len(path) > MAX_DEPTH:
            raise BadYaml(f"nested deeper than {MAX_DEPTH} levels", line)
        built: Any
        if isinstance(event, yaml.ScalarEvent):
            built = _scalar(event.value) if event.implicit[0] and tag is None else event.value
        elif isinstance(event, yaml.SequenceStartEvent):
            built = self._sequence(path)
        else:
            built = self._mapping(path)
        if event.anchor is not None:
            self.anchors[event.anchor] = built
        return built

    def _sequence(self, path: Path) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self.value(event, (*path, len(items))))
        return items

    def _mapping(self, path: Path) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            line = _line(event)
            if not isinstance(event, yaml.ScalarEvent) or event.tag not in (None, "!"):
                raise BadYaml("a key must be plain text", line)
            here = (*path, event.value)
            if event.value in mapping:
                self.found.twice.append((here, line, self.found.lines[here]))
            self.found.lines[here] = line
            mapping[event.value] = self.value(next(self.events), here)
        return mapping

    def _alias(self, event: yaml.AliasEvent, path: Path, line: int) -> Any:
        if event.anchor not in self.anchors:
            raise BadYaml(f"the alias *{event.anchor} has no anchor before it", line)
        target = self.anchors[event.anchor]
        for inner in paths(target, path):
            self._grow(1, line)
            self.found.lines[inner] = line
        return copy.deepcopy(target)

    def _grow(self, by: int, line: int) -> None:
        self.count += by
        if self.count > self.most_values:
            raise BadYaml(f"more than {self.most_values} values, aliases written out", line)


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """The path of `value` and of everything in it."""
    yield path
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(item, (*path, key))


def _line(event: yaml.Event) -> int:
    mark = event.start_mark
    return mark.line + 1 if mark else 1


def _scalar(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text) and -_LARGEST_INT - 1 <= int(text) <= _LARGEST_INT:
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text.replace(".", "") if text[-1] in "fFnN" else text)  # .inf and .nan
    return text
