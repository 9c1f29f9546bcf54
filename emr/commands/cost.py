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
    what_ifs: Annotated[
        list[str] | None,
        typer.Option(
            "--what-if",
            metavar="TYPE=ROWS_PER_S",
            help="Another type and its node's speed, to compare; may be repeated.",
        ),
    ] = None,
    requests_per_s: Annotated[
        float | None,
        typer.Option("--requests-per-s", help="What a service on such nodes costs a month."),
    ] = None,
    seconds_per_request: Annotated[
        float | None, typer.Option("--seconds-per-request", help="With --requests-per-s.")
    ] = None,
    concurrency: Annotated[
        float | None,
        typer.Option("--concurrency", help="Requests a machine answers at a time; its vCPUs."),
    ] = None,
    utilisation: Annotated[
        float, typer.Option("--utilisation", help="How busy a service's machines may be.")
    ] = 0.6,
    spot_share: Annotated[
        float | None,
        typer.Option("--spot-share", help="Spot prices as a share of On-Demand: 0.4."),
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
        from emr.cost.service import service_on
        from emr.cost.what_if import measured_of
        from sparkml.errors import ConfigError

        def speed(rate: float | None) -> Speed | None:
            if rate is None:
                return None
            if measured:
                return Speed(rows_per_s=rate, label="measured", source=measured)
            return Speed(rows_per_s=rate)

        cluster = spec_from(spec, cluster_sets)
        prices: Prices
        if live and spot_share is not None:
            raise ConfigError("--live asks AWS for Spot prices", fix="leave --spot-share out")
        if (requests_per_s is None) != (seconds_per_request is None):
            raise ConfigError(
                "a service has a rate and a time", fix="--requests-per-s with --seconds-per-request"
            )
        if live:
            prices = PriceList(aws=aws_of(cluster.region, profile))
        else:
            prices = snapshot(region=cluster.region, allow_stale=stale, spot_share=spot_share)
        service = None
        if requests_per_s is not None and seconds_per_request is not None:
            service = service_on(
                cluster,
                prices,
                requests_per_s=requests_per_s,
                seconds_per_request=seconds_per_request,
                concurrency=concurrency,
                utilisation=utilisation,
            )
        answer = cost_command(
            cluster,
            prices,
            rows=rows,
            speed=speed(rows_per_s),
            against=against,
            against_speed=speed(against_rows_per_s),
            plot=plot,
            types=[
                measured_of(
                    text, label="measured" if measured else "assumed", source=measured or ""
                )
                for text in what_ifs or ()
            ],
            service=service,
        )
        print_json(answer.json) if json else print(answer.text)
