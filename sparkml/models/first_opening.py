"""The first opening of a model: in the sandbox, within limits, once for the same bytes.

The library may crash there, not end, or ask for all memory: that is a verdict. What passed is
written down in the host's cache and not asked again until something that is installed changes.
"""

from __future__ import annotations

import hashlib
import json
import os
import traceback
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkml.errors import ConfigError, ModelUnreadable, SparkMLError
from sparkml.models import FLAVORS
from sparkml.models.environment import installed_here
from sparkml.models.host_cache import note, noted
from sparkml.models.inspection import Findings, Question, inspect
from sparkml.models.sandbox.client import Died, call_confined
from sparkml.models.sandbox.confine import MIB, Limits
from sparkml.models.sites import present, site_folder
from sparkml.spec import Field, Signature

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TIME, MEMORY = "SPARKML_OPENING_TIME_S", "SPARKML_OPENING_MEMORY_MIB"
"""Environment variables that raise the limits of a first opening."""

TIME_S, MEMORY_MIB = 5.0, 2048
"""The limits of a small model. Each MiB of its files adds a tenth of a second, and 8 MiB."""


_TOLD_OF_IT = 20_000


class Elsewhere(Exception):
    """The traceback of an error in the sandbox, as the cause of the error here (`--debug`)."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def inspect_first(question: Question, folder: Path) -> Findings:
    """What the model in `folder` is: as written down, or found out now in the sandbox.

    Runs on the driver. Costs a reading of one small file where the same was asked before, with the
    same libraries; else one load of the model, and where none runs the start of a Python.

    Raises:
        ModelUnreadable: the library ended the process, did not end, or took too much memory.
        SparkMLError: whatever `inspect` raises.
    """
    asked = asdict(question)
    key = _key(asked)
    known = _outcome(noted(question.digest, key), question.where)
    if isinstance(known, Findings):
        return known
    told = call_confined(
        "sparkml.models.first_opening:answer",
        {"question": asked, "folder": str(folder)},
        _limits(folder),
        imports=_probable_imports(folder),
        ahead=str(site_folder(question.site)) if question.site != present() else "",
    )
    if isinstance(told, Died):
        raise _unreadable(told, question.where)
    outcome = _outcome(told, question.where)
    if isinstance(outcome, SparkMLError):
        raise outcome
    note(question.digest, key, told)
    return outcome


def _outcome(told: Any, where: str) -> Findings | SparkMLError:
    """What the sandbox told, as itself: code that ran there may have told anything."""
    try:
        return _error(told) if "error" in told else _findings(told)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        unreadable = ModelUnreadable(
            "what opening it told makes no sense",
            where=where,
            fix="look where the file comes from; store the model again",
        )
        unreadable.__cause__ = error
        return unreadable


def _findings(told: Mapping[str, Any]) -> Findings:
    if told["flavor"] not in [row.name for row in FLAVORS]:
        raise ValueError("there is no such flavor")
    signature = _signature(told["signature"])
    for one in (*signature.inputs, *signature.outputs):
        kinds = (type(one.name), type(one.type), type(one.required), type(one.length))
        if kinds not in _OF_FIELD:
            raise TypeError("a column's name, type or length is none")
        if type(one.blanks) is not bool:
            raise TypeError("whether a column's name has blanks is yes or no")
    return Findings(
        flavor=told["flavor"],
        signature=signature,
        takes_nan=told["takes_nan"],
        differences=tuple(told["differences"]),
    )


_OF_FIELD = {(str, str, bool, int), (str, str, bool, type(None))}
"""The types of what a `Field` holds."""


def answer(argument: Mapping[str, Any]) -> dict[str, Any]:
    """`inspect` between plain values; any exception is an answer too. Runs in the sandbox."""
    asked = argument["question"]
    given = asked["signature"]
    question = Question(
        **{
            **asked,
            "inputs": tuple(asked["inputs"]),
            "outputs": tuple(asked["outputs"]),
            "signature": _signature(given) if given else None,
        }
    )
    folder = Path(argument["folder"])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return asdict(inspect(question, folder))
    except BaseException as error:  # noqa: BLE001 -- odd bytes raise anything, SystemExit too
        told = _verdict(error, question.where)
        return {"error": told.to_json(), "traceback": traceback.format_exc()[-_TOLD_OF_IT:]}


def _verdict(error: BaseException, where: str) -> SparkMLError:
    """An exception as one of ours; a lack of memory by what is to be done about it."""
    causes = list(_causes(error))
    if any(isinstance(one, MemoryError) or "bad_alloc" in _said(one) for one in causes):
        what = "opening it needed more memory than is allowed"
        return ModelUnreadable(what, where=where, fix=_more(MEMORY))
    if any(type(one) is PermissionError for one in causes):
        return ModelUnreadable(_what(error), where=where, fix=_ON_ITS_OWN)
    if isinstance(error, SparkMLError):
        return error
    return ModelUnreadable(_what(error), where=where, fix="store the model again")


def _what(error: BaseException) -> str:
    return error.what if isinstance(error, SparkMLError) else f"reading it failed: {_said(error)}"


_ON_ITS_OWN = (
    "a model is opened without network, and writes into its temporary folder alone: let it connect "
    "when it predicts, and log it with a signature"
)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and those that it came of, told or not."""
    seen: list[int] = []
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.append(id(at))
        yield at
        at = at.__cause__ or at.__context__


