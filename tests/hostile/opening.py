"""One opening and one scoring, each in a fork with limits: what becomes of a damaged file."""

from __future__ import annotations

import faulthandler
import os
import pickle
import resource
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sparkml.arrow import input_schema
from sparkml.errors import SparkMLError
from sparkml.lists import is_list
from sparkml.models.base import ChecksFiles, ChecksItself
from sparkml.models.environment import environment_differences
from sparkml.models.mlmodel import read_mlmodel
from sparkml.models.read import decide, identify, module_of
from sparkml.spec import Signature

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GIB = 2**30
REFUSED, STRAY, FINE = "refused", "stray exception", "accepted, scored"
DIED, MEMORY, HUNG = "died", "memory", "hung"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a fork ended: `how` is one of the words above, `told` what it wrote."""

    how: str
    told: str = ""


def opened_first(folder: Path, **wanted: Any) -> Signature:
    """What `read_spec` does with files once they are here; its hooks in their order."""
    description = read_mlmodel(folder)
    row = identify(folder, description, None, where=str(folder))
    flavor = module_of(row)
    if flavor.runs_code(folder, description):
        raise SparkMLError("runs code")
    environment_differences(folder, description, row.name)
    if isinstance(flavor, ChecksFiles):
        flavor.check_files(folder, description)
    model = flavor.open_model(folder, description, {})
    if isinstance(model, ChecksItself):
        model.check()
    usual = decide(model, description, None, where=str(folder))
    extras = () if wanted.get("usual") else model.extras(usual.inputs)
    columns = Signature(inputs=usual.inputs, outputs=(*usual.outputs, *extras))
    predictor = model.predictor(columns, {})
    if isinstance(predictor, ChecksItself):
        predictor.check()
    _ = predictor.takes_nan
    return columns


def scored(folder: Path, columns: Signature) -> str:
    """What a worker does with them, with 200 hostile rows; MemoryError where there is none."""
    description = read_mlmodel(folder)
    row = identify(folder, description, None, where=str(folder))
    predictor = module_of(row).open_model(folder, description, {}).predictor(columns, {})
    batch = hostile_rows(columns, 200)
    errors = set()
    for start, size in [(0, 200), (0, 20), (20, 20), *((i, 1) for i in range(60))]:
        try:
            predictor.predict(batch.slice(start, size))
        except Exception as error:  # a row's error, unless it is the memory
            errors.add(type(error).__name__)
            if isinstance(error, MemoryError) or "bad_alloc" in str(error):
                raise MemoryError(str(error)) from error
    if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 2**20:
        raise MemoryError("more than 1 GiB")
    return " ".join(sorted(errors))


def hostile_rows(columns: Signature, rows: int) -> pa.RecordBatch:
    """Numbers at the ends of their types and beyond what was trained on, texts that are none."""
    rng = np.random.default_rng(7)
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


def in_fork(work: Callable[[], Any], folder: Path, *, seconds: int = 4) -> Ended:
    """How `work` ends in a fork with 3 GiB and so many seconds; its result, pickled, in `told`."""
    told = folder.parent / "told"
    told.write_bytes(b"")
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if not pid:
        _limited(work, told, seconds)
    end, status = time.monotonic() + seconds + 5, None
    while status is None and time.monotonic() < end:
        done, state = os.waitpid(pid, os.WNOHANG)
        status = state if done else None
        time.sleep(0.002)
    if status is None:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return Ended(how=HUNG)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        hung = number in (signal.SIGXCPU, signal.SIGKILL)
        return Ended(how=HUNG if hung else DIED, told=signal.Signals(number).name)
    words = {0: FINE, 3: REFUSED, 4: STRAY, 5: MEMORY}
    return Ended(
        how=words.get(os.WEXITSTATUS(status), DIED), told=told.read_bytes().decode("latin-1")
    )


def _limited(work: Callable[[], Any], told: Path, seconds: int) -> None:
    code = 0
    faulthandler.disable()  # pytest's: a death here is an answer
    try:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        resource.setrlimit(resource.RLIMIT_AS, (3 * GIB, 3 * GIB))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        told.write_bytes(pickle.dumps(work()))
    except SparkMLError as error:
        code = 3
        told.write_bytes(str(error).encode("latin-1", "replace"))
    except MemoryError as error:
        code = 5
        told.write_bytes(str(error).encode("latin-1", "replace"))
    except BaseException:  # noqa: BLE001 -- the fork must not go on as its parent
        code = 4
        told.write_bytes(traceback.format_exc().encode("latin-1", "replace"))
    finally:
        os._exit(code)
