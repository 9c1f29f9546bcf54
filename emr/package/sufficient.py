"""Whether the packed environment has what the models import; a step would find out after minutes.

What a model imports is read from its files (`sparkml.models.imported`), and not told by its
flavor's name: a scikit-learn pipeline may end in LightGBM, and begin with a package of one's own.
"""

from __future__ import annotations

import importlib.metadata
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from emr.package.requirements import extra_that_brings, normal
from sparkml.config.file import config_error
from sparkml.errors import SparkMLError
from sparkml.files import scheme_of
from sparkml.models import FLAVORS
from sparkml.models.identify import identify
from sparkml.models.imported import MAIN
from sparkml.models.mlmodel import read_mlmodel
from sparkml.models.wheels import PROVIDED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from emr.job_run import Environment
    from emr.package.matched import Found
    from emr.package.requirements import Requirements
    from sparkml.config.file import Problem
    from sparkml.config.job import JobConfig, ModelEntry
    from sparkml.models.imported import Imports

OPENING = tuple(dict.fromkeys(row.extra for row in FLAVORS if row.extra != "spark"))
"""The extras that open models."""
OTHERS = ("images", "urls", "train")
"""Further extras whose libraries a model may import."""

_WITHIN = {
    "transformers": ("torch",),
    "all": tuple({*OPENING, *OTHERS} - {"torch", "transformers"}),
}
"""Extras that hold others."""
_DISTRIBUTIONS = {"sklearn": "scikit-learn", "PIL": "pillow", "yaml": "pyyaml"}
"""What brings a module of another name, where it is not installed here."""
_BUILDS = ("skinny", "cpu", "gpu", "dev")
"""What the names of a library's other builds end in."""
_OF_PYTHON_2 = frozenset({"__builtin__", "copy_reg", "exceptions", "cPickle", "cStringIO"})
"""What old pickles call modules of the standard library."""


def check_models(
    imports: Mapping[str, Imports], given: Environment, requirements: Requirements | None
) -> tuple[str, ...]:
    """Refuse an environment in which a model could not be opened.

    Args:
        imports: each model's name → what it imports.
        given: the run's environment.
        requirements: what is packed; None where the run names an archive, whose content nobody
            looks at.

    Returns:
        What may be missing: distributions that MLflow recorded with a model that runs code of its
        own. They are noted and not refused: MLflow records whatever happened to be imported.

    Raises:
        ConfigError: a library or a package is missing, or a class is one of `__main__`; all of it
            is told, `problems` holds a line each.
    """
    problems = [problem for name, one in imports.items() for problem in _of_main(name, one)]
    notes: list[str] = []
    if requirements is not None:
        extras: dict[str, list[str]] = {}
        for name, one in imports.items():
            lacks = _Lacks(one, given, requirements)
            extras |= {f"models.{name}": lacks.extras}
            problems += [_private(name, *each) for each in lacks.private]
            notes += [f"model {name}: {each}" for each in lacks.recorded]
        wanted = dict.fromkeys(extra for each in extras.values() for extra in each)
        whole = (*given.extras, *wanted)  # the list is set whole: each fix mends every model
        problems += [_extra(where, each, whole) for where, each in extras.items() if each]
    if problems:
        raise config_error(problems, "models")
    return tuple(notes)


def local_models(config: JobConfig) -> Mapping[str, Found]:
    """The models in files of this machine: no registry is asked, nothing is copied."""
    found = {name: _of_entry(entry) for name, entry in config.models.items()}
    return {name: one for name, one in found.items() if one is not None}


