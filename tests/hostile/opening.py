"""What becomes of a damaged model: `read_spec` as a user calls it, then a scoring, confined."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sparkml import read_spec
from sparkml.arrow import input_schema
from sparkml.errors import SparkMLError
from sparkml.lists import is_list
from sparkml.models.host_cache import cached_folder
from sparkml.models.identify import identify, module_of
from sparkml.models.mlmodel import read_mlmodel
from sparkml.models.sandbox.client import Died, call_confined
from sparkml.models.sandbox.confine import Limits
from sparkml.spec import ModelSpec, Signature

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sparkml.models.base import OpenModel

REFUSED, STRAY, FINE = "refused", "stray exception", "accepted, scored"
DIED, MEMORY, HUNG = "died", "memory", "hung"
_VERDICTS = {"ended the process": DIED, "more memory": MEMORY, "MiB of memory": MEMORY}
_VERDICTS["took longer"] = HUNG
WIDEST = 2**24
"""Numbers in a row: more are no model's doing, and no table has them."""
LIMITS = Limits(memory_mib=3072, time_s=10.0, file_mib=64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How it ended: `how` is one of the words above, `told` what was said, `spec` what was read."""

    how: str
    told: str = ""
    spec: ModelSpec | None = None


def opened_first(folder: Path, outputs: Sequence[str] = (), *, trust: str = "never") -> Ended:
    """How the first opening of a model ended; what the library did not survive is told apart."""
    try:
        spec = read_spec(str(folder), outputs=outputs, trust=trust, environment="ignore")
    except SparkMLError as error:
        verdict = (how for said, how in _VERDICTS.items() if said in error.what)
        return Ended(how=next(verdict, REFUSED), told=str(error))
    except Exception as error:  # noqa: BLE001 -- what is to be found
        return Ended(how=STRAY, told=f"{type(error).__name__}: {error}")
    return Ended(how=FINE, spec=spec)


def scored_after(spec: ModelSpec) -> Ended:
    """How the scoring of 200 hostile rows ended, as a worker would do it."""
    told = call_confined(f"{__name__}:score", {"spec": spec.to_json()}, LIMITS)
    if isinstance(told, Died):
        how = {"crash": DIED, "time": HUNG, "memory": MEMORY}[told.kind]
        return Ended(how=how, told=f"{told.what} {told.said}")
    return Ended(how=MEMORY if "MemoryError" in told else FINE, told=" ".join(told))


def all_outputs(spec: ModelSpec) -> list[str]:
    """The names of all that a sound model can give, its further outputs too."""
    told = call_confined(f"{__name__}:output_names", {"spec": spec.to_json()}, LIMITS)
    assert not isinstance(told, Died)
    return list(told)


def output_names(argument: Mapping[str, Any]) -> list[str]:
    """What `all_outputs` asks; runs in the sandbox."""
    spec = ModelSpec.from_json(argument["spec"])
    columns = spec.signature
    return [f.name for f in (*columns.outputs, *_opened(spec).extras(columns.inputs))]


def score(argument: Mapping[str, Any]) -> list[str]:
    """The errors of rows, by name, or the code of a second opening; runs in the sandbox."""
    spec = ModelSpec.from_json(argument["spec"])
    try:
        predictor = _opened(spec).predictor(spec.signature, {})
    except SparkMLError as error:  # LightGBM reads some damage as it happens to lie in memory
        return [error.code]
    if sum(field.length or 3 for field in spec.signature.inputs) > WIDEST:
        return ["no table"]
    batch = hostile_rows(spec.signature, 200)
    errors = set()
    for start, size in [(0, 200), (0, 20), (20, 20), *((i, 1) for i in range(60))]:
        try:
            predictor.predict(batch.slice(start, size))
        except Exception as error:  # noqa: BLE001 -- a row's error, unless it is the memory
            no_memory = isinstance(error, MemoryError) or "bad_alloc" in str(error)
            errors.add("MemoryError" if no_memory else type(error).__name__)
    if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 2**20:
        errors.add("MemoryError: more than 1 GiB")
    return sorted(errors)


def _opened(spec: ModelSpec) -> OpenModel:
    folder = cached_folder(spec.digest)
    assert folder is not None
    description = read_mlmodel(folder)
    row = identify(folder, description, spec.flavor, where=str(folder))
    return module_of(row).open_model(folder, description, {})


def hostile_rows(columns: Signature, rows: int) -> pa.RecordBatch:
    """Numbers at the ends of their types and beyond what was trained on, texts that are none.

    Fewer rows where they are wide: what a table itself weighs is not the model's doing.
    """
    rng = np.random.default_rng(7)
    rows = max(1, min(rows, 2**20 // sum(field.length or 3 for field in columns.inputs)))
    ends = np.array([0, 1, -1, np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 1e9, 2.0**63, 40])
    schema = input_schema(columns)
    made = []
    for field, column in zip(columns.inputs, schema, strict=True):
        width = (field.length or 3) if is_list(column.type) else 1
        dtype = column.type.value_type if is_list(column.type) else column.type
        if pa.types.is_floating(dtype):
            values = np.where(
                rng.random((rows, width)) < 0.5,
                rng.choice(ends, (rows, width)),
                rng.normal(size=(rows, width)) * 10.0 ** rng.integers(-3, 6, (rows, width)),
            )
            flat = pa.array(values.ravel()).cast(dtype, safe=False)
        elif pa.types.is_integer(dtype):
            top = 2 ** (dtype.bit_width - 1) - 1
            flat = pa.array(rng.choice([0, 1, -1, 5, 2**30, top, -top - 1], rows * width)).cast(
                dtype, safe=False
            )
        elif pa.types.is_string(dtype):
            flat = pa.array(
                rng.choice(["", "a", "Bonn", "Ulm", "\0", "ü" * 500, "3"], rows * width)
            )
        else:
            flat = pa.array([None] * rows * width, dtype)
        if is_list(column.type):
            bounds = pa.array(np.arange(0, rows * width + 1, width), pa.int32())
            flat = pa.ListArray.from_arrays(bounds, flat).cast(column.type)
        made.append(flat)
    return pa.RecordBatch.from_arrays(made, schema=schema)
