"""Bootstrap actions: fetched from S3 and run once for the primary node, or failed by a fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from .endings import ask_to_end, detail, end_by_fault
from .execute import execute
from .logs import Shipment, s3_folder, split_uri

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .state import Cluster
    from .world import World

FILES = ("controller", "stderr", "stdout")

_KMS_KEY = "LogEncryptionKmsKeyId"


def run(cluster: Cluster, world: World) -> None:
    """Run the cluster's bootstrap actions in order; a failure asks the cluster to end."""
    fault = world.faults.take(["bootstrap-failure"])
    actions = cluster.request.get("BootstrapActions", ())
    if fault is not None:
        _log(cluster, world, 1, {"stderr": b"bootstrap action 1 failed, as the test wants\n"})
        end_by_fault(cluster, fault, world)
        return
    if not world.settings.bootstrap:
        return
    for number, action in enumerate(actions, start=1):
        if cluster.ending is None and not _run(cluster, world, number, action):
            return


def _run(cluster: Cluster, world: World, number: int, action: Mapping[str, Any]) -> bool:
    """Whether this one succeeded."""
    folder = _log(cluster, world, number, {})
    script = folder / "script"
    bucket, key = split_uri(action["ScriptBootstrapAction"]["Path"])
    try:
        script.write_bytes(world.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError:
        _fail(cluster, world, "BOOTSTRAP_FAILURE_BA_DOWNLOAD_FAILED_PRIMARY", number, "download")
        return False
    script.chmod(0o755)
    status = execute(
        [str(script), *action["ScriptBootstrapAction"].get("Args", ())],
        folder=folder,
        environment=world.runner.environment,
        wanted_to_end=lambda: 0.2 if cluster.ending else None,
    )
    if status != 0:
        _fail(cluster, world, "BOOTSTRAP_FAILURE_PRIMARY_WITH_NON_ZERO_CODE", number, "returned")
    return status == 0


_MESSAGES = {
    "download": "On the master instance ({primary}), bootstrap action {number} could not be "
    "downloaded",
    "returned": "On the master instance ({primary}), bootstrap action {number} returned a "
    "non-zero return code",
}


def _fail(cluster: Cluster, world: World, code: str, number: int, how: str) -> None:
    message = _MESSAGES[how].format(primary=cluster.primary, number=number)
    with world.store.changed:
        ask_to_end(cluster, "TERMINATED_WITH_ERRORS", "BOOTSTRAP_FAILURE", message)
        detail(cluster, code, message)


def _log(cluster: Cluster, world: World, number: int, first: Mapping[str, bytes]) -> Path:
    """The action's folder, its log files in it and on their way to S3."""
    folder = world.runner.folder / cluster.id / f"bootstrap-{number}"
    folder.mkdir(parents=True)
    for name in FILES:
        (folder / name).write_bytes(first.get(name, b""))
    if cluster.log_uri:
        node = f"{cluster.log_uri.rstrip('/')}/{cluster.id}/node/{cluster.primary}"
        folder_uri = f"{node}/bootstrap-actions/{number}"
        shipment = Shipment(
            place=folder_uri,
            sink=s3_folder(world.s3, folder_uri, kms_key=cluster.request.get(_KMS_KEY)),
            read=lambda: {name: (folder / name).read_bytes() for name in FILES},
            delay_s=world.settings.log_delay_s + cluster.logs_late_s,
        )
        world.shipper.add(shipment)
    return folder
