"""`emr cost`: what a cluster costs by the hour, a run on it, and when another is cheaper."""

# ruff: noqa: TC001, TC003  # typer reads a command's annotations when it runs

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emr.commands.options import ClusterSets, Debug, Json, Profile, SpecFile
from sparkml.last_line import last_line


def cost(
    spec: SpecFile,
    *,
    cluster_sets: ClusterSets = None,
    rows: Annotated[int | None, typer.Option("--rows", help="How many rows a run has.")] = None,
    rows_per_s: Annotated[
        float | None, typer.Option("--rows-per-s", help="What one node scores a second.")
    ] = None,
    against: Annotated[
        str | None, typer.Option("--against", metavar="FILE", help="Another spec, to compare.")
    ] = None,
    against_rows_per_s: Annotated[
        float | None, typer.Option("--against-rows-per-s", help="What its node scores a second.")
    ] = None,
    measured: Annotated[
        str | None, typer.Option("--measured", metavar="WHERE", help="Where speeds were measured.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw both costs over rows.")
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Ask AWS for prices; else conf/prices/ has them.")
    ] = False,
    stale: Annotated[
        bool, typer.Option("--allow-stale-prices", help="Take prices that are too old.")
    ] = False,
    profile: Profile = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Print what a cluster costs by the hour, and a run on it; each input says where it is from."""
    with last_line(debug=debug):
        from emr.aws.price_list import PriceList
        from emr.commands.options import aws_of, spec_from
        from emr.commands.output import print_json
        from emr.cost.command import Speed, cost_command
        from emr.cost.prices import Prices, snapshot

        def speed(rate: float | None) -> Speed | None:
            if rate is None:
                return None
            if measured:
                return Speed(rows_per_s=rate, label="measured", source=measured)
            return Speed(rows_per_s=rate)

        cluster = spec_from(spec, cluster_sets)
        prices: Prices
        if live:
            prices = PriceList(aws=aws_of(cluster.region, profile))
        else:
            prices = snapshot(region=cluster.region, allow_stale=stale)
        answer = cost_command(
            cluster,
            prices,
            rows=rows,
            speed=speed(rows_per_s),
            against=against,
            against_speed=speed(against_rows_per_s),
            plot=plot,
        )
        print_json(answer.json) if json else print(answer.text)
