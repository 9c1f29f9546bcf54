"""`work_on`: how a spec's cluster works: what it tells of a run on it, and what is known better."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emr.cost.inputs import Given
from emr.cost.run import work

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emr.cost.hourly import Cost
    from emr.cost.rate import Rate
    from emr.cost.run import Work
    from emr.spec import ClusterSpec

_BOOTSTRAP_S = 30


def work_on(
    spec: ClusterSpec, cost: Cost, rate: Rate, known: Mapping[str, Given] | None = None
) -> Work:
    """The work of a cluster whose nodes have this rate.

    Args:
        spec: the cluster.
        cost: its hourly cost, which tells how many nodes were priced.
        rate: of one core or task node.
        known: fields of `Work` that are known better than what the spec tells.

    Raises:
        ConfigError: a number that cannot be.
    """
    return work(
        rows_per_s=rate.rows_per_s,
        workers=workers_of(cost),
        label=rate.label,
        source=rate.source,
        **{**told_by(spec, cost), **(known or {})},
    )


def workers_of(cost: Cost) -> int:
    """How many nodes score: those of the core and task roles, as they were priced."""
    return round(
        sum(row.units for row in cost.rows if row.role != "MASTER" and row.item.startswith("EC2"))
    )


def told_by(spec: ClusterSpec, cost: Cost) -> dict[str, Given]:
    """What a spec tells about a run on it, for inputs that nobody has measured."""
    found: dict[str, Given] = {}
    if workers_of(cost) == 1:
        found["efficiency"] = _assumed("efficiency", 1, "", "one worker waits for no other")
    if actions := len(spec.bootstrap) + (spec.gpu != "none"):
        why = f"{actions} × bootstrap action, {_BOOTSTRAP_S} s each"
        found["bootstrap_s"] = _assumed("bootstrap", actions * _BOOTSTRAP_S, "s", why)
    if any(row.item == "EC2 Spot" for row in cost.rows):
        why = "the lowest band of AWS's Spot Instance Advisor ends at 5 %"
        found["interruption"] = _assumed("interruption", 0.05, "", why)
    return found


def _assumed(name: str, value: float, unit: str, source: str) -> Given:
    return Given(name=name, value=value, unit=unit, label="assumed", source=source)
