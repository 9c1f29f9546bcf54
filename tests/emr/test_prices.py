"""Prices: the shipped snapshot, when it is refused, and what `PriceList` reads at AWS."""

import datetime as dt
import subprocess
import sys

import pytest

from emr.aws.client import connect
from emr.aws.price_list import PriceList
from emr.aws.price_refresh import names_of, refresh
from emr.cost.prices import KINDS, default_path, snapshot
from emr.errors import PricesMissing
from sparkml.errors import ConfigError
from tests.emr.price_endpoint import PriceEndpoint, product

REGION = "us-east-1"


def ec2(instance_type, usd, **changed):
    """An EC2 product as AWS lists it."""
    attributes = {
        "servicecode": "AmazonEC2",
        "regionCode": REGION,
        "instanceType": instance_type,
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
        "operation": "RunInstances",
        **changed,
    }
    return product("Compute Instance", "Hrs", usd, **attributes)


def emr(family, unit, usd, **attributes):
    """An EMR product as AWS lists it."""
    known = {"servicecode": "ElasticMapReduce", "regionCode": REGION}
    return product(family, unit, usd, **known, **attributes)


PRODUCTS = [
    ec2("m5.xlarge", "0.1920000000"),
    ec2("m5.xlarge", "0.2110000000", tenancy="Dedicated"),
    ec2("m5.xlarge", "0.3760000000", operatingSystem="Windows", operation="RunInstances:0002"),
    ec2("m5.xlarge", "0.1930000000", capacitystatus="UnusedCapacityReservation"),
    ec2("m5.xlarge", "0.0000000000"),
    ec2("m5.xlarge", "0.2140000000", regionCode="eu-west-1"),
    ec2("twice.xlarge", "0.1"),
    ec2("twice.xlarge", "0.2"),
    ec2("twice.xlarge", "0.2"),
    emr(
        "Elastic Map Reduce Instance",
        "Hrs",
        "0.0480000000",
        instanceType="m5.xlarge",
        softwareType="EMR",
    ),
    emr("EMR Serverless", "Hrs", "0.052624", meterunit="CPUHours", usagetype="USE1-EMR-SERVERLESS"),
    emr(
        "EMR Containers",
        "Hrs",
        "0.01012",
        meterunit="CPUHours",
        operation="StartJobRun",
        computeprovider="EC2",
        usagetype="EMR-EKS-CPUHours",
    ),
    product(
        "Storage",
        "GB-Mo",
        "0.0800000000",
        servicecode="AmazonEC2",
        regionCode=REGION,
        volumeApiName="gp3",
    ),
    product(
        "Provisioned Throughput",
        "GiBps-mo",
        "40.9600000000",
        servicecode="AmazonEC2",
        regionCode=REGION,
        volumeApiName="gp3",
    ),
]
SPOT = [
    ("m5.xlarge", "us-east-1a", "0.0700"),
    ("m5.xlarge", "us-east-1a", "0.0900"),
    ("m5.xlarge", "us-east-1a", "0.0800"),
    ("m5.xlarge", "us-east-1b", "0.0500"),
]


@pytest.fixture
def endpoint(aws_environment, monkeypatch):
    """The Price List and EC2 on this machine; no call leaves it."""
    with PriceEndpoint(PRODUCTS, SPOT) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", running.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", running.url)
        yield running


@pytest.fixture
def listed(endpoint):
    """Prices as AWS lists them."""
    return PriceList(aws=connect(REGION))


