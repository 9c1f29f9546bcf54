"""Which EBS volumes a node has, and what they cost an hour."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from emr.spec import Volume

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from emr.cost.prices import Prices, Quote

_DEFAULTS = {
    "large": (1, 32),
    "xlarge": (2, 32),
    "2xlarge": (4, 32),
    "4xlarge": (4, 64),
    "8xlarge": (4, 128),
    "9xlarge": (4, 144),
    "10xlarge": (4, 160),
    "12xlarge": (4, 192),
    "16xlarge": (4, 256),
    "18xlarge": (4, 288),
    "24xlarge": (4, 384),
}
"""Size → volumes and GiB each ("Default Amazon EBS storage for instances")."""

_LOCAL_DISKS = re.compile(
    r"^([a-z]+\d+[a-z]*d[a-z]*|(g|gr)[5-9][a-z]*|i(s|m)?\d.*|d[23].*|p[45].*)\."
)

_GP3_IOPS, _GP3_MIB_S = 3_000, 125
"""What a gp3 volume has without extra pay ("Amazon EBS General Purpose SSD volumes")."""


def volumes_of(instance_type: str, asked: Sequence[Volume], root_gib: int) -> list[Volume]:
    """The root volume, and the volumes asked for or else those that EMR adds by itself.

    EMR adds volumes to types that have no disks of their own, by their size, when none are asked.
    """
    volumes = [Volume(gib=root_gib)]
    if asked:
        return [*volumes, *asked]
    if not _LOCAL_DISKS.match(instance_type):
        count, gib = _DEFAULTS.get(instance_type.partition(".")[2], (4, 128))
        volumes.append(Volume(gib=gib, per_node=count))
    return volumes


def volume_prices(
    volume: Volume, prices: Prices, region: str
) -> Iterator[tuple[str, float, Quote]]:
    """What a node pays for one kind of volume, as (kind of price, units, price of one unit).

    Raises:
        PricesMissing: no price of that kind of volume.
    """
    kind = volume.type
    yield kind, volume.gib * volume.per_node, prices.ebs(kind, region)
    free = _GP3_IOPS if kind == "gp3" else 0
    if kind in {"gp3", "io1", "io2"} and volume.iops and volume.iops > free:
        iops = (volume.iops - free) * volume.per_node
        yield f"{kind}-iops", iops, prices.ebs(f"{kind}-iops", region)
    if kind == "gp3" and volume.throughput_mib_s and volume.throughput_mib_s > _GP3_MIB_S:
        extra = (volume.throughput_mib_s - _GP3_MIB_S) * volume.per_node
        yield "gp3-mib-s", extra, prices.ebs("gp3-mib-s", region)
