"""Costs as tables: every row with its value, unit, label and source."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

    from emr.cost.doors import DoorCost
    from emr.cost.hourly import Cost
    from emr.cost.inputs import Given
    from emr.cost.run import RunCost
    from emr.cost.service import AlwaysOn
    from emr.cost.what_if import WhatIf


def cost_table(cost: Cost) -> Group:
    """The hourly bill of a cluster."""
    table = _table("", ("USD/h", "units", "USD each"), "source")
    for row in cost.rows:
        quote = row.quote
        table.add_row(
            f"{row.role} {row.item} {row.instance_type}",
            f"{row.usd_per_hour:.4f}",
            f"{row.units:g} {row.unit}",
            f"{quote.usd_per_hour:.6g}",
            quote.label,
            " · ".join(
                part for part in (quote.reason, quote.source, str(quote.as_of or "")) if part
            ),
        )
    return Group(f"{cost.name}: {cost.line()}", table)


def inputs_table(title: str, inputs: Iterable[Given]) -> Table:
    """What a cost was computed from."""
    table = _table(title, ("value", "unit"), "source")
    for given in inputs:
        table.add_row(given.name, f"{given.value:,.6g}", given.unit, given.label, given.source)
    return table


def run_table(run: RunCost) -> Group:
    """What a run costs, and from which inputs."""
    result = Table(box=None, show_header=False, pad_edge=False)
    result.add_column("")
    result.add_column("", justify="right")
    for name, value in (
        ("the run, all-in", f"USD {run.usd:.4g}"),
        ("a million rows, all-in", f"USD {run.usd_per_million:.4g}"),
        ("a million rows more", f"USD {run.marginal_usd_per_million:.4g}"),
        ("billed", f"{run.billed_s:,} s"),
        ("of them scoring", f"{run.working_s:,.0f} s"),
    ):
        result.add_row(name, value)
    return Group(f"{run.name}: {run.rows:,} rows", result, inputs_table("from", run.inputs))


def what_if_table(answers: Iterable[WhatIf]) -> Table:
    """Instance types by the price of a million rows, cheapest first."""
    columns = ("USD", "from", "to", "USD/h", "rows/s a node", "repetitions", "prices", "oldest")
    table = _table("a million rows more", columns, "source of the speed")
    for answer in answers:
        rate = answer.rate
        table.add_row(
            answer.instance_type,
            f"{answer.usd_per_million:.4g}",
            f"{answer.lowest_usd_per_million:.4g}",
            f"{answer.highest_usd_per_million:.4g}",
            f"{answer.cost.usd_per_hour:.4f}",
            f"{rate.rows_per_s:,.0f}",
            str(rate.repetitions),
            answer.price_label,
            str(answer.cost.oldest or ""),
            rate.label,
            rate.source,
        )
    return table


def door_table(door: DoorCost) -> Group:
    """What used vCPUs and memory cost through a door, and from which inputs."""
    return Group(f"{door.door}: USD {door.usd:,.2f}", inputs_table("from", door.inputs))


def service_table(month: AlwaysOn) -> Group:
    """What a service costs by the month, and from which inputs."""
    machines = f"{month.machines} machine{'s' * (month.machines != 1)}, {month.busy:.0%} busy"
    million = f"USD {month.usd_per_million_requests:.4g} a million requests"
    said = f"always on: USD {month.usd_per_month:,.2f} a month, {machines}; {million}"
    return Group(said, inputs_table("from", month.inputs))


def as_text(*parts: RenderableType, width: int = 160) -> str:
    """Tables as plain text, without colour."""
    out = StringIO()
    Console(file=out, width=width, color_system=None, soft_wrap=False).print(*parts, sep="\n")
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def _table(title: str, numbers: Iterable[str], last: str) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(title)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("label", no_wrap=True)
    table.add_column(last, overflow="fold")
    return table
