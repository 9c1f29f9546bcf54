"""Prices with label, source and date: the `Prices` protocol, and the dated snapshot in YAML."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn, Protocol

from pydantic import BeforeValidator, Field, model_validator

from emr.errors import PricesMissing
from emr.machines.instances import is_known
from emr.machines.shipped import shipped
from sparkml.config.fields import Section, Text
from sparkml.config.layers import load_as
from sparkml.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    import os

Labelled = Literal["quoted", "measured", "assumed"]
"""Where a number is from: somebody's price list, our own runs, or nobody but ourselves."""

EBS_HOURS_PER_MONTH = 30 * 24
"""AWS bills a GiB-month of EBS by the second of a 30-day month ("Amazon EBS pricing")."""

KINDS = ("ec2", "emr", "ebs", "spot", "serverless", "eks")
"""What a snapshot holds, per name; EBS by the GiB-month, everything else by the hour."""

_LIVE = "ask AWS (`emr cost --live`), or for a file: `python -m emr.aws.price_refresh {region}`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """One price, and how far it can be trusted."""

    usd_per_hour: float
    """For one instance, vCPU, GB or GiB, by the kind of price."""
    label: Labelled
    source: str
    as_of: dt.date | None
    """The day of the source, not the day on which we read it; None where it has none."""
    reason: str = ""
    """Why it was assumed."""


class Prices(Protocol):
    """Who knows prices. Every method raises PricesMissing for what it has no price of."""

    def ec2_usd_per_hour(self, instance_type: str, region: str) -> Quote:
        """One instance On-Demand: Linux, shared tenancy."""
        ...

    def emr_fee(self, instance_type: str, region: str) -> Quote:
        """What EMR adds for one instance, primary nodes included; the same on Spot."""
        ...

    def spot(self, instance_type: str, region: str) -> Quote:
        """One instance on Spot."""
        ...

    def ebs(self, kind: str, region: str) -> Quote:
        """One GiB of a volume type (`gp3`), or what it takes extra (`gp3-iops`, `gp3-mib-s`)."""
        ...

    def serverless(self, resource: str, region: str) -> Quote:
        """EMR Serverless: `vcpu`, `gb`, `storage-gb`, and `arm-vcpu`, `arm-gb`, per hour."""
        ...

    def eks(self, resource: str, region: str) -> Quote:
        """What EMR on EKS adds to the nodes' own price: `vcpu`, `gb`, per hour."""
        ...


def _a_date(value: object) -> object:
    return dt.date.fromisoformat(value) if isinstance(value, str) else value


Day = Annotated[dt.date, BeforeValidator(_a_date)]


class _Source(Section):
    """Where prices were read."""

    text: Text
    as_of: Day | None = None


class _Price(Section):
    """One price of the file."""

    usd: Annotated[float, Field(ge=0), BeforeValidator(lambda v: float(v) if type(v) is int else v)]
    source: Text
    label: Literal["quoted", "assumed"] = "quoted"
    reason: str = ""

    @model_validator(mode="after")
    def _assumed_for_a_reason(self) -> _Price:
        if self.label == "assumed" and not self.reason:
            raise ValueError("is assumed, and does not say why")
        return self


