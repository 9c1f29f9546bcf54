"""`PriceList`: prices that AWS is asked for: the Price List, and the history of Spot prices."""

from __future__ import annotations

import datetime as dt
import json
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from emr.aws.client import translated
from emr.cost.prices import EBS_HOURS_PER_MONTH, Quote
from emr.errors import PricesMissing
from sparkml.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from emr.aws.client import Aws

_EC2 = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
    "operation": "RunInstances",
}
_EMR = {"productFamily": "Elastic Map Reduce Instance", "softwareType": "EMR"}
_EKS = {"productFamily": "EMR Containers", "operation": "StartJobRun", "computeprovider": "EC2"}
_EBS = {"": "Storage", "iops": "System Operation", "mib-s": "Provisioned Throughput"}
_METERS = {
    "vcpu": "CPUHours",
    "gb": "GBHours",
    "arm-vcpu": "ARMCPUHours",
    "arm-gb": "ARMGBHours",
    "storage-gb": "StorageGBHours",
}
_MIB_PER_GIB = 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class ZonePrices:
    """What Spot cost in one availability zone over the hours that were asked for."""

    zone: str
    median_usd_per_hour: float
    lowest_usd_per_hour: float
    highest_usd_per_hour: float
    changes: int
    """How many prices AWS listed: each stood until the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """A `Prices` that asks AWS: one call for each price, and each price once.

    Needs `pricing:GetProducts`, and `ec2:DescribeSpotPriceHistory` for Spot. Every method raises
    PricesMissing where AWS lists no price or several, and what `emr.aws.client.translated` raises.
    """

    aws: Aws
    spot_hours: int = 24
    """How far back Spot prices are read."""
    _known: dict[tuple[str, ...], Quote] = field(default_factory=dict, repr=False)

    def ec2_usd_per_hour(self, instance_type: str, region: str) -> Quote:
        """One instance On-Demand: Linux, shared tenancy."""
        return self._once("AmazonEC2", region, {"instanceType": instance_type, **_EC2})

    def emr_fee(self, instance_type: str, region: str) -> Quote:
        """What EMR adds for it."""
        return self._once("ElasticMapReduce", region, {"instanceType": instance_type, **_EMR})

    def ebs(self, kind: str, region: str) -> Quote:
        """One GiB, IOPS or MiB/s of a volume, out of the price by the month."""
        volume, _, extra = kind.partition("-")
        asked = {"volumeApiName": volume, "productFamily": _known("EBS", kind, extra, _EBS)}
        return self._once("AmazonEC2", region, asked, months=True)

    def serverless(self, resource: str, region: str) -> Quote:
        """One vCPU or GB of EMR Serverless."""
        asked = {"meterunit": _known("EMR Serverless", resource, resource, _METERS)}
        return self._once("ElasticMapReduce", region, asked, usage="SERVERLESS")

    def eks(self, resource: str, region: str) -> Quote:
        """What EMR on EKS adds for one vCPU or GB."""
        asked = {"meterunit": _known("EMR on EKS", resource, resource, _METERS), **_EKS}
        return self._once("ElasticMapReduce", region, asked)

    def spot(self, instance_type: str, region: str) -> Quote:
        """The median over the zones of each zone's median over the last `spot_hours`."""
        key = ("spot", region, instance_type)
        if key not in self._known:
            zones = self.spot_by_zone(instance_type, region)
            lowest = min(zone.lowest_usd_per_hour for zone in zones)
            self._known[key] = Quote(
                usd_per_hour=statistics.median(zone.median_usd_per_hour for zone in zones),
                label="quoted",
                source=f"Spot price history, {self.spot_hours} h, median of {len(zones)} zones, "
                f"lowest {lowest:g}",
                as_of=dt.datetime.now(tz=dt.UTC).date(),
            )
        return self._known[key]

    def spot_by_zone(self, instance_type: str, region: str) -> tuple[ZonePrices, ...]:
        """What Spot cost in each zone, the cheapest median first.

        Source: DescribeSpotPriceHistory (Linux/UNIX).
        """
        if region != self.aws.region:
            what = f"Spot prices of {region}, and the connection is to {self.aws.region}"
            raise PricesMissing(what, fix="connect to the spec's region")
        since = dt.datetime.now(tz=dt.UTC) - dt.timedelta(hours=self.spot_hours)
        by_zone: dict[str, list[float]] = {}
        with translated():
            pages = self.aws.ec2.get_paginator("describe_spot_price_history").paginate(
                InstanceTypes=[instance_type], ProductDescriptions=["Linux/UNIX"], StartTime=since
            )
            for page in pages:
                for entry in page["SpotPriceHistory"]:
                    prices = by_zone.setdefault(entry["AvailabilityZone"], [])
                    prices.append(float(entry["SpotPrice"]))
        if not by_zone:
            what = f"no Spot price of {instance_type} in {region}"
            raise PricesMissing(what, where="DescribeSpotPriceHistory", fix="see if it is there")
        zones = [_zone(name, prices) for name, prices in by_zone.items()]
        return tuple(sorted(zones, key=lambda zone: zone.median_usd_per_hour))

    def _once(
        self,
        service: str,
        region: str,
        asked: Mapping[str, str],
        *,
        usage: str = "",
        months: bool = False,
    ) -> Quote:
        """The one price of what is asked for; remembered."""
        key = (service, region, *(f"{name}={value}" for name, value in asked.items()))
        if key not in self._known:
            found = {
                (usd / (EBS_HOURS_PER_MONTH if months else 1), day)
                for product in self._products(service, region, asked)
                if usage in str(product["product"]["attributes"].get("usagetype", "")).upper()
                for usd, day in _on_demand(product)
            }
            self._known[key] = _only(found, service, region, asked)
        return self._known[key]

    def _products(
        self, service: str, region: str, asked: Mapping[str, str]
    ) -> Iterator[Mapping[str, Any]]:
        """Products of the Price List: AWS sends each as a string of JSON."""
        filters = [
            {"Type": "TERM_MATCH", "Field": name, "Value": value}
            for name, value in {"regionCode": region, **asked}.items()
        ]
        with translated():
            pages = self.aws.pricing.get_paginator("get_products").paginate(
                ServiceCode=service, Filters=filters, FormatVersion="aws_v1"
            )
            listed = [text for page in pages for text in page["PriceList"]]
        for text in listed:
            yield json.loads(text)