class _Lacks:
    """What one model needs and the environment lacks."""

    def __init__(self, imports: Imports, given: Environment, requirements: Requirements) -> None:
        self.extras: list[str] = []
        self.private: list[tuple[str, str]] = []
        self.recorded: list[str] = []
        self._given, self._there = given.extras, requirements.distributions | PROVIDED
        self._own = given.requirements is not None
        if not self._has_extra(imports.extra):
            self.extras.append(imports.extra)
        tops: dict[str, str] = {}
        for module, name in imports.modules.items():
            top = module.partition(".")[0]
            tops.setdefault(top, f"{module}.{name}" if name else module)
        for top in sorted(set(tops) - {*MAIN, *sys.stdlib_module_names, *_OF_PYTHON_2, "sparkml"}):
            self._look(top, tops[top])
        for distribution in imports.recorded:
            self._look_at_recorded(distribution)

    def _has_extra(self, extra: str) -> bool:
        """Whether the extra is chosen, or the user's own file brings the library itself."""
        chosen = any(extra in (one, *_WITHIN.get(one, ())) for one in self._given)
        return chosen or extra == "spark" or (self._own and self._has(_libraries(extra)))

    def _has(self, names: Iterable[str]) -> bool:
        """Whether one of the distributions is there, by its name or as a build of its own.

        Such as mlflow-skinny and, in the user's own file, onnxruntime-gpu.
        """
        wanted = {normal(name) for name in names}
        return bool(self._there & {*wanted, *(f"{one}-{b}" for one in wanted for b in _BUILDS)})

    def _look(self, top: str, example: str) -> None:
        names = {top, _DISTRIBUTIONS.get(top, top)}
        if self._has(names):
            return
        names |= set(_installed().get(top, ()))
        if self._has(names):
            return
        extra = extra_that_brings(names, among=(*OPENING, *OTHERS))
        if extra and extra not in self.extras:
            self.extras.append(extra)
        elif not extra and not self._own:  # a file of the user's own may bring what it likes
            self.private.append((top, example))

    def _look_at_recorded(self, distribution: str) -> None:
        if self._has([distribution]):
            return
        extra = extra_that_brings([distribution], among=OPENING)
        if extra and extra not in self.extras:
            self.extras.append(extra)
        elif not extra:
            self.recorded.append(
                f"its requirements name {distribution}, which is not packed; if it needs that, "
                "add it to environment.requirements"
            )


def _libraries(extra: str) -> set[str]:
    """The library of each flavor that the extra opens."""
    return {next(iter(row.libraries)) for row in FLAVORS if row.extra == extra}


@cache
def _installed() -> Mapping[str, list[str]]:
    """Module → the distributions here that bring it; some 0.3 s."""
    return importlib.metadata.packages_distributions()


def _extra(where: str, extras: list[str], whole: tuple[str, ...]) -> Problem:
    needed, chosen = ", ".join(extras), ",".join(whole)
    fix = f"add {needed} to environment.extras: --run-set environment.extras=[{chosen}]"
    return f"the model needs {needed}, which the environment lacks", where, fix


def _private(name: str, top: str, example: str) -> Problem:
    fix = (
        f"list the wheel of {top} with its hash in a requirements file, and name that: --run-set "
        "environment.requirements=FILE; or log the model by MLflow with code_paths"
    )
    return f"the model imports {example}, which the environment lacks", f"models.{name}", fix


def _of_main(name: str, imports: Imports) -> Iterator[Problem]:
    for module in MAIN:
        if module in imports.modules:
            what = (
                f"the model's {imports.modules[module]} is of {module}, the script or notebook "
                "that stored it, which no cluster has"
            )
            fix = "store it again by cloudpickle.dump, as .pkl: that takes such classes along"
            yield what, f"models.{name}", fix


def _of_entry(entry: ModelEntry) -> Found | None:
    scheme = scheme_of(entry.uri)
    if scheme not in ("", "file") or entry.uri.startswith(("models:", "runs:")):
        return None
    place = Path(unquote(urlsplit(entry.uri).path) if scheme else entry.uri)
    try:
        if place.is_file():
            rows = (row for row in FLAVORS if place.suffix in row.suffixes)
            row = next((row for row in rows if entry.flavor in (None, row.name)), None)
            return (place, None, row) if row else None
        description = read_mlmodel(place)
        row = identify(place, description, entry.flavor, where=entry.uri)
        return place, description, row
    except (SparkMLError, OSError):  # `submit` looks for it, and tells what is wrong with it
        return None
