"""What an EC2 instance type has: processors, memory, GPUs. A table of those that clusters use.

A row of `_FAMILIES` is a family whose sizes differ by their number of processors only; types with
GPUs have a row each. Source: EC2's DescribeInstanceTypes; which of them EMR takes is
ListSupportedInstanceTypes of emr-spark-8.1.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Arch = Literal["x86_64", "arm64"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """An instance type."""

    type: str
    vcpu: int
    memory_mib: int
    arch: Arch
    gpus: int = 0
    gpu: str = ""
    """The GPU's model, such as `A10G`; empty where there is none."""
    gpu_memory_mib: int = 0
    """Of each GPU."""


@dataclass(frozen=True, slots=True)
class _Family:
    """Families of one shape: `sizes` are multiples of four processors (`xlarge` is 1)."""

    names: str
    arch: Arch
    gib_per_vcpu: int
    sizes: tuple[int, ...]

    def instances(self) -> tuple[Instance, ...]:
        return tuple(
            Instance(
                type=f"{name}.{size if size > 1 else ''}xlarge",
                vcpu=4 * size,
                memory_mib=4 * size * self.gib_per_vcpu * 1_024,
                arch=self.arch,
            )
            for name in self.names.split()
            for size in self.sizes
        )


_TO_16 = (1, 2, 4, 8, 12, 16)
_TO_24 = (*_TO_16, 24)
_TO_32 = (*_TO_24, 32)
_TO_48 = (*_TO_24, 48)
_AMD = (*_TO_32, 48)
_INTEL_8 = (*_TO_32, 48, 96)

_FAMILIES = (
    _Family("c6g c6gd c6gn c7g c7gd c7gn", "arm64", 2, _TO_16),
    _Family("c8g c8gd c8gn", "arm64", 2, _TO_48),
    _Family("is4gen", "arm64", 6, (1, 2, 4, 8)),
    _Family("im4gn", "arm64", 4, (1, 2, 4, 8, 16)),
    _Family("m6g m6gd m7g m7gd", "arm64", 4, _TO_16),
    _Family("m8g m8gd", "arm64", 4, _TO_48),
    _Family("r6g r6gd r7g r7gd", "arm64", 8, _TO_16),
    _Family("i4g", "arm64", 8, (1, 2, 4, 8, 16)),
    _Family("r8gb", "arm64", 8, _TO_24),
    _Family("i8g r8g r8gd r8gn", "arm64", 8, _TO_48),
    _Family("x2gd", "arm64", 16, _TO_16),
    _Family("x8g", "arm64", 16, _TO_48),
    _Family("c5 c5d", "x86_64", 2, (1, 2, 4, 9, 12, 18, 24)),
    _Family("c5a c5ad", "x86_64", 2, _TO_24),
    _Family("c6i c6id c6in", "x86_64", 2, _TO_32),
    _Family("c6a c7a", "x86_64", 2, _AMD),
    _Family("c7i-flex c8i-flex", "x86_64", 2, _TO_16),
    _Family("c7i", "x86_64", 2, _TO_48),
    _Family("c8i", "x86_64", 2, _INTEL_8),
    _Family("d3en", "x86_64", 4, (1, 2, 4, 6, 8, 12)),
    _Family("m5zn", "x86_64", 4, (1, 2, 3, 6, 12)),
    _Family("m5 m5a m5ad m5d m5dn m5n", "x86_64", 4, _TO_24),
    _Family("m6i m6id m6idn m6in", "x86_64", 4, _TO_32),
    _Family("m6a m7a", "x86_64", 4, _AMD),
    _Family("m7i-flex m8i-flex", "x86_64", 4, _TO_16),
    _Family("m7i m8a", "x86_64", 4, _TO_48),
    _Family("m8i", "x86_64", 4, _INTEL_8),
    _Family("r5 r5a r5ad r5b r5d r5dn r5n", "x86_64", 8, _TO_24),
    _Family("i4i r6i r6id r6idn r6in", "x86_64", 8, _TO_32),
    _Family("r6a r7a", "x86_64", 8, _AMD),
    _Family("d3", "x86_64", 8, (1, 2, 4, 8)),
    _Family("i3en", "x86_64", 8, (1, 2, 3, 6, 12, 24)),
    _Family("i7ie", "x86_64", 8, (1, 2, 3, 6, 12, 18, 24, 48)),
    _Family("r7iz", "x86_64", 8, (1, 2, 4, 8, 12, 16, 32)),
    _Family("z1d", "x86_64", 8, (1, 2, 3, 6, 12)),
    _Family("r8i-flex", "x86_64", 8, _TO_16),
    _Family("i7i r7i r8a", "x86_64", 8, _TO_48),
    _Family("r8i", "x86_64", 8, _INTEL_8),
    _Family("x2idn", "x86_64", 16, (16, 24, 32)),
    _Family("x2iedn", "x86_64", 32, (1, 2, 4, 8, 16, 24, 32)),
)


def _with_gpus(
    family: str, gpu: str, gpu_memory_mib: int, *rows: tuple[str, int, int, int]
) -> tuple[Instance, ...]:
    """The types of a family from (size, processors, memory in GiB, GPUs)."""
    return tuple(
        Instance(
            type=f"{family}.{size}",
            vcpu=vcpu,
            memory_mib=gib * 1_024,
            arch="x86_64",
            gpus=gpus,
            gpu=gpu,
            gpu_memory_mib=gpu_memory_mib,
        )
        for size, vcpu, gib, gpus in rows
    )


_ONE_GPU = (("xlarge", 4, 16, 1), ("2xlarge", 8, 32, 1), ("4xlarge", 16, 64, 1))
_MORE = (("8xlarge", 32, 128, 1), ("16xlarge", 64, 256, 1), ("12xlarge", 48, 192, 4))
_G7 = (("12xlarge", 48, 192, 2), ("24xlarge", 96, 384, 4), ("48xlarge", 192, 768, 8))
_MOST = (("24xlarge", 96, 384, 4), ("48xlarge", 192, 768, 8))

_GPU_TYPES = (
    *_with_gpus("g4dn", "T4", 16_384, *_ONE_GPU, *_MORE),
    *_with_gpus("g5", "A10G", 22_888, *_ONE_GPU, *_MORE, *_MOST),
    *_with_gpus("g6", "L4", 22_888, *_ONE_GPU, *_MORE, *_MOST),
    *_with_gpus("gr6", "L4", 22_888, ("4xlarge", 16, 128, 1), ("8xlarge", 32, 256, 1)),
    *_with_gpus(
        "g6e",
        "L40S",
        45_776,
        *((size, vcpu, 2 * gib, gpus) for size, vcpu, gib, gpus in (*_ONE_GPU, *_MORE, *_MOST)),
    ),
    *_with_gpus("g7", "RTX PRO 4500", 32_768, *_ONE_GPU[1:], _MORE[0], *_G7),
    *_with_gpus(
        "p3",
        "V100",
        16_384,
        ("2xlarge", 8, 61, 1),
        ("8xlarge", 32, 244, 4),
        ("16xlarge", 64, 488, 8),
    ),
    *_with_gpus("p4d", "A100", 40_960, ("24xlarge", 96, 1_152, 8)),
    *_with_gpus("p5", "H100", 81_920, ("48xlarge", 192, 2_048, 8)),
)

INSTANCES = (*(i for family in _FAMILIES for i in family.instances()), *_GPU_TYPES)
"""The types that sizing, prices and checks know."""
