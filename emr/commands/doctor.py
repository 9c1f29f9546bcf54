"""`emr doctor`: what an account lacks before a cluster can run in it, a line each."""

# ruff: noqa: TC001  # typer reads a command's annotations when it runs

from __future__ import annotations

import sys
from typing import Annotated

import typer

from emr.commands.options import ClusterSets, Debug, Json, MaybeSpecFile, Profile, Region
from sparkml.last_line import last_line

MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


def doctor(
    *,
    spec: MaybeSpecFile = None,
    cluster_sets: ClusterSets = None,
    region: Region = None,
    profile: Profile = None,
    json: Json = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Status 23 on a warning, too, not on a failure only.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Look at credentials, region, roles, bucket, subnets, release, quotas and the clock."""
    with last_line(debug=debug):
        from dataclasses import asdict

        from emr.aws.doctor import examine
        from emr.commands.options import aws_of, region_of, spec_from
        from emr.commands.output import print_json
        from emr.errors import AwsRefused

        cluster = spec_from(spec, cluster_sets) if spec else None
        aws = aws_of(region_of(region, cluster), profile)
        found = examine(aws, cluster)
        if json:
            print_json([asdict(finding) for finding in found])
        else:
            for finding in found:
                print(f"{MARKS[finding.mark]}  {finding.name}: {finding.said}")
                if finding.fix:
                    print(f"      fix: {finding.fix}")
        print(f"{len(found)} looked at in {aws.region}", file=sys.stderr)
        bad = [f for f in found if f.mark == "fail" or (strict and f.mark == "warn")]
        if bad:
            names = ", ".join(finding.name for finding in bad)
            raise AwsRefused(f"not ready: {names}", where=aws.region, fix=bad[0].fix)
