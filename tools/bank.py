"""The bank marketing table: the UCI file where there is one, else a generated one of its shape.

python -m tools.bank            puts it at .demo/bank.csv, where there is none

Columns and categories are those of Moro, Cortez and Rita (2014), UCI Machine Learning Repository,
"Bank Marketing": clients of a bank, and whether a call made them subscribe a deposit (`y`).
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

REAL = Path(__file__).parents[2] / "shared" / "data" / "bank.csv"
GENERATED = Path(".demo") / "bank.csv"
ROWS = 4_521
"""As many as the UCI file has."""

SCHEMA = (
    "age INT, job STRING, marital STRING, education STRING, default STRING, balance INT, "
    "housing STRING, loan STRING, contact STRING, day INT, month STRING, duration INT, "
    "campaign INT, pdays INT, previous INT, poutcome STRING, y STRING"
)
COLUMNS = tuple(part.split()[0] for part in SCHEMA.split(", "))

# Category -> (its share of the rows, what it adds to the log-odds of a yes).
CATEGORIES: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "job": {
        "management": (0.215, 0.2), "blue-collar": (0.21, -0.4), "technician": (0.17, 0.0),
        "admin.": (0.105, 0.0), "services": (0.09, -0.2), "retired": (0.05, 0.8),
        "self-employed": (0.04, 0.0), "entrepreneur": (0.037, -0.2), "unemployed": (0.028, 0.0),
        "housemaid": (0.025, 0.1), "student": (0.02, 0.8), "unknown": (0.01, 0.4),
    },
    "marital": {"married": (0.62, -0.1), "single": (0.26, 0.2), "divorced": (0.12, 0.2)},
    "education": {
        "secondary": (0.51, 0.0), "tertiary": (0.30, 0.2), "primary": (0.15, -0.1),
        "unknown": (0.04, 0.0),
    },
    "default": {"no": (0.98, 0.0), "yes": (0.02, 0.0)},
    "housing": {"yes": (0.57, -0.4), "no": (0.43, 0.2)},
    "loan": {"no": (0.85, 0.1), "yes": (0.15, -0.5)},
    "contact": {"cellular": (0.64, 0.2), "unknown": (0.29, -0.9), "telephone": (0.07, 0.1)},
    "month": {
        "may": (0.31, -0.5), "jul": (0.16, -0.3), "aug": (0.14, 0.0), "jun": (0.12, -0.1),
        "nov": (0.085, -0.1), "apr": (0.065, 0.5), "feb": (0.05, 0.4), "jan": (0.03, 0.0),
        "oct": (0.018, 1.7), "sep": (0.01, 1.2), "mar": (0.008, 1.6), "dec": (0.004, 1.6),
    },
}  # fmt: skip
OUTCOMES: Mapping[str, tuple[float, float]] = {
    "failure": (0.6, 0.1), "other": (0.24, 0.4), "success": (0.16, 2.4),
}  # fmt: skip
"""How an earlier campaign ended, for those who were called then."""


def bank_table(
    path: str | Path | None = None,
    *,
    into: str | Path = GENERATED,
    rows: int = ROWS,
    seed: int = 0,
) -> Path:
    """A bank marketing CSV: `path`, else the UCI file beside the repository, else a generated one.

    The first two are used where they are; a generated table of `rows` rows is written to `into`,
    in the same format. The same seed gives the same bytes.

    Raises:
        FileNotFoundError: `path` is given and is not there.
    """
    if path is not None:
        if not Path(path).is_file():
            raise FileNotFoundError(path)
        return Path(path)
    return REAL if REAL.is_file() else generate(into, rows=rows, seed=seed)


def placed(into: Path = GENERATED) -> Path:
    """The table at `into`: what is there already, else a link to the UCI file, else generated."""
    if not into.is_file():
        table = bank_table(into=into)
        if table != into:
            into.parent.mkdir(parents=True, exist_ok=True)
            into.unlink(missing_ok=True)
            into.symlink_to(table)
    return into


def generate(into: str | Path, *, rows: int = ROWS, seed: int = 0) -> Path:
    """Write a table of the UCI file's shape: columns, types, categories, a `y` worth learning."""
    drawn = _draw(np.random.default_rng(seed), rows)
    into = Path(into)
    into.parent.mkdir(parents=True, exist_ok=True)
    into.unlink(missing_ok=True)  # it may be a link to the real one
    with into.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";", quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(zip(*(drawn[name].tolist() for name in COLUMNS), strict=True))
    return into


def _draw(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray[Any, Any]]:
    odds = np.full(rows, -2.4)
    table: dict[str, np.ndarray[Any, Any]] = {}
    for name, kinds in CATEGORIES.items():
        table[name], adds = _choose(rng, rows, kinds)
        odds += adds
    table["age"] = np.clip(rng.gamma(5.0, 4.7, rows) + 17.5, 19, 87).astype(int)
    table["balance"] = (rng.lognormal(6.6, 1.35, rows) - rng.exponential(500, rows)).astype(int)
    table["day"] = rng.integers(1, 32, rows)
    table["duration"] = np.clip(rng.lognormal(5.2, 0.85, rows), 4, 3_025).astype(int)
    table["campaign"] = np.minimum(rng.geometric(0.4, rows), 50)
    called = rng.random(rows) < 0.18
    table["pdays"] = np.where(called, rng.integers(1, 400, rows), -1)
    table["previous"] = np.where(called, np.minimum(rng.geometric(0.33, rows), 25), 0)
    outcome, adds = _choose(rng, rows, OUTCOMES)
    table["poutcome"] = np.where(called, outcome, "unknown")
    odds += np.where(called, adds, 0.0)
    odds += 1.1 * (np.log(table["duration"]) - 5.2) - 0.08 * (table["campaign"] - 2.5)
    yes = rng.random(rows) < 1.0 / (1.0 + np.exp(-odds))
    table["y"] = np.where(yes, "yes", "no")
    return table


def _choose(
    rng: np.random.Generator, rows: int, kinds: Mapping[str, tuple[float, float]]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """A category a row by the shares, and what each adds to the log-odds."""
    shares = np.array([share for share, _ in kinds.values()])
    at = rng.choice(len(kinds), rows, p=shares / shares.sum())
    adds = np.array([add for _, add in kinds.values()])
    return np.array(list(kinds))[at], adds[at]


if __name__ == "__main__":
    print(placed())