class TestSnapshot:
    """The dated file."""

    def test_every_price_of_the_shipped_file_has_a_source_and_assumed_ones_a_reason(self):
        """Whatever a plan prints can be traced."""
        file = snapshot(default_path(REGION), allow_stale=True).file
        prices = [price for kind in KINDS for price in getattr(file, kind).values()]
        assert prices
        for price in prices:
            assert price.usd > 0
            assert file.sources[price.source].text
            assert (price.label == "assumed") == bool(price.reason)

    def test_sizes_of_a_family_scale_but_gpu_sizes_do_not(self):
        """What the assumed rows rest on holds for the quoted ones; g4dn shows that it need not."""
        prices = snapshot(allow_stale=True)
        for family in ("m5", "m6i", "m7i", "r6i", "c6i"):
            one = prices.ec2_usd_per_hour(f"{family}.xlarge", REGION).usd_per_hour
            four = prices.ec2_usd_per_hour(f"{family}.4xlarge", REGION).usd_per_hour
            assert four == pytest.approx(4 * one)
        one = prices.ec2_usd_per_hour("g4dn.xlarge", REGION).usd_per_hour
        assert prices.ec2_usd_per_hour("g4dn.4xlarge", REGION).usd_per_hour < 3 * one

    def test_it_is_refused_when_it_is_too_old_and_says_how_to_refresh(self):
        """Stale prices are never taken in silence."""
        collected = snapshot(allow_stale=True).file.collected
        last = collected + dt.timedelta(days=180)
        assert snapshot(today=last).file.collected == collected
        with pytest.raises(PricesMissing, match=r"181 days ago.*emr\.aws\.price_refresh us-east-1"):
            snapshot(today=last + dt.timedelta(days=1))
        with pytest.raises(PricesMissing, match=r"up and submit .*limits.hourly_usd=null"):
            snapshot(today=last + dt.timedelta(days=1))
        assert snapshot(today=last + dt.timedelta(days=900), allow_stale=True)

    def test_a_type_that_nobody_quotes_is_missing_and_a_near_name_is_named(self):
        """No number is made up."""
        with pytest.raises(PricesMissing, match=r"no ec2 price of m5\.xlarg.*did you mean"):
            snapshot(allow_stale=True).ec2_usd_per_hour("m5.xlarg", REGION)
        with pytest.raises(
            PricesMissing, match=r"no emr price of p4d\.24xlarge.*ask AWS"
        ) as caught:
            snapshot(allow_stale=True).emr_fee("p4d.24xlarge", REGION)
        assert "did you mean" not in str(caught.value), "the type is right, its price is missing"

    def test_prices_of_another_region_are_not_taken(self):
        """A spec of Ireland is not priced as Virginia."""
        with pytest.raises(PricesMissing, match="eu-west-1"):
            snapshot(allow_stale=True).ec2_usd_per_hour("m5.xlarge", "eu-west-1")
        with pytest.raises(PricesMissing, match="no prices of eu-west-1"):
            snapshot(region="eu-west-1")

    def test_spot_without_a_price_is_on_demand_or_the_share_that_is_assumed(self):
        """Both say that they are assumed, and the first is never too low."""
        upper = snapshot(allow_stale=True).spot("m5.xlarge", REGION)
        assert (0.192, "assumed") == (upper.usd_per_hour, upper.label)
        share = snapshot(allow_stale=True, spot_share=0.25).spot("m5.xlarge", REGION)
        assert 0.048 == pytest.approx(share.usd_per_hour)
        assert "0.25" in share.reason
        with pytest.raises(ConfigError, match="above 0"):
            snapshot(spot_share=0)

    def test_a_price_of_an_unknown_source_or_assumed_for_no_reason_is_refused(self, tmp_path):
        """The file itself is checked."""
        file = tmp_path / "prices.yaml"
        head = "region: us-east-1\ncollected: 2026-11-21\nsources:\n  here: {text: a page}\n"
        file.write_text(head + "ec2:\n  m5.xlarge: {usd: 0.192, source: there}\n")
        with pytest.raises(ConfigError, match=r"ec2\.m5\.xlarge.*did you mean 'here'"):
            snapshot(file)
        file.write_text(head + "ec2:\n  m5.xlarge: {usd: 1, source: here, label: assumed}\n")
        with pytest.raises(ConfigError, match="does not say why"):
            snapshot(file)


