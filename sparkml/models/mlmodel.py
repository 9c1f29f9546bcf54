"""An MLflow model's `MLmodel` file, read without MLflow: flavors, signature, recorded versions."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from sparkml.errors import ModelUnreadable, SparkMLError, UntrustedModel
from sparkml.models import FLAVORS
from sparkml.models.documents import json_of, yaml_of
from sparkml.spec import Field, map_type, struct_type

if TYPE_CHECKING:
    from collections.abc import Mapping

COLUMN_TYPES = {
    "boolean": "bool",
    "integer": "int32",
    "long": "int64",
    "float": "float",
    "double": "double",
    "string": "string",
    "binary": "binary",
    "datetime": "timestamp[us]",
}
"""MLflow's column types and the Arrow types that they become."""

TENSOR_TYPES = {
    "bool": "bool",
    "int8": "int8",
    "int16": "int16",
    "int32": "int32",
    "int64": "int64",
    "uint8": "int16",  # Spark has no unsigned integers: the next wider type holds them all
    "uint16": "int32",
    "uint32": "int64",
    "uint64": "int64",  # what is larger is an error of its row; decimal128(20, 0) holds it
    "float16": "float",
    "float32": "float",
    "float64": "double",
    "str": "string",
    "object": "string",
}
"""NumPy's types as MLflow names them and the Arrow types that they become."""


