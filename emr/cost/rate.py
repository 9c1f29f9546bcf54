"""`Rate`: how fast a node scores rows, as somebody says it or as a benchmark measured it."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emr.cost.inputs import CALLER, above_zero, number_of, sourced
from sparkml.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

    from emr.cost.prices import Labelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Rows a second of one node, while it scores."""

    rows_per_s: float
    """The median of the repetitions."""
    slowest_rows_per_s: float
    fastest_rows_per_s: float
    repetitions: int
    label: Labelled
    source: str

    @classmethod
    def of(cls, rows_per_s: float, *, label: Labelled = "assumed", source: str = CALLER) -> Rate:
        """One number, without repetitions."""
        return cls(
            rows_per_s=rows_per_s,
            slowest_rows_per_s=rows_per_s,
            fastest_rows_per_s=rows_per_s,
            repetitions=1,
            label=label,
            source=source,
        )


def rate_of(text: str, *, option: str, results: Path | None = None) -> Rate:
    """A node's speed as the command line says it.

    Args:
        text: `40000`, `40000@WHERE`; or, where there are results, `MODEL:CONTENDER`, and
            `MODEL:CONTENDER@WHERE` if they were measured on such a node: else they are assumed.
        option: which option said so.
        results: the file that `make bench` writes.

    Raises:
        ConfigError: it is no such text, or not above zero; or the results lack it.
    """
    if results is not None and ":" in text.partition("@")[0]:
        return _from_results(text, results, option=option)
    given = number_of(text, name="speed", unit="rows/s", option=option)
    above_zero(given)
    return Rate.of(given.value, label=given.label, source=given.source)


def _from_results(text: str, path: Path, *, option: str) -> Rate:
    value, label, source = sourced(text, option=option)
    model, _, contender = value.partition(":")
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
        runs, rows = results["seconds"], results["rows"]
        machine = f"{results['machine']['cores']} cores {results['machine']['cpu']}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        fix = "name the file that `make bench` writes"
        raise ConfigError(f"no results to read: {error!r}", where=str(path), fix=fix) from None
    for name, known in ((model, runs), (contender, runs.get(model, {}))):
        if name not in known:
            raise ConfigError(f"no '{name}' in it", where=str(path), fix=did_you_mean(name, known))
    seconds = runs[model][contender]
    where = f"{path}: {model}, {contender}, on {machine}"
    return Rate(
        rows_per_s=rows / statistics.median(seconds),
        slowest_rows_per_s=rows / max(seconds),
        fastest_rows_per_s=rows / min(seconds),
        repetitions=len(seconds),
        label=label,
        source=f"{where}, taken for this node" if label == "assumed" else f"{source}: {where}",
    )
