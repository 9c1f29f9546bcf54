"""The parts of README.md and docs/ that are made from the code, between `<!-- made -->` markers.

python -m tools.docs            writes them anew; tests/arch/test_docs.py fails where they are old
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pydantic_core import PydanticUndefined

from benchmarks.table import render
from emr import errors as emr_errors
from emr import spec
from emr.job_run import Environment, JobRun
from sparkml import config, errors
from sparkml.arrow import CASTS
from sparkml.config.features import FeaturesConfig
from sparkml.config.fields import Section
from sparkml.config.job import ModelEntry, Registry, SparkSection, Step, Workers
from sparkml.config.shape import members_of
from sparkml.config.train import (
    Evaluate,
    Register,
    SklearnModel,
    SparkModel,
    Split,
    Tracking,
    TrainConfig,
)
from sparkml.config.train_many import GlobalModel, KeyModel, TrainManyConfig
from sparkml.errors import SparkMLError
from sparkml.scoring.scorer import ERROR_CODES
from sparkml.spec import NullPolicy, Signature
from tools.features_page import features

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pydantic.fields import FieldInfo

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results.json"
NOT_MEASURED = "Not measured yet: `make bench` writes `benchmarks/results.json`, and this table."

_MADE = re.compile(
    r"(<!-- made: (?P<name>\w+), python -m tools\.docs -->\n).*?(?=<!-- made: end -->)", re.DOTALL
)


def main() -> None:
    """Write every made part anew."""
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        path.write_text(made_anew(path.read_text(encoding="utf-8")), encoding="utf-8")


def made_anew(text: str) -> str:
    """A document with its made parts as the code says them now."""
    return _MADE.sub(lambda found: f"{found[1]}\n{MADE[found['name']]()}\n\n", text)


def benchmark() -> str:
    """The table of the committed figures."""
    return render(json.loads(RESULTS.read_text())) if RESULTS.exists() else NOT_MEASURED


def configuration() -> str:
    """Every key of a job, section by section."""
    sources = [config.DeltaSource, config.ParquetSource, config.CsvSource, config.TableSource]
    sinks = [config.DeltaSink, config.ParquetSink, config.CsvSink, config.TableSink]
    sections: tuple[tuple[str, Sequence[type[Section]]], ...] = (
        ("The job", [config.JobConfig]),
        ("models.NAME", [ModelEntry]),
        ("registry", [Registry]),
        ("source", [*sources, config.SqlSource]),
        ("steps", [Step]),
        ("sink", sinks),
        ("spark", [SparkSection]),
        ("workers", [Workers]),
    )
    return "\n\n".join(_section(title, kinds) for title, kinds in sections)


def training() -> str:
    """Every key of a training job; the sections that it shares with a scoring job stand there."""
    return "\n\n".join(
        [
            _section("The job", [TrainConfig]),
            _section("model", [SparkModel, SklearnModel]),
            _section("split", [Split]),
            _section("evaluate", [Evaluate]),
            _section("registry", [Tracking]),
            _section("register", [Register]),
        ]
    )


def train_many() -> str:
    """Every key of a job that trains a model per key."""
    return "\n\n".join(
        [
            _section("The job", [TrainManyConfig]),
            _section("model", [KeyModel]),
            _section("global_model", [GlobalModel]),
        ]
    )


def features_job() -> str:
    """Every key of a feature job."""
    return _section("The job", [FeaturesConfig])


def clusters() -> str:
    """Every key of a cluster's spec and of a run."""
    sections: tuple[tuple[str, type[Section]], ...] = (
        ("The spec", spec.ClusterSpec),
        ("primary, core, task", spec.Nodes),
        ("types", spec.Choice),
        ("types.machine", spec.Machine),
        ("volumes", spec.Volume),
        ("scaling", spec.Scaling),
        ("network", spec.Network),
        ("roles", spec.Roles),
        ("security", spec.Security),
        ("logs", spec.Logs),
        ("logs.cloudwatch", spec.CloudWatch),
        ("bootstrap", spec.Bootstrap),
        ("limits", spec.Limits),
        ("The run (--run-set)", JobRun),
        ("environment", Environment),
    )
    return "\n\n".join(_section(title, [kind]) for title, kind in sections)


def casts() -> str:
    """What a column's type may become, and what that costs."""
    rows = [
        (f"`{wanted}`", ", ".join(f"`{kind}`" for kind, _ in alike), rule)
        for wanted, given in CASTS.items()
        for rule, alike in groupby(sorted(given.items(), key=lambda kv: kv[1]), lambda kv: kv[1])
    ]
    return _table(("the model takes", "the column is", "what happens to a value"), rows)


def error_codes() -> str:
    """Every error of the tree, by exit status."""
    internal = ("1", f"`{SparkMLError.code}`", "", "Not foreseen: `--debug` prints the traceback.")
    return _errors(errors, SparkMLError, internal)


def emr_codes() -> str:
    """Every error of EMR's branch, by exit status."""
    return _errors(emr_errors, SparkMLError)


