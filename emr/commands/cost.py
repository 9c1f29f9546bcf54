"""`emr cost`: what a cluster costs by the hour, a run on it, and when another is cheaper."""

# ruff: noqa: TC001, TC003  # typer reads a command's annotations when it runs

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emr.commands.options import ClusterSets, Debug, Json, Profile, SpecFile
from sparkml.last_line import last_line

if TYPE_CHECKING:
    from emr.commands.cost_options import Known
    from emr.cost.prices import Prices
    from emr.spec import ClusterSpec

GIVEN = (
    "Of a run: efficiency, provisioning_s, bootstrap_s, startup_s, model_load_s, idle_s, "
    "interruption, rework. Of a service: concurrency, utilisation, minimum_machines, "
    "machine_usd_per_hour. With --vcpu-hours: storage_gb_hours."
)
RATE = "A number, or NUMBER@WHERE it was measured; with --results also MODEL:CONTENDER."


def cost(
    spec: SpecFile,
    *,
    cluster_sets: ClusterSets = None,
    rows: Annotated[int | None, typer.Option("--rows", help="How many rows a run has.")] = None,
    rows_per_s: Annotated[
        str | None,
        typer.Option("--rows-per-s", metavar="RATE", help=f"What one node scores. {RATE}"),
    ] = None,
    against: Annotated[
        str | None, typer.Option("--against", metavar="FILE", help="Another spec, to compare.")
    ] = None,
    against_rows_per_s: Annotated[
        str | None,
        typer.Option("--against-rows-per-s", metavar="RATE", help="What its node scores."),
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--given",
            metavar="NAME=VALUE",
            help="What is known better than assumed, and where it was measured: "
            f"provisioning_s=240@our cluster; may be repeated. {GIVEN}",
        ),
    ] = None,
    against_given: Annotated[
        list[str] | None,
        typer.Option("--against-given", metavar="NAME=VALUE", help="The same, of --against alone."),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option("--results", metavar="FILE", help="What `make bench` wrote, for rates."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw both costs over rows.")
    ] = None,
    what_ifs: Annotated[
        list[str] | None,
        typer.Option(
            "--what-if",
            metavar="TYPE=RATE",
            help="Another type and its node's rate, to compare; may be repeated.",
        ),
    ] = None,
    requests_per_s: Annotated[
        str | None,
        typer.Option(
            "--requests-per-s", metavar="NUMBER", help="What a service on such nodes costs a month."
        ),
    ] = None,
    seconds_per_request: Annotated[
        str | None,
        typer.Option("--seconds-per-request", metavar="NUMBER", help="With --requests-per-s."),
    ] = None,
    vcpu_hours: Annotated[
        str | None,
        typer.Option(
            "--vcpu-hours",
            metavar="NUMBER",
            help="What they cost on EMR Serverless and EMR on EKS.",
        ),
    ] = None,
    gb_hours: Annotated[
        str | None, typer.Option("--gb-hours", metavar="NUMBER", help="With --vcpu-hours.")
    ] = None,
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
        from emr.commands import cost_options as options
        from emr.commands.options import aws_of, checked_spec
        from emr.commands.output import print_json
        from emr.cost.command import Asked, cost_command
        from emr.cost.prices import snapshot
        from emr.cost.rate import rate_of

        named = {
            "--rows": rows,
            "--rows-per-s": rows_per_s,
            "--against": against,
            "--against-rows-per-s": against_rows_per_s,
            "--against-given": against_given,
            "--requests-per-s": requests_per_s,
            "--seconds-per-request": seconds_per_request,
            "--vcpu-hours": vcpu_hours,
            "--gb-hours": gb_hours,
            "--results": results,
            "--what-if": what_ifs,
            "--plot": plot,
            "--live": live,
            "--profile": profile,
            "--spot-share": spot_share,
            "--allow-stale-prices": stale,
            options.FROM_RESULTS: options.from_results(
                rows_per_s, against_rows_per_s, *(what_ifs or ())
            ),
        }
        options.heeded(named)
        run, of_service, of_doors = options.known_of(given, named, option="--given")
        other_run, _, _ = options.known_of(
            against_given, {"--rows-per-s": rows_per_s}, option="--against-given"
        )
        cluster = checked_spec(spec, cluster_sets)
        other = checked_spec(against, None) if against else None
        if other is not None:
            cluster, other = options.told_apart(cluster, other, (spec, str(against)))
        prices: Prices
        if live:
            prices = PriceList(aws=aws_of(cluster.region, profile))
        else:
            prices = snapshot(region=cluster.region, allow_stale=stale, spot_share=spot_share)

        def asked(of: ClusterSpec, rate: str | None, option: str, known: Known) -> Asked:
            told = None if rate is None else rate_of(rate, option=option, results=results)
            return Asked(spec=of, rate=told, known=known)

        answer = cost_command(
            asked(cluster, rows_per_s, "--rows-per-s", run),
            prices,
            rows=rows,
            against=asked(other, against_rows_per_s, "--against-rows-per-s", {**run, **other_run})
            if other
            else None,
            plot=plot,
            types=[options.what_if_of(text, results) for text in what_ifs or ()],
            service=options.service_of(
                cluster, prices, requests_per_s, seconds_per_request, of_service
            ),
            doors=options.doors_of(cluster, prices, vcpu_hours, gb_hours, of_doors),
        )
        print_json(answer.json) if json else print(answer.text)
