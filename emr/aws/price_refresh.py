"""`refresh`: a new snapshot of prices, asked of AWS, written as the YAML that `snapshot` reads."""

from __future__ import annotations

import argparse
import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from emr.cost.prices import EBS_HOURS_PER_MONTH, KINDS, Quote, default_path, snapshot
from emr.errors import PricesMissing
from sparkml.last_line import last_line

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping

    from emr.cost.prices import Prices, SnapshotFile

_SOURCE = "price-list"
_HEADER = (
    "# Public prices in USD, as AWS listed them: ec2, emr and spot per instance-hour, ebs per\n"
    "# GiB-month, serverless and eks per vCPU-hour or GB-hour. Written by emr.aws.price_refresh.\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed:
    """What a refresh wrote, and what AWS has no price of."""

    path: Path
    prices: int
    missing: tuple[str, ...]
    """`emr g5.48xlarge`: kind and name."""


def names_of(file: SnapshotFile) -> dict[str, tuple[str, ...]]:
    """What a snapshot has prices of, by kind: what a refresh asks for again."""
    return {kind: tuple(getattr(file, kind)) for kind in KINDS}


def refresh(
    prices: Prices,
    path: str | os.PathLike[str],
    *,
    region: str,
    names: Mapping[str, Iterable[str]],
    today: dt.date | None = None,
) -> Refreshed:
    """Writes a snapshot of a region's prices, in place of the file that is there.

    Args:
        prices: who is asked: `PriceList(aws=…)`; one call for each name.
        path: the file; written whole or not at all.
        region: whose prices.
        names: instance types and resources by kind, as `names_of` gives them.
        today: the day it is said to be collected; this day when None.

    Raises:
        PricesMissing: AWS has none of these prices; nothing is written.
        AwsRefused, AwsUnreachable: as the calls end.
    """
    ask: dict[str, Callable[[str, str], Quote]] = {
        "ec2": prices.ec2_usd_per_hour,
        "emr": prices.emr_fee,
        "ebs": prices.ebs,
        "spot": prices.spot,
        "serverless": prices.serverless,
        "eks": prices.eks,
    }
    rows: dict[str, dict[str, Any]] = {}
    days: list[dt.date] = []
    missing: list[str] = []
    for kind, wanted in names.items():
        for name in wanted:
            try:
                quote = ask[kind](name, region)
            except PricesMissing:
                missing.append(f"{kind} {name}")
                continue
            usd = quote.usd_per_hour * (EBS_HOURS_PER_MONTH if kind == "ebs" else 1)
            rows.setdefault(kind, {})[name] = {"usd": round(usd, 10), "source": _SOURCE}
            days += [quote.as_of] if quote.as_of else []
    if not rows:
        raise PricesMissing(f"AWS has none of {len(missing)} prices in {region}", where=str(path))
    collected = today or dt.datetime.now(tz=dt.UTC).date()
    source = {
        "text": "AWS Price List and Spot price history",
        "as_of": min(days, default=collected),
    }
    document = {"region": region, "collected": collected, "sources": {_SOURCE: source}, **rows}
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_suffix(".part")
    text = _HEADER + yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    beside.write_text(text, encoding="utf-8")
    beside.replace(file)
    count = sum(map(len, rows.values()))
    return Refreshed(path=file, prices=count, missing=tuple(missing))


def main() -> None:
    """Asks AWS for what the region's snapshot (else us-east-1's) has prices of, and replaces it."""
    parser = argparse.ArgumentParser(
        prog="python -m emr.aws.price_refresh", description=main.__doc__
    )
    parser.add_argument("region")
    parser.add_argument("--profile", help="a profile of ~/.aws/config")
    parser.add_argument("--out", help="the file to write; conf/prices/<region>.yaml if not given")
    given = parser.parse_args()
    with last_line(debug=False):
        from emr.aws.client import connect
        from emr.aws.price_list import PriceList

        here = default_path(given.region)
        known = here if here.is_file() else default_path("us-east-1")
        names = names_of(snapshot(known, allow_stale=True).file)
        prices = PriceList(aws=connect(given.region, profile=given.profile))
        done = refresh(prices, given.out or here, region=given.region, names=names)
        for name in done.missing:
            print(f"AWS has no price: {name}")
        print(f"{done.prices} prices in {done.path}")


if __name__ == "__main__":
    main()
