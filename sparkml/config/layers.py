"""`load_config`: defaults < YAML < environment < `--set`, and where each value came from."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic

from typing_extensions import TypeVar

from sparkml.config.fields import Section
from sparkml.config.file import Problem, config_error, read_file
from sparkml.config.job import JobConfig
from sparkml.config.mistakes import check, dotted
from sparkml.config.shape import required_keys, settings_in
from sparkml.config.yaml_text import BadYaml, Path, paths, read_yaml
from sparkml.redaction import shown_setting, shown_value, wrong_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Config = TypeVar("Config", bound=Section, default=JobConfig)
"""What a file describes: a scoring job where nothing else is said."""

ENVIRONMENT = "SPARKML__"
_PART = re.compile(r'\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^.="\s][^.="]*?))\s*(?=[.=])')
_NOT_YAML = tuple("*&!|>%@`,#")  # none of them starts a plain value in YAML; `keep=*` is text


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded(Generic[Config]):
    """A configuration, and where each of its values came from.

    `origins` maps a dotted key to `default`, `conf/score.wine.yaml:12`,
    `environment SPARKML__SINK__PATH` or `--set`.
    """

    config: Config
    origins: Mapping[str, str]

    def rows(self) -> list[tuple[str, Any, str]]:
        """Every value as (dotted key, plain value, origin), in the order of the sections."""
        return [(key := dotted(p), v, self.origins[key]) for p, v in self._values()]

    def shown(self) -> list[tuple[str, Any, str]]:
        """The same as others may see it: settings, options and parameters by allow-list."""
        settings = set(settings_in(self.config))
        return [
            (key := dotted(path), _shown(path, value, settings), self.origins[key])
            for path, value in self._values()
        ]

    def _values(self) -> Iterator[tuple[Path, Any]]:
        return _leaves(self.config.model_dump(mode="json", by_alias=True))


def _shown(path: Path, value: Any, settings: set[Path]) -> Any:
    for end in range(1, len(path)):
        if path[:end] in settings:
            return shown_setting(".".join(map(str, path[end:])), value)
    return shown_value(value)


def load_config(
    path: str | os.PathLike[str],
    *,
    sets: Iterable[str] = (),
    env: Mapping[str, str] | None = None,
) -> Loaded:
    """The scoring job that a YAML file describes: `load_as(JobConfig, path, …)`."""
    return load_as(JobConfig, path, sets=sets, env=env)


def load_as(
    kind: type[Config],
    path: str | os.PathLike[str],
    *,
    sets: Iterable[str] = (),
    env: Mapping[str, str] | None = None,
    option: str = "--set",
) -> Loaded[Config]:
    """What a YAML file describes, changed by the environment and by `--set`.

    Args:
        kind: what it is: `JobConfig`, `TrainConfig`.
        path: the YAML file, at most 1 MB; a path, or an address such as `s3://bucket/job.yaml`.
        sets: `a.b=value` each; the value is YAML and replaces what stood at the key. A key with a
            dot in it is quoted: `rename."mean.radius"=x`.
        env: where `SPARKML__A__B=value` stands; the process's environment when None. Case does not
            matter there, so that `SPARKML__MODELS__WINE__URI` reaches the model `Wine`.
        option: what the command line calls `sets`, as errors and origins name it.

    Returns:
        The checked configuration and its origins. Runs on the driver, without Spark.

    Raises:
        ConfigError: the file cannot be read, or any value is wrong; `problems` holds every one.
    """
    layers = _Layers(name=os.fspath(path))
    layers.add_file(layers.name, keys=required_keys(kind))
    layers.add_environment(os.environ if env is None else env)
    layers.add_sets(sets, option)
    config, mistakes = check(kind, layers.tree)
    for mistake in mistakes:
        fix = mistake.fix or "correct the value"
        layers.problem(mistake.what, layers.origin(mistake.at), fix)
    if config is None or layers.problems:
        raise config_error(sorted(layers.problems, key=_line_in_file), layers.name)
    values = config.model_dump(mode="json", by_alias=True)
    origins = {dotted(path): layers.origin_of_leaf(path) for path, _ in _leaves(values)}
    return Loaded(config=config, origins=MappingProxyType(origins))


def _line_in_file(problem: Problem) -> tuple[bool, int]:
    """Sorts the problems of the file by line, and those of other layers after them."""
    line = problem[1].rpartition(":")[2]
    return (False, int(line)) if line.isdecimal() else (True, 0)


@dataclass(slots=True, kw_only=True)
class _Layers:
    """What has been read so far: the merged values, their origins, and what was wrong."""

    name: str
    tree: dict[str, Any] = field(default_factory=dict)
    origins: dict[Path, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, what: str, where: str, fix: str = "") -> None:
        self.problems.append((what, where, fix))

    def origin(self, path: Path) -> str:
        """Where the value at `path` came from, or the section around it."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.origins:
                return self.origins[path[:end]]
        return self.name

    def origin_of_leaf(self, path: Path) -> str:
        """Where a checked value came from; `default` when no layer names its key."""
        # One word or a line of text there was read as a whole mapping.
        whole = path[0] == "models" and path[2:3] in (("nulls",), ("signature",))
        ends = range(len(path), 2 if whole else len(path) - 1, -1)
        found = [self.origins[path[:end]] for end in ends if path[:end] in self.origins]
        return found[0] if found else "default"

    def add_file(self, file: str, *, keys: Sequence[str]) -> None:
        document = read_file(file, keys=keys)
        for path, line, first in document.twice:
            fix = f"keep one; the other is on line {first}"
            self.problem(f"the key '{dotted(path)}' stands twice", f"{file}:{line}", fix)
        self.tree = document.value
        self.origins = {path: f"{file}:{line}" for path, line in document.lines.items() if path}

    def add_environment(self, env: Mapping[str, str]) -> None:
        for variable in sorted(env):
            if not variable.upper().startswith(ENVIRONMENT):
                continue
            origin = f"environment {variable}"
            parts = variable[len(ENVIRONMENT) :].split("__")
            if not all(parts):
                fix = f"name the key, such as {ENVIRONMENT}SINK__PATH"
                self.problem("no key stands there", origin, fix)
                continue
            path = self._as_written(parts)
            self._put_text(path, env[variable], origin)

    def add_sets(self, sets: Iterable[str], option: str) -> None:
        for text in sets:
            path, value = _split_set(text)
            if path is None:
                fix = "write KEY=VALUE, such as sink.path=out; quote a name that has a dot or '='"
                said = wrong_value(text, text) or re.split(r"[=:\s]", text)[0] + "…"
                self.problem(f"cannot read '{said}'", option, fix)
            else:
                self._put_text(path, value, option)

    def _as_written(self, parts: list[str]) -> list[str]:
        """The keys as they stand in the tree, where they differ in case only."""
        keys, here = [], self.tree
        for part in parts:
            lower = part.lower()
            known = here if isinstance(here, dict) else {}
            keys.append(next((key for key in known if key.lower() == lower), lower))
            here = known.get(keys[-1], {})
        return keys

    def _put_text(self, path: list[str], text: str, origin: str) -> None:
        key = dotted(tuple(path))
        try:
            stripped = text.strip()
            value = stripped if stripped.startswith(_NOT_YAML) else _one_value(text)
        except BadYaml as error:
            fix = f"values are YAML: quote text, as in '{key}=\"…\"'"
            self.problem(f"the value of '{key}': {error.what}", origin, fix)
            return
        here = self.tree
        for at, part in enumerate(path[:-1]):
            inner = here.get(part)
            if not isinstance(inner, dict):
                if isinstance(inner, list):
                    name = dotted(tuple(path[: at + 1]))
                    self.problem(f"'{name}' is a list", origin, f"set it whole: {name}=[…]")
                    return
                inner = here[part] = {}
                self.origins[tuple(path[: at + 1])] = origin
            here = inner
        here[path[-1]] = value
        self._forget(tuple(path))
        self.origins.update(dict.fromkeys(paths(value, tuple(path)), origin))

    def _forget(self, path: Path) -> None:
        for old in [p for p in self.origins if p[: len(path)] == path]:
            del self.origins[old]


def _one_value(text: str) -> Any:
    document = read_yaml(text)
    if document.twice:
        raise BadYaml(f"a mapping with '{dotted(document.twice[0][0])}' twice", 1)
    return document.value


def _split_set(text: str) -> tuple[list[str] | None, str]:
    path, at = [], 0
    while found := _PART.match(text, at):
        quoted = found["quoted"]
        path.append(found["bare"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        at = found.end()
        if text[at : at + 1] == "=":
            return path, text[at + 1 :]
        if text[at : at + 1] != ".":
            break
        at += 1
    return None, ""


def _leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The paths and values in `value`; a list and an empty mapping are values themselves."""
    if not isinstance(value, dict) or not value:
        yield path, value
        return
    for key, item in value.items():
        yield from _leaves(item, (*path, key))
