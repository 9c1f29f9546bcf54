"""The part of docs/features.md that is made from `FEATURES`: each feature with examples that run.

What an example gives is computed by the kernel, without Spark; tests/arch/test_docs.py runs the
page with Spark and compares.
"""

from __future__ import annotations

import ast
import doctest
import inspect
import re
from base64 import b64decode
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sparkml.features import FEATURES
from sparkml.type_names import to_arrow_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparkml.features.table import Feature

SHOWN = 20
"""How many characters of a value Spark's `show` prints."""

SQL_WORDS = {
    "array": lambda *values: list(values),
    "unbase64": b64decode,
    "DATE": date.fromisoformat,
    "TIMESTAMP": datetime.fromisoformat,
    "true": True,
    "false": False,
}
"""What an example may hold besides numbers and texts."""


def features() -> str:
    """A table of all features, then a section for each."""
    rows = [
        f"| [`{f.name}`](#{f.name}) | `{f.returns}` | {_runs_in(f)} | {_in_cell(_first_line(f))} |"
        for f in FEATURES
    ]
    head = ["| feature | gives | runs in | |", "| --- | --- | --- | --- |"]
    return "\n\n".join(["\n".join([*head, *rows]), *map(_section, FEATURES)])


def _in_cell(text: str) -> str:
    return text.replace("|", "\\|")


def _section(feature: Feature) -> str:
    parts = [f"### {feature.name}", f"`{_signature(feature)}` → `{feature.returns}`"]
    extra = f", with `pip install 'sparkml[{feature.extra}]'`" if feature.extra else ""
    parts.append(f"Runs in {_runs_in(feature)}{extra}.")
    parts += _prose(feature)
    parts.append(f"```sql\nSELECT {feature.example} AS result\n```")
    parts.append(f"```text\n{_shown(_result(feature))}\n```")
    parts += _python(feature)
    return "\n\n".join(parts)


def _runs_in(feature: Feature) -> str:
    return "Spark itself" if feature.native else "Python workers"


def _first_line(feature: Feature) -> str:
    return (inspect.getdoc(feature.kernel) or "").split("\n", maxsplit=1)[0]


def _signature(feature: Feature) -> str:
    columns = [f"{name}: {dtype}" for name, dtype in feature.columns.items()]
    options = [f"{name} = {value!r}" for name, value in feature.constants.items()]
    return f"{feature.name}({', '.join([*columns, *options])})"


def _prose(feature: Feature) -> Iterator[str]:
    """The docstring's paragraphs up to its examples, a line each; its errors as a list."""
    text = (inspect.getdoc(feature.kernel) or "").partition(">>>")[0]
    about, _, errors = text.partition("Raises:\n")
    for paragraph in about.strip().split("\n\n"):
        lines = re.split(r"\n(?=\* )", paragraph)
        yield "\n".join(" ".join(line.split()) for line in lines)
    said = re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", errors, re.MULTILINE)
    if said:
        yield "\n".join(f"* Raises `{name}`: {' '.join(why.split())}" for name, why in said)


def _result(feature: Feature) -> Any:
    """What the SQL example gives, by the kernel."""

    def call(*values: Any, **named: Any) -> Any:
        given = {**dict(zip(feature.columns, values, strict=False)), **named}
        columns = [
            pa.array([given.pop(name)], to_arrow_type(dtype))
            for name, dtype in feature.columns.items()
        ]
        return feature.kernel(*columns, **given)[0].as_py()

    python = re.sub(r"\b(DATE|TIMESTAMP)('[^']*')", r"\1(\2)", feature.example)
    names = {feature.name: call, **SQL_WORDS}
    return eval(python.replace(" => ", "="), names)


def _shown(value: Any) -> str:
    """A table of one value, as Spark's `show` prints it."""
    text = _text(value)
    cell = text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
    width = max(len(cell), len("result"))
    line = f"+{'-' * width}+"
    return "\n".join([line, f"|{'result':>{width}}|", line, f"|{cell:>{width}}|", line])


def _text(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return "NULL" if value is None else str(value)


def _python(feature: Feature) -> Iterator[str]:
    """The docstring's example as a program, and what it prints."""
    module = feature.kernel.__module__
    lines, printed = [f"from {module} import {feature.name}", ""], ""
    for example in doctest.DocTestParser().get_examples(inspect.getdoc(feature.kernel) or ""):
        source = example.source.rstrip("\n")
        last = ast.parse(source).body[-1]
        several = isinstance(last, ast.Expr) and isinstance(last.value, ast.Tuple)
        shown = f"({source})" if several else source
        lines.append(f"print({shown})" if example.want else source)
        printed += example.want
    # Imports come first, as everywhere.
    lines.sort(key=lambda line: not line.startswith(("import ", "from ")))
    yield "```python\n{}\n```".format("\n".join(lines))
    yield f"```text\n{printed.rstrip()}\n```"
