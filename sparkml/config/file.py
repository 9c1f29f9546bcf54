"""A configuration file, read: its values and their lines, or the one error that says why not."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path as File
from typing import TYPE_CHECKING

from sparkml.config.yaml_text import BadYaml, Document, read_yaml
from sparkml.errors import ConfigError, did_you_mean
from sparkml.files import open_address, scheme_of

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_BYTES = 1_000_000

Problem = tuple[str, str, str]
"""What is wrong, where it came from, and the fix."""


def config_error(problems: list[Problem], name: str) -> ConfigError:
    """The error for all of `problems`: the first itself when it is the only one."""
    lines = tuple(str(ConfigError(w, where=at, fix=fix)) for w, at, fix in problems)
    if len(problems) == 1:
        what, where, fix = problems[0]
        return ConfigError(what, where=where, fix=fix, problems=lines)
    what, fix = f"{len(problems)} problems", "mend each problem listed above"
    return ConfigError(what, where=name, fix=fix, problems=lines)


def read_file(file: str, *, keys: Sequence[str]) -> Document:
    """The mapping in a YAML file, which must have these keys; a path, or on an object store.

    Raises:
        ConfigError: there is no such file (the near names in its folder are told), it cannot be
            read, is too large, is not YAML, or holds no mapping.
    """
    try:
        document = read_yaml(_text(file))
    except BadYaml as error:
        fix = error.fix or "correct that line"
        raise _alone(error.what, f"{file}:{error.line}", fix) from error
    needed = f"{', '.join(keys[:-1])} and {keys[-1]}"
    if document.value is None:
        raise _alone("the file is empty", file, f"it needs {needed}")
    if not isinstance(document.value, dict):
        fix = f"write a mapping of keys to values: {needed}"
        raise _alone("the file holds no mapping", f"{file}:1", fix)
    return document


def _alone(what: str, where: str, fix: str) -> ConfigError:
    return config_error([(what, where, fix)], "")


def _text(file: str) -> str:
    raw = _stored(file) if scheme_of(file) else _local(File(file))
    if len(raw) > MAX_BYTES:
        fix = f"a configuration has at most {MAX_BYTES:,} bytes; is this the right file?"
        raise _alone("the file is too large", file, fix)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise _alone("not UTF-8 text", f"{file}:{line}", "save it as UTF-8") from None


def _local(file: File) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _not_found(file) from None
    except (OSError, ValueError) as error:  # a NUL in its path
        said = error.strerror if isinstance(error, OSError) else error
        what = f"the configuration cannot be read: {said}"
        raise _alone(what, str(file), "name a YAML file that you may read") from None


def _stored(address: str) -> bytes:
    """What an object store holds; Arrow is imported for it."""
    try:
        files, path = open_address(address)
        with files.open_input_file(path) as stream:
            return bytes(stream.read(MAX_BYTES + 1))
    except FileNotFoundError:
        raise _alone("there is no such file", address, "check the address") from None
    except (OSError, ValueError) as error:
        what = f"the configuration cannot be read: {str(error).splitlines()[0][:300]}"
        raise _alone(what, address, "check the address and who may read it") from None


def _not_found(file: File) -> ConfigError:
    folder = file.parent
    if not folder.is_dir():
        return _alone(f"the folder '{folder}' does not exist", str(file), "check the path")
    names = sorted(f.name for f in folder.iterdir() if f.suffix in (".yaml", ".yml"))
    by_stem = {name.rpartition(".")[0]: name for name in names}  # any two names share '.yaml'
    near = get_close_matches(file.stem, by_stem, n=1)
    if near:
        fix = did_you_mean(by_stem[near[0]], names)
    else:
        fix = did_you_mean("", names) if names else f"there is no YAML file in '{folder}'"
    return _alone("there is no such file", str(file), fix)