class TestPriceList:
    """AWS's own answers, over HTTP."""

    def test_on_demand_is_linux_shared_and_used_of_that_region_only(self, listed):
        """Dedicated, Windows, reserved, Irish and free products of the same type are not it."""
        quote = listed.ec2_usd_per_hour("m5.xlarge", REGION)
        assert (0.192, "quoted") == (quote.usd_per_hour, quote.label)
        assert dt.date(2026, 11, 18) == quote.as_of
        assert 0.214 == listed.ec2_usd_per_hour("m5.xlarge", "eu-west-1").usd_per_hour

    def test_fee_serverless_and_eks(self, listed):
        """Each by its own filters."""
        assert 0.048 == listed.emr_fee("m5.xlarge", REGION).usd_per_hour
        assert 0.052624 == listed.serverless("vcpu", REGION).usd_per_hour
        assert 0.01012 == listed.eks("vcpu", REGION).usd_per_hour

    def test_ebs_by_the_hour_of_a_30_day_month_and_throughput_by_the_mib(self, listed):
        """AWS lists months, and throughput by the GiB/s."""
        assert 0.08 / 720 == pytest.approx(listed.ebs("gp3", REGION).usd_per_hour)
        assert 0.04 / 720 == pytest.approx(listed.ebs("gp3-mib-s", REGION).usd_per_hour)

    def test_a_price_is_asked_for_once(self, listed, endpoint):
        """Ten nodes of a type are one call."""
        first = listed.ec2_usd_per_hour("m5.xlarge", REGION)
        calls = len(endpoint.calls)
        assert first is listed.ec2_usd_per_hour("m5.xlarge", REGION)
        assert calls == len(endpoint.calls)

    def test_a_resource_that_nobody_sells_is_missing_before_any_call(self, listed, endpoint):
        """`cpu` is called `vcpu` here."""
        with pytest.raises(PricesMissing, match="did you mean 'vcpu'"):
            listed.serverless("cpu", REGION)
        with pytest.raises(PricesMissing, match="gp3-speed"):
            listed.ebs("gp3-speed", REGION)
        assert [] == endpoint.calls

    def test_no_price_and_several_prices_are_told_apart(self, listed, endpoint):
        """Neither is guessed; the second of several stands on a second page."""
        with pytest.raises(PricesMissing, match=r"lists no price.*instanceType=x9\.large"):
            listed.ec2_usd_per_hour("x9.large", REGION)
        endpoint.calls.clear()
        with pytest.raises(PricesMissing, match=r"several prices: 0\.1, 0\.2"):
            listed.ec2_usd_per_hour("twice.xlarge", REGION)
        assert 2 == len(endpoint.calls)

    def test_spot_by_zone_and_the_median_of_zones(self, listed):
        """The zone's median, not its newest price; then the median of zones."""
        cheap, dear = listed.spot_by_zone("m5.xlarge", REGION)
        assert ("us-east-1b", 0.05, 1) == (cheap.zone, cheap.median_usd_per_hour, cheap.changes)
        assert (0.08, 0.07, 0.09) == (
            dear.median_usd_per_hour,
            dear.lowest_usd_per_hour,
            dear.highest_usd_per_hour,
        )
        quote = listed.spot("m5.xlarge", REGION)
        assert 0.065 == pytest.approx(quote.usd_per_hour)
        assert "lowest 0.05" in quote.source
        with pytest.raises(PricesMissing, match=r"no Spot price of x9\.large"):
            listed.spot("x9.large", REGION)
        with pytest.raises(PricesMissing, match="connection is to us-east-1"):
            listed.spot("m5.xlarge", "eu-west-1")


class TestRefresh:
    """A new file out of AWS's answers."""

    def test_it_can_be_read_again_and_tells_what_is_missing(self, listed, tmp_path):
        """The same prices come out of the file as AWS listed."""
        names = {
            "ec2": ("m5.xlarge", "x9.large"),
            "emr": ("m5.xlarge",),
            "ebs": ("gp3",),
            "spot": ("m5.xlarge",),
            "eks": ("vcpu",),
        }
        file, today = tmp_path / "prices" / "us-east-1.yaml", dt.date(2026, 11, 20)
        written = refresh(listed, file, region=REGION, names=names, today=today)
        assert (("ec2 x9.large",), 5) == (written.missing, written.prices)
        read = snapshot(file, today=today)
        assert names | {"ec2": ("m5.xlarge",), "serverless": ()} == names_of(read.file)
        for kind, name in (
            ("ec2_usd_per_hour", "m5.xlarge"),
            ("ebs", "gp3"),
            ("spot", "m5.xlarge"),
        ):
            ours, theirs = getattr(read, kind)(name, REGION), getattr(listed, kind)(name, REGION)
            assert theirs.usd_per_hour == pytest.approx(ours.usd_per_hour)
        assert dt.date(2026, 11, 18) == read.ec2_usd_per_hour("m5.xlarge", REGION).as_of

    def test_the_command_asks_again_for_what_the_shipped_file_has(self, endpoint, tmp_path):
        """As an error about stale prices tells a user to."""
        file = tmp_path / "new.yaml"
        command = [sys.executable, "-m", "emr.aws.price_refresh", REGION, "--out", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "AWS has no price: ec2 m5.2xlarge" in done.stdout
        assert 0.192 == snapshot(file).ec2_usd_per_hour("m5.xlarge", REGION).usd_per_hour

    def test_nothing_is_written_when_aws_has_none_of_them(self, listed, tmp_path):
        """An old file stays as it is."""
        file = tmp_path / "us-east-1.yaml"
        file.write_text("old")
        with pytest.raises(PricesMissing, match="none of 1 prices"):
            refresh(listed, file, region=REGION, names={"ec2": ("x9.large",)})
        assert "old" == file.read_text()
