"""What the options of `emr cost` say, as values; one that would change nothing is refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emr.cost.doors import INPUTS as OF_DOORS
from emr.cost.doors import doors_cost
from emr.cost.inputs import Given, named_numbers, number_of
from emr.cost.rate import Rate, rate_of
from emr.cost.run import INPUTS as OF_RUN
from emr.cost.service import INPUTS as OF_SERVICE
from emr.cost.service import service_on
from sparkml.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emr.cost.doors import DoorCost
    from emr.cost.prices import Prices
    from emr.cost.service import Service
    from emr.spec import ClusterSpec

Known = dict[str, Given]

FROM_RESULTS = "a rate MODEL:CONTENDER"
NEEDS = {
    "--rows-per-s": ("--rows", "--against", "--plot"),
    "--against-rows-per-s": ("--against",),
    "--against-given": ("--against",),
    "--requests-per-s": ("--seconds-per-request",),
    "--seconds-per-request": ("--requests-per-s",),
    "--vcpu-hours": ("--gb-hours",),
    "--gb-hours": ("--vcpu-hours",),
    "--results": (FROM_RESULTS,),
    "--profile": ("--live",),
}
"""An option → those of which one must stand beside it: alone it would change nothing."""


def heeded(named: Mapping[str, object]) -> None:
    """Refuse options that would change nothing, rather than drop them.

    Args:
        named: every option of `NEEDS`, and those that it needs, with its value.

    Raises:
        ConfigError: one stands alone, or beside `--live`, which asks AWS.
    """
    for option, needed in NEEDS.items():
        if _is_named(named[option]):
            _beside(option, needed, named, where=option)
    for option in ("--spot-share", "--allow-stale-prices"):
        if _is_named(named["--live"]) and _is_named(named[option]):
            raise ConfigError("--live asks AWS for prices", fix=f"leave {option} out")


def from_results(*rates: str | None) -> bool:
    """Whether one of the rates is to be read from `--results`."""
    return any(":" in rate.partition("@")[0] for rate in rates if rate)


def known_of(
    texts: list[str] | None, named: Mapping[str, object], *, option: str
) -> tuple[Known, Known, Known]:
    """What is known better of a run, of a service, and of other doors.

    Raises:
        ConfigError: a wrong name or number, or one of something that is not asked for.
    """
    found = named_numbers(texts or (), {**OF_RUN, **OF_SERVICE, **OF_DOORS}, option=option)
    needs = (
        (OF_RUN, ("--rows-per-s", "--what-if")),
        (OF_SERVICE, ("--requests-per-s",)),
        (OF_DOORS, ("--vcpu-hours",)),
    )
    for table, needed in needs:
        for key in found:
            if key in table:
                _beside(key, needed, named, where=option)
    run, service, doors = ({k: v for k, v in found.items() if k in t} for t, _ in needs)
    return run, service, doors


def what_if_of(text: str, results: Path | None) -> tuple[str, Rate]:
    """`TYPE=RATE`, taken apart.

    Raises:
        ConfigError: it is no such text.
    """
    type_, _, rate = text.partition("=")
    if not type_ or not rate:
        fix = "write m7g.2xlarge=40000"
        raise ConfigError(f"'{text}' is no type with its rate", where="--what-if", fix=fix)
    return type_, rate_of(rate, option="--what-if", results=results)


def service_of(
    spec: ClusterSpec, prices: Prices, rate: str | None, seconds: str | None, known: Known
) -> Service | None:
    """The service that the options describe, if they do."""
    if rate is None or seconds is None:
        return None
    each = "--seconds-per-request"
    return service_on(
        spec,
        prices,
        requests_per_s=number_of(
            rate, name="requests", unit="requests/s", option="--requests-per-s"
        ),
        seconds_per_request=number_of(seconds, name="a request", unit="s", option=each),
        known=known,
    )


def doors_of(
    spec: ClusterSpec, prices: Prices, vcpu: str | None, memory: str | None, known: Known
) -> tuple[DoorCost, ...]:
    """What used vCPUs and memory cost through other doors, if they are told."""
    if vcpu is None or memory is None:
        return ()
    return doors_cost(
        spec,
        prices,
        vcpu_hours=number_of(vcpu, name="vCPU", unit="vCPU-hours", option="--vcpu-hours"),
        gb_hours=number_of(memory, name="memory", unit="GB-hours", option="--gb-hours"),
        **known,
    )


def told_apart(
    one: ClusterSpec, other: ClusterSpec, files: tuple[str, str]
) -> tuple[ClusterSpec, ClusterSpec]:
    """Both specs under names that tell which is which: those of their files, where equal."""
    if one.name != other.name:
        return one, other
    first, second = (Path(file).stem for file in files)
    if first == second:
        second = f"{second} (--against)"
    return one.model_copy(update={"name": first}), other.model_copy(update={"name": second})


def _beside(name: str, needed: tuple[str, ...], named: Mapping[str, object], *, where: str) -> None:
    if not any(_is_named(named.get(other)) for other in needed):
        fix = f"leave it out, or give {' or '.join(needed)}"
        raise ConfigError(f"{name} alone changes nothing", where=where, fix=fix)


def _is_named(value: object) -> bool:
    return value is not None and value is not False and value != []