class SnapshotFile(Section):
    """`conf/prices/<region>.yaml`."""

    region: Text
    collected: Day
    """The day on which somebody last looked; the file's age counts from here. How old its prices
    are is another matter: every price has a source, and a source its own day."""
    sources: Mapping[Text, _Source]
    ec2: Mapping[Text, _Price] = Field(default_factory=dict)
    emr: Mapping[Text, _Price] = Field(default_factory=dict)
    ebs: Mapping[Text, _Price] = Field(default_factory=dict)
    spot: Mapping[Text, _Price] = Field(default_factory=dict)
    serverless: Mapping[Text, _Price] = Field(default_factory=dict)
    eks: Mapping[Text, _Price] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _sources_exist(self) -> SnapshotFile:
        for kind in KINDS:
            for name, price in getattr(self, kind).items():
                if price.source not in self.sources:
                    hint = did_you_mean(price.source, self.sources)
                    raise ValueError(f"has '{kind}.{name}' of source '{price.source}': {hint}")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A `Prices` of one region, out of a file; `snapshot()` makes it."""

    file: SnapshotFile
    path: str
    spot_share: float | None = None
    """The Spot price to assume where the file has none, as a share of On-Demand."""

    def ec2_usd_per_hour(self, instance_type: str, region: str) -> Quote:
        """One instance On-Demand."""
        return self._quote("ec2", instance_type, region)

    def emr_fee(self, instance_type: str, region: str) -> Quote:
        """What EMR adds for it."""
        return self._quote("emr", instance_type, region)

    def ebs(self, kind: str, region: str) -> Quote:
        """One GiB, IOPS or MiB/s of a volume, out of the price by the month."""
        month = self._quote("ebs", kind, region)
        return replace(month, usd_per_hour=month.usd_per_hour / EBS_HOURS_PER_MONTH)

    def serverless(self, resource: str, region: str) -> Quote:
        """One vCPU or GB of EMR Serverless."""
        return self._quote("serverless", resource, region)

    def eks(self, resource: str, region: str) -> Quote:
        """What EMR on EKS adds for one vCPU or GB."""
        return self._quote("eks", resource, region)

    def spot(self, instance_type: str, region: str) -> Quote:
        """The file's, else the assumed share of On-Demand, else On-Demand: the most it can be."""
        if instance_type in self.file.spot:
            return self._quote("spot", instance_type, region)
        full = self.ec2_usd_per_hour(instance_type, region)
        share, reason = self.spot_share, f"Spot taken as {self.spot_share} of On-Demand"
        if share is None:
            share, reason = 1.0, "no Spot price here: taken as On-Demand, which it does not exceed"
        return Quote(
            usd_per_hour=full.usd_per_hour * share,
            label="assumed",
            source=full.source,
            as_of=full.as_of,
            reason=reason,
        )

    def _quote(self, kind: str, name: str, region: str) -> Quote:
        known: Mapping[str, _Price] = getattr(self.file, kind)
        if region != self.file.region:
            what = f"the prices are of {self.file.region}, and the spec's region is {region}"
            raise PricesMissing(what, where=self.path, fix=_LIVE.format(region=region))
        if name not in known:
            _missing(kind, name, known, self.path)
        price = known[name]
        source = self.file.sources[price.source]
        return Quote(
            usd_per_hour=price.usd,
            label=price.label,
            source=source.text,
            as_of=source.as_of,
            reason=price.reason,
        )


def _missing(kind: str, name: str, known: Mapping[str, _Price], path: str) -> NoReturn:
    near = "" if is_known(name) else f"{did_you_mean(name, known)}; or "
    fix = f"{near}ask AWS: `emr cost --live`"
    raise PricesMissing(f"no {kind} price of {name}", where=path, fix=fix)


def default_path(region: str) -> Path:
    """Where a region's snapshot lies: `conf/prices/<region>.yaml`, here or as `emr` brings it."""
    name = f"conf/prices/{region}.yaml"
    return Path(name) if Path(name).is_file() else shipped(name)


def snapshot(
    path: str | os.PathLike[str] | None = None,
    *,
    region: str = "us-east-1",
    today: dt.date | None = None,
    max_age_days: int = 180,
    allow_stale: bool = False,
    spot_share: float | None = None,
) -> Snapshot:
    """The prices of a file; no call to AWS.

    Args:
        path: the file; the region's own when None.
        region: whose file, when no path is given.
        today: the day its age is counted to; this day when None.
        max_age_days: it is refused when nobody has looked for longer. Its prices may be older
            than that look: `Cost.line()` says of which day the oldest is that was used.
        allow_stale: take it however long ago that was.
        spot_share: the Spot price to assume, as a share of On-Demand (0.4: forty per cent).

    Raises:
        PricesMissing: there is no file of that region, or nobody has looked for too long.
        ConfigError: the file is wrong.
    """
    if spot_share is not None and not 0 < spot_share <= 1:
        raise ConfigError(f"a Spot share of {spot_share}", fix="give one above 0, at most 1")
    file = Path(path) if path is not None else default_path(region)
    if not file.is_file():
        fix = _LIVE.format(region=region)
        raise PricesMissing(f"no prices of {region}", where=str(file), fix=fix)
    read = load_as(SnapshotFile, file, env={}).config
    age = ((today or dt.datetime.now(tz=dt.UTC).date()) - read.collected).days
    if age > max_age_days and not allow_stale:
        what = f"prices were last looked up {age} days ago, and {max_age_days} are allowed"
        fix = (
            f"`python -m emr.aws.price_refresh {read.region}`; plan and cost also take "
            "--allow-stale-prices, and up and submit --cluster-set limits.hourly_usd=null"
        )
        raise PricesMissing(what, where=str(file), fix=fix)
    return Snapshot(file=read, path=str(file), spot_share=spot_share)
