"""Arrow tables by the thousand through every flavor: `python -m tests.parity.tables --runs 2000`.

Each column of a table has any Arrow type, with extreme values and nulls. It is refused with a code
where the table of casts has no row for it; else each row's score is that of the model's own library
for the values as Python computes them, or the row's error says why there is none.
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from sparkml.arrow import cast_rule, kind
from sparkml.errors import SparkMLError
from sparkml.type_names import to_arrow_type
from tests.parity.arrow_values import TYPES, column, seen
from tests.parity.table_models import CASES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sparkml.spec import Field
    from tests.parity.table_models import Case

SLOWEST_S = 10


def table(case: Case, rng: Random) -> pa.RecordBatch:
    """Rows for a model, most columns of a type that it takes; other columns among them."""
    rows = rng.randrange(1, 13)
    columns = {"_further": column(rng.choice(list(TYPES)), rng, rows)}
    for wanted in case.spec.signature.inputs:
        target = to_arrow_type(wanted.type)
        fits = [t for t in TYPES if cast_rule(t, target) and not pa.types.is_null(t)]
        dtype = rng.choice(fits if rng.random() < 0.95 else list(TYPES))
        columns[wanted.name] = column(dtype, rng, rows)
    names = rng.sample(list(columns), len(columns))
    return pa.RecordBatch.from_arrays([columns[n] for n in names], names=names)


def wrong(case: Case, batch: pa.RecordBatch) -> str:
    """What is wrong with the scores of a table; empty where nothing is."""
    inputs = case.spec.signature.inputs
    given = {f.name: batch.column(batch.schema.get_field_index(f.name)) for f in inputs}
    refused = [f.name for f in inputs if not _fits(given[f.name], f)]
    began = time.perf_counter()
    try:
        made = case.scorer(batch)
    except SparkMLError as error:
        return "" if refused else f"refused: {error}"
    except Exception as error:  # noqa: BLE001 -- what this looks for
        return f"no code: {error!r}"
    if time.perf_counter() - began > SLOWEST_S:
        return "slow"
    if refused:
        return f"accepted: {refused}"
    values = {f.name: seen(given[f.name], kind(to_arrow_type(f.type))) for f in inputs}
    scores, errors = made.column(0).to_pylist(), made.column(made.num_columns - 1).to_pylist()
    for i in range(batch.num_rows):
        row = {name: column[i] for name, column in values.items()}
        if told := _differs(case, row, scores[i], (errors[i] or {}).get("code")):
            return f"row {i}: {told}"
    return ""


def _fits(array: pa.Array, wanted: Field) -> bool:
    return cast_rule(array.type, to_arrow_type(wanted.type)) is not None


def _differs(case: Case, row: Mapping[str, Any], score: Any, code: str | None) -> str:
    missing = [name for name, value in row.items() if value is None]
    if any(case.spec.null_policy(name).kind == "quarantine" for name in missing):
        return "" if (score, code) == (None, "NULL_INPUT") else f"{row}: {score} {code}, not null"
    try:
        with np.errstate(all="ignore"):
            expected = case.native(row)
    except Exception as error:  # noqa: BLE001 -- then ours must have one as well
        known = (None, "MODEL_EXCEPTION"), (None, "UNKNOWN_KEY")
        return "" if (score, code) in known else f"{row}: {score} {code}, not {error!r}"
    if not isinstance(expected, str | bool) and not math.isfinite(expected):
        same = (score, code) == (None, "NON_FINITE_SCORE")
    else:
        same = code is None and score is not None and _near(score, expected, case.rtol)
    return "" if same else f"{row}: {score!r} {code}, not {expected!r}"


def _near(score: Any, expected: Any, rtol: float) -> bool:
    return score == expected or (rtol and abs(score - expected) <= rtol * max(abs(expected), 1.0))


def fuzz(name: str, folder: Path, *, runs: int, seed: int) -> list[str]:
    """What was wrong with so many tables for one model, each with the number that makes it."""
    with warnings.catch_warnings(), threadpool_limits(limits=1):
        warnings.simplefilter("ignore")
        case = CASES[name](folder)
        found = []
        for run in range(runs):
            batch = table(case, Random(f"{seed} {name} {run}"))
            if told := wrong(case, batch):
                found.append(f"{name}, run {run}: {told} | {batch.schema.to_string()[:400]}")
    return found


def main() -> int:
    """1 where something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flavor", choices=CASES, action="append")
    parser.add_argument("--runs", type=int, default=200, help="tables for each flavor")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as made:
        os.environ["SPARKML_CACHE"] = f"{made}/cache"
        for name in given.flavor or CASES:
            folder = Path(made) / name
            folder.mkdir()
            found = fuzz(name, folder, runs=given.runs, seed=given.seed)
            counts[name] = len(found)
            print(f"{name}: {given.runs} tables, {len(found)} wrong", *found[:5], sep="\n  ")
    return int(counts.total() > 0)


if __name__ == "__main__":
    raise SystemExit(main())