_DIMENSIONS = 16
"""No model has more; a type of a thousand would end the process that reads its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """The shape and type of a tensor input, as the model wants it (`-1` is any length).

    `named`: MLflow recorded the name, so the model takes a mapping of arrays, were it the only one.
    """

    name: str
    named: bool
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MLmodel:
    """What an `MLmodel` file says.

    `inputs` and `outputs` are empty where the model has no signature for that side, or one with a
    type that no table column can have; `unsupported` then says which. `hinted`: the signature is
    that of Python's type hints, and the model takes a list of its one column's values.
    """

    flavors: Mapping[str, Mapping[str, Any]]
    inputs: tuple[Field, ...] = ()
    outputs: tuple[Field, ...] = ()
    tensors: tuple[Tensor, ...] = ()
    unsupported: str = ""
    hinted: bool = False
    versions: Mapping[str, str] = field(default_factory=dict)


def read_mlmodel(folder: Path) -> MLmodel | None:
    """The model's description; None where the folder has no `MLmodel` file.

    Raises:
        ModelUnreadable: the file is not what MLflow writes.
    """
    path = folder / "MLmodel"
    if not path.is_file():
        return None
    try:
        raw = yaml_of(path)
        flavors = {str(k): dict(v or {}) for k, v in raw["flavors"].items()}
        hinted = bool(raw.get("is_signature_from_type_hint"))
        return MLmodel(
            flavors=flavors, hinted=hinted, versions=_versions(flavors), **_signature(raw)
        )
    except SparkMLError:  # one of ours is a ValueError
        raise
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise ModelUnreadable(
            f"the MLmodel file cannot be read: {type(error).__name__}: {error}",
            where=str(path),
            fix="log the model again",
        ) from error


def inside(
    folder: Path, name: Any, *, key: str, kind: Literal["file", "folder", "either"] = "file"
) -> Path:
    """The path of what the `MLmodel` names under `key`.

    Raises:
        UntrustedModel: the name leads out of the model's folder.
        ModelUnreadable: it names none, or there is no such file or folder.
    """
    relative = PurePosixPath(str(name))
    if relative.is_absolute() or ".." in relative.parts:
        raise UntrustedModel(
            f"'{key}: {name}' leads out of the model's folder",
            where=str(folder / "MLmodel"),
            fix="log the model again",
        )
    path = folder / relative
    if not _is_there(path, kind):
        raise ModelUnreadable(
            f"'{key}: {name}' is not among the model's files",
            where=str(folder / "MLmodel"),
            fix="log the model again, or copy all of its files",
        )
    return path


def _is_there(path: Path, kind: str) -> bool:
    try:
        return (path.is_file() and kind != "folder") or (path.is_dir() and kind != "file")
    except (OSError, ValueError):  # a name that is too long, or with a NUL in it
        return False


def _versions(flavors: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    found: dict[str, str] = {}
    python = flavors.get("python_function", {}).get("python_version")
    if python:
        found["python"] = str(python)
    for row in FLAVORS:
        version = flavors.get(row.mlflow_key, {}).get(row.version_key)
        if version:
            found[next(iter(row.libraries))] = str(version)
    return found


def _signature(raw: Mapping[str, Any]) -> dict[str, Any]:
    signature = raw.get("signature") or {}
    inputs, tensors, bad_in = _side(signature.get("inputs"), lone="features", tensor_lists="double")
    outputs, _, bad_out = _side(signature.get("outputs"), lone="prediction", tensor_lists="")
    return {
        "inputs": inputs,
        "outputs": outputs,
        "tensors": tensors,
        "unsupported": "; ".join(filter(None, (bad_in, bad_out))),
    }


def _side(
    text: str | None, *, lone: str, tensor_lists: str
) -> tuple[tuple[Field, ...], tuple[Tensor, ...], str]:
    """One side of the signature; `lone` names an entry without a name."""
    entries = (json_of(text) if text else None) or []
    fields: list[Field] = []
    tensors: list[Tensor] = []
    for index, entry in enumerate(entries):
        name = str(entry.get("name") or (lone if len(entries) == 1 else index))
        made = _tensor_field(entry, name, tensor_lists) or _column_field(entry, name)
        if made is None:
            return (), (), f"'{name}' has the type {entry.get('type')!r}, which no column can have"
        fields.append(made)
        if entry.get("type") == "tensor":
            spec = entry["tensor-spec"]
            named, shape = bool(entry.get("name")), tuple(spec["shape"])
            tensors.append(Tensor(name=name, named=named, dtype=spec["dtype"], shape=shape))
    return tuple(fields), tuple(tensors), ""


def _column_field(entry: Mapping[str, Any], name: str) -> Field | None:
    dtype = _column_type(entry)
    required = bool(entry.get("required", True))
    return Field(name=name, type=dtype, required=required) if dtype else None


def _column_type(entry: Mapping[str, Any], depth: int = 0) -> str | None:
    kind = str(entry.get("type"))
    of = partial(_column_type, depth=depth + 1)
    if depth > _DIMENSIONS:
        return None
    if kind == "array":
        inner = of(entry["items"])
        return f"list<{inner}>" if inner else None
    if kind == "map":
        inner = of(entry["values"])
        return map_type("string", inner) if inner else None
    if kind == "object":
        parts = [(n, of(e), not e.get("required", True)) for n, e in _properties(entry)]
        known = [(name, dtype, optional) for name, dtype, optional in parts if dtype]
        return struct_type(known) if known and len(known) == len(parts) else None
    return "list<double>" if kind == "sparkml_vector" else COLUMN_TYPES.get(kind)


def _properties(entry: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return [(str(name), one) for name, one in entry["properties"].items()]


def _tensor_field(entry: Mapping[str, Any], name: str, numeric: str) -> Field | None:
    """A tensor as one column: a row's part of it is one value or one list.

    An input is flattened; its numbers are `list<double>` whatever their type (`numeric`), since
    that is what tables hold: the flavor converts it. An output has a list for each dimension.
    """
    if entry.get("type") != "tensor":
        return None
    shape = tuple(entry["tensor-spec"]["shape"])[1:]
    dtype = TENSOR_TYPES.get(str(entry["tensor-spec"]["dtype"]))
    if dtype is None or len(shape) > _DIMENSIONS:
        return None
    if not shape:
        return Field(name=name, type=dtype)
    if not numeric and len(shape) > 1:
        return Field(name=name, type="list<" * len(shape) + dtype + ">" * len(shape))
    element = numeric if numeric and dtype != "string" else dtype
    length = math.prod(shape) if min(shape) > 0 else None
    return Field(name=name, type=f"list<{element}>", length=length)
