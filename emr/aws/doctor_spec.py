"""What a spec names, looked up in the account: roles, bucket, subnets, release, types, quotas."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from emr.aws.client import translated
from emr.aws.finding import Finding
from emr.errors import AwsRefused, NotFound
from emr.machines.instances import machine_of
from emr.package.stored import split
from emr.request.checks import check_spec
from sparkml.errors import ConfigError

if TYPE_CHECKING:
    from emr.aws.client import Aws
    from emr.spec import ClusterSpec, Nodes

Quota = tuple[str, str]
Question = tuple[str, Callable[[], Iterator[Finding]]]

QUOTAS = {
    ("standard", "on-demand"): ("L-1216C47A", "Running On-Demand Standard instances"),
    ("standard", "spot"): ("L-34B43A08", "All Standard Spot Instance Requests"),
    ("g", "on-demand"): ("L-DB2E81BA", "Running On-Demand G and VT instances"),
    ("g", "spot"): ("L-3819A6DF", "All G and VT Spot Instance Requests"),
    ("p", "on-demand"): ("L-417A185B", "Running On-Demand P instances"),
    ("p", "spot"): ("L-7212CCBC", "All P4, P3 and P2 Spot Instance Requests"),
}
"""EC2's quotas count vCPUs, by the family's letter. Source: Service Quotas, Amazon EC2."""


def checks_of(aws: Aws, spec: ClusterSpec) -> tuple[Question, ...]:
    """The questions that a spec raises, in the order in which a cluster would meet them."""
    return (
        ("spec", lambda: _spec(spec)),
        ("service role", lambda: _role(aws, "service role", spec.roles.service)),
        ("instance profile", lambda: _profile(aws, spec.roles.instance_profile)),
        ("runtime role", lambda: _runtime(aws, spec)),
        ("bucket", lambda: _bucket(aws, spec)),
        ("subnets", lambda: _subnets(aws, spec)),
        ("release", lambda: _release(aws, spec)),
        ("instance types", lambda: _types(aws, spec)),
        ("quotas", lambda: _quotas(aws, spec)),
    )


def _spec(spec: ClusterSpec) -> Iterator[Finding]:
    """What `emr plan` would refuse, before anything is asked of AWS."""
    try:
        check_spec(spec)
    except ConfigError as error:
        for problem in error.problems or (error.what,):
            yield Finding(name="spec", mark="fail", said=problem, fix=error.fix or "mend the spec")
    else:
        yield Finding(name="spec", mark="ok", said=f"{spec.name} breaks no limit or rule")


def _role(aws: Aws, name: str, role: str) -> Iterator[Finding]:
    try:
        with translated():
            aws.client("iam").get_role(RoleName=role.rpartition("/")[2])
    except NotFound:
        yield Finding(name=name, mark="fail", said=f"there is no {role}", fix=_MAKE)
    else:
        yield Finding(name=name, mark="ok", said=role)


def _runtime(aws: Aws, spec: ClusterSpec) -> Iterator[Finding]:
    if spec.roles.runtime is None:
        said = "none: steps have all that the nodes' role has"
        fix = "roles.runtime: arn:… gives each step its own"
        yield Finding(name="runtime role", mark="warn", said=said, fix=fix)
    else:
        yield from _role(aws, "runtime role", spec.roles.runtime)


def _profile(aws: Aws, profile: str) -> Iterator[Finding]:
    name = "instance profile"
    try:
        with translated():
            told = aws.client("iam").get_instance_profile(
                InstanceProfileName=profile.rpartition("/")[2]
            )
    except NotFound:
        yield Finding(name=name, mark="fail", said=f"there is no {profile}", fix=_MAKE)
        return
    empty = not told["InstanceProfile"]["Roles"]
    fix = f"aws iam add-role-to-instance-profile --instance-profile-name {profile} --role-name …"
    yield Finding(
        name=name,
        mark="fail" if empty else "ok",
        said=f"{profile} has no role" if empty else profile,
        fix=fix * empty,
    )


_MAKE = "`emr iam --spec FILE --out DIR` writes its policies; make it with them"


def _bucket(aws: Aws, spec: ClusterSpec) -> Iterator[Finding]:
    bucket, folder = split(spec.artifacts.rstrip("/"))
    prefix = f"{folder}/" if folder else ""
    try:
        with translated():
            # HeadBucket would tell it, too, to whoever may list the whole bucket.
            told = aws.s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)
    except NotFound:
        fix = f"aws s3 mb s3://{bucket} --region {spec.region}"
        yield Finding(name="bucket", mark="fail", said=f"there is no {bucket}", fix=fix)
        return
    headers = told["ResponseMetadata"]["HTTPHeaders"]
    region = headers.get("x-amz-bucket-region") or spec.region
    far = region != spec.region
    yield Finding(
        name="bucket",
        mark="warn" if far else "ok",
        said=f"{bucket} is in {region}",
        fix=f"traffic to {spec.region} costs: take a bucket there" * far,
    )
    yield _private(aws, bucket)


def _private(aws: Aws, bucket: str) -> Finding:
    try:
        with translated():
            told = aws.s3.get_public_access_block(Bucket=bucket)
        closed = all(told["PublicAccessBlockConfiguration"].values())
    except AwsRefused as error:
        if "NoSuchPublicAccessBlockConfiguration" not in error.what:
            raise
        closed = False
    fix = f"aws s3api put-public-access-block --bucket {bucket} … blocks all four ways"
    return Finding(
        name="bucket's public access",
        mark="ok" if closed else "warn",
        said="blocked" if closed else "not blocked",
        fix=fix * (not closed),
    )


def _subnets(aws: Aws, spec: ClusterSpec) -> Iterator[Finding]:
    wanted = list(spec.network.subnets)
    if not wanted:
        fix = "network.subnets: [subnet-…] of private subnets"
        said = "none named: AWS picks one of the default VPC, which is public"
        yield Finding(name="subnets", mark="warn", said=said, fix=fix)
        return
    try:
        with translated():
            subnets = aws.ec2.describe_subnets(SubnetIds=wanted)["Subnets"]
    except AwsRefused as error:
        if "InvalidSubnetID" not in error.what:
            raise
        yield Finding(name="subnets", mark="fail", said=error.what, fix="mend network.subnets")
        return
    with translated():
        endpoints = aws.ec2.describe_vpc_endpoints()["VpcEndpoints"]
    gateways = {e["VpcId"] for e in endpoints if e["ServiceName"].endswith(".s3")}
    for subnet in subnets:
        problems = []
        if subnet["MapPublicIpOnLaunch"]:
            problems.append("gives its nodes public addresses")
        if subnet["AvailableIpAddressCount"] < spec.limits.nodes:
            free = subnet["AvailableIpAddressCount"]
            problems.append(f"has {free} free addresses, limits.nodes is {spec.limits.nodes}")
        if subnet["VpcId"] not in gateways:
            problems.append("has no endpoint of S3 in its VPC")
        yield Finding(
            name=subnet["SubnetId"],
            mark="warn" if problems else "ok",
            said=", ".join(problems) or f"private, in {subnet['AvailabilityZone']}",
            fix="take a private subnet with room, in a VPC with an S3 endpoint" * bool(problems),
        )


def _release(aws: Aws, spec: ClusterSpec) -> Iterator[Finding]:
    with translated():
        aws.emr.describe_release_label(ReleaseLabel=spec.release)
    yield Finding(name="release", mark="ok", said=spec.release)


def _types(aws: Aws, spec: ClusterSpec) -> Iterator[Finding]:
    wanted = {choice.type for _, nodes in spec.roles_of_nodes for choice in nodes.types}
    known: set[str] = set()
    marker: dict[str, str] = {}
    while True:
        with translated():
            page = aws.emr.list_supported_instance_types(ReleaseLabel=spec.release, **marker)
        known |= {one["Type"] for one in page.get("SupportedInstanceTypes", ())}
        if not page.get("Marker"):
            break
        marker = {"Marker": page["Marker"]}
    missing = ", ".join(sorted(wanted - known))
    yield Finding(
        name="instance types",
        mark="fail" if missing else "ok",
        said=f"{spec.release} has no {missing}" if missing else ", ".join(sorted(wanted)),
        fix="take others: aws emr list-supported-instance-types" * bool(missing),
    )


def _quotas(aws: Aws, spec: ClusterSpec) -> Iterator[Finding]:
    needed, grown = _vcpus(spec), _grown(spec)
    for quota in {**needed, **grown}:
        (code, title), vcpus = quota, needed.get(quota, 0)
        most = max(vcpus, grown.get(quota, 0))
        try:
            with translated():
                told = aws.client("service-quotas").get_service_quota(
                    ServiceCode="ec2", QuotaCode=code
                )
        except NotFound:
            said = f"{title}: not to be read"
            yield Finding(name=f"quota {code}", mark="warn", said=said)
            continue
        allowed = told["Quota"]["Value"]
        short = allowed < most
        scaled = f", and for {most} at its scaling maximum" if most > vcpus else ""
        yield Finding(
            name=f"quota {code}",
            mark="fail" if allowed < vcpus else "warn" if short else "ok",
            said=f"{title}: {allowed:.0f} vCPUs, the spec asks for {vcpus}{scaled}",
            fix=f"aws service-quotas request-service-quota-increase --quota-code {code} …" * short,
        )


def _vcpus(spec: ClusterSpec) -> dict[Quota, int]:
    """VCPUs that a spec asks of each quota, with the largest type of each role."""
    needed: dict[Quota, int] = {}
    for _, nodes in spec.roles_of_nodes:
        for market, units in (("on-demand", nodes.on_demand), ("spot", nodes.spot)):
            for family, vcpus in _largest(nodes, partial(_filling, units, "fleet-units")).items():
                if vcpus:
                    quota = QUOTAS[family, market]
                    needed[quota] = needed.get(quota, 0) + vcpus
    return needed


def _grown(spec: ClusterSpec) -> dict[Quota, int]:
    """VCPUs that managed scaling may come to: all of its maximum in one family of one market.

    The primary node, which is not scaled, is left out: EMR fills the maximum as capacity allows.
    """
    scaling = spec.scaling
    if scaling is None:
        return {}
    grown: dict[Quota, int] = {}
    scaled = [nodes for role, nodes in spec.roles_of_nodes if role != "MASTER"]
    on_demand = scaling.maximum_on_demand
    tops = {"on-demand": scaling.maximum if on_demand is None else on_demand}
    if any(nodes.spot for nodes in scaled):
        tops["spot"] = scaling.maximum
    for market, top in tops.items():
        for nodes in scaled:
            for family, vcpus in _largest(nodes, partial(_filling, top, scaling.unit)).items():
                quota = QUOTAS[family, market]
                most = min(vcpus, top) if scaling.unit == "vcpu" else vcpus
                grown[quota] = max(grown.get(quota, 0), most)
    return grown


def _filling(units: int, unit: str, weight: int) -> int:
    """How many nodes of a weight fill so many units."""
    return units if unit == "instances" else -(-units // weight)


def _largest(nodes: Nodes, count: Callable[[int], int]) -> dict[str, int]:
    """VCPUs by family, each with the type that makes most of them; `count` is nodes by weight."""
    found: dict[str, int] = {}
    for choice in nodes.types:
        family = choice.type[0] if choice.type[0] in "gp" else "standard"
        vcpus = count(choice.weight) * machine_of(choice).vcpu
        found[family] = max(found.get(family, 0), vcpus)
    return found
