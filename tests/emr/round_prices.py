"""Prices that are easy to reckon with, those of AWS's own worked example; and clusters."""

from __future__ import annotations

import datetime as dt

from emr.cost.prices import snapshot
from emr.spec import ClusterSpec, Nodes, Volume

PRICES = """
region: us-west-2
collected: 2026-11-21
sources:
  guide: {text: AWS EMR best practices guide, as_of: 2024-01-01}
ec2:
  r5.4xlarge: {usd: 1.008, source: guide}
  small.xlarge: {usd: 0.10, source: guide}
  large.2xlarge: {usd: 0.30, source: guide}
emr:
  r5.4xlarge: {usd: 0.252, source: guide}
  small.xlarge: {usd: 0.02, source: guide}
  large.2xlarge: {usd: 0.06, source: guide}
spot:
  small.xlarge: {usd: 0.04, source: guide}
  large.2xlarge: {usd: 0.09, source: guide}
ebs:
  gp3: {usd: 0.072, source: guide}
  gp3-iops: {usd: 0.0072, source: guide}
  gp3-mib-s: {usd: 0.072, source: guide}
serverless:
  vcpu: {usd: 0.052624, source: guide}
  gb: {usd: 0.0057785, source: guide}
  storage-gb: {usd: 0.0001, source: guide}
eks:
  vcpu: {usd: 0.01012, source: guide}
  gb: {usd: 0.00111125, source: guide}
"""
"""EBS costs 0.0001 USD per GiB-hour here, IOPS 0.00001, MiB/s 0.0001."""


def round_prices(folder):
    """A snapshot of them, written into a folder."""
    file = folder / "prices.yaml"
    file.write_text(PRICES)
    return snapshot(file, today=dt.date(2026, 11, 21))


def cluster(primary, core, **more):
    """A spec in us-west-2 whose nodes have a root volume of 20 GiB and one of 80."""
    volumes = (Volume(gib=80),)
    named = {"name": "it", "region": "us-west-2", "artifacts": "s3://bucket/sparkml"}
    nodes = {
        role: Nodes(**({"volumes": volumes} | given))
        for role, given in (("primary", primary), ("core", core))
    }
    return ClusterSpec(**named, **nodes, root_gib=20, **more)


SMALL = {"types": ["small.xlarge"], "on_demand": 1}
NODE_EBS = 100 * 0.0001
