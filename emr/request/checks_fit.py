"""What no node could hold: executors and drivers larger than any place where they might stand.

YARN refuses some of these minutes later, and lets the others wait for ever.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from emr.machines.instances import machine_of
from emr.machines.sizing import most_yarn_memory_mib
from emr.request.configurations import configurations_of
from sparkml.config.fields import shown
from sparkml.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from emr.machines.instances import Instance
    from emr.spec import ClusterSpec
    from sparkml.config.file import Problem

_SIZE = re.compile(r"([0-9]+)\s*(b|[kmgtp]b?)?")
_MIB = {"b": 2**-20, "k": 2**-10, "m": 1, "g": 2**10, "t": 2**20, "p": 2**30}
_GPUS = "spark.executor.resource.gpu.amount"


def fit_problems(spec: ClusterSpec, run_conf: Mapping[str, str] | None = None) -> Iterator[Problem]:
    """Each problem as what, where and the fix.

    Counted with the most that EMR may give away, or what the spec's own `yarn-site` does, so that
    nothing which would run is refused; and with the role of nodes that has the most room, at its
    smallest type.

    Args:
        spec: a cluster whose `configurations` have the form of EMR's.
        run_conf: the Spark settings of a run on it.
    """
    try:
        made = configurations_of(spec)
    except ConfigError:  # told as the type's problem
        return
    properties = {one["Classification"]: one.get("Properties", {}) for one in made}
    conf = {**properties["spark-defaults"], **spec.spark_conf, **(run_conf or {})}
    given = {key: str(text) for key, text in properties.get("yarn-site", {}).items()}
    sizes = {key: text for key, text in conf.items() if key in _all(_MEMORY)}
    counts = {key: text for key, text in conf.items() if key in {*_CORES.values(), _GPUS}}
    wrong = [
        *((k, v, "write it as 4096m or 4g") for k, v in sizes.items() if _mib(v) is None),
        *((k, v, "write a whole number") for k, v in counts.items() if not v.isdecimal()),
    ]
    if wrong:
        yield from ((f"{shown(text)} is no amount", key, fix) for key, text, fix in wrong)
        return
    memory = _given(given, "memory-mb") or _room(spec, most_yarn_memory_mib)
    yield from _memory_problems(memory, {key: _mib(text) or 0 for key, text in sizes.items()})
    processors = _given(given, "cpu-vcores") or _room(spec, lambda node: node.vcpu)
    yield from _count_problems(spec, processors, {key: int(text) for key, text in counts.items()})


_MEMORY = {
    "executor": (
        "spark.executor.memory",
        "spark.executor.memoryOverhead",
        "spark.executor.pyspark.memory",
    ),
    "driver": ("spark.driver.memory", "spark.driver.memoryOverhead"),
}
"""What YARN is asked for: the sum of these."""
_CORES = {"executor": "spark.executor.cores", "driver": "spark.driver.cores"}


def _all(keys: Mapping[str, tuple[str, ...]]) -> set[str]:
    return {key for several in keys.values() for key in several}


def _given(yarn_site: Mapping[str, str], resource: str) -> int:
    """What the spec itself lets YARN give away on a node; 0 where it does not say."""
    text = yarn_site.get(f"yarn.nodemanager.resource.{resource}", "")
    return int(text) if text.isdecimal() else 0


def _memory_problems(most: int, asked_mib: Mapping[str, int]) -> Iterator[Problem]:
    for who, keys in _MEMORY.items():
        mib = sum(asked_mib.get(key, 0) for key in keys)
        if mib > most:
            what = f"the {who} takes {mib:,} MiB with its overhead, and YARN has {most:,} on a node"
            yield what, keys[0], f"lower it or {keys[1]}, or choose larger types"


def _count_problems(
    spec: ClusterSpec, processors: int, asked: Mapping[str, int]
) -> Iterator[Problem]:
    for who, key in _CORES.items():
        if asked.get(key, 0) > processors:
            what = f"the {who} takes {asked[key]} cores, and a node has {processors}"
            yield what, key, "lower it, or choose larger types"
    gpus = _room(spec, lambda node: node.gpus) if spec.gpu != "none" else 0
    if asked.get(_GPUS, 0) > gpus:
        handed = f"a node has {gpus}" if gpus else f"gpu: {spec.gpu} hands out none"
        what = f"an executor takes {asked[_GPUS]} GPUs, and {handed}"
        yield what, _GPUS, "lower it, or change gpu and the types"


def _room(spec: ClusterSpec, of: Callable[[Instance], int]) -> int:
    return max(
        min(of(machine_of(choice)) for choice in nodes.types) for nodes in (spec.core, *spec.task)
    )


def _mib(text: str) -> int | None:
    """A size as Spark reads it, a plain number in MiB; None where it is none."""
    found = _SIZE.fullmatch(text.strip().lower())
    return int(int(found[1]) * _MIB[(found[2] or "m")[0]]) if found else None
