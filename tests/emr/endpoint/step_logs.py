"""What a step's logs are, and where each goes: S3 by `LogUri`, CloudWatch where it is enabled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .cloudwatch import log_streams
from .logs import Shipment, s3_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from .logs import Sink
    from .state import Cluster, Step
    from .world import World

    Read = Callable[[], Mapping[str, bytes]]

FILES = ("controller", "stderr", "stdout", "syslog")

_STREAMS = ("stdout", "stderr")
_DRIVER = "_000001"
"""How the container's id ends that YARN starts first: in cluster mode, the driver's."""
_STEP_STREAMS = {"STEP_LOGS": ["STDOUT", "STDERR"]}


def ship(cluster: Cluster, step: Step, world: World, folder: Path) -> list[Shipment]:
    """Begin to store the step's logs and its containers', wherever they are to go."""
    shipments = [
        *_to_s3(cluster, step, world, folder),
        *_to_cloudwatch(cluster, step, world, folder),
    ]
    return [world.shipper.add(shipment) for shipment in shipments]


def _to_s3(cluster: Cluster, step: Step, world: World, folder: Path) -> list[Shipment]:
    if not step.log_uri:
        return []
    uri = f"{step.log_uri.rstrip('/')}/{cluster.id}"
    delay_s = world.settings.log_delay_s + cluster.logs_late_s

    def to(place: str, read: Read) -> Shipment:
        sink: Sink = s3_folder(world.s3, f"{uri}/{place}", kms_key=step.log_key)
        return Shipment(place=f"{uri}/{place}", read=read, sink=sink, delay_s=delay_s)

    own, containers = _own(folder, FILES), _containers(step, world, lambda _: _STREAMS)
    return [to(f"steps/{step.id}", own), to("containers", containers)]


def _to_cloudwatch(cluster: Cluster, step: Step, world: World, folder: Path) -> list[Shipment]:
    """At once, without the delay of S3; the names below the prefix are ours, AWS tells none."""
    monitoring = cluster.request.get("MonitoringConfiguration", {})
    told: Mapping[str, Any] = monitoring.get("CloudWatchLogConfiguration", {})
    if not told.get("Enabled"):
        return []
    group = told.get("LogGroupName", "/aws/emr/cluster")
    prefix = f"{told.get('LogStreamNamePrefix', '')}/{cluster.id}".lstrip("/")
    chosen = {
        kind: tuple(name.lower() for name in names)
        for kind, names in told.get("LogTypes", _STEP_STREAMS).items()
    }

    def of_container(container: str) -> tuple[str, ...]:
        driver = container.endswith(_DRIVER)
        return chosen.get("SPARK_DRIVER" if driver else "SPARK_EXECUTOR", ())

    def to(place: str, read: Read) -> Shipment:
        sink = log_streams(world.logs, group, f"{prefix}/{place}")
        return Shipment(place=f"{group}:{prefix}/{place}", read=read, sink=sink, delay_s=0.0)

    own = _own(folder, chosen.get("STEP_LOGS", ()))
    return [
        to(f"steps/{step.id}", own),
        to("containers", _containers(step, world, of_container)),
    ]


def _own(folder: Path, names: tuple[str, ...]) -> Read:
    return lambda: {name: (folder / name).read_bytes() for name in names}


def _containers(step: Step, world: World, names: Callable[[str], tuple[str, ...]]) -> Read:
    """The files of every container of the step's applications that are wanted of it."""
    fetch = world.runner.container_logs

    def read() -> dict[str, bytes]:
        return {
            f"{application}/{container}/{name}": content
            for application in step.applications
            for container, files in (fetch(application) if fetch else {}).items()
            for name, content in files.items()
            if name in names(container)
        }

    return read