def _known(kind: str, name: str, part: str, names: Mapping[str, str]) -> str:
    if part not in names:
        raise PricesMissing(
            f"no {kind} price of {name}", fix=did_you_mean(part, filter(None, names))
        )
    return names[part]


def _zone(name: str, prices: list[float]) -> ZonePrices:
    return ZonePrices(
        zone=name,
        median_usd_per_hour=statistics.median(prices),
        lowest_usd_per_hour=min(prices),
        highest_usd_per_hour=max(prices),
        changes=len(prices),
    )


def _on_demand(product: Mapping[str, Any]) -> Iterator[tuple[float, dt.date]]:
    """On-Demand prices above zero in USD, per unit, with the day the list was published."""
    day = dt.date.fromisoformat(product["publicationDate"][:10])
    for term in product["terms"].get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            usd = float(dimension["pricePerUnit"].get("USD", 0))
            if dimension.get("unit", "").lower().startswith("gibps"):
                usd /= _MIB_PER_GIB
            if usd > 0:
                yield usd, day


def _only(
    found: set[tuple[float, dt.date]], service: str, region: str, asked: Mapping[str, str]
) -> Quote:
    named = ", ".join(f"{name}={value}" for name, value in asked.items())
    where = f"Price List, {service}, {region}: {named}"
    if not found:
        raise PricesMissing("AWS lists no price", where=where, fix="is it sold in that region?")
    if len({usd for usd, _ in found}) > 1:
        several = ", ".join(f"{usd:g}" for usd, _ in sorted(found))
        raise PricesMissing(f"AWS lists several prices: {several}", where=where)
    usd, day = max(found, key=lambda price: price[1])
    return Quote(usd_per_hour=usd, label="quoted", source=where, as_of=day)
