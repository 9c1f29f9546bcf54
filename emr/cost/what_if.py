"""`what_if`: the same work on other instance types, from speeds that were measured on them."""

from __future__ import annotations

import json
import os
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from emr.cost.run import MILLION
from sparkml.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from emr.cost.prices import Labelled, Prices, Quote


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """How fast rows were scored on an instance type."""

    instance_type: str
    rows_per_s: float
    """The median of the repetitions."""
    slowest_rows_per_s: float
    fastest_rows_per_s: float
    repetitions: int
    per: Literal["node", "executor"] = "node"
    executors_per_node: int = 1
    """How many run beside each other on one node, where `per` is `executor`."""
    label: Labelled = "measured"
    source: str = ""

    @property
    def executors(self) -> int:
        """What the speed is multiplied by for a whole node."""
        return self.executors_per_node if self.per == "executor" else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """One instance type's price of a million rows, while it works."""

    measured: Measured
    ec2: Quote
    fee: Quote
    usd_per_million: float
    lowest_usd_per_million: float
    """At the fastest repetition."""
    highest_usd_per_million: float
    """At the slowest repetition."""

    @property
    def usd_per_hour(self) -> float:
        """One node: EC2 and EMR's fee, without its volumes."""
        return self.ec2.usd_per_hour + self.fee.usd_per_hour

    def to_json(self) -> dict[str, Any]:
        """The answer as plain values."""
        measured = self.measured
        return {
            "instance_type": measured.instance_type,
            "usd_per_million": self.usd_per_million,
            "lowest_usd_per_million": self.lowest_usd_per_million,
            "highest_usd_per_million": self.highest_usd_per_million,
            "node_usd_per_hour": self.usd_per_hour,
            "rows_per_s": measured.rows_per_s,
            "per": measured.per,
            "repetitions": measured.repetitions,
            "label": measured.label,
            "source": measured.source,
            "price_labels": sorted({self.ec2.label, self.fee.label}),
        }


def what_if(measured: Iterable[Measured], prices: Prices, *, region: str) -> list[WhatIf]:
    """The marginal price of a million rows on each instance type, cheapest first.

    Raises:
        PricesMissing: no price of one of the types.
        ConfigError: a speed that is not above zero.
    """
    found = []
    for one in measured:
        if not 0 < one.slowest_rows_per_s <= one.rows_per_s <= one.fastest_rows_per_s:
            what = f"the speeds of {one.instance_type} are not in order, or not above 0"
            raise ConfigError(what, fix="give slowest <= median <= fastest, in rows/s")
        ec2 = prices.ec2_usd_per_hour(one.instance_type, region)
        fee = prices.emr_fee(one.instance_type, region)
        per_s = (ec2.usd_per_hour + fee.usd_per_hour) / 3_600 * MILLION / one.executors
        found.append(
            WhatIf(
                measured=one,
                ec2=ec2,
                fee=fee,
                usd_per_million=per_s / one.rows_per_s,
                lowest_usd_per_million=per_s / one.fastest_rows_per_s,
                highest_usd_per_million=per_s / one.slowest_rows_per_s,
            )
        )
    return sorted(found, key=lambda answer: answer.usd_per_million)


def measured_of(text: str, *, label: Labelled = "assumed", source: str = "") -> Measured:
    """A node's speed as the command line says it: `TYPE=ROWS_PER_S`.

    Raises:
        ConfigError: it is no such text.
    """
    kind, _, rate = text.partition("=")
    try:
        speed = float(rate.replace("_", ""))
    except ValueError:
        speed = 0.0
    if not kind or not 0 < speed < float("inf"):
        raise ConfigError(f"'{text}' is no type with its speed", fix="write m7g.2xlarge=40000")
    return Measured(
        instance_type=kind,
        rows_per_s=speed,
        slowest_rows_per_s=speed,
        fastest_rows_per_s=speed,
        repetitions=1,
        label=label,
        source=source or "given by the caller",
    )


def from_results(
    path: str | os.PathLike[str],
    *,
    model: str,
    contender: str,
    as_type: str,
    really: bool = False,
) -> Measured:
    """A measurement of `benchmarks/results.json`, taken for an instance type.

    Args:
        path: the file that `make bench` writes.
        model: a model of it: `GBT`.
        contender: who scored it: `sparkml, into Delta`.
        as_type: the instance type it stands for.
        really: it was measured on that very type; otherwise the speed is labelled assumed.

    Raises:
        ConfigError: no such model or contender there, or it cannot be read.
    """
    try:
        results = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"no results to read: {error}", where=str(path)) from None
    runs = results["seconds"]
    for name, known in ((model, runs), (contender, runs.get(model, {}))):
        if name not in known:
            raise ConfigError(f"no '{name}' in it", where=str(path), fix=did_you_mean(name, known))
    seconds = runs[model][contender]
    machine = results["machine"]
    where = f"{os.fspath(path)}: {model}, {contender}, on {machine['cores']} cores {machine['cpu']}"
    return Measured(
        instance_type=as_type,
        rows_per_s=results["rows"] / statistics.median(seconds),
        slowest_rows_per_s=results["rows"] / max(seconds),
        fastest_rows_per_s=results["rows"] / min(seconds),
        repetitions=len(seconds),
        label="measured" if really else "assumed",
        source=where if really else f"{where}, taken for {as_type}",
    )