def _errors(module: Any, root: type[SparkMLError], *first: tuple[str, ...]) -> str:
    kinds = [k for k in vars(module).values() if isinstance(k, type)]
    known = [k for k in kinds if issubclass(k, root) and k is not root]
    rows = [
        (str(k.exit_status), f"`{k.code}`", f"`{k.__name__}`", _first_line(k))
        for k in sorted(known, key=lambda k: k.exit_status)
    ]
    return _table(("status", "code", "class", "what it means"), [*first, *rows])


def row_errors() -> str:
    """Why a row has no score."""
    rows = [(f"`{code}`", meaning) for code, meaning in ERROR_CODES.items()]
    return _table(("`error.code`", "what it means"), rows)


SHARED = {name: f"configuration.md#{name}" for name in ("source", "sink")}
"""Where the sections stand that several pages link to."""

MADE: dict[str, Callable[[], str]] = {
    "benchmark": benchmark,
    "configuration": configuration,
    "casts": casts,
    "clusters": clusters,
    "emr_codes": emr_codes,
    "error_codes": error_codes,
    "features": features,
    "features_job": features_job,
    "row_errors": row_errors,
    "train_many": train_many,
    "training": training,
}
"""The name in a marker -> what stands behind it."""


def _section(title: str, kinds: Sequence[type[Section]]) -> str:
    rows: dict[tuple[str, ...], list[str]] = {}
    for kind in kinds:
        for key, value, default, meaning in _keys(kind):
            rows.setdefault((key, value, default, meaning), []).append(_tag(kind)[1])
    if len(kinds) == 1:
        about = [_first_line(kinds[0])]
        table = _table(("key", "value", "default", "meaning"), rows)
    else:
        about = [f"- `{': '.join(_tag(kind))}`: {_first_line(kind)}" for kind in kinds]
        told = [(key, _of(of, kinds), *rest) for (key, *rest), of in rows.items()]
        head = ("key", f"{_tag(kinds[0])[0]}s", "value", "default", "meaning")
        table = _table(head, told)
    name = title if title == "The job" else f"`{title}`"
    return "\n".join([f"## {name}", "", *about, "", table])


def _of(formats: list[str], kinds: Sequence[type[Section]]) -> str:
    return "all" if len(formats) == len(kinds) else ", ".join(formats)


def _tag(kind: type[Section]) -> tuple[str, str]:
    """The key whose one value tells this section from its siblings, and that value."""
    for key in ("format", "flavor"):
        known = kind.model_fields.get(key)
        if known and get_origin(known.annotation) is Literal:
            return key, str(get_args(known.annotation)[0])
    return "", ""


def _keys(kind: type[Section]) -> Iterable[tuple[str, str, str, str]]:
    meanings = _meanings(kind)
    for name, known in kind.model_fields.items():
        if name == _tag(kind)[0]:
            continue
        inner = _sections(known.annotation)
        meaning = meanings.get(name) or " ".join(_first_line(k) for k in inner[:1])
        if len(inner) > 1 and name not in meanings:
            meaning = f"See [{name}]({SHARED.get(name, f'#{name}')})."
        yield f"`{known.alias or name}`", _words(known.annotation), _default(known), meaning


def _meanings(kind: type[Section]) -> dict[str, str]:
    """Field -> the docstring under it, its base classes' included."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if not issubclass(base, Section) or base is Section:
            continue
        body = ast.parse(inspect.getsource(base)).body[0]
        assert isinstance(body, ast.ClassDef)
        for line, following in zip(body.body, body.body[1:], strict=False):
            if isinstance(line, ast.AnnAssign) and isinstance(following, ast.Expr):
                text = ast.literal_eval(following.value)
                found[ast.unparse(line.target)] = " ".join(text.split())
    return found


def _words(annotation: Any) -> str:
    """The values that an annotation allows, in a few words."""
    members = [m for m in members_of(annotation) if m is not type(None)]
    sections = [m for m in members if isinstance(m, type) and issubclass(m, Section)]
    if sections:
        return "a section"
    return " or ".join(dict.fromkeys(_word(member) for member in members))


def _word(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return ", ".join(f"`{word}`" for word in get_args(kind))
    simple = {str: "text", int: "a whole number", float: "a number", bool: "`true`, `false`"}
    if kind in simple:
        return simple[kind]
    if kind is Signature:
        return "[a signature](#signatures)"
    parts = get_args(kind)
    if parts[-1] is NullPolicy:
        return "[null policies](#null-policies)"
    if get_origin(kind) is tuple:
        return "a list of sections" if _sections(kind) else "a list"
    return "a section each" if _sections(kind) else "a mapping"


def _sections(annotation: Any) -> list[type[Section]]:
    inner = [m for part in get_args(annotation) for m in _sections(part)]
    whole = isinstance(annotation, type) and issubclass(annotation, Section)
    return [annotation, *inner] if whole else inner


def _default(known: FieldInfo) -> str:
    value = known.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, Section):
        return ""
    return f"`{json.dumps(value)}`" if not isinstance(value, str) else f"`{value}`"


def _first_line(kind: type) -> str:
    return (inspect.getdoc(kind) or "").split("\n", maxsplit=1)[0]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    )


if __name__ == "__main__":
    main()