def _said(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except BaseException:  # noqa: BLE001 -- the model's own code tells it
        return "an error that cannot be told"


def _probable_imports(folder: Path) -> list[str]:
    """What opening the files will probably import, by a look at their names and nothing else."""
    names = [path.name for path in folder.iterdir() if path.is_file()]
    told = b""
    if "MLmodel" in names:
        with (folder / "MLmodel").open("rb") as file:
            told = file.read(_FIRST)
    skops = b"skops" in told or any(name.endswith(".skops") for name in names)
    found = ["sparkml.models.first_opening", *(["skops.io"] if skops else [])]
    for row in FLAVORS:
        by_name = any(name.endswith(suffix) for name in names for suffix in row.suffixes)
        if by_name or f"  {row.mlflow_key}:\n".encode() in told:
            return [*found, row.module, *row.imports]
    return found


_FIRST = 1 << 16


def _limits(folder: Path) -> Limits:
    mib = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / MIB
    return Limits(
        time_s=_raised(TIME, TIME_S + mib / 10),
        memory_mib=int(_raised(MEMORY, MEMORY_MIB + 8 * mib)),
        file_mib=int(64 + 20 * mib),  # CatBoost's own dump is JSON
    )


def _raised(variable: str, usual: float) -> float:
    given = os.environ.get(variable, "")
    try:
        wanted = float(given or 0)
        int(wanted)  # neither infinite nor no number at all
        return max(usual, wanted)
    except (ValueError, OverflowError):
        raise ConfigError(
            f"{given!r} is no number of that kind",
            where=f"environment {variable}",
            fix="write 60, or leave it",
        ) from None


def _unreadable(died: Died, where: str) -> ModelUnreadable:
    """The verdict on a model that the library did not survive."""
    said = f" ({died.said})" if died.said else ""
    fix = {"time": _more(TIME), "memory": _more(MEMORY)}.get(
        died.kind, "look where the file comes from; store the model again"
    )
    return ModelUnreadable(f"opening it {died.what}{said}", where=where, fix=fix)


def _error(answered: Mapping[str, Any]) -> SparkMLError:
    """The error that the sandbox told of, as itself."""
    told = answered["error"]
    kinds = {SparkMLError.code: SparkMLError}
    left = [SparkMLError]
    while left:
        inner = left.pop().__subclasses__()
        kinds |= {kind.code: kind for kind in inner if kind.__module__ == SparkMLError.__module__}
        left += inner
    error = kinds[told["code"]](told["what"], where=told["where"], fix=told["fix"])
    error.__cause__ = Elsewhere(answered["traceback"])
    return error


def _more(variable: str) -> str:
    example = {TIME: 60, MEMORY: 8192}[variable]
    return f"if you know that the file is right, set {variable}={example} in the environment"


def _signature(plain: Mapping[str, Any]) -> Signature:
    sides = {side: tuple(Field(**f) for f in plain[side]) for side in ("inputs", "outputs")}
    return Signature(**sides)


def _key(asked: Mapping[str, Any]) -> str:
    """What stands for a question: all of it but the address, and the libraries that answer it."""
    told = {name: value for name, value in asked.items() if name != "where"}
    return hashlib.sha256(json.dumps([told, installed_here()]).encode()).hexdigest()
