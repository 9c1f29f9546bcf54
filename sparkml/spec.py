"""The values that describe a model: `Field`, `Signature`, `ModelSpec`. Standard library only.

A `ModelSpec` is all that crosses from the driver to the workers, so it pickles to a compressed text
of a few hundred bytes and never holds a model.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OPEN = "any"
"""The type of an input that nobody tells: that of the table's own column, once there is a table."""

NullKind = Literal["propagate", "model", "fill", "quarantine", "fail"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One column of a model's input or output.

    `type` is Arrow's own name of the type: `double`, `int64`, `string`, `list<double>` and so on.
    An input may be `any`, the table's own. `length` is the fixed length of a list column (a feature
    vector), when it has one. `blanks`: underscores in the name may be blanks in the table's, which
    LightGBM writes so.
    """

    name: str
    type: str
    required: bool = True
    length: int | None = None
    blanks: bool = field(default=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The columns that a model takes, in the model's order, and those that it gives."""

    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the input columns."""
        return tuple(f.name for f in self.inputs)

    @property
    def open(self) -> tuple[str, ...]:
        """The names of the input columns whose type only a table can tell."""
        return tuple(f.name for f in self.inputs if f.type == OPEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class NullPolicy:
    """What happens to a row whose feature is null or NaN.

    `propagate`: the row's score is null. `model`: the model sees NaN (or None) and decides.
    `fill`: the value is put in its place. `quarantine`: a null score and an error on the row.
    `fail`: the job fails.
    """

    kind: NullKind
    value: float | int | str | bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One model version, described: what it is, what it takes and gives, and its exact bytes.

    `name` is the model's name and the name of its output column. `uri` is the resolved address:
    an alias has become a version. `digest` is the SHA-256 over every file. `nulls` maps an input
    column to its policy; the key `"*"` holds the default. `environment` names the folder of the
    model's own libraries (`environment: match`); empty where those of the driver score it.
    """

    name: str
    version: str
    uri: str
    flavor: str
    digest: str
    signature: Signature
    nulls: Mapping[str, NullPolicy] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    model_config: Mapping[str, Any] = field(default_factory=dict)
    environment: str = ""

    def null_policy(self, column: str) -> NullPolicy:
        """The policy of an input column: its own, else that of `"*"`, else `quarantine`.

        `read_spec` always sets `"*"`: to `model` where the model takes NaN and nothing is declared.
        So it does for a column that is not required.
        """
        return self.nulls.get(column) or self.nulls.get("*") or NullPolicy(kind="quarantine")

    def to_json(self) -> str:
        """The spec as JSON, the form in which it travels and is written into manifests."""
        return json.dumps(asdict(self), separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> ModelSpec:
        """The spec that `to_json` wrote."""
        raw = json.loads(text)
        known = {f.name: raw[f.name] for f in fields(cls)}
        known["signature"] = Signature(
            inputs=tuple(Field(**f) for f in raw["signature"]["inputs"]),
            outputs=tuple(Field(**f) for f in raw["signature"]["outputs"]),
        )
        known["nulls"] = {c: NullPolicy(**p) for c, p in raw["nulls"].items()}
        return cls(**known)

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpack, (zlib.compress(self.to_json().encode(), 9),)


def _unpack(packed: bytes) -> ModelSpec:
    return ModelSpec.from_json(zlib.decompress(packed).decode())


def struct_type(fields: Iterable[tuple[str, str] | tuple[str, str, bool]]) -> str:
    """The name of a struct's type, from its fields: name, name of the type, whether optional."""
    named = (
        f"{json.dumps(name, ensure_ascii=False)}{'?' * any(optional)}: {dtype}"
        for name, dtype, *optional in fields
    )
    return f"struct<{', '.join(named)}>"


def map_type(key: str, value: str) -> str:
    """The name of a map's type."""
    return f"map<{key}, {value}>"
